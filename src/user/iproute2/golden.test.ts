/**
 * The same commands on the simulated kernel and, where this may be done (root, network namespaces), on the one that runs
 * this test: what is printed has to be the same, byte for byte. What Linux has changed since 6.1 isn't asked.
 */
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { parseLab } from '#lab/plan'

const COMMANDS = `
ip a
ip -o a
ip -j a show lo
ip r
ip -d r
ip r show table all
ip -d -j -p r
ip rule
ip -d rule
ip -j -p rule
ip n
ip a add 10.1.0.1/16 brd + dev eth0
ip a add 10.1.0.2/16 brd + dev eth0 label eth0:x
ip a add 10.2.0.1 peer 10.2.0.2 dev eth0
ip a add 10.4.0.1/24 dev eth0 scope link metric 300
ip a add 10.5.0.1/24 dev eth0 noprefixroute
ip a show eth0
ip r show table local
ip a show secondary
ip a show label eth0:*
ip a show to 10.1.0.0/16
ip a show scope link
ip a del 10.1.0.1/16 dev eth0
ip a show to 10.1/16
ip a del 10.4.0.1 dev eth0
ip -s a flush label eth0:x
ip -s a flush to 99.0.0.0/8
ip r add 10.7.0.0/16 via 10.0.0.2
ip r add 10.7.0.0/16 via 10.0.0.2
ip r append 10.7.0.0/16 via 10.0.0.254
ip r add 10.7.0.0/16 via 10.0.0.2 metric 5
ip r replace 10.7.0.0/16 via 10.0.0.254
ip r change 10.99.0.0/16 via 10.0.0.254
ip r add 10.8.0.0/16 nexthop via 10.0.0.2 weight 3 nexthop via 10.0.0.254
ip r add blackhole 10.10.0.0/16
ip r add unreachable 10.11.0.0/16 metric 9
ip r add prohibit 10.12.0.0/16 table 77
ip r add throw 10.13.0.0/16
ip r add 10.14.0.0/16 dev eth0 src 10.0.0.1 mtu 1400 advmss 1000 rtt 120ms
ip r add 10.15.0.0/16 via 9.9.9.9
ip r add 10.15.0.0/16 via 9.9.9.9 dev eth0 onlink
ip r add 10.16.0.1/16 dev eth0
ip r
ip -j r
ip -d r
ip r show table 77
ip r show table all type unreachable
ip r show via 10.0.0.2
ip r show root 10.8.0.0/13
ip r get 10.7.1.1
ip r get 10.10.0.1
ip r get 10.11.0.1
ip r get 8.8.8.8
ip r get 10.0.0.1
ip r get 10.0.0.255
ip r get 127.0.0.1
ip -d r get 10.0.0.2
ip -j -p r get 10.14.0.1
ip r del 10.7.0.0/16
ip r del 10.7.0.0/16
ip r del 10.7.0.0/16
ip -s r flush 10.14.0.0/16
ip r show table 12345
ip rule add from 10.0.0.0/8 lookup 100
ip rule add fwmark 0x10/0xff table 100 pref 50
ip rule add not from 1.2.3.4 tos 0x10 lookup 200 prio 60
ip rule add goto 32766 pref 61
ip rule add uidrange 1-5 ipproto tcp sport 1-5 dport 80 lookup 55 pref 62
ip rule add blackhole iif nosuch pref 70
ip rule
ip -j -p rule
ip rule list table 100
ip rule del pref 555
ip rule flush
ip rule
ip l set eth0 mtu 1400 txqueuelen 500 arp off multicast off
ip l set eth0 mtu 10
ip l show eth0
ip l set eth0 arp on multicast on alias hello
ip -j l show eth0
ip l set eth0 foo
ip l set eth0 arp foo
ip l set eth0 address 1:2
ip l set nosuch up
ip n add 10.0.0.50 lladdr 02:00:00:00:00:50 dev eth0
ip n add 10.0.0.50 lladdr 02:00:00:00:00:50 dev eth0
ip n replace 10.0.0.50 lladdr 02:00:00:00:00:51 dev eth0 nud stale
ip n change 10.0.0.51 lladdr 02:00:00:00:00:51 dev eth0
ip n get 10.0.0.50 dev eth0
ip n show dev eth0
ip n add 10.0.0.50
ip n del 10.0.0.99 dev eth0
ip n add proxy 10.0.0.77 dev eth0
ip n show proxy
ip -j n show proxy
ip n flush dev eth0 nud stale
ip n
ip foo
ip r foo
ip -z
ip a add 10.0.0.x/24 dev eth0
ip r add 10.5.0.0/16 via foo
ip r get
ip rule add
ip a flush
`
  .trim()
  .split('\n')

const LAB = `
networks: { lan: {} }
hosts:
  a: { eth0: lan 10.0.0.1/24 }
  b: { eth0: lan 10.0.0.2/24 }
`

const NAMESPACES = ['kaidoku-golden-a', 'kaidoku-golden-b'] as const

function shell(script: string): string {
  return execFileSync('bash', ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

const clean = () =>
  shell(
    NAMESPACES.map((name) => `ip netns del ${name} 2>/dev/null`)
      .join('; ')
      .concat('; true'),
  )

function canTry(): boolean {
  if (process.getuid?.() !== 0) return false
  try {
    clean()
    shell(NAMESPACES.map((name) => `ip netns add ${name}`).join(' && '))
    return shell('ip -V').includes('iproute2-6.1.0')
  } catch {
    return false
  }
}

/** A card is a veth there: which the model's isn't, and shows. */
function mask(text: string): string {
  return text
    .replace(/@if\d+/g, '')
    .replace(/ link-netns(id)? \S+/g, '')
    .replace(/"link_(index|netnsid)":\d+,/g, '')
    .replace(/,"link_netnsid":\d+/g, '')
    .replace(/(qdisc|"qdisc":) ?("?)(noqueue|pfifo_fast|fq_codel)/g, '$1 $2QDISC')
}

describe.skipIf(!canTry())('ip on both kernels', () => {
  let lab: SimLab
  const real = new Map<number, string>()
  beforeAll(() => {
    const [a, b] = NAMESPACES
    shell(`set -e
      ip -n ${a} link add eth0 type veth peer name eth0 netns ${b}
      for n in ${a} ${b}; do ip netns exec $n sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; ip -n $n link set lo up; done
      ip -n ${a} link set eth0 address 02:00:00:00:01:00; ip -n ${b} link set eth0 address 02:00:00:00:02:00
      ip -n ${a} addr add 10.0.0.1/24 brd + dev eth0; ip -n ${a} link set eth0 up
      ip -n ${b} addr add 10.0.0.2/24 brd + dev eth0; ip -n ${b} link set eth0 up
      # A proxied address without a device outlives its namespace, and turns up in one that is made at the same place in memory.
      ip -n ${a} neigh show proxy | while read address rest; do ip -n ${a} neigh del proxy $address; done
      sleep 0.1`)
    const script = COMMANDS.map((command, i) => `echo "@@${i}"; ${command.replaceAll('*', '\\*')}; echo "[$?]"`).join(
      '\n',
    )
    const text = execFileSync('ip', ['netns', 'exec', a, 'bash', '-c', `exec 2>&1\n${script}`], { encoding: 'utf8' })
    for (const part of text.split('@@').slice(1)) real.set(Number.parseInt(part, 10), part.replace(/^\d+\n/, ''))
    lab = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed: 1, start: 1_767_225_600, capture: false })
  })
  afterAll(clean)

  test.each(COMMANDS.map((command, i) => [command, i] as const))('%s', async (command, i) => {
    let output = ''
    const { status } = await lab.command('a', command, { onOutput: (text) => (output += text) })
    expect(mask(`${output}[${status}]\n`)).toBe(mask(real.get(i)!))
  })
})

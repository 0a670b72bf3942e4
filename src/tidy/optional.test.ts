/** Each optional room can be taken away: all but its dependants still boots and works, and nobody else names it. */
import { describe, expect, test } from 'vitest'
import { decodeUtf8 } from '#base/bytes'
import { drive, SECOND } from '#base/sim'
import { createCapture, type Image, type Room } from '#kernel/core'
import { createDebian12, OPTIONAL } from '#lab/catalogue'
import { parseLab } from '#lab/plan'
import { World } from '#lab/world'
import { importsOf, readSource, roomsOf, sourcesBelow } from './sources.ts'

const listed = roomsOf(readSource('ROOMS.md')).filter(
  ({ name, needed }) => /^(kernel|user|cluster)\//.test(name) && !needed,
)

/** A room and all that need it, directly or not. */
function withDependants(name: string): Set<string> {
  const gone = new Set([name])
  for (let size = 0; size !== gone.size; ) {
    size = gone.size
    for (const room of OPTIONAL) if (room.needs.some((need) => gone.has(need))) gone.add(room.name)
  }
  return gone
}

/** What a script prints on the first of two hosts that boot an image. */
async function runOn(image: Image, script: string): Promise<string> {
  const { plan } = parseLab(
    'networks: { lan: {} }\nhosts: { a: { eth0: lan 10.0.0.1/24 }, b: { eth0: lan 10.0.0.2/24 } }',
    'lab.yaml',
  )
  const world = new World(plan, { seed: 1, startS: 0, image })
  const { kernel } = world.host('a')
  let output = ''
  let ended = false
  const out = createCapture({
    onOutput: (bytes) => {
      output += decodeUtf8(bytes)
    },
  })
  kernel.spawn({
    argv: ['bash', '-c', script],
    files: [kernel.openPath('/dev/null', 2)!, out, out],
    env: { PATH: '/usr/sbin:/usr/bin' },
    onExit: () => {
      ended = true
    },
  })
  await drive(world.sim, 60 * SECOND, () => ended)
  return output
}

/** What works without any optional room: the shell, the text tools, `ip`. */
const NEEDED =
  'ip -br addr show eth0; for i in 1 2; do echo $((i * 2)); done | sort -r; cat /proc/sys/net/ipv4/ip_forward; ls /etc/hosts'
const PRINTED = 'eth0             UP             10.0.0.1/24 \n4\n2\n0\n/etc/hosts\n'

/** A command of each room, and a line that it prints. A room that comes gets a line here. */
const WORKS: Record<string, [command: string, prints: RegExp]> = {
  'kernel/interrupts': ['cat /proc/interrupts', /^ 14: .* IO-APIC {2}14-edge {6}ata_piix$/m],
  'kernel/pci': ['lspci --version', /^lspci version 3\.9\.0$/m],
  'kernel/ipvs': ['cat /proc/net/ip_vs', /^IP Virtual Server version 1\.2\.1 \(size=4096\)$/m],
  'kernel/ipset': ['ipset create s hash:ip; ipset list -n', /^s$/m],
  'kernel/netfilter': ['iptables -S; nft list ruleset', /^-P INPUT ACCEPT$/m],
  'kernel/ipv6': ['cat /proc/sys/net/ipv6/conf/all/disable_ipv6', /^1$/m],
  'kernel/bridge': ['ip link add br0 type bridge; bridge vlan', /^br0 /m],
  'kernel/link': ['ip link add d0 type dummy; ip -br link show d0', /^d0 /m],
  'kernel/qdisc': ['cat /proc/net/psched', /^000003e8 00000040 /m],
  'kernel/tunnel': [
    'ip tunnel add t0 mode ipip remote 10.0.0.2; ip tunnel show t0',
    /^t0: ip\/ip remote 10\.0\.0\.2 /m,
  ],
  'kernel/vxlan': ['ip link add vx0 type vxlan id 1 dstport 4789; ip -br link show vx0', /^vx0 /m],
  'user/tc': ['tc qdisc', /^qdisc noqueue 0: dev lo root refcnt 2/m],
  'kernel/conntrack': ['conntrack --version', /^conntrack v1\.4\.7/m],
  'user/procps': ['sysctl net.ipv4.ip_forward', /^net\.ipv4\.ip_forward = 0$/m],
  'user/nettools': ['arp -n; ethtool -i eth0', /^driver: /m],
  'user/iputils': ['ping -c 1 10.0.0.2', /1 received/],
  'user/tcpdump': ['tcpdump --version', /^tcpdump version/m],
  'user/hping': ['hping3 --version', /^hping3 version 3\.0\.0-alpha-2/m],
  'user/traceroute': ['traceroute -n 10.0.0.2', /^ 1 {2}10\.0\.0\.2 {2}/m],
  'user/http': ['curl --version', /^curl 7\.88\.1/m],
  'user/socat': ['socat -V', /^socat version 1\.7\.4\.4/m],
  'user/iperf': ['iperf3 -v', /^iperf 3\.12/m],
  'user/ipvsadm': ['ipvsadm --version', /^ipvsadm v1\.31 /m],
  'user/ldirectord': ['ldirectord -v', /^Linux Director v1\.186-ha$/m],
  'user/keepalived': ['keepalived --version', /^Keepalived v2\.2\.7 /m],
  'user/heartbeat': ['cl_status hbstatus', /^Heartbeat is stopped on this machine\.$/m],
  'user/dns': ['dig -v', /^DiG 9\.18/m],
  'user/radvd': ['radvd -v', /^Version: 2\.19$/m],
  'user/netcat': ['nc -h', /^OpenBSD netcat/m],
}

test('the catalogue has the optional rooms of ROOMS.md, those that others need first', () => {
  expect(OPTIONAL.map(({ name }) => name).sort()).toEqual(listed.map(({ name }) => name).sort())
  expect(Object.keys(WORKS).sort(), 'each has a command to try').toEqual(listed.map(({ name }) => name).sort())
  const before = new Set<string>()
  for (const { name, needs } of OPTIONAL) {
    for (const need of needs) {
      const needed = listed.some((room) => room.name === need)
      if (needed) expect(before, `${name} needs ${need}`).toContain(need)
    }
    before.add(name)
  }
})

test('without any', async () => {
  expect(await runOn(createDebian12([]), NEEDED)).toBe(PRINTED)
})

describe.each(listed)('without $name', ({ name }) => {
  const gone = withDependants(name)
  const rest: Room[] = OPTIONAL.filter((room) => !gone.has(room.name))

  test('the others boot and work, and its programs are gone', async () => {
    const image = createDebian12(rest)
    expect(await runOn(image, NEEDED)).toBe(PRINTED)
    for (const room of rest) {
      const works = WORKS[room.name]
      if (works) expect(await runOn(image, works[0]), room.name).toMatch(works[1])
    }
    // A part of the kernel has no program of its own to be gone.
    const own = name.startsWith('kernel/') ? undefined : WORKS[name]?.[0].split(' ')[0]
    if (own) expect(await runOn(image, own)).toMatch(/command not found/)
  })

  test('nobody else imports it', () => {
    const importers = [...sourcesBelow('src'), ...sourcesBelow('web/src')].filter(
      (path) =>
        !path.startsWith(`src/${name}/`) &&
        !/\.(test|cases)\.ts$/.test(path) &&
        ![...gone].some((other) => path.startsWith(`src/${other}/`)) &&
        importsOf(readSource(path)).includes(`#${name}`),
    )
    expect(importers).toEqual(['src/lab/catalogue/index.ts'])
  })
})

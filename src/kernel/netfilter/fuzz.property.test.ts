/** Whatever is typed at iptables, iptables-restore, nft and ipset: an answer, no throw, no hang; what is refused changes nothing. */
import { expect, test } from 'vitest'
import { NotModelled } from '#base/check'
import type { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import { bench } from './testing.cases.ts'

const IPTABLES =
  `-A -I -D -R -C -L -S -F -Z -N -X -P -E -n -v -x --line-numbers -t -s -d -p -i -o -j -g -f -m -c ! INPUT OUTPUT FORWARD filter nat mangle raw
ACCEPT DROP RETURN REJECT LOG MARK DNAT SNAT MASQUERADE u1 u2 tcp udp icmp all 80 80:90 :5 10.0.0.1 10.0.0.0/8 1.2.3 eth0 eth+ 1 2 99999 -1 multiport limit conntrack state
comment mark recent set string u32 hashlimit statistic tos ttl --dport --sport --ctstate NEW,FOO NEW --limit 5/min --mark 1/2 --set --name x --string a --algo bm --u32 0=1 0>>22&0x3C@=1
--to-destination 1.1.1.1:80-90 --reject-with tcp-reset --set-mark --mode nth --every 3 --packet 1 --syn --tcp-flags SYN,ACK ALL -- - --foo --icmp-type 8/0 é "" $ --jump --goto=u1 --match=tcp`
    .split(/\s+/)
    .filter((word) => word !== '')

const NFT =
  `add insert replace delete list flush create table chain rule set map element ruleset tables ip ip6 inet t c s { } ; , . : = == != < > & | ^ ( ) / - @ @s $x type filter hook input
priority 0 policy accept drop jump goto c ip saddr daddr 10.0.0.1 10.0.0.0/8 10.0.0.1-10.0.0.9 tcp dport 80 80-90 udp icmp echo-request meta mark set l4proto ct state new,established invalid
counter log prefix "x" reject with reset limit rate 5/second over burst 10 packets quota 5 mbytes vmap map snat dnat to :80 masquerade redirect numgen inc mod 2 jhash seed 0x1 ipv4_addr
inet_service elements flags interval timeout 1m10s comment "y" handle 3 position index define include iifname eth0 lo notrack continue return fib type local th exists size 99999999999 é \\ #
\n`
    .split(/[ \n]+/)
    .concat('\n')

const IPSET =
  `create add del test list save destroy flush rename swap restore a b hash:ip hash:net hash:ip,port bitmap:port list:set timeout 10 counters comment nomatch maxelem 2 range 1-100
10.0.0.1 10.0.0.0/8 10.0.0.1-10.0.0.5 1.1.1.1,tcp:80 80 -exist -! -n -t -o save x netmask 24 0.0.0.0/0 1.2.3 tcp: icmp:8/0 99999 "" before after`.split(
    /\s+/,
  )

function words(random: RandomStream, from: readonly string[], most: number): string[] {
  return Array.from({ length: random.below(most) }, () => from[random.below(from.length)]!)
}

const quote = (list: readonly string[]) => list.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')

test('iptables, nft, ipset: any words', async () => {
  const prepared = async () => {
    const made = await bench()
    await made.run('iptables -N u1; nft add table t; nft add chain t c; ipset create a hash:ip')
    return made
  }
  let host = await prepared()
  const commands: string[] = []
  forSeeds(600, (random) => {
    const which = random.below(5)
    if (which === 0) commands.push(`iptables ${quote(words(random, IPTABLES, 12))}`)
    else if (which === 1) {
      // A likely beginning goes deeper.
      commands.push(`iptables -A INPUT ${quote(words(random, IPTABLES, 9))}`)
    } else if (which === 2) commands.push(`nft ${quote([words(random, NFT, 25).join(' ')])}`)
    else if (which === 3) commands.push(`nft ${quote([`add rule t c ${words(random, NFT, 12).join(' ')}`])}`)
    else commands.push(`ipset ${quote(words(random, IPSET, 8))}`)
  })
  for (const command of commands) {
    try {
      const { status, stderr } = await host.run(command)
      expect(status, command).toBeGreaterThanOrEqual(0)
      if (status !== 0 && !/test|-L|list/.test(command)) expect(stderr, command).not.toBe('')
    } catch (error) {
      if (!(error instanceof NotModelled) && !String(error).includes('NotModelled')) {
        throw new Error(`${command}: ${error instanceof Error ? error.stack : error}`)
      }
      host = await prepared() // A run that met the model's edge is over.
    }
  }
}, 120_000)

test('iptables-restore, nft -f, ipset restore: any file', async () => {
  let host = await bench()
  const lines = [
    '*filter',
    '*nat',
    'COMMIT',
    ':INPUT ACCEPT [0:0]',
    ':u1 - [0:0]',
    '-A INPUT -j u1',
    '-A u1 -j ACCEPT',
    '# x',
    '',
    '[5:6] -A INPUT -j DROP',
    '-D INPUT 1',
    '-I INPUT 9',
    '-A INPUT -m comment --comment "a b',
    ':',
    '*',
    '-X u1',
    '\\',
  ]
  const nft = [
    'table ip t {',
    'chain c {',
    '}',
    'type filter hook input priority 0;',
    'tcp dport 80 accept',
    'define x = { 1, 2 }',
    'tcp dport $x',
    'set s { type ipv4_addr; }',
    'ip saddr @s',
    'add rule t c drop',
    'flush ruleset',
    'jump c',
    'include "/x"',
    '"',
    '$',
    '}}',
    'map m { type inet_service : verdict; elements = { 1 : jump c } }',
  ]
  const files: [string, string][] = []
  forSeeds(150, (random) => {
    if (random.below(2) === 0) files.push(['iptables-restore', words(random, lines, 12).join('\n')])
    else files.push(['nft -f', words(random, nft, 14).join('\n')])
  })
  for (const [tool, text] of files) {
    host.host.writeFile('/file', text)
    try {
      const { status } = await host.run(`${tool} /file`)
      expect(status).toBeGreaterThanOrEqual(0)
    } catch (error) {
      if (!String(error).includes('NotModelled') && !(error instanceof NotModelled)) {
        throw new Error(`${tool}\n${text}\n${error instanceof Error ? error.stack : error}`)
      }
      host = await bench()
    }
  }
}, 120_000)

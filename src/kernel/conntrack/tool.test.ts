/**
 * `conntrack` on a host of a small lab. golden/tool.txt is what conntrack-tools 1.4.7 printed for the same commands in the
 * same order; seconds that pass and the order of entries don't count.
 */
import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { parseLab } from '#lab/plan'
import { conntrackNeed } from './index.ts'

const LAB = `
networks: { left: {}, right: {} }
hosts:
  a: { eth0: left 10.0.1.1/24, gateway: 10.0.1.254 }
  r: { eth0: left 10.0.1.254/24, eth1: right 10.0.2.254/24, sysctl: { net.ipv4.ip_forward: 1 } }
  b: { eth0: right 10.0.2.2/24, gateway: 10.0.2.254 }
`

const golden = readFileSync(new URL('golden/tool.txt', import.meta.url), 'utf8')
  .split(/^\$ /m)
  .slice(1)

let lab: SimLab
const run = async (host: string, line: string) => (await lab.command(host, line)).output

beforeAll(() => {
  lab = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed: 1, start: 1_767_225_600, capture: false })
})

/** Without what differs between two runs: seconds left, the second CPU of the machine, the order of a hash table. */
function normal(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/^((?:ipv4 +2 )?\w+ +\d+ )\d+ /, '$1T ').replace(/^-A -t \d+/, '-A -t T'))
    .filter((line) => line !== '' && !line.startsWith('cpu=1'))
    .sort()
}

test.each(golden.map((block) => [block.slice(0, block.indexOf('\n')), block.slice(block.indexOf('\n') + 1)]))(
  '%s',
  async (line, printed) => {
    expect(normal(await run('r', line!))).toEqual(normal(printed!))
  },
)

test('events', async () => {
  conntrackNeed(lab.world.host('r').kernel)
  await run('r', 'conntrack -F 2>/dev/null; conntrack -E > /tmp/events 2>&1 &')
  await run('a', 'ping -c 1 10.0.2.2')
  await run('r', 'conntrack -D -p icmp > /dev/null 2>&1; kill %1; sleep 0.1')
  const tuple = 'src=10.0.1.1 dst=10.0.2.2 type=8 code=0 id=N'
  const reply = 'src=10.0.2.2 dst=10.0.1.1 type=0 code=0 id=N'
  expect(
    (await run('r', 'cat /tmp/events'))
      .replace(/\bid=\d+/g, 'id=N')
      .trimEnd()
      .split('\n'),
  ).toEqual([
    `    [NEW] icmp     1 30 ${tuple} [UNREPLIED] ${reply}`,
    ` [UPDATE] icmp     1 30 ${tuple} ${reply}`,
    expect.stringMatching(/^\[DESTROY\] icmp {5}1 (30|29) src=.* portid=\d+$/),
    'conntrack v1.4.7 (conntrack-tools): 3 flow events have been shown.',
  ])
})

test('who was there before somebody listened isn’t told of', async () => {
  await run('r', 'conntrack -F 2>/dev/null')
  await run('a', 'ping -c 1 10.0.2.2')
  await run('r', 'conntrack -E > /tmp/events 2>&1 &')
  await run('r', 'conntrack -D -p icmp > /dev/null 2>&1; kill %1; sleep 0.1')
  expect(await run('r', 'cat /tmp/events')).toBe('conntrack v1.4.7 (conntrack-tools): 0 flow events have been shown.\n')
})

test('accounting and timestamps', async () => {
  await run(
    'r',
    'conntrack -F 2>/dev/null; sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1',
  )
  await run('a', 'ping -c 1 10.0.2.2; sleep 2')
  expect(await run('r', 'conntrack -L -o ktimestamp')).toMatch(
    /id=\d+ packets=1 bytes=84 src=.* id=\d+ packets=1 bytes=84 mark=0 \[start=Thu Jan {2}1 00:00:\d\d 2026\] delta-time=[23] use=1\n/,
  )
})

test('a full table', async () => {
  await run('r', 'conntrack -F 2>/dev/null; sysctl -qw net.netfilter.nf_conntrack_max=2')
  for (const port of [1, 2]) {
    await run(
      'r',
      `conntrack -I -p tcp -s 1.1.1.1 -d 2.2.2.2 --sport ${port} --dport 3 -t 99 --state ESTABLISHED -u ASSURED,SEEN_REPLY`,
    )
  }
  expect(await run('a', 'ping -c 1 -W 1 10.0.2.2')).toContain('0 received')
  expect(await run('r', 'dmesg | tail -1')).toContain('nf_conntrack: table full, dropping packet')
  expect(await run('r', 'conntrack -S')).toContain(' drop=1 ')
  await run('r', 'sysctl -qw net.netfilter.nf_conntrack_max=3')
  expect(await run('a', 'ping -c 1 -W 1 10.0.2.2')).toContain('1 received')
})

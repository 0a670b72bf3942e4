/** IPv6 through a router that tracks and translates it: a - r - b. */
import { expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { parseLab } from '#lab/plan'
import { formatIpv6, parseIpv6 } from '#wire/inet'
import { addNatChain, type Conn, connections, conntrackNeed, conntrackState, masquerade, natSetup } from './index.ts'

const LAB = `
networks: { left: {}, right: {} }
hosts:
  a: { ipv6: true, eth0: left fd00:1::1/64 }
  r: { ipv6: true, eth0: left fd00:1::254/64, eth1: right fd00:2::254/64, sysctl: { net.ipv6.conf.all.forwarding: 1 } }
  b: { ipv6: true, eth0: right fd00:2::2/64 }
`

async function lab() {
  const made = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed: 1, start: 1_767_225_600, capture: false })
  const run = async (host: string, line: string) => (await made.command(host, line)).output
  await run('a', 'sleep 3; ip -6 route add default via fd00:1::254')
  await run('b', 'ip -6 route add default via fd00:2::254')
  return { r: made.world.host('r').kernel, run }
}

test('an echo is a connection; neighbours’ words are none', async () => {
  const { r, run } = await lab()
  conntrackNeed(r, 'ip6')
  expect(await run('a', 'ping -6 -c 2 fd00:2::2')).toContain('2 received')
  expect(connections(r)).toMatchObject([
    { protocol: 'icmpv6', original: { src: 'fd00:1::1', dst: 'fd00:2::2' }, replied: true },
  ])
  expect(await run('r', 'conntrack -L -f ipv6 2>&1')).toMatch(
    /^icmpv6 {3}58 (29|30) src=fd00:1::1 dst=fd00:2::2 type=128 code=0 id=\d+ src=fd00:2::2 dst=fd00:1::1 type=129 code=0 id=\d+ mark=0 use=1\n.*1 flow entries/,
  )
})

test('source translation, and an error that finds its way back', async () => {
  const { r, run } = await lab()
  const state = conntrackState.of(r)
  const outside = parseIpv6('fd00:2::254')!
  addNatChain(
    r,
    'POST_ROUTING',
    {
      name: 'test',
      priority: 100,
      run: ({ packet, out }) =>
        out?.name === 'eth1' ? natSetup(state, packet.ct as Conn, { min: outside, max: outside }, 'SRC') : 1,
    },
    'ip6',
  )
  await run('b', 'ip -6 route del default')
  expect(await run('a', 'ping -6 -c 1 fd00:2::2')).toContain('1 received')
  expect(connections(r)[0]).toMatchObject({ reply: { src: 'fd00:2::2', dst: formatIpv6(outside) } })
  expect(await run('a', 'ping -6 -c 1 -W 4 fd00:2::99')).toContain('Destination unreachable: Address unreachable')
})

test('masquerading', async () => {
  const { r, run } = await lab()
  const run6 = { name: 'test', priority: 100, run: (context: never) => masquerade(conntrackState.of(r), context, {}) }
  addNatChain(r, 'POST_ROUTING', run6, 'ip6')
  await run('b', 'ip -6 route del default')
  expect(await run('a', 'ping -6 -c 1 fd00:2::2')).toContain('1 received')
})

test('fragments are put together for the trackers, and cut again', async () => {
  const { r, run } = await lab()
  conntrackNeed(r, 'ip6')
  expect(await run('a', 'ping -6 -c 1 -s 4000 fd00:2::2')).toContain('1 received')
  expect(connections(r)).toMatchObject([{ protocol: 'icmpv6', replied: true }])
})

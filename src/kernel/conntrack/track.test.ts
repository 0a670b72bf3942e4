/** Packets through a router that tracks them: a - r - b. */
import { expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { ipTrace } from '#kernel/net'
import { parseLab } from '#lab/plan'
import { addNatChain, connections, conntrackNeed, conntrackState, masquerade, natSetup } from './index.ts'

const LAB = `
networks: { left: {}, right: {} }
hosts:
  a: { eth0: left 10.0.1.1/24, gateway: 10.0.1.254 }
  r: { eth0: left 10.0.1.254/24, eth1: right 10.0.2.254/24, sysctl: { net.ipv4.ip_forward: 1 } }
  b: { eth0: right 10.0.2.2/24, gateway: 10.0.2.254 }
`

function lab() {
  const made = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed: 1, start: 1_767_225_600, capture: false })
  return {
    made,
    r: made.world.host('r').kernel,
    run: async (host: string, line: string) => (await made.command(host, line)).output,
  }
}

test('a ping through a router is one connection', async () => {
  const { r, run } = lab()
  conntrackNeed(r)
  expect(await run('a', 'ping -c 2 10.0.2.2')).toContain('2 received')
  const [one, ...rest] = connections(r)
  expect(rest).toEqual([])
  expect(one).toMatchObject({ protocol: 'icmp', original: { src: '10.0.1.1', dst: '10.0.2.2' }, replied: true })
})

test('masquerading hides the client, and answers find it', async () => {
  const { r, run } = lab()
  addNatChain(r, 'POST_ROUTING', {
    name: 'test',
    priority: 100,
    run: (context) => masquerade(conntrackState.of(r), context, {}),
  })
  await run('b', 'ip route del default')
  expect(await run('a', 'ping -c 1 10.0.2.2')).toContain('1 received')
  expect(connections(r)[0]).toMatchObject({ reply: { src: '10.0.2.2', dst: '10.0.2.254' } })
})

test('a destination that is translated answers by the address that was asked', async () => {
  const { r, run } = lab()
  addNatChain(r, 'PRE_ROUTING', {
    name: 'test',
    priority: -100,
    run: ({ packet }) =>
      packet.dst === 0x0a000901
        ? natSetup(conntrackState.of(r), packet.ct as never, { min: 0x0a000202, max: 0x0a000202 }, 'DST')
        : 1,
  })
  expect(await run('a', 'ping -c 1 10.0.9.1')).toContain('64 bytes from 10.0.9.1: icmp_seq=1 ttl=63')
})

test('the trace tells what tracking and NAT made of a packet', async () => {
  const { r, run } = lab()
  addNatChain(r, 'POST_ROUTING', {
    name: 'test',
    priority: 100,
    run: (context) => masquerade(conntrackState.of(r), context, {}),
  })
  const steps: string[] = []
  ipTrace(r).listen((event) => {
    if (event.kind === 'conntrack') steps.push(`${event.what}: ${event.text}`)
  })
  await run('a', 'ping -c 1 10.0.2.2')
  expect(steps).toEqual([
    'NEW: icmp 10.0.1.1 > 10.0.2.2, reply 10.0.2.2 > 10.0.1.1 [UNREPLIED]',
    'nat: source 10.0.1.1 becomes 10.0.2.254',
    'confirmed: icmp 10.0.1.1 > 10.0.2.2, reply 10.0.2.2 > 10.0.2.254 [UNREPLIED]',
    'ESTABLISHED (reply): icmp 10.0.1.1 > 10.0.2.2, reply 10.0.2.2 > 10.0.2.254',
    'nat: destination 10.0.2.254 becomes 10.0.1.1',
  ])
})

import { expect, test } from 'vitest'
import { SECOND, Simulator } from '#base/sim'
import { formatIpv4, parseIpv4 } from '#wire/inet'
import { type HookName, NF_ACCEPT, NF_DROP, NF_STOLEN, packetHooks } from './hooks.ts'
import { ipTrace } from './ip-state.ts'
import { chain, echoRequest, inet, inetSocket } from './ip-testing.ts'

const HOOKS: HookName[] = ['PRE_ROUTING', 'LOCAL_IN', 'FORWARD', 'LOCAL_OUT', 'POST_ROUTING']

function ping(drop?: (host: string, hook: HookName) => boolean) {
  const sim = new Simulator(1)
  const { hosts } = chain(sim, 1)
  sim.run(2 * SECOND)
  const calls: string[] = []
  for (const host of hosts)
    for (const hook of HOOKS) {
      const hooks = packetHooks(host)
      hooks.add(hook, {
        name: 'late',
        priority: 10,
        run({ host, packet, in: from, out }) {
          const kind = packet.icmpType === 8 ? '>' : '<'
          calls.push(`${kind} ${host.name} ${hook} ${from?.name ?? '-'} ${out?.name ?? '-'}`)
          return NF_ACCEPT
        },
      })
      hooks.add(hook, {
        name: 'early',
        priority: -10,
        run: ({ host }) => (drop?.(host.name, hook) ? NF_DROP : NF_ACCEPT),
      })
    }
  const raw = inetSocket(hosts[0]!, 'SOCK_RAW', 1).socket!
  const sent = raw.sendTo(echoRequest(1, 1), inet('10.0.2.2'), {})
  sim.run(sim.nowNs + SECOND)
  return { hosts, calls, sent, answered: raw.receive(1500, {}).ok }
}

test('a packet and its answer pass the five hooks in their order', () => {
  const { calls, answered } = ping()
  expect(answered).toBe(true)
  expect(calls).toEqual([
    '> a LOCAL_OUT - eth0',
    '> a POST_ROUTING - eth0',
    '> r1 PRE_ROUTING eth0 -',
    '> r1 FORWARD eth0 eth1',
    '> r1 POST_ROUTING eth0 eth1',
    '> b PRE_ROUTING eth0 -',
    '> b LOCAL_IN eth0 -',
    '< b LOCAL_OUT - eth0',
    '< b POST_ROUTING - eth0',
    '< r1 PRE_ROUTING eth1 -',
    '< r1 FORWARD eth1 eth0',
    '< r1 POST_ROUTING eth1 eth0',
    '< a PRE_ROUTING eth0 -',
    '< a LOCAL_IN eth0 -',
  ])
})

test.each([
  ['r1', 'PRE_ROUTING'],
  ['r1', 'FORWARD'],
  ['r1', 'POST_ROUTING'],
  ['b', 'LOCAL_IN'],
] as const)('what %s drops at %s goes no further', (name, at) => {
  const { calls, answered } = ping((host, hook) => host === name && hook === at)
  expect(answered).toBe(false)
  expect(calls.filter((call) => call.includes(` ${name} ${at}`))).toEqual([])
})

test('a drop on the way out is the sender’s error', () => {
  expect(ping((host, hook) => host === 'a' && hook === 'LOCAL_OUT').sent).toEqual({ ok: false, errno: 'EPERM' })
})

test('what a hook takes away is nobody’s error', () => {
  const sim = new Simulator(1)
  const { hosts, cables } = chain(sim, 1)
  for (const hook of ['LOCAL_OUT', 'POST_ROUTING'] as const) {
    packetHooks(hosts[0]!).add(hook, { name: 'taker', priority: 0, run: () => NF_STOLEN })
  }
  const raw = inetSocket(hosts[0]!, 'SOCK_RAW', 1).socket!
  expect(raw.sendTo(echoRequest(1, 1), inet('10.0.2.2'), {})).toEqual({ ok: true, value: 64 })
  sim.run(SECOND)
  expect(cables[0]!.seen).toEqual([])
})

test('a hook that changes the destination before routing changes the way', () => {
  const sim = new Simulator(1)
  const { hosts } = chain(sim, 1)
  packetHooks(hosts.find((one) => one.name === 'r1')!).add('PRE_ROUTING', {
    name: 'dnat',
    priority: -100,
    run({ host, packet }) {
      if (host.name === 'r1' && formatIpv4(packet.dst) === '10.0.1.2') packet.dst = parseIpv4('10.0.2.2')!
      return NF_ACCEPT
    },
  })
  const raw = inetSocket(hosts[0]!, 'SOCK_RAW', 1).socket!
  raw.sendTo(echoRequest(1, 1), inet('10.0.1.2'), {})
  sim.run(SECOND)
  const got = raw.receive(1500, {})
  expect(got.ok && got.value.from).toEqual(inet('10.0.2.2'))
})

test('the trace tells a packet’s way through a host', () => {
  const sim = new Simulator(1)
  const { hosts } = chain(sim, 1)
  const steps: string[] = []
  const stop = ipTrace(hosts[1]!).listen((event) => {
    const more = event.kind === 'drop' ? event.reason : event.kind === 'route' ? event.route?.device.name : ''
    steps.push(`${event.kind} ${more}`.trim())
  })
  const raw = inetSocket(hosts[0]!, 'SOCK_RAW', 1).socket!
  raw.setOption('IPPROTO_IP', 'IP_TTL', 1)
  raw.sendTo(echoRequest(1, 1), inet('10.0.2.2'), {})
  sim.run(SECOND)
  expect(steps).toEqual(['receive', 'route eth1', 'output', 'drop IP_INHDR'])
  stop()
  raw.sendTo(echoRequest(1, 1), inet('10.0.2.2'), {})
  sim.run(2 * SECOND)
  expect(steps).toHaveLength(4)
})

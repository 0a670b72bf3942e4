import { expect, test } from 'vitest'
import { Simulator } from '#base/sim'
import { formatIpv4, parseIpv4 } from '#wire/inet'
import { flowOf } from './fib.ts'
import { emptyResult, fibLookup } from './fib-lookup.ts'
import { addRoute, inetImage } from './ip-testing.ts'
import type { RuleFields } from './netlink.ts'
import { addRule, deleteRule, dumpRules } from './rules.ts'
import { TestCable, testCard, testHost } from './testing.ts'

function host() {
  const sim = new Simulator(1)
  const image = inetImage()
  const a = testHost(sim, 'a', image)
  const eth0 = testCard(a, 'eth0', 0x020000000100, '10.0.0.1/24')
  new TestCable(sim, eth0, testCard(testHost(sim, 'b', image), 'eth0', 0x020000000200, '10.0.0.2/24'))
  sim.run(2e9)
  addRoute(a, '0.0.0.0/0', '10.0.0.2')
  addRoute(a, '0.0.0.0/0', '10.0.0.3', { table: 100 })
  return a
}

const v4 = (fields: Omit<RuleFields, 'family'>): RuleFields => ({ family: 'AF_INET', ...fields })

function gateway(on: ReturnType<typeof host>, flow: Parameters<typeof flowOf>[0]): string {
  const result = emptyResult()
  const error = fibLookup(on, flowOf({ dst: parseIpv4('8.8.8.8')!, ...flow }), result)
  return error ?? formatIpv4(result.nextHop!.gateway)
}

test('three rules stand there from the beginning', () => {
  expect(dumpRules(host()).map(({ priority, table }) => [priority, table])).toEqual([
    [0, 255],
    [32766, 254],
    [32767, 253],
  ])
})

const selectors: [string, Omit<RuleFields, 'family'>, Parameters<typeof flowOf>[0], Parameters<typeof flowOf>[0]][] = [
  ['from', { src: parseIpv4('10.0.0.0')!, srcPrefix: 24 }, { src: parseIpv4('10.0.0.9')! }, { src: 1 }],
  ['to', { dst: parseIpv4('8.8.0.0')!, dstPrefix: 16 }, {}, { dst: parseIpv4('9.9.9.9')! }],
  ['tos', { tos: 0x10 }, { tos: 0x10 }, { tos: 8 }],
  ['iif', { iif: 'eth0' }, { iif: 2 }, { iif: 1 }],
  ['oif', { oif: 'eth0' }, { oif: 2 }, {}],
  ['fwmark', { fwmark: 5 }, { mark: 5 }, { mark: 7 }],
  ['fwmark with a mask', { fwmark: 1, fwmask: 1 }, { mark: 7 }, { mark: 6 }],
  ['ipproto', { ipProtocol: 17 }, { protocol: 17 }, { protocol: 6 }],
  ['dport', { destinationPorts: [53, 60] }, { dstPort: 55 }, { dstPort: 61 }],
  ['uidrange', { uidRange: [1000, 2000] }, { uid: 1500 }, { uid: 0 }],
  ['not', { fwmark: 5, invert: true }, { mark: 7 }, { mark: 5 }],
]
test.each(selectors)('%s selects', (_name, fields, hit, miss) => {
  const a = host()
  expect(addRule(a, v4({ table: 100, priority: 100, ...fields }), { exclusive: true })).toBeUndefined()
  expect(gateway(a, hit)).toBe('10.0.0.3')
  expect(gateway(a, miss)).toBe('10.0.0.2')
})

test.each([
  ['blackhole', 'EINVAL'],
  ['unreachable', 'ENETUNREACH'],
  ['prohibit', 'EACCES'],
] as const)('%s answers %s', (action, errno) => {
  const a = host()
  addRule(a, v4({ action, priority: 100 }), {})
  expect(gateway(a, {})).toBe(errno)
})

test('goto jumps over, waits for its target, and never back', () => {
  const a = host()
  expect(addRule(a, v4({ goto: 300, priority: 100 }), {})).toBeUndefined()
  addRule(a, v4({ action: 'prohibit', priority: 200 }), {})
  expect(dumpRules(a)[1]).toMatchObject({ action: 'goto', goto: 300, unresolved: true })
  expect(gateway(a, {})).toBe('EACCES')
  addRule(a, v4({ table: 100, priority: 300 }), {})
  expect(gateway(a, {})).toBe('10.0.0.3')
  expect(addRule(a, v4({ goto: 50, priority: 100 }), {})).toMatchObject({ extack: 'Backward goto not supported' })
  deleteRule(a, v4({ priority: 300 }))
  expect(gateway(a, {})).toBe('EACCES')
})

test('suppress_prefixlength refuses the default route of a table', () => {
  const a = host()
  addRule(a, v4({ table: 254, priority: 100, suppressPrefixLength: 0 }), {})
  addRule(a, v4({ table: 100, priority: 200 }), {})
  expect(gateway(a, {})).toBe('10.0.0.3')
  expect(gateway(a, { dst: parseIpv4('10.0.0.7')! })).toBe('0.0.0.0')
})

test('a rule without a priority comes before the one before it; equal ones are refused; what isn’t there is not deleted', () => {
  const a = host()
  addRule(a, v4({ table: 100 }), { exclusive: true })
  addRule(a, v4({ table: 101 }), { exclusive: true })
  expect(dumpRules(a).map(({ priority }) => priority)).toEqual([0, 32764, 32765, 32766, 32767])
  expect(addRule(a, v4({ table: 101, priority: 32764 }), { exclusive: true })).toEqual({ ok: false, errno: 'EEXIST' })
  expect(deleteRule(a, v4({ table: 7 }))).toEqual({ ok: false, errno: 'ENOENT' })
  expect(deleteRule(a, v4({ table: 100 }))).toBeUndefined()
})

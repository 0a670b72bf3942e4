import { expect, test } from 'vitest'
import { parseLab } from '#lab/plan'
import { advertisement, Lanes, thinned } from './lanes.ts'
import type { LabEvent } from './protocol.ts'
import { Recording } from './recording.ts'

const bytes = (hex: string) =>
  Uint8Array.from(hex.replace(/\s/gu, '').match(/../gu) ?? [], (pair) => Number.parseInt(pair, 16))

const ETHERNET = '01005e000012 020000000200 0800'
const ip = (protocol: string, more: { ihl?: string; fragment?: string; options?: string } = {}) =>
  `4${more.ihl ?? '5'}c00028 0000${more.fragment ?? '0000'} ff${protocol}0000 0a000002 e0000012 ${more.options ?? ''}`
const VRRP2 = '2133960100011f43 0a000001 0000000000000000'
const VRRP3 = '3133640100642d11 0a000001'
const HEARTBEAT = '04d2 02b6 0010 0000 3e3e3e0a743d7374'
const frame = (payload: string, protocol = '70', more = {}) => bytes(ETHERNET + ip(protocol, more) + payload)

test.each([
  ['VRRP, version 2', frame(VRRP2), { kind: 'vrrp', title: 'VRRP 51, priority 150' }],
  ['VRRP, version 3', frame(VRRP3), { kind: 'vrrp', title: 'VRRP 51, priority 100' }],
  ['a farewell', frame(VRRP2.replace('96', '00')), { kind: 'goodbye', title: 'VRRP 51, priority 0' }],
  ['behind options', frame(VRRP2, '70', { ihl: '6', options: '94040000' }), { kind: 'vrrp' }],
  ['authenticated', frame(`7004000000000000 00000001 ${'ab'.repeat(12)} ${VRRP2}`, '33'), { kind: 'vrrp' }],
  ['heartbeat', frame(HEARTBEAT, '11'), { kind: 'heartbeat', title: 'heartbeat' }],
])('%s', (_what, of, found) => {
  expect(advertisement(of)).toMatchObject(found)
})

test.each([
  ['another type of VRRP', frame(VRRP2.replace('21', '22'))],
  ['a name server', frame(HEARTBEAT.replace('02b6', '0035'), '11')],
  ['TCP to the same port', frame(HEARTBEAT, '06')],
  ['the rest of a datagram', frame(HEARTBEAT, '11', { fragment: '00b9' })],
  ['ARP', bytes('ffffffffffff 020000000100 0806 0001 0800 06 04 0001'.padEnd(120, '0'))],
  ['no IPv4', frame(VRRP2).map((byte, at) => (at === 14 ? 0x65 : byte))],
])('%s advertises nothing', (_what, of) => {
  expect(advertisement(of)).toBeUndefined()
})

test('whatever is cut is read within its bounds', () => {
  for (const whole of [frame(VRRP2), frame(HEARTBEAT, '11'), frame(`7004${'00'.repeat(22)}${VRRP2}`, '33')]) {
    for (let length = 0; length < 34 + 8; length++) expect(advertisement(whole.slice(0, length))).toBeUndefined()
  }
})

test('of ticks in a heap few are left, but every farewell', () => {
  const ticks = Array.from({ length: 10_000 }, (_, i) => ({
    showMs: i,
    kind: i % 2_500 === 1 ? ('goodbye' as const) : ('vrrp' as const),
    title: '',
  }))
  const few = thinned(ticks, 100)
  expect(few.filter(({ kind }) => kind === 'goodbye')).toHaveLength(4)
  expect(few.length).toBeLessThan(110)
  expect(thinned(ticks, 0)).toEqual(ticks)
})

const { plan } = parseLab(
  `networks: { lan: {} }
hosts:
  client: { eth0: lan 10.0.0.9/24 }
  left: { eth0: lan 10.0.0.2/24 }
  right: { eth0: lan 10.0.0.3/24 }`,
  'x.lab.yaml',
)
const SECOND = 1e9

function recorded(events: LabEvent[]) {
  const recording = new Recording()
  for (const event of events) recording.append(event)
  const lanes = new Lanes(recording, plan)
  return { recording, lanes, now: () => lanes.by(recording.endMs) }
}
const advert = (id: number, s: number, host: string): LabEvent => ({
  type: 'frame',
  id,
  atNs: s * SECOND,
  network: 'lan',
  from: { host, interface: 'eth0' },
  bytes: frame(VRRP2),
})
const addresses = (s: number, host: string, ...held: string[]): LabEvent => ({
  type: 'inside',
  atNs: s * SECOND,
  host,
  view: 'addresses',
  columns: ['Device', 'Address', 'State'],
  rows: held.map((address) => ({ key: `eth0 ${address}`, cells: ['eth0', address, 'UP'] })),
})
const power = (s: number, host: string, on: boolean): LabEvent => ({ type: 'power', atNs: s * SECOND, host, on })
const cable = (s: number, host: string, up: boolean): LabEvent => ({
  type: 'link',
  atNs: s * SECOND,
  end: { host, interface: 'eth0' },
  up,
})

test('nobody has a lane until somebody speaks; then those who have something to show', () => {
  const { recording, lanes, now } = recorded([power(1, 'client', false), addresses(1, 'right', '10.0.0.1/24')])
  expect(now()).toEqual([])
  recording.append(advert(0, 2, 'left'))
  expect(now().map(({ host, ticks }) => [host, ticks.length])).toEqual([
    ['client', 0],
    ['left', 1],
    ['right', 0],
  ])
  expect(lanes.by(recording.frames[0]!.showMs - 1)).toEqual([])
})

test('frames that come later are read when they are asked for', () => {
  const { recording, lanes, now } = recorded([advert(0, 1, 'left')])
  expect(now()[0]!.ticks).toHaveLength(1)
  recording.append(advert(1, 2, 'left'))
  recording.append(advert(2, 3, 'left'))
  expect(now()[0]!.ticks).toHaveLength(3)
  expect(lanes.by(recording.frames[1]!.showMs)[0]!.ticks).toHaveLength(2)
})

test('an address moves from one to the other; those of the plan are no news', () => {
  const { recording, now } = recorded([
    addresses(0, 'left', '127.0.0.1/8', '10.0.0.2/24'),
    advert(0, 1, 'left'),
    addresses(1, 'left', '127.0.0.1/8', '10.0.0.2/24', '10.0.0.1/24'),
    advert(1, 5, 'right'),
    addresses(5, 'left', '127.0.0.1/8', '10.0.0.2/24'),
    addresses(5, 'right', '10.0.0.3/24', '10.0.0.1/24'),
  ])
  const [left, right] = now().map(({ bars }) => bars)
  expect(left).toMatchObject([{ kind: 'address', label: '10.0.0.1' }])
  expect(right).toMatchObject([{ kind: 'address', label: '10.0.0.1', untilMs: recording.endMs }])
  expect(left![0]!.untilMs).toBe(right![0]!.fromMs)
  expect(left![0]!.untilMs).toBeGreaterThan(left![0]!.fromMs)
})

test('two addresses at once have a row each, and a row that is free is taken again', () => {
  const { now } = recorded([
    advert(0, 0, 'left'),
    addresses(1, 'left', '10.0.0.100/32', '10.0.0.101/32'),
    addresses(2, 'left', '10.0.0.101/32'),
    addresses(3, 'left', '10.0.0.101/32', '10.0.0.102/32'),
  ])
  expect(now()[0]!.bars.map(({ label, row }) => [label, row])).toEqual([
    ['10.0.0.100', 0],
    ['10.0.0.101', 1],
    ['10.0.0.102', 0],
  ])
})

test('power and cables: from when to when; who has no power holds no address', () => {
  const { recording, now } = recorded([
    advert(0, 0, 'left'),
    addresses(1, 'left', '10.0.0.1/24'),
    power(2, 'left', false),
    power(3, 'left', true),
    cable(4, 'left', false),
    cable(5, 'left', true),
    cable(6, 'left', false),
    power(7, 'right', false),
  ])
  const [left, right] = now().map(({ bars }) => bars)
  const at = recording.marks.map(({ showMs }) => showMs)
  expect(left!.map(({ kind, fromMs, untilMs }) => [kind, fromMs, untilMs])).toEqual([
    ['address', expect.any(Number), at[0]],
    ['off', at[0], at[1]],
    ['unplugged', at[2], at[3]],
    ['unplugged', at[4], recording.endMs],
  ])
  expect(right).toMatchObject([{ kind: 'off', fromMs: at[5], untilMs: recording.endMs }])
})

import { expect, test } from 'vitest'
import { formatTime, summarise } from './summary.ts'

const bytes = (hex: string) =>
  Uint8Array.from(hex.replace(/\s/gu, '').match(/../gu) ?? [], (pair) => Number.parseInt(pair, 16))
const ARP = (operation: string, sender: string, target: string) =>
  bytes(`ffffffffffff 020000000100 0806 0001 0800 06 04 ${operation} 020000000100 ${sender} 000000000000 ${target}`)

test.each([
  ['0001', '0a000001', '0a000002', 'who has 10.0.0.2? tell 10.0.0.1'],
  ['0001', '00000000', '0a000002', 'who has 10.0.0.2? tell whoever probes'],
  ['0001', '0a000001', '0a000001', '10.0.0.1 announces itself'],
  ['0002', '0a000001', '0a000002', '10.0.0.1 is at 02:00:00:00:01:00'],
])('ARP %s from %s', (operation, sender, target, text) => {
  expect(summarise(ARP(operation, sender, target))).toMatchObject({ protocol: 'arp', name: 'ARP', text })
})

test('bytes that are nothing have a summary too', () => {
  for (const length of [0, 1, 13, 14, 20, 60]) {
    expect(summarise(new Uint8Array(length).fill(0xff)).protocol).toBe('other')
  }
})

test('time to the microsecond, in groups', () => {
  expect(formatTime(0)).toBe('0.000\u2009000')
  expect(formatTime(61_300_010_999)).toBe('61.300\u2009010')
})

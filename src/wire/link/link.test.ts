import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import {
  emitArp,
  emitEthernet,
  formatMac,
  isGroupMac,
  MAC_BROADCAST,
  parseArp,
  parseEthernet,
  parseMac,
} from './index.ts'

test('MAC addresses', () => {
  expect(parseMac('02:00:00:00:01:0a')).toBe(0x02000000010a)
  expect(parseMac('2:0:0:0:1:A')).toBe(0x02000000010a)
  expect(formatMac(0x02000000010a)).toBe('02:00:00:00:01:0a')
  expect(formatMac(MAC_BROADCAST)).toBe('ff:ff:ff:ff:ff:ff')
  for (const wrong of [
    '',
    '02:00:00:00:01',
    '02:00:00:00:01:00:00',
    '02:00:00:00:01:0g',
    '002:0:0:0:0:0',
    '02-00-00-00-01-00',
  ])
    expect(parseMac(wrong)).toBeUndefined()
  expect(isGroupMac(MAC_BROADCAST)).toBe(true)
  expect(isGroupMac(0x01005e000001)).toBe(true)
  expect(isGroupMac(0x020000000001)).toBe(false)
})

const HEADER = [0, 1, 8, 0, 6, 4]

test('arp: no bytes throw, and what parses is emitted unchanged', () => {
  forSeeds(10_000, (random) => {
    const bytes = random.bytes(random.below(64))
    if (random.below(2) === 0) bytes.set(HEADER.slice(0, bytes.length)) // Half are nearly ARP.
    const packet = parseArp(bytes)
    if (packet) expect(Buffer.compare(emitArp(packet), bytes.subarray(0, 28))).toBe(0)
  })
})

test('ethernet: no bytes throw, and what parses is emitted unchanged', () => {
  forSeeds(5_000, (random) => {
    const bytes = random.bytes(random.below(40))
    for (let at = 12; at + 1 < bytes.length && random.below(2) === 0; at += 4) bytes.set([0x81, 0], at)
    const header = parseEthernet(bytes)
    if (!header) expect(bytes.length).toBeLessThan(14)
    else expect(Buffer.compare(emitEthernet(header), bytes.subarray(0, header.end))).toBe(0)
  })
})

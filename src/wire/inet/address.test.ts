import { expect, test } from 'vitest'
import {
  broadcastOf,
  formatIpv4,
  inPrefix,
  isMulticastIpv4,
  maskOf,
  parseIpv4,
  parseIpv4Loose,
  parsePrefix,
  prefixOf,
} from './index.ts'

test('dotted quads, strictly and as inet_aton takes them', () => {
  expect(parseIpv4('10.0.0.1')).toBe(0x0a000001)
  expect(parseIpv4('255.255.255.255')).toBe(0xffffffff)
  for (const wrong of ['', '10.0.0', '10.0.0.256', '10.0.0.01', '10.0.0.1.1', ' 10.0.0.1', '10.0.0.0x1', '1e1.0.0.0'])
    expect(parseIpv4(wrong), wrong).toBeUndefined()
  expect(parseIpv4Loose('10.1')).toBe(0x0a000001)
  expect(parseIpv4Loose('10.0.258')).toBe(0x0a000102)
  expect(parseIpv4Loose('0x0a000001')).toBe(0x0a000001)
  expect(parseIpv4Loose('012.0.0.1')).toBe(0x0a000001)
  expect(parseIpv4Loose('4294967295')).toBe(0xffffffff)
  for (const wrong of ['4294967296', '10.0.0.256', '256.1', '08', '10..1', '1.2.3.4.5', 'a'])
    expect(parseIpv4Loose(wrong), wrong).toBeUndefined()
  expect(formatIpv4(0xc0a80114)).toBe('192.168.1.20')
})

test('prefixes', () => {
  expect([0, 1, 8, 31, 32].map(maskOf)).toEqual([0, 0x80000000, 0xff000000, 0xfffffffe, 0xffffffff])
  for (let prefix = 0; prefix <= 32; prefix++) expect(prefixOf(maskOf(prefix))).toBe(prefix)
  expect(prefixOf(0xff00ff00)).toBeUndefined()
  expect(parsePrefix('10.0.0.1/24')).toEqual({ address: 0x0a000001, prefix: 24 })
  expect(parsePrefix('10.0.0.1')).toEqual({ address: 0x0a000001, prefix: 32 })
  for (const wrong of ['10.0.0.1/33', '10.0.0.1/', '10.0.0.1/-1', '10/8']) expect(parsePrefix(wrong)).toBeUndefined()
  expect(inPrefix(0xc0a80114, 0xc0a80100, 24)).toBe(true)
  expect(inPrefix(0xc0a80214, 0xc0a80100, 24)).toBe(false)
  expect(inPrefix(0xc0a80214, 0, 0)).toBe(true)
  expect(inPrefix(1, 1, 32)).toBe(true)
  expect(broadcastOf(0x0a000001, 24)).toBe(0x0a0000ff)
  expect(isMulticastIpv4(0xe0000001)).toBe(true)
})

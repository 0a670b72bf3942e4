import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { commonBits, eui64, formatIpv6, ipv6, parseIpv6, prefixIpv6, solicitedNode } from './index.ts'

test('texts, as inet_pton and inet_ntop of glibc 2.36 have them', () => {
  for (const [text, shown] of [
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['fe80::', 'fe80::'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['::10.0.0.1', '::10.0.0.1'],
    ['::ffff:0:10.0.0.1', '::ffff:0:a00:1'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['ff02::1:ff00:1', 'ff02::1:ff00:1'],
  ] as const) {
    expect(formatIpv6(parseIpv6(text)!)).toBe(shown)
  }
  for (const wrong of [
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    '::1.2.3',
    'fe80::1%eth0',
    'g::',
  ])
    expect(parseIpv6(wrong)).toBeUndefined()
})

test('one object for each address', () => {
  expect(parseIpv6('2001:db8::1')).toBe(ipv6(0x20010db8, 0, 0, 1))
  forSeeds(500, (random) => {
    const words = [0, 1, 2, 3].map(() => (random.below(3) === 0 ? 0 : random.below(2 ** 32)))
    const address = ipv6(words[0]!, words[1]!, words[2]!, words[3]!)
    expect(parseIpv6(formatIpv6(address))).toBe(address)
  })
})

test('a flood of addresses is not kept', () => {
  let last = ipv6(1, 2, 3, 4)
  for (let i = 0; i < 100_000; i++) last = ipv6(0x20010db8, 7, 7, i)
  expect(ipv6(0x20010db8, 7, 7, 99_999)).toBe(last)
  expect(ipv6(0x20010db8, 7, 7, 5)).toBe(ipv6(0x20010db8, 7, 7, 5))
})

test('prefixes, groups, identifiers', () => {
  const address = parseIpv6('2001:db8:1:2:3:4:5:6')!
  expect(formatIpv6(prefixIpv6(address, 64))).toBe('2001:db8:1:2::')
  expect(formatIpv6(prefixIpv6(address, 35))).toBe('2001:db8::')
  expect(commonBits(address, parseIpv6('2001:db8:1:3::')!)).toBe(63)
  expect(formatIpv6(solicitedNode(address))).toBe('ff02::1:ff05:6')
  const { w2, w3 } = eui64(0x020000000100)
  expect(formatIpv6(ipv6(0xfe800000, 0, w2, w3))).toBe('fe80::ff:fe00:100')
})

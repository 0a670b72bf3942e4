import { expect, test } from 'vitest'
import { formatCounter } from './format.ts'
import { readRules } from './restore.ts'
import { COMMAND_TAGS, OPTIONS, TABLE } from './rules.ts'
import { compareAddresses, compareServices, mergeSort } from './sort.ts'

const service = (fwmark: number, addr: number, port: number, protocol = 6) => ({ fwmark, af: 2, protocol, addr, port })

test('counters: nine columns, then thousands, unless exact', () => {
  expect(formatCounter(0, false)).toBe('        0')
  expect(formatCounter(99_999_999, false)).toBe(' 99999999')
  expect(formatCounter(100_000_000, false)).toBe('  100000K')
  expect(formatCounter(999_999_999, false)).toBe('  999999K')
  expect(formatCounter(1_000_000_000, false)).toBe('    1000M')
  expect(formatCounter(1e11, false)).toBe('     100G')
  expect(formatCounter(1e14, false)).toBe('     100T')
  expect(formatCounter(12_345_678, true)).toBe(' 12345678')
  expect(formatCounter(123_456_789, true)).toBe(' 123456789')
})

test('services: by mark, protocol, address and port, as differences of 32 bits', () => {
  const list = [
    service(0, 0x0a000001, 80),
    service(7, 0, 0),
    service(0, 0xe0000001, 80),
    service(0, 0x0a000001, 80, 17),
    service(0, 0x0a000001, 8),
    service(4_000_000_000, 0, 0),
    service(0, 0x0a000001, 80, 132),
  ]
  const sorted = mergeSort(list, compareServices).map(
    (one) => `${one.fwmark} ${one.protocol} ${one.addr >>> 24} ${one.port}`,
  )
  expect(sorted).toEqual([
    '4000000000 6 0 0',
    '0 6 224 80',
    '0 6 10 8',
    '0 6 10 80',
    '0 17 10 80',
    '0 132 10 80',
    '7 6 0 0',
  ])
})

test('sorting is stable, and does with an inconsistent comparison what a merge sort does', () => {
  const three = [0, 0x60000000, 0xc0000000].map((addr, port) => ({ af: 2, addr, port }))
  // Each comes before the next one, and the last before the first.
  expect(three.map((one, i) => Math.sign(compareAddresses(one, three[(i + 1) % 3]!)))).toEqual([-1, -1, -1])
  expect(mergeSort(three, compareAddresses).map(({ port }) => port)).toEqual([0, 1, 2])
  const turned = [three[2]!, three[0]!, three[1]!]
  expect(mergeSort(turned, compareAddresses).map(({ port }) => port)).toEqual([2, 0, 1])
})

test('rules: words of lines; two blanks at the end of a file lose its last line', () => {
  expect(readRules('-A -t a\n\n  \t\n ipvsadm -C ipvsadm\r\n')).toEqual([['-A', '-t', 'a'], ['-C']])
  expect(readRules('-A\n-C ')).toEqual([['-A'], ['-C']])
  expect(readRules('-A\n-C  ')).toEqual([['-A']])
  expect(readRules('-A\n-C')).toEqual([['-A'], ['-C']])
  expect(readRules('')).toEqual([])
})

test('every option has a name to complain with, and every command a letter or a word', () => {
  expect(new Set(OPTIONS).size).toBe(34)
  for (const tag of Object.keys(COMMAND_TAGS)) expect(TABLE.some((option) => option.tag === tag)).toBe(true)
})

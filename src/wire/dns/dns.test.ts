import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { canonicalName, dnsQuery, emitDns, formatDnsData, labelsOf, parseDns, parseName, reverseName } from './index.ts'

const bytesOf = (hex: string) =>
  Uint8Array.from(hex.replaceAll(' ', '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

test('a query is as glibc sends it, and an answer as dnsmasq does', () => {
  const query = emitDns(dnsQuery(0x1234, 'web.lab.', 1))
  expect(query).toEqual(bytesOf('1234 0100 0001 0000 0000 0000 03 776562 03 6c6162 00 0001 0001'))
  const answer = parseDns(
    bytesOf('1234 8580 0001 0001 0000 0000 03776562036c616200 0001 0001 c00c 0001 0001 00000000 0004 0a000002'),
  )
  expect(answer?.answers).toEqual([
    { name: 'web.lab.', type: 1, class: 1, ttl: 0, data: { kind: 'a', address: 0x0a000002 } },
  ])
  expect(formatDnsData(answer!.answers[0]!.data)).toBe('10.0.0.2')
})

test('names', () => {
  expect(labelsOf('a..b')).toBeUndefined()
  expect(labelsOf(`${'a'.repeat(64)}.`)).toBeUndefined()
  expect(labelsOf('a\\.b.c.')?.length).toBe(2)
  expect(canonicalName('WWW.Example')).toBe('www.example.')
  expect(reverseName(0x0a000001)).toBe('1.0.0.10.in-addr.arpa.')
  expect(parseName(bytesOf('c000'), 0)).toBeUndefined() // Leads to itself.
  expect(parseName(bytesOf('0161c000'), 0)).toBeUndefined()
})

test('no bytes throw, and what parses is emitted so that it parses alike', () => {
  forSeeds(3000, (random) => {
    let bytes = random.bytes(random.below(80))
    if (random.below(3) > 0) {
      // Nearly a message: few records, names that point about.
      bytes = emitDns(dnsQuery(random.below(65536), 'a.b.example.', [1, 2, 6, 15, 16, 28, 33, 257][random.below(8)]!))
      const more = new Uint8Array(bytes.length + 40)
      more.set(bytes)
      more.set(bytesOf('c00c 000f 0001 0000 0e10 0009 000a 046d61696c c00e'), bytes.length)
      more[7] = random.below(3)
      for (let i = random.below(4); i > 0; i--) more[random.below(more.length)] = random.below(256)
      bytes = more.slice(0, bytes.length + 21 - random.below(3))
    }
    const parsed = parseDns(bytes)
    if (parsed) expect(parseDns(emitDns(parsed))).toEqual(parsed)
  })
})

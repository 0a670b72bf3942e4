import { expect, test } from 'vitest'
import { LINKTYPE_ETHERNET } from '#wire/pcap'
import { FrameFormatter } from './format.ts'

const NONE = { host: () => undefined, host6: () => undefined, port: () => undefined, interface: () => undefined }
const OPTIONS = {
  ...{ linkType: LINKTYPE_ETHERNET, link: false, verbose: 0, quiet: false, numeric: true, absolute: false },
  ...{
    noChecksums: false,
    hasDump: false,
    stamps: 1,
    nanosecond: false,
    numbers: false,
    hex: 0,
    hexAscii: 0,
    ascii: 0,
  },
}
const word = (value: number) => [(value >>> 8) & 255, value & 255]

/** What is printed of a DNS message in a UDP datagram. */
function printed(message: number[], verbose = 0): string {
  const udp = [...word(40000), ...word(53), ...word(message.length + 8), 0, 0, ...message]
  const ip = [0x45, 0, ...word(udp.length + 20), 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
  const bytes = Uint8Array.from([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, ...ip, ...udp])
  const line = new FrameFormatter({ ...OPTIONS, verbose }, NONE).format({ s: 0, ns: 0, bytes, length: bytes.length })
  return line.slice(line.indexOf('.53: ') + 5, -1)
}

const QUERY = [...word(7), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]

test('pointers that lead nowhere or in circles end the line, as with tcpdump', () => {
  expect(printed([...QUERY, 1, 0x61, 0xc0, 12, 0, 1, 0, 1])).toBe('7+ A? a.<BAD PTR> [|domain]')
  expect(printed([...QUERY, 0xc0, 12, 0, 1, 0, 1])).toBe('7+ A? <BAD PTR> [|domain]')
  expect(printed([...QUERY, 0xc0, 200, 0, 1, 0, 1])).toBe('7+ A? <BAD PTR> [|domain]')
  expect(printed(QUERY)).toBe('7+ [|domain]')
})

test('a name is too long from its 256th character on', () => {
  const label = [63, ...Array(63).fill(0x61)]
  const text = printed([...QUERY, ...label, ...label, ...label, ...label, ...label, 0, 0, 1, 0, 1])
  expect(text).toBe(`7+ A? ${`${'a'.repeat(63)}.`.repeat(4)}<DOMAIN NAME TOO LONG> (${12 + 320 + 5})`)
})

test('a ladder of pointers is followed only so far', () => {
  const start = QUERY.length + 11
  const ladder = [0, 0]
  for (let at = start + 2; at < 16_000; at += 2) ladder.push(...word(0xc000 | (at === start + 2 ? start : at - 2)))
  const top = start + ladder.length - 2
  const record = (data: number[]) => [0, ...word(16), 0, 1, 0, 0, 0, 0, ...word(data.length), ...data]
  const names = Array.from({ length: 3000 }, () => [...word(0xc000 | top), ...word(10), 0, 1, 0, 0, 0, 0, 0, 0]).flat()
  const query = [...word(7), 0x81, 0x80, 0, 0, ...word(3001), 0, 0, 0, 0]
  expect(printed([...query, ...record(ladder), ...names], 1)).toMatch(/ 3001\/0\/0 \. TXT .* \[\|domain\]$/)
})

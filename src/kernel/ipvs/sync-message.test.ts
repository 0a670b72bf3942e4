/** Messages that real masters sent, read and written again; and what can't be read. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  emitConn,
  emitHeader,
  HEADER_V0,
  HEADER_V1,
  lengthOf,
  parseSyncMessage,
  type SyncConn,
} from './sync-message.ts'
import { AF_INET, AF_INET6, IP_VS_CONN_F_IN_SEQ, IP_VS_CONN_F_ONE_PACKET, IP_VS_CONN_F_TEMPLATE } from './uapi.ts'

/** Payloads by the case that made them. */
const RECORDED = readFileSync(new URL('golden/sync.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' ') as [string, string])

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function emit(version: number, syncId: number, conns: readonly SyncConn[]): Uint8Array {
  const bytes = new Uint8Array(4096)
  emitHeader(bytes, version, syncId)
  let at = version === 0 ? HEADER_V0 : HEADER_V1
  for (const conn of conns) at = emitConn(bytes, at, conn, version)
  return bytes.slice(0, at)
}

describe('recorded messages', () => {
  test.each(RECORDED)('%s %s', (_, hex) => {
    const message = parseSyncMessage(bytesOf(hex))!
    expect(message.dropped).toBeUndefined()
    expect(message.conns.length).toBeGreaterThan(0)
    expect(hexOf(emit(message.version, message.syncId, message.conns))).toBe(hex)
  })

  test('they hold both versions, both families, templates, marks and numbers that are moved', () => {
    const messages = RECORDED.map(([, hex]) => parseSyncMessage(bytesOf(hex))!)
    const conns = messages.flatMap((message) => message.conns)
    expect(new Set(messages.map(({ version }) => version))).toEqual(new Set([0, 1]))
    expect(new Set(conns.map(({ af }) => af))).toEqual(new Set([AF_INET, AF_INET6]))
    expect(conns.some(({ flags }) => flags & IP_VS_CONN_F_TEMPLATE)).toBe(true)
    expect(conns.some(({ fwmark }) => fwmark === 5)).toBe(true)
  })
})

const CONN: SyncConn = {
  af: AF_INET,
  protocol: 6,
  flags: 0,
  state: 1,
  caddr: 0x0a000001,
  cport: 5001,
  vaddr: 0x0a000064,
  vport: 80,
  daddr: 0x0a000103,
  dport: 80,
  fwmark: 0,
  timeout: 900,
}
const SEQS = {
  in: { initSeq: 0x01020304, delta: 5, previousDelta: 6 },
  out: { initSeq: 0xfffffffe, delta: 0xfffffffd, previousDelta: 1 },
}

test('options: numbers in network order, an engine’s data; what follows begins at a multiple of four', () => {
  const moved = { ...CONN, flags: IP_VS_CONN_F_IN_SEQ, seqs: SEQS }
  const called = { ...CONN, pe: { name: 'sip', data: Uint8Array.from([1, 2, 3]) } }
  const bytes = emit(1, 3, [moved, called, CONN])
  expect(lengthOf(moved, 1)).toBe(36 + 26)
  expect(lengthOf(called, 1)).toBe(36 + 5 + 5)
  expect(bytes.length).toBe(8 + 64 + 48 + 36)
  expect(hexOf(bytes.subarray(8 + 36, 8 + 36 + 28))).toBe('0118010203040000000500000006fffffffefffffffd000000010000')
  expect(hexOf(bytes.subarray(72 + 36, 72 + 48))).toBe('020301020303037369700000')
  const read = parseSyncMessage(bytes)!
  expect(read.conns).toEqual([moved, called, CONN])
})

test('version 0: numbers in the order of the machine', () => {
  const moved = { ...CONN, flags: IP_VS_CONN_F_IN_SEQ, seqs: SEQS, timeout: 0 }
  const bytes = emit(0, 3, [moved])
  expect(bytes.length).toBe(4 + 48)
  expect(hexOf(bytes.subarray(28, 36))).toBe('0403020105000000')
  expect(parseSyncMessage(bytes)!.conns).toEqual([moved])
})

describe('what can’t be read', () => {
  const good = emit(1, 0, [CONN])
  const changed = (change: (bytes: Uint8Array) => void, length = good.length) => {
    const bytes = new Uint8Array(length)
    bytes.set(good.subarray(0, length))
    new DataView(bytes.buffer).setUint16(2, length)
    change(bytes)
    return parseSyncMessage(bytes)
  }

  test('too short, or of another length than it says', () => {
    expect(parseSyncMessage(good.subarray(0, 3))).toBeUndefined()
    expect(parseSyncMessage(good.subarray(0, 20))).toBeUndefined()
  })

  test.each([
    ['fewer bytes than connections', (b: Uint8Array) => void (b[4] = 2), 'too small'],
    ['a connection longer than the rest', (b: Uint8Array) => void (b[11] = 37), 'msg > buffer'],
    ['a connection of another version', (b: Uint8Array) => void (b[10] = 0x10), 'Unknown version 1'],
    ['a kind of connection that nobody knows', (b: Uint8Array) => void (b[8] = 2), 'Err: -10 in decoding'],
    ['a connection shorter than its fields', (b: Uint8Array) => void (b[11] = 35), 'Err: -20 in decoding'],
    ['IPv6 without the bytes for it', (b: Uint8Array) => void (b[8] = 1), 'Err: -20 in decoding'],
  ])('%s', (_, change, what) => {
    const message = changed(change)!
    expect(message.conns.length).toBe(what === 'too small' ? 1 : 0)
    expect(message.dropped).toContain(what)
  })

  const withOption = (...option: number[]) =>
    changed((bytes) => {
      bytes.set(option, 44)
      bytes[11] = 36 + option.length
    }, 44 + option.length)!

  test.each([
    ['half an option', [1], -30],
    ['an option without a length', [1, 0], -40],
    ['an option longer than the rest', [1, 24, 0], -40],
    ['numbers of another length', [1, 2, 0, 0], -50],
    ['an engine’s name that is too long', [3, 17, ...new Array<number>(17).fill(65)], -70],
    ['data twice', [2, 1, 0, 2, 1, 0], -60],
  ])('%s', (_, option, error) => {
    expect(withOption(...option).dropped).toBe(`BACKUP, Dropping buffer, Err: ${error} in decoding`)
  })

  test('an unknown option passes over the connection, unless it is a mere hint', () => {
    expect(withOption(9, 1, 0)).toMatchObject({ conns: [] })
    expect(withOption(9, 1, 0).dropped).toBeUndefined()
    expect(withOption(0x49, 1, 0).conns).toHaveLength(1)
  })

  test('connections that no director tells of are passed over', () => {
    expect(parseSyncMessage(emit(1, 0, [{ ...CONN, flags: IP_VS_CONN_F_ONE_PACKET }, CONN]))!.conns).toEqual([CONN])
  })
})

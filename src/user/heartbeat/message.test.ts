/** Messages that the real one sent: read, understood, signed and made again to the byte. */

import { readFileSync } from 'node:fs'
import { md5, sha1 } from '@noble/hashes/legacy.js'
import { expect, test } from 'vitest'
import { decodeUtf8, encodeUtf8, formatHex, parseHex } from '#base/bytes'
import { forSeeds } from '#base/testing'
import { crcHex, hmacHex } from './digest.ts'
import { emitMessage, formatLines, HaMessage, parseLines, parseMessage, signedLines } from './message.ts'

const golden = readFileSync(new URL('golden/real/messages.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^(crc|md5|sha1) /.test(line))
  .map((line) => line.split(' ') as [string, string])

const token = (method: string, bytes: Uint8Array) =>
  method === 'crc' ? crcHex(bytes) : hmacHex(method === 'md5' ? md5 : sha1, 'HI!', bytes)

test('there is one of each kind', () => {
  const types = golden.map(([, hex]) => parseMessage(parseHex(hex)!)?.message.get('t'))
  for (const type of [
    'status',
    'NS_ackmsg',
    'reqnodes',
    'repnodes',
    'starting',
    'resource',
    'ip-request-resp',
    'NS_st',
  ]) {
    expect(types).toContain(type)
  }
  expect(types).not.toContain(undefined)
})

test.each(golden)('%s %s', (method, hex) => {
  const { message, payload, number, token: signed } = parseMessage(parseHex(hex)!)!
  expect(signed, 'the signature of the netstrings').toBe(token(method, payload))
  expect(message.get('auth'), 'the signature of the lines').toBe(`${number} ${token(method, signedLines(message))}`)
  expect(formatHex(emitMessage(message, (bytes) => ({ number, token: token(method, bytes) })))).toBe(hex)
})

test('digests of RFC 1321, RFC 3174 and RFC 2202', () => {
  expect(formatHex(md5(encodeUtf8('message digest')))).toBe('f96b697d7cb7938d525a2f31aaf161d0')
  expect(formatHex(sha1(encodeUtf8('abc')))).toBe('a9993e364706816aba3e25717850c26c9cd0d89d')
  expect(hmacHex(md5, 'Jefe', encodeUtf8('what do ya want for nothing?'))).toBe('750c783e6ab0b503eaa86e310a5db738')
  expect(hmacHex(sha1, 'Jefe', encodeUtf8('what do ya want for nothing?'))).toBe(
    'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79',
  )
  const long = 'k'.repeat(80)
  expect(hmacHex(md5, long, encodeUtf8('x')), 'a long key is hashed first').toBe(
    hmacHex(md5, String.fromCharCode(...md5(encodeUtf8(long))), encodeUtf8('x')),
  )
})

test('what a script writes', () => {
  const message = HaMessage.of({ t: 'ask_resources', rsc_hold: 'all', info: 'me' })
  expect(formatLines(message)).toBe('>>>\nt=ask_resources\nrsc_hold=all\ninfo=me\n<<<\n')
  expect(parseLines(formatLines(message))).toEqual(message)
  expect(parseLines('')).toBeUndefined()
  expect(parseLines('no sign\n')).toBeUndefined()
})

test('a field is changed where it stands, or comes last', () => {
  const message = HaMessage.of({ dest: 'node1', t: 'repnodes' })
  message.set('dest', 'node2')
  message.set('srcuuid', new Uint8Array(16))
  expect(message.fields.map(({ name }) => name)).toEqual(['dest', 't', 'srcuuid'])
  expect(message.get('srcuuid')).toBeUndefined()
  expect(message.bytes('srcuuid')).toHaveLength(16)
})

test('no bytes throw, and what is understood is made again', () => {
  const samples = golden.map(([, hex]) => parseHex(hex)!)
  forSeeds(3000, (random) => {
    const from = samples[random.below(samples.length)]!
    const bytes = random.below(8) === 0 ? random.bytes(random.below(80)) : from.slice(0, from.length - random.below(3))
    for (let i = random.below(4); i > 0; i--)
      if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256)
    const parsed = parseMessage(bytes)
    if (!parsed) return
    const { message, number, token: signed, payload } = parsed
    const made = emitMessage(message, () => ({ number, token: signed }))
    // Lengths may have leading zeros, which aren't made again.
    if (!/[^0-9]0[0-9]*:/.test(decodeUtf8(payload)))
      expect(formatHex(made.slice(0, payload.length))).toBe(formatHex(payload))
    signedLines(message)
    parseLines(formatLines(message))
  })
})

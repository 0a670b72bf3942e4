import { deflateSync, strToU8 } from 'fflate'
import { describe, expect, test } from 'vitest'
import { BrokenSession, decodeSession, encodeSession, type Session, sumOf } from './session.ts'

const SESSION: Session = {
  article: 'how-linux-answers-arp',
  sum: '0123abcd',
  seed: 7,
  inputs: [
    { atNs: 0, input: { type: 'run', block: 0 } },
    { atNs: 300_000_000, input: { type: 'input', host: 'client', text: 'ping -c 1 web1 # 例\r' } },
    { atNs: 400_000_000, input: { type: 'verb', line: 'unplug web1:eth0' } },
    { atNs: 400_000_000, input: { type: 'run', block: 2, commands: ['ip addr'] } },
  ],
  atNs: 2_000_000_000,
  filter: 'arp && ip.addr == 10.0.0.1',
  packet: 3,
  note: 'Look at the third packet.',
}
const raw = (value: unknown) => {
  const bytes = deflateSync(strToU8(typeof value === 'string' ? value : JSON.stringify(value)))
  return `1.${btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/u, '')}`
}

test('there and back', () => {
  const text = encodeSession(SESSION)
  expect(text).toMatch(/^1\.[A-Za-z0-9_-]+$/u)
  expect(decodeSession(text)).toEqual(SESSION)
})

describe('what isn’t a session is refused', () => {
  test.each([
    ['nothing', ''],
    ['another version', `2${encodeSession(SESSION).slice(1)}`],
    ['cut short', encodeSession(SESSION).slice(0, -9)],
    ['no base64', '1.%00'],
    ['no JSON', raw('{')],
    ['a number', raw(3)],
    ['a path', raw({ ...SESSION, article: '../../etc/passwd' })],
    ['an unknown key', raw({ ...SESSION, script: 'x' })],
    ['an unknown input', raw({ ...SESSION, inputs: [{ atNs: 0, input: { type: 'open' } }] })],
    ['a negative time', raw({ ...SESSION, atNs: -1 })],
    ['a fraction', raw({ ...SESSION, atNs: 0.5 })],
    ['out of order', raw({ ...SESSION, inputs: SESSION.inputs.toReversed() })],
    ['a moment before its past', raw({ ...SESSION, atNs: 1 })],
    [
      'a host that is none',
      raw({ ...SESSION, inputs: [{ atNs: 0, input: { type: 'input', host: '__proto__', text: '' } }] }),
    ],
    [
      'too many inputs',
      raw({ ...SESSION, atNs: 9, inputs: Array(5001).fill({ atNs: 0, input: { type: 'run', block: 0 } }) }),
    ],
    ['a bomb', raw(`{"note":"${'a'.repeat(5_000_000)}"}`)],
    ['a long text', `1.${'A'.repeat(300_000)}`],
  ])('%s', (_, text) => {
    expect(() => decodeSession(text)).toThrow(BrokenSession)
  })
})

test('a sum tells other blocks, and not where they stand', () => {
  const block = (command: string, line: number) => [{ kind: 'console', at: { line }, commands: [{ command }] }]
  expect(sumOf(block('ls', 1))).toBe(sumOf(block('ls', 9)))
  expect(sumOf(block('ls', 1))).not.toBe(sumOf(block('ps', 1)))
})

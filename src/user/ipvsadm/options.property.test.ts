/** Any words make a request or a mistake in the tool's own words, never anything else. */
import { expect, test } from 'vitest'
import type { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import type { Body, Sys } from '#kernel/core'
import { Fail } from './fail.ts'
import { type Parsed, parseCommandLine } from './options.ts'
import { readRules } from './restore.ts'
import { checkOptions, TABLE } from './rules.ts'

const VALUES = [
  '10.0.0.1:80',
  '10.0.0.2',
  '[2001:db8::1]:80',
  '::1',
  '1',
  '0',
  '-1',
  '65536',
  '4294967296',
  '',
  '=',
  'a,b',
  'sh-port',
  ']',
  '[',
]
VALUES.push(
  'master',
  'backup',
  'gue',
  'ipip',
  'rr',
  'sh',
  '224.0.0.81',
  'ff02::1',
  '9'.repeat(40),
  '--',
  '-',
  '300',
  ':',
  '255.255.255.0',
)

/** A host without files: no name is known, nor looked for anywhere else. */
const files: Record<string, string> = { '/etc/nsswitch.conf': 'hosts: files\n' }
const sys = {
  *open(path: string): Body<unknown> {
    return path in files ? { ok: true, value: path } : { ok: false, errno: 'ENOENT' }
  },
  *read(path: string): Body<unknown> {
    const text = files[path]!
    const done = read.has(path)
    if (done) read.delete(path)
    else read.add(path)
    return { ok: true, value: done ? new Uint8Array() : new TextEncoder().encode(text) }
  },
  close: () => ({ ok: true }),
  netlink: () => ({ ok: true, messages: [] }),
} as unknown as Sys
const read = new Set<string>()

function parse(words: string[]): Parsed | Fail {
  const body = parseCommandLine(sys, 'ipvsadm', words)
  try {
    const step = body.next()
    expect(step.done).toBe(true)
    return step.value as Parsed
  } catch (error) {
    if (error instanceof Fail) return error
    throw error
  }
}

function someWords(random: RandomStream): string[] {
  const pick = <T>(list: readonly T[]) => list[random.below(list.length)]!
  const words: string[] = []
  if (random.below(5) > 0)
    words.push(`-${pick(['A', 'E', 'D', 'a', 'e', 'd', 'L', 'C', 'S', 'Z', '-set', '-start-daemon'])}`)
  for (let i = random.below(8); i > 0; i--) {
    const { long, short, argument } = pick(TABLE)
    const name = short !== undefined && random.below(2) === 0 ? `-${short}` : `--${long}`
    if (random.below(8) === 0) words.push(`${name}=${pick(VALUES)}`)
    else words.push(name)
    if (argument !== undefined || random.below(6) === 0) words.push(pick(VALUES))
  }
  return words
}

test('requests are of options that go together; mistakes have a status', () => {
  const seen = { request: 0, print: 0, error: 0, fail: 0 }
  forSeeds(5000, (random) => {
    const words = someWords(random)
    const parsed = parse(words)
    if (parsed instanceof Fail) {
      seen.fail++
      expect([2, 255]).toContain(parsed.status)
      expect(parsed.message).not.toMatch(/undefined|NaN|object/)
    } else if ('request' in parsed) {
      seen.request++
      const { command, given, svc, dest } = parsed.request
      expect(checkOptions(command, given)).toBeUndefined()
      for (const number of [svc.port, dest.port, dest.tunPort]) expect(number).toBeGreaterThanOrEqual(0)
      for (const number of [svc.port, dest.port, dest.tunPort]) expect(number).toBeLessThanOrEqual(65_535)
    } else if ('print' in parsed) seen.print++
    else {
      seen.error++
      expect(parsed.status).toBe(255)
    }
  })
  if (process.env['KAIDOKU_SEED'] === undefined)
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(5)
})

test('rules: no text throws, and no word has a blank', () => {
  forSeeds(2000, (random) => {
    const letters = ['-A', 'ipvsadm', ' ', '\t', '\n', '\r', 'x', '#', '  ']
    let text = ''
    for (let i = random.below(30); i > 0; i--) text += letters[random.below(letters.length)]
    for (const words of readRules(text)) {
      expect(words.length).toBeGreaterThan(0)
      for (const word of words) expect(word).toMatch(/^[^ \t\r\n]+$/)
    }
  })
})

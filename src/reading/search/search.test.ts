import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fold, foldWithPlaces, lightUp, litExcerpt, needsLook, parseQuery, queryTokens, tokensOf } from './index.ts'

test('width, case and kana make no difference', () => {
  expect(fold('ＡＲＰ')).toBe(fold('arp'))
  expect(fold('ｻｰﾊﾞ')).toBe(fold('サーバ'))
  expect(fold('サーバ')).toBe(fold('さーば'))
})

test('a folded text knows its places', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
      const folded = foldWithPlaces(text)
      expect(folded.from).toHaveLength(folded.text.length + 1)
      expect(folded.from.at(-1)).toBe(text.length)
      for (let i = 1; i < folded.from.length; i++) expect(folded.from[i]! >= folded.from[i - 1]!).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('any part of a Japanese text, of one character or more, is found by its tokens', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...'冗長化検索サーバのルータ経路'), { minLength: 1, maxLength: 20 }),
      fc.nat(),
      fc.integer({ min: 1, max: 6 }),
      (characters, at, length) => {
        const part = characters.slice(at % characters.length, (at % characters.length) + length).join('')
        const tokens = tokensOf(characters.join(''))
        for (const { token } of queryTokens(part, true)) expect(tokens.has(token)).toBe(true)
      },
    ),
    { numRuns: 500 },
  )
  expect(needsLook('冗長')).toBe(false)
  expect(needsLook('冗長化')).toBe(true)
})

test('the language of queries', () => {
  expect(parseQuery('冗長化 -static "equal cost" tag:LVS OR site:www.Example.jp').node).toEqual({
    kind: 'or',
    of: [
      {
        kind: 'and',
        of: [
          { kind: 'text', scope: 'any', text: '冗長化', quoted: false },
          { kind: 'not', of: { kind: 'text', scope: 'any', text: 'static', quoted: false } },
          { kind: 'text', scope: 'any', text: 'equal cost', quoted: true },
          { kind: 'tag', value: 'LVS' },
        ],
      },
      { kind: 'site', value: 'example.jp' },
    ],
  })
  expect(parseQuery('before:2026-02 after:2026/01/31 is:favorite').node).toEqual({
    kind: 'and',
    of: [
      { kind: 'before', atMs: Date.UTC(2026, 1) },
      { kind: 'after', atMs: Date.UTC(2026, 1) },
      { kind: 'is', state: 'favourite' },
    ],
  })
  expect(parseQuery('ip:10').node).toMatchObject({ kind: 'text', text: 'ip:10' })
})

test.each([
  ['is:nothing', 0, 10, 'is: what?'],
  ['a after:yesterday', 2, 15, 'wants a year'],
  ['a )', 2, 1, 'nothing opened'],
  ['(a', 0, 1, 'nothing closes'],
  ['"a b', 0, 4, 'nothing closes'],
  ['before:2026-02-30', 0, 17, 'wants a year'],
])('%s has a note, located', (text, at, length, what) => {
  expect(parseQuery(text).notes).toContainEqual({ at, length, what: expect.stringContaining(what) })
})

test('no query throws, and notes are within it', () => {
  const pieces = fc.constantFrom(
    '(',
    ')',
    '"',
    '-',
    'OR',
    ' ',
    'tag:',
    'is:',
    'before:',
    '2026',
    '冗長',
    '－',
    '（',
    '\0',
    '\ud800',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 60 }), (parts) => {
      const text = parts.join('')
      for (const note of parseQuery(text).notes) expect(note.at >= 0 && note.at + note.length <= text.length).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

test('what was found is lit up as it was written', () => {
  expect(lightUp('ＡＲＰ と arping', ['arp'])).toEqual([
    { text: 'ＡＲＰ', lit: true },
    { text: ' と ', lit: false },
    { text: 'arp', lit: true },
    { text: 'ing', lit: false },
  ])
  expect(lightUp('sharp', ['arp'])).toEqual([{ text: 'sharp', lit: false }])
  const passage = litExcerpt(`${'前置き。'.repeat(200)}ここで冗長化する。${'後。'.repeat(200)}`, ['冗長化'], 60)
  expect(passage).toContainEqual({ text: '冗長化', lit: true })
  expect(passage.map((piece) => piece.text).join('').length).toBeLessThanOrEqual(64)
})

test('pieces of what is lit up are the text', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.array(fc.string({ maxLength: 3 }), { maxLength: 4 }),
      (text, wanted) => {
        expect(
          lightUp(text, wanted)
            .map((piece) => piece.text)
            .join(''),
        ).toBe(text)
      },
    ),
    { numRuns: 500 },
  )
})

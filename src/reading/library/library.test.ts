import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeHost,
  EXCERPT_MAX,
  excerptOf,
  formatComment,
  formatCursor,
  languageOf,
  mediumOf,
  parseAddress,
  parseComment,
  parseCursor,
  readingMinutes,
} from './index.ts'

test.each([
  ['https://Example.com:443/a?utm_source=x&b=1#top', 'https://example.com/a?b=1', 'example.com'],
  ['http://www.example.co.jp./?fbclid=1', 'http://www.example.co.jp/', 'example.co.jp'],
  ['https://日本語.jp/頁', 'https://xn--wgv71a119e.jp/%E9%A0%81', '日本語.jp'],
  ['https://app.example/#!/page/1', 'https://app.example/#!/page/1', 'app.example'],
  ['https://app.example/a#section', 'https://app.example/a', 'app.example'],
  ['https://a.example/?b=2&a=1&b=', 'https://a.example/?b=2&a=1&b=', 'a.example'],
])('%s is kept as %s', (text, url, site) => {
  expect(parseAddress(text)).toEqual({ url, site })
})

test.each([
  ['javascript:alert(1)', 'javascript: is not a page of the Web'],
  ['https://me:secret@example.com/', 'a user name or password'],
  ['not an address', 'not an address'],
  ['https://a.example/\nb', 'a control character'],
])('%s is refused', (text, why) => {
  expect(parseAddress(text)).toContain(why)
})

test('an address that was kept is kept as it is', () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (text) => {
      const first = parseAddress(text)
      if (typeof first === 'string') return
      expect(parseAddress(first.url)).toEqual(first)
    }),
    { numRuns: 300 },
  )
})

test('a host that disguises itself stays in Punycode', () => {
  expect(decodeHost('xn--pple-43d.com')).toBe('xn--pple-43d.com') // A Cyrillic а before pple.
  expect(decodeHost('xn--!!!.com')).toBe('xn--!!!.com')
})

test('tags stand before a comment, and come back as they were', () => {
  expect(parseComment('[linux][Network] [後で] 読む [not]')).toEqual({
    tags: ['linux', 'Network', '後で'],
    comment: '読む [not]',
  })
  expect(parseComment('[LVS][lvs]x')).toEqual({ tags: ['LVS'], comment: 'x' })
  expect(parseComment('[]x')).toEqual({ tags: [], comment: '[]x' })
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
      const parsed = parseComment(text)
      expect(parseComment(formatComment(parsed))).toEqual(parsed)
    }),
    { numRuns: 500 },
  )
})

test('an excerpt is short, whole, and ends within no command', () => {
  const text = `${'Words before it. '.repeat(21)}Then run \`ip route add default via 10.0.0.1 dev eth0 metric 100\` and look.`
  expect(excerptOf(text)).toMatch(/Then run…$/)
  expect(excerptOf('short')).toBe('short')
  expect(excerptOf(`a\n# rm -rf ${'x'.repeat(500)}`)).toBe('a…')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-composite', minLength: 300, maxLength: 900 }), (long) => {
      const excerpt = excerptOf(long)
      expect([...excerpt].length).toBeLessThanOrEqual(EXCERPT_MAX)
      expect(/[\ud800-\udbff](?![\udc00-\udfff])/.test(excerpt)).toBe(false)
    }),
    { numRuns: 50 },
  )
})

test('language, time and medium are told by looking', () => {
  expect(languageOf('これは ip route の使い方を説明する文章です。')).toBe('ja')
  expect(languageOf('This is how the kernel looks for a route to the host.')).toBe('en')
  expect(languageOf('eth0')).toBe('')
  expect(readingMinutes('字'.repeat(2500))).toBe(5)
  expect(readingMinutes('word '.repeat(660))).toBe(3)
  expect(mediumOf({ url: 'https://speakerdeck.com/a/b' })).toBe('presentation')
  expect(mediumOf({ url: 'https://arxiv.org/abs/1' })).toBe('research')
  expect(mediumOf({ url: 'https://a.example/x.pdf', landscape: true })).toBe('presentation')
  expect(mediumOf({ url: 'https://a.example/', types: ['BlogPosting'] })).toBe('article')
  expect(mediumOf({ url: 'https://a.example/' })).toBe('other')
})

test('cursors of times, counts and scores', () => {
  for (const at of [1_767_225_600_000, 42, 4538.123456789]) {
    const cursor = { side: 'older' as const, at, id: 7 }
    expect(parseCursor(formatCursor(cursor))).toEqual(cursor)
  }
  for (const text of ['', 'older', 'older-x-1', 'older-1e9-1']) expect(parseCursor(text)).toBeUndefined()
})

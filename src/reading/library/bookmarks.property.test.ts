import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseNetscapeBookmarks } from './bookmarks.ts'

const pieces = fc.constantFrom(
  '<DL>',
  '</DL>',
  '<p>',
  '<DT>',
  '<H3>',
  '</H3>',
  '<A HREF="http://a/">',
  "<A HREF='",
  '">',
  '</A>',
  '<DD>',
  '&amp;',
  '&#',
  '<!--',
  '-->',
  '<',
  '\n',
  'あ',
  '"',
  'ADD_DATE="1"',
  ' ',
)

test('no text throws, lines are within the file, and no link comes of nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 60 }), (parts) => {
      const { bookmarks, errors } = parseNetscapeBookmarks(parts.join(''))
      const lines = parts.join('').split('\n').length
      for (const { line } of [...bookmarks, ...errors]) expect(line >= 1 && line <= lines).toBe(true)
      const links = parts.filter((part) => part.startsWith('<A ')).length
      if (bookmarks.length === 0 && links === 0) return
      expect(bookmarks.length).toBeLessThanOrEqual(links)
    }),
    { numRuns: 2000 },
  )
})

test('what is written as browsers write it is read as it was', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 40 }).map((raw) => raw.replace(/\p{C}|\s+/gu, ' ').trim())
  const escaped = (raw: string) =>
    raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          title: text,
          href: fc.webUrl({ withQueryParameters: true }),
          at: fc.integer({ min: 1, max: 2e9 }),
        }),
        { minLength: 1, maxLength: 20 },
      ),
      (wanted) => {
        const rows = wanted.map(
          ({ title, href, at }) => `<DT><A HREF="${escaped(href)}" ADD_DATE="${at}">${escaped(title)}</A>`,
        )
        const { bookmarks, errors } = parseNetscapeBookmarks(`<DL><p>\n${rows.join('\n')}\n</DL>`)
        expect(errors).toEqual([])
        expect(bookmarks.map(({ title, href, addedAtS, line }) => ({ title, href, at: addedAtS, line }))).toEqual(
          wanted.map((row, i) => ({ ...row, line: i + 2 })),
        )
      },
    ),
    { numRuns: 300 },
  )
})

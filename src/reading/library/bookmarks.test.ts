import { expect, test } from 'vitest'
import { BOOKMARK_LIMITS, parseNetscapeBookmarks } from './bookmarks.ts'

const FIREFOX = `<!DOCTYPE NETSCAPE-Bookmark-file-1>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>Bookmarks</TITLE>
<H1>Bookmarks Menu</H1>

<DL><p>
    <DT><H3 ADD_DATE="1700000000" PERSONAL_TOOLBAR_FOLDER="true">Bookmarks Toolbar</H3>
    <DL><p>
        <DT><H3>Linux &amp; friends</H3>
        <DL><p>
            <DT><A HREF="https://lwn.net/?a=1&amp;b=2" ADD_DATE="1700000001" ICON="data:image/png;base64,AA==" TAGS="news,  kernel ">LWN &lt;net&gt;</A>
            <DD>Weekly &quot;edition&quot;
            on two lines
            <DT><A HREF="https://example.jp/">日本語の題</A>
        </DL><p>
        <HR>
        <DT><A HREF='https://a.example/x>y' ADD_DATE="1700000002000000">A &#x3042; &#12356; a < b</A>
    </DL><p>
</DL>
`

test('a file of Firefox: folders, tags, stamps, descriptions, entities', () => {
  const { bookmarks, errors } = parseNetscapeBookmarks(FIREFOX)
  expect(errors).toEqual([])
  expect(bookmarks).toMatchObject([
    {
      line: 11,
      href: 'https://lwn.net/?a=1&b=2',
      title: 'LWN <net>',
      description: 'Weekly "edition" on two lines',
      keywords: ['news', 'kernel'],
      folders: ['Linux & friends'],
      addedAtS: 1_700_000_001,
    },
    {
      line: 14,
      href: 'https://example.jp/',
      title: '日本語の題',
      description: '',
      keywords: [],
      folders: ['Linux & friends'],
      addedAtS: undefined,
    },
    {
      line: 17,
      href: 'https://a.example/x>y',
      title: 'A あ い a < b',
      description: '',
      keywords: [],
      folders: [],
      addedAtS: 1_700_000_002,
    },
  ])
})

test.each([
  ['', 1, 'this is not a bookmarks file'],
  ['hello', 1, 'this is not a bookmarks file'],
  ['<DL>\n<A>no address</A></DL>', 2, 'a link without HREF'],
  ['<DL>\n<DT><A HREF="http://a/">a<DT>b</DL>', 2, 'not closed by </A>'],
  ['<DL><A HREF="http://a/">a</A>\n', 2, '1 <DL> not closed'],
  ['</DL><DL></DL>', 1, '</DL> without <DL>'],
  ['<DL>\n\n<A HREF="http://a/\n</DL>', 3, 'a tag that does not end'],
  [`<DL><A HREF="http://${'a'.repeat(9000)}/">a</A></DL>`, 1, 'an address of 9008 characters'],
])('a broken file is named with its line: %#', (text, line, what) => {
  const { errors } = parseNetscapeBookmarks(text)
  expect(errors).toContainEqual({ line, what: expect.stringContaining(what) })
})

test('a link that nobody closed is kept', () => {
  const { bookmarks } = parseNetscapeBookmarks('<DL><DT><A HREF="http://a/">a\n<DT><A HREF="http://b/">b</A></DL>')
  expect(bookmarks.map(({ href, title }) => [href, title])).toEqual([
    ['http://a/', 'a'],
    ['http://b/', 'b'],
  ])
})

test('what is made to be slow is not: long lines, open quotes, deep folders', () => {
  const hostile = [
    '<DL>' + '<A HREF="http://a/">'.repeat(50_000),
    '<DL>'.repeat(200_000),
    '<a x="'.repeat(200_000),
    '<'.repeat(500_000),
    `<!--${'<'.repeat(500_000)}`,
    `<DL><A HREF="http://a/" ${'x='.repeat(200_000)}>a</A>`,
    '&'.repeat(500_000) + '<DL><A HREF="http://a/">&#1114112;&#0;&#xd800;</A>',
  ]
  for (const text of hostile) {
    const { errors, bookmarks } = parseNetscapeBookmarks(text)
    expect(errors.length).toBeLessThanOrEqual(BOOKMARK_LIMITS.errors)
    for (const { folders } of bookmarks) expect(folders.length).toBeLessThanOrEqual(BOOKMARK_LIMITS.depth)
  }
}, 60_000)

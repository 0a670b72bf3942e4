/** What goes out comes in again, as the same. */
import { strFromU8, unzipSync } from 'fflate'
import { expect, test } from 'vitest'
import {
  createEpub,
  type EverythingBookmark,
  formatAtom,
  formatEverything,
  formatIso,
  formatJsonFeed,
  formatMail,
  formatNetscape,
  formatOpml,
  formatRss,
  type OutgoingFeed,
  parseEverything,
  parseExchangeText,
  parseFeed,
  parseTime,
} from './index.ts'
import { readXml } from './xml.ts'

const bookmark = (more: Partial<EverythingBookmark>): EverythingBookmark => ({
  url: 'https://example.com/',
  title: '',
  tags: [],
  folders: [],
  comment: '',
  note: '',
  excerpt: '',
  author: '',
  lang: '',
  private: false,
  readLater: false,
  archived: false,
  favourite: false,
  createdAtS: 1_700_000_000,
  updatedAtS: undefined,
  highlights: [],
  ...more,
})

const BOOKMARKS = [
  bookmark({
    title: '<b>"A" & \'b\'</b> 漢字',
    tags: ['net', '負荷 分散'],
    comment: '</DD><script>alert(1)</script>',
    note: 'one\ntwo',
  }),
  bookmark({
    url: 'https://example.jp/?a=1&b="',
    private: true,
    readLater: true,
    archived: true,
    favourite: true,
    updatedAtS: 1_700_000_009,
  }),
  bookmark({ url: 'https://example.com/3', title: 'note only', note: 'a note' }),
]

async function whole(pieces: AsyncIterable<string> | Iterable<string>): Promise<string> {
  let text = ''
  for await (const piece of pieces) text += piece
  return text
}

test('Netscape HTML', async () => {
  const { records, refused, notes } = parseExchangeText(await whole(formatNetscape('題 & <title>', BOOKMARKS)))
  expect([refused, notes]).toEqual([[], []])
  expect(records.map(({ place: _, ...record }) => record)).toEqual(BOOKMARKS)
})

test('everything', async () => {
  const all = {
    user: { name: 'reader', displayName: '読者' },
    settings: { theme: 'dark', keys: { next: 'j' } },
    follows: [{ kind: 'site' as const, name: 'lwn.net' }],
    keywordGroups: [{ name: 'Network', names: { ja: '網' }, keywords: ['arp', '負荷分散'] }],
    feeds: [{ url: 'https://lwn.net/headlines/rss', title: 'LWN', siteUrl: 'https://lwn.net/', folder: 'Kernel' }],
    stars: [{ url: 'https://example.com/', user: 'other', createdAtS: 1_700_000_001 }],
    bookmarks: [
      ...BOOKMARKS,
      bookmark({
        excerpt: 'The beginning',
        author: 'A. Writer',
        lang: 'ja',
        folders: ['x'],
        highlights: [{ quote: 'who has', note: '?', createdAtS: 1, prefix: 'a ', suffix: ' b', position: 7 }],
      }),
    ],
    pages: [
      {
        url: 'https://example.com/',
        finalUrl: 'https://www.example.com/',
        status: 200,
        contentType: 'text/html',
        hash: 'abc',
        title: 't',
        author: 'A. Writer',
        lang: 'en',
        html: '<p>x</p>',
        text: 'x',
        about: { charset: 'utf-8' },
        images: [{ url: 'https://example.com/a.png', base64: 'AAAA' }],
        fetchedAtS: 5,
      },
    ],
  }
  const text = await whole(formatEverything(all, '2026-01-01T00:00:00Z'))
  const { file, ...rest } = parseEverything(JSON.parse(text))
  expect(file.refused).toEqual([])
  const bookmarks = file.records.map(({ place: _, ...record }) => record)
  expect({ ...rest, bookmarks }).toEqual(all)
  // Each bookmark stands on the line that its place says.
  expect(JSON.parse(text.split('\n')[file.records[3]!.place.line!]!.replace(/\]?,?$/u, '')).excerpt).toBe(
    'The beginning',
  )
  expect(parseExchangeText(text).format).toBe('kaidoku')
  expect(await whole(formatEverything({ ...rest, bookmarks }, '2026-01-01T00:00:00Z'))).toBe(text)
})

const FEED: OutgoingFeed = {
  title: 'New & <popular>',
  description: '説明',
  siteUrl: 'https://reading.example/',
  feedUrl: 'https://reading.example/feed',
  lang: 'ja',
  updatedAtS: 1_700_000_000,
  items: [
    {
      id: 'https://reading.example/entry/1',
      url: 'https://example.com/?a=1&b=2',
      title: '<script>alert(1)</script> & ]]>',
      summary: 'words < & >',
      author: 'me & you',
      tags: ['a&b'],
      publishedAtS: 1_700_000_000,
      updatedAtS: 1_700_000_060,
    },
  ],
}

test.each([
  ['rss', formatRss],
  ['atom', formatAtom],
  ['json', formatJsonFeed],
] as const)('a feed as %s', (format, write) => {
  const text = write(FEED)
  if (format !== 'json') expect([...readXml(text)].length).toBeGreaterThan(10) // Well-formed.
  const feed = parseFeed(text, (link) => link)
  expect(feed).toMatchObject({ format, title: 'New & <popular>', siteUrl: 'https://reading.example/' })
  expect(feed.items).toEqual([
    {
      id: 'https://reading.example/entry/1',
      url: 'https://example.com/?a=1&b=2',
      title: expect.stringContaining('& ]]>'),
      summary: expect.stringContaining('words < &'),
      author: 'me & you',
      publishedAtS: 1_700_000_000,
    },
  ])
})

test('OPML', () => {
  const feeds = [
    { url: 'https://a.example/f?x=1&y=2', title: '"A" & <b>', siteUrl: 'https://a.example/' },
    { url: 'https://b.example/f', title: '日本', folder: 'K & R' },
  ]
  expect(parseExchangeText(formatOpml('Feeds', feeds)).feeds.map(({ place: _, ...feed }) => feed)).toEqual([
    { url: feeds[0]!.url, title: '"A" & <b>', siteUrl: 'https://a.example/', folders: [] },
    { url: 'https://b.example/f', title: '日本', siteUrl: '', folders: ['K & R'] },
  ])
})

test('times, to and fro', () => {
  for (const seconds of [1, 951_782_399, 951_868_800, 1_700_000_000, 4_102_444_799]) {
    expect(formatIso(seconds)).toBe(new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'))
    expect(parseTime(formatIso(seconds))).toBe(seconds)
    expect(parseTime(formatMail(seconds))).toBe(seconds)
    expect(formatMail(seconds)).toBe(new Date(seconds * 1000).toUTCString().replace('GMT', '+0000'))
  }
  expect(parseTime('2017-12-06T15:52:16+09:00')).toBe(1_512_543_136)
  expect(parseTime('Wed, 06 Dec 2017 15:52:16 JST')).toBeDefined()
  for (const wrong of ['', 'soon', '2024-13-01', {}, null, Number.NaN, -1]) expect(parseTime(wrong)).toBeUndefined()
})

test('EPUB: the type first and stored, all of it XML, images inside', () => {
  const html =
    '<h2 id="a">節<br>two</h2><p id="a" onclick="x()">a &amp; b<img src="https://example.com/i.png" alt="pic"><img src="https://example.com/none.png" alt="gone"></p>' +
    '<pre><code class="language-sh">$ echo "&lt;x&gt;"\n</code></pre><table><tr><td colspan=2>1<td>2</table><script>alert(1)</script>' +
    '<math><mi>x</mi><mo>&lt;</mo></math><a href="javascript:x">bad</a><a href="https://example.com/?a=1&b=2">good</a><foo:bar>odd</foo:bar>\u0000\u0007'
  const book = {
    identifier: 'urn:kaidoku:list:1',
    title: 'A "list" & more',
    author: '',
    lang: 'ja',
    modifiedAtS: 1_700_000_000,
    chapters: [
      { title: 'One <1>', html, url: 'https://example.com/', author: 'A & B' },
      { title: '二', html: '<p>x' },
    ],
    images: [{ src: 'https://example.com/i.png', type: 'image/png' as const, bytes: new Uint8Array([1, 2, 3]) }],
  }
  const bytes = createEpub(book)
  // EPUB 3.3, 4.2.2: "mimetype" at offset 30, its content right behind.
  expect(strFromU8(bytes.subarray(30, 58))).toBe('mimetypeapplication/epub+zip')
  const files = unzipSync(bytes)
  expect(Object.keys(files)[0]).toBe('mimetype')
  const text = (name: string) => strFromU8(files[name]!)
  for (const name of Object.keys(files).filter((name) => /\.(xml|opf|xhtml)$/u.test(name))) {
    const ids = [...readXml(text(name))].flatMap((event) =>
      event.kind === 'open' ? (event.attributes.get('id') ?? []) : [],
    )
    expect(new Set(ids).size, name).toBe(ids.length)
  }
  const manifest = [...text('EPUB/package.opf').matchAll(/href="([^"]+)"/gu)].map((match) => `EPUB/${match[1]}`)
  expect(manifest.sort()).toEqual(
    Object.keys(files)
      .filter((name) => name.startsWith('EPUB/') && name !== 'EPUB/package.opf')
      .sort(),
  )
  expect(text('EPUB/package.opf')).toContain('properties="mathml"')
  const chapter = text('EPUB/chapter-1.xhtml')
  expect(chapter).toContain('<img src="image-1.png" alt="pic"/>')
  expect(chapter).toContain('<a href="https://example.com/none.png">gone</a>')
  expect(chapter).not.toMatch(/script|onclick|javascript/u)
  expect(chapter).toContain('echo &#34;&#60;x&#62;&#34;')
  expect(createEpub(book)).toEqual(bytes)
})

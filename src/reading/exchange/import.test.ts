/** Every service's file, as it comes: what is kept of it, and what is refused, where and why. */
import { readFileSync } from 'node:fs'
import { zipSync } from 'fflate'
import { describe, expect, test } from 'vitest'
import { type ExchangeRecord, parseExchangeFile } from './index.ts'

const read = (name: string) => new Uint8Array(readFileSync(new URL(`fixtures/${name}`, import.meta.url)))
const parse = (name: string) => parseExchangeFile(read(name))

/** A record without what is empty in it. */
function said(record: ExchangeRecord): Partial<ExchangeRecord> {
  return Object.fromEntries(
    Object.entries(record).filter(
      ([, value]) =>
        !(value === undefined || value === '' || value === false || (Array.isArray(value) && value.length === 0)),
    ),
  )
}

const T = 1_700_000_000

test('linkding’s HTML: notes, flags, the archived tag; a bookmarklet is refused with its line', () => {
  const { format, records, refused, notes } = parse('netscape-linkding.html')
  expect(format).toBe('netscape')
  expect(notes).toEqual([])
  expect(records.map(said)).toEqual([
    {
      place: { item: 1, line: 6 },
      url: 'https://lwn.net/Articles/1/',
      title: 'One & only',
      tags: ['kernel', 'net'],
      comment: 'First <desc>',
      note: 'Line 1\nLine 2',
      private: true,
      readLater: true,
      createdAtS: T,
      updatedAtS: T + 3600,
    },
    {
      place: { item: 2, line: 9 },
      url: 'https://example.com/two',
      title: '二つ目',
      createdAtS: T + 10_000,
      updatedAtS: T + 10_000,
    },
    {
      place: { item: 3, line: 10 },
      url: 'https://example.com/three',
      title: 'Three',
      tags: ['net'],
      comment: 'Archived one',
      private: true,
      archived: true,
      createdAtS: T + 20_000,
      updatedAtS: T + 20_000,
    },
  ])
  expect(records[1]!.private).toBe(false)
  expect(refused).toEqual([
    { place: { item: 4, line: 12 }, url: 'javascript:alert(1)', why: 'javascript: is not a page of the Web' },
  ])
})

test('a browser’s HTML: folders, and no word of being private', () => {
  const { records, refused } = parse('netscape-chrome.html')
  expect(records.map(({ url, folders, private: p, createdAtS }) => [url, folders, p, createdAtS])).toEqual([
    ['https://www.kernel.org/', [], undefined, T + 2],
    ['http://www.linuxvirtualserver.org/', ['LVS'], undefined, T + 5],
  ])
  expect(refused.map(({ why }) => why)).toEqual(['chrome: is not a page of the Web'])
})

test('Hatena’s Atom', () => {
  const { format, records } = parse('hatena.atom')
  expect(format).toBe('hatena-atom')
  expect(records.map(said)).toEqual([
    {
      place: { item: 1, line: 10 },
      url: 'https://example.jp/lvs?a=1&b=2',
      title: 'LVSの仕組み & 設定',
      tags: ['network', 'ロードバランサ'],
      comment: 'あとで試す',
      createdAtS: 1_512_543_136,
    },
    { place: { item: 2, line: 24 }, url: 'http://example.com/kernel', title: 'カーネル', createdAtS: 1_514_732_400 },
  ])
})

test('Hatena’s search data: triples and times', () => {
  const { format, records, refused } = parse('hatena-search.data')
  expect(format).toBe('hatena-data')
  expect(records.map(said)).toEqual([
    {
      place: { item: 1, line: 1 },
      url: 'https://example.jp/lvs',
      title: 'LVSの仕組み',
      tags: ['network', 'ロードバランサ'],
      comment: 'あとで試す',
      createdAtS: 1_512_543_136,
    },
    { place: { item: 2, line: 4 }, url: 'http://example.com/kernel', title: 'カーネル', createdAtS: 1_514_732_400 },
  ])
  expect(refused).toEqual([{ place: { item: 3, line: 7 }, url: 'foo:bar', why: 'foo: is not a page of the Web' }])
})

test('Pocket', () => {
  const { format, records, refused } = parse('pocket.csv')
  expect(format).toBe('pocket-csv')
  expect(records.map(said)).toEqual([
    {
      place: { item: 1, line: 2 },
      url: 'https://example.com/arp',
      title: 'Understanding "ARP", in depth',
      tags: ['net', 'arp'],
      private: true,
      readLater: true,
      createdAtS: T,
    },
    {
      place: { item: 2, line: 3 },
      url: 'https://example.com/untitled',
      private: true,
      archived: true,
      createdAtS: T + 100,
    },
    {
      place: { item: 3, line: 4 },
      url: 'https://example.com/lines',
      title: 'Two lines',
      tags: ['日本語'],
      private: true,
      readLater: true,
      createdAtS: T + 200,
    },
  ])
  expect(refused).toEqual([
    { place: { item: 4, line: 6 }, url: 'not an address', why: 'a blank or a control character in its address' },
  ])
  const zipped = parseExchangeFile(zipSync({ 'part_000000.csv': read('pocket.csv') }))
  expect(zipped.records.map(({ url }) => url)).toEqual(records.map(({ url }) => url))
  expect(zipped.records[0]!.place).toEqual({ item: 1, line: 2, file: 'part_000000.csv' })
})

test('Pinboard', () => {
  const { format, records, refused } = parse('pinboard.json')
  expect(format).toBe('pinboard-json')
  expect(records.map(said)).toEqual([
    {
      place: { item: 1 },
      url: 'https://lwn.net/Articles/1/',
      title: 'LWN on BPF',
      comment: 'worth a second look',
      tags: ['bpf', 'kernel'],
      createdAtS: T,
    },
    {
      place: { item: 2 },
      url: 'https://example.jp/',
      title: '日本語',
      private: true,
      readLater: true,
      createdAtS: T + 1,
    },
  ])
  expect(refused).toHaveLength(1)
})

test('Raindrop', () => {
  const { format, records, refused } = parse('raindrop.csv')
  expect(format).toBe('raindrop-csv')
  expect(records.map(said)).toEqual([
    {
      place: { item: 1, line: 2 },
      url: 'https://example.com/packets',
      title: 'Packets, all the way',
      note: 'My note\nin two lines',
      excerpt: 'How packets travel',
      folders: ['Network', 'Linux'],
      tags: ['net', 'tcp'],
      favourite: true,
      createdAtS: T,
      highlights: [
        { quote: 'a packet is a packet', note: 'really?', createdAtS: undefined },
        { quote: 'second words', note: '', createdAtS: undefined },
      ],
    },
    { place: { item: 2, line: 6 }, url: 'https://example.jp/2', title: '二番', createdAtS: T + 1 },
  ])
  expect(refused).toEqual([{ place: { item: 3, line: 7 }, url: '', why: 'no address' }])
})

test('Omnivore: an archive with highlights, and a list alone', () => {
  const names = ['metadata_0_to_2.json', 'metadata_2_to_3.json', 'highlights/tcp-18c0.md']
  const packed = zipSync(Object.fromEntries(names.map((name) => [name, read(`omnivore/${name}`)])))
  const { format, records, refused } = parseExchangeFile(packed)
  expect(format).toBe('omnivore')
  expect(records.map(said)).toEqual([
    {
      place: { item: 1, file: 'metadata_0_to_2.json' },
      url: 'https://example.com/tcp',
      title: 'TCP, slowly',
      excerpt: 'On congestion',
      author: 'A. Writer',
      tags: ['net', 'tcp'],
      readLater: true,
      createdAtS: T,
      updatedAtS: T + 86_400,
      highlights: [
        { quote: 'a window of one segment\nand then two', note: 'My note on it.', createdAtS: undefined },
        { quote: 'another one', note: '', createdAtS: undefined },
      ],
    },
    {
      place: { item: 2, file: 'metadata_0_to_2.json' },
      url: 'https://example.jp/old',
      title: '古い記事',
      archived: true,
      createdAtS: T + 1,
    },
  ])
  expect(refused).toEqual([
    {
      place: { item: 1, file: 'metadata_2_to_3.json' },
      url: 'file:///tmp/a.pdf',
      why: 'file: is not a page of the Web',
    },
  ])
  expect(parse('omnivore/metadata_0_to_2.json').records).toHaveLength(2)
})

test('wallabag', () => {
  const { format, records, refused } = parse('wallabag.json')
  expect(format).toBe('wallabag-json')
  expect(records.map(said)).toEqual([
    {
      place: { item: 1 },
      url: 'https://example.com/arp',
      title: 'ARP explained',
      tags: ['net', 'arp'],
      author: 'A. Writer',
      lang: 'en-US',
      private: true,
      archived: true,
      favourite: true,
      createdAtS: T,
      updatedAtS: T + 86_400,
      highlights: [{ quote: 'who has', note: 'why?', createdAtS: T + 3600 }],
    },
    {
      place: { item: 2 },
      url: 'https://example.jp/',
      title: '日本語',
      lang: 'ja',
      private: true,
      readLater: true,
      createdAtS: T + 1,
      updatedAtS: T + 1,
    },
  ])
  expect(refused.map(({ why }) => why)).toEqual(['no address'])
})

test('Karakeep', () => {
  const { format, records, refused } = parse('karakeep.json')
  expect(format).toBe('karakeep-json')
  expect(records.map(said)).toEqual([
    {
      place: { item: 1 },
      url: 'https://example.com/bridges',
      title: 'Bridges',
      tags: ['net', 'bridge'],
      folders: ['Network', 'Layer 2'],
      note: 'for the lab',
      private: true,
      archived: true,
      createdAtS: T,
    },
    { place: { item: 2 }, url: 'https://example.jp/', private: true, createdAtS: T + 1 },
  ])
  expect(refused.map(({ place, why }) => [place.item, why])).toEqual([
    [3, 'not a page but a note of its own'],
    [4, 'a bookmark without content'],
  ])
})

test('Linkwarden', () => {
  const { format, records, refused } = parse('linkwarden.json')
  expect(format).toBe('linkwarden-json')
  expect(records.map(said)).toEqual([
    {
      place: { item: 1 },
      url: 'https://example.com/vrrp',
      title: 'VRRP',
      excerpt: 'RFC 5798',
      tags: ['ha', 'vrrp'],
      folders: ['Network'],
      createdAtS: T,
      updatedAtS: T + 1,
    },
    {
      place: { item: 3 },
      url: 'https://example.jp/ipvs',
      title: 'スケジューラ',
      folders: ['Network', 'IPVS'],
      private: true,
      favourite: true,
      createdAtS: 1_577_836_800,
      updatedAtS: T + 1,
    },
  ])
  expect(refused.map(({ why }) => why)).toEqual(['not a page but a file of its own (pdf)'])
})

test('linkding’s API', () => {
  const { format, records } = parse('linkding-api.json')
  expect(format).toBe('linkding-json')
  expect(records.map(said)).toEqual([
    {
      place: { item: 1 },
      url: 'https://example.com',
      title: 'Example title',
      comment: 'Example description',
      note: 'Example notes',
      tags: ['tag1', 'tag2'],
      readLater: true,
      createdAtS: T,
      updatedAtS: T + 1,
    },
    {
      place: { item: 2 },
      url: 'https://example.jp',
      title: '例',
      excerpt: '例の頁',
      private: true,
      archived: true,
      createdAtS: T + 2,
      updatedAtS: T + 2,
    },
  ])
})

test('OPML: feeds in folders, and pages', () => {
  const { format, records, feeds, refused } = parse('feeds.opml')
  expect(format).toBe('opml')
  expect(feeds).toEqual([
    {
      place: { item: 1, line: 6 },
      url: 'https://lwn.net/headlines/rss',
      title: 'LWN.net',
      siteUrl: 'https://lwn.net/',
      folders: ['Kernel'],
    },
    {
      place: { item: 2, line: 8 },
      url: 'https://example.jp/feed.atom',
      title: '例 & 例',
      siteUrl: '',
      folders: ['Kernel', '日本'],
    },
  ])
  expect(records.map(said)).toEqual([
    { place: { item: 3, line: 11 }, url: 'https://example.com/page', title: 'A page', tags: ['arp'], createdAtS: T },
  ])
  expect(refused).toEqual([
    { place: { item: 4, line: 12 }, url: 'file:///etc/passwd', why: 'file: is not a page of the Web' },
  ])
})

describe('files that are none of these', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  test.each([
    ['', 'the file is empty'],
    ['hello', 'no known kind of file'],
    ['{"a":', 'this is not JSON'],
    ['{"a":1}', 'JSON of no known kind'],
    ['[]', 'lists nothing'],
    ['<rss version="2.0"></rss>', 'subscribe'],
    ['{"type":"text/x-moz-place-container","children":[]}', 'Firefox'],
    ['{"kaidoku":99}', 'version 99'],
    ['PK\u0003\u0004 and no more, alas: nothing at all', 'cut off'],
    ['<opml><body><outline text="a">', 'cut off'],
  ])('%s', (text, why) => {
    expect(() => parseExchangeFile(bytes(text))).toThrow(why)
  })
})

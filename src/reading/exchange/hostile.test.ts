/** Files made to hurt: each ends soon, with a clear word, and nothing of them gets through. */
import { gzipSync, zipSync } from 'fflate'
import { describe, expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { ExchangeError, formatNetscape, parseExchangeFile, parseExchangeText, parseFeed, readPacked } from './index.ts'

const entityBomb = (root: string) =>
  `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>${root}`

describe('XML bombs', () => {
  test.each([
    ['entities in OPML', entityBomb('<opml><body><outline text="&b;"/></body></opml>')],
    ['entities in Atom', entityBomb('<feed xmlns="http://purl.org/atom/ns#"><title>&b;</title></feed>')],
    ['depth', `<opml><body>${'<outline text="a">'.repeat(100_000)}`],
  ])('%s', (_, source) => {
    expect(() => parseExchangeText(source)).toThrow(ExchangeError)
  })
  test.each([
    ['entities', entityBomb('<rss version="2.0"><channel><title>&b;</title></channel></rss>')],
    ['depth', `<rss version="2.0"><channel>${'<a>'.repeat(200_000)}`],
    ['size', `<rss version="2.0"><channel><title>${'a'.repeat(9 * 1024 * 1024)}`],
    ['nothing', '\u0000\u0001'],
    ['JSON', `{"version":"https://jsonfeed.org/version/1.1","items":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ])(
    'a feed: %s',
    (_, source) => {
      try {
        parseFeed(source, (link) => link)
      } catch (error) {
        expect(error).toBeInstanceOf(ExchangeError)
      }
    },
    120_000,
  )
})

// In one of ten places fflate takes the cut for the end.
test('gzip that is cut off, wherever, or of which a byte is another', () => {
  const lines = Array.from({ length: 30 }, (_, i) => `<DT><A HREF="https://a.example/${i * 7919}">${i ** 5}</A>`)
  const good = gzipSync(new TextEncoder().encode(lines.join('\n')), { mtime: 0 })
  expect(new TextDecoder().decode(readPacked(good))).toBe(lines.join('\n'))
  for (let length = 2; length < good.length; length++)
    expect(() => readPacked(good.subarray(0, length))).toThrow(ExchangeError)
  for (let at = 10; at < good.length; at++) {
    const bad = good.slice()
    bad[at]! ^= 0x10
    // The bits that fill the last byte mean nothing: then it is the same.
    let read = ''
    try {
      read = new TextDecoder().decode(readPacked(bad))
    } catch (error) {
      expect(error).toBeInstanceOf(ExchangeError)
      continue
    }
    expect(read).toBe(lines.join('\n'))
  }
})

describe('archives', () => {
  const bomb = zipSync({ 'metadata_0_to_1.json': [new Uint8Array(64 * 1024 * 1024), { level: 9 }] })

  test('one that says what it unpacks to', () => {
    expect(bomb.length).toBeLessThan(100_000)
    expect(() => parseExchangeFile(bomb)).toThrow('unpacks to more than is allowed')
  })

  test('one that lies about it', () => {
    const lying = bomb.slice()
    const view = new DataView(lying.buffer)
    const end = lying.length - 22
    view.setUint32(view.getUint32(end + 16, true) + 24, 10, true)
    expect(() => parseExchangeFile(lying)).toThrow('unpacks to more than is allowed')
  })

  test('a thousand entries over the same bytes', () => {
    const one = zipSync({ 'metadata_0_to_1.json': [new Uint8Array(8 * 1024 * 1024), { level: 9 }] })
    const view = new DataView(one.buffer)
    const from = view.getUint32(one.length - 22 + 16, true)
    const record = one.slice(from, one.length - 22)
    const many = new Uint8Array(from + record.length * 1000 + 22)
    many.set(one.subarray(0, from))
    for (let i = 0; i < 1000; i++) many.set(record, from + record.length * i)
    many.set(one.subarray(one.length - 22), many.length - 22)
    const end = new DataView(many.buffer, many.length - 22)
    end.setUint16(8, 1000, true)
    end.setUint16(10, 1000, true)
    expect(() => parseExchangeFile(many)).toThrow(ExchangeError)
  })

  test('broken anywhere, it is refused or read, and never throws otherwise', () => {
    const good = zipSync({
      'part_0.csv': new TextEncoder().encode('title,url,time_added,tags,status\na,https://a.example/,1,,unread\n'),
    })
    forSeeds(300, (random) => {
      const bytes = good.slice(0, random.below(4) === 0 ? random.below(good.length) : good.length)
      for (let i = 0; i < 3 && bytes.length > 0; i++) bytes[random.below(bytes.length)] = random.below(256)
      try {
        parseExchangeFile(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(ExchangeError)
      }
    })
  })
})

const SCRIPTS = [
  '"><script>alert(1)</script>',
  '</A></DL><script>',
  "' onmouseover='x",
  ']]><x>',
  '\u0000\ud800\u202e',
  '[tag]<img src=x onerror=y>',
]

test('script in every field is text, and stays text on its way out', () => {
  for (const script of SCRIPTS) {
    const pinboard = [
      {
        href: `https://a.example/?${encodeURIComponent(script.replace(/\p{Surrogate}/gu, ''))}`,
        description: script,
        extended: script,
        tags: script,
        shared: 'yes',
        time: script,
      },
    ]
    const { records } = parseExchangeText(JSON.stringify(pinboard))
    expect(records).toHaveLength(1)
    const again = parseExchangeText([...formatNetscape(script, records)].join(''))
    expect(again.records.map(({ title, comment }) => [title, comment])).toEqual(
      records.map(({ title, comment }) => [title, comment]),
    )
    expect(JSON.stringify(records)).not.toMatch(/\\u0000|\\ud800/u)
  }
})

test('nothing that is said to be JSON, CSV or XML throws anything else', () => {
  const seeds = [
    '[{"url":"https://a/","savedAt":1}]',
    'title,url,time_added,tags,status\na,https://a/,1,,x',
    '<opml><body><outline xmlUrl="https://a/"/></body></opml>',
    '<DL><DT><A HREF="https://a/">x</A></DL>',
    'a\nb\nhttps://a/\n1\t20200101000000',
  ]
  forSeeds(500, (random) => {
    let text = seeds[random.below(seeds.length)]!
    for (let i = 0; i < 4; i++) {
      const at = random.below(text.length)
      text =
        text.slice(0, at) +
        ['"', '<', '>', ',', '{', '[', 'null', '\n', '&#0;', '1e999', '\u0000'][random.below(11)]! +
        text.slice(at + random.below(3))
    }
    try {
      parseExchangeText(text)
    } catch (error) {
      expect(error).toBeInstanceOf(ExchangeError)
    }
  })
})

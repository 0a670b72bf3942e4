/** Encodings, declared, wrongly declared and not declared at all. The bytes are made by Python's codecs once, in hexadecimal. */
import { expect, test } from 'vitest'
import { decodeText } from './charset.ts'

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))
const TEXT = 'ロードバランサの仕組みを読む。漢字とカナ'
const ENCODED = {
  'euc-jp': 'a5eda1bca5c9a5d0a5e9a5f3a5b5a4cebbc5c1c8a4dfa4f2c6c9a4e0a1a3b4c1bbfaa4c8a5aba5ca',
  shift_jis: '838d815b8368836f83898393835482cc8e64916782dd82f093c782de81428abf8e9a82c6834a8369',
  'iso-2022-jp': '1b2442256d213c25492550256925732535244e3b454148245f247246492460212334413b7a2448252b254a1b2842',
  'utf-8':
    'e383ade383bce38389e38390e383a9e383b3e382b5e381aee4bb95e7b584e381bfe38292e8aaade38280e38082e6bca2e5ad97e381a8e382abe3838a',
  'utf-16le': 'ed30fc30c930d030e930f330b5306e30d54e447d7f309230ad8a80300230226f575b6830ab30ca30',
  'utf-16be': '30ed30fc30c930d030e930f330b5306e4ed57d44307f30928aad308030026f225b57306830ab30ca',
}
const ascii = (text: string) => Buffer.from(text).toString('hex')
const NAMES = Object.keys(ENCODED).slice(0, 4) as (keyof typeof ENCODED)[]

test.each(NAMES)('%s', (name) => {
  const body = ENCODED[name]
  const page = (meta: string) =>
    bytes(`${ascii(`<html><head>${meta}<title>`)}${body}${ascii('</title></head></html>')}`)
  const text = (meta: string) => `<html><head>${meta}<title>${TEXT}</title></head></html>`
  expect(decodeText(page(''), `text/html; charset="${name.toUpperCase()}"`)).toEqual({
    text: text(''),
    charset: name,
    by: 'header',
  })
  const meta = `<meta http-equiv="Content-Type" content="text/html; charset=${name}">`
  expect(decodeText(page(meta))).toEqual({ text: text(meta), charset: name, by: 'document' })
  const xml = `<?xml version="1.0" encoding="${name}"?>`
  expect(decodeText(bytes(`${ascii(xml)}${body}`))).toEqual({ text: xml + TEXT, charset: name, by: 'document' })
  expect(decodeText(page(''))).toEqual({ text: text(''), charset: name, by: 'guess' })
  // Whatever the server's administrator thought.
  for (const wrong of ['utf-8', 'euc-jp', 'shift_jis', 'x-unknown'])
    expect(decodeText(page(''), `text/html; charset=${wrong}`).text, wrong).toBe(text(''))
})

test('byte order marks win', () => {
  expect(decodeText(bytes(`fffe${ENCODED['utf-16le']}`), 'text/html; charset=euc-jp')).toEqual({
    text: TEXT,
    charset: 'utf-16le',
    by: 'bom',
  })
  expect(decodeText(bytes(`feff${ENCODED['utf-16be']}`))).toEqual({ text: TEXT, charset: 'utf-16be', by: 'bom' })
  expect(decodeText(bytes(`efbbbf${ENCODED['utf-8']}`), 'text/html; charset=shift_jis')).toEqual({
    text: TEXT,
    charset: 'utf-8',
    by: 'bom',
  })
})

test('western pages, and no page at all', () => {
  expect(decodeText(bytes(ascii('plain'))).text).toBe('plain')
  expect(decodeText(bytes('636166e9'))).toMatchObject({ text: 'café', by: 'guess' })
  expect(decodeText(new Uint8Array())).toMatchObject({ text: '' })
  for (let i = 0; i < 200; i++)
    decodeText(new Uint8Array(Array.from({ length: 50 }, (_, k) => (i * 7919 + k * 104729) % 256)))
})

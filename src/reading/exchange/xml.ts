/**
 * XML as feeds and exports need it: elements, attributes, text, CDATA, in one pass with a bounded stack. Entities that a
 * document declares itself are refused as a whole: nothing that an export says needs them, and a bomb is made of them.
 */
import { ExchangeError, wellFormed } from './record.ts'

export interface XmlOpen {
  kind: 'open'
  /** With its prefix, as written: `dc:subject`. */
  name: string
  attributes: Map<string, string>
  line: number
  /** `<a/>`: a close of its own follows. */
  empty: boolean
}
export interface XmlClose {
  kind: 'close'
  name: string
  line: number
}
export interface XmlText {
  kind: 'text'
  text: string
  line: number
}
export type XmlEvent = XmlOpen | XmlClose | XmlText

export interface XmlLimits {
  depth: number
  /** Characters of one tag. */
  tag: number
}
const LIMITS: XmlLimits = { depth: 64, tag: 256 * 1024 }

/** What a document says, in order; throws ExchangeError, with a line, where it isn't XML any more. */
export function* readXml(source: string, limits: XmlLimits = LIMITS): Generator<XmlEvent> {
  let at = source.startsWith('\ufeff') ? 1 : 0
  let line = 1
  let newline = source.indexOf('\n')
  const stack: string[] = []
  const advance = (to: number) => {
    while (newline >= 0 && newline < to) {
      line++
      newline = source.indexOf('\n', newline + 1)
    }
    at = to
  }
  const fail = (what: string) => new ExchangeError(`line ${line}: ${what}`)
  const skipTo = (end: string, from: number, what: string) => {
    const found = source.indexOf(end, from)
    if (found < 0) throw fail(`${what} that does not end`)
    return found
  }
  while (at < source.length) {
    const open = source.indexOf('<', at)
    const started = line
    const text = source.slice(at, open < 0 ? source.length : open)
    if (text !== '') {
      if (stack.length > 0) yield { kind: 'text', text: decodeXml(text), line: started }
      advance(at + text.length)
    }
    if (open < 0) break
    if (source.startsWith('<!--', open)) advance(skipTo('-->', open + 4, 'a comment') + 3)
    else if (source.startsWith('<![CDATA[', open)) {
      const end = skipTo(']]>', open + 9, 'a CDATA section')
      if (stack.length > 0) yield { kind: 'text', text: source.slice(open + 9, end), line }
      advance(end + 3)
    } else if (source.startsWith('<?', open)) advance(skipTo('?>', open + 2, 'an instruction') + 2)
    else if (source.startsWith('<!', open)) {
      const end = skipTo('>', open + 2, 'a declaration')
      const declaration = source.slice(open, end)
      if (declaration.includes('[') || /<!(ENTITY|ATTLIST|ELEMENT)/iu.test(declaration))
        throw fail('the document declares entities of its own; such files are not read')
      advance(end + 1)
    } else {
      const end = findEnd(source, open, limits.tag)
      if (end < 0) throw fail('a tag that does not end')
      const inside = source.slice(open + 1, end)
      if (inside.startsWith('/')) {
        const name = inside.slice(1).trim()
        if (stack.pop() !== name) throw fail(`</${name.slice(0, 40)}> closes what isn't open`)
        yield { kind: 'close', name, line }
      } else {
        const empty = inside.endsWith('/')
        const name = /^[^\s/>="'<]+/u.exec(inside)?.[0]
        if (!name) throw fail('a tag without a name')
        yield { kind: 'open', name, attributes: attributesOf(inside.slice(name.length)), line, empty }
        if (empty) yield { kind: 'close', name, line }
        else {
          stack.push(name)
          if (stack.length > limits.depth) throw fail(`elements more than ${limits.depth} deep`)
        }
      }
      advance(end + 1)
    }
  }
  if (stack.length > 0) throw fail(`<${stack.at(-1)!.slice(0, 40)}> is not closed: the file is cut off`)
}

function findEnd(source: string, open: number, limit: number): number {
  let quote = ''
  const last = Math.min(source.length, open + limit)
  for (let i = open + 1; i < last; i++) {
    const character = source[i]!
    if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === '>') return i
    else if (character === '"' || character === "'") quote = character
  }
  return -1
}

function attributesOf(inside: string): Map<string, string> {
  const attributes = new Map<string, string>()
  for (const match of inside.matchAll(/([^\s=/"']+)\s*=\s*(?:"([^"]*)"|'([^']*)')/gu)) {
    if (!attributes.has(match[1]!)) attributes.set(match[1]!, decodeXml(match[2] ?? match[3] ?? ''))
  }
  return attributes
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

/** The five entities of XML, HTML's blank, and numbers; others stay as they are. */
export function decodeXml(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]{2,4}));/gu, (whole, decimal, hex, name) => {
    if (name) return ENTITIES[name as string] ?? whole
    const code = decimal ? Number(decimal) : Number.parseInt(hex as string, 16)
    const valid = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
    return valid ? String.fromCodePoint(code) : '\ufffd'
  })
}

/** Text for XML and HTML, in elements and attributes; what XML can't say at all is left out. */
export function escapeXml(text: string): string {
  return wellFormed(text)
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/gu, '')
    .replace(/[&<>"']/gu, (character) => `&#${character.charCodeAt(0)};`)
}

/** A file of whatever service: what it is is seen from its content, since people rename files. */
import { Gunzip, strFromU8 } from 'fflate'
import { isEverything, parseEverything } from './everything.ts'
import { crc32, inflate, TooLarge } from './inflate.ts'
import { parseNetscape } from './netscape.ts'
import { EXCHANGE_LIMITS, ExchangeError, type FormatName, type ParsedFile } from './record.ts'
import { isHatenaData, parseHatenaAtom, parseHatenaData } from './services/hatena.ts'
import { isObject, type JsonFormat, readJson } from './services/json.ts'
import { karakeep } from './services/karakeep.ts'
import { linkding } from './services/linkding.ts'
import { linkwarden } from './services/linkwarden.ts'
import { omnivore, parseOmnivoreLists } from './services/omnivore.ts'
import { parseOpml } from './services/opml.ts'
import { pinboard } from './services/pinboard.ts'
import { isPocket, parsePocket } from './services/pocket.ts'
import { isRaindrop, parseRaindrop } from './services/raindrop.ts'
import { isTable, parseTable } from './services/table.ts'
import { wallabag } from './services/wallabag.ts'
import { isZip, readZip, type ZipEntry } from './zip.ts'

// Those that say most of themselves first.
const JSON_FORMATS: readonly JsonFormat[] = [
  { knows: isEverything, parse: (value) => parseEverything(value).file },
  karakeep,
  linkwarden,
  linkding,
  pinboard,
  wallabag,
  omnivore,
]

const TEXT_FORMATS: readonly {
  format: FormatName
  knows(head: string, source: string): boolean
  parse(source: string): ParsedFile
}[] = [
  {
    format: 'opml',
    knows: (head) => /^\s*<(\?xml|opml|!--)/iu.test(head) && /<opml[\s>]/iu.test(head),
    parse: parseOpml,
  },
  {
    format: 'hatena-atom',
    knows: (head) => /<feed\s[^>]*(purl\.org\/atom\/ns#|www\.w3\.org\/2005\/Atom)/iu.test(head),
    parse: parseHatenaAtom,
  },
  {
    format: 'netscape',
    knows: (head, source) =>
      /^\s*<!doctype netscape-bookmark/iu.test(head) ||
      (/^\s*</u.test(head) && /<(dl|dt|a)[\s>]/iu.test(source.slice(0, 100_000))),
    parse: parseNetscape,
  },
  { format: 'pocket-csv', knows: (head) => isPocket(head), parse: (source) => parsePocket([{ source }]) },
  { format: 'kaidoku-csv', knows: (head) => isTable(head), parse: parseTable },
  { format: 'raindrop-csv', knows: (head) => isRaindrop(head.split('\n', 1)[0]!), parse: parseRaindrop },
  { format: 'hatena-data', knows: (_, source) => isHatenaData(source), parse: parseHatenaData },
]

/** Reads a file's text; throws ExchangeError if it is of no kind that is known, or broken as a whole. */
export function parseExchangeText(source: string): ParsedFile {
  if (source.length > EXCHANGE_LIMITS.characters)
    throw new ExchangeError(
      `the file is larger than ${EXCHANGE_LIMITS.characters / 1024 / 1024} million characters; split it`,
    )
  const head = source.slice(0, 4096).replace(/^\ufeff/u, '')
  if (head.trim() === '') throw new ExchangeError('the file is empty')
  if (/^\s*[[{]/u.test(head)) return parseJson(readJson(source))
  for (const format of TEXT_FORMATS) if (format.knows(head, source)) return format.parse(source)
  if (/<(rss|rdf:RDF)[\s>]/iu.test(head))
    throw new ExchangeError('this is a feed, not a list of bookmarks: subscribe to its address instead')
  throw new ExchangeError(`no known kind of file (${KNOWN_KINDS})`)
}

const KNOWN_KINDS =
  'known are: bookmarks of browsers (HTML), Hatena, Pocket, Pinboard, Raindrop, Omnivore, wallabag, Karakeep, Linkwarden, linkding, OPML, and this reading room’s own'

function parseJson(value: unknown): ParsedFile {
  for (const format of JSON_FORMATS) if (format.knows(value)) return format.parse(value)
  if (Array.isArray(value) && value.length === 0) throw new ExchangeError('the file lists nothing')
  if (isObject(value) && value['type'] === 'text/x-moz-place-container')
    throw new ExchangeError('this is Firefox’s backup: choose “Export Bookmarks to HTML” there instead')
  throw new ExchangeError(`JSON of no known kind (${KNOWN_KINDS})`)
}

const utf8 = (bytes: Uint8Array) => strFromU8(bytes)

/** The bytes of a file that gzip packed, in one piece; those of any other as they are. What it unpacks to is bounded. RFC 1952 */
export function readPacked(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  const limit = Math.min(EXCHANGE_LIMITS.bytes, Math.max(1 << 20, bytes.length * EXCHANGE_LIMITS.zipRatio))
  const broken = new ExchangeError('packed by gzip, and broken or cut off')
  if (bytes.length < 18) throw broken
  let whole: Uint8Array
  try {
    whole = inflate((take) => new Gunzip(take), bytes, limit)
  } catch (error) {
    if (error instanceof TooLarge) throw new ExchangeError('packed by gzip, and unpacks to more than is allowed')
    throw broken
  }
  // Its last eight bytes: the sum and the length of what went in.
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 8, 8)
  if (trailer.getUint32(4, true) !== whole.length || trailer.getUint32(0, true) !== crc32(whole)) throw broken
  return whole
}

/** Reads a file as it comes, archives too. `decode` makes text of bytes: UTF-8 unless said otherwise. */
export function parseExchangeFile(bytes: Uint8Array, decode: (bytes: Uint8Array) => string = utf8): ParsedFile {
  if (bytes.length > EXCHANGE_LIMITS.bytes)
    throw new ExchangeError(`the file is larger than ${EXCHANGE_LIMITS.bytes / 1024 / 1024} MB; split it`)
  if (!isZip(bytes)) {
    return parseExchangeText(decode(readPacked(bytes)))
  }
  const entries = readZip(bytes, utf8).filter(({ name }) => !/(^|\/)(__MACOSX\/|\.)/u.test(name))
  const omnivoreLists = entries.filter(({ name }) => /(^|\/)metadata_[^/]*\.json$/iu.test(name))
  if (omnivoreLists.length > 0) return parseOmnivoreArchive(entries, omnivoreLists, decode)
  const tables = entries.filter(({ name }) => /\.csv$/iu.test(name))
  const pocket = tables
    .map((entry) => ({ file: entry.name, source: decode(entry.read()) }))
    .filter(({ source }) => isPocket(source))
  if (pocket.length > 0) return parsePocket(pocket)
  const readable = entries.filter(({ name }) => /\.(html?|json|csv|xml|opml|atom|data|txt)$/iu.test(name))
  if (readable.length === 1) return parseExchangeText(decode(readable[0]!.read()))
  throw new ExchangeError(
    readable.length === 0
      ? 'an archive without a file of bookmarks in it'
      : `an archive of ${readable.length} files: unpack it, and import them one by one`,
  )
}

function parseOmnivoreArchive(
  entries: readonly ZipEntry[],
  lists: readonly ZipEntry[],
  decode: (bytes: Uint8Array) => string,
): ParsedFile {
  const order = new Intl.Collator('en', { numeric: true })
  const byName = new Map(entries.map((entry) => [entry.name, entry]))
  const values = [...lists]
    .sort((a, b) => order.compare(a.name, b.name))
    .map((entry) => ({ file: entry.name, value: readJson(decode(entry.read())) }))
  const folder = lists[0]!.name.replace(/metadata_[^/]*$/u, '')
  return parseOmnivoreLists(values, (slug) => {
    const entry = slug === '' ? undefined : byName.get(`${folder}highlights/${slug}.md`)
    return entry ? decode(entry.read()) : ''
  })
}

/**
 * Files of other services in and out, feeds in and out, books, and everything in one file. All of it pure: text or bytes
 * in, plain data out.
 *
 *     const { format, records, refused } = parseExchangeFile(readFileSync('pinboard_export.json'))
 *     records[0] // { url: 'https://lwn.net/', tags: ['news'], private: false, readLater: true, ... }
 *     refused[0] // { place: { item: 17 }, url: 'javascript:...', why: 'javascript: is not a page of the Web' }
 */
export { parseExchangeFile, parseExchangeText, readPacked } from './detect.ts'
export { type Book, type BookChapter, type BookImage, createEpub } from './epub.ts'
export * from './everything.ts'
export { FEED_LIMITS, type Feed, type FeedItem, parseFeed, plainText } from './feed-in.ts'
export * from './feed-out.ts'
export { type ExportedBookmark, formatNetscape, parseNetscape } from './netscape.ts'
export {
  EXCHANGE_LIMITS,
  type ExchangeColor,
  ExchangeError,
  type ExchangeFeed,
  type ExchangeHighlight,
  type ExchangeRecord,
  FORMATS,
  type FormatName,
  type ParsedFile,
  type Place,
  type Refusal,
  splitTaggedComment,
  whyNotAddress,
} from './record.ts'
export { formatOpml, parseOpml } from './services/opml.ts'
export { formatIso, formatMail, parseTime } from './time.ts'
export { escapeXml } from './xml.ts'

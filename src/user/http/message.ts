/** HTTP/1 messages: heads with their limits, chunks, dates. RFC 9112; bytes off a wire never throw. */

import { decodeLatin1 } from '#base/bytes'
import { daysOfCivil } from '#base/text'
import { formatTime } from '#user/shell'

export interface Field {
  name: string
  value: string
}

/** The first of a name's fields, whatever its case. */
export function fieldOf(fields: readonly Field[], name: string): string | undefined {
  const wanted = name.toLowerCase()
  return fields.find((field) => field.name.toLowerCase() === wanted)?.value
}

/** Where a head ends, just behind its empty line; -1 if it isn't all there. */
export function headEnd(bytes: Uint8Array): number {
  for (let i = bytes.indexOf(10); i >= 0; i = bytes.indexOf(10, i + 1)) {
    if (bytes[i + 1] === 10) return i + 2
    if (bytes[i + 1] === 13 && bytes[i + 2] === 10) return i + 3
  }
  return -1
}

/** A head's lines, without their ends and the empty one. */
export function headLines(bytes: Uint8Array): string[] {
  const lines = decodeLatin1(bytes).split('\n')
  return lines.map((line) => line.replace(/\r$/, '')).filter((line, i) => line !== '' || i === 0)
}

/** `Name: value` lines; undefined if one is none. */
export function parseFields(lines: readonly string[]): Field[] | undefined {
  const fields: Field[] = []
  for (const line of lines) {
    const match = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line)
    if (!match) return undefined
    fields.push({ name: match[1]!, value: match[2]! })
  }
  return fields
}

/** `Wed, 31 Dec 2025 10:00:00 GMT` */
export function httpDate(seconds: number): string {
  return formatTime('%a, %d %b %Y %H:%M:%S GMT', seconds)
}

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'

/** Seconds since the epoch of a date in that form; undefined if it is none. */
export function parseHttpDate(text: string): number | undefined {
  const match = /^\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/.exec(text)
  if (!match) return undefined
  const month = MONTHS.indexOf(match[2]!)
  if (month < 0 || month % 3 !== 0) return undefined
  const [day, year, hour, minute, second] = [1, 3, 4, 5, 6].map((i) => Number(match[i])) as [
    number,
    number,
    number,
    number,
    number,
  ]
  return daysOfCivil(year, month / 3 + 1, day) * 86_400 + hour * 3600 + minute * 60 + second
}

/** Takes the chunks of a body apart as they come. RFC 9112 section 7.1 */
export class ChunkDecoder {
  /** 'size' is being read, or so many bytes of data are left, or the trailer. */
  #state: 'size' | 'data' | 'dataEnd' | 'trailer' | 'done' = 'size'
  #left = 0
  #line = ''
  /** What was wrong. */
  error: string | undefined

  get done(): boolean {
    return this.#state === 'done'
  }

  /** The data in some bytes; undefined if they aren't chunks. */
  push(bytes: Uint8Array): Uint8Array[] | undefined {
    const data: Uint8Array[] = []
    for (let at = 0; at < bytes.length && this.#state !== 'done'; ) {
      if (this.#state === 'data') {
        const part = bytes.subarray(at, at + this.#left)
        data.push(part)
        at += part.length
        this.#left -= part.length
        if (this.#left === 0) this.#state = 'dataEnd'
        continue
      }
      const byte = bytes[at++]!
      if (byte !== 10) {
        if (byte !== 13) this.#line += String.fromCharCode(byte)
        if (this.#line.length > 16_384) return this.#wrong('Too long hexadecimal number in chunked-encoding')
        if (this.#state === 'size' && this.#line.length === 1 && !/[\da-fA-F]/.test(this.#line)) {
          return this.#wrong('Illegal or missing hexadecimal sequence in chunked-encoding', data)
        }
        continue
      }
      const line = this.#line
      this.#line = ''
      if (this.#state === 'dataEnd') {
        if (line !== '') return this.#wrong('Malformed encoding found in chunked-encoding', data)
        this.#state = 'size'
      } else if (this.#state === 'size') {
        const match = /^([\da-fA-F]{1,13})[ \t]*(?:;.*)?$/.exec(line)
        if (!match) return this.#wrong('Illegal or missing hexadecimal sequence in chunked-encoding', data)
        this.#left = Number.parseInt(match[1]!, 16)
        this.#state = this.#left === 0 ? 'trailer' : 'data'
      } else if (line === '') this.#state = 'done'
    }
    return data
  }

  #wrong(text: string, data: Uint8Array[] = []): Uint8Array[] {
    this.error = text
    this.#state = 'done'
    return data
  }
}

const REASONS: Record<number, string> = {
  100: 'Continue',
  101: 'Switching Protocols',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Moved Temporarily',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Authorization Required',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Time-out',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Request Entity Too Large',
  414: 'Request-URI Too Large',
  415: 'Unsupported Media Type',
  416: 'Requested Range Not Satisfiable',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Temporarily Unavailable',
  504: 'Gateway Time-out',
  505: 'HTTP Version Not Supported',
  507: 'Insufficient Storage',
}

/** nginx's words for a status. */
export function reasonOf(status: number): string | undefined {
  return REASONS[status]
}

/** Text in HTML. */
export function escapeHtml(text: string, quotes = true): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return quotes ? escaped.replaceAll('"', '&quot;').replaceAll("'", '&#x27;') : escaped
}

/** %XX undone; bytes one character each. */
export function percentDecode(text: string): string {
  return text.replace(/%([\da-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** Everything but the characters given and letters and digits as %XX. */
export function percentEncode(bytes: Uint8Array, safe: string): string {
  let text = ''
  for (const byte of bytes) {
    const char = String.fromCharCode(byte)
    text +=
      byte < 0x80 && (/[A-Za-z0-9]/.test(char) || safe.includes(char))
        ? char
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}

/** What curl sends besides a head: -d, -F, -T. curl 7.88.1 src/tool_getparam.c, src/tool_formparse.c */
import { encodeUtf8 } from '#base/bytes'
import { type Body, readAll, type Sys, strerror } from '#kernel/core'
import { joined } from '#user/libc'
import { CurlError } from './connection.ts'
import type { CurlOptions } from './curl-options.ts'
import { percentEncode } from './message.ts'

export interface RequestBody {
  method: string
  bytes: Uint8Array
  type: string | undefined
  /** Fields that go along, unless the user gave them. */
  accept: string | undefined
  /** -G: it goes into the URL. */
  query: string | undefined
  /** Sent after the head, on the answer "continue" or a second's silence. */
  expect: boolean
  /** Whether it is sent in one piece with the head. */
  together: boolean
}

/** From this length on the head asks before a POST's body is sent. */
const EXPECT_POST = 1024 * 1024
const TOGETHER_MAX = 64 * 1024

const PART_TYPES: [string, string][] = [
  ['.gif', 'image/gif'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.png', 'image/png'],
  ['.svg', 'image/svg+xml'],
  ['.txt', 'text/plain'],
  ['.htm', 'text/html'],
  ['.html', 'text/html'],
  ['.pdf', 'application/pdf'],
  ['.xml', 'application/xml'],
]

function* fileBytes(sys: Sys, path: string): Body<Uint8Array> {
  let fd = 0
  if (path !== '-') {
    const opened = yield* sys.open(path)
    if (!opened.ok) throw new CurlError(26, `Failed to open ${path}: ${strerror(opened.errno)}`)
    fd = opened.value
  }
  const got = yield* readAll(sys, fd)
  if (fd !== 0) sys.close(fd)
  return got.ok ? got.value : new Uint8Array(0)
}

export function* requestBody(sys: Sys, o: CurlOptions, index: number): Body<RequestBody | undefined> {
  if (o.forms.length > 0) return yield* formBody(sys, o)
  if (o.data.length > 0) {
    const bytes = yield* dataBytes(sys, o)
    const json = o.data.some(({ kind }) => kind === 'json')
    if (o.flags.has('get')) {
      const query = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
      return {
        method: 'GET',
        bytes: new Uint8Array(0),
        type: undefined,
        accept: undefined,
        query,
        expect: false,
        together: true,
      }
    }
    return {
      method: 'POST',
      bytes,
      type: json ? 'application/json' : 'application/x-www-form-urlencoded',
      accept: json ? 'application/json' : undefined,
      query: undefined,
      expect: bytes.length > EXPECT_POST,
      together: bytes.length < TOGETHER_MAX,
    }
  }
  const upload = o.uploads[index] ?? (o.uploads.length > 0 && index === 0 ? o.uploads[0] : undefined)
  if (upload === undefined) return undefined
  const bytes = yield* fileBytes(sys, upload === '.' ? '-' : upload)
  return { method: 'PUT', bytes, type: undefined, accept: undefined, query: undefined, expect: true, together: false }
}

function* dataBytes(sys: Sys, o: CurlOptions): Body<Uint8Array> {
  const pieces: Uint8Array[] = []
  for (const { kind, text } of o.data) {
    if (pieces.length > 0 && kind !== 'json') pieces.push(Uint8Array.of(0x26))
    if (kind === 'data-raw' || (!text.startsWith('@') && kind !== 'data-urlencode')) {
      pieces.push(encodeUtf8(text))
      continue
    }
    if (kind === 'data-urlencode') {
      const at = text.search(/[=@]/)
      const name = at > 0 ? `${text.slice(0, at)}=` : ''
      const rest = at < 0 ? text : text.slice(at + 1)
      const bytes = at >= 0 && text[at] === '@' ? yield* fileBytes(sys, rest) : encodeUtf8(rest)
      // Blanks become +, as forms have it.
      pieces.push(encodeUtf8(name + percentEncode(bytes, '-._~').replaceAll('%20', '+')))
      continue
    }
    const bytes = yield* fileBytes(sys, text.slice(1))
    pieces.push(
      kind === 'data-binary' || kind === 'json'
        ? bytes
        : bytes.filter((byte) => byte !== 10 && byte !== 13 && byte !== 0),
    )
  }
  return joined(pieces)
}

function* formBody(sys: Sys, o: CurlOptions): Body<RequestBody> {
  const random = Array.from(sys.getrandom(8), (byte: number) => byte.toString(16).padStart(2, '0')).join('')
  const boundary = `------------------------${random}`
  const pieces: Uint8Array[] = []
  for (const { kind, text } of o.forms) {
    const at = text.indexOf('=')
    if (at < 0) throw new CurlError(2, 'Illegally formatted input field')
    const name = text.slice(0, at)
    let value = text.slice(at + 1)
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${name.replaceAll('"', '%22')}"`
    let content: Uint8Array
    if (kind === 'form' && /^[@<]/.test(value)) {
      const file = value.startsWith('@')
      const [path = '', ...attributes] = value.slice(1).split(';')
      content = yield* fileBytes(sys, path)
      let type: string | undefined =
        PART_TYPES.find(([suffix]) => path.toLowerCase().endsWith(suffix))?.[1] ?? 'application/octet-stream'
      let shown = path.split('/').pop() ?? ''
      for (const attribute of attributes) {
        const [key, its = ''] = attribute.split('=')
        if (key?.trim() === 'type') type = its
        else if (key?.trim() === 'filename') shown = its.replace(/^"|"$/g, '')
      }
      if (file) head += `; filename="${shown}"\r\nContent-Type: ${type}`
    } else {
      let type: string | undefined
      const typed = kind === 'form' ? /^(.*);type=([^;]+)$/s.exec(value) : null
      if (typed) [, value, type] = typed as unknown as [string, string, string]
      content = encodeUtf8(value)
      if (type) head += `\r\nContent-Type: ${type}`
    }
    pieces.push(encodeUtf8(`${head}\r\n\r\n`), content, encodeUtf8('\r\n'))
  }
  pieces.push(encodeUtf8(`--${boundary}--\r\n`))
  const bytes = joined(pieces)
  return {
    method: 'POST',
    bytes,
    type: `multipart/form-data; boundary=${boundary}`,
    accept: undefined,
    query: undefined,
    expect: bytes.length > EXPECT_POST,
    together: false,
  }
}

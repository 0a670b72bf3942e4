/**
 * A message of the cluster: fields in order, each a text or bytes. Two forms: `name=value` lines between `>>>` and `<<<`,
 * which scripts write into the FIFO and signatures are made over; and netstrings between `###` and `%%%`, which go over the
 * wire. cluster-glue 1.0.12 lib/clplumbing/cl_msg.c, cl_netstring.c
 */
import { decodeLatin1, encodeLatin1 } from '#base/bytes'

const MESSAGE_MAX = 1024 * 1024
const FIELDS_MAX = 200
const NAME_MAX = 255

/** What a field holds: a text, or bytes (a UUID). Types 2 to 5 (structures, lists, compressed ones) aren't in what heartbeat itself sends. */
export type FieldValue = string | Uint8Array

export class HaMessage {
  readonly fields: { name: string; value: FieldValue }[] = []

  /** Of texts in the order given. */
  static of(fields: Record<string, string>): HaMessage {
    const message = new HaMessage()
    for (const [name, value] of Object.entries(fields)) message.set(name, value)
    return message
  }

  /** A text, if there is one of that name. */
  get(name: string): string | undefined {
    const found = this.fields.find((field) => field.name === name)?.value
    return typeof found === 'string' ? found : undefined
  }

  bytes(name: string): Uint8Array | undefined {
    const found = this.fields.find((field) => field.name === name)?.value
    return typeof found === 'object' ? found : undefined
  }

  /** Changes it where it stands, or adds it at the end. */
  set(name: string, value: FieldValue): void {
    const found = this.fields.find((field) => field.name === name)
    if (found) found.value = value
    else this.fields.push({ name, value })
  }

  copy(): HaMessage {
    const copy = new HaMessage()
    for (const { name, value } of this.fields) copy.fields.push({ name, value })
    return copy
  }
}

/** Signs: the number of a key and what it makes of the bytes. */
export type Signer = (bytes: Uint8Array) => { number: number; token: string } | undefined

/** The lines without their frame and without `auth`: what the field `auth` signs. */
export function signedLines(message: HaMessage): Uint8Array {
  return encodeLatin1(
    message.fields
      .filter(({ name }) => name !== 'auth')
      .map(line)
      .join(''),
  )
}

/** `>>>`, lines, `<<<`. */
export function formatLines(message: HaMessage): string {
  return `>>>\n${message.fields.map(line).join('')}<<<\n`
}

function line({ name, value }: { name: string; value: FieldValue }): string {
  return typeof value === 'string' ? `${name}=${value}\n` : `(1)${name}=${base64(value)}\n`
}

/** A message's lines as a script wrote them; undefined if they aren't one. */
export function parseLines(text: string): HaMessage | undefined {
  const message = new HaMessage()
  for (const each of text.split('\n')) {
    if (each === '' || each === '>>>' || each === '<<<') continue
    const at = each.indexOf('=')
    if (at <= 0 || message.fields.length >= FIELDS_MAX) return undefined
    message.set(each.slice(0, at), each.slice(at + 1))
  }
  return message.fields.length > 0 ? message : undefined
}

/** As it is sent: the netstrings of its fields, and one with their signature. */
export function emitMessage(message: HaMessage, sign: Signer): Uint8Array {
  const body = message.fields.map(({ name, value }) => {
    const text = typeof value === 'string' ? `(0)${name}=${value}` : `(1)${name}=${decodeLatin1(value)}`
    return `${text.length}:${text},`
  })
  const payload = `###\n${body.join('')}%%%\n`
  const signature = sign(encodeLatin1(payload))
  const auth = signature ? `${signature.number} ${signature.token}` : ''
  return encodeLatin1(signature ? `${payload}${auth.length}:${auth},` : payload)
}

/** What came off the wire, with its signature still to be looked at; undefined unless it is a message. Never throws. */
export function parseMessage(
  bytes: Uint8Array,
): { message: HaMessage; payload: Uint8Array; number: number; token: string } | undefined {
  if (bytes.length < 8 || bytes.length > MESSAGE_MAX) return undefined
  const text = decodeLatin1(bytes)
  if (!text.startsWith('###\n')) return undefined
  const message = new HaMessage()
  let at = 4
  while (!text.startsWith('%%%\n', at)) {
    const field = peel(text, at)
    const match = field && /^\(([01])\)([^=]*)=/.exec(field.text.slice(0, NAME_MAX))
    if (!field || !match || match[2] === '' || message.fields.length >= FIELDS_MAX) return undefined
    const value = field.text.slice(match[0].length)
    message.fields.push({ name: match[2]!, value: match[1] === '0' ? value : encodeLatin1(value) })
    at = field.end
  }
  at += 4
  const signature = peel(text, at)
  const auth = signature && /^(\d{1,4}) (\S+)/.exec(signature.text)
  if (!auth || message.fields.length === 0) return undefined
  return { message, payload: bytes.slice(0, at), number: Number(auth[1]), token: auth[2]! }
}

/** `LENGTH:TEXT,` */
function peel(text: string, at: number): { text: string; end: number } | undefined {
  const match = /^(\d{1,7}):/.exec(text.slice(at, at + 8))
  if (!match) return undefined
  const from = at + match[0].length
  const end = from + Number(match[1])
  if (end >= text.length || text[end] !== ',') return undefined
  return { text: text.slice(from, end), end: end + 1 }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

function base64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const word = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    const digits = [18, 12, 6, 0].map((by) => ALPHABET[(word >> by) & 63]!)
    text += digits
      .slice(0, Math.min(4, bytes.length - i + 1))
      .join('')
      .padEnd(4, '=')
  }
  return text
}

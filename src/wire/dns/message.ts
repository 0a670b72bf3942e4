/**
 * A DNS message: header, question, three sections of records. Bytes off a wire never throw, and nothing in them makes the
 * parser take long: records are counted against the bytes that are there. RFC 1035 section 4.
 */
import { labelsOf, parseName } from './name.ts'
import { DNS_TYPES } from './types.ts'

export interface DnsQuestion {
  name: string
  type: number
  class: number
}

/** What a record says, by the type's form. */
export type DnsData =
  | { kind: 'a'; address: number }
  | { kind: 'aaaa'; address: Uint8Array }
  | { kind: 'name'; name: string }
  | {
      kind: 'soa'
      primary: string
      mailbox: string
      serial: number
      refresh: number
      retry: number
      expire: number
      minimum: number
    }
  | { kind: 'mx'; preference: number; exchange: string }
  | { kind: 'txt'; texts: Uint8Array[] }
  | { kind: 'srv'; priority: number; weight: number; port: number; target: string }
  | { kind: 'caa'; flags: number; tag: string; value: Uint8Array }
  | { kind: 'raw'; bytes: Uint8Array }

export interface DnsRecord {
  name: string
  type: number
  class: number
  ttl: number
  data: DnsData
}

/** The pseudo-record OPT. RFC 6891. */
export interface DnsEdns {
  udpSize: number
  /** Upper bits of the response code. */
  extendedRcode: number
  version: number
  dnssecOk: boolean
  options: { code: number; data: Uint8Array }[]
}

export interface DnsMessage {
  id: number
  response: boolean
  opcode: number
  authoritative: boolean
  truncated: boolean
  recursionDesired: boolean
  recursionAvailable: boolean
  authenticData: boolean
  checkingDisabled: boolean
  rcode: number
  questions: DnsQuestion[]
  answers: DnsRecord[]
  authorities: DnsRecord[]
  additionals: DnsRecord[]
  edns?: DnsEdns
}

const HEADER = 12
const { NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, DNAME, OPT, CAA, A, SPF } = DNS_TYPES as Record<string, number>

export function parseDns(bytes: Uint8Array): DnsMessage | undefined {
  if (bytes.length < HEADER) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const flags = view.getUint16(2)
  const message: DnsMessage = {
    id: view.getUint16(0),
    response: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 15,
    authoritative: (flags & 0x0400) !== 0,
    truncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    authenticData: (flags & 0x0020) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
    rcode: flags & 15,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
  }
  let at = HEADER
  for (let left = view.getUint16(4); left > 0; left--) {
    const name = parseName(bytes, at)
    if (!name || name.next + 4 > bytes.length) return undefined
    message.questions.push({ name: name.name, type: view.getUint16(name.next), class: view.getUint16(name.next + 2) })
    at = name.next + 4
  }
  const sections = [message.answers, message.authorities, message.additionals]
  for (const [i, section] of sections.entries()) {
    for (let left = view.getUint16(6 + 2 * i); left > 0; left--) {
      const name = parseName(bytes, at)
      if (!name || name.next + 10 > bytes.length) return undefined
      const type = view.getUint16(name.next)
      const start = name.next + 10
      const end = start + view.getUint16(name.next + 8)
      if (end > bytes.length) return undefined
      if (type === OPT) {
        const edns = parseEdns(view, bytes, name.next, start, end)
        if (!edns || message.edns || i !== 2) return undefined
        message.edns = edns
      } else {
        const data = parseData(bytes, view, type, start, end)
        if (!data) return undefined
        section.push({
          name: name.name,
          type,
          class: view.getUint16(name.next + 2),
          ttl: view.getUint32(name.next + 4),
          data,
        })
      }
      at = end
    }
  }
  return message
}

function parseEdns(view: DataView, bytes: Uint8Array, head: number, start: number, end: number): DnsEdns | undefined {
  const options: DnsEdns['options'] = []
  for (let at = start; at < end; ) {
    if (at + 4 > end) return undefined
    const next = at + 4 + view.getUint16(at + 2)
    if (next > end) return undefined
    options.push({ code: view.getUint16(at), data: bytes.slice(at + 4, next) })
    at = next
  }
  return {
    udpSize: view.getUint16(head + 2),
    extendedRcode: view.getUint8(head + 4),
    version: view.getUint8(head + 5),
    dnssecOk: (view.getUint16(head + 6) & 0x8000) !== 0,
    options,
  }
}

function parseData(bytes: Uint8Array, view: DataView, type: number, start: number, end: number): DnsData | undefined {
  const length = end - start
  const nameAt = (at: number) => {
    const name = parseName(bytes, at)
    return name && name.next <= end ? name : undefined
  }
  switch (type) {
    case A:
      return length === 4 ? { kind: 'a', address: view.getUint32(start) } : undefined
    case AAAA:
      return length === 16 ? { kind: 'aaaa', address: bytes.slice(start, end) } : undefined
    case NS:
    case CNAME:
    case PTR:
    case DNAME: {
      const name = nameAt(start)
      return name && name.next === end ? { kind: 'name', name: name.name } : undefined
    }
    case SOA: {
      const primary = nameAt(start)
      const mailbox = primary && nameAt(primary.next)
      if (!primary || !mailbox || mailbox.next + 20 !== end) return undefined
      const [serial, refresh, retry, expire, minimum] = [0, 4, 8, 12, 16].map((at) => view.getUint32(mailbox.next + at))
      return {
        kind: 'soa',
        primary: primary.name,
        mailbox: mailbox.name,
        serial: serial!,
        refresh: refresh!,
        retry: retry!,
        expire: expire!,
        minimum: minimum!,
      }
    }
    case MX: {
      const exchange = length > 2 ? nameAt(start + 2) : undefined
      return exchange && exchange.next === end
        ? { kind: 'mx', preference: view.getUint16(start), exchange: exchange.name }
        : undefined
    }
    case SRV: {
      const target = length > 6 ? nameAt(start + 6) : undefined
      if (!target || target.next !== end) return undefined
      const [priority, weight, port] = [0, 2, 4].map((at) => view.getUint16(start + at))
      return { kind: 'srv', priority: priority!, weight: weight!, port: port!, target: target.name }
    }
    case TXT:
    case SPF: {
      const texts: Uint8Array[] = []
      for (let at = start; at < end; ) {
        const next = at + 1 + bytes[at]!
        if (next > end) return undefined
        texts.push(bytes.slice(at + 1, next))
        at = next
      }
      return length > 0 ? { kind: 'txt', texts } : undefined
    }
    case CAA: {
      const size = bytes[start + 1] ?? 0
      if (length < 2 || size === 0 || start + 2 + size > end) return undefined
      const tag = String.fromCharCode(...bytes.subarray(start + 2, start + 2 + size))
      return { kind: 'caa', flags: bytes[start]!, tag, value: bytes.slice(start + 2 + size, end) }
    }
    default:
      return { kind: 'raw', bytes: bytes.slice(start, end) }
  }
}

/** Grows as it is written; names are shortened by what stands before them. */
class Writer {
  #bytes = new Uint8Array(512)
  length = 0
  /** Where a name, by its labels, stands. */
  readonly #names = new Map<string, number>()

  #room(more: number): void {
    if (this.length + more <= this.#bytes.length) return
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + more))
    bytes.set(this.#bytes)
    this.#bytes = bytes
  }

  u8(value: number): void {
    this.#room(1)
    this.#bytes[this.length++] = value
  }

  u16(value: number): void {
    this.u8(value >>> 8)
    this.u8(value & 255)
  }

  u32(value: number): void {
    this.u16(value >>> 16)
    this.u16(value & 0xffff)
  }

  put(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  name(name: string, compress = true): void {
    const labels = labelsOf(name) ?? []
    for (let i = 0; i < labels.length; i++) {
      const key = labels
        .slice(i)
        .map((label) => String.fromCharCode(...label).toLowerCase())
        .join('\0')
      const known = this.#names.get(key)
      if (known !== undefined && compress) {
        this.u16(0xc000 | known)
        return
      }
      if (known === undefined && this.length < 0x4000) this.#names.set(key, this.length)
      this.u8(labels[i]!.length)
      this.put(labels[i]!)
    }
    this.u8(0)
  }

  /** A length of two bytes, and what it counts. */
  counted(write: () => void): void {
    const at = this.length
    this.u16(0)
    write()
    const size = this.length - at - 2
    this.#bytes[at] = size >>> 8
    this.#bytes[at + 1] = size & 255
  }

  end(): Uint8Array {
    return this.#bytes.slice(0, this.length)
  }
}

export function emitDns(message: DnsMessage): Uint8Array {
  const writer = new Writer()
  writer.u16(message.id)
  writer.u16(
    (message.response ? 0x8000 : 0) |
      (message.opcode << 11) |
      (message.authoritative ? 0x0400 : 0) |
      (message.truncated ? 0x0200 : 0) |
      (message.recursionDesired ? 0x0100 : 0) |
      (message.recursionAvailable ? 0x0080 : 0) |
      (message.authenticData ? 0x0020 : 0) |
      (message.checkingDisabled ? 0x0010 : 0) |
      (message.rcode & 15),
  )
  const { questions, answers, authorities, additionals, edns } = message
  writer.u16(questions.length)
  writer.u16(answers.length)
  writer.u16(authorities.length)
  writer.u16(additionals.length + (edns ? 1 : 0))
  for (const question of questions) {
    writer.name(question.name)
    writer.u16(question.type)
    writer.u16(question.class)
  }
  for (const record of [...answers, ...authorities, ...additionals]) {
    writer.name(record.name)
    writer.u16(record.type)
    writer.u16(record.class)
    writer.u32(record.ttl)
    writer.counted(() => emitData(writer, record.data))
  }
  if (edns) {
    writer.u8(0)
    writer.u16(OPT!)
    writer.u16(edns.udpSize)
    writer.u8(edns.extendedRcode)
    writer.u8(edns.version)
    writer.u16(edns.dnssecOk ? 0x8000 : 0)
    writer.counted(() => {
      for (const { code, data } of edns.options) {
        writer.u16(code)
        writer.u16(data.length)
        writer.put(data)
      }
    })
  }
  return writer.end()
}

/** Names in the data are written in full, as dnsmasq does; those of the records' owners are shortened. */
function emitData(writer: Writer, data: DnsData): void {
  switch (data.kind) {
    case 'a':
      writer.u32(data.address)
      break
    case 'aaaa':
      writer.put(data.address)
      break
    case 'name':
      writer.name(data.name, false)
      break
    case 'soa':
      writer.name(data.primary, false)
      writer.name(data.mailbox, false)
      for (const value of [data.serial, data.refresh, data.retry, data.expire, data.minimum]) writer.u32(value)
      break
    case 'mx':
      writer.u16(data.preference)
      writer.name(data.exchange, false)
      break
    case 'srv':
      writer.u16(data.priority)
      writer.u16(data.weight)
      writer.u16(data.port)
      writer.name(data.target, false)
      break
    case 'txt':
      for (const text of data.texts) {
        writer.u8(text.length)
        writer.put(text)
      }
      break
    case 'caa':
      writer.u8(data.flags)
      writer.u8(data.tag.length)
      writer.put(Uint8Array.from(data.tag, (char) => char.charCodeAt(0)))
      writer.put(data.value)
      break
    case 'raw':
      writer.put(data.bytes)
      break
  }
}

/** A question to a resolver: recursion desired, nothing else. */
export function dnsQuery(id: number, name: string, type: number): DnsMessage {
  return {
    id,
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: 0,
    questions: [{ name, type, class: 1 }],
    answers: [],
    authorities: [],
    additionals: [],
  }
}

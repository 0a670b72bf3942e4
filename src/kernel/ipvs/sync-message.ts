/**
 * What directors tell each other: datagrams of a header and a number of connections. Version 1 has IPv6, firewall marks,
 * timeouts and options; version 0 is older, and begins with a number that is never 0, where version 1 has 0.
 *
 *     const parsed = parseSyncMessage(bytes)
 *     if (parsed.version === 1) for (const conn of parsed.conns) console.log(conn.cport)
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_sync.c: struct ip_vs_sync_mesg, ip_vs_sync_v4, ip_vs_sync_v6, ip_vs_sync_conn_v0.
 */
import { ipv6Bytes, readIpv6 } from '#wire/inet'
import type { Seq } from './conn.ts'
import {
  AF_INET,
  AF_INET6,
  type Family,
  type InetAddr,
  IP_VS_CONN_F_NO_CPORT,
  IP_VS_CONN_F_ONE_PACKET,
  IP_VS_CONN_F_SEQ_MASK,
  IP_VS_CONN_F_TEMPLATE,
} from './uapi.ts'

/** The headers of the two versions. */
export const HEADER_V1 = 8
export const HEADER_V0 = 4
const VERSION = 1
const CONN_V0 = 24
const CONN_V4 = 36
const CONN_V6 = 72
/** Of both directions: first number, what is added behind it, what was added before. */
const SEQS = 24
const TYPE_INET6 = 1
const SIZE_MASK = 0x0fff
const VERSION_SHIFT = 12

const OPT_SEQ_DATA = 1
const OPT_PE_DATA = 2
const OPT_PE_NAME = 3
/** Set: whoever doesn't know the option may pass over it. */
const OPT_OPTIONAL = 0x40
const PE_DATA_MAX = 255
const PE_NAME_MAX = 16

/** A connection as it is told. */
export interface SyncConn {
  af: Family
  protocol: number
  /** IP_VS_CONN_F_*. */
  flags: number
  state: number
  caddr: InetAddr
  cport: number
  vaddr: InetAddr
  vport: number
  daddr: InetAddr
  dport: number
  /** 0 in version 0. */
  fwmark: number
  /** Seconds; 0 in version 0. */
  timeout: number
  seqs?: { in: Seq; out: Seq }
  pe?: { name: string; data: Uint8Array }
}

/** How much room a connection takes, its padding not counted. */
export function lengthOf(conn: SyncConn, version: number): number {
  const seqs = conn.flags & IP_VS_CONN_F_SEQ_MASK ? SEQS : 0
  if (version === 0) return CONN_V0 + seqs
  let length = conn.af === AF_INET6 ? CONN_V6 : CONN_V4
  if (seqs > 0) length += seqs + 2
  if (conn.pe) length += conn.pe.data.length + 2 + conn.pe.name.length + 2
  return length
}

/** Writes a header without connections. */
export function emitHeader(bytes: Uint8Array, version: number, syncId: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  bytes[1] = syncId
  view.setUint16(2, version === 0 ? HEADER_V0 : HEADER_V1)
  if (version !== 0) bytes[5] = VERSION
}

/** Writes a connection behind what is there, and counts it in the header; `at` is where the padding before it begins. */
export function emitConn(bytes: Uint8Array, at: number, conn: SyncConn, version: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const begin = version === 0 ? at : (at + 3) & ~3
  const end = begin + lengthOf(conn, version)
  if (version === 0) emitV0(view, begin, conn)
  else emitV1(view, begin, end - begin, conn)
  const count = version === 0 ? 0 : 4
  view.setUint8(count, (view.getUint8(count) + 1) & 0xff)
  view.setUint16(2, end)
  return end
}

function emitAddress(view: DataView, at: number, addr: InetAddr): number {
  if (typeof addr === 'number') {
    view.setUint32(at, addr)
    return at + 4
  }
  new Uint8Array(view.buffer, view.byteOffset).set(ipv6Bytes(addr), at)
  return at + 16
}

function emitV0(view: DataView, at: number, conn: SyncConn): void {
  view.setUint8(at + 1, conn.protocol)
  view.setUint16(at + 2, conn.cport)
  view.setUint16(at + 4, conn.vport)
  view.setUint16(at + 6, conn.dport)
  let next = emitAddress(view, at + 8, conn.caddr)
  next = emitAddress(view, next, conn.vaddr)
  next = emitAddress(view, next, conn.daddr)
  view.setUint16(next, conn.flags & 0xffff)
  view.setUint16(next + 2, conn.state)
  // In the order of the machine's bytes, as they stand in its memory.
  if (conn.flags & IP_VS_CONN_F_SEQ_MASK) emitSeqs(view, next + 4, conn, true)
}

function emitV1(view: DataView, at: number, length: number, conn: SyncConn): void {
  view.setUint8(at, conn.af === AF_INET6 ? TYPE_INET6 : 0)
  view.setUint8(at + 1, conn.protocol)
  view.setUint16(at + 2, length & SIZE_MASK)
  view.setUint32(at + 4, conn.flags)
  view.setUint16(at + 8, conn.state)
  view.setUint16(at + 10, conn.cport)
  view.setUint16(at + 12, conn.vport)
  view.setUint16(at + 14, conn.dport)
  view.setUint32(at + 16, conn.fwmark)
  view.setUint32(at + 20, conn.timeout)
  let next = emitAddress(view, at + 24, conn.caddr)
  next = emitAddress(view, next, conn.vaddr)
  next = emitAddress(view, next, conn.daddr)
  const option = (type: number, bytes: number) => {
    view.setUint8(next, type)
    view.setUint8(next + 1, bytes)
    next += 2 + bytes
    return next - bytes
  }
  if (conn.flags & IP_VS_CONN_F_SEQ_MASK) emitSeqs(view, option(OPT_SEQ_DATA, SEQS), conn, false)
  if (!conn.pe) return
  const all = new Uint8Array(view.buffer, view.byteOffset)
  all.set(conn.pe.data, option(OPT_PE_DATA, conn.pe.data.length))
  const { name } = conn.pe
  const from = option(OPT_PE_NAME, name.length)
  for (let i = 0; i < name.length; i++) all[from + i] = name.charCodeAt(i)
}

const NO_SEQ: Seq = { initSeq: 0, delta: 0, previousDelta: 0 }

function emitSeqs(view: DataView, at: number, conn: SyncConn, little: boolean): void {
  for (const [i, seq] of [conn.seqs?.in ?? NO_SEQ, conn.seqs?.out ?? NO_SEQ].entries()) {
    view.setUint32(at + 12 * i, seq.initSeq, little)
    view.setUint32(at + 12 * i + 4, seq.delta, little)
    view.setUint32(at + 12 * i + 8, seq.previousDelta, little)
  }
}

function readSeqs(view: DataView, at: number, little: boolean): { in: Seq; out: Seq } {
  const read = (from: number): Seq => ({
    initSeq: view.getUint32(from, little),
    delta: view.getUint32(from + 4, little),
    previousDelta: view.getUint32(from + 8, little),
  })
  return { in: read(at), out: read(at + 12) }
}

/** What a datagram says. */
export interface SyncMessage {
  syncId: number
  version: 0 | 1
  /** Those that can be read. */
  conns: SyncConn[]
  /** Why the rest can't, in the kernel's words for its log. */
  dropped?: string
}

/** undefined: it isn't one, and not even worth a word. Bytes off a wire never throw. ip_vs_process_message(). */
export function parseSyncMessage(bytes: Uint8Array): SyncMessage | undefined {
  if (bytes.length < HEADER_V0) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint16(2) !== bytes.length) return undefined
  const first = view.getUint8(0)
  const syncId = view.getUint8(1)
  const isV1 = bytes.length >= HEADER_V1 && first === 0 && view.getUint8(5) === VERSION && view.getUint16(6) === 0
  const message: SyncMessage = { syncId, version: isV1 ? 1 : 0, conns: [] }
  if (isV1) parseV1(view, view.getUint8(4), message)
  else parseV0(view, first, message)
  return message
}

function parseV0(view: DataView, count: number, message: SyncMessage): void {
  let at = HEADER_V0
  for (let i = 0; i < count; i++) {
    if (at + CONN_V0 > view.byteLength) {
      message.dropped = 'BACKUP v0, bogus conn'
      return
    }
    const flags = view.getUint16(at + 20)
    const begin = at
    const hasSeqs = (flags & IP_VS_CONN_F_SEQ_MASK) !== 0
    at += CONN_V0 + (hasSeqs ? SEQS : 0)
    if (at > view.byteLength) {
      message.dropped = 'BACKUP v0, Dropping buffer bogus conn options'
      return
    }
    if (!mayBe(flags)) continue
    message.conns.push({
      af: AF_INET,
      protocol: view.getUint8(begin + 1),
      cport: view.getUint16(begin + 2),
      vport: view.getUint16(begin + 4),
      dport: view.getUint16(begin + 6),
      caddr: view.getUint32(begin + 8),
      vaddr: view.getUint32(begin + 12),
      daddr: view.getUint32(begin + 16),
      flags,
      state: view.getUint16(begin + 22),
      fwmark: 0,
      timeout: 0,
      ...(hasSeqs ? { seqs: readSeqs(view, begin + CONN_V0, true) } : {}),
    })
  }
}

/** What no director tells of. ip_vs_sync_validate_flags(). */
function mayBe(flags: number): boolean {
  if (flags & IP_VS_CONN_F_NO_CPORT && flags & IP_VS_CONN_F_TEMPLATE) return false
  return (flags & IP_VS_CONN_F_ONE_PACKET) === 0
}

function parseV1(view: DataView, count: number, message: SyncMessage): void {
  let at = HEADER_V1
  for (let i = 0; i < count; i++) {
    if (at + CONN_V4 > view.byteLength) {
      message.dropped = 'BACKUP, Dropping buffer, too small'
      return
    }
    const sized = view.getUint16(at + 2)
    const size = sized & SIZE_MASK
    if (at + size > view.byteLength) {
      message.dropped = 'BACKUP, Dropping buffer, msg > buffer'
      return
    }
    if (sized >> VERSION_SHIFT !== 0) {
      message.dropped = `BACKUP, Dropping buffer, Unknown version ${sized >> VERSION_SHIFT}`
      return
    }
    const conn = parseConn(view, at, at + size)
    if (typeof conn === 'number') {
      message.dropped = `BACKUP, Dropping buffer, Err: ${conn} in decoding`
      return
    }
    if (conn !== undefined) message.conns.push(conn)
    at += (size + 3) & ~3
  }
}

/** A number below 0: nothing more can be read. undefined: this one is passed over. ip_vs_proc_sync_conn(). */
function parseConn(view: DataView, begin: number, end: number): SyncConn | number | undefined {
  const type = view.getUint8(begin)
  if (type !== 0 && !(type & TYPE_INET6)) return -10
  const v6 = type !== 0
  let at = begin + (v6 ? CONN_V6 : CONN_V4)
  if (at > end) return -20
  const options = parseOptions(view, at, end)
  if (options === undefined || typeof options === 'number') return options
  const flags = view.getUint32(begin + 4)
  if (!mayBe(flags)) return undefined
  // A persistence engine's data without its name mean nothing.
  if (options.data && options.name === undefined) return undefined
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  at = begin + 24
  const address = (n: number): InetAddr => (v6 ? readIpv6(bytes, at + 16 * n) : view.getUint32(at + 4 * n))
  return {
    af: v6 ? AF_INET6 : AF_INET,
    protocol: view.getUint8(begin + 1),
    flags,
    state: view.getUint16(begin + 8),
    cport: view.getUint16(begin + 10),
    vport: view.getUint16(begin + 12),
    dport: view.getUint16(begin + 14),
    fwmark: view.getUint32(begin + 16),
    timeout: view.getUint32(begin + 20),
    caddr: address(0),
    vaddr: address(1),
    daddr: address(2),
    ...(options.seqs ? { seqs: options.seqs } : {}),
    ...(options.data ? { pe: { name: options.name!, data: options.data } } : {}),
  }
}

interface Options {
  seqs?: { in: Seq; out: Seq }
  data?: Uint8Array
  name?: string
}

function parseOptions(view: DataView, from: number, end: number): Options | number | undefined {
  const found: Options = {}
  let at = from
  while (at < end) {
    if (at + 2 > end) return -30
    const type = view.getUint8(at)
    const length = view.getUint8(at + 1)
    at += 2
    if (length === 0 || at + length > end) return -40
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length)
    switch (type & ~OPT_OPTIONAL) {
      case OPT_SEQ_DATA:
        if (length !== SEQS || found.seqs) return -50
        found.seqs = readSeqs(view, at, false)
        break
      case OPT_PE_DATA:
        if (length > PE_DATA_MAX || found.data) return -60
        found.data = bytes.slice()
        break
      case OPT_PE_NAME:
        if (length > PE_NAME_MAX || found.name !== undefined) return -70
        found.name = String.fromCharCode(...bytes).replace(/\0.*$/s, '')
        break
      default:
        if (!(type & OPT_OPTIONAL)) return undefined
    }
    at += length
  }
  return found
}

/**
 * SYN cookies: when the queue of requests is full, the SYN-ACK's number remembers the request.
 * Linux 6.1 net/ipv4/syncookies.c; RFC 4987 section 3.6.
 */
import type { Packet } from '#wire/inet'
import { HZ } from '../jiffies.ts'
import type { TcpHost } from './host.ts'
import type { Request } from './request.ts'
import type { Address } from './sock.ts'

const MSS_TABLE = [536, 1300, 1440, 1460]
/** For so many minutes a cookie is good. MAX_SYNCOOKIE_AGE. */
const AGE_MAX = 2
/** For so long after the queue was full cookies are believed in, in jiffies. TCP_SYNCOOKIE_VALID. */
export const COOKIE_VALID = AGE_MAX * 60 * HZ
/** What a timestamp's low bits remember. TS_OPT_*. */
const TS_BITS = 6
const TS_WSCALE_MASK = 15
const TS_SACK = 16
const TS_ECN = 32

function minutes(tcp: TcpHost): number {
  return Math.floor(tcp.jiffies / (60 * HZ)) & 0xff
}

function cookieHash(
  tcp: TcpHost,
  remote: Address,
  local: Address,
  ports: number,
  count: number,
  which: number,
): number {
  return tcp.hash(remote, local, ports ^ Math.imul(count, 0x9e3779b1), 16 + which)
}

/** The SYN-ACK's number; the request's MSS becomes one that the cookie can say. */
export function cookieSequence(tcp: TcpHost, request: Request): number {
  let index = MSS_TABLE.length - 1
  while (index > 0 && request.mss < MSS_TABLE[index]!) index--
  request.mss = MSS_TABLE[index]!
  tcp.counters.SyncookiesSent++
  const ports = (request.remotePort << 16) | request.localPort
  const count = minutes(tcp)
  const first = cookieHash(tcp, request.remote, request.local, ports, 0, 0)
  const second = cookieHash(tcp, request.remote, request.local, ports, count, 1)
  return (first + request.rcvIsn + (count << 24) + ((second + index) & 0xffffff)) | 0
}

/** The MSS that an acknowledgement's cookie stands for; 0: it is none. */
export function checkCookie(tcp: TcpHost, packet: Packet, remote: Address, local: Address): number {
  const cookie = (packet.ack - 1) | 0
  const isn = (packet.seq - 1) | 0
  const ports = (packet.srcPort << 16) | packet.dstPort
  const first = cookieHash(tcp, remote, local, ports, 0, 0)
  const rest = (cookie - first - isn) | 0
  const now = minutes(tcp)
  const age = (now - (rest >>> 24)) & 0xff
  if (age >= AGE_MAX) return 0
  const second = cookieHash(tcp, remote, local, ports, (now - age) & 0xff, 1)
  const index = (rest - second) & 0xffffff
  return index < MSS_TABLE.length ? MSS_TABLE[index]! : 0
}

/** A timestamp of about now whose low bits say what was agreed on. cookie_init_timestamp(). */
export function cookieTimestamp(request: Request, nowMs: number): number {
  let options = request.wscaleOk ? request.sndWscale : TS_WSCALE_MASK
  if (request.sackOk) options |= TS_SACK
  if (request.ecnOk) options |= TS_ECN
  const low = 1 << TS_BITS
  const stamp = Math.floor(nowMs / low) * low + options
  return (stamp > nowMs ? stamp - low : stamp) | 0
}

/** What an echoed timestamp says was agreed on. cookie_timestamp_decode(). */
export function decodeTimestamp(request: Request, echoed: number): void {
  const options = echoed & ((1 << TS_BITS) - 1)
  request.sackOk = (options & TS_SACK) !== 0
  request.wscaleOk = (options & TS_WSCALE_MASK) !== TS_WSCALE_MASK
  request.sndWscale = request.wscaleOk ? options & TS_WSCALE_MASK : 0
  request.ecnOk = false
}

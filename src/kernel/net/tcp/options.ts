/**
 * Options of a segment that came in, and of one that goes out. Linux 6.1 net/ipv4/tcp_input.c: tcp_parse_options(),
 * net/ipv4/tcp_output.c: tcp_options_write(). RFC 9293 section 3.2, RFC 2018, RFC 7323.
 */
import type { Packet } from '#wire/inet'
import { MAX_OPTIONS, MAX_WSCALE, SYN } from './constants.ts'
import type { TcpSysctls } from './sysctls.ts'

/** What is read of every segment. */
export interface TimestampOption {
  sawTstamp: boolean
  rcvTsval: number
  rcvTsecr: number
}

/** What a SYN says besides. */
export interface SynOptions extends TimestampOption {
  mssClamp: number
  userMss: number
  wscaleOk: boolean
  sackOk: boolean
  tstampOk: boolean
  sndWscale: number
}

/** Where a segment's SACK blocks stand in `packet.tcpOptions` after parseOptions: offset and number; 0: none. */
export const sackBlocks = { at: 0, count: 0 }

/**
 * Reads a segment's options; into `syn` what only a SYN of a connection that isn't established says.
 *
 * @param stamps whether timestamps count: those of an established connection that has agreed on them, else the host's setting
 */
export function parseOptions(
  into: TimestampOption,
  packet: Packet,
  stamps: boolean,
  syn?: SynOptions,
  sysctls?: Readonly<TcpSysctls>,
): void {
  sackBlocks.count = 0
  into.sawTstamp = false
  if (packet.tcpTimestamps && stamps) {
    into.sawTstamp = true
    into.rcvTsval = packet.tsVal | 0
    into.rcvTsecr = packet.tsEcr | 0
  }
  const bytes = packet.tcpOptions
  if (bytes === undefined) return
  const isSyn = (packet.tcpFlags & SYN) !== 0
  let at = 0
  while (at < bytes.length) {
    const kind = bytes[at]!
    if (kind === 0) return
    if (kind === 1) {
      at++
      continue
    }
    const length = at + 1 < bytes.length ? bytes[at + 1]! : 0
    if (length < 2 || at + length > bytes.length) return
    if (kind === 2) {
      if (length === 4 && isSyn && syn) {
        let mss = bytes[at + 2]! * 256 + bytes[at + 3]!
        if (mss !== 0) {
          if (syn.userMss !== 0 && syn.userMss < mss) mss = syn.userMss
          syn.mssClamp = mss
        }
      }
    } else if (kind === 3) {
      if (length === 3 && isSyn && syn && sysctls?.windowScaling !== 0) {
        syn.wscaleOk = true
        syn.sndWscale = Math.min(bytes[at + 2]!, MAX_WSCALE)
      }
    } else if (kind === 8) {
      if (length === 10 && stamps) {
        into.sawTstamp = true
        into.rcvTsval = read32(bytes, at + 2)
        into.rcvTsecr = read32(bytes, at + 6)
      }
    } else if (kind === 4) {
      if (length === 2 && isSyn && syn && sysctls?.sack !== 0) syn.sackOk = true
    } else if (kind === 5) {
      if (length >= 10 && (length - 2) % 8 === 0) {
        sackBlocks.at = at + 2
        sackBlocks.count = (length - 2) / 8
      }
    }
    at += length
  }
}

export function read32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/** What a SYN or SYN-ACK offers. */
export interface Offer {
  mss: number
  /** -1: no window scaling. */
  wscale: number
  sack: boolean
  /** With timestamps, and these. */
  timestamps: boolean
  tsVal: number
  tsEcr: number
}

function put32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24
  bytes[at + 1] = (value >>> 16) & 255
  bytes[at + 2] = (value >>> 8) & 255
  bytes[at + 3] = value & 255
  return at + 4
}

/** The options of a SYN in Linux's order: MSS, SACK permitted, timestamps, window scale. */
export function emitSynOptions(offer: Offer): Uint8Array {
  const alone = offer.sack && !offer.timestamps
  const length = 4 + (offer.timestamps ? 12 : 0) + (alone ? 4 : 0) + (offer.wscale >= 0 ? 4 : 0)
  const bytes = new Uint8Array(length)
  let at = put32(bytes, 0, 0x02040000 | offer.mss)
  if (offer.timestamps) {
    at = put32(bytes, at, offer.sack ? 0x0402080a : 0x0101080a)
    at = put32(bytes, at, offer.tsVal)
    at = put32(bytes, at, offer.tsEcr)
  }
  if (alone) at = put32(bytes, at, 0x01010402)
  if (offer.wscale >= 0) put32(bytes, at, 0x01030300 | offer.wscale)
  return bytes
}

/** How many SACK blocks fit beside the timestamps. */
export function sackRoom(timestamps: boolean): number {
  return (MAX_OPTIONS - (timestamps ? 12 : 0) - 4) >> 3
}

/** SACK blocks as an option; `edges` in pairs, a DSACK first if there is one. */
export function emitSack(edges: readonly number[], count: number): Uint8Array {
  const bytes = new Uint8Array(4 + 8 * count)
  let at = put32(bytes, 0, 0x01010500 | (2 + 8 * count))
  for (let i = 0; i < 2 * count; i++) at = put32(bytes, at, edges[i]!)
  return bytes
}

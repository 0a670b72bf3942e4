/** The packet that an ICMP error quotes. Linux 6.1 include/net/ip_vs.h: ip_vs_fill_iph_skb_icmp(). */
import { internetChecksum } from '#base/bytes'
import { IP_OFFSET, type Packet, readIpv6, writeIpv6 } from '#wire/inet'
import type { Conn } from './conn.ts'
import { hasPorts, IpHeader } from './header.ts'
import { ownBytes } from './mangle.ts'
import { AF_INET, AF_INET6 } from './uapi.ts'

export interface Quoted {
  iph: IpHeader
  /** Where its IP header begins and ends in the error's payload. */
  at: number
  end: number
  df: boolean
}

const IPV6_HEADER = 40
const FRAGMENT = 44
/** Hop-by-hop options, routing, destination options. */
const EXTENSIONS = new Set([0, 43, 60])

function view(packet: Packet): DataView {
  return new DataView(packet.buffer.buffer as ArrayBuffer, packet.buffer.byteOffset + packet.offset, packet.length)
}

function ports(iph: IpHeader, bytes: DataView, at: number): void {
  if (iph.fragoffs !== 0 || at + 4 > bytes.byteLength) return
  iph.sport = bytes.getUint16(at)
  iph.dport = bytes.getUint16(at + 2)
}

/** Reads it at a place of the payload; undefined if it looks wrong. */
export function quotedAt(packet: Packet, at: number, inverse: boolean): Quoted | undefined {
  const bytes = view(packet)
  if (at + 20 > bytes.byteLength || bytes.getUint8(at) >>> 4 !== 4) return undefined
  const end = at + (bytes.getUint8(at) & 15) * 4
  if (end < at + 20) return undefined
  const fragment = bytes.getUint16(at + 6)
  const [src, dst] = [bytes.getUint32(at + 12), bytes.getUint32(at + 16)]
  const iph = new IpHeader(AF_INET, bytes.getUint8(at + 9), src, dst, fragment & IP_OFFSET)
  iph.icmp = true
  iph.inverse = inverse
  ports(iph, bytes, end)
  return { iph, at, end, df: (fragment & 0x4000) !== 0 }
}

/** The same of IPv6. */
export function quotedAt6(packet: Packet, at: number, inverse: boolean): Quoted | undefined {
  const bytes = view(packet)
  if (at + IPV6_HEADER > bytes.byteLength || bytes.getUint8(at) >>> 4 !== 6) return undefined
  const raw = packet.buffer.subarray(packet.offset, packet.offset + packet.length)
  let protocol = bytes.getUint8(at + 6)
  let end = at + IPV6_HEADER
  let offset = 0
  while ((EXTENSIONS.has(protocol) || protocol === FRAGMENT) && end + 8 <= bytes.byteLength) {
    const next = bytes.getUint8(end)
    if (protocol === FRAGMENT) offset = bytes.getUint16(end + 2) >>> 3
    end += protocol === FRAGMENT ? 8 : (bytes.getUint8(end + 1) + 1) * 8
    protocol = next
    if (offset !== 0) break
  }
  const iph = new IpHeader(AF_INET6, protocol, readIpv6(raw, at + 8), readIpv6(raw, at + 24), offset)
  iph.icmp = true
  iph.inverse = inverse
  ports(iph, bytes, end)
  return { iph, at, end, df: true }
}

/**
 * Changes the error, and what it quotes, as the packets of its connection were changed.
 *
 * @param answer from the server's side: both get the service's address; else the server's. ip_vs_nat_icmp(), ip_vs_nat_icmp_v6().
 */
export function changeIcmp(packet: Packet, cp: Conn, answer: boolean, { iph, at, end }: Quoted): void {
  const bytes = ownBytes(packet)
  const data = new DataView(bytes.buffer)
  const addr = answer ? cp.vaddr : cp.daddr
  if (typeof addr === 'number') {
    if (answer) packet.src = addr
    else packet.dst = addr
    data.setUint32(at + (answer ? 16 : 12), addr)
    data.setUint16(at + 10, 0)
    data.setUint16(at + 10, internetChecksum(bytes.subarray(at, Math.min(end, bytes.length))))
  } else {
    if (answer) packet.src6 = addr
    else packet.dst6 = addr
    writeIpv6(bytes, at + (answer ? 24 : 8), addr)
  }
  if (hasPorts(iph.protocol) && end + 4 <= bytes.length) {
    if (answer) data.setUint16(end + 2, cp.vport)
    else data.setUint16(end, cp.dport)
  }
  packet.checksum = -1
}

/**
 * New addresses and ports for packets of TCP and UDP. A checksum that was right stays right; one that was wrong changes by as
 * much as what it covers, and stays wrong.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_proto_tcp.c: tcp_fast_csum_update(); ip_vs_proto_udp.c: udp_snat_handler().
 */
import { IPPROTO_TCP, IPPROTO_UDP, type Packet, RAW_NONE } from '#wire/inet'
import type { InetAddr } from './uapi.ts'

/** RFC 1624 equation 3. */
function adjust(checksum: number, from: number, to: number): number {
  let sum = (~checksum & 0xffff) + (~from & 0xffff) + to
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function adjustWord(checksum: number, from: number, to: number): number {
  return adjust(adjust(checksum, from >>> 16, to >>> 16), from & 0xffff, to & 0xffff)
}

function adjustAddress(checksum: number, from: InetAddr, to: InetAddr): number {
  if (typeof from === 'number' || typeof to === 'number') return adjustWord(checksum, from as number, to as number)
  let sum = adjustWord(adjustWord(checksum, from.w0, to.w0), from.w1, to.w1)
  sum = adjustWord(adjustWord(sum, from.w2, to.w2), from.w3, to.w3)
  return sum
}

/** A packet's payload as bytes that may be written. */
export function ownBytes(packet: Packet): Uint8Array {
  const bytes = packet.buffer.slice(packet.offset, packet.offset + packet.length)
  packet.buffer = bytes
  packet.offset = 0
  return bytes
}

/** A server's packet gets the service's address. */
export function changeSource(packet: Packet, address: InetAddr, port: number): boolean {
  const old = packet.src6 ?? packet.src
  if (packet.raw === RAW_NONE) {
    if (packet.checksum >= 0) adjustField(packet, old, address, packet.srcPort, port)
    packet.srcPort = port
  } else if (!changeBytes(packet, 0, old, address, port)) return false
  if (typeof address === 'number') packet.src = address
  else packet.src6 = address
  return true
}

/** A client's packet gets the server's address. */
export function changeDestination(packet: Packet, address: InetAddr, port: number): boolean {
  const old = packet.dst6 ?? packet.dst
  if (packet.raw === RAW_NONE) {
    if (packet.checksum >= 0) adjustField(packet, old, address, packet.dstPort, port)
    packet.dstPort = port
  } else if (!changeBytes(packet, 2, old, address, port)) return false
  if (typeof address === 'number') packet.dst = address
  else packet.dst6 = address
  return true
}

function adjustField(packet: Packet, from: InetAddr, to: InetAddr, oldPort: number, port: number): void {
  // A datagram that had none gets one.
  if (packet.protocol === IPPROTO_UDP && packet.checksum === 0) packet.checksum = -1
  else packet.checksum = adjust(adjustAddress(packet.checksum, from, to), oldPort, port)
}

/** What isn't in fields (its lengths are wrong): byte by byte. False if a header isn't there. */
function changeBytes(packet: Packet, place: number, from: InetAddr, to: InetAddr, port: number): boolean {
  const sumAt = packet.protocol === IPPROTO_TCP ? 16 : 6
  if (packet.length < (packet.protocol === IPPROTO_TCP ? 20 : 8)) return false
  const bytes = ownBytes(packet)
  const view = new DataView(bytes.buffer)
  const old = view.getUint16(place)
  view.setUint16(place, port)
  view.setUint16(sumAt, adjust(adjustAddress(view.getUint16(sumAt), from, to), old, port))
  return true
}

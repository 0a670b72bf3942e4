/** Packets whose bytes behind the IP header have to be read again: what a program wrote, and datagrams that are cut. */
import { emitIp } from './frame.ts'
import { ETH_P_IPV6, type Packet, RAW_IP_PAYLOAD, RAW_NONE } from './packet.ts'
import { parseIp, parseIpv6Packet } from './parse.ts'

const UDP_HEADER = 8

/** The packet that the bytes of this one are. */
function reparse(packet: Packet): Packet {
  const bytes = emitIp(packet)
  return packet.etherType === ETH_P_IPV6 ? parseIpv6Packet(bytes) : parseIp(bytes)
}

/** Gives a packet a payload of bytes that hold the transport's header, in fields where they fit. */
export function fillTransport(packet: Packet, bytes: Uint8Array): void {
  packet.raw = RAW_IP_PAYLOAD
  packet.buffer = bytes
  packet.offset = 0
  packet.length = bytes.length
  const parsed = reparse(packet)
  if (parsed.raw !== RAW_NONE) return
  packet.raw = RAW_NONE
  packet.icmpType = parsed.icmpType
  packet.icmpCode = parsed.icmpCode
  packet.icmpRest = parsed.icmpRest
  packet.srcPort = parsed.srcPort
  packet.dstPort = parsed.dstPort
  packet.seq = parsed.seq
  packet.ack = parsed.ack
  packet.tcpFlags = parsed.tcpFlags
  packet.window = parsed.window
  packet.urgent = parsed.urgent
  packet.tcpOptions = parsed.tcpOptions
  packet.tcpTimestamps = parsed.tcpTimestamps
  packet.tsVal = parsed.tsVal
  packet.tsEcr = parsed.tsEcr
  packet.checksum = parsed.checksum
  packet.offset = bytes.length - parsed.length
  packet.length = parsed.length
}

/**
 * A UDP datagram that stayed raw, cut to the length that its header claims; undefined if that is more than there is, or less
 * than a header.
 */
export function trimDatagram(packet: Packet): Packet | undefined {
  const { buffer, offset, length } = packet
  if (length < UDP_HEADER) return undefined
  const claimed = buffer[offset + 4]! * 256 + buffer[offset + 5]!
  if (claimed > length || claimed < UDP_HEADER) return undefined
  const cut = packet.clone()
  cut.length = claimed
  const whole = reparse(cut)
  if (whole.raw !== RAW_NONE) return undefined
  whole.route = packet.route
  whole.packetType = packet.packetType
  whole.iif = packet.iif
  return whole
}

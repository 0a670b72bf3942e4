/** ARP for IPv4 over Ethernet. RFC 826, "Packet format". */
import { readMac, writeMac } from './mac.ts'

export interface ArpPacket {
  operation: number
  senderMac: number
  senderIp: number
  targetMac: number
  targetIp: number
}

// Linux 6.1 include/uapi/linux/if_arp.h.
export const ARPOP_REQUEST = 1
export const ARPOP_REPLY = 2
export const ARPOP_RREQUEST = 3
export const ARPOP_RREPLY = 4

const HEADER = [0, 1, 8, 0, 6, 4] // Ethernet, IPv4, and the lengths of their addresses.
const AT = { operation: 6, senderMac: 8, senderIp: 14, targetMac: 18, targetIp: 24, end: 28 }

/** Undefined unless IPv4 over Ethernet: bytes off a wire never throw. */
export function parseArp(bytes: Uint8Array): ArpPacket | undefined {
  if (bytes.length < AT.end || HEADER.some((byte, i) => bytes[i] !== byte)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return {
    operation: view.getUint16(AT.operation), // Beyond 1 and 2 too: tcpdump prints them.
    senderMac: readMac(bytes, AT.senderMac),
    senderIp: view.getUint32(AT.senderIp),
    targetMac: readMac(bytes, AT.targetMac),
    targetIp: view.getUint32(AT.targetIp),
  }
}

/** The 28 bytes. */
export function emitArp(packet: ArpPacket): Uint8Array {
  const bytes = new Uint8Array(AT.end)
  const view = new DataView(bytes.buffer)
  bytes.set(HEADER)
  view.setUint16(AT.operation, packet.operation)
  writeMac(bytes, AT.senderMac, packet.senderMac)
  view.setUint32(AT.senderIp, packet.senderIp)
  writeMac(bytes, AT.targetMac, packet.targetMac)
  view.setUint32(AT.targetIp, packet.targetIp)
  return bytes
}

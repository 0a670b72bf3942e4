/** Linux cooked capture v2: what stands before a frame's payload when capturing on `any`. LINKTYPE_LINUX_SLL2. */
import { writeMac } from '#wire/link'

export const SLL2_HLEN = 20

/** The 20 bytes; hardware type Ethernet (loopback has it too, but for its number: ARPHRD_LOOPBACK). */
export function cookedHeader(
  protocol: number,
  ifindex: number,
  packetType: number,
  address: number,
  hardware = 1,
): Uint8Array {
  const bytes = new Uint8Array(SLL2_HLEN)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, protocol)
  view.setUint32(4, ifindex)
  view.setUint16(8, hardware)
  bytes[10] = packetType
  bytes[11] = 6
  writeMac(bytes, 12, address)
  return bytes
}

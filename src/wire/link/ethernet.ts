/** Ethernet and its 802.1Q tags. IEEE 802.3, 802.1Q; numbers: Linux 6.1 include/uapi/linux/if_ether.h. */
import { readMac, writeMac } from './mac.ts'

/** Bytes of an address, of the header, of an 802.1Q tag. */
export const ETH_ALEN = 6
export const ETH_HLEN = 14
export const VLAN_HLEN = 4
/** The shortest frame without its check sequence; cards pad up to it, veth-like links don't. */
export const ETH_ZLEN = 60
export const ETH_DATA_LEN = 1500
/** Below it the word is a length, from it on a type. IEEE 802.3 clause 3.2.6. */
export const ETH_P_802_3_MIN = 0x0600

export const ETH_P_ALL = 0x0003
export const ETH_P_IP = 0x0800
export const ETH_P_ARP = 0x0806
export const ETH_P_RARP = 0x8035
export const ETH_P_8021Q = 0x8100
export const ETH_P_IPV6 = 0x86dd
export const ETH_P_8021AD = 0x88a8
export const ETH_P_LOOP = 0x9000

export interface VlanTag {
  /** ETH_P_8021Q or ETH_P_8021AD. */
  protocol: number
  priority: number
  dei: boolean
  id: number
}

export interface EthernetHeader {
  dst: number
  src: number
  /** Outermost first. */
  tags: VlanTag[]
  /** The type, or the length of IEEE 802.3, behind the last tag. */
  etherType: number
  /** Where the payload begins. */
  end: number
}

/** Undefined if shorter than a header. A tag that is cut short is left to the payload. */
export function parseEthernet(bytes: Uint8Array): EthernetHeader | undefined {
  if (bytes.length < ETH_HLEN) return undefined
  const word = (at: number) => (bytes[at]! << 8) | bytes[at + 1]!
  const tags: VlanTag[] = []
  let end = ETH_HLEN
  let etherType = word(12)
  while ((etherType === ETH_P_8021Q || etherType === ETH_P_8021AD) && bytes.length >= end + VLAN_HLEN) {
    const tci = word(end)
    tags.push({ protocol: etherType, priority: tci >>> 13, dei: (tci & 0x1000) !== 0, id: tci & 0xfff })
    etherType = word(end + 2)
    end += VLAN_HLEN
  }
  return { dst: readMac(bytes, 0), src: readMac(bytes, 6), tags, etherType, end }
}

/** The header's bytes, tags included. */
export function emitEthernet(header: Omit<EthernetHeader, 'end'>): Uint8Array {
  const bytes = new Uint8Array(ETH_HLEN + VLAN_HLEN * header.tags.length)
  const view = new DataView(bytes.buffer)
  writeMac(bytes, 0, header.dst)
  writeMac(bytes, 6, header.src)
  let at = 12
  for (const tag of header.tags) {
    view.setUint16(at, tag.protocol)
    view.setUint16(at + 2, (tag.priority << 13) | (tag.dei ? 0x1000 : 0) | tag.id)
    at += VLAN_HLEN
  }
  view.setUint16(at, header.etherType)
  return bytes
}

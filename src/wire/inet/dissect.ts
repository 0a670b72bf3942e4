/**
 * A frame taken apart for somebody who looks at it: layers of fields, each with the bytes that it stands in. Names are
 * Wireshark's filter names and titles follow its summary lines, so that what is learned here is of use there. Whatever
 * the bytes, nothing throws and no offset is outside of them.
 */
import { ETH_P_802_3_MIN, ETH_P_8021AD, ETH_P_8021Q, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, MAC_BROADCAST } from '#wire/link'
import { dissectIp } from './dissect-ip.ts'
import { dissectIp6 } from './dissect-ip6.ts'
import { dataLayer, type Layer, LayerBuilder, macText } from './layer.ts'

export type { Field, Layer } from './layer.ts'

const ETHER_TYPES: Record<number, string> = {
  [ETH_P_IP]: 'IPv4',
  [ETH_P_ARP]: 'ARP',
  [ETH_P_8021Q]: '802.1Q Virtual LAN',
  [ETH_P_8021AD]: '802.1ad Provider Bridge',
  [ETH_P_IPV6]: 'IPv6',
  32821: 'RARP',
  35020: '802.1 Link Layer Discovery Protocol (LLDP)',
}

/** The layers of an Ethernet frame, outermost first. */
export function dissect(bytes: Uint8Array): Layer[] {
  const layers: Layer[] = []
  if (bytes.length < 14) {
    dataLayer(layers, bytes, 0, bytes.length)
    return layers
  }
  const ethernet = new LayerBuilder(bytes, 'eth', 0)
  const dst = ethernet.mac('eth.dst', 'Destination', 0)
  const src = ethernet.mac('eth.src', 'Source', 6)
  let etherType = ethernet.word(12)
  typeField(ethernet, 'eth', 12, etherType)
  layers.push(
    ethernet.layer(
      `Ethernet II, Src: ${macText(src)}, Dst: ${dst === MAC_BROADCAST ? 'Broadcast ' : ''}${
        dst === MAC_BROADCAST ? '(ff:ff:ff:ff:ff:ff)' : macText(dst)
      }`,
      14,
    ),
  )
  let at = 14
  while ((etherType === ETH_P_8021Q || etherType === ETH_P_8021AD) && bytes.length >= at + 4) {
    const tag = new LayerBuilder(bytes, 'vlan', at)
    const tci = tag.word(at)
    tag.bits('vlan.priority', 'Priority', at, 2, 0, 3, String(tci >>> 13))
    tag.bits('vlan.dei', 'Drop eligible', at, 2, 3, 1, String((tci >>> 12) & 1))
    tag.bits('vlan.id', 'ID', at, 2, 4, 12, String(tci & 0xfff))
    etherType = tag.word(at + 2)
    typeField(tag, 'vlan', at + 2, etherType)
    const title = `802.1Q Virtual LAN, PRI: ${tci >>> 13}, DEI: ${(tci >>> 12) & 1}, ID: ${tci & 0xfff}`
    layers.push(tag.layer(title, at + 4))
    at += 4
  }
  let end = at
  if (etherType === ETH_P_ARP) end = dissectArp(layers, bytes, at)
  else if (etherType === ETH_P_IP) end = dissectIp(layers, bytes, at, bytes.length)
  else if (etherType === ETH_P_IPV6) end = dissectIp6(layers, bytes, at, bytes.length)
  if (end === at) dataLayer(layers, bytes, at, bytes.length)
  else if (end < bytes.length) trailer(layers, bytes, end)
  return layers
}

function typeField(layer: LayerBuilder, name: string, at: number, etherType: number): void {
  const hex = `0x${etherType.toString(16).padStart(4, '0')}`
  if (etherType < ETH_P_802_3_MIN) layer.field(`${name}.len`, 'Length', at, 2, String(etherType))
  else
    layer.field(
      name === 'vlan' ? 'vlan.etype' : `${name}.type`,
      'Type',
      at,
      2,
      `${ETHER_TYPES[etherType] ?? 'Unknown'} (${hex})`,
    )
}

const ARP_OPERATIONS: Record<number, string> = { 1: 'request', 2: 'reply', 3: 'reverse request', 4: 'reverse reply' }

/** Where ARP ends; where it began if it isn't for IPv4 over Ethernet, or is cut short. */
function dissectArp(layers: Layer[], bytes: Uint8Array, at: number): number {
  if (bytes.length < at + 28) return at
  const arp = new LayerBuilder(bytes, 'arp', at)
  if (arp.word(at) !== 1 || arp.word(at + 2) !== ETH_P_IP || bytes[at + 4] !== 6 || bytes[at + 5] !== 4) return at
  const operation = arp.word(at + 6)
  const name = ARP_OPERATIONS[operation]
  arp.field('arp.hw.type', 'Hardware type', at, 2, 'Ethernet (1)')
  arp.field('arp.proto.type', 'Protocol type', at + 2, 2, 'IPv4 (0x0800)')
  arp.number('arp.hw.size', 'Hardware size', at + 4, 1)
  arp.number('arp.proto.size', 'Protocol size', at + 5, 1)
  arp.field('arp.opcode', 'Opcode', at + 6, 2, `${name ?? 'unknown'} (${operation})`)
  arp.mac('arp.src.hw_mac', 'Sender MAC address', at + 8)
  const sender = arp.ipv4('arp.src.proto_ipv4', 'Sender IP address', at + 14)
  arp.mac('arp.dst.hw_mac', 'Target MAC address', at + 18)
  const target = arp.ipv4('arp.dst.proto_ipv4', 'Target IP address', at + 24)
  // RFC 5227: a probe asks without saying who, an announcement asks for oneself.
  let kind = name ?? `opcode ${operation}`
  if (operation === 1 && sender === 0) kind = 'ARP Probe'
  else if (operation === 1 && sender === target) kind = 'ARP Announcement'
  else if (operation === 2 && sender === target) kind = 'reply/gratuitous ARP'
  layers.push(arp.layer(`Address Resolution Protocol (${kind})`, at + 28))
  return at + 28
}

function trailer(layers: Layer[], bytes: Uint8Array, at: number): void {
  const zero = bytes.subarray(at).every((byte) => byte === 0)
  const layer = new LayerBuilder(bytes, 'eth', at)
  layer.hex(zero ? 'eth.padding' : 'eth.trailer', zero ? 'Padding' : 'Trailer', at, bytes.length - at)
  const length = bytes.length - at
  layers.push(
    layer.layer(`Ethernet ${zero ? 'padding' : 'trailer'} (${length} byte${length === 1 ? '' : 's'})`, bytes.length),
  )
}

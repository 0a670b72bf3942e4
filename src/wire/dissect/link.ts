/** Ethernet, 802.1Q, ARP, LLC with spanning tree. */
import { formatMac, readMac } from '#wire/link'
import { type Context, dissectData, protocol } from './dissector.ts'
import { dissectIp } from './ip.ts'
import { dissectIp6 } from './ip6.ts'
import { ARP_OPERATIONS, ETHER_TYPES, VLAN_PRIORITIES } from './names.ts'
import { type Branch, bitPicture, hex, macName, type Window } from './tree.ts'

/** Tunnels within tunnels end here. */
const DEPTH_MAX = 12

export function dissectEthernet(context: Context, window: Window): void {
  const { bytes, at, end } = window
  if (end - at < 14 || context.depth++ > DEPTH_MAX) {
    dissectData(context, window, at, end)
    return
  }
  const named = (place: number) => {
    const text = formatMac(readMac(bytes, place))
    return `${macName(text)} (${text})`
  }
  const type = bytes[at + 12]! * 256 + bytes[at + 13]!
  const title = type < 0x600 ? 'IEEE 802.3 Ethernet ' : `Ethernet II, Src: ${named(at + 6)}, Dst: ${named(at)}`
  const eth = protocol(context, window, 'eth', title, at, 14)
  address(eth, 'dst', 'Destination', at)
  address(eth, 'src', 'Source', at + 6)
  if (type < 0x600) {
    eth.number('eth.len', 'Length', at + 12, 2)
    const stop = Math.min(end, at + 14 + type)
    dissectLlc(context, { ...window, at: at + 14, end: stop })
    if (stop < end) padding(eth, stop, end)
    return
  }
  context.protocols.push('ethertype')
  eth.number('eth.type', 'Type', at + 12, 2, etherType)
  const last = dissectEtherType(context, { ...window, at: at + 14, end }, type)
  if (last < end) padding(eth, last, end)
}

const etherType = (type: number) => `${ETHER_TYPES[type] ?? 'Unknown'} (${hex(type, 4)})`

function address(eth: Branch, end: 'dst' | 'src', label: string, at: number): void {
  const branch = eth.mac(`eth.${end}`, label, at)
  const value = eth.bytes.slice(at, at + 6)
  branch.add('eth.addr', branch.node.text.replace(label, 'Address'), value, at, 6)
  const word = eth.read(at, 3)
  const local = (word & 0x020000) !== 0
  const group = (word & 0x010000) !== 0
  const lg = local
    ? 'Locally administered address (this is NOT the factory default)'
    : 'Globally unique address (factory default)'
  const ig = group ? 'Group address (multicast/broadcast)' : 'Individual address (unicast)'
  branch.add(`eth.${end}.lg`, `${bitPicture(word, 0x020000, 24)} = LG bit: ${lg}`, local ? 1 : 0, at, 3)
  branch.hide('eth.lg', local ? 1 : 0, at, 3)
  branch.add(`eth.${end}.ig`, `${bitPicture(word, 0x010000, 24)} = IG bit: ${ig}`, group ? 1 : 0, at, 3)
  branch.hide('eth.ig', group ? 1 : 0, at, 3)
}

function padding(eth: Branch, at: number, end: number): void {
  const zero = eth.bytes.subarray(at, end).every((byte) => byte === 0)
  eth.raw(zero ? 'eth.padding' : 'eth.trailer', zero ? 'Padding' : 'Trailer', at, end - at)
}

/** What an EtherType announces; where it ends. */
export function dissectEtherType(context: Context, window: Window, type: number): number {
  const { at, end } = window
  if (type === 0x8100 || type === 0x88a8) return dissectVlan(context, window, type)
  if (type === 0x0806) return dissectArp(context, window)
  if (type === 0x0800) return dissectIp(context, window)
  if (type === 0x86dd) return dissectIp6(context, window)
  dissectData(context, window, at, end)
  return end
}

function dissectVlan(context: Context, window: Window, outer: number): number {
  const { bytes, at, end } = window
  if (end - at < 4 || context.depth++ > DEPTH_MAX) {
    dissectData(context, window, at, end)
    return end
  }
  const tci = bytes[at]! * 256 + bytes[at + 1]!
  const title = `802.1Q Virtual LAN, PRI: ${tci >>> 13}, DEI: ${(tci >>> 12) & 1}, ID: ${tci & 0xfff}`
  const service = outer === 0x88a8
  const name = service ? 'ieee8021ad' : 'vlan'
  const vlan = protocol(
    context,
    window,
    name,
    service ? title.replace('802.1Q Virtual LAN', 'IEEE 802.1ad') : title,
    at,
    4,
  )
  vlan.bits(`${name}.priority`, 'Priority', at, 2, 0xe000, (value) => `${VLAN_PRIORITIES[value]} (${value})`)
  vlan.flag(`${name}.dei`, 'DEI', at, 2, 0x1000, 'Eligible', 'Ineligible')
  vlan.bits(`${name}.id`, 'ID', at, 2, 0x0fff)
  const type = vlan.word(at + 2)
  if (type >= 0x600) {
    context.protocols.push('ethertype')
    vlan.number(service ? 'ieee8021ad.etype' : 'vlan.etype', 'Type', at + 2, 2, etherType)
    return dissectEtherType(context, { ...window, at: at + 4 }, type)
  }
  vlan.number('vlan.len', 'Length', at + 2, 2)
  dissectLlc(context, { ...window, at: at + 4, end: Math.min(end, at + 4 + type) })
  return end
}

function dissectArp(context: Context, window: Window): number {
  const { bytes, at, end } = window
  const stop = at + 28
  if (end < stop || bytes[at + 4] !== 6 || bytes[at + 5] !== 4) {
    dissectData(context, window, at, end)
    return end
  }
  const operation = bytes[at + 6]! * 256 + bytes[at + 7]!
  const sender = bytes.subarray(at + 14, at + 18)
  const target = bytes.subarray(at + 24, at + 28)
  const same = sender.every((byte, i) => byte === target[i])
  const nobody = sender.every((byte) => byte === 0)
  // RFC 5227: a probe asks without saying who; an announcement asks for oneself.
  const unsaid = bytes.subarray(at + 18, at + 24).every((byte) => byte === 0)
  const probes = operation === 1 && nobody && !same && unsaid
  const announces = operation === 1 && same && !nobody
  const gratuitous = same && !nobody && (operation === 1 || operation === 2)
  let kind = ARP_OPERATIONS[operation] ?? `opcode ${operation}`
  if (probes) kind = 'ARP Probe'
  else if (announces) kind = unsaid ? 'ARP Announcement' : 'request/gratuitous ARP'
  else if (gratuitous) kind = 'reply/gratuitous ARP'
  const arp = protocol(context, window, 'arp', `Address Resolution Protocol (${kind})`, at, 28)
  arp.number('arp.hw.type', 'Hardware type', at, 2, (value) => (value === 1 ? 'Ethernet (1)' : `Unknown (${value})`))
  arp.number('arp.proto.type', 'Protocol type', at + 2, 2, etherType)
  arp.number('arp.hw.size', 'Hardware size', at + 4, 1)
  arp.number('arp.proto.size', 'Protocol size', at + 5, 1)
  arp.number('arp.opcode', 'Opcode', at + 6, 2, (value) => `${ARP_OPERATIONS[value] ?? 'Unknown'} (${value})`)
  if (probes) arp.add('arp.isprobe', 'Is probe: True', 1, at, 0)
  if (gratuitous) arp.add('arp.isgratuitous', 'Is gratuitous: True', 1, at, 0)
  if (kind === 'ARP Announcement') arp.add('arp.isannouncement', 'Is announcement: True', 1, at, 0)
  arp.mac('arp.src.hw_mac', 'Sender MAC address', at + 8)
  arp.ipv4('arp.src.proto_ipv4', 'Sender IP address', at + 14)
  arp.mac('arp.dst.hw_mac', 'Target MAC address', at + 18)
  arp.ipv4('arp.dst.proto_ipv4', 'Target IP address', at + 24)
  return stop
}

function dissectLlc(context: Context, window: Window): void {
  const { bytes, at, end } = window
  if (end - at < 3) {
    dissectData(context, window, at, end)
    return
  }
  const llc = protocol(context, window, 'llc', 'Logical-Link Control', at, 3)
  const sap = (value: number) => `${value === 0x42 ? 'Spanning Tree BPDU' : 'Unknown'} (${hex(value, 2)})`
  llc.number('llc.dsap', 'DSAP', at, 1, sap)
  llc.number('llc.ssap', 'SSAP', at + 1, 1, sap)
  llc.number('llc.control', 'Control field', at + 2, 1, (value) => (value === 3 ? 'U, func=UI (0x03)' : hex(value, 2)))
  const isStp = bytes[at] === 0x42 && bytes[at + 1] === 0x42 && end - at >= 7
  if (isStp) dissectStp(context, { ...window, at: at + 3 })
  else dissectData(context, window, at + 3, end)
}

const BPDU_TYPES: Readonly<Record<number, string>> = {
  0: 'Configuration',
  2: 'Rapid/Multiple Spanning Tree',
  128: 'Topology Change Notification',
}
const VERSIONS: Readonly<Record<number, string>> = {
  0: 'Spanning Tree',
  2: 'Rapid Spanning Tree',
  3: 'Multiple Spanning Tree',
}

function dissectStp(context: Context, { bytes, source, at, end }: Window): void {
  const stp = protocol(context, { bytes, source }, 'stp', 'Spanning Tree Protocol', at, end - at)
  stp.number('stp.protocol', 'Protocol Identifier', at, 2, (value) => `Spanning Tree Protocol (${hex(value, 4)})`)
  stp.number(
    'stp.version',
    'Protocol Version Identifier',
    at + 2,
    1,
    (value) => `${VERSIONS[value] ?? 'Unknown'} (${value})`,
  )
  const type = stp.number(
    'stp.type',
    'BPDU Type',
    at + 3,
    1,
    (value) => `${BPDU_TYPES[value] ?? 'Unknown'} (${hex(value, 2)})`,
  )
  if (type === 128 || end - at < 35) return
  stp.number('stp.flags', 'BPDU flags', at + 4, 1, (value) => hex(value, 2))
  const flags = stp.child()
  flags.flag('stp.flags.tcack', 'Topology Change Acknowledgment', at + 4, 1, 0x80, 'Yes', 'No')
  flags.flag('stp.flags.tc', 'Topology Change', at + 4, 1, 0x01, 'Yes', 'No')
  const bridge = (name: string, label: string, place: number) => {
    const priority = stp.word(place)
    const mac = formatMac(readMac(bytes, place + 2))
    const branch = stp.add(
      '',
      `${label} Identifier: ${priority & 0xf000} / ${priority & 0xfff} / ${mac}`,
      undefined,
      place,
      8,
    )
    const said = label === 'Root' ? 'Root Bridge' : label
    branch.add(`stp.${name}.prio`, `${said} Priority: ${priority & 0xf000}`, priority & 0xf000, place, 1)
    branch.add(`stp.${name}.ext`, `${said} System ID Extension: ${priority & 0xfff}`, priority & 0xfff, place, 2)
    branch.mac(`stp.${name}.hw`, `${said} System ID`, place + 2)
  }
  bridge('root', 'Root', at + 5)
  stp.number('stp.root.cost', 'Root Path Cost', at + 13, 4)
  bridge('bridge', 'Bridge', at + 17)
  stp.number('stp.port', 'Port identifier', at + 25, 2, (value) => hex(value, 4))
  const seconds = (name: string, label: string, place: number) => {
    const value = stp.word(place) / 256
    stp.add(`stp.${name}`, `${label}: ${value}`, value, place, 2)
  }
  seconds('msg_age', 'Message Age', at + 27)
  seconds('max_age', 'Max Age', at + 29)
  seconds('hello', 'Hello Time', at + 31)
  seconds('forward', 'Forward Delay', at + 33)
}

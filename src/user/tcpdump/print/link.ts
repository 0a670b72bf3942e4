/** Ethernet, 802.1Q tags and Linux cooked frames. tcpdump 4.99.3 print-ether.c, print-sll.c. */
import { NotModelled } from '#base/check'
import { SLL2_HLEN } from '../cooked.ts'
import { printArp } from './arp.ts'
import { ETHER_TYPES } from './ether-types.ts'
import { printIp } from './ip.ts'
import { printIp6 } from './ip6.ts'
import { printLlc } from './llc.ts'
import type { Printer } from './printer.ts'
import { printSlow } from './slow.ts'

const TAGS = new Set([0x8100, 0x88a8, 0x9100, 0x9200])
/** Types that tcpdump takes apart and this doesn't yet. */
const UNMODELLED: Record<number, string> = {
  34887: 'MPLS',
  34888: 'MPLS',
  34915: 'PPPoE',
  34916: 'PPPoE',
  35020: 'LLDP',
  34958: 'EAPOL',
  35063: 'PTP',
  35074: 'CFM',
  35135: 'MACsec',
  35045: 'MACsec',
  34827: 'PPP',
  32923: 'AppleTalk',
  33011: 'AARP',
  33079: 'IPX',
  32774: 'ISO',
  24579: 'DECnet',
  35018: 'TIPC',
  35110: 'VN-tag',
  34978: 'ATA over Ethernet',
  35151: 'NSH',
  33027: 'Realtek',
  34969: 'Realtek',
  8948: 'OpenFlow',
  34824: 'MPCP',
  35075: 'FCoE',
  56026: 'Ethernet frames of switches',
  53899: 'Arista stamps',
}

function typeText(type: number): string {
  return `${ETHER_TYPES[type] ?? 'Unknown'} (0x${type.toString(16).padStart(4, '0')})`
}

/** The type as -e prints it, which -q shortens. */
function headerType(quiet: boolean, type: number): string {
  if (!quiet) return `ethertype ${typeText(type)}`
  return ETHER_TYPES[type] ?? `Unknown Ethertype (0x${type.toString(16).padStart(4, '0')})`
}

/**
 * A frame at `from`: 0, or inside of a tunnel's packet.
 * @returns the length of the headers in front of what -x prints
 */
export function printEthernet(printer: Printer, length: number, from = 0): number {
  const { options } = printer
  printer.protocol = 'ether'
  const captured = printer.end
  if (length < captured - from) {
    printer.put(`[length ${length} < caplen ${captured - from}] (invalid)`)
    return from + length
  }
  if (captured < from + 14) {
    printer.truncated()
    return captured
  }
  const addresses = () => printer.put(`${printer.mac(from + 6)} > ${printer.mac(from)}, `)
  let at = from + 14
  let type = printer.u16(from + 12)
  let tagged = false
  while (TAGS.has(type)) {
    printer.protocol = 'vlan'
    if (captured < at + 4) {
      if (options.link && !tagged) addresses()
      printer.truncated()
      return captured
    }
    const tci = printer.u16(at)
    if (options.link) {
      if (!tagged) {
        addresses()
        printer.put(`${headerType(options.quiet, type)}, length ${length}: `)
      } else printer.put(`${headerType(options.quiet, type)}, `)
      printer.put(`vlan ${tci & 0xfff}, p ${tci >>> 13}${tci & 0x1000 ? ', DEI' : ''}, `)
    }
    type = printer.u16(at + 2)
    at += 4
    tagged = true
  }
  if (type <= 1500) return at + printLength(printer, type, at, length - (at - from), tagged, addresses)
  const header = () => {
    if (!tagged || !options.link) addresses()
    printer.put(headerType(options.quiet, type))
    printer.put(tagged && options.link ? ', ' : `, length ${length}: `)
  }
  if (options.link) header()
  if (!printType(printer, type, at, length - (at - from))) {
    if (!options.link) header()
    if (!options.hasDump) printer.defaultPrint(at, captured - at)
  }
  return at
}

/** A frame whose type is a length: LLC follows, padding is left out. @returns the LLC header's length */
function printLength(
  printer: Printer,
  claimed: number,
  at: number,
  available: number,
  tagged: boolean,
  addresses: () => void,
): number {
  const { options } = printer
  const length = Math.min(claimed, available)
  if (options.link) {
    if (!tagged) addresses()
    printer.put(tagged ? '802.3' : `802.3, length ${length}: `)
  }
  const first = at - 2 - (tagged ? 4 : 0) - 12
  const link = { addresses: `${printer.mac(first + 6)} > ${printer.mac(first)} `, type: printType }
  let header = 0
  printer.within(at + length, () => {
    header = printLlc(printer, at, length, link)
    if (header < 0 && !options.hasDump) printer.defaultPrint(at, Math.min(length, printer.end - at))
  })
  return Math.abs(header)
}

/** Whether the type is one that is taken apart. */
function printType(printer: Printer, type: number, at: number, length: number): boolean {
  const unmodelled = UNMODELLED[type]
  if (unmodelled !== undefined) throw new NotModelled(`tcpdump: ${unmodelled}`)
  if (type === 0x0800) printIp(printer, at, length)
  else if (type === 0x86dd) printIp6(printer, at, length)
  else if (type === 0x0806 || type === 0x8035) printArp(printer, at, length)
  else if (type === 0x8809) printSlow(printer, at, length)
  else if (type === 0x9000) printLoopback(printer, at, length)
  else return false
  return true
}

/** The configuration test protocol. tcpdump 4.99.3 print-loopback.c */
function printLoopback(printer: Printer, at: number, length: number): void {
  printer.protocol = 'loopback'
  printer.put('Loopback')
  if (length < 2) {
    printer.put(' (invalid)')
    printer.need(at, length)
    return
  }
  printer.need(at, 2)
  const skip = printer.bytes[at]! | (printer.bytes[at + 1]! << 8)
  printer.put(`, skipCount ${skip}`)
  if (skip % 8 !== 0) printer.put(' (bogus)')
  if (skip > length - 2) {
    printer.put(' (invalid)')
    printer.need(at, length)
    return
  }
  throw new NotModelled('tcpdump: messages of the loopback protocol')
}

/** What Linux calls a frame whose type is a length. Linux 6.1 include/uapi/linux/if_ether.h: ETH_P_802_2 */
const COOKED_LLC = 4
const DIRECTIONS = ['In', 'B', 'M', 'P', 'Out']

/** What is captured on `any`. */
export function printCooked(printer: Printer, length: number): number {
  const { options } = printer
  printer.protocol = 'sll2'
  if (printer.end < SLL2_HLEN) {
    printer.truncated()
    return printer.end
  }
  const type = printer.u16(0)
  const index = printer.u32(4)
  const name = printer.names.interface(index) ?? '?'
  printer.put(`${name.padEnd(5)} ${(DIRECTIONS[printer.u8(10)] ?? '?').padEnd(3)} `)
  const header = (tags: number) => {
    printer.put(`ifindex ${index} `)
    if (printer.u8(11) === 6) printer.put(`${printer.mac(12)} `)
    if (options.quiet) return
    printer.put(`${type === COOKED_LLC ? '802.2' : `ethertype ${typeText(type)}`}, length ${length - tags}: `)
  }
  if (options.link) header(0)
  let at = SLL2_HLEN
  let inner = type
  if (inner === 1) throw new NotModelled('tcpdump: IPX')
  while (inner === 0x8100) {
    if (printer.end < at + 4) {
      printer.protocol = 'vlan'
      printer.truncated()
      return printer.end
    }
    const tci = printer.u16(at)
    if (options.link) printer.put(`vlan ${tci & 0xfff}, p ${tci >>> 13}${tci & 0x1000 ? ', DEI' : ''}, `)
    inner = printer.u16(at + 2)
    if (inner <= 1500) inner = COOKED_LLC
    if (!options.quiet) printer.put(`ethertype ${ETHER_TYPES[inner] ?? 'Unknown'}, `)
    at += 4
  }
  if (inner === COOKED_LLC) {
    // Padding is left in: the length was in the header that isn't there.
    const size = printLlc(printer, at, length - at, { addresses: '', type: printType })
    if (size < 0 && !options.hasDump) printer.defaultPrint(at, printer.end - at)
    return size < 0 ? at : at + size
  }
  if (inner <= 1500) {
    if (!options.hasDump) printer.defaultPrint(at, printer.end - at)
    return at
  }
  if (!printType(printer, inner, at, length - at)) {
    if (!options.link) header(at - SLL2_HLEN)
    if (!options.hasDump) printer.defaultPrint(at, printer.end - at)
  }
  return at
}

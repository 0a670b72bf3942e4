/** IEEE 802.2 LLC, which frames with a length in place of a type carry. tcpdump 4.99.3 print-llc.c */
import { NotModelled } from '#base/check'
import { ETHER_TYPES } from './ether-types.ts'
import { printIp } from './ip.ts'
import type { Printer } from './printer.ts'
import { printStp } from './stp.ts'

const SAPS: Record<number, string> = {
  0: 'Null',
  255: 'Global',
  2: '802.1B I',
  3: '802.1B G',
  6: 'IP',
  4: 'SNA',
  14: 'ProWay NM',
  66: 'STP',
  78: 'RS511',
  126: 'ISO8208',
  142: 'ProWay',
  170: 'SNAP',
  224: 'IPX',
  240: 'NetBeui',
  254: 'OSI',
}
const COMMANDS: Record<number, string> = {
  3: 'ui',
  227: 'test',
  175: 'xid',
  99: 'ua',
  67: 'disc',
  15: 'dm',
  111: 'sabme',
  135: 'frmr',
}
const OUIS: Record<number, string> = {
  0: 'Ethernet',
  12: 'Cisco',
  94: 'IANA',
  248: 'Cisco bridged',
  32962: 'Ethernet bridged',
}
const CISCO: Record<number, string> = {
  8192: 'CDP',
  8195: 'VTP',
  8196: 'DTP',
  273: 'UDLD',
  267: 'PVST',
  268: 'VLAN Bridge',
}
const UI = 3
const XID = 0xaf

/** What is printed where no more is known: the addresses, and how a type is taken apart. */
export interface LlcLink {
  /** `src > dst `; nothing if there are none. */
  addresses: string
  type(printer: Printer, type: number, at: number, length: number): boolean
}

/** @returns the header's length; negative if what is behind it wasn't printed */
export function printLlc(printer: Printer, at: number, length: number, link: LlcLink): number {
  const { options } = printer
  printer.protocol = 'llc'
  const captured = Math.max(0, Math.min(printer.end - at, length))
  const cut = (count: number) => {
    if (captured >= count) return false
    printer.truncated()
    printer.defaultPrint(at, captured)
    return true
  }
  if (cut(3)) return captured
  const destination = printer.u8(at)
  const source = printer.u8(at + 1)
  let control = printer.u8(at + 2)
  const unnumbered = (control & 3) === 3
  if (!unnumbered) {
    if (cut(4)) return captured
    control |= printer.u8(at + 3) << 8
  }
  const header = unnumbered ? 3 : 4
  if (source === 255 && destination === 255) throw new NotModelled('tcpdump: IPX')
  const [dsap, ssap] = [destination & 0xfe, source & 0xfe]
  if (options.link) {
    printer.put(`LLC, dsap ${SAPS[dsap] ?? 'Unknown'} (0x${hex(dsap, 2)}) ${destination & 1 ? 'Group' : 'Individual'}`)
    printer.put(`, ssap ${SAPS[ssap] ?? 'Unknown'} (0x${hex(ssap, 2)}) ${source & 1 ? 'Response' : 'Command'}`)
    printer.put(`, ctrl 0x${hex(control, unnumbered ? 2 : 4)}: `)
  }
  const [next, left] = [at + header, length - header]
  if (dsap === ssap && control === UI) {
    if (dsap === 0xaa) return (printSnap(printer, next, left, link) ? 1 : -1) * (header + 5)
    if (dsap === 0x42) printStp(printer, next, left)
    else if (dsap === 0x06) printIp(printer, next, left)
    else if (dsap === 0xe0) throw new NotModelled('tcpdump: IPX')
    else if (dsap === 0xfe) throw new NotModelled('tcpdump: ISO')
    if (dsap === 0x42 || dsap === 0x06) return header
  }
  if (!options.link) {
    const to = SAPS[dsap] ?? `Unknown DSAP 0x${hex(dsap, 2)}`
    const from = SAPS[ssap] ?? `Unknown SSAP 0x${hex(ssap, 2)}`
    const [src = '', dst = ''] = link.addresses.trimEnd().split(' > ')
    if (dsap === ssap) printer.put(link.addresses === '' ? `${to} ` : `${src} > ${dst} ${to} `)
    else printer.put(link.addresses === '' ? `${from} > ${to} ` : `${src} ${from} > ${dst} ${to} `)
  }
  return printControl(printer, next, left, control, source, unnumbered)
}

function printControl(
  printer: Printer,
  at: number,
  length: number,
  control: number,
  source: number,
  unnumbered: boolean,
): number {
  const header = unnumbered ? 3 : 4
  const poll = control & (unnumbered ? 0x10 : 0x100)
  const response = source & 1
  const flags = poll ? (response ? 'Final' : 'Poll') : response ? 'Response' : 'Command'
  const tail = `Flags [${flags}], length ${length + header}`
  if (!unnumbered) {
    const received = (control >>> 9) & 0x7f
    if ((control & 1) === 1) {
      const name = ['Receiver Ready', 'Receiver not Ready', 'Reject'][(control >>> 2) & 3] ?? '?'
      printer.put(`Supervisory, ${name}, rcv seq ${received}, ${tail}`)
      return header
    }
    printer.put(`Information, send seq ${(control >>> 1) & 0x7f}, rcv seq ${received}, ${tail}`)
    return -header
  }
  const command = control & 0xef
  printer.put(`Unnumbered, ${COMMANDS[command] ?? hex(command, 2)}, ${tail}`)
  if (command !== XID) return -header
  if (length === 0) return header
  if (!printer.has(at, 1)) {
    printer.truncated()
    return header
  }
  if (printer.u8(at) !== 0x81) return -header
  if (length < 3 || !printer.has(at, 3)) {
    printer.truncated()
    printer.defaultPrint(at, printer.end - at)
  } else printer.put(`: ${hex(printer.u8(at + 1), 2)} ${hex(printer.u8(at + 2), 2)}`)
  return header
}

/** SNAP: a type behind the LLC header. @returns whether it was printed */
function printSnap(printer: Printer, at: number, length: number, link: LlcLink): boolean {
  printer.protocol = 'snap'
  if (length < 5 || !printer.has(at, 5)) {
    printer.truncated()
    return true
  }
  const oui = printer.u16(at) * 256 + printer.u8(at + 2)
  const type = printer.u16(at + 3)
  if (OUIS[oui] === undefined || oui === 0x5e) throw new NotModelled(`tcpdump: SNAP of ${hex(oui, 6)}`)
  const name = (oui === 0 || oui === 0xf8 ? ETHER_TYPES[type] : oui === 0x0c ? CISCO[type] : undefined) ?? 'Unknown'
  const text = (left: number) => `${oui === 0 ? 'ethertype' : 'pid'} ${name} (0x${hex(type, 4)}), length ${left}: `
  if (printer.options.link) printer.put(`oui ${OUIS[oui]} (0x${hex(oui, 6)}), ${text(length - 5)}`)
  const [next, left] = [at + 5, length - 5]
  if (oui === 0 || oui === 0xf8) {
    if (link.type(printer, type, next, left)) return true
  } else if (oui === 0x0c) {
    if (type === 0x010b || type === 0x010c) {
      printStp(printer, next, left)
      return true
    }
    if (CISCO[type] !== undefined) throw new NotModelled(`tcpdump: ${CISCO[type]}`)
  } else throw new NotModelled('tcpdump: bridged frames in SNAP')
  if (!printer.options.link)
    printer.put(`${link.addresses}SNAP, ${oui === 0 ? '' : `oui ${OUIS[oui]} (0x${hex(oui, 6)}), `}${text(left)}`)
  return false
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

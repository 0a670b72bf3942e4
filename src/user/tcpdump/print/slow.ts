/** Slow protocols: LACP and its marker. tcpdump 4.99.3 print-slow.c; IEEE 802.1AX */
import { NotModelled } from '#base/check'
import { hexLines, type Printer } from './printer.ts'
import { setNames } from './set-names.ts'

const LACP = 1
const MARKER = 2
const OAM = 3
const NAMES: Record<number, string> = { [LACP]: 'LACP', [MARKER]: 'MARKER', [OAM]: 'OAM' }
/** By protocol, then by type. */
const PARTS: Record<number, Record<number, string>> = {
  [LACP]: { 0: 'Terminator', 1: 'Actor Information', 2: 'Partner Information', 3: 'Collector Information' },
  [MARKER]: { 0: 'Terminator', 1: 'Marker Information' },
}
const STATES: readonly [number, string][] = [
  [0x01, 'Activity'],
  [0x02, 'Timeout'],
  [0x04, 'Aggregation'],
  [0x08, 'Synchronization'],
  [0x10, 'Collecting'],
  [0x20, 'Distributing'],
  [0x40, 'Default'],
  [0x80, 'Expired'],
]

export function printSlow(printer: Printer, at: number, length: number): void {
  const { verbose } = printer.options
  printer.protocol = 'slow'
  const tooShort = () => printer.put(verbose > 0 ? '\n\t\t packet is too short' : ' (packet is too short)')
  if (length < 1) {
    tooShort()
    return
  }
  const subtype = printer.u8(at)
  const name = NAMES[subtype]
  if (subtype !== LACP && subtype !== MARKER) {
    printer.put(`${name ?? `unknown (${subtype})`}, length ${length}`)
    if (name === undefined) hexDump(printer, '\n\t', at, length)
    else if (verbose > 0) throw new NotModelled('tcpdump: Ethernet OAM')
    return
  }
  if (length < 2) {
    tooShort()
    return
  }
  const version = printer.u8(at + 1)
  if (version !== 1) {
    printer.put(`${name} version ${version} packet not supported`)
    return
  }
  printer.put(`${name}v${version}, length ${length}`)
  if (verbose > 0) printParts(printer, subtype, at + 2, at + length)
}

function printParts(printer: Printer, subtype: number, at: number, end: number): void {
  const { verbose } = printer.options
  const tooShort = () => printer.put('\n\t\t packet is too short')
  while (at < end) {
    if (at + 2 > end) {
      tooShort()
      return
    }
    const type = printer.u8(at)
    const length = printer.u8(at + 1)
    const known = PARTS[subtype]?.[type]
    printer.put(`\n\t${known ?? 'Unknown'} TLV (0x${type.toString(16).padStart(2, '0')}), length ${length}`)
    if (type === 0) return
    if (length < 2) {
      printer.put('\n\t    ERROR: illegal length - should be >= 2')
      return
    }
    if (at + length > end) {
      tooShort()
      return
    }
    printer.need(at, length)
    if (known !== undefined) printPart(printer, subtype, type, at + 2, length)
    else if (verbose <= 1) hexDump(printer, '\n\t  ', at + 2, length - 2)
    if (verbose > 1) hexDump(printer, '\n\t  ', at + 2, length - 2)
    at += length
  }
}

function printPart(printer: Printer, subtype: number, type: number, at: number, length: number): void {
  const right = subtype === LACP ? (type === 3 ? 16 : 20) : 16
  if (length !== right) {
    printer.put(`\n\t    ERROR: illegal length - should be ${right}`)
    return
  }
  if (subtype === MARKER) {
    const transaction = printer
      .u32(at + 8)
      .toString(16)
      .padStart(8, '0')
    printer.put(`\n\t  Request System ${printer.mac(at + 2)}, Request Port ${printer.u16(at)}`)
    printer.put(`, Request Transaction ID 0x${transaction}`)
  } else if (type === 3) printer.put(`\n\t  Max Delay ${printer.u16(at)}`)
  else {
    printer.put(`\n\t  System ${printer.mac(at + 2)}, System Priority ${printer.u16(at)}, Key ${printer.u16(at + 8)}`)
    printer.put(`, Port ${printer.u16(at + 12)}, Port Priority ${printer.u16(at + 10)}`)
    printer.put(`\n\t  State Flags [${setNames(STATES, printer.u8(at + 14))}]`)
  }
}

function hexDump(printer: Printer, indent: string, at: number, length: number): void {
  printer.put(hexLines(printer.bytes.subarray(at, Math.min(at + length, printer.end)), indent))
}

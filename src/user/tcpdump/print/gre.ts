/** GRE and what is inside. tcpdump 4.99.3 print-gre.c; RFC 2784, RFC 2890 */
import { NotModelled } from '#base/check'
import { ETHER_TYPES } from './ether-types.ts'
import { printIp } from './ip.ts'
import { printIp6 } from './ip6.ts'
import { printEthernet } from './link.ts'
import type { Printer } from './printer.ts'
import { setNames } from './set-names.ts'

const CHECKSUM = 0x8000
const ROUTING = 0x4000
const KEY = 0x2000
const SEQUENCE = 0x1000
const FLAGS: readonly [number, string][] = [
  [CHECKSUM, 'checksum present'],
  [ROUTING, 'routing present'],
  [KEY, 'key present'],
  [SEQUENCE, 'sequence# present'],
  [0x0800, 'source routing present'],
  [0x0080, 'ack present'],
]
const UNMODELLED: Record<number, string> = { 34887: 'MPLS', 33079: 'IPX', 32923: 'AppleTalk', 254: 'ISO' }

export function printGre(printer: Printer, at: number, length: number): void {
  const { options } = printer
  printer.protocol = 'gre'
  const end = at + length
  /** Whether so many bytes belong to the packet and were captured; else the line ends. */
  const fits = (count: number) => {
    if (at + count <= end && printer.has(at, count)) return true
    printer.truncated()
    return false
  }
  if (!fits(2)) return
  const flags = printer.u16(at)
  const version = flags & 7
  printer.put(`GREv${version}`)
  if (version === 1) throw new NotModelled('tcpdump: GRE of PPTP')
  if (version !== 0) {
    printer.put(' ERROR: unknown-version')
    return
  }
  if (options.verbose > 0) printer.put(`, Flags [${setNames(FLAGS, flags)}]`)
  at += 2
  if (!fits(2)) return
  const type = printer.u16(at)
  at += 2
  if (flags & (CHECKSUM | ROUTING)) {
    if (!fits(2)) return
    if (options.verbose > 0) printer.put(`, sum 0x${printer.u16(at).toString(16)}`)
    at += 2
    if (!fits(2)) return
    printer.put(`, off 0x${printer.u16(at).toString(16)}`)
    at += 2
  }
  if (flags & KEY) {
    if (!fits(4)) return
    printer.put(`, key=0x${printer.u32(at).toString(16)}`)
    at += 4
  }
  if (flags & SEQUENCE) {
    if (!fits(4)) return
    printer.put(`, seq ${printer.u32(at)}`)
    at += 4
  }
  if (flags & ROUTING) throw new NotModelled('tcpdump: source routes in GRE')
  if (options.link) printer.put(`, proto ${ETHER_TYPES[type] ?? 'unknown'} (0x${type.toString(16).padStart(4, '0')})`)
  printer.put(`, length ${length}${options.verbose === 0 ? ': ' : '\n\t'}`)
  const unmodelled = UNMODELLED[type]
  if (unmodelled !== undefined) throw new NotModelled(`tcpdump: ${unmodelled} in GRE`)
  if (type === 0x0800) printIp(printer, at, end - at)
  else if (type === 0x86dd) printIp6(printer, at, end - at)
  else if (type === 0x6558) printEthernet(printer, end - at, at)
  else printer.put(`gre-proto-0x${type.toString(16)}`)
}

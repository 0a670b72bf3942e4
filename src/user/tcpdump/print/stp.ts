/** BPDUs of bridges. tcpdump 4.99.3 print-stp.c; IEEE 802.1D */
import { NotModelled } from '#base/check'
import type { Printer } from './printer.ts'
import { setNames } from './set-names.ts'

const VERSIONS: Record<number, string> = { 0: '802.1d', 2: '802.1w', 3: '802.1s', 4: '802.1aq' }
const RAPID = 2
const TYPES: Record<number, string> = { 0: 'Config', 2: 'Rapid STP', 128: 'Topology Change' }
const CONFIG = 0
const RAPID_CONFIG = 2
const CONFIG_LENGTH = 35
const FLAGS: readonly [number, string][] = [
  [0x01, 'Topology change'],
  [0x02, 'Proposal'],
  [0x10, 'Learn'],
  [0x20, 'Forward'],
  [0x40, 'Agreement'],
  [0x80, 'Topology change ACK'],
]
const ROLES = ['Unknown', 'Alternate', 'Root', 'Designated']

export function printStp(printer: Printer, at: number, length: number): void {
  printer.protocol = 'stp'
  if (length < 4) {
    printer.put(' (invalid)')
    return
  }
  if (printer.u16(at) !== 0) {
    printer.put(`unknown STP version, length ${length}`)
    return
  }
  const version = printer.u8(at + 2)
  const name = VERSIONS[version]
  printer.put(`STP ${name ?? `Unknown STP protocol (0x${hex2(version)})`}`)
  if (name === undefined) return
  const type = printer.u8(at + 3)
  printer.put(`, ${TYPES[type] ?? `Unknown BPDU Type (0x${hex2(type)})`}`)
  if (type === RAPID_CONFIG && version > RAPID) throw new NotModelled('tcpdump: BPDUs of MSTP')
  // A rapid one of version 0 says no more.
  if (type !== CONFIG && !(type === RAPID_CONFIG && version === RAPID)) return
  if (length < CONFIG_LENGTH + (type === RAPID_CONFIG ? 1 : 0)) {
    printer.put(' (invalid)')
    return
  }
  printConfig(printer, at, length, version)
}

function printConfig(printer: Printer, at: number, length: number, version: number): void {
  const flags = printer.u8(at + 4)
  printer.put(`, Flags [${setNames(FLAGS, flags)}]`)
  const id = bridge(printer, at + 17)
  printer.put(
    `, bridge-id ${id}.${printer
      .u16(at + 25)
      .toString(16)
      .padStart(4, '0')}, length ${length}`,
  )
  if (printer.options.verbose === 0) return
  const seconds = (from: number) => `${hundredths(printer.u16(from))}s`
  const times = [seconds(at + 27), seconds(at + 29), seconds(at + 31), seconds(at + 33)]
  printer.put(`\n\tmessage-age ${times[0]}, max-age ${times[1]}, hello-time ${times[2]}, forwarding-delay ${times[3]}`)
  printer.put(`\n\troot-id ${bridge(printer, at + 5)}, root-pathcost ${printer.u32(at + 13)}`)
  if (version === RAPID) printer.put(`, port-role ${ROLES[(flags >>> 2) & 3]}`)
}

/** Two digits of 256ths of a second; halves go to the even digit, as printf's do. */
function hundredths(value: number): string {
  const scaled = (value * 100) / 256
  const floor = Math.floor(scaled)
  const rest = scaled - floor
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
  return `${Math.floor(rounded / 100)}.${String(rounded % 100).padStart(2, '0')}`
}

function bridge(printer: Printer, at: number): string {
  printer.need(at, 8)
  return `${printer.u16(at).toString(16).padStart(4, '0')}.${printer.mac(at + 2)}`
}

function hex2(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}

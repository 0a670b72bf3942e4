/** ARP and RARP. tcpdump 4.99.3 print-arp.c. */
import { NotModelled } from '#base/check'
import { ETHER_TYPES } from './ether-types.ts'
import type { Printer } from './printer.ts'

const HARDWARE: Record<number, string> = {
  1: 'Ethernet',
  6: 'TokenRing',
  7: 'ArcNet',
  15: 'FrameRelay',
  17: 'Strip',
  24: 'IEEE 1394',
  32: 'Infiniband',
}

const OPERATIONS: Record<number, string> = {
  1: 'Request',
  2: 'Reply',
  3: 'Reverse Request',
  4: 'Reverse Reply',
  8: 'Inverse Request',
  9: 'Inverse Reply',
  10: 'NACK Reply',
}

export function printArp(printer: Printer, at: number, length: number): void {
  const { options } = printer
  printer.protocol = 'arp'
  const hardware = printer.u16(at)
  const protocol = printer.u16(at + 2)
  const hardwareLength = printer.u8(at + 4)
  const protocolLength = printer.u8(at + 5)
  const operation = printer.u16(at + 6)
  if (hardware === 19) throw new NotModelled('tcpdump: ATM ARP')
  const sha = at + 8
  const spa = sha + hardwareLength
  const tha = spa + protocolLength
  const tpa = tha + hardwareLength
  printer.need(tpa, protocolLength)
  if (!options.link) printer.put('ARP, ')
  const usual = (protocol === 0x0800 || protocol === 0x1000) && protocolLength === 4 && hardwareLength !== 0
  if (!usual || options.verbose > 0) {
    const hardwareName = HARDWARE[hardware] ?? `Unknown Hardware (${hardware})`
    const protocolName = ETHER_TYPES[protocol] ?? `Unknown Protocol (0x${protocol.toString(16).padStart(4, '0')})`
    printer.put(`${hardwareName} (len ${hardwareLength}), ${protocolName} (len ${protocolLength})`)
    if (options.verbose === 0) {
      printer.put(`, length ${length}`)
      return
    }
    printer.put(', ')
  }
  printer.put(`${OPERATIONS[operation] ?? `Unknown (${operation})`} `)
  const address = (place: number) => {
    if (protocol !== 0x0800 && protocol !== 0x1000) return '<wrong proto type>'
    return protocolLength === 4 ? printer.address(place) : '<wrong len>'
  }
  const mac = (place: number) => printer.linkAddress(place, hardwareLength)
  if (operation === 1) {
    printer.put(`who-has ${address(tpa)}`)
    const known = printer.bytes.subarray(tha, tha + hardwareLength).some((byte) => byte !== 0)
    if (known) printer.put(` (${mac(tha)})`)
    printer.put(` tell ${address(spa)}`)
  } else if (operation === 2) printer.put(`${address(spa)} is-at ${mac(sha)}`)
  else if (operation === 3 || operation === 8) printer.put(`who-is ${mac(tha)} tell ${mac(sha)}`)
  else if (operation === 4) printer.put(`${mac(tha)} at ${address(tpa)}`)
  else if (operation === 9) printer.put(`${mac(sha)} at ${address(spa)}`)
  else {
    printer.defaultPrint(at, printer.end - at)
    return
  }
  printer.put(`, length ${length}`)
}

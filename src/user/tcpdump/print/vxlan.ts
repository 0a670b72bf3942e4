/** VXLAN and the frame inside. tcpdump 4.99.3 print-vxlan.c; RFC 7348. */
import { printEthernet } from './link.ts'
import type { Printer } from './printer.ts'

const HEADER = 8
const VALID_VNI = 0x08

/** @param length of the datagram's payload */
export function printVxlan(printer: Printer, at: number, length: number): void {
  printer.protocol = 'vxlan'
  printer.put('VXLAN')
  if (length < HEADER) {
    printer.put(` [length ${length} < ${HEADER}] (invalid)`)
    return
  }
  printer.need(at, HEADER)
  const flags = printer.u8(at)
  const vni = printer.u32(at + 4) >>> 8
  printer.put(`, flags [${flags & VALID_VNI ? 'I' : '.'}] (0x${flags.toString(16).padStart(2, '0')}), vni ${vni}\n`)
  printEthernet(printer, length - HEADER, at + HEADER)
}

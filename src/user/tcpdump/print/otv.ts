/** Port 8472, which Linux's VXLAN once had, is OTV's for tcpdump. tcpdump 4.99.3 print-otv.c */
import { printEthernet } from './link.ts'
import type { Printer } from './printer.ts'

const HEADER = 8

/** @param length of the datagram's payload */
export function printOtv(printer: Printer, at: number, length: number): void {
  printer.protocol = 'otv'
  printer.put('OTV, ')
  if (length < HEADER) {
    printer.put(`[length ${length} < ${HEADER}] (invalid)`)
    printer.need(at, length)
    return
  }
  const flags = printer.u8(at)
  printer.put(`flags [${flags & 0x08 ? 'I' : '.'}] (0x${flags.toString(16).padStart(2, '0')}), `)
  printer.need(at + 1, 3)
  printer.put(`overlay ${printer.u32(at) & 0xffffff}, `)
  printer.need(at + 4, 3)
  const instance = (printer.u16(at + 4) << 8) | printer.u8(at + 6)
  printer.put(`instance ${instance}\n`)
  printer.need(at + 7, 1)
  printEthernet(printer, length - HEADER, at + HEADER)
}

/** UDP. tcpdump 4.99.3 print-udp.c. */
import { internetChecksum } from '#base/bytes'
import { NotModelled } from '#base/check'
import { UDP_DESTINATIONS, UDP_SOURCES } from './decoded-ports.ts'
import { printDns } from './dns.ts'
import { ends, type IpPlace, pseudoHeader, rightChecksum } from './ip.ts'
import { printOtv } from './otv.ts'
import type { Printer } from './printer.ts'
import { printVxlan } from './vxlan.ts'

export function printUdp(printer: Printer, at: number, available: number, place: IpPlace): void {
  const { options } = printer
  printer.protocol = 'udp'
  if (!printer.has(at + 2, 2)) {
    const { src, dst } = ends(printer, place, 17)
    if (src !== '') printer.put(`${src.slice(0, -1)} > ${dst.slice(0, -1)}: `)
    printer.truncated()
    return
  }
  const { src, dst } = ends(printer, place, 17)
  const srcPort = printer.u16(at)
  const dstPort = printer.u16(at + 2)
  printer.put(`${src}${printer.portName(srcPort, 'udp')} > ${dst}${printer.portName(dstPort, 'udp')}: `)
  if (available < 8) {
    printer.put(`truncated-udp ${available}`)
    return
  }
  if (!printer.has(at, 8)) {
    printer.truncated()
    return
  }
  const claimed = printer.u16(at + 4)
  if (claimed < 8) {
    printer.put(`truncated-udplength ${claimed}`)
    return
  }
  const payload = claimed - 8
  const length = Math.min(payload, available - 8)
  if (options.verbose > (place.six ? 0 : 1) && !options.noChecksums && !place.fragment) {
    const found = printer.u16(at + 6)
    if (found === 0 && !place.six) printer.put('[no cksum] ')
    else if (printer.has(at + 8, length)) {
      const pseudo = pseudoHeader(printer, place, 17, length + 8)
      if (internetChecksum(printer.bytes, at, length + 8, pseudo) === 0) printer.put('[udp sum ok] ')
      else {
        const right = rightChecksum(printer.bytes, at, length + 8, at + 6, pseudo)
        printer.put(`[bad udp cksum 0x${hex4(found)} -> 0x${hex4(right)}!] `)
      }
    }
  }
  if (!options.quiet) {
    const either = (port: number) => srcPort === port || dstPort === port
    if (either(53) || either(5353)) {
      printDns(printer, at + 8, length, !either(53))
      return
    }
    if (either(8472)) {
      printOtv(printer, at + 8, length)
      return
    }
    if (dstPort === 4789) {
      printVxlan(printer, at + 8, length)
      return
    }
    if (UDP_SOURCES.has(srcPort)) throw new NotModelled(`tcpdump: what comes from UDP port ${srcPort}`)
    if (UDP_DESTINATIONS.has(dstPort)) throw new NotModelled(`tcpdump: what goes to UDP port ${dstPort}`)
  }
  if (payload > length && !place.fragment) printer.put(`UDP, bad length ${payload} > ${length}`)
  else printer.put(`UDP, length ${payload}`)
}

function hex4(word: number): string {
  return word.toString(16).padStart(4, '0')
}

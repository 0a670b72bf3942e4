/** IPv6's header and its extension headers. tcpdump 4.99.3 print-ip6.c, print-ip6opts.c, print-frag6.c, print-rt6.c. */
import { NotModelled } from '#base/check'
import { printGre } from './gre.ts'
import { printIcmp6 } from './icmp6.ts'
import { PROTOCOLS, printIp, protocolName, UNMODELLED } from './ip.ts'
import { printEthernet } from './link.ts'
import type { Printer } from './printer.ts'
import { printTcp } from './tcp.ts'
import { printUdp } from './udp.ts'
import { printVrrp } from './vrrp.ts'

/** They print the addresses themselves, with their ports. */
const WITH_PORTS = new Set([6, 17, 33, 132])

export function printIp6(printer: Printer, at: number, length: number): void {
  const { options } = printer
  printer.protocol = 'ip6'
  if (!printer.has(at, 40)) {
    printer.truncated()
    return
  }
  if (length < 40) {
    printer.put(`truncated-ip6 ${length}`)
    return
  }
  if (!options.link) printer.put('IP6 ')
  const version = printer.u8(at) >>> 4
  if (version !== 6) {
    printer.put(`version error: ${version} != 6`)
    return
  }
  const payload = printer.u16(at + 4)
  const total = payload + 40
  if (length < total) printer.put(`truncated-ip6 - ${total - length} bytes missing!`)
  const next = printer.u8(at + 6)
  if (options.verbose > 0) {
    const flow = printer.u32(at)
    const [trafficClass, label] = [(flow >>> 20) & 255, flow & 0xfffff]
    printer.put('(')
    if (trafficClass !== 0) printer.put(`class 0x${trafficClass.toString(16).padStart(2, '0')}, `)
    if (label !== 0) printer.put(`flowlabel 0x${label.toString(16).padStart(5, '0')}, `)
    printer.put(`hlim ${printer.u8(at + 7)}, next-header ${PROTOCOLS[next] ?? 'unknown'} (${next})`)
    printer.put(` payload length: ${payload}) `)
  }
  // Without a length, it might be a jumbogram.
  printer.within(payload === 0 ? printer.end : at + total, () => printChain(printer, at, next, total))
}

function printChain(printer: Printer, header: number, first: number, total: number): void {
  let next = first
  let at = header + 40
  let fragment = false
  if (!WITH_PORTS.has(next)) printer.put(`${printer.address6(header + 8)} > ${printer.address6(header + 24)}: `)
  for (;;) {
    let size: number
    if (fragment && at >= printer.end) return
    if (next === 0 && at !== header + 40) {
      printer.put("[The Hop-by-Hop Options header don't follow the IPv6 header] (invalid)")
      return
    }
    if (next === 0 || next === 60) size = printOptionsHeader(printer, at, next === 0 ? 'HBH' : 'DSTOPT')
    else if (next === 44) {
      size = printFragment(printer, at, header)
      fragment = true
    } else if (next === 43) throw new NotModelled('tcpdump: routing headers')
    else {
      printPayload(printer, at, header + total - at, next, { at: header, fragment, six: true })
      return
    }
    if (size < 0) return
    next = printer.u8(at)
    at += size
    if (total > 40 && at > header + total) {
      printer.truncated()
      return
    }
  }
}

function printPayload(
  printer: Printer,
  at: number,
  length: number,
  protocol: number,
  place: { at: number; fragment: boolean; six: true },
): void {
  if (protocol === 58) printIcmp6(printer, at, length, place)
  else if (protocol === 6) printTcp(printer, at, length, place)
  else if (protocol === 17) printUdp(printer, at, length, place)
  else if (protocol === 41) printIp6(printer, at, length)
  else if (protocol === 59) printer.put('no next header')
  else if (protocol === 4) printIp(printer, at, length)
  else if (protocol === 47) printGre(printer, at, length)
  else if (protocol === 112) printVrrp(printer, at, length, place)
  else if (protocol === 143) printEthernet(printer, length, at)
  else if (protocol === 1 || protocol === 2) printer.put(`[${PROTOCOLS[protocol]} requires IPv4] (invalid)`)
  else if (UNMODELLED.has(protocol) || protocol === 62 || protocol === 135)
    throw new NotModelled(`tcpdump: IP protocol ${protocol} over IPv6`)
  else printer.put(` ${protocolName(printer, protocol)} ${length}`)
}

/** How long it is; -1 if it was cut short. */
function printOptionsHeader(printer: Printer, at: number, name: string): number {
  printer.protocol = name === 'HBH' ? 'hbhopt' : 'dstopt'
  const size = (printer.u8(at + 1) + 1) * 8
  if (!printer.has(at, size)) {
    printer.truncated()
    return -1
  }
  printer.put(`${name} `)
  const { verbose } = printer.options
  if ((name === 'HBH' || verbose > 0) && !printOptions(printer, at + 2, size - 2)) {
    printer.truncated()
    return -1
  }
  return size
}

/** Whether they are right; what is wrong with them is printed always, what they are with -v. */
function printOptions(printer: Printer, at: number, length: number): boolean {
  const say = (text: string) => printer.options.verbose > 0 && printer.put(text)
  const end = at + length
  while (at < end) {
    const type = printer.u8(at)
    const size = type === 0 ? 1 : at + 1 < end ? printer.u8(at + 1) + 2 : end - at + 1
    if (at + size > end) return false
    if (type === 0) say('(pad1)')
    else if (type === 1) say('(padn)')
    else if (type === 5) {
      if (size !== 4) {
        printer.put(`(rtalert: invalid len ${size - 2})`)
        return false
      }
      const value = printer.u16(at + 2)
      say(`(rtalert: 0x${value.toString(16).padStart(4, '0')}) `)
    } else if (type === 194 || type === 201) throw new NotModelled(`tcpdump: IPv6 option ${type}`)
    else say(`(opt_type 0x${type.toString(16).padStart(2, '0')}: len=${size - 2})`)
    at += size
  }
  say(' ')
  return true
}

function printFragment(printer: Printer, at: number, header: number): number {
  printer.protocol = 'frag6'
  const offset = printer.u16(at + 2) & 0xfff8
  const left = 40 + printer.u16(header + 4) - (at - header) - 8
  const length = left < 0 ? BigInt.asUintN(64, BigInt(left)) : left // As C prints it.
  const id =
    printer.options.verbose > 0
      ? printer
          .u32(at + 4)
          .toString(16)
          .padStart(8, '0')
      : undefined
  if (id !== undefined) printer.put(`frag (0x${id}:${offset}|${length})`)
  else printer.put(`frag (${offset}|${length})`)
  if (offset !== 0) return -1
  printer.put(' ')
  return 8
}

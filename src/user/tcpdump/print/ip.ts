/** IPv4's header and options. tcpdump 4.99.3 print-ip.c, print-ip-demux.c. */

import { foldSum, internetChecksum, sumWords } from '#base/bytes'
import { NotModelled } from '#base/check'
import { formatIpv4 } from '#wire/inet'
import { printGre } from './gre.ts'
import { printIcmp } from './icmp.ts'
import { printIgmp } from './igmp.ts'
import { printIp6 } from './ip6.ts'
import type { Printer } from './printer.ts'
import { ipProtocolName } from './protocol-names.ts'
import { printTcp } from './tcp.ts'
import { printUdp } from './udp.ts'
import { printVrrp } from './vrrp.ts'

export const PROTOCOLS: Record<number, string> = {
  0: 'Options',
  1: 'ICMP',
  2: 'IGMP',
  4: 'IPIP',
  6: 'TCP',
  8: 'EGP',
  9: 'IGRP',
  17: 'UDP',
  33: 'DCCP',
  41: 'IPv6',
  43: 'Routing',
  44: 'Fragment',
  46: 'RSVP',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  55: 'Mobile IP',
  58: 'ICMPv6',
  62: 'Mobile IP (old)',
  88: 'EIGRP',
  89: 'OSPF',
  103: 'PIM',
  108: 'Compressed IP',
  112: 'VRRP',
  113: 'PGM',
  132: 'SCTP',
  135: 'Mobility',
  143: 'Ethernet',
}

/** Protocols that tcpdump takes apart and this doesn't yet. */
export const UNMODELLED = new Set([8, 9, 33, 46, 50, 51, 55, 77, 88, 89, 103, 108, 113, 132])

/** Where a packet's layers stand, for those who need the addresses around them. */
export interface IpPlace {
  at: number
  fragment: boolean
  /** IPv6. */
  six?: boolean
}

export function printIp(printer: Printer, at: number, length: number): void {
  const { options } = printer
  printer.protocol = 'ip'
  const version = printer.u8(at) >>> 4
  if (version !== 4) {
    printer.put(`IP${version}${version === 6 ? ', wrong link-layer encapsulation' : ''} (invalid)`)
    return
  }
  if (!options.link) printer.put('IP ')
  if (!printer.has(at, 20)) {
    printer.truncated()
    return
  }
  if (length < 20) {
    printer.put(`truncated-ip ${length}`)
    return
  }
  const headerLength = (printer.u8(at) & 15) * 4
  if (headerLength < 20) {
    printer.put(`bad-hlen ${headerLength}`)
    return
  }
  let total = printer.u16(at + 2)
  if (length < total) printer.put(`truncated-ip - ${total - length} bytes missing! `)
  if (total < headerLength) {
    if (total !== 0) {
      printer.put(`bad-len ${total}`)
      return
    }
    total = length // Left to a card that cuts it into segments.
  }
  printer.within(at + total, () => printBody(printer, at, headerLength, total - headerLength))
}

function printBody(printer: Printer, at: number, headerLength: number, length: number): void {
  const { options } = printer
  const word = printer.u16(at + 6)
  const protocol = printer.u8(at + 9)
  const src = () => printer.address(at + 12)
  const dst = () => printer.address(at + 16)
  let missing = false
  if (options.verbose > 0) {
    const tos = printer.u8(at + 1)
    const ttl = printer.u8(at + 8)
    printer.put(`(tos 0x${tos.toString(16)}${['', ',ECT(1)', ',ECT(0)', ',CE'][tos & 3]}`)
    if (ttl >= 1) printer.put(`, ttl ${ttl}`)
    const flags = [word & 0x2000 ? '+' : '', word & 0x4000 ? 'DF' : '', word & 0x8000 ? 'rsvd' : ''].filter(
      (name) => name !== '',
    )
    printer.put(`, id ${printer.u16(at + 4)}, offset ${(word & 0x1fff) * 8}, flags [${flags.join(', ') || 'none'}]`)
    printer.put(`, proto ${PROTOCOLS[protocol] ?? 'unknown'} (${protocol}), length ${printer.u16(at + 2)}`)
    if (headerLength > 20) {
      printer.put(', options (')
      missing = !printOptions(printer, at + 20, headerLength - 20)
      if (missing) printer.put(' [truncated-option]')
      printer.put(')')
    }
    if (!options.noChecksums && at + headerLength <= printer.end) {
      const sum = internetChecksum(printer.bytes, at, headerLength)
      const found = printer.u16(at + 10)
      if (sum !== 0)
        printer.put(
          `, bad cksum ${found.toString(16)} (->${rightChecksum(printer.bytes, at, headerLength, at + 10).toString(16)})!`,
        )
    }
    printer.put(')\n    ')
    if (missing) {
      printer.put(`${src()} > ${dst()}: `)
      printer.truncated()
      return
    }
  }
  if ((word & 0x1fff) !== 0) {
    printer.put(`${src()} > ${dst()}: ${protocolName(printer, protocol)}`)
    return
  }
  if (protocol !== 6 && protocol !== 17 && protocol !== 132 && protocol !== 33) printer.put(`${src()} > ${dst()}: `)
  if (!printer.has(at, headerLength)) {
    printer.put(` [remaining caplen(${printer.end - at}) < header length(${headerLength})]`)
    printer.need(at, headerLength)
  }
  const place = { at, fragment: (word & 0x2000) !== 0 }
  const next = at + headerLength
  if (protocol === 1) printIcmp(printer, next, length, place)
  else if (protocol === 2) printIgmp(printer, next, length)
  else if (protocol === 4) printIp(printer, next, length)
  else if (protocol === 6) printTcp(printer, next, length, place)
  else if (protocol === 17) printUdp(printer, next, length, place)
  else if (protocol === 41) printIp6(printer, next, length)
  else if (protocol === 47) printGre(printer, next, length)
  else if (protocol === 112) printVrrp(printer, next, length, place)
  else if (protocol === 58 || protocol === 143) printer.put(`[${PROTOCOLS[protocol]} requires IPv6] (invalid)`)
  else if (protocol === 59) printer.put('no next header')
  else if (UNMODELLED.has(protocol)) throw new NotModelled(`tcpdump: IP protocol ${protocol}`)
  else printer.put(` ${protocolName(printer, protocol)} ${length}`)
}

export function protocolName(printer: Printer, protocol: number): string {
  return (printer.options.numeric ? undefined : ipProtocolName(protocol)) ?? `ip-proto-${protocol}`
}

/** What a checksum should be: of the piece without the word where it stands. */
export function rightChecksum(bytes: Uint8Array, at: number, length: number, word: number, sum = 0): number {
  const found = (bytes[word]! << 8) | bytes[word + 1]!
  return ~foldSum(sumWords(bytes, at, length, sum) - found) & 0xffff
}

/** Who sends and who gets it, with a dot for the port behind; nothing if it was printed already, before an extension header. */
export function ends(printer: Printer, place: IpPlace, protocol: number): { src: string; dst: string } {
  if (place.six && printer.u8(place.at + 6) !== protocol) return { src: '', dst: '' }
  const { src, dst } = addresses(printer, place)
  return { src: `${src}.`, dst: `${dst}.` }
}

export function addresses(printer: Printer, place: IpPlace): { src: string; dst: string } {
  return place.six
    ? { src: printer.address6(place.at + 8), dst: printer.address6(place.at + 24) }
    : { src: printer.address(place.at + 12), dst: printer.address(place.at + 16) }
}

/** The pseudo-header's sum for a transport of this length; a source route's end is the destination. */
export function pseudoHeader(printer: Printer, place: IpPlace, protocol: number, length: number): number {
  const { bytes } = printer
  if (place.six) return sumWords(bytes, place.at + 8, 32) + protocol + (length >>> 16) + (length & 0xffff)
  const dst = routeEnd(printer, place.at) ?? place.at + 16
  return sumWords(bytes, place.at + 12, 4) + sumWords(bytes, dst, 4) + protocol + length
}

/** Where the last address of a source route stands, if there is one. tcpdump 4.99.3 print-ip.c: ip_finddst() */
function routeEnd(printer: Printer, at: number): number | undefined {
  const end = at + (printer.u8(at) & 15) * 4
  let option = at + 20
  while (option < end) {
    const type = printer.u8(option)
    const size = type <= 1 ? 1 : printer.u8(option + 1)
    if ((size < 2 && type > 1) || option + size > end || type === 0) return undefined
    if (type === 131 || type === 137) return size >= 7 ? option + size - 4 : undefined
    option += size
  }
  return undefined
}

const OPTION_NAMES: Record<number, string> = {
  0: 'EOL',
  1: 'NOP',
  7: 'RR',
  68: 'timestamp',
  82: 'traceroute',
  130: 'security',
  131: 'LSRR',
  137: 'SSRR',
  148: 'RA',
}

/** Whether all of them were captured. */
function printOptions(printer: Printer, at: number, length: number): boolean {
  let separator = ''
  let left = length
  while (left > 0) {
    printer.put(separator)
    separator = ','
    const type = printer.u8(at)
    printer.put(OPTION_NAMES[type] ?? `unknown ${type}`)
    let size = 1
    if (type > 1) {
      size = printer.u8(at + 1)
      if (size < 2) {
        printer.put(` [bad length ${size}]`)
        return true
      }
    }
    if (size > left) {
      printer.put(` [bad length ${size}]`)
      return true
    }
    if (!printer.has(at, size)) return false
    if (type === 0) return true
    if (type === 68) printStamps(printer, at, size)
    else if (type === 7 || type === 131 || type === 137) printRoute(printer, at, size)
    else if (type === 148) {
      if (size < 4) printer.put('TRUNC')
      else if (printer.u16(at + 2) !== 0) printer.put(` value ${printer.u16(at + 2)}`)
    }
    at += size
    left -= size
  }
  return true
}

function printRoute(printer: Printer, at: number, length: number): void {
  if (length < 3) {
    printer.put(` [bad length ${length}]`)
    return
  }
  if ((length + 1) % 4 !== 0) printer.put(` [bad length ${length}]`)
  const pointer = printer.u8(at + 2) - 1
  if (pointer < 3 || (pointer + 1) % 4 !== 0) printer.put(` [bad ptr ${pointer + 1}]`)
  for (let i = 3; i < length; i += 4) {
    // Not by name: routes are lists of routers.
    printer.put(` ${formatIpv4(printer.u32(at + i))}`)
    if (pointer > i) printer.put(',')
  }
}

function printStamps(printer: Printer, at: number, length: number): void {
  if (length < 4) {
    printer.put(`[bad length ${length}]`)
    return
  }
  printer.put(' TS{')
  const flag = printer.u8(at + 3) & 15
  const step = flag !== 0 ? 8 : 4
  if ((length - 4) % step !== 0) printer.put(`[bad length ${length}]`)
  const pointer = printer.u8(at + 2) - 1
  let i = 0
  if (pointer < 4 || (pointer - 4) % step !== 0 || pointer > length + 1) printer.put(`[bad ptr ${pointer + 1}]`)
  const kind = ['TSONLY', 'TS+ADDR', undefined, 'PRESPEC'][flag]
  if (kind === undefined) printer.put(`[bad ts type ${flag}]`)
  else {
    printer.put(kind)
    for (i = 4; i < length; i += step) {
      const mark = pointer === i ? ' ^ ' : ' '
      printer.put(`${mark}${printer.u32(at + i + step - 4)}@${step === 8 ? printer.address(at + i) : ''}`)
    }
  }
  if (pointer === i) printer.put(' ^ ')
  const missed = printer.u8(at + 3) >>> 4
  printer.put(missed > 0 ? ` [${missed} hops not recorded]} ` : '}')
}

/** TCP. tcpdump 4.99.3 print-tcp.c. */
import { internetChecksum } from '#base/bytes'
import { NotModelled } from '#base/check'
import { TCP_DESTINATIONS, TCP_SOURCES } from './decoded-ports.ts'
import { printDnsOverTcp } from './dns.ts'
import { printHttp } from './http.ts'
import { addresses, ends, type IpPlace, pseudoHeader, rightChecksum } from './ip.ts'
import type { Printer } from './printer.ts'

const SYN = 2
const RST = 4
const ACK = 16
const URG = 32

export function printTcp(printer: Printer, at: number, length: number, place: IpPlace): void {
  const { options } = printer
  printer.protocol = 'tcp'
  if (!printer.has(at + 2, 2)) {
    const { src, dst } = addresses(printer, place)
    printer.put(`${src} > ${dst}:`)
    printer.truncated()
    return
  }
  const { src, dst } = ends(printer, place, 6)
  const srcPort = printer.u16(at)
  const dstPort = printer.u16(at + 2)
  printer.put(`${src}${printer.portName(srcPort, 'tcp')} > ${dst}${printer.portName(dstPort, 'tcp')}: `)
  if (!printer.has(at, 20)) {
    printer.truncated()
    return
  }
  const headerLength = (printer.u8(at + 12) >>> 4) * 4
  if (headerLength < 20) {
    printer.put(` tcp ${(length - headerLength) >>> 0} [bad hdr length ${headerLength} - too short, < 20]`)
    return
  }
  const tooLong = headerLength > length ? ` [bad hdr length ${headerLength} - too long, > ${length}]` : ''
  if (options.quiet) {
    printer.put(`tcp ${(length - headerLength) >>> 0}${tooLong}`)
    return
  }
  const flags = printer.u8(at + 13)
  printer.put(`Flags [${[...'FSRP.UEW'].filter((_, i) => flags & (1 << i)).join('') || 'none'}]`)
  const numbers = relative(printer, at, place, flags)
  if (tooLong !== '') {
    printer.put(tooLong)
    return
  }
  if (options.verbose > 0 && !options.noChecksums && !place.fragment && printer.has(at, length)) {
    const pseudo = pseudoHeader(printer, place, 6, length)
    const found = printer.u16(at + 16)
    const good = internetChecksum(printer.bytes, at, length, pseudo) === 0
    const right = rightChecksum(printer.bytes, at, length, at + 16, pseudo)
    printer.put(`, cksum 0x${hex4(found)} (${good ? 'correct' : `incorrect -> 0x${hex4(right)}`})`)
  }
  const payload = length - headerLength
  if (options.verbose > 1 || payload > 0 || flags & 7) {
    printer.put(`, seq ${numbers.seq}`)
    if (payload > 0) printer.put(`:${(numbers.seq + payload) >>> 0}`)
  }
  if (flags & ACK) printer.put(`, ack ${numbers.ack}`)
  printer.put(`, win ${printer.u16(at + 14)}`)
  if (flags & URG) printer.put(`, urg ${printer.u16(at + 18)}`)
  if (headerLength > 20 && !printOptions(printer, at + 20, headerLength - 20, numbers.edge)) return
  printer.put(`, length ${payload}`)
  if (payload === 0) return
  if (!printer.has(at, headerLength)) {
    printer.put(` [remaining caplen(${printer.end - at}) < header length(${headerLength})]`)
    printer.truncated()
    return
  }
  if (flags & RST && options.verbose > 0) {
    printResetText(printer, at + headerLength, payload)
    return
  }
  const either = (port: number) => srcPort === port || dstPort === port
  if (either(80) || either(8080)) {
    printer.put(': ')
    printHttp(printer, at + headerLength, payload)
    return
  }
  if (either(53)) {
    printDnsOverTcp(printer, at + headerLength, payload)
    return
  }
  if (TCP_SOURCES.has(srcPort)) throw new NotModelled(`tcpdump: what comes from TCP port ${srcPort}`)
  if (TCP_DESTINATIONS.has(dstPort)) throw new NotModelled(`tcpdump: what goes to TCP port ${dstPort}`)
}

/** Numbers counted from the conversation's first, unless -S or there is no ACK; and what SACK edges are counted from. */
function relative(
  printer: Printer,
  at: number,
  place: IpPlace,
  flags: number,
): { seq: number; ack: number; edge: number } {
  const seq = printer.u32(at + 4)
  const ack = printer.u32(at + 8)
  if (printer.options.absolute || !(flags & ACK)) return { seq, ack, edge: 0 }
  const [srcPort, dstPort] = [printer.u16(at), printer.u16(at + 2)]
  const [src, dst] = place.six
    ? [hexAt(printer, place.at + 8, 16), hexAt(printer, place.at + 24, 16)]
    : [printer.u32(place.at + 12), printer.u32(place.at + 16)]
  const reversed = srcPort > dstPort || (srcPort === dstPort && src > dst)
  const key = reversed ? `${dst} ${src} ${dstPort} ${srcPort}` : `${src} ${dst} ${srcPort} ${dstPort}`
  const known = printer.conversations.get(key)
  if (!known || flags & SYN) {
    const first = (ack - 1) >>> 0
    const conversation = reversed ? { seq: first, ack: seq } : { seq, ack: first }
    printer.conversations.set(key, conversation)
    return { seq, ack, edge: reversed ? conversation.seq : conversation.ack }
  }
  const [mine, theirs] = reversed ? [known.ack, known.seq] : [known.seq, known.ack]
  return { seq: (seq - mine) >>> 0, ack: (ack - theirs) >>> 0, edge: theirs }
}

/** Bytes as a text that is compared as they are. */
function hexAt(printer: Printer, at: number, length: number): string {
  let text = ''
  for (let i = at; i < at + length; i++) text += printer.u8(i).toString(16).padStart(2, '0')
  return text
}

const NAMES: Record<number, string> = {
  0: 'eol',
  1: 'nop',
  2: 'mss',
  3: 'wscale',
  4: 'sackOK',
  5: 'sack',
  6: 'echo',
  7: 'echoreply',
  8: 'TS',
  11: 'cc',
  12: 'ccnew',
  13: 'ccecho',
  19: 'md5',
  20: 'scps',
  28: 'uto',
  29: 'tcp-ao',
  30: 'mptcp',
  34: 'tfo',
  254: 'exp',
}
const UNMODELLED = new Set([19, 20, 28, 29, 30, 34, 254])

/** False if they are broken, which ends the line. */
function printOptions(printer: Printer, at: number, length: number, edge: number): boolean {
  printer.put(', options [')
  let separator = ''
  let left = length
  while (left > 0) {
    printer.put(separator)
    const type = printer.u8(at++)
    let size = 1
    if (type > 1) {
      size = printer.u8(at++)
      if (size < 2 || size > left) return bad(printer, separator)
      left--
    }
    left--
    printer.put(NAMES[type] ?? `unknown-${type}`)
    if (UNMODELLED.has(type)) throw new NotModelled(`tcpdump: TCP option ${type}`)
    let data = 0
    /** Whether so many bytes belong to the options and were captured. */
    let cut = false
    const fits = (count: number) => {
      cut = count <= left && !printer.has(at, count)
      return count <= left && !cut
    }
    if (type === 2) {
      data = 2
      if (!fits(2)) return bad(printer, separator, cut)
      printer.put(` ${printer.u16(at)}`)
    } else if (type === 3) {
      data = 1
      if (!fits(1)) return bad(printer, separator, cut)
      printer.put(` ${printer.u8(at)}`)
    } else if (type === 5) {
      data = size - 2
      if (data % 8 !== 0) printer.put(' invalid sack')
      else {
        printer.put(` ${data / 8} `)
        for (let i = 0; i < data; i += 8) {
          if (!fits(i + 8)) return bad(printer, separator, cut)
          printer.put(`{${(printer.u32(at + i) - edge) >>> 0}:${(printer.u32(at + i + 4) - edge) >>> 0}}`)
        }
      }
    } else if (type === 6 || type === 7 || (type >= 11 && type <= 13)) {
      data = 4
      if (!fits(4)) return bad(printer, separator, cut)
      printer.put(` ${printer.u32(at)}`)
    } else if (type === 8) {
      data = 8
      if (!fits(8)) return bad(printer, separator, cut)
      printer.put(` val ${printer.u32(at)} ecr ${printer.u32(at + 4)}`)
    } else if (type > 1 && type !== 4) {
      data = size - 2
      for (let i = 0; i < data; i++) {
        if (!fits(i + 1)) return bad(printer, separator, cut)
        printer.put(
          `${i === 0 ? ' 0x' : ''}${printer
            .u8(at + i)
            .toString(16)
            .padStart(2, '0')}`,
        )
      }
    }
    at += data
    left -= data
    if (data + (type > 1 ? 2 : 1) !== size) printer.put(`[len ${size}]`)
    separator = ','
    if (type === 0) break
  }
  printer.put(']')
  return true
}

function bad(printer: Printer, separator: string, cut = false): false {
  if (cut) printer.truncated()
  else printer.put('[bad opt]')
  if (separator !== '') printer.put(cut ? '>' : ']')
  return false
}

/** A reset may say in words why. RFC 1122 section 4.2.2.12. */
function printResetText(printer: Printer, at: number, length: number): void {
  printer.put(printer.has(at, length) ? ' [RST' : ' [!RST')
  if (length > 30) printer.put('+')
  printer.put(' ')
  for (let i = at; i < at + Math.min(length, 30) && i < printer.end; i++) {
    let byte = printer.bytes[i]!
    if (byte > 0x7f) {
      byte &= 0x7f
      printer.put('M-')
    }
    if (byte < 0x20 || byte === 0x7f) printer.put(`^${String.fromCharCode(byte ^ 0x40)}`)
    else printer.put(String.fromCharCode(byte))
  }
  printer.put(']')
}

function hex4(word: number): string {
  return word.toString(16).padStart(4, '0')
}

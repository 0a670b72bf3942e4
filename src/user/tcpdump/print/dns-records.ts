/** Questions and records of DNS messages. tcpdump 4.99.3 print-domain.c: ns_qprint(), ns_rprint() */
import { formatIpv4, formatIpv6, readIpv6 } from '#wire/inet'
import { printCharacters, printName, printString, skipName } from './dns-names.ts'
import { printOptions } from './dns-options.ts'
import type { Printer } from './printer.ts'

/** By number from 1; IANA, "Resource Record (RR) TYPEs". */
const FIRST_TYPES = `A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT NSAP NSAP_PTR
SIG KEY PX GPOS AAAA LOC NXT EID NIMLOC SRV ATMA NAPTR KX CERT A6 DNAME SINK OPT APL DS SSHFP IPSECKEY RRSIG NSEC
DNSKEY`.split(/\s+/)
const TYPES: Record<number, string> = {
  99: 'SPF',
  100: 'UINFO',
  101: 'UID',
  102: 'GID',
  103: 'UNSPEC',
  104: 'UNSPECA',
  249: 'TKEY',
  250: 'TSIG',
  251: 'IXFR',
  252: 'AXFR',
  253: 'MAILB',
  254: 'MAILA',
  255: 'ANY',
  256: 'URI',
}
const CLASSES: Record<number, string> = { 1: 'IN', 3: 'CHAOS', 4: 'HS', 255: 'ANY' }
const IN = 1
export const OPT = 41
/** In multicast DNS: of a question, that one host shall answer; of a record, that it replaces the known ones. */
const MULTICAST_FLAG = 0x8000

function typeName(type: number): string {
  return FIRST_TYPES[type - 1] ?? TYPES[type] ?? `Type${type}`
}

function className(value: number): string {
  return CLASSES[value] ?? `(Class ${value})`
}

/** @returns where it ends */
export function printQuestion(printer: Printer, at: number, message: number, multicast: boolean): number | undefined {
  const fields = skipName(printer, at)
  if (fields === undefined || !printer.has(fields, 4)) return undefined
  printer.put(` ${typeName(printer.u16(fields))}`)
  const word = printer.u16(fields + 2)
  const value = multicast ? word & ~MULTICAST_FLAG : word
  if (value !== IN) printer.put(` ${className(value)}`)
  if (multicast) printer.put(word & MULTICAST_FLAG ? ' (QU)' : ' (QM)')
  printer.put('? ')
  const end = printName(printer, at, message)
  return end === undefined ? undefined : end + 4
}

/** @returns where it ends; undefined where it is broken */
export function printRecord(printer: Printer, at: number, message: number, multicast: boolean): number | undefined {
  const { verbose } = printer.options
  let fields: number | undefined
  if (verbose > 0) {
    printer.put(' ')
    fields = printName(printer, at, message)
    if (fields === undefined) return undefined
  } else fields = skipName(printer, at)
  if (fields === undefined || !printer.has(fields, 10)) return printer.end
  const type = printer.u16(fields)
  const word = printer.u16(fields + 2)
  const value = multicast ? word & ~MULTICAST_FLAG : word
  if (value !== IN && type !== OPT) printer.put(` ${className(value)}`)
  if (multicast && word & MULTICAST_FLAG) printer.put(' (Cache flush)')
  if (type !== OPT && verbose > 2) printer.put(` [${duration(printer.u32(fields + 4))}]`)
  const length = printer.u16(fields + 8)
  const data = fields + 10
  const end = data + length
  printer.put(` ${typeName(type)}`)
  if (end > printer.end) return undefined
  if (type === OPT) {
    printer.put(` UDPsize=${value}${printer.u16(fields + 6) & 0x8000 ? ' DO' : ''}`)
    return printOptions(printer, data, end) ? end : undefined
  }
  return printData(printer, type, data, length, message) ? end : undefined
}

/** Records are taken at their word: what a type has may lie beyond the record's length. */
function printData(printer: Printer, type: number, at: number, length: number, message: number): boolean {
  const name = (from: number) => printName(printer, from, message)
  switch (typeName(type)) {
    case 'A':
      if (!printer.has(at, 4)) return false
      printer.put(` ${formatIpv4(printer.u32(at))}`)
      return true
    case 'AAAA':
      if (!printer.has(at, 16)) return false
      printer.put(` ${formatIpv6(readIpv6(printer.bytes, at))}`)
      return true
    case 'NS':
    case 'CNAME':
    case 'PTR':
    case 'DNAME':
      printer.put(' ')
      return name(at) !== undefined
    case 'SOA':
      return printer.options.verbose === 0 || printSoa(printer, at, message)
    case 'MX':
      printer.put(' ')
      if (!printer.has(at, 2) || name(at + 2) === undefined) return false
      printer.put(` ${printer.u16(at)}`)
      return true
    case 'TXT':
      return printStrings(printer, at, at + length)
    case 'SRV':
      printer.put(' ')
      if (!printer.has(at, 6) || name(at + 6) === undefined) return false
      printer.put(`:${printer.u16(at + 4)} ${printer.u16(at)} ${printer.u16(at + 2)}`)
      return true
    case 'A6':
      return printA6(printer, at, message)
    case 'URI':
      printer.put(` ${printer.u16(at)} ${printer.u16(at + 2)} `)
      return printCharacters(printer, at + 4, (length - 4) >>> 0)
    case 'UNSPECA':
      return printCharacters(printer, at, length)
    case 'TSIG':
      return printer.options.verbose === 0 || printSignature(printer, at, message)
    default:
      return true
  }
}

function printSoa(printer: Printer, at: number, message: number): boolean {
  printer.put(' ')
  const mail = printName(printer, at, message)
  if (mail === undefined) return false
  printer.put(' ')
  const numbers = printName(printer, mail, message)
  if (numbers === undefined || !printer.has(numbers, 20)) return false
  for (let i = 0; i < 20; i += 4) printer.put(` ${printer.u32(numbers + i)}`)
  return true
}

function printStrings(printer: Printer, at: number, end: number): boolean {
  while (at < end) {
    printer.put(' "')
    const next = printString(printer, at)
    if (next === undefined) return false
    printer.put('"')
    at = next
  }
  return true
}

function printA6(printer: Printer, at: number, message: number): boolean {
  if (!printer.has(at, 1)) return false
  const bits = printer.u8(at)
  const bytes = bits >>> 3
  if (bits > 128) {
    printer.put(` ${bits}(bad plen)`)
    return true
  }
  if (bits < 128) {
    printer.need(at + 1, 16 - bytes)
    const address = new Uint8Array(16)
    address.set(printer.bytes.subarray(at + 1, at + 17 - bytes), bytes)
    printer.put(` ${bits} ${formatIpv6(readIpv6(address, 0))}`)
  }
  if (bits === 0) return true
  printer.put(' ')
  return printName(printer, at + 17 - bytes, message) !== undefined
}

function printSignature(printer: Printer, at: number, message: number): boolean {
  printer.put(' ')
  let next = printName(printer, at, message)
  if (next === undefined) return false
  next += 6
  for (const name of ['fudge', 'maclen', 'origid', 'error', 'otherlen']) {
    if (!printer.has(next, 2)) return false
    const value = printer.u16(next)
    printer.put(` ${name}=${value}`)
    next += 2 + (name === 'maclen' ? value : 0)
  }
  return true
}

const UNITS: readonly [number, string][] = [
  [31_536_000, 'y'],
  [604_800, 'w'],
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'm'],
  [1, 's'],
]

function duration(seconds: number): string {
  if (seconds === 0) return '0s'
  let text = ''
  for (const [unit, letter] of UNITS) {
    if (seconds >= unit) text += Math.floor(seconds / unit) + letter
    seconds %= unit
  }
  return text
}

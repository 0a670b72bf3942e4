/** DNS over UDP and TCP, and multicast DNS. tcpdump 4.99.3 print-domain.c: domain_print(); RFC 1035 */
import { skipName } from './dns-names.ts'
import { OPT, printQuestion, printRecord } from './dns-records.ts'
import type { Printer } from './printer.ts'

const HEADER = 12
const OPERATIONS = [
  ...['', ' inv_q', ' stat', ' op3', ' notify', ' update', ' op6', ' op7', ' op8', ' updateA', ' updateD'],
  ...[' updateDA', ' updateM', ' updateMA', ' zoneInit', ' zoneRef'],
]
const INVERSE = 1
/** Some have no space in front: as tcpdump has them. */
const CODES = [
  ...['', ' FormErr', ' ServFail', ' NXDomain', ' NotImp', ' Refused', ' YXDomain', ' YXRRSet', ' NXRRSet', ' NotAuth'],
  ...[' NotZone', ' Resp11', ' Resp12', ' Resp13', ' Resp14', ' NoChange', ' BadVers', 'Resp17', ' Resp18', ' Resp19'],
  ...[' Resp20', 'Resp21', ' Resp22', ' BadCookie'],
]
const RESPONSE = 0x8000
/** Bits that a query doesn't have. */
const ODD = 0x6cf

export function printDnsOverTcp(printer: Printer, at: number, length: number): void {
  printer.protocol = 'domain'
  if (length < 2) {
    printer.put(` [DNS over TCP: length ${length} < 2] (invalid)`)
    return
  }
  // A message in several segments, or several in one, can't be taken apart.
  const prefix = printer.u16(at)
  if (prefix !== length - 2) {
    printer.put(` [prefix length(${prefix}) != length(${length - 2})] (invalid)`)
    return
  }
  printer.put(' ')
  printDns(printer, at + 2, length - 2, false)
}

export function printDns(printer: Printer, at: number, length: number, multicast: boolean): void {
  printer.protocol = 'domain'
  if (length < HEADER) {
    printer.put(`domain [length ${length} < ${HEADER}] (invalid)`)
    return
  }
  if (!printer.has(at, HEADER)) {
    printer.truncated()
    return
  }
  const flags = printer.u16(at + 2)
  const whole =
    flags & RESPONSE ? printResponse(printer, at, flags, multicast) : printQuery(printer, at, flags, multicast)
  if (whole) printer.put(` (${length})`)
  else printer.truncated()
}

function counts(printer: Printer, at: number): [number, number, number, number] {
  return [printer.u16(at + 4), printer.u16(at + 6), printer.u16(at + 8), printer.u16(at + 10)]
}

/** @returns whether all of it was there */
function printResponse(printer: Printer, at: number, flags: number, multicast: boolean): boolean {
  const [questions, answers, authorities, additional] = counts(printer, at)
  const { verbose } = printer.options
  const code = (flags & 15) | extendedCode(printer, at)
  printer.put(`${printer.u16(at)}${OPERATIONS[(flags >>> 11) & 15]}${CODES[code] ?? ` Resp${code}`}`)
  printer.put(`${flags & 0x400 ? '*' : ''}${flags & 0x80 ? '' : '-'}${flags & 0x200 ? '|' : ''}`)
  if (flags & 0x20) printer.put('$')
  if (questions !== 1) printer.put(` [${questions}q]`)
  let next: number | undefined = at + HEADER
  for (let i = 0; i < questions; i++) {
    if (i > 0) printer.put(',')
    if (verbose > 1) {
      printer.put(' q:')
      next = printQuestion(printer, next, at, multicast)
      if (next === undefined) return false
    } else {
      next = skipName(printer, next)
      if (next === undefined) return false
      next += 4
    }
  }
  printer.put(` ${answers}/${authorities}/${additional}`)
  // The first answer is looked at even where the message has ended.
  next = printRecords(printer, '', next, answers, at, multicast, true)
  if (verbose < 2 || next === undefined) return next !== undefined
  return printRest(printer, next, authorities, additional, at, multicast)
}

/** @returns whether all of it was there */
function printQuery(printer: Printer, at: number, flags: number, multicast: boolean): boolean {
  const [questions, answers, authorities, additional] = counts(printer, at)
  const operation = (flags >>> 11) & 15
  printer.put(`${printer.u16(at)}${OPERATIONS[operation]}${flags & 0x100 ? '+' : ''}${flags & 0x10 ? '%' : ''}`)
  if (flags & ODD) printer.put(` [b2&3=0x${flags.toString(16)}]`)
  if (operation === INVERSE) {
    if (questions > 0) printer.put(` [${questions}q]`)
    if (answers !== 1) printer.put(` [${answers}a]`)
  } else {
    if (answers > 0) printer.put(` [${answers}a]`)
    if (questions !== 1) printer.put(` [${questions}q]`)
  }
  if (authorities > 0) printer.put(` [${authorities}n]`)
  if (additional > 0) printer.put(` [${additional}au]`)
  let next: number | undefined = at + HEADER
  for (let i = 0; i < questions; i++) {
    if (i > 0 && next >= printer.end) return false
    next = printQuestion(printer, next, at, multicast)
    if (next === undefined) return false
  }
  if (printer.options.verbose < 2) return true
  next = printRecords(printer, '', next, answers, at, multicast, true)
  return next !== undefined && printRest(printer, next, authorities, additional, at, multicast)
}

function printRest(
  printer: Printer,
  at: number,
  authorities: number,
  additional: number,
  message: number,
  multicast: boolean,
): boolean {
  const next = printRecords(printer, ' ns:', at, authorities, message, multicast, false)
  return next !== undefined && printRecords(printer, ' ar:', next, additional, message, multicast, false) !== undefined
}

/** A section. @returns where it ends; undefined if not all of it was there */
function printRecords(
  printer: Printer,
  title: string,
  at: number,
  count: number,
  message: number,
  multicast: boolean,
  beyond: boolean,
): number | undefined {
  let next: number | undefined = at
  for (let i = 0; i < count; i++) {
    if (next >= printer.end && (i > 0 || !beyond)) return undefined
    printer.put(i === 0 ? title : ',')
    next = printRecord(printer, next, message, multicast)
    if (next === undefined) return undefined
  }
  return next
}

/** The upper bits of the response code, which stand in the OPT record if one can be found. */
function extendedCode(printer: Printer, at: number): number {
  const [questions, answers, authorities, additional] = counts(printer, at)
  let next: number | undefined = at + HEADER
  for (let i = 0; i < questions + answers + authorities + additional; i++) {
    next = skipName(printer, next)
    if (next === undefined) return 0
    if (i < questions) next += 4
    else {
      if (i >= questions + answers + authorities && printer.has(next, 2) && printer.u16(next) === OPT)
        return printer.has(next + 4, 1) ? printer.u8(next + 4) << 4 : 0
      if (!printer.has(next + 8, 2)) return 0
      next += 10 + printer.u16(next + 8)
    }
    if (next >= printer.end) return 0
  }
  return 0
}

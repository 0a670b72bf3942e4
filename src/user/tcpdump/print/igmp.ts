/** IGMP. tcpdump 4.99.3 print-igmp.c. */
import { internetChecksum } from '#base/bytes'
import { NotModelled } from '#base/check'
import type { Printer } from './printer.ts'

const PLAIN: Record<number, string> = { 18: 'v1 report', 22: 'v2 report', 23: 'leave' }
const UNMODELLED: Record<number, string> = { 19: 'DVMRP', 20: 'PIM version 1', 30: 'mtrace', 31: 'mtrace' }
const RECORDS = ['', 'is_in', 'is_ex', 'to_in', 'to_ex', 'allow', 'block']

export function printIgmp(printer: Printer, at: number, length: number): void {
  const { options } = printer
  printer.protocol = 'igmp'
  if (options.quiet) {
    printer.put('igmp')
    return
  }
  const type = printer.u8(at)
  if (UNMODELLED[type] !== undefined) throw new NotModelled(`tcpdump: ${UNMODELLED[type]}`)
  if (type === 17) printQuery(printer, at, length)
  else if (type === 34) printReport(printer, at, length)
  else if (PLAIN[type] !== undefined) {
    printer.put(`igmp ${PLAIN[type]} ${printer.address(at + 4)}`)
    if (length !== 8 && type === 18) printer.put(` [len ${length}]`)
  } else printer.put(`igmp-${type}`)
  if (
    options.verbose > 0 &&
    length >= 4 &&
    printer.has(at, length) &&
    internetChecksum(printer.bytes, at, length) !== 0
  )
    printer.put(` bad igmp cksum ${printer.u16(at + 2).toString(16)}!`)
}

function printQuery(printer: Printer, at: number, length: number): void {
  printer.put('igmp query')
  if (length >= 12) {
    printQuery3(printer, at, length)
    return
  }
  const time = printer.u8(at + 1)
  if (time !== 0) {
    printer.put(' v2')
    if (time !== 100) printer.put(` [max resp time ${time}]`)
  } else printer.put(' v1')
  if (printer.u32(at + 4) !== 0) printer.put(` [gaddr ${printer.address(at + 4)}]`)
  if (length !== 8) printer.put(` [len ${length}]`)
}

function printQuery3(printer: Printer, at: number, length: number): void {
  printer.put(' v3')
  if (length % 4 !== 0) {
    printer.put(` [invalid len ${length}]`)
    return
  }
  const code = printer.u8(at + 1)
  const tenths = code < 128 ? code : ((code & 15) | 16) << (((code & 0x70) >> 4) + 3)
  if (code !== 100) {
    const rest = tenths % 600
    const text =
      tenths < 600
        ? `${(tenths * 0.1).toFixed(1)}s`
        : `${Math.floor(tenths / 600)}m${rest !== 0 ? `${Math.floor(rest / 10)}s` : ''}`
    printer.put(` [max resp time ${text}]`)
  }
  if (printer.u32(at + 4) === 0) return
  printer.put(` [gaddr ${printer.address(at + 4)}`)
  const sources = printer.u16(at + 10)
  if (sources > 0) {
    if (length < 12 + 4 * sources) printer.put(' [invalid number of sources]')
    else printSources(printer, at + 12, sources)
  }
  printer.put(']')
}

function printSources(printer: Printer, at: number, sources: number): void {
  if (printer.options.verbose <= 1) {
    printer.put(`, ${sources} source(s)`)
    return
  }
  printer.put(' {')
  for (let i = 0; i < sources; i++) printer.put(` ${printer.address(at + 4 * i)}`)
  printer.put(' }')
}

function printReport(printer: Printer, at: number, length: number): void {
  printer.put('igmp v3 report')
  if (length < 16 || length % 4 !== 0) {
    printer.put(` [invalid len ${length}]`)
    return
  }
  const groups = printer.u16(at + 6)
  printer.put(`, ${groups} group record(s)`)
  if (printer.options.verbose === 0) return
  let group = 8
  for (let i = 0; i < groups; i++) {
    if (length < group + 8) {
      printer.put(' [invalid number of groups]')
      return
    }
    const type = printer.u8(at + group)
    const name = type > 0 ? RECORDS[type] : undefined
    printer.put(` [gaddr ${printer.address(at + group + 4)} ${name ?? ` [v3-report-#${type}]`}`)
    const sources = printer.u16(at + group + 2)
    if (length < group + 8 + 4 * sources) {
      printer.put(` [invalid number of sources ${sources}]`)
      return
    }
    printSources(printer, at + group + 8, sources)
    group += 8 + 4 * sources
    printer.put(']')
  }
}

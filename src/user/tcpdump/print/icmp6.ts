/** ICMPv6: echoes, errors, neighbour discovery, multicast listeners. tcpdump 4.99.3 print-icmp6.c. */
import { internetChecksum } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type IpPlace, pseudoHeader, rightChecksum } from './ip.ts'
import { hexLines, type Printer } from './printer.ts'

const TYPES: Record<number, string> = {
  1: 'destination unreachable',
  2: 'packet too big',
  3: 'time exceeded in-transit',
  4: 'parameter problem',
  128: 'echo request',
  129: 'echo reply',
  130: 'multicast listener query',
  131: 'multicast listener report',
  132: 'multicast listener done',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbor solicitation',
  136: 'neighbor advertisement',
  137: 'redirect',
  138: 'router renumbering',
  141: 'inverse neighbor solicitation',
  142: 'inverse neighbor advertisement',
  143: 'multicast listener report v2',
  200: 'mtrace response',
  201: 'mtrace message',
}
/** Types that tcpdump takes apart and this doesn't yet. */
const UNMODELLED = new Set([138, 139, 140, 144, 145, 146, 147, 155, 157])

const UNREACHABLE: Record<number, string> = {
  0: 'unreachable route',
  1: ' unreachable prohibited',
  2: 'beyond scope',
  3: 'unreachable address',
  4: 'unreachable port',
}
const PROBLEMS: Record<number, string> = {
  0: 'erroneous',
  1: 'next header',
  2: 'option',
  3: 'incomplete header chain',
}
const OPTIONS: Record<number, string> = {
  1: 'source link-address',
  2: 'destination link-address',
  3: 'prefix info',
  4: 'redirected header',
  5: 'mtu',
  7: 'advertisement interval',
  8: 'homeagent information',
  24: 'route info',
  25: 'rdnss',
  31: 'dnssl',
}
const RECORDS: Record<number, string> = { 1: 'is_in', 2: 'is_ex', 3: 'to_in', 4: 'to_ex', 5: 'allow', 6: 'block' }

export function printIcmp6(printer: Printer, at: number, length: number, place: IpPlace): void {
  const { verbose } = printer.options
  printer.protocol = 'icmp6'
  if (verbose > 0 && !place.fragment && printer.has(at, length)) {
    const pseudo = pseudoHeader(printer, place, 58, length)
    if (internetChecksum(printer.bytes, at, length, pseudo) === 0) printer.put('[icmp6 sum ok] ')
    else {
      const right = rightChecksum(printer.bytes, at, length, at + 2, pseudo)
      printer.put(`[bad icmp6 cksum 0x${hex4(printer.u16(at + 2))} -> 0x${hex4(right)}!] `)
    }
  }
  const type = printer.u8(at)
  if (UNMODELLED.has(type)) throw new NotModelled(`tcpdump: ICMPv6 type ${type}`)
  printer.put(`ICMP6, ${TYPES[type] ?? `unknown icmp6 type (${type})`}`)
  if (verbose > 0 && type >= 133 && type <= 137) printer.put(`, length ${length}`)
  const code = printer.u8(at + 1)
  if (!describe(printer, at, length, type, code)) return
  if (verbose === 0) printer.put(`, length ${length}`)
}

/** Whether the line's end is still to be printed. */
function describe(printer: Printer, at: number, length: number, type: number, code: number): boolean {
  const { verbose } = printer.options
  switch (type) {
    case 1:
      return describeUnreachable(printer, at, length, code)
    case 2:
      printer.put(`, mtu ${printer.u32(at + 4)}`)
      break
    case 3:
      if (code === 0) printer.put(` for ${printer.address6(at + 32)}`)
      else printer.put(code === 1 ? ' (reassembly)' : `, unknown code (${code})`)
      break
    case 4:
      printer.need(at + 8, 40)
      printer.put(code < 4 ? `, ${PROBLEMS[code]} - octet ${printer.u32(at + 4)}` : `, code-#${code}`)
      break
    case 128:
    case 129:
      printer.put(`, id ${printer.u16(at + 4)}, seq ${printer.u16(at + 6)}`)
      break
    case 130:
      if (length === 24) printListener(printer, at)
      else if (length >= 28) {
        printer.put(' v2')
        printQuery2(printer, at, length)
      } else printer.put(` unknown-version (len ${length}) `)
      break
    case 131:
    case 132:
      printListener(printer, at)
      break
    case 133:
      if (verbose > 0) printOptions(printer, at + 8, length - 8)
      break
    case 134:
      if (verbose > 0) printAdvertisement(printer, at, length)
      break
    case 135:
      printer.put(`, who has ${printer.address6(at + 8)}`)
      if (verbose > 0) printOptions(printer, at + 24, length - 24)
      break
    case 136:
      printer.put(`, tgt is ${printer.address6(at + 8)}`)
      if (verbose === 0) break
      printer.put(`, Flags [${flags(printer.u8(at + 4), { 128: 'router', 64: 'solicited', 32: 'override' })}]`)
      printOptions(printer, at + 24, length - 24)
      break
    case 137:
      printer.put(`, ${printer.address6(at + 24)} to ${printer.address6(at + 8)}`)
      if (verbose > 0) printOptions(printer, at + 40, length - 40)
      break
    case 143:
      printReport2(printer, at, length)
      break
    default:
      printer.put(`, length ${length}`)
      if (verbose <= 1) printData(printer, at, length, '\n\t')
      return false
  }
  return true
}

function describeUnreachable(printer: Printer, at: number, length: number, code: number): boolean {
  const { verbose } = printer.options
  printer.put(`, ${UNREACHABLE[code] ?? `unknown unreach code (${code})`}`)
  const quoted = at + 8
  if (code === 0 || code === 1 || code === 3) printer.put(` ${printer.address6(quoted + 24)}`)
  else if (code === 2) printer.put(` ${printer.address6(quoted + 24)}, source address ${printer.address6(quoted + 8)}`)
  else if (code === 4) {
    const upper = upperLayer(printer, quoted)
    if (upper === undefined) {
      printer.truncated()
      return false
    }
    const port = printer.u16(upper.at + 2)
    const target = printer.address6(quoted + 24)
    if (upper.protocol === 6) printer.put(`, ${target} tcp port ${printer.portName(port, 'tcp')}`)
    else if (upper.protocol === 17) printer.put(`, ${target} udp port ${printer.portName(port, 'udp')}`)
    else printer.put(`, ${target} protocol ${printer.u8(quoted + 6)} port ${port} unreachable`)
  } else if (verbose <= 1) {
    printData(printer, at, length, '\n\t')
    return false
  }
  return true
}

/** Where the transport begins of a packet that an error quotes. */
function upperLayer(printer: Printer, header: number): { at: number; protocol: number } | undefined {
  if (!printer.has(header, 40)) return undefined
  let protocol = printer.u8(header + 6)
  let at = header + 40
  while (at < printer.end) {
    let size: number
    if (protocol === 6 || protocol === 17) return { at, protocol }
    if (protocol === 44) {
      if (!printer.has(at, 8) || printer.u16(at + 2) & 0xfff8) return undefined
      size = 8
    } else if (protocol === 0 || protocol === 43 || protocol === 60) {
      if (!printer.has(at, 2)) return undefined
      size = (printer.u8(at + 1) + 1) * 8
    } else if (protocol === 51) {
      if (!printer.has(at, 2)) return undefined
      size = (printer.u8(at + 1) + 2) * 4
    } else return undefined
    protocol = printer.u8(at)
    at += size
  }
  return undefined
}

function printListener(printer: Printer, at: number): void {
  if (!printer.has(at, 24)) return
  printer.put(`max resp delay: ${printer.u16(at + 4)} addr: ${printer.address6(at + 8)}`)
}

function printQuery2(printer: Printer, at: number, length: number): void {
  const { verbose } = printer.options
  const code = printer.u16(at + 4)
  const delay = code < 32768 ? code : ((code & 0xfff) | 0x1000) << (((code & 0x7000) >>> 12) + 3)
  if (verbose > 0) printer.put(` [max resp delay=${delay}]`)
  printer.put(` [gaddr ${printer.address6(at + 8)}`)
  if (verbose > 0) {
    const bits = printer.u8(at + 24)
    if (bits & 8) printer.put(' sflag')
    if (bits & 7) printer.put(` robustness=${bits & 7}`)
    const interval = printer.u8(at + 25)
    printer.put(` qqi=${interval < 128 ? interval : ((interval & 15) | 16) << (((interval & 0x70) >>> 4) + 3)}`)
  }
  const sources = printer.u16(at + 26)
  if (sources > 0) {
    if (length < 28 + 16 * sources) printer.put(' [invalid number of sources]')
    else printSources(printer, at + 28, sources)
  }
  printer.put(']')
}

function printSources(printer: Printer, at: number, sources: number): void {
  if (printer.options.verbose <= 1) {
    printer.put(`, ${sources} source(s)`)
    return
  }
  printer.put(' {')
  for (let i = 0; i < sources; i++) printer.put(` ${printer.address6(at + 16 * i)}`)
  printer.put(' }')
}

function printReport2(printer: Printer, at: number, length: number): void {
  const groups = printer.u16(at + 6)
  printer.put(`, ${groups} group record(s)`)
  if (printer.options.verbose === 0) return
  let group = 8
  for (let i = 0; i < groups; i++) {
    if (length < group + 20) {
      printer.put(' [invalid number of groups]')
      return
    }
    printer.put(` [gaddr ${printer.address6(at + group + 4)}`)
    const type = printer.u8(at + group)
    printer.put(` ${RECORDS[type] ?? ` [v2-report-#${type}]`}`)
    const sources = printer.u16(at + group + 2)
    if (length < group + 20 + 16 * sources) {
      printer.put(` [invalid number of sources ${sources}]`)
      return
    }
    printSources(printer, at + group + 20, sources)
    group += 20 + 16 * sources
    printer.put(']')
  }
}

function printAdvertisement(printer: Printer, at: number, length: number): void {
  printer.need(at, 16)
  const bits = printer.u8(at + 5)
  printer.put(
    `\n\thop limit ${printer.u8(at + 4)}, Flags [${flags(bits, { 128: 'managed', 64: 'other stateful', 32: 'home agent', 2: 'ipv6 only' })}]`,
  )
  printer.put(`, pref ${preference(bits)}, router lifetime ${printer.u16(at + 6)}s`)
  printer.put(`, reachable time ${printer.u32(at + 8)}ms, retrans timer ${printer.u32(at + 12)}ms`)
  printOptions(printer, at + 16, length - 16)
}

function preference(bits: number): string {
  return ['medium', 'high', 'rsv', 'low'][(bits >>> 3) & 3]!
}

function flags(bits: number, names: Record<number, string>): string {
  const set = [128, 64, 32, 16, 8, 4, 2, 1].filter((bit) => bits & bit && names[bit] !== undefined)
  return set.length > 0 ? set.map((bit) => names[bit]).join(', ') : 'none'
}

function lifetime(seconds: number): string {
  return seconds === 0xffffffff ? 'infinity' : `${seconds}s`
}

function printData(printer: Printer, at: number, length: number, indent: string): void {
  const end = Math.min(at + Math.max(0, length), printer.end)
  printer.put(hexLines(printer.bytes.subarray(at, Math.max(at, end)), indent))
}

function printOptions(printer: Printer, at: number, length: number): void {
  const begin = at
  const end = Math.min(at + length, printer.end)
  let left = length
  while (at < end) {
    if (left <= 0) return
    printer.need(at, 2)
    if (left < 2) return
    const type = printer.u8(at)
    const units = printer.u8(at + 1)
    const size = units * 8
    if (units === 0 || at + size > end) {
      printer.truncated()
      return
    }
    printer.put(`\n\t  ${OPTIONS[type] ?? 'unknown'} option (${type}), length ${size} (${units}): `)
    if (!printOption(printer, at, size, type, begin)) return
    if (printer.options.verbose > 1) printData(printer, at + 2, size - 2, '\n\t    ')
    at += size
    left -= size
  }
}

/** False ends the options. */
function printOption(printer: Printer, at: number, size: number, type: number, begin: number): boolean {
  switch (type) {
    case 1:
    case 2: {
      let text = ''
      for (let i = at + 2; i < at + size; i++)
        text += (i > at + 2 ? ':' : '') + printer.u8(i).toString(16).padStart(2, '0')
      printer.put(text)
      break
    }
    case 3: {
      const set = flags(printer.u8(at + 3), { 128: 'onlink', 64: 'auto', 32: 'router' })
      printer.put(`${printer.address6(at + 16)}/${printer.u8(at + 2)}${size !== 32 ? 'badlen' : ''}, Flags [${set}]`)
      printer.put(`, valid time ${lifetime(printer.u32(at + 4))}, pref. time ${lifetime(printer.u32(at + 8))}`)
      break
    }
    case 4:
      printData(printer, begin, size, '\n\t    ') // Of the first option, as tcpdump does.
      break
    case 5:
      printer.put(` ${printer.u32(at + 4)}${size !== 8 ? 'bad option length' : ''}`)
      break
    case 7:
      printer.put(` ${printer.u32(at + 4)}ms`)
      break
    case 8:
      printer.put(` preference ${printer.u16(at + 4)}, lifetime ${printer.u16(at + 6)}`)
      break
    case 24: {
      if (size > 24 || size === 0) {
        printer.truncated()
        return false
      }
      printer.put(` ${printer.address6Part(at + 8, size - 8)}/${printer.u8(at + 2)}`)
      printer.put(`, pref=${preference(printer.u8(at + 3))}, lifetime=${lifetime(printer.u32(at + 4))}`)
      break
    }
    case 25:
      printer.put(` lifetime ${printer.u32(at + 4)}s,`)
      for (let i = at + 8; i + 16 <= at + size; i += 16) printer.put(` addr: ${printer.address6(i)}`)
      break
    case 31:
      printer.put(` lifetime ${printer.u32(at + 4)}s, domain(s):`)
      for (let i = at + 8; i < at + size && printer.u8(i) !== 0; ) {
        let name = ''
        while (i < printer.end && printer.u8(i) !== 0) {
          const label = printer.u8(i)
          if (label > 63) throw new NotModelled('tcpdump: compressed names')
          for (let j = 1; j <= label; j++) name += String.fromCharCode(printer.u8(i + j))
          name += '.'
          i += label + 1
        }
        printer.put(` ${name}`)
        i++
      }
      break
    default:
      if (printer.options.verbose <= 1) {
        printData(printer, at + 2, size - 2, '\n\t  ')
        return false
      }
  }
  return true
}

function hex4(word: number): string {
  return word.toString(16).padStart(4, '0')
}

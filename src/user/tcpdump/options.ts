/** tcpdump's command line. tcpdump(1). */
import { NotModelled } from '#base/check'
import { getopt, type LongOption } from '#base/text'
import { SNAP_LENGTH_MAX } from '#wire/pcap'

export interface Options {
  link: boolean
  verbose: number
  quiet: boolean
  numeric: number
  stamps: number
  hex: number
  hexAscii: number
  ascii: number
  absolute: boolean
  noChecksums: boolean
  numbers: boolean
  nanosecond: boolean
  byLine: boolean
  packetBuffered: boolean
  immediate: boolean
  promiscuous: boolean
  /** --print: print although -w. */
  print: boolean
  countOnly: boolean
  direction: 'in' | 'out' | 'inout'
  /** Undefined: without end. */
  count: number | undefined
  snapLength: number
  interface: string | undefined
  readFile: string | undefined
  writeFile: string | undefined
  filterFile: string | undefined
  action: 'capture' | 'interfaces' | 'linkTypes' | 'help' | 'version'
  /** The filter's words. */
  expression: string
}

/** A mistake; `usage` if the usage is printed after it. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly usage: boolean
  constructor(message: string, usage = false) {
    super(message)
    this.usage = usage
  }
}

const SHORT = 'aAbB:c:C:dDeE:fF:G:hHi:IJj:KlLm:M:nNOpqQ:r:s:StT:uUvV:w:W:xXy:Yz:Z:#'

const LONG: LongOption[] = [
  { name: 'buffer-size', argument: 'required', as: 'B' },
  { name: 'list-interfaces', as: 'D' },
  { name: 'help', as: 'h' },
  { name: 'interface', argument: 'required', as: 'i' },
  { name: 'monitor-mode', as: 'I' },
  { name: 'time-stamp-type', argument: 'required', as: 'j' },
  { name: 'list-time-stamp-types', as: 'J' },
  { name: 'micro' },
  { name: 'nano' },
  { name: 'dont-verify-checksums', as: 'K' },
  { name: 'list-data-link-types', as: 'L' },
  { name: 'no-optimize', as: 'O' },
  { name: 'no-promiscuous-mode', as: 'p' },
  { name: 'direction', argument: 'required', as: 'Q' },
  { name: 'snapshot-length', argument: 'required', as: 's' },
  { name: 'absolute-tcp-sequence-numbers', as: 'S' },
  { name: 'packet-buffered', as: 'U' },
  { name: 'linktype', argument: 'required', as: 'y' },
  { name: 'immediate-mode' },
  { name: 'debug-filter-parser', as: 'Y' },
  { name: 'relinquish-privileges', argument: 'required', as: 'Z' },
  { name: 'count' },
  { name: 'number', as: '#' },
  { name: 'print' },
  { name: 'version' },
  { name: 'time-stamp-precision', argument: 'required' },
]

export const VERSION = `tcpdump version 4.99.3
libpcap version 1.10.3 (with TPACKET_V3)
OpenSSL 3.0.19 27 Jan 2026
`

export const USAGE = `${VERSION}Usage: tcpdump [-AbdDefhHIJKlLnNOpqStuUvxX#] [ -B size ] [ -c count ] [--count]
		[ -C file_size ] [ -E algo:secret ] [ -F file ] [ -G seconds ]
		[ -i interface ] [ --immediate-mode ] [ -j tstamptype ]
		[ -M secret ] [ --number ] [ --print ] [ -Q in|out|inout ]
		[ -r file ] [ -s snaplen ] [ -T type ] [ --version ]
		[ -V file ] [ -w file ] [ -W filecount ] [ -y datalinktype ]
		[ --time-stamp-precision precision ] [ --micro ] [ --nano ]
		[ -z postrotate-command ] [ -Z user ] [ expression ]
`

/** @param argv with the program's name */
export function parseOptions(argv: readonly string[]): Options {
  const options: Options = {
    link: false,
    verbose: 0,
    quiet: false,
    numeric: 0,
    stamps: 0,
    hex: 0,
    hexAscii: 0,
    ascii: 0,
    absolute: false,
    noChecksums: false,
    numbers: false,
    nanosecond: false,
    byLine: false,
    packetBuffered: false,
    immediate: false,
    promiscuous: true,
    print: false,
    countOnly: false,
    direction: 'inout',
    count: undefined,
    snapLength: SNAP_LENGTH_MAX,
    interface: undefined,
    readFile: undefined,
    writeFile: undefined,
    filterFile: undefined,
    action: 'capture',
    expression: '',
  }
  const parsed = getopt(['tcpdump', ...argv.slice(1)], SHORT, LONG)
  for (const { option, value = '', message } of parsed.options) {
    if (message !== undefined) throw new UsageError(message.replace(/^tcpdump: /, ''), true)
    apply(options, option, value)
    if (options.action === 'help' || options.action === 'version') return options
  }
  options.expression = parsed.operands.join(' ')
  return options
}

function apply(options: Options, option: string, value: string): void {
  switch (option) {
    case 'A':
      options.ascii++
      return
    case 'c':
      if (!/^\d+$/.test(value) || Number(value) <= 0) throw new UsageError(`invalid packet count ${value}`)
      options.count = Number(value)
      return
    case 'D':
      options.action = 'interfaces'
      return
    case 'L':
      options.action = 'linkTypes'
      return
    case 'e':
      options.link = true
      return
    case 'F':
      options.filterFile = value
      return
    case 'h':
      options.action = 'help'
      return
    case 'version':
      options.action = 'version'
      return
    case 'i':
      options.interface = value
      return
    case 'K':
      options.noChecksums = true
      return
    case 'l':
      options.byLine = true
      return
    case 'n':
      options.numeric++
      return
    case 'p':
      options.promiscuous = false
      return
    case 'q':
      options.quiet = true
      return
    case 'Q':
      if (!/^(in|out|inout)$/i.test(value)) throw new UsageError(`unknown capture direction \`${value}'`)
      options.direction = value.toLowerCase() as Options['direction']
      return
    case 'r':
      options.readFile = value
      return
    case 's': {
      const length = /^-?\d+$/.test(value) ? Number(value) : -1
      if (length < 0 || length > SNAP_LENGTH_MAX)
        throw new UsageError(`invalid snaplen ${value} (must be >= 0 and <= ${SNAP_LENGTH_MAX})`)
      options.snapLength = length === 0 ? SNAP_LENGTH_MAX : length
      return
    }
    case 'S':
      options.absolute = true
      return
    case 't':
      options.stamps++
      return
    case 'U':
      options.packetBuffered = true
      return
    case 'v':
      options.verbose++
      return
    case 'w':
      options.writeFile = value
      return
    case 'x':
      options.hex++
      return
    case 'X':
      options.hexAscii++
      return
    case '#':
      options.numbers = true
      return
    case 'immediate-mode':
      options.immediate = true
      return
    case 'print':
      options.print = true
      return
    case 'count':
      options.countOnly = true
      return
    case 'nano':
      options.nanosecond = true
      return
    case 'micro':
      options.nanosecond = false
      return
    case 'time-stamp-precision':
      if (value !== 'micro' && value !== 'nano') throw new UsageError('unsupported time stamp precision')
      options.nanosecond = value === 'nano'
      return
    case 'B':
      if (!/^\d+$/.test(value) || Number(value) <= 0) throw new UsageError(`invalid packet buffer size ${value}`)
      return
    case 'j':
      if (value !== 'host') throw new NotModelled(`tcpdump -j ${value}`)
      return
    case 'y':
      if (value.toUpperCase() !== 'EN10MB') throw new NotModelled(`tcpdump -y ${value}`)
      return
    case 'a':
    case 'f':
    case 'N':
    case 'O':
    case 'b':
    case 'H':
    case 'u':
    case 'Z':
      return // Nothing that is modelled depends on them.
    default:
      throw new NotModelled(`tcpdump ${option.length > 1 ? '--' : '-'}${option}`)
  }
}

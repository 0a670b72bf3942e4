/** The command line of `conntrack` 1.4.7: src/conntrack.c, extensions/libct_proto_*.c. */
import { parseIpv4, parseIpv6 } from '#wire/inet'
import { type InetAddr, IPS_ASSURED, IPS_FIXED_TIMEOUT, IPS_SEEN_REPLY } from './conn.ts'
import { TCP_STATES } from './tcp-state.ts'
import type { OutputFormat } from './tool-print.ts'

export class ToolError extends Error {
  override readonly name = 'ToolError'
  readonly tryHelp: boolean
  readonly status: number
  constructor(message: string, tryHelp = true) {
    super(message)
    this.tryHelp = tryHelp
    this.status = tryHelp ? 2 : 1
  }
}

export type Command =
  | 'list'
  | 'create'
  | 'update'
  | 'delete'
  | 'get'
  | 'flush'
  | 'event'
  | 'version'
  | 'help'
  | 'count'
  | 'stats'

export type Table = 'conntrack' | 'expect' | 'dying' | 'unconfirmed'

export interface AddressMatch {
  address: InetAddr
  /** For IPv4: the network's mask. */
  mask: number
}

export interface NatMatch {
  address: InetAddr | undefined
  port: number | undefined
}

export interface ToolOptions {
  command: Command | undefined
  table: Table
  family: 0 | 2 | 10
  src: AddressMatch | undefined
  dst: AddressMatch | undefined
  replySrc: AddressMatch | undefined
  replyDst: AddressMatch | undefined
  protocol: number | undefined
  sport: number | undefined
  dport: number | undefined
  replySport: number | undefined
  replyDport: number | undefined
  icmpType: number | undefined
  icmpCode: number | undefined
  icmpId: number | undefined
  tcpState: number | undefined
  timeout: number | undefined
  /** Bits that must be there; `unreplied`: SEEN_REPLY must not. */
  status: number | undefined
  unreplied: boolean
  mark: { value: number; mask: number } | undefined
  id: number | undefined
  zone: number | undefined
  snat: NatMatch | undefined
  dnat: NatMatch | undefined
  anyNat: NatMatch | undefined
  zero: boolean
  events: Set<string> | undefined
  output: OutputFormat
  /** Labels were asked for; there is no file of their names. */
  labels: boolean
  /** The options that were given, by their long names. */
  given: Set<string>
}

const COMMANDS: Record<string, Command> = {
  L: 'list',
  I: 'create',
  U: 'update',
  D: 'delete',
  G: 'get',
  F: 'flush',
  E: 'event',
  V: 'version',
  h: 'help',
  C: 'count',
  S: 'stats',
}

const LONG: [name: string, letter: string][] = [
  ['dump', 'L'],
  ['create', 'I'],
  ['delete', 'D'],
  ['update', 'U'],
  ['get', 'G'],
  ['event', 'E'],
  ['flush', 'F'],
  ['zero', 'z'],
  ['event-mask', 'e'],
  ['version', 'V'],
  ['help', 'h'],
  ['count', 'C'],
  ['stats', 'S'],
  ['src', 's'],
  ['orig-src', 's'],
  ['dst', 'd'],
  ['orig-dst', 'd'],
  ['reply-src', 'r'],
  ['reply-dst', 'q'],
  ['protonum', 'p'],
  ['timeout', 't'],
  ['status', 'u'],
  ['mark', 'm'],
  ['secmark', 'c'],
  ['id', 'i'],
  ['family', 'f'],
  ['src-nat', 'n'],
  ['dst-nat', 'g'],
  ['any-nat', 'j'],
  ['output', 'o'],
  ['buffer-size', 'b'],
  ['zone', 'w'],
  ['orig-zone', '('],
  ['reply-zone', ')'],
  ['label', 'l'],
]

const PORT_OPTIONS: [name: string, letter: string][] = [
  ['orig-port-src', 'sport'],
  ['orig-port-dst', 'dport'],
  ['sport', 'sport'],
  ['dport', 'dport'],
  ['reply-port-src', 'replySport'],
  ['reply-port-dst', 'replyDport'],
]

const ICMP_OPTIONS: [name: string, letter: string][] = [
  ['icmp-type', 'icmpType'],
  ['icmp-code', 'icmpCode'],
  ['icmp-id', 'icmpId'],
]

/** What -p adds to the options. */
function protocolOptions(protocol: number | undefined): [string, string][] {
  if (protocol === 6) return [...PORT_OPTIONS, ['state', 'state']]
  if (protocol === 17 || protocol === 136 || protocol === 132 || protocol === 33) return PORT_OPTIONS
  if (protocol === 1) return ICMP_OPTIONS
  if (protocol === 58) return ICMP_OPTIONS.map(([name, letter]) => [name.replace('icmp', 'icmpv6'), letter])
  return []
}

const PROTOCOLS: Record<string, number> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  icmpv6: 58,
  'ipv6-icmp': 58,
  sctp: 132,
  udplite: 136,
}

const NAMES: Record<string, string> = {
  s: 'src',
  d: 'dst',
  r: 'reply-src',
  q: 'reply-dst',
  p: 'protonum',
  t: 'timeout',
  u: 'status',
  z: 'zero',
  e: 'event-mask',
  m: 'mark',
  i: 'id',
  f: 'family',
  n: 'src-nat',
  g: 'dst-nat',
  o: 'output',
  c: 'secmark',
  b: 'buffer-size',
  j: 'any-nat',
  w: 'zone',
  l: 'label',
  '(': 'orig-zone',
  ')': 'reply-zone',
}

/** The order in which options are looked at, and which a command takes; `+`: which it needs. */
const ORDER = Object.values(NAMES)
const LISTED = 's d r q p u z m f n g o c j w l ( )'
const TAKES: Record<Command | 'none', string> = {
  list: LISTED,
  create: 's d r q +p +t u m n g w ( )',
  update: 's d r q p t u m i f n g o l',
  delete: 's d r q p t u m i f n g o w l ( )',
  get: 's d r q +p i o l',
  flush: 'f',
  event: 's d r q p e m f n g o c b j w l ( )',
  version: '',
  help: 'p',
  count: 'f',
  stats: '',
  none: '',
}

/** Options that don't choose among connections. */
const UNFILTERED = new Set(['zero', 'output', 'family', 'buffer-size'])

const WITH_VALUE = new Set([...'sdrqpteumifocbwl()'])
const MAYBE_VALUE = new Set([...'LIUDGEFCngj'])

/** Reads the command line. */
export function parseOptions(argv: readonly string[]): ToolOptions {
  return new Parser(argv).run()
}

function emptyOptions(): ToolOptions {
  return {
    command: undefined,
    table: 'conntrack',
    family: 0,
    src: undefined,
    dst: undefined,
    replySrc: undefined,
    replyDst: undefined,
    protocol: undefined,
    sport: undefined,
    dport: undefined,
    replySport: undefined,
    replyDport: undefined,
    icmpType: undefined,
    icmpCode: undefined,
    icmpId: undefined,
    tcpState: undefined,
    timeout: undefined,
    status: undefined,
    unreplied: false,
    mark: undefined,
    id: undefined,
    zone: undefined,
    snat: undefined,
    dnat: undefined,
    anyNat: undefined,
    zero: false,
    events: undefined,
    output: { extended: false, id: false, timestamp: false, ktimestamp: false, xml: false, save: false },
    labels: false,
    given: new Set(),
  }
}

class Parser {
  readonly #argv: readonly string[]
  readonly #options = emptyOptions()
  #at = 1

  constructor(argv: readonly string[]) {
    this.#argv = argv
  }

  run(): ToolOptions {
    const argv = this.#argv
    while (this.#at < argv.length) {
      const word = argv[this.#at++]!
      if (word === '--') break
      if (word.startsWith('--')) this.#long(word)
      else if (word.startsWith('-') && word.length > 1) this.#short(word)
      else throw new ToolError('unknown argument')
    }
    this.#check()
    return this.#options
  }

  #long(word: string): void {
    const equals = word.indexOf('=')
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals)
    let value = equals < 0 ? undefined : word.slice(equals + 1)
    const all = [...LONG, ...protocolOptions(this.#options.protocol)]
    const exact = all.find(([one]) => one === name)
    const near = all.filter(([one]) => one.startsWith(name))
    const found = exact ?? (new Set(near.map(([, letter]) => letter)).size === 1 ? near[0] : undefined)
    if (!found) throw new ToolError(`unknown option \`${word}'`)
    const letter = found[1]
    const wants = letter.length > 1 || WITH_VALUE.has(letter)
    if (wants && value === undefined) {
      value = this.#argv[this.#at++]
      if (value === undefined) throw new ToolError(`option \`${word}' requires an argument`)
    }
    this.#take(letter, value)
  }

  #short(word: string): void {
    for (let i = 1; i < word.length; i++) {
      const letter = word[i]!
      if (!(letter in COMMANDS) && !(letter in NAMES)) throw new ToolError(`unknown option \`${word}'`)
      if (WITH_VALUE.has(letter) || MAYBE_VALUE.has(letter)) {
        let value: string | undefined = word.slice(i + 1)
        if (value === '' && WITH_VALUE.has(letter)) {
          value = this.#argv[this.#at++]
          if (value === undefined) throw new ToolError(`option \`${word}' requires an argument`)
        }
        this.#take(letter, value === '' ? undefined : value)
        return
      }
      this.#take(letter, undefined)
    }
  }

  /** The next word, if it isn't an option. */
  #optional(value: string | undefined): string | undefined {
    if (value !== undefined) return value
    const next = this.#argv[this.#at]
    if (next === undefined || next.startsWith('-') || next.startsWith('!')) return undefined
    this.#at++
    return next
  }

  #take(letter: string, value: string | undefined): void {
    const options = this.#options
    const command = COMMANDS[letter]
    if (command) {
      if (options.command && options.command !== command) throw new ToolError('Invalid commands combination')
      options.command = command
      if (!'VhS'.includes(letter)) this.#table(this.#optional(value), command)
      else if (letter === 'S') this.#table(this.#optional(value), command)
      return
    }
    if (letter in NAMES) options.given.add(NAMES[letter]!)
    switch (letter) {
      case 's':
        options.src = this.#address(value!)
        break
      case 'd':
        options.dst = this.#address(value!)
        break
      case 'r':
        options.replySrc = this.#address(value!)
        break
      case 'q':
        options.replyDst = this.#address(value!)
        break
      case 'p':
        options.protocol = protocolNumber(value!)
        break
      case 't':
        options.timeout = leadingNumber(value!)
        break
      case 'u':
        this.#status(value!)
        break
      case 'z':
        options.zero = true
        break
      case 'e':
        options.events = parseEvents(value!)
        break
      case 'm': {
        const [word = '', mask] = value!.split('/')
        options.mark = { value: leadingNumber(word), mask: mask === undefined ? 0xffffffff : leadingNumber(mask) }
        break
      }
      case 'i':
        options.id = leadingNumber(value!)
        break
      case 'f':
        if (value !== 'ipv4' && value !== 'ipv6') throw new ToolError(`\`${value}' unsupported protocol`)
        options.family = value === 'ipv4' ? 2 : 10
        break
      case 'n':
        options.snat = this.#nat(this.#optional(value))
        break
      case 'g':
        options.dnat = this.#nat(this.#optional(value))
        break
      case 'j':
        options.anyNat = this.#nat(this.#optional(value))
        break
      case 'o':
        this.#output(value!)
        break
      case 'w':
      case '(':
      case ')':
        options.zone = leadingNumber(value!)
        break
      case 'b':
      case 'c':
      case 'l':
        break
      case 'state': {
        const state = value === 'LISTEN' ? 9 : TCP_STATES.indexOf(value as 'NONE')
        if (state < 0) throw new ToolError(`unknown TCP state \`${value}'`)
        options.tcpState = state
        break
      }
      default:
        options[letter as 'sport'] = leadingNumber(value!) & 0xffff
    }
  }

  #table(name: string | undefined, command: Command): void {
    if (name === undefined) return
    if (!['conntrack', 'expect', 'dying', 'unconfirmed'].includes(name)) throw new ToolError(`unknown type \`${name}'`)
    this.#options.table = name as Table
    if ((name === 'dying' || name === 'unconfirmed') && command !== 'list') {
      throw new ToolError("Can't do that command with tables `dying' and `unconfirmed'")
    }
  }

  #address(text: string): AddressMatch {
    const slash = text.indexOf('/')
    const word = slash < 0 ? text : text.slice(0, slash)
    const v4 = parseIpv4(word)
    const address = v4 ?? parseIpv6(word)
    if (address === undefined) throw new ToolError(`Invalid IP address \`${text}'`)
    this.#options.family = v4 === undefined ? 10 : 2
    if (slash < 0) return { address, mask: 0xffffffff }
    const length = Number(text.slice(slash + 1))
    const most = v4 === undefined ? 128 : 32
    if (!Number.isInteger(length) || length < 0 || length > most) throw new ToolError('Invalid netmask')
    return { address, mask: length === 0 ? 0 : (0xffffffff << (32 - Math.min(length, 32))) >>> 0 }
  }

  #nat(text: string | undefined): NatMatch {
    if (text === undefined) return { address: undefined, port: undefined }
    const colon = text.lastIndexOf(':')
    const v4 = parseIpv4(colon < 0 ? text : text.slice(0, colon))
    if (v4 !== undefined) return { address: v4, port: colon < 0 ? undefined : leadingNumber(text.slice(colon + 1)) }
    if (colon === 0) return { address: undefined, port: leadingNumber(text.slice(1)) }
    const v6 = parseIpv6(text)
    if (v6 === undefined) throw new ToolError(`Invalid IP address \`${text}'`)
    return { address: v6, port: undefined }
  }

  #status(text: string): void {
    let bits = 0
    for (const word of text.split(',')) {
      if (word === 'ASSURED') bits |= IPS_ASSURED
      else if (word === 'SEEN_REPLY') bits |= IPS_SEEN_REPLY
      else if (word === 'FIXED_TIMEOUT') bits |= IPS_FIXED_TIMEOUT
      else if (word === 'EXPECTED') bits |= 1
      else if (word === 'UNREPLIED') this.#options.unreplied = true
      else if (word !== 'UNSET') throw new ToolError(`Bad parameter \`${word}'`)
    }
    this.#options.status = bits
  }

  #output(text: string): void {
    const { output } = this.#options
    for (const word of text.split(',')) {
      if (word in output) output[word as keyof OutputFormat] = true
      else if (word === 'labels') this.#options.labels = true
      else if (word !== 'userspace') throw new ToolError(`Bad parameter \`${word}'`)
    }
  }

  /** generic_opt_check(). */
  #check(): void {
    const { command, given } = this.#options
    const words = TAKES[command ?? 'none'].split(' ')
    for (const name of ORDER) {
      const letter = Object.keys(NAMES).find((one) => NAMES[one] === name)!
      if (given.has(name)) {
        if (!words.includes(letter) && !words.includes(`+${letter}`)) {
          throw new ToolError(`Illegal option \`--${name}' with this command`)
        }
      } else if (words.includes(`+${letter}`)) {
        throw new ToolError(`You need to supply the \`--${name}' option for this command`)
      }
    }
    if (command === 'list' && given.has('zero') && [...given].some((name) => !UNFILTERED.has(name))) {
      throw new ToolError("Can't use -z with filtering parameters")
    }
    if (command === 'create' || command === 'get') this.#complete(command)
  }

  /** What a whole tuple needs. */
  #complete(command: Command): void {
    const options = this.#options
    const original = options.src && options.dst
    const reply = options.replySrc && options.replyDst
    if (!original && !reply) {
      const halfReply = (options.replySrc || options.replyDst) && !options.src && !options.dst
      throw new ToolError(
        halfReply ? "you have to specify `--reply-src' and `--reply-dst'" : "you have to specify `--src' and `--dst'",
      )
    }
    const { protocol } = options
    if (protocol === 6 || protocol === 17 || protocol === 132 || protocol === 33 || protocol === 136) {
      const ports = options.sport !== undefined && options.dport !== undefined
      const replyPorts = options.replySport !== undefined && options.replyDport !== undefined
      if (!ports && !replyPorts) throw new ToolError("you have to specify `--sport' and `--dport'")
      if (protocol === 6 && command === 'create' && options.tcpState === undefined) {
        throw new ToolError("You need to supply the `--state' option for this command")
      }
    } else if (protocol === 1 || protocol === 58) {
      const icmp = options.icmpType !== undefined && options.icmpCode !== undefined && options.icmpId !== undefined
      if (!icmp) throw new ToolError("you have to specify `--icmp-type', `--icmp-code' and `--icmp-id'")
    } else if (protocol === 47) throw new ToolError("you have to specify `--srckey' and `--dstkey'")
  }
}

function parseEvents(text: string): Set<string> {
  const events = new Set<string>()
  for (const word of text.split(',')) {
    if (word === 'ALL') for (const one of ['NEW', 'UPDATES', 'DESTROY']) events.add(one)
    else if (['NEW', 'UPDATES', 'DESTROY'].includes(word)) events.add(word)
    else throw new ToolError(`Bad parameter \`${word}'`)
  }
  return events
}

function protocolNumber(word: string): number {
  const named = PROTOCOLS[word.toLowerCase()]
  if (named !== undefined) return named
  const number = /^\d+$/.test(word) ? Number(word) : Number.NaN
  if (!(number >= 0 && number < 256)) throw new ToolError(`\`${word}' unsupported protocol`)
  return number
}

/** strtoul(): the number that a word begins with, or 0. */
function leadingNumber(text: string): number {
  const match = /^\s*(0[xX][0-9a-fA-F]+|\d+)/.exec(text)
  return match ? Number(match[1]) : 0
}

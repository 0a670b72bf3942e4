/** traceroute's command line, as its own parser (libsupp's CLIF) takes it, with that parser's words for mistakes. */
import { NotModelled } from '#base/check'
import { TRACEROUTE_HELP, TRACEROUTE_VERSION } from './help.ts'

export type Method = 'default' | 'icmp' | 'tcp' | 'udp'

export interface TraceOptions {
  method: Method
  numeric: boolean
  dontFragment: boolean
  dontRoute: boolean
  mtu: boolean
  back: boolean
  firstTtl: number
  maxTtl: number
  /** Probes of a hop. */
  queries: number
  /** Probes on their way at a time. */
  simultaneous: number
  /** 0: the method's own. */
  port: number
  sourcePort: number
  tos: number
  mark: number
  maxWaitS: number
  hereFactor: number
  nearFactor: number
  sendWaitS: number
  device: string | undefined
  source: string | undefined
  host: string
  /** Which of the words `host` was, for messages. */
  words: number
  /** 0: the default. */
  packetLength: number
}

/** What ends the program before it began: text for standard error. */
export interface Refusal {
  text: string
  status: number
}

interface Known {
  letter?: string
  name?: string
  argument?: string
}

const OPTIONS: Known[] = [
  { letter: '4' },
  { letter: '6' },
  { letter: 'd', name: 'debug' },
  { letter: 'F', name: 'dont-fragment' },
  { letter: 'f', name: 'first', argument: 'first_ttl' },
  { letter: 'g', name: 'gateway', argument: 'gate,...' },
  { letter: 'I', name: 'icmp' },
  { letter: 'T', name: 'tcp' },
  { letter: 'i', name: 'interface', argument: 'device' },
  { letter: 'm', name: 'max-hops', argument: 'max_ttl' },
  { letter: 'N', name: 'sim-queries', argument: 'squeries' },
  { letter: 'n' },
  { letter: 'p', name: 'port', argument: 'port' },
  { letter: 't', name: 'tos', argument: 'tos' },
  { letter: 'l', name: 'flowlabel', argument: 'flow_label' },
  { letter: 'w', name: 'wait', argument: 'MAX,HERE,NEAR' },
  { letter: 'q', name: 'queries', argument: 'nqueries' },
  { letter: 'r' },
  { letter: 's', name: 'source', argument: 'src_addr' },
  { letter: 'z', name: 'sendwait', argument: 'sendwait' },
  { letter: 'e', name: 'extensions' },
  { letter: 'A', name: 'as-path-lookups' },
  { letter: 'M', name: 'module', argument: 'name' },
  { letter: 'O', name: 'options', argument: 'OPTS,...' },
  { name: 'sport', argument: 'num' },
  { name: 'fwmark', argument: 'num' },
  { letter: 'U', name: 'udp' },
  { letter: 'D', name: 'dccp' },
  { letter: 'P', name: 'protocol', argument: 'prot' },
  { name: 'mtu' },
  { name: 'back' },
  { letter: 'V', name: 'version' },
  { name: 'help' },
]

const MAX_HOPS = 255
const MAX_QUERIES = 10
const MAX_PACKET = 65_000

export const defaultOptions = (): TraceOptions => ({
  method: 'default',
  numeric: false,
  dontFragment: false,
  dontRoute: false,
  mtu: false,
  back: false,
  firstTtl: 1,
  maxTtl: 30,
  queries: 3,
  simultaneous: 16,
  port: 0,
  sourcePort: 0,
  tos: 0,
  mark: 0,
  maxWaitS: 5,
  hereFactor: 3,
  nearFactor: 10,
  sendWaitS: 0,
  device: undefined,
  source: undefined,
  host: '',
  words: 0,
  packetLength: 0,
})

/** The options and operands, or why not. */
export function parseTraceroute(argv: readonly string[]): TraceOptions | Refusal {
  const out = defaultOptions()
  const operands: string[] = []
  const refuse = (text: string): Refusal => ({ text: `${text}\n`, status: 2 })
  if (argv.length < 2) return { text: TRACEROUTE_HELP, status: 0 }
  let i = 1
  for (; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') {
      operands.push(...argv.slice(i + 1))
      break
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word)
      continue
    }
    const at = i
    if (word.startsWith('--')) {
      const equals = word.indexOf('=')
      const name = word.slice(2, equals < 0 ? undefined : equals)
      const option = OPTIONS.find((one) => one.name === name)
      if (!option) return refuse(`Bad option \`--${name}' (argc ${at})`)
      let value = equals < 0 ? undefined : word.slice(equals + 1)
      if (option.argument !== undefined && value === undefined) value = argv[++i]
      if (option.argument !== undefined && value === undefined)
        return refuse(`Option \`--${name}' (argc ${at}) requires an argument: \`--${name}=${option.argument}'`)
      const failed = apply(out, option, value ?? '', `--${name}`, at)
      if (failed) return failed
      continue
    }
    for (let j = 1; j < word.length; j++) {
      const letter = word[j]!
      const option = OPTIONS.find((one) => one.letter === letter)
      if (!option) return refuse(`Bad option \`-${letter}' (argc ${at})`)
      if (letter === 'U' && word[j + 1] === 'L') throw new NotModelled('traceroute -UL')
      let value = ''
      if (option.argument !== undefined) {
        const rest = word.slice(j + 1)
        const given = rest === '' ? argv[++i] : rest
        if (given === undefined)
          return refuse(`Option \`-${letter}' (argc ${at}) requires an argument: \`-${letter} ${option.argument}'`)
        value = given
        j = word.length
      }
      // A value in a word of its own is where the parser stands when it complains.
      const failed = apply(out, option, value, `-${letter}`, i)
      if (failed) return failed
    }
  }
  const argc = argv.length - 1
  if (operands.length === 0) return refuse('Specify "host" missing argument.')
  out.host = operands[0]!
  out.words = argc - (operands.length - 1)
  if (operands.length > 2) return refuse(`Extra arg \`${operands[2]}' (position 3, argc ${argc})`)
  if (operands.length > 1) {
    const length = unsigned(operands[1]!)
    if (length === undefined)
      return refuse(`Cannot handle "packetlen" cmdline arg \`${operands[1]}' on position 2 (argc ${argc})`)
    out.packetLength = length
  }
  return checked(out)
}

function checked(out: TraceOptions): TraceOptions | Refusal {
  const refuse = (text: string): Refusal => ({ text: `${text}\n`, status: 2 })
  if (out.firstTtl < 1 || out.firstTtl > out.maxTtl) return refuse('first hop out of range')
  if (out.maxTtl > MAX_HOPS) return refuse(`max hops cannot be more than ${MAX_HOPS}`)
  if (out.queries < 1 || out.queries > MAX_QUERIES) return refuse(`no more than ${MAX_QUERIES} probes per hop`)
  if (out.maxWaitS < 0 || out.hereFactor < 0 || out.nearFactor < 0)
    return refuse(`bad wait specifications \`${out.maxWaitS},${out.hereFactor},${out.nearFactor}' used`)
  if (out.packetLength > MAX_PACKET) return refuse(`too big packetlen ${out.packetLength} specified`)
  if (out.sendWaitS < 0) return refuse(`bad sendtime \`${out.sendWaitS}' specified`)
  if (out.sendWaitS >= 10) out.sendWaitS /= 1000
  return out
}

function unsigned(text: string): number | undefined {
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8)
  return /^(\d+|0[xX][\da-fA-F]+)$/.test(text) ? Number(text) : undefined
}

function real(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined
}

function apply(out: TraceOptions, option: Known, value: string, shown: string, argc: number): Refusal | undefined {
  const bad = (): Refusal => ({
    text: `Cannot handle \`${shown}' option with arg \`${value}' (argc ${argc})\n`,
    status: 2,
  })
  const count = (set: (value: number) => void): Refusal | undefined => {
    const parsed = unsigned(value)
    if (parsed === undefined) return bad()
    set(parsed)
    return undefined
  }
  switch (option.letter ?? option.name) {
    case '4':
    case 'd':
    case 'e': // No router of the lab adds extensions to its ICMP errors.
      return undefined
    case 'F':
      out.dontFragment = true
      return undefined
    case 'f':
      return count((n) => {
        out.firstTtl = n
      })
    case 'I':
      out.method = 'icmp'
      return undefined
    case 'T':
      out.method = 'tcp'
      return undefined
    case 'U':
      out.method = 'udp'
      return undefined
    case 'i':
      out.device = value
      return undefined
    case 'm':
      return count((n) => {
        out.maxTtl = n
      })
    case 'N':
      return count((n) => {
        out.simultaneous = n
      })
    case 'n':
      out.numeric = true
      return undefined
    case 'p':
      return count((n) => {
        out.port = n & 0xffff
      })
    case 't':
      return count((n) => {
        out.tos = n
      })
    case 'w': {
      const parts = value.split(',').map((part) => real(part) ?? Number.NaN)
      if (parts.length > 3 || parts.some((part) => Number.isNaN(part))) return bad()
      // One value alone is a fixed wait: what follows is off unless it is given.
      const [most = 0, here = 0, near = 0] = parts
      out.maxWaitS = most
      out.hereFactor = here
      out.nearFactor = near
      return undefined
    }
    case 'q':
      return count((n) => {
        out.queries = n
      })
    case 'r':
      out.dontRoute = true
      return undefined
    case 's':
      out.source = value
      return undefined
    case 'z': {
      const seconds = real(value)
      if (seconds === undefined) return bad()
      out.sendWaitS = seconds
      return undefined
    }
    case 'M':
      if (value === 'default' || value === 'icmp' || value === 'tcp' || value === 'udp') out.method = value
      else if (/^(udplite|dccp|tcpconn|raw)$/.test(value)) throw new NotModelled(`traceroute -M ${value}`)
      else return { text: `Unknown traceroute module ${value}\n`, status: 2 }
      return undefined
    case 'sport':
      return count((n) => {
        out.sourcePort = n & 0xffff
        out.simultaneous = 1
      })
    case 'fwmark':
      return count((n) => {
        out.mark = n
      })
    case 'mtu':
      out.mtu = true
      out.dontFragment = true
      out.simultaneous = 1
      return undefined
    case 'back':
      out.back = true
      return undefined
    case 'V':
      return { text: TRACEROUTE_VERSION, status: 0 }
    case 'help':
      return { text: TRACEROUTE_HELP, status: 0 }
    default:
      throw new NotModelled(`traceroute ${shown}`)
  }
}

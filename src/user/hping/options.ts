/** hping3's command line: its own getopt, in which short options stand in groups and their values in words of their own. */
import { parseIpv4 } from '#wire/inet'

export type Mode = 'tcp' | 'raw' | 'icmp' | 'udp' | 'scan' | 'listen'

export interface HpingOptions {
  mode: Mode
  host: string | undefined
  count: number
  intervalNs: number
  flood: boolean
  numeric: boolean
  quiet: boolean
  interface: string | undefined
  verbose: boolean
  debug: boolean
  beep: boolean
  spoof: string | undefined
  randomDestination: boolean
  randomSource: boolean
  ttl: number
  id: number | undefined
  windowsId: boolean
  relativeId: boolean
  fragment: boolean
  moreFragments: boolean
  dontFragment: boolean
  fragmentOffset: number
  virtualMtu: number
  tos: number
  recordRoute: boolean
  looseRoute: string | undefined
  strictRoute: string | undefined
  ipProtocol: number
  icmpType: number
  icmpCode: number
  forceIcmp: boolean
  icmpGateway: number
  quotedVersion: number
  quotedHeaderWords: number
  quotedLength: number | undefined
  quotedId: number | undefined
  quotedProtocol: number
  quotedSource: number
  quotedDestination: number
  quotedSourcePort: number | undefined
  quotedDestinationPort: number | undefined
  icmpChecksum: number | undefined
  sourcePort: number | undefined
  destinationPort: number
  /** `+`: one more for each reply; `++`: for each packet sent. */
  portStep: 'none' | 'received' | 'sent'
  keepPort: boolean
  window: number
  tcpOffset: number | undefined
  sequenceOnly: boolean
  badChecksum: boolean
  sequence: number | undefined
  acknowledgement: number | undefined
  flags: number
  exitCode: boolean
  mss: number | undefined
  timestamp: boolean
  dataSize: number
  file: string | undefined
  signature: string | undefined
  dumpHex: boolean
  dumpText: boolean
  safe: boolean
  tellEnd: boolean
  traceroute: boolean
  traceStop: boolean
  traceKeepTtl: boolean
  traceNoRtt: boolean
  scanPorts: string
}

/** The fields of one kind, for tables of options. */
type Fields<T> = { [K in keyof HpingOptions]-?: HpingOptions[K] extends T ? K : never }[keyof HpingOptions]
type Switch = Fields<boolean>
type Numeric = Exclude<Fields<number | undefined>, 'flags'>

export type Parsed =
  | { ok: true; options: HpingOptions }
  /** Ends here: what is printed, where, and the status. */
  | { ok: false; text: string; to: 'out' | 'err'; status: number }

const LETTERS: Record<string, string> = {
  h: 'help',
  v: 'version',
  c: 'count',
  i: 'interval',
  n: 'numeric',
  q: 'quiet',
  I: 'interface',
  V: 'verbose',
  D: 'debug',
  z: 'bind',
  Z: 'unbind',
  '0': 'rawip',
  '1': 'icmp',
  '2': 'udp',
  '8': 'scan',
  '9': 'listen',
  a: 'spoof',
  t: 'ttl',
  N: 'id',
  W: 'winid',
  r: 'rel',
  f: 'frag',
  x: 'morefrag',
  y: 'dontfrag',
  g: 'fragoff',
  m: 'mtu',
  o: 'tos',
  G: 'rroute',
  H: 'ipproto',
  C: 'icmptype',
  K: 'icmpcode',
  s: 'baseport',
  p: 'destport',
  k: 'keep',
  w: 'win',
  O: 'tcpoff',
  Q: 'seqnum',
  b: 'badcksum',
  M: 'setseq',
  L: 'setack',
  F: 'fin',
  S: 'syn',
  R: 'rst',
  P: 'push',
  A: 'ack',
  U: 'urg',
  X: 'xmas',
  Y: 'ymas',
  d: 'data',
  E: 'file',
  e: 'sign',
  j: 'dump',
  J: 'print',
  B: 'safe',
  u: 'end',
  T: 'traceroute',
}

const WITH_VALUE = new Set(
  [
    'count interval interface scan listen spoof ttl id fragoff mtu tos lsrr ssrr ipproto icmptype icmpcode icmp-gw',
    'icmp-ipver icmp-iphlen icmp-iplen icmp-ipid icmp-ipproto icmp-ipsrc icmp-ipdst icmp-srcport icmp-dstport',
    'icmp-cksum baseport destport win tcpoff setseq tcpseq setack tcpack tcp-mss data file sign apd-send',
  ].flatMap((line) => line.split(' ')),
)

const WITHOUT_VALUE = new Set(
  [
    'help version fast faster flood numeric quiet verbose debug bind unbind beep rawip icmp udp rand-dest rand-source',
    'winid rel frag morefrag dontfrag rroute force-icmp icmp-ts icmp-addr icmp-help keep seqnum badcksum fin syn rst',
    'push ack urg xmas ymas tcpexitcode tcp-timestamp dump print safe end traceroute tr-stop tr-keep-ttl tr-no-rtt',
  ].flatMap((line) => line.split(' ')),
)

/** All long options, for Tab. */
export const LONG_OPTIONS: readonly string[] = [...WITH_VALUE, ...WITHOUT_VALUE].sort()

/** The bits of TCP's flags, by option. */
const FLAGS: Record<string, number> = { fin: 1, syn: 2, rst: 4, push: 8, ack: 16, urg: 32, xmas: 64, ymas: 128 }

const TRY = 'Try hping3 --help\n'

export function defaults(): HpingOptions {
  return {
    mode: 'tcp',
    host: undefined,
    count: -1,
    intervalNs: 1e9,
    flood: false,
    numeric: false,
    quiet: false,
    interface: undefined,
    verbose: false,
    debug: false,
    beep: false,
    spoof: undefined,
    randomDestination: false,
    randomSource: false,
    ttl: 64,
    id: undefined,
    windowsId: false,
    relativeId: false,
    fragment: false,
    moreFragments: false,
    dontFragment: false,
    fragmentOffset: 0,
    virtualMtu: 16,
    tos: 0,
    recordRoute: false,
    looseRoute: undefined,
    strictRoute: undefined,
    ipProtocol: 6,
    icmpType: 8,
    icmpCode: 0,
    forceIcmp: false,
    icmpGateway: 0,
    quotedVersion: 4,
    quotedHeaderWords: 5,
    quotedLength: undefined,
    quotedId: undefined,
    quotedProtocol: 6,
    // What it quotes in an ICMP error unless told otherwise.
    quotedSource: 0x01020304,
    quotedDestination: 0x05060708,
    quotedSourcePort: undefined,
    quotedDestinationPort: undefined,
    icmpChecksum: undefined,
    sourcePort: undefined,
    destinationPort: 0,
    portStep: 'none',
    keepPort: false,
    window: 512,
    tcpOffset: undefined,
    sequenceOnly: false,
    badChecksum: false,
    sequence: undefined,
    acknowledgement: undefined,
    flags: 0,
    exitCode: false,
    mss: undefined,
    timestamp: false,
    dataSize: 0,
    file: undefined,
    signature: undefined,
    dumpHex: false,
    dumpText: false,
    safe: false,
    tellEnd: false,
    traceroute: false,
    traceStop: false,
    traceKeepTtl: false,
    traceNoRtt: false,
    scanPorts: '',
  }
}

/** Words behind the program's name. */
export function parseHpingOptions(words: readonly string[]): Parsed {
  const options = defaults()
  const hosts: string[] = []
  const modes = new Set<Mode>()
  let sizeGiven = false
  let ttlGiven = false
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word === '-' || !word.startsWith('-')) {
      hosts.push(word)
      continue
    }
    let names: string[]
    if (word.startsWith('--')) {
      const name = longName(word.slice(2))
      if (name === undefined) return stop(`hping3: unrecognized option \`${word}'\n${TRY}`)
      names = [name]
    } else {
      names = []
      for (const letter of word.slice(1)) {
        const name = LETTERS[letter]
        if (name === undefined) return stop(`hping3: unrecognized option \`-${letter}'\n${TRY}`)
        names.push(name)
      }
    }
    for (const [at, name] of names.entries()) {
      let value = ''
      if (WITH_VALUE.has(name)) {
        // In a group only the last may have one, in the word behind.
        const next = at === names.length - 1 ? words[++i] : undefined
        if (next === undefined) {
          const shown = word.startsWith('--') ? word.slice(2) : word[at + 1]
          return stop(`hping3: option requires an argument -- ${shown}\n${TRY}`)
        }
        value = next
      }
      if (name === 'help') return { ok: false, text: 'help', to: 'out', status: 0 }
      if (name === 'version') return { ok: false, text: 'version', to: 'out', status: 0 }
      if (name === 'icmp-help') return { ok: false, text: 'icmp-help', to: 'out', status: 0 }
      if (name === 'tos' && value === 'help') return { ok: false, text: 'tos-help', to: 'out', status: 0 }
      if (name === 'data') sizeGiven = true
      if (name === 'ttl') ttlGiven = true
      const refused = apply(options, modes, name, value)
      if (refused !== undefined) return { ok: false, text: `Option error: ${refused}\n`, to: 'out', status: 1 }
    }
  }
  options.mode = chosen(modes)
  if (options.traceroute && !ttlGiven) options.ttl = 1
  if (options.signature !== undefined) {
    const length = options.signature.length
    if (!sizeGiven) options.dataSize = Math.max(options.dataSize, length)
    else if (length > options.dataSize) {
      const text = `signature (${length} bytes) is larger than data size`
      return refuse(`${text}\ncheck -d option, don't specify -d to let hping compute it`)
    }
  }
  if (options.safe && options.file === undefined) {
    return refuse(`sorry, safe protocol is useless without 'data from file' option`)
  }
  if (options.randomDestination && options.interface === undefined) {
    return refuse('you need to specify an interface when the --rand-dest option is enabled')
  }
  if (hosts.length > 1) return stop('hping3: you must specify only one target host at a time\n')
  options.host = hosts[0]
  if (options.host === undefined && options.mode !== 'listen') {
    return stop("hping3: missing host argument\nTry `hping3 --help' for more information.\n")
  }
  return { ok: true, options }
}

/** A whole name, or the beginning of exactly one. */
function longName(text: string): string | undefined {
  if (WITH_VALUE.has(text) || WITHOUT_VALUE.has(text)) return text
  const found = text === '' ? [] : LONG_OPTIONS.filter((name) => name.startsWith(text))
  return found.length === 1 ? found[0] : undefined
}

function stop(text: string): Parsed {
  return { ok: false, text, to: 'err', status: 1 }
}

function refuse(text: string): Parsed {
  return { ok: false, text: `Option error: ${text}\n`, to: 'out', status: 1 }
}

/** It asks for scanning and listening first, then for ICMP, UDP and raw IP. */
function chosen(modes: ReadonlySet<Mode>): Mode {
  for (const mode of ['listen', 'scan', 'raw', 'icmp', 'udp'] as const) if (modes.has(mode)) return mode
  return 'tcp'
}

/** strtol(3): what is no number is 0. */
function number(text: string): number {
  const found = /^\s*([+-]?)(0[xX][\da-fA-F]+|0[0-7]*|[1-9]\d*)/.exec(text)
  if (!found) return 0
  const digits = found[2]!
  const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits)
  return found[1] === '-' ? -value : value
}

/** The options that only switch something on. */
const SWITCHES: Record<string, Switch> = {
  flood: 'flood',
  numeric: 'numeric',
  quiet: 'quiet',
  verbose: 'verbose',
  debug: 'debug',
  beep: 'beep',
  'rand-dest': 'randomDestination',
  'rand-source': 'randomSource',
  winid: 'windowsId',
  rel: 'relativeId',
  frag: 'fragment',
  morefrag: 'moreFragments',
  dontfrag: 'dontFragment',
  rroute: 'recordRoute',
  'force-icmp': 'forceIcmp',
  keep: 'keepPort',
  seqnum: 'sequenceOnly',
  badcksum: 'badChecksum',
  tcpexitcode: 'exitCode',
  'tcp-timestamp': 'timestamp',
  dump: 'dumpHex',
  print: 'dumpText',
  safe: 'safe',
  end: 'tellEnd',
  traceroute: 'traceroute',
  'tr-stop': 'traceStop',
  'tr-keep-ttl': 'traceKeepTtl',
  'tr-no-rtt': 'traceNoRtt',
}

/** Those whose value is a number, and how many bits of it are kept. */
const NUMBERS: Record<string, [field: Numeric, bits: 4 | 8 | 16 | 32 | undefined]> = {
  ttl: ['ttl', 8],
  id: ['id', 16],
  fragoff: ['fragmentOffset', undefined],
  mtu: ['virtualMtu', undefined],
  ipproto: ['ipProtocol', 8],
  icmptype: ['icmpType', 8],
  icmpcode: ['icmpCode', 8],
  'icmp-ipver': ['quotedVersion', 4],
  'icmp-iphlen': ['quotedHeaderWords', 4],
  'icmp-iplen': ['quotedLength', 16],
  'icmp-ipid': ['quotedId', 16],
  'icmp-ipproto': ['quotedProtocol', 8],
  'icmp-srcport': ['quotedSourcePort', 16],
  'icmp-dstport': ['quotedDestinationPort', 16],
  'icmp-cksum': ['icmpChecksum', 16],
  baseport: ['sourcePort', 16],
  win: ['window', 16],
  tcpoff: ['tcpOffset', 4],
  setseq: ['sequence', 32],
  tcpseq: ['sequence', 32],
  setack: ['acknowledgement', 32],
  tcpack: ['acknowledgement', 32],
  'tcp-mss': ['mss', 16],
  data: ['dataSize', 16],
}

/** Those whose value is taken as it is. */
const TEXTS: Record<string, 'interface' | 'spoof' | 'looseRoute' | 'strictRoute' | 'file' | 'signature'> = {
  interface: 'interface',
  spoof: 'spoof',
  lsrr: 'looseRoute',
  ssrr: 'strictRoute',
  file: 'file',
  sign: 'signature',
  listen: 'signature',
}

/** Those that are IPv4 addresses, written as numbers. */
const ADDRESSES: Record<string, 'icmpGateway' | 'quotedSource' | 'quotedDestination'> = {
  'icmp-gw': 'icmpGateway',
  'icmp-ipsrc': 'quotedSource',
  'icmp-ipdst': 'quotedDestination',
}

/** Those that ask for a mode, by themselves or besides. */
const MODES: Record<string, Mode> = {
  rawip: 'raw',
  icmp: 'icmp',
  udp: 'udp',
  scan: 'scan',
  listen: 'listen',
  icmptype: 'icmp',
  icmpcode: 'icmp',
  'icmp-ts': 'icmp',
  'icmp-addr': 'icmp',
  'force-icmp': 'icmp',
}

/** Returns what is wrong. */
function apply(options: HpingOptions, modes: Set<Mode>, name: string, value: string): string | undefined {
  const mode = MODES[name]
  if (mode !== undefined) modes.add(mode)
  options.flags |= FLAGS[name] ?? 0
  const on = SWITCHES[name]
  if (on !== undefined) options[on] = true
  const text = TEXTS[name]
  if (text !== undefined) options[text] = value
  const address = ADDRESSES[name]
  if (address !== undefined) options[address] = parseIpv4(value) ?? 0
  const numeric = NUMBERS[name]
  if (numeric !== undefined) {
    const [field, bits] = numeric
    const given = number(value)
    options[field] = bits === undefined ? given : bits === 32 ? given >>> 0 : given & ((1 << bits) - 1)
  }
  // What is left says more than one thing.
  switch (name) {
    case 'count':
      options.count = number(value)
      return options.count <= 0 ? 'count must > 0' : undefined
    case 'interval':
      options.intervalNs = value.startsWith('u') ? number(value.slice(1)) * 1e3 : number(value) * 1e9
      // A second or more in microseconds is no timeval: setitimer(2) refuses it, and the timer never runs.
      if (value.startsWith('u') && options.intervalNs >= 1e9) options.intervalNs = 0
      return undefined
    case 'fast':
      options.intervalNs = 1e7
      return undefined
    case 'faster':
      options.intervalNs = 1e3
      return undefined
    case 'scan':
      options.scanPorts = value
      return undefined
    case 'mtu':
      options.fragment = true
      return undefined
    case 'tos':
      options.tos |= Number.parseInt(value, 16) & 255 || 0
      return undefined
    case 'icmp-ts':
      options.icmpType = 13
      return undefined
    case 'icmp-addr':
      options.icmpType = 17
      return undefined
    case 'destport': {
      const plus = /^\+{0,2}/.exec(value)![0]
      options.portStep = plus === '++' ? 'sent' : plus === '+' ? 'received' : 'none'
      options.destinationPort = number(value.slice(plus.length)) & 0xffff
      return undefined
    }
    // Descriptions of packets in a language of its own.
    case 'apd-send':
      return `--${name} isn't modelled`
    // bind and unbind: Ctrl-Z changes the port or the time to live of a program at a terminal.
    default:
      return undefined
  }
}

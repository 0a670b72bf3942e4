/** ping's command line. iputils 20221126 ping/ping.c: main() */

import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import { parseIpv4 } from '#wire/inet'
import { decimalOption, INT_MAX, integerOption, LONG_MAX } from './numbers.ts'
import { Exit, type Stdio } from './stdio.ts'
import { version } from './version.ts'

const USAGE = `
Usage
  ping [options] <destination>

Options:
  <destination>      name or ip address
  -a                 ring the bell at each reply
  -A                 adapt the interval to the round trip time
  -B                 keep the source address
  -c <count>         stop after <count> replies
  -C                 connect the socket
  -D                 print timestamps
  -d                 set SO_DEBUG
  -e <identifier>    identifier of the requests; random by default
  -f                 flood
  -h                 print help and exit
  -I <interface>     interface name or address
  -i <interval>      seconds between requests
  -L                 no loopback of multicast packets
  -l <preload>       send <preload> requests without waiting
  -m <mark>          mark of the requests
  -M <pmtud opt>     path MTU discovery: do, dont or want
  -n                 no names
  -O                 report replies that are outstanding
  -p <pattern>       content of the padding, in hexadecimal
  -q                 only the header and the statistics
  -Q <tclass>        type of service
  -r                 bypass routing tables
  -s <size>          number of data bytes
  -S <size>          SO_SNDBUF of the socket
  -t <ttl>           time to live
  -U                 print user-to-user latency
  -v                 verbose output
  -V                 print version and exit
  -w <deadline>      stop after <deadline> seconds
  -W <timeout>       seconds to wait for the last reply

IPv4 options:
  -4                 use IPv4
  -b                 allow broadcast addresses
  -R                 record the route
  -T <timestamp>     timestamp option: tsonly, tsandaddr or tsprespec

For more details see ping(8).
`

export interface PingOptions {
  adaptive: boolean
  audible: boolean
  strictSource: boolean
  /** 0: without end. */
  count: number
  connect: boolean
  printTime: boolean
  debug: boolean
  /** -1: the program's or the kernel's choice. */
  identifier: number
  flood: boolean
  device: string | undefined
  source: number
  /** -I with an IPv6 address. */
  source6: string | undefined
  intervalMs: number
  intervalGiven: boolean
  noLoop: boolean
  preload: number
  mark: number | undefined
  /** IP_PMTUDISC_*: DONT 0, WANT 1, DO 2. */
  pathMtu: number | undefined
  numeric: boolean
  outstanding: boolean
  pattern: string | undefined
  quiet: boolean
  tos: number
  dontRoute: boolean
  size: number
  sendBuffer: number
  ttl: number | undefined
  latency: boolean
  verbose: boolean
  deadlineS: number
  lingerMs: number
  family: 'any' | 'inet' | 'inet6'
  broadcast: boolean
  recordRoute: boolean
  /** IPOPT_TS_*: TSONLY 0, TSANDADDR 1, PRESPEC 3. */
  timestamp: number | undefined
  operands: string[]
}

const PATH_MTU: Record<string, number> = { dont: 0, want: 1, do: 2 }
const TIMESTAMPS: Record<string, number> = { tsonly: 0, tsandaddr: 1, tsprespec: 3 }
const MAXWAIT_MS = 10_000
export const DEFAULT_SIZE = 56

export function usage(io: Stdio): never {
  io.stderr(USAGE)
  throw new Exit(2)
}

export function parsePingOptions(io: Stdio, argv: string[]): PingOptions {
  const o: PingOptions = {
    adaptive: false,
    audible: false,
    strictSource: false,
    count: 0,
    connect: false,
    printTime: false,
    debug: false,
    identifier: -1,
    flood: false,
    device: undefined,
    source: 0,
    source6: undefined,
    intervalMs: 1000,
    intervalGiven: false,
    noLoop: false,
    preload: 1,
    mark: undefined,
    pathMtu: undefined,
    numeric: false,
    outstanding: false,
    pattern: undefined,
    quiet: false,
    tos: 0,
    dontRoute: false,
    size: DEFAULT_SIZE,
    sendBuffer: 0,
    ttl: undefined,
    latency: false,
    verbose: false,
    deadlineS: 0,
    lingerMs: MAXWAIT_MS,
    family: argv[0]?.endsWith('4') ? 'inet' : argv[0]?.endsWith('6') ? 'inet6' : 'any',
    broadcast: false,
    recordRoute: false,
    timestamp: undefined,
    operands: [],
  }
  const flags: Record<string, () => void> = {
    a: () => (o.audible = true),
    A: () => (o.adaptive = true),
    B: () => (o.strictSource = true),
    C: () => (o.connect = true),
    D: () => (o.printTime = true),
    d: () => (o.debug = true),
    L: () => (o.noLoop = true),
    n: () => (o.numeric = true),
    O: () => (o.outstanding = true),
    q: () => (o.quiet = true),
    r: () => (o.dontRoute = true),
    U: () => (o.latency = true),
    v: () => (o.verbose = true),
    b: () => (o.broadcast = true),
    f: () => {
      o.flood = true
      o.numeric = true
      io.unbuffered = true
    },
    R: () => {
      if (o.timestamp !== undefined) io.die(2, 'only one of -T or -R may be used')
      o.recordRoute = true
    },
    '4': () => {
      if (o.family === 'inet6') io.die(2, 'only one -4 or -6 option may be specified')
      o.family = 'inet'
    },
    '6': () => {
      if (o.family === 'inet') io.die(2, 'only one -4 or -6 option may be specified')
      o.family = 'inet6'
    },
    V: () => {
      io.print(version('ping'))
      throw new Exit(0)
    },
  }
  const valued: Record<string, (value: string) => void> = {
    c: (value) => (o.count = integerOption(io, value, 1, LONG_MAX)),
    e: (value) => (o.identifier = integerOption(io, value, 0, 65535n)),
    i: (value) => {
      const seconds = decimalOption(io, value, 'bad timing interval')
      if (seconds > 2147483.647) io.die(2, `bad timing interval: ${value}`)
      o.intervalMs = Math.trunc(seconds * 1000)
      o.intervalGiven = true
    },
    I: (value) => {
      const address = parseIpv4(value)
      if (value.includes(':')) o.source6 = value
      else if (address === undefined) o.device = value
      else {
        o.source = address
        o.strictSource = true
      }
    },
    l: (value) => (o.preload = integerOption(io, value, 1, 65536n)),
    m: (value) => (o.mark = integerOption(io, value, 0, 4294967295n)),
    M: (value) => {
      o.pathMtu = PATH_MTU[value]
      if (o.pathMtu === undefined) io.die(2, `invalid -M argument: ${value}`)
    },
    p: (value) => (o.pattern = value),
    Q: (value) => (o.tos = parseTos(io, value)),
    s: (value) => (o.size = integerOption(io, value, 0, INT_MAX)),
    S: (value) => (o.sendBuffer = integerOption(io, value, 1, INT_MAX)),
    t: (value) => (o.ttl = integerOption(io, value, 0, 255n)),
    T: (value) => {
      if (o.recordRoute) io.die(2, 'only one of -T or -R may be used')
      o.timestamp = TIMESTAMPS[value]
      if (o.timestamp === undefined) io.die(2, `invalid timestamp type: ${value}`)
    },
    w: (value) => (o.deadlineS = integerOption(io, value, 0, INT_MAX)),
    W: (value) => {
      const seconds = decimalOption(io, value, 'bad linger time')
      if (seconds < 0 || seconds > 2147483.647) io.die(2, `bad linger time: ${value}`)
      o.lingerMs = Math.trunc(seconds * 1000)
    },
    F: () => {
      throw new NotModelled('IPv6 (ping -F)')
    },
    N: () => {
      throw new NotModelled('IPv6 (ping -N)')
    },
  }
  const parsed = getopt(argv, 'h?4bRT:6F:N:aABc:CdDe:fi:I:l:Lm:M:nOp:qQ:rs:S:t:UvVw:W:')
  for (const { option, value, message } of parsed.options) {
    if (message) io.stderr(`${message}\n`)
    if (message || option === 'h' || option === '?') usage(io)
    if (value === undefined) flags[option]!()
    else valued[option]!(value)
  }
  o.operands = parsed.operands
  return o
}

function parseTos(io: Stdio, text: string): number {
  const digits = /^(0[xX][0-9a-fA-F]+|-?\d+)$/.exec(text)
  if (!digits) io.die(2, `bad TOS value: ${text}`)
  const value = Number(text)
  if (value > 255) io.die(2, `the decimal value of TOS bits must be in range 0-255: ${value}`)
  return value
}

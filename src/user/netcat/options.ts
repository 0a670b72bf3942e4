/** nc's options. OpenBSD netcat 1.219 as Debian 12 has it. */
import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import { Exit, type Stdio } from '#user/libc'

export const SHORT_USAGE = `usage: nc [-46CDdFhklNnrStUuvZz] [-I length] [-i interval] [-M ttl]
	  [-m minttl] [-O length] [-P proxy_username] [-p source_port]
	  [-q seconds] [-s sourceaddr] [-T keyword] [-V rtable] [-W recvlimit]
	  [-w timeout] [-X proxy_protocol] [-x proxy_address[:port]]
	  [destination] [port]
`

const HELP = `OpenBSD netcat (Debian patchlevel 1.219-1)
${SHORT_USAGE}	Command Summary:
		-4		Use IPv4
		-6		Use IPv6
		-b		Allow broadcast
		-C		Send CRLF as line-ending
		-D		Enable the debug socket option
		-d		Detach from stdin
		-F		Pass socket fd
		-h		This help text
		-I length	TCP receive buffer length
		-i interval	Delay interval for lines sent, ports scanned
		-k		Keep inbound sockets open for multiple connects
		-l		Listen mode, for inbound connects
		-M ttl		Outgoing TTL / Hop Limit
		-m minttl	Minimum incoming TTL / Hop Limit
		-N		Shutdown the network socket after EOF on stdin
		-n		Suppress name/port resolutions
		-O length	TCP send buffer length
		-P proxyuser	Username for proxy authentication
		-p port		Specify local port for remote connects
		-q secs		quit after EOF on stdin and delay of secs
		-r		Randomize remote ports
		-S		Enable the TCP MD5 signature option
		-s sourceaddr	Local source address
		-T keyword	TOS value
		-t		Answer TELNET negotiation
		-U		Use UNIX domain socket
		-u		UDP mode
		-V rtable	Specify alternate routing table
		-v		Verbose
		-W recvlimit	Terminate after receiving a number of packets
		-w timeout	Timeout for connects and final net reads
		-X proto	Proxy protocol: "4", "5" (SOCKS) or "connect"
		-x addr[:port]	Specify proxy address and port
		-Z		DCCP mode
		-z		Zero-I/O mode [used for scanning]
	Port numbers can be individual or ranges: lo-hi [inclusive]
`

export interface NcOptions {
  family: 'AF_UNSPEC' | 'AF_INET' | 'AF_INET6'
  unix: boolean
  udp: boolean
  listen: boolean
  keep: boolean
  zero: boolean
  verbose: boolean
  numeric: boolean
  detach: boolean
  shutdown: boolean
  crlf: boolean
  broadcast: boolean
  random: boolean
  /** Seconds; -1: never. */
  quitS: number
  /** -1: no limit. */
  timeoutS: number
  intervalS: number
  receiveLimit: number
  localPort: string | undefined
  source: string | undefined
  ttl: number
  minTtl: number
  tos: number
  receiveBuffer: number
  sendBuffer: number
  host: string | undefined
  ports: string | undefined
  /** Those after the first. */
  morePorts: string[]
}

/** Keywords of -T. */
const TOS: Record<string, number> = {
  lowdelay: 0x10,
  throughput: 0x08,
  reliability: 0x04,
  critical: 0xa0,
  inetcontrol: 0xc0,
  netcontrol: 0xe0,
  ef: 0xb8,
  cs0: 0,
  cs1: 0x20,
  cs2: 0x40,
  cs3: 0x60,
  cs4: 0x80,
  cs5: 0xa0,
  cs6: 0xc0,
  cs7: 0xe0,
  af11: 0x28,
  af12: 0x30,
  af13: 0x38,
  af21: 0x48,
  af22: 0x50,
  af23: 0x58,
  af31: 0x68,
  af32: 0x70,
  af33: 0x78,
  af41: 0x88,
  af42: 0x90,
  af43: 0x98,
}

export function parseNcOptions(io: Stdio, argv: string[]): NcOptions {
  const o: NcOptions = {
    family: 'AF_UNSPEC',
    unix: false,
    udp: false,
    listen: false,
    keep: false,
    zero: false,
    verbose: false,
    numeric: false,
    detach: false,
    shutdown: false,
    crlf: false,
    broadcast: false,
    random: false,
    quitS: -1,
    timeoutS: -1,
    intervalS: 0,
    receiveLimit: 0,
    localPort: undefined,
    source: undefined,
    ttl: -1,
    minTtl: -1,
    tos: -1,
    receiveBuffer: 0,
    sendBuffer: 0,
    host: undefined,
    ports: undefined,
    morePorts: [],
  }
  const die = (text: string): never => {
    io.error(`nc: ${text}\n`)
    throw new Exit(1)
  }
  /** strtonum(3). */
  const number = (text: string, least: number, most: number, what: string): number => {
    if (!/^\s*[-+]?\d+$/.test(text)) die(`${what} invalid: ${text}`)
    const value = Number(text)
    if (value < least) die(`${what} too small: ${text}`)
    if (value > most) die(`${what} too large: ${text}`)
    return value
  }
  const INT_MAX = 2 ** 31 - 1
  const parsed = getopt(argv, '46bCDdFhI:i:klM:m:NnO:P:p:q:rSs:T:tUuV:vW:w:X:x:Zz')
  for (const { option, value = '', message } of parsed.options) {
    if (message) {
      io.error(`${message}\n${SHORT_USAGE}`)
      throw new Exit(1)
    }
    switch (option) {
      case '4':
        o.family = 'AF_INET'
        break
      case '6':
        o.family = 'AF_INET6'
        break
      case 'b':
        o.broadcast = true
        break
      case 'C':
        o.crlf = true
        break
      case 'D':
        break // SO_DEBUG, which nobody looks at.
      case 'd':
        o.detach = true
        break
      case 'h':
        io.error(HELP)
        throw new Exit(0)
      case 'I':
        o.receiveBuffer = number(value, 1, 65536 << 14, 'TCP receive window')
        break
      case 'i':
        o.intervalS = number(value, 0, 4294967295, 'interval')
        break
      case 'k':
        o.keep = true
        break
      case 'l':
        o.listen = true
        break
      case 'M':
        o.ttl = number(value, 0, 255, 'ttl')
        break
      case 'm':
        o.minTtl = number(value, 0, 255, 'minttl')
        break
      case 'N':
        o.shutdown = true
        break
      case 'n':
        o.numeric = true
        break
      case 'O':
        o.sendBuffer = number(value, 1, 65536 << 14, 'TCP send window')
        break
      case 'p':
        o.localPort = value
        break
      case 'q':
        o.quitS = number(value, -INT_MAX - 1, INT_MAX, 'quit timer')
        break
      case 'r':
        o.random = true
        break
      case 's':
        o.source = value
        break
      case 'T': {
        const known = Object.hasOwn(TOS, value.toLowerCase()) ? TOS[value.toLowerCase()] : undefined
        const tos = known ?? (/^(0x[\da-f]+|\d+)$/i.test(value) ? Number(value) : -1)
        if (tos < 0 || tos > 255) die(`illegal tos value ${value}`)
        o.tos = tos
        break
      }
      case 'U':
        o.unix = true
        break
      case 'u':
        o.udp = true
        break
      case 'v':
        o.verbose = true
        break
      case 'W':
        o.receiveLimit = number(value, 1, INT_MAX, 'receive limit')
        break
      case 'w':
        o.timeoutS = number(value, 0, INT_MAX / 1000, 'timeout')
        break
      case 'z':
        o.zero = true
        break
      default:
        throw new NotModelled(`nc -${option}`)
    }
  }
  takeOperands(io, o, parsed.operands, die)
  return o
}

function takeOperands(io: Stdio, o: NcOptions, words: string[], die: (text: string) => never): void {
  const usage = (): never => {
    io.error(SHORT_USAGE)
    throw new Exit(1)
  }
  if (o.unix && (o.localPort !== undefined || words.length > 1)) die('cannot use port with -U')
  const [first, second] = words
  if (words.length === 0 && !o.listen) usage()
  if (words.length > 2 && (o.listen || o.unix)) usage()
  if (o.unix) {
    if (first === undefined) die('missing socket pathname')
    o.host = first
  } else if (o.listen) {
    // A lone operand is the port; -s and -p say the same.
    if (words.length === 2) {
      o.host = first
      o.ports = second
    } else o.ports = first
    if (o.ports === undefined) o.ports = o.localPort
    else if (o.localPort !== undefined) {
      // `nc -l -p 80 HOST`
      o.host = o.ports
      o.ports = o.localPort
    }
    if (o.source !== undefined) {
      if (o.host !== undefined) usage()
      o.host = o.source
    }
    if (o.ports === undefined) die('missing port number')
  } else {
    o.host = first
    o.ports = second
    o.morePorts = words.slice(2)
    if (o.ports === undefined) die('missing port number')
  }
  if (o.listen && o.zero) die('cannot use -z and -l')
  if (!o.listen && o.keep) die('must use -l with -k')
}

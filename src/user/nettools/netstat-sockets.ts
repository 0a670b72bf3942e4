/**
 * What `netstat` lists of sockets, out of /proc/net as it does: tcp, tcp6, udp, udp6, raw, raw6, unix. net-tools 2.10
 * netstat.c: tcp_do_one(), udp_do_one(), unix_do_one().
 */
import type { Body, Sys } from '#kernel/core'
import { readServices, socketHolders } from '#user/libc'
import { formatIpv4, formatIpv6, ipv6 } from '#wire/inet'
import { readHosts, readLines } from './files.ts'

export interface SocketOptions {
  tables: ('tcp' | 'udp' | 'raw' | 'unix')[]
  families: ('inet' | 'inet6')[]
  all: boolean
  listening: boolean
  numericHosts: boolean
  numericPorts: boolean
  extended: boolean
  programs: boolean
  timers: boolean
  wide: boolean
}

const STATES = [
  '',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT1',
  'FIN_WAIT2',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
]
const LISTEN = 10
const ESTABLISHED = 1
const TIMERS = ['off', 'on', 'keepalive', 'timewait', 'probe']

/** The whole listing. */
export function* listSockets(sys: Sys, o: SocketOptions): Body<string> {
  const which = o.listening && !o.all ? 'only servers' : o.all ? 'servers and established' : 'w/o servers'
  const programs = o.programs ? yield* findPrograms(sys) : undefined
  let text = ''
  const inet = o.tables.filter((table) => table !== 'unix')
  if (inet.length > 0) {
    text += `Active Internet connections (${which})\n`
    text += 'Proto Recv-Q Send-Q Local Address           Foreign Address         State      '
    if (o.extended) text += ' User       Inode     '
    if (o.programs) text += ' PID/Program name    '
    if (o.timers) text += ' Timer'
    text += '\n'
    const names = yield* readNames(sys, o)
    for (const table of inet) {
      for (const family of o.families) {
        const protocol = family === 'inet' ? table : `${table}6`
        for (const line of ((yield* readLines(sys, `/proc/net/${protocol}`)) ?? []).slice(1)) {
          text += inetLine(protocol, line, o, names, programs)
        }
      }
    }
  }
  if (o.tables.includes('unix')) {
    text += `Active UNIX domain sockets (${which})\n`
    text += `Proto RefCnt Flags       Type       State         I-Node   ${o.programs ? 'PID/Program name     ' : ''}Path\n`
    for (const line of ((yield* readLines(sys, '/proc/net/unix')) ?? []).slice(1)) text += unixLine(line, o, programs)
  }
  return text
}

interface Names {
  host(address: string): string
  port(port: number, protocol: string): string
}

function* readNames(sys: Sys, o: SocketOptions): Body<Names> {
  const hosts = o.numericHosts ? undefined : yield* readHosts(sys)
  const services = new Map<string, string>()
  if (!o.numericPorts) {
    for (const { name, port, protocol } of yield* readServices(sys)) {
      const key = `${port}/${protocol}`
      if (!services.has(key)) services.set(key, name)
    }
  }
  return {
    host: (address) => hosts?.nameOf(address) ?? address,
    port: (port, protocol) => services.get(`${port}/${protocol.replace('6', '')}`) ?? String(port),
  }
}

/** `0100007F:1388`: the address as it lies in a little-endian machine's memory. */
function parseEnd(text: string): { address: string; port: number } {
  const [hex = '', port = '0'] = text.split(':')
  const words = (hex.match(/.{8}/g) ?? []).map((word) => {
    const value = Number.parseInt(word, 16)
    return (((value & 255) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0
  })
  if (words.length === 1) return { address: formatIpv4(words[0]!), port: Number.parseInt(port, 16) }
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words
  return { address: formatIpv6(ipv6(w0, w1, w2, w3)), port: Number.parseInt(port, 16) }
}

function inetLine(
  protocol: string,
  line: string,
  o: SocketOptions,
  names: Names,
  programs: ReadonlyMap<string, string> | undefined,
): string {
  const fields = line.trim().split(/\s+/)
  const [, localText = '', remoteText = '', stateText = '', queues = '', timer = '', retransmits = ''] = fields
  const [uid = '0', probes = '0', inode = '0'] = fields.slice(7)
  const state = Number.parseInt(stateText, 16)
  const local = parseEnd(localText)
  const remote = parseEnd(remoteText)
  const tcp = protocol.startsWith('tcp')
  const serving = tcp ? state === LISTEN : remote.port === 0 && (protocol.startsWith('raw') || state !== ESTABLISHED)
  if (!o.all && serving !== o.listening) return ''
  const [sent = '0', received = '0'] = queues.split(':')
  const [kind = '0', when = '0'] = timer.split(':')
  const end = ({ address, port }: { address: string; port: number }) => {
    const unset = address === '0.0.0.0' || address === '::'
    const host = unset ? address : names.host(address)
    const text = port === 0 && !protocol.startsWith('raw') ? '*' : names.port(port, protocol)
    const shown = protocol.startsWith('raw') && port === 0 ? '*' : text
    // What is too long is cut at the host's end, so that the port can be read.
    const room = 22 - shown.length
    return `${o.wide || host.length <= room ? host : host.slice(0, room)}:${shown}`.padEnd(23)
  }
  const stateName = tcp
    ? (STATES[state] ?? 'UNKNOWN')
    : state === ESTABLISHED
      ? 'ESTABLISHED'
      : rawState(protocol, state)
  let text = `${protocol.padEnd(4)}  ${hexNumber(received).padStart(6)} ${hexNumber(sent).padStart(6)} `
  text += `${end(local)} ${end(remote)} ${stateName.padEnd(11)}`
  if (o.extended) text += ` ${(o.numericHosts ? uid : 'root').padEnd(10)} ${inode.padEnd(10)}`
  if (o.programs) text += `${o.extended ? '' : ' '}${(programs?.get(inode) ?? '-').padEnd(20)}`
  if (o.timers) {
    const ticks = Number.parseInt(when, 16)
    const name = TIMERS[Number.parseInt(kind, 16)] ?? `unkn-${kind}`
    text += ` ${name} (${(ticks / 100).toFixed(2)}/${Number.parseInt(retransmits, 16)}/${probes})`
  }
  return `${text}\n`
}

function rawState(protocol: string, state: number): string {
  return protocol.startsWith('raw') ? String(state) : ''
}

function hexNumber(text: string): string {
  return String(Number.parseInt(text, 16) || 0)
}

const UNIX_TYPES: Record<string, string> = { '0001': 'STREAM', '0002': 'DGRAM', '0005': 'SEQPACKET' }
const UNIX_STATES: Record<string, string> = { '01': '', '02': 'CONNECTING', '03': 'CONNECTED', '04': 'DISCONNECTING' }
/** SO_ACCEPTCON: somebody waits for connections. */
const ACCEPTS = 1 << 16

function unixLine(line: string, o: SocketOptions, programs: ReadonlyMap<string, string> | undefined): string {
  const fields = line.trim().split(/\s+/)
  const [, references = '0', , flagText = '0', type = '', state = '', inode = '0', path = ''] = fields
  const flags = Number.parseInt(flagText, 16)
  const listens = (flags & ACCEPTS) !== 0
  if (!o.all) {
    const connected = state === '03'
    if (o.listening ? !listens : !connected) return ''
  }
  const said = listens && state === '01' ? 'LISTENING' : (UNIX_STATES[state] ?? '')
  const shown = `[ ${listens ? 'ACC ' : ''}]`
  let text = `unix  ${String(Number.parseInt(references, 16)).padEnd(6)} ${shown.padEnd(11)} ${(UNIX_TYPES[type] ?? type).padEnd(10)} `
  text += `${said.padEnd(13)} ${inode.padEnd(8)} `
  if (o.programs) text += `${(programs?.get(inode) ?? '-').padEnd(20)} `
  return `${text}${path}\n`
}

/** `PID/name` by the socket's inode: of several who have it open, the first. */
function* findPrograms(sys: Sys): Body<Map<string, string>> {
  const programs = new Map<string, string>()
  for (const [inode, [holder]] of socketHolders(sys)) {
    const { pid } = holder!
    // The program's name is the first word of its command line, without the directory and from a colon on.
    const name = ((yield* readLines(sys, `/proc/${pid}/cmdline`)) ?? [''])[0]!.split('\0')[0]!.replace(/^.*\//, '')
    programs.set(String(inode), `${pid}/${name}`.slice(0, 19))
  }
  return programs
}

/** Connections as `conntrack` prints them: plain, as XML, or as the commands that would make them again. libnetfilter_conntrack 1.0.9 src/conntrack/snprintf*.c. */
import { ctime } from '#base/text'
import { IPPROTO_ICMP, IPPROTO_TCP } from '#wire/inet'
import { IPS_ASSURED, IPS_SEEN_REPLY } from './conn.ts'
import type { ConnMessage, ExpectMessage, TupleMessage } from './messages.ts'
import { TCP_STATES } from './tcp-state.ts'
import { formatAddr, protocolName } from './text.ts'
import { hasPorts, IPPROTO_GRE, IPPROTO_ICMPV6 } from './tuple.ts'

export interface OutputFormat {
  extended: boolean
  id: boolean
  timestamp: boolean
  ktimestamp: boolean
  xml: boolean
  save: boolean
}

/** Seconds since the epoch at virtual time zero, and now. */
export interface Clock {
  startS: number
  nowS: number
}

const EVENTS = { NEW: '    [NEW] ', UPDATE: ' [UPDATE] ', DESTROY: '[DESTROY] ' }

function isIcmp(protocol: number): boolean {
  return protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6
}

function keys({ protocol, srcPort, dstPort }: TupleMessage): string {
  if (isIcmp(protocol)) return `type=${dstPort >>> 8} code=${dstPort & 255} id=${srcPort} `
  if (protocol === IPPROTO_GRE) return 'srckey=0x0 dstkey=0x0 '
  return hasPorts(protocol) ? `sport=${srcPort} dport=${dstPort} ` : ''
}

function tuple(one: TupleMessage): string {
  return `src=${formatAddr(one.src)} dst=${formatAddr(one.dst)} ${keys(one)}`
}

function counters(conn: ConnMessage, direction: 0 | 1): string {
  if (!conn.packets || !conn.bytes) return ''
  return `packets=${conn.packets[direction]} bytes=${conn.bytes[direction]} `
}

/** One connection in a line, without its newline. */
export function printConn(
  conn: ConnMessage,
  format: OutputFormat,
  clock: Clock,
  event?: 'NEW' | 'UPDATE' | 'DESTROY',
): string {
  if (format.xml) return printXml(conn, format, event)
  if (format.save) return printSave(conn, event)
  const { protocol } = conn.original
  let text = event ? EVENTS[event] : ''
  if (format.extended) text += `${(conn.family === 2 ? 'ipv4' : 'ipv6').padEnd(8)} ${conn.family} `
  text += `${protocolName(protocol).padEnd(8)} ${protocol} `
  if (conn.timeout !== undefined) text += `${conn.timeout} `
  if (conn.tcpState !== undefined && protocol === IPPROTO_TCP) text += `${TCP_STATES[conn.tcpState]} `
  text += tuple(conn.original) + counters(conn, 0)
  if (!(conn.status & IPS_SEEN_REPLY)) text += '[UNREPLIED] '
  text += tuple(conn.reply) + counters(conn, 1)
  if (conn.status & IPS_ASSURED) text += '[ASSURED] '
  if (conn.mark !== undefined) text += `mark=${conn.mark} `
  if (conn.zone !== 0) text += `zone=${conn.zone} `
  if (conn.startNs !== undefined) {
    const started = Math.floor(clock.startS + conn.startNs / 1e9)
    if (format.ktimestamp) {
      text += `[start=${ctime(started)}] `
      if (conn.stopNs !== undefined) text += `[stop=${ctime(Math.floor(clock.startS + conn.stopNs / 1e9))}] `
    }
    const until = conn.stopNs === undefined ? clock.nowS : Math.floor(clock.startS + conn.stopNs / 1e9)
    text += `delta-time=${Math.max(0, until - started)} `
  }
  if (conn.helper !== undefined) text += `helper=${conn.helper} `
  if (conn.use !== undefined) text += `use=${conn.use} `
  if (format.id) text += `id=${conn.id} `
  return text.trimEnd()
}

function xmlSide(one: TupleMessage, family: number, direction: string, conn: ConnMessage, which: 0 | 1): string {
  const name = family === 2 ? 'ipv4' : 'ipv6'
  const { protocol } = one
  let text = `<meta direction="${direction}"><layer3 protonum="${family}" protoname="${name}">`
  text += `<src>${formatAddr(one.src)}</src><dst>${formatAddr(one.dst)}</dst></layer3>`
  text += `<layer4 protonum="${protocol}" protoname="${protocolName(protocol)}">`
  if (hasPorts(protocol)) text += `<sport>${one.srcPort}</sport><dport>${one.dstPort}</dport>`
  text += '</layer4>'
  if (conn.packets && conn.bytes) {
    text += `<counters><packets>${conn.packets[which]}</packets><bytes>${conn.bytes[which]}</bytes></counters>`
  }
  return `${text}</meta>`
}

function printXml(conn: ConnMessage, _format: OutputFormat, event?: 'NEW' | 'UPDATE' | 'DESTROY'): string {
  let text = event ? `<flow type="${event.toLowerCase()}">` : '<flow>'
  text += xmlSide(conn.original, conn.family, 'original', conn, 0)
  text += xmlSide(conn.reply, conn.family, 'reply', conn, 1)
  text += '<meta direction="independent">'
  if (conn.tcpState !== undefined) text += `<state>${TCP_STATES[conn.tcpState]}</state>`
  if (conn.timeout !== undefined) text += `<timeout>${conn.timeout}</timeout>`
  if (conn.mark !== undefined) text += `<mark>${conn.mark}</mark>`
  if (conn.zone !== 0) text += `<zone>${conn.zone}</zone>`
  if (conn.use !== undefined) text += `<use>${conn.use}</use>`
  text += `<id>${conn.id}</id>`
  if (conn.status & IPS_ASSURED) text += '<assured/>'
  if (!(conn.status & IPS_SEEN_REPLY)) text += '<unreplied/>'
  return `${text}</meta></flow>`
}

function printSave(conn: ConnMessage, event?: 'NEW' | 'UPDATE' | 'DESTROY'): string {
  const { original, reply, status } = conn
  const words = [event === 'DESTROY' ? '-D' : event === 'UPDATE' ? '-U' : '-A', '-t', String(conn.timeout ?? 0)]
  const names = [status & IPS_SEEN_REPLY ? 'SEEN_REPLY' : '', status & IPS_ASSURED ? 'ASSURED' : '']
  words.push('-u', names.filter((name) => name !== '').join(',') || 'UNSET')
  words.push('-s', formatAddr(original.src), '-d', formatAddr(original.dst))
  words.push(reply.src === original.dst ? '-r' : '-g', formatAddr(reply.src))
  words.push(reply.dst === original.src ? '-q' : '-n', formatAddr(reply.dst))
  words.push('-p', protocolName(original.protocol))
  if (isIcmp(original.protocol)) {
    words.push('--icmp-type', String(original.dstPort >>> 8), '--icmp-code', String(original.dstPort & 255))
    words.push('--icmp-id', String(original.srcPort))
  } else if (hasPorts(original.protocol)) {
    words.push('--sport', String(original.srcPort), '--dport', String(original.dstPort))
    words.push('--reply-port-src', String(reply.srcPort), '--reply-port-dst', String(reply.dstPort))
  }
  if (conn.tcpState !== undefined) words.push('--state', TCP_STATES[conn.tcpState]!)
  return words.join(' ')
}

/** One expectation in a line. src/expect/snprintf_default.c */
export function printExpect(one: ExpectMessage, event?: 'NEW' | 'DESTROY'): string {
  const side = (t: TupleMessage) =>
    `src=${formatAddr(t.src)} dst=${formatAddr(t.dst)} sport=${t.srcPort} dport=${t.dstPort} `
  const { tuple: expected, master } = one
  let text = event ? EVENTS[event] : ''
  if (event !== 'DESTROY') text += `${one.timeout} `
  text += `proto=${expected.protocol} ${side(expected)}`
  text += `mask-src=${one.anySource ? '0.0.0.0' : '255.255.255.255'} mask-dst=255.255.255.255 `
  text += `sport=${one.anyPort ? 0 : 65535} dport=65535 `
  text += `master-src=${formatAddr(master.src)} master-dst=${formatAddr(master.dst)} `
  text += `sport=${master.srcPort} dport=${master.dstPort} `
  if (one.flags & 1) text += 'PERMANENT '
  if (one.flags & 2) text += 'INACTIVE '
  if (one.flags & 4) text += 'USERSPACE '
  text += `class=${one.class} helper=${one.helper} `
  return text.trimEnd()
}

/**
 * FTP by NAT: the connection for data that one side announces is expected, and the server's address in its announcement
 * becomes the service's. (`modprobe ip_vs_ftp`.)
 *
 * RFC 959, RFC 2428; Linux 6.1 net/netfilter/ipvs/ip_vs_ftp.c.
 */
import { type Conn as CtConn, formatAddr, moveSequence } from '#kernel/conntrack'
import { IPPROTO_TCP, type Packet, parseIpv4, parseIpv6 } from '#wire/inet'
import type { App } from './app.ts'
import { type Conn, newConn } from './conn.ts'
import { tcpListen } from './proto-tcp.ts'
import {
  AF_INET,
  AF_INET6,
  type Family,
  FTPPORT,
  type InetAddr,
  IP_VS_CONN_F_NFCT,
  IP_VS_CONN_F_NO_CPORT,
  IP_VS_TCP_S_ESTABLISHED,
} from './uapi.ts'

/** What the client has asked for: what the server's next answer means. */
type Mode = undefined | 'PASV' | 'EPSV'

interface Announced {
  /** undefined: the server's own. */
  addr: InetAddr | undefined
  port: number
  /** Where it stands in the text. */
  start: number
  end: number
}

function textOf(packet: Packet): string {
  let text = ''
  const end = packet.offset + packet.length
  for (let i = packet.offset; i < end; i++) text += String.fromCharCode(packet.buffer[i]!)
  return text
}

function startsWith(text: string, word: string): boolean {
  return text.slice(0, word.length).toLowerCase() === word.toLowerCase()
}

/** Where the numbers begin behind a word: after `skip`, or at a digit where the old form may go without. -1: nowhere. */
function behind(text: string, word: string, skip: string, old: boolean): number {
  let found = false
  for (let at = word.length; at < text.length; at++) {
    const char = text[at]!
    if (!found) {
      if (old && char >= '0' && char <= '9') return at
      if (char === skip) found = true
    } else if (char !== skip) return at
  }
  return -1
}

/** h1,h2,h3,h4,p1,p2, and something behind it. */
function readCommas(text: string, start: number): Announced | undefined {
  const match = /^(\d*),(\d*),(\d*),(\d*),(\d*),(\d*)(?=[^\d])/.exec(text.slice(start))
  if (match === null) return undefined
  const numbers = match.slice(1, 7).map(Number)
  if (numbers.some((one) => one > 255)) return undefined
  const [a, b, c, d, p, q] = numbers as [number, number, number, number, number, number]
  const addr = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
  return { addr, port: (p << 8) | q, start, end: start + match[0].length }
}

/** |1|address|port|, or |||port| where the address goes without saying. */
function readBars(text: string, start: number, af: Family, mayOmit: boolean): Announced | undefined {
  const bar = text[start] ?? ''
  if (bar < '!' || bar > '~') return undefined
  const [family, address, digits, rest] = text.slice(start + 1).split(bar) as (string | undefined)[]
  if (rest === undefined || !/^\d+$/.test(digits ?? '')) return undefined
  let addr: InetAddr | undefined
  if (family === '') {
    if (!mayOmit || address !== '') return undefined
  } else {
    if (family !== (af === AF_INET6 ? '2' : '1')) return undefined
    addr = af === AF_INET6 ? parseIpv6(address!) : parseIpv4(address!)
    if (addr === undefined) return undefined
  }
  const port = Number(digits)
  if (port === 0 || port > 65535) return undefined
  return { addr, port, start, end: start + 4 + family!.length + address!.length + digits!.length }
}

/** What the server's answer announces. */
function answered(text: string, mode: Mode, af: Family): Announced | undefined {
  const word = mode === 'PASV' ? '227 ' : '229 '
  if (!startsWith(text, word)) return undefined
  const start = behind(text, word, '(', mode === 'PASV')
  if (start < 0) return undefined
  return mode === 'PASV' ? readCommas(text, start) : readBars(text, start, af, true)
}

/** What the client announces. */
function commanded(text: string, af: Family): Announced | undefined {
  if (af === AF_INET && startsWith(text, 'PORT')) {
    const start = behind(text, 'PORT', ' ', true)
    const found = start < 0 ? undefined : readCommas(text, start)
    if (found) return found
  }
  if (!startsWith(text, 'EPRT')) return undefined
  const start = behind(text, 'EPRT', ' ', false)
  return start < 0 ? undefined : readBars(text, start, af, false)
}

/** What the client asks the server to announce. */
function asked(text: string, af: Family): Mode {
  for (let at = 0; at <= text.length - 6; at++) {
    const rest = text.slice(at, at + 7).toUpperCase()
    if (af === AF_INET && rest.startsWith('PASV\r\n')) return 'PASV'
    if (rest.startsWith('EPSV\r')) return 'EPSV'
    if (rest.startsWith('EPSV '))
      return rest[5] === (af === AF_INET6 ? '2' : '1') && rest[6] === '\r' ? 'EPSV' : undefined
  }
  return undefined
}

/** Puts other text into a segment; connection tracking moves what follows. nf_nat_mangle_tcp_packet(). */
function replace(packet: Packet, ct: CtConn, text: string, { start, end }: Announced, by: string): void {
  const changed = text.slice(0, start) + by + text.slice(end)
  const bytes = new Uint8Array(changed.length)
  for (let i = 0; i < changed.length; i++) bytes[i] = changed.charCodeAt(i)
  moveSequence(ct, packet, bytes.length - packet.length)
  packet.buffer = bytes
  packet.offset = 0
  packet.length = bytes.length
}

/** The server has announced where it listens. ip_vs_ftp_out(). */
function packetOut(cp: Conn, packet: Packet): boolean {
  const mode = cp.appData as Mode
  if (cp.state !== IP_VS_TCP_S_ESTABLISHED || mode === undefined || packet.length === 0) return true
  const text = textOf(packet)
  const said = answered(text, mode, cp.af)
  if (said === undefined) return true
  const { ipvs, af, caddr } = cp
  const from = said.addr ?? cp.daddr
  let data = ipvs.conns.outGet(af, IPPROTO_TCP, from, said.port, caddr, 0)
  if (data === undefined) {
    const flags = IP_VS_CONN_F_NO_CPORT | IP_VS_CONN_F_NFCT
    const { port } = said
    data = newConn(ipvs, af, IPPROTO_TCP, caddr, 0, cp.vaddr, port, af, from, port, flags, cp.dest, packet.mark)
    data.controlAdd(cp)
  }
  const port = data.vport
  const commas = () => `${formatAddr(data.vaddr).replaceAll('.', ',')},${port >>> 8},${port & 255}`
  const ct = packet.ct as CtConn | undefined
  if (ct !== undefined) replace(packet, ct, text, said, mode === 'PASV' ? commas() : `|||${port}|`)
  cp.appData = undefined
  tcpListen(data)
  data.put()
  return ct !== undefined
}

/** The client asks, or announces where it listens. ip_vs_ftp_in(). */
function packetIn(cp: Conn, packet: Packet): boolean {
  if (cp.state !== IP_VS_TCP_S_ESTABLISHED || packet.length === 0) return true
  const text = textOf(packet)
  const mode = asked(text, cp.af)
  if (mode !== undefined) {
    cp.appData = mode
    return true
  }
  const said = commanded(text, cp.af)
  if (said?.addr === undefined) return true
  cp.appData = undefined
  const { ipvs, af, vaddr, daddr } = cp
  const vport = cp.vport - 1
  let data = ipvs.conns.inGet(af, IPPROTO_TCP, said.addr, said.port, vaddr, vport)
  if (data === undefined) {
    const { addr, port } = said
    const flags = IP_VS_CONN_F_NFCT
    data = newConn(
      ipvs,
      af,
      IPPROTO_TCP,
      addr,
      port,
      vaddr,
      vport,
      af,
      daddr,
      cp.dport - 1,
      flags,
      cp.dest,
      packet.mark,
    )
    data.controlAdd(cp)
  }
  tcpListen(data)
  data.put()
  return true
}

export const ftp: App = {
  name: 'ftp',
  protocol: IPPROTO_TCP,
  port: FTPPORT,
  bind(cp) {
    cp.flags |= IP_VS_CONN_F_NFCT
  },
  unbind(cp) {
    cp.app = undefined
  },
  packetOut,
  packetIn,
}

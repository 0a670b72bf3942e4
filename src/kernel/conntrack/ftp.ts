/**
 * The FTP helper: it reads PORT, EPRT and the answers to PASV and EPSV at the beginning of lines, expects the connection
 * that they announce, and has NAT rewrite them.
 *
 * RFC 959, RFC 1123 section 4.1.2.6, RFC 2428; Linux 6.1 net/netfilter/nf_conntrack_ftp.c, nf_nat_ftp.c.
 */
import { HZ, NF_ACCEPT, NF_DROP } from '#kernel/net'
import { IPPROTO_TCP, type Packet, RAW_NONE } from '#wire/inet'
import {
  type Conn,
  ctDirection,
  type Direction,
  IP_CT_ESTABLISHED,
  IP_CT_ESTABLISHED_REPLY,
  IPS_NAT_MASK,
} from './conn.ts'
import { Expectation, expect } from './expect.ts'
import { type Helper, moveSequence } from './helper.ts'
import { natSetup } from './nat.ts'
import type { ConntrackState } from './state.ts'
import { after, before } from './tcp-window.ts'
import { formatAddr } from './text.ts'

const POLICY = { most: 1, timeoutJiffies: 5 * 60 * HZ }
const MOST_PORTS = 128

/** The sequence numbers behind the last line ends that were seen, two at most a direction. */
class FtpData {
  readonly lines: [number[], number[]] = [[], []]
}

interface Command {
  address: number
  port: number
}

interface Pattern {
  word: string
  /** What the numbers stand behind. */
  skip: string
  read(text: string): (Command & { length: number; at: number }) | undefined
  format(address: number, port: number): string
}

const commas = (address: number, port: number) =>
  `${formatAddr(address).replaceAll('.', ',')},${port >>> 8},${port & 255}`

/** h1,h2,h3,h4,p1,p2, then the terminator, if one is asked for. */
function readCommas(text: string, terminator: string): (Command & { length: number }) | undefined {
  const match = /^(\d*),(\d*),(\d*),(\d*),(\d*),(\d*)(?=([^\d,]))/.exec(text)
  if (!match || (terminator !== '' && match[7] !== terminator)) return undefined
  const [h1, h2, h3, h4, p1, p2] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number]
  return {
    address: ((h1 << 24) | (h2 << 16) | (h3 << 8) | h4) >>> 0,
    port: ((p1 << 8) | p2) & 0xffff,
    length: match[0].length,
  }
}

function isDelimiter(char: string): boolean {
  return char >= '!' && char <= '~' && !/\d/.test(char)
}

function readPort(text: string, at: number, delimiter: string): { port: number; end: number } | undefined {
  const end = text.indexOf(delimiter, at)
  const digits = end < 0 ? '' : text.slice(at, end)
  if (!/^\d+$/.test(digits)) return undefined
  const port = Number(BigInt(digits) & 0xffffn)
  return port === 0 ? undefined : { port, end: end + 1 }
}

const PATTERNS: Record<Direction, Pattern[]> = {
  0: [
    {
      word: 'PORT',
      skip: ' ',
      read(text) {
        const found = readCommas(text, '\r')
        return found && { ...found, at: 0 }
      },
      format: commas,
    },
    {
      word: 'EPRT',
      skip: ' ',
      read(text) {
        const delimiter = text[0] ?? ''
        if (!isDelimiter(delimiter) || text[1] !== '1' || text[2] !== delimiter) return undefined
        const quad = /^(\d*)\.(\d*)\.(\d*)\.(\d*)/.exec(text.slice(3))
        if (!quad || text[3 + quad[0].length] !== delimiter) return undefined
        const found = readPort(text, 3 + quad[0].length + 1, delimiter)
        if (!found) return undefined
        const [a, b, c, d] = quad.slice(1).map(Number) as [number, number, number, number]
        return { address: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0, port: found.port, length: found.end, at: 0 }
      },
      format: (address, port) => `|1|${formatAddr(address)}|${port}|`,
    },
  ],
  1: [
    {
      word: '227 ',
      skip: '',
      read(text) {
        const at = text.search(/\d/)
        if (at < 0) return undefined
        const found = readCommas(text.slice(at), '')
        return found && { ...found, at }
      },
      format: commas,
    },
    {
      word: '229 ',
      skip: '(',
      read(text) {
        const delimiter = text[0] ?? ''
        if (!isDelimiter(delimiter) || text[1] !== delimiter || text[2] !== delimiter) return undefined
        const found = readPort(text, 3, delimiter)
        return found && { address: -1, port: found.port, length: found.end, at: 0 }
      },
      format: (_address, port) => `|||${port}|`,
    },
  ],
}

/** What a line announces, and where its numbers stand; 'partial' if the rest hasn't come; undefined if nothing. find_pattern(). */
function findCommand(
  text: string,
  direction: Direction,
): { pattern: Pattern; command: Command; at: number; length: number } | 'partial' | undefined {
  for (const pattern of PATTERNS[direction]) {
    const { word, skip } = pattern
    if (text.length <= word.length) {
      if (word.slice(0, text.length).toLowerCase() === text.toLowerCase()) return 'partial'
      continue
    }
    if (text.slice(0, word.length).toLowerCase() !== word.toLowerCase()) continue
    let start = word.length
    if (skip !== '') {
      start = text.indexOf(skip, start)
      if (start < 0) return 'partial'
      start++
    }
    const command = pattern.read(text.slice(start))
    if (!command) return 'partial'
    return { pattern, command, at: start + command.at, length: command.length }
  }
  return undefined
}

function noteLine(data: FtpData, direction: Direction, seq: number): void {
  const lines = data.lines[direction]
  if (lines.includes(seq)) return
  if (lines.length < 2) lines.push(seq)
  else {
    const oldest = before(lines[0]!, lines[1]!) ? 0 : 1
    if (after(seq, lines[oldest]!)) lines[oldest] = seq
  }
}

function latin1(packet: Packet): string {
  let text = ''
  const end = packet.offset + packet.length
  for (let i = packet.offset; i < end; i++) text += String.fromCharCode(packet.buffer[i]!)
  return text
}

/** NAT: the numbers are rewritten, and what arrives is translated as its master is. nf_nat_ftp(). */
function translate(
  state: ConntrackState,
  packet: Packet,
  text: string,
  expectation: Expectation,
  pattern: Pattern,
  at: number,
  length: number,
): number {
  const conn = expectation.master
  const back = conn.tuple(ctDirection(packet.ctInfo) === 0 ? 1 : 0)
  const wanted = expectation.dstPort
  expectation.savedPort = wanted
  expectation.direction = back.direction
  expectation.arrived = (_state, arrived) => followMaster(state, arrived, expectation)
  const random = state.host.sim.random(`${state.host.name}/nat`)
  let port = wanted
  for (let i = 0; ; i++) {
    expectation.dstPort = port
    const refused = expect(state, expectation, POLICY)
    if (refused === undefined) break
    if (refused !== 'EBUSY' || i >= MOST_PORTS || wanted === 65535) return NF_DROP
    port = wanted + random.below(65535 - wanted)
  }
  const address = back.dst
  if (typeof address !== 'number') return NF_DROP
  const changed = text.slice(0, at) + pattern.format(address, port) + text.slice(at + length)
  const bytes = new Uint8Array(changed.length)
  for (let i = 0; i < changed.length; i++) bytes[i] = changed.charCodeAt(i)
  moveSequence(conn, packet, bytes.length - packet.length)
  packet.buffer = bytes
  packet.offset = 0
  packet.length = bytes.length
  return NF_ACCEPT
}

/** nf_nat_follow_master(). */
function followMaster(state: ConntrackState, conn: Conn, expectation: Expectation): void {
  const tuple = expectation.master.tuple(expectation.direction === 0 ? 1 : 0)
  natSetup(state, conn, { min: tuple.dst, max: tuple.dst }, 'SRC')
  const { savedPort } = expectation
  natSetup(state, conn, { min: tuple.src, max: tuple.src, minPort: savedPort, maxPort: savedPort }, 'DST')
}

function help(state: ConntrackState, conn: Conn, packet: Packet): number {
  const { ctInfo } = packet
  if (ctInfo !== IP_CT_ESTABLISHED && ctInfo !== IP_CT_ESTABLISHED_REPLY) return NF_ACCEPT
  if (packet.raw !== RAW_NONE || packet.length === 0) return NF_ACCEPT
  const data = (conn.helperData ??= new FtpData()) as FtpData
  const direction = ctDirection(ctInfo)
  const endsLine = packet.buffer[packet.offset + packet.length - 1] === 0x0a
  const behind = (packet.seq + packet.length) >>> 0
  let verdict = NF_ACCEPT
  if (data.lines[direction].includes(packet.seq)) {
    const text = latin1(packet)
    const found = findCommand(text, direction)
    if (found === 'partial') return NF_DROP // Commands must be seen whole.
    if (found) {
      const own = conn.tuple(direction)
      const back = conn.tuple(direction === 0 ? 1 : 0)
      const { pattern, command, at, length } = found
      const elsewhere = command.address !== -1 && command.address !== own.src
      if (!elsewhere) {
        const number = state.counters.expectCreate + 1
        const expectation = new Expectation(number, conn, 'ftp', back.src, 0, back.dst, command.port, IPPROTO_TCP)
        if (conn.status & IPS_NAT_MASK) {
          verdict = translate(state, packet, text, expectation, pattern, at, length)
        } else if (expect(state, expectation, POLICY) !== undefined) verdict = NF_DROP
      }
    }
  }
  if (endsLine) noteLine(data, direction, behind)
  return verdict
}

export const ftp: Helper = { name: 'ftp', protocol: IPPROTO_TCP, help }

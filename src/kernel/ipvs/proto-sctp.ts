/**
 * SCTP's states as the server is in them, told by the first chunk of each packet.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_proto_sctp.c.
 */
import { HZ, NF_ACCEPT, NF_DROP } from '#kernel/net'
import type { Packet } from '#wire/inet'
import { setActive } from './bind.ts'
import type { Conn } from './conn.ts'
import { crc32c } from './crc32c.ts'
import { ownBytes } from './mangle.ts'
import type { Protocol, ProtocolData } from './proto.ts'
import { inGetByPorts, outGetByPorts } from './proto-common.ts'
import {
  IP_VS_CONN_F_NOOUTPUT,
  IP_VS_DIR_INPUT_ONLY,
  IP_VS_DIR_OUTPUT,
  IP_VS_SCTP_S_ESTABLISHED,
  IPPROTO_SCTP,
} from './uapi.ts'

/** Ports, verification tag, checksum. */
const HEADER = 12
const CHUNK_HEADER = 4
const INIT = 1
const ABORT = 6
const COOKIE_ECHO = 10
const COOKIE_ACK = 11

const STATES = [
  ['NO', 'NONE', 2],
  ['I1', 'INIT1', 4],
  ['IN', 'INIT', 61],
  ['CS', 'C-SENT', 61],
  ['CR', 'C-REPLIED', 61],
  ['CW', 'C-WAIT', 61],
  ['CO', 'COOKIE', 61],
  ['CE', 'C-ECHOED', 61],
  ['ES', 'ESTABLISHED', 15 * 60],
  ['SS', 'S-SENT', 61],
  ['SR', 'S-RECEIVED', 61],
  ['SA', 'S-ACK-SENT', 61],
  ['RJ', 'REJECTED', 4],
  ['CL', 'CLOSED', 61],
] as const

/** By chunk type 0 to 14: the row of the tables. Data, INIT, INIT ACK, cookie echo, its ack, shutdown, its ack, complete, error, abort. */
const EVENTS = [0, 1, 2, 0, 0, 0, 9, 5, 6, 8, 3, 4, 0, 0, 7]
const ROWS = 10

/** Ten rows for each direction (client, server, client alone), a column a state. */
const TABLE = ((text: string) => {
  const numberOf = new Map<string, number>(STATES.map(([letters], i) => [letters, i]))
  const rows = text.trim().split('\n')
  return rows.map((row) =>
    row
      .trim()
      .split(/\s+/)
      .map((letters) => numberOf.get(letters)!),
  )
})(`
  ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  I1 IN IN CS CR CW CO CE ES SS SR SA IN IN
  CW CW CW CS CR CO CO CE ES SS SR SA RJ CL
  CR IN IN CR CR CW CO CE ES SS SR SA RJ CL
  ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL
  SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL
  CL IN IN CS CR CW CO CE ES CL SR CL RJ CL
  CL CL CL CS CR CW CO CE ES SS SR CL RJ CL
  CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL
  CL CL CL CL CL RJ CL CL CL CL CL CL CL CL
  ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  CW CW CW CW CW CW CW CW ES CW CW CW CW CW
  CS CS CS CS CR CW CO CE ES SS SR SA RJ CL
  CE CE CE CE CE CE CE CE ES SS SR SA RJ CL
  ES ES ES ES ES ES ES ES ES SS SR SA RJ CL
  SS SS SS SS SS SS SS SS SS SS SR SA RJ CL
  SA SA SA SA SA CW CO CE ES SA SA SA RJ CL
  CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  CL CL CL CL CL CW CO CE ES SS SR SA RJ CL
  CL RJ CL CL CL CL CL CL CL CL CL CL CL CL
  ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL
  I1 IN IN IN IN IN CO CE ES SS SR SA IN IN
  CE CE CE CE CE CE CO CE ES SS SR SA RJ CL
  ES ES ES ES ES ES CO CE ES SS SR SA RJ CL
  ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL
  SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL
  CL IN IN CS CR CW CO CE CL CL SR CL RJ CL
  CL CL CL CL CL CW CO CE ES SS CL CL RJ CL
  CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  CL CL CL CL CL RJ CL CL CL CL CL CL CL CL`)

/** The first chunk's type; -1: there is none. */
function chunkType(packet: Packet): number {
  return packet.length >= HEADER + CHUNK_HEADER ? packet.buffer[packet.offset + HEADER]! : -1
}

/** The chunk that decides: an ABORT may stand behind a cookie. */
function decidingChunk(packet: Packet): number {
  const type = chunkType(packet)
  if (type !== COOKIE_ECHO && type !== COOKIE_ACK) return type
  const at = packet.offset + HEADER
  const length = (packet.buffer[at + 2]! << 8) | packet.buffer[at + 3]!
  if (length < CHUNK_HEADER) return type
  const next = HEADER + ((length + 3) & ~3)
  const isAbort = next + CHUNK_HEADER <= packet.length && packet.buffer[packet.offset + next] === ABORT
  return isAbort ? ABORT : type
}

/** set_sctp_state(). */
function transition(cp: Conn, direction: number, packet: Packet, data: ProtocolData): void {
  const type = decidingChunk(packet)
  if (type < 0) return
  if (cp.flags & IP_VS_CONN_F_NOOUTPUT) {
    if (direction === IP_VS_DIR_OUTPUT) cp.flags &= ~IP_VS_CONN_F_NOOUTPUT
    else direction = IP_VS_DIR_INPUT_ONLY
  }
  const next = TABLE[direction * ROWS + (EVENTS[type] ?? 0)]![cp.state]!
  if (next !== cp.state) {
    setActive(cp, next === IP_VS_SCTP_S_ESTABLISHED)
    if (next === IP_VS_SCTP_S_ESTABLISHED) cp.assureTemplate()
  }
  cp.state = next
  cp.timeout = data.timeouts[next]!
}

/** Writes a port, and the checksum anew if that changed anything. */
function changePort(packet: Packet, place: number, port: number): boolean {
  if (packet.length < HEADER) return false
  const old = (packet.buffer[packet.offset + place]! << 8) | packet.buffer[packet.offset + place + 1]!
  if (old === port) return true
  const bytes = ownBytes(packet)
  bytes[place] = port >>> 8
  bytes[place + 1] = port
  const crc = crc32c(bytes, 0, bytes.length, 8)
  new DataView(bytes.buffer).setUint32(8, crc, true)
  return true
}

export const sctp: Protocol = {
  name: 'SCTP',
  protocol: IPPROTO_SCTP,
  dontDefrag: false,
  timeouts: [...STATES.map(([, , seconds]) => seconds * HZ), 2 * HZ],
  mayBegin(ipvs, packet, iph) {
    if (iph.icmp) return iph.sport < 0 ? NF_DROP : 'try'
    const type = chunkType(packet)
    if (type < 0) return NF_DROP
    return type === ABORT || (ipvs.settings.sloppySctp === 0 && type !== INIT) ? NF_ACCEPT : 'try'
  },
  inGet: inGetByPorts,
  outGet: outGetByPorts,
  isNew: (packet) => chunkType(packet) === INIT,
  isReset: (packet) => chunkType(packet) === ABORT,
  snat(packet, cp) {
    if (!changePort(packet, 0, cp.vport)) return false
    if (typeof cp.vaddr === 'number') packet.src = cp.vaddr
    else packet.src6 = cp.vaddr
    return true
  },
  dnat(packet, cp) {
    if (!changePort(packet, 2, cp.dport)) return false
    if (typeof cp.daddr === 'number') packet.dst = cp.daddr
    else packet.dst6 = cp.daddr
    return true
  },
  transition,
  stateName: (state) => STATES[state]?.[1] ?? 'ERR!',
}

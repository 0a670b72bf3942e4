/**
 * TCP's states as a director sees them: from both sides, or only the client's where answers don't pass it.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_proto_tcp.c.
 */
import { HZ, NF_ACCEPT, NF_DROP } from '#kernel/net'
import { IPPROTO_TCP, type Packet, RAW_NONE, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '#wire/inet'
import { setActive } from './bind.ts'
import type { Conn } from './conn.ts'
import { changeDestination, changeSource } from './mangle.ts'
import type { Protocol, ProtocolData } from './proto.ts'
import { inGetByPorts, outGetByPorts } from './proto-common.ts'
import {
  IP_VS_CONN_F_NOOUTPUT,
  IP_VS_DIR_INPUT_ONLY,
  IP_VS_DIR_OUTPUT,
  IP_VS_TCP_S_CLOSE,
  IP_VS_TCP_S_ESTABLISHED,
  IP_VS_TCP_S_LISTEN,
} from './uapi.ts'

/** By their numbers; two letters name them in the tables below. */
const STATES = [
  ['NO', 'NONE', 2],
  ['ES', 'ESTABLISHED', 15 * 60],
  ['SS', 'SYN_SENT', 2 * 60],
  ['SR', 'SYN_RECV', 60],
  ['FW', 'FIN_WAIT', 2 * 60],
  ['TW', 'TIME_WAIT', 2 * 60],
  ['CL', 'CLOSE', 10],
  ['CW', 'CLOSE_WAIT', 60],
  ['LA', 'LAST_ACK', 30],
  ['LI', 'LISTEN', 2 * 60],
  ['SA', 'SYNACK', 120],
] as const

/** The rest counts as inactive: ES SS SR SA. */
const ACTIVE = STATES.map(([letters]) => ['ES', 'SS', 'SR', 'SA'].includes(letters))

/** The row that a segment takes: reset first, then SYN, FIN, ACK. */
const ROWS = { syn: 0, fin: 1, ack: 2, rst: 3 } as const

/** Four rows (syn, fin, ack, rst) for each direction (client, server, client alone), a column a state. */
function table(text: string): number[][] {
  const numberOf = new Map<string, number>(STATES.map(([letters], i) => [letters, i]))
  const rows = text.trim().split('\n')
  return rows.map((row) =>
    row
      .trim()
      .split(/\s+/)
      .map((letters) => numberOf.get(letters)!),
  )
}

//   NO ES SS SR FW TW CL CW LA LI SA
const NORMAL = table(`
     SR ES ES SR SR SR SR SR SR SR SR
     CL CW SS TW TW TW CL CW LA LI TW
     ES ES SS ES FW TW CL CW CL LI ES
     CL CL CL SR CL CL CL CL LA LI SR
     SS ES SS SR SS SS SS SS SS LI SR
     TW FW SS TW FW TW CL TW LA LI TW
     ES ES SS ES FW TW CL CW LA ES ES
     CL CL SS CL CL TW CL CL CL CL CL
     SR ES ES SR SR SR SR SR SR SR SR
     CL FW SS TW FW TW CL CW LA LI TW
     ES ES SS ES FW TW CL CW CL LI ES
     CL CL CL SR CL CL CL CL LA LI CL`)

/** While secure_tcp defends: only the server's answer makes a connection count. */
const SECURE = table(`
     SR ES ES SR SR SR SR SR SR SR SA
     CL CW SS TW TW TW CL CW LA LI SA
     ES ES SS SR FW TW CL CW CL LI SA
     CL CL CL SR CL CL CL CL LA LI CL
     SS ES SS SA SS SS SS SS SS LI SA
     TW FW SS TW FW TW CL TW LA LI TW
     ES ES SS ES FW TW CL CW LA ES ES
     CL CL SS CL CL TW CL CL CL CL CL
     SA ES ES SR SA SA SA SA SA SA SA
     CL FW SS TW FW TW CL CW LA LI TW
     ES ES SS ES FW TW CL CW CL LI ES
     CL CL CL SR CL CL CL CL LA LI CL`)

function rowOf(flags: number): number {
  if (flags & TCP_RST) return ROWS.rst
  if (flags & TCP_SYN) return ROWS.syn
  if (flags & TCP_FIN) return ROWS.fin
  return flags & TCP_ACK ? ROWS.ack : -1
}

/** The state after a segment; `direction` is IP_VS_DIR_*. */
export function nextTcpState(state: number, direction: number, flags: number, secure: boolean): number {
  const row = rowOf(flags)
  return row < 0 ? IP_VS_TCP_S_CLOSE : (secure ? SECURE : NORMAL)[direction * 4 + row]![state]!
}

/** set_tcp_state(). */
function transition(cp: Conn, direction: number, packet: Packet, data: ProtocolData): void {
  if (packet.raw !== RAW_NONE) return
  if (cp.flags & IP_VS_CONN_F_NOOUTPUT) {
    if (direction === IP_VS_DIR_OUTPUT) cp.flags &= ~IP_VS_CONN_F_NOOUTPUT
    else direction = IP_VS_DIR_INPUT_ONLY
  }
  const next = nextTcpState(cp.state, direction, packet.tcpFlags, data.secure)
  if (next !== cp.state) {
    setActive(cp, ACTIVE[next]!)
    if (next === IP_VS_TCP_S_ESTABLISHED) cp.assureTemplate()
  }
  cp.state = next
  cp.timeout = data.timeouts[next]!
}

export const tcp: Protocol = {
  name: 'TCP',
  protocol: IPPROTO_TCP,
  dontDefrag: false,
  timeouts: [...STATES.map(([, , seconds]) => seconds * HZ), 2 * HZ],
  mayBegin(ipvs, packet, iph) {
    if (iph.icmp) return iph.sport < 0 ? NF_DROP : 'try'
    if (packet.raw !== RAW_NONE) return NF_DROP
    // An answer to a SYN may begin one too: FTP's data, asked for by the server.
    const begins = ipvs.settings.sloppyTcp !== 0 || (packet.tcpFlags & TCP_SYN) !== 0
    return packet.tcpFlags & TCP_RST || !begins ? NF_ACCEPT : 'try'
  },
  inGet: inGetByPorts,
  outGet: outGetByPorts,
  isNew: (packet) => packet.raw === RAW_NONE && (packet.tcpFlags & TCP_SYN) !== 0,
  isReset: (packet) => packet.raw === RAW_NONE && (packet.tcpFlags & TCP_RST) !== 0,
  snat(packet, cp, iph) {
    if (cp.app && !cp.app.packetOut(cp, packet, iph)) return false
    return changeSource(packet, cp.vaddr, cp.vport)
  },
  dnat(packet, cp, iph) {
    if (cp.app && !cp.app.packetIn(cp, packet, iph)) return false
    return changeDestination(packet, cp.daddr, cp.dport)
  },
  transition,
  stateName: (state) => STATES[state]?.[1] ?? 'ERR!',
}

/** An expected connection waits to begin. ip_vs_tcp_conn_listen(). */
export function tcpListen(cp: Conn): void {
  cp.state = IP_VS_TCP_S_LISTEN
  cp.timeout = cp.ipvs.protocol(IPPROTO_TCP)!.timeouts[IP_VS_TCP_S_LISTEN]!
}

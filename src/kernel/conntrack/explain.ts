/** Connections in words, for who follows a packet's way. */
import type { Packet } from '#wire/inet'
import {
  type Conn,
  type InetAddr,
  IP_CT_ESTABLISHED,
  IP_CT_ESTABLISHED_REPLY,
  IP_CT_NEW,
  IP_CT_RELATED,
  IP_CT_RELATED_REPLY,
  IP_CT_UNTRACKED,
  IPS_ASSURED,
  IPS_SEEN_REPLY,
  type Tuple,
} from './conn.ts'
import type { ConntrackState } from './state.ts'
import { TCP_STATES } from './tcp-state.ts'
import { formatAddr, protocolName } from './text.ts'
import { hasPorts } from './tuple.ts'

/** A packet's place in its connection, as `-m conntrack --ctstate` names it. */
export function describeInfo(packet: Packet): string {
  const { ctInfo } = packet
  if (packet.ct === undefined) return ctInfo === IP_CT_UNTRACKED ? 'UNTRACKED' : 'INVALID'
  if (ctInfo === IP_CT_NEW) return 'NEW'
  if (ctInfo === IP_CT_ESTABLISHED) return 'ESTABLISHED'
  if (ctInfo === IP_CT_ESTABLISHED_REPLY) return 'ESTABLISHED (reply)'
  if (ctInfo === IP_CT_RELATED) return 'RELATED'
  return ctInfo === IP_CT_RELATED_REPLY ? 'RELATED (reply)' : 'UNTRACKED'
}

function side(tuple: Tuple): string {
  const address = (addr: InetAddr, port: number) =>
    hasPorts(tuple.protocol) ? `${formatAddr(addr)}:${port}` : formatAddr(addr)
  return `${address(tuple.src, tuple.srcPort)} > ${address(tuple.dst, tuple.dstPort)}`
}

/** A connection in one line. */
export function describeConn(_state: ConntrackState, conn: Conn): string {
  const tcp = conn.tcp ? ` ${TCP_STATES[conn.tcp.state]}` : ''
  const replied = conn.status & IPS_SEEN_REPLY ? '' : ' [UNREPLIED]'
  const assured = conn.status & IPS_ASSURED ? ' [ASSURED]' : ''
  const mark = conn.mark === 0 ? '' : ` mark=${conn.mark}`
  return `${protocolName(conn.protocol)}${tcp} ${side(conn.original)}, reply ${side(conn.reply)}${replied}${assured}${mark}`
}

/** One end of a packet: its address, with the port or the echo's identifier. */
export function describeEnd(packet: Packet, end: 'SRC' | 'DST'): string {
  const address = end === 'SRC' ? (packet.src6 ?? packet.src) : (packet.dst6 ?? packet.dst)
  if (hasPorts(packet.protocol)) return `${formatAddr(address)}:${end === 'SRC' ? packet.srcPort : packet.dstPort}`
  return formatAddr(address)
}

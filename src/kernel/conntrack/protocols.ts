/**
 * The trackers of protocols whose connections are little more than a timer: UDP, ICMP, GRE, and all that has none.
 * Linux 6.1 net/netfilter/nf_conntrack_proto_udp.c, nf_conntrack_proto_icmp.c, nf_conntrack_proto_gre.c.
 */
import { type HookContext, HZ, NF_ACCEPT } from '#kernel/net'
import { checksumGood, type Packet, RAW_NONE } from '#wire/inet'
import { type Conn, IPCT_ASSURED, IPS_ASSURED, IPS_CONFIRMED, IPS_SEEN_REPLY } from './conn.ts'
import { logInvalid } from './log-invalid.ts'
import { INVALID, refresh } from './refresh.ts'
import type { ConntrackState } from './state.ts'

/** udp_error(). */
function udpFault(state: ConntrackState, context: HookContext): string | undefined {
  const { packet } = context
  if (packet.raw !== RAW_NONE) {
    const { buffer, offset, length } = packet
    if (length < 8) return 'short packet'
    const said = (buffer[offset + 4]! << 8) | buffer[offset + 5]!
    return said > length || said < 8 ? 'truncated/malformed packet' : undefined
  }
  if (packet.checksum <= 0 || context.hook !== 'PRE_ROUTING' || state.settings.checksum === 0) return undefined
  return checksumGood(packet) ? undefined : 'bad checksum'
}

/** A datagram. Two-way traffic for more than two seconds is a stream, and worth keeping. */
export function udpPacket(state: ConntrackState, conn: Conn, context: HookContext): number {
  const { packet } = context
  if (packet.raw !== RAW_NONE || packet.checksum > 0) {
    const wrong = udpFault(state, context)
    if (wrong !== undefined) {
      logInvalid(state, context, 17, wrong)
      return INVALID
    }
  }
  const { settings } = state
  const { status } = conn
  if ((status & IPS_CONFIRMED) === 0) conn.streamJiffies = state.jiffies + 2 * HZ
  if ((status & IPS_SEEN_REPLY) === 0) {
    refresh(state, conn, packet, settings.udp)
    return NF_ACCEPT
  }
  if (state.jiffies <= conn.streamJiffies) {
    refresh(state, conn, packet, settings.udp)
    return NF_ACCEPT
  }
  refresh(state, conn, packet, settings.udpStream)
  if ((status & IPS_ASSURED) === 0) {
    conn.status |= IPS_ASSURED
    state.cache(conn, IPCT_ASSURED)
  }
  return NF_ACCEPT
}

/** Only requests begin a connection. */
export function icmpPacket(state: ConntrackState, conn: Conn, packet: Packet): number {
  const type = conn.original.dstPort >>> 8
  if (type !== 8 && type !== 13 && type !== 15 && type !== 17) return INVALID
  refresh(state, conn, packet, state.settings.icmp)
  return NF_ACCEPT
}

/** nf_conntrack_icmpv6_packet(). */
export function icmp6Packet(state: ConntrackState, conn: Conn, packet: Packet): number {
  const type = conn.original.dstPort >>> 8
  if (type !== 128 && type !== 139) return INVALID
  refresh(state, conn, packet, state.settings.icmpv6)
  return NF_ACCEPT
}

export function grePacket(state: ConntrackState, conn: Conn, packet: Packet): number {
  const { settings } = state
  if ((conn.status & IPS_SEEN_REPLY) === 0) {
    refresh(state, conn, packet, settings.gre)
    return NF_ACCEPT
  }
  refresh(state, conn, packet, settings.greStream)
  if ((conn.status & IPS_ASSURED) === 0) {
    conn.status |= IPS_ASSURED
    state.cache(conn, IPCT_ASSURED)
  }
  return NF_ACCEPT
}

export function genericPacket(state: ConntrackState, conn: Conn, packet: Packet): number {
  refresh(state, conn, packet, state.settings.generic)
  return NF_ACCEPT
}

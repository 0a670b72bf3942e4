/**
 * Clients' packets, at LOCAL_IN and LOCAL_OUT: to their connection, or to a new one; then on their way.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_core.c: ip_vs_in_hook().
 */
import { type HookContext, NF_ACCEPT, NF_DROP, PACKET_HOST } from '#kernel/net'
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, type Packet } from '#wire/inet'
import type { Conn } from './conn.ts'
import { countIn } from './count.ts'
import { tellForwarded, tellText } from './explain.ts'
import { headerOf } from './header.ts'
import { inIcmp } from './icmp-in.ts'
import { usesOldConntrack } from './nfct.ts'
import { hasProperty, setProperty } from './property.ts'
import { tryToSchedule } from './schedule.ts'
import type { Ipvs } from './state.ts'
import { syncConn } from './sync.ts'
import {
  IP_VS_CONN_F_NFCT,
  IP_VS_CONN_F_NOOUTPUT,
  IP_VS_DIR_INPUT,
  IP_VS_SCTP_S_CLOSED,
  IP_VS_STATE_BACKUP,
  IP_VS_TCP_S_CLOSE,
  IP_VS_TCP_S_FIN_WAIT,
  IP_VS_TCP_S_TIME_WAIT,
  IPPROTO_SCTP,
} from './uapi.ts'

/** Whether this director forwards at all. */
export function isOff(ipvs: Ipvs): boolean {
  return !ipvs.enabled || ((ipvs.syncState & IP_VS_STATE_BACKUP) !== 0 && ipvs.settings.backupOnly !== 0)
}

/** Whether a connection is so far over that its client may begin another with the same port. is_new_conn_expected(). */
function mayBeReused(cp: Conn, mode: number): boolean {
  if (cp.control) return false
  if (cp.protocol === IPPROTO_SCTP) return cp.state === IP_VS_SCTP_S_CLOSED
  if (cp.protocol !== IPPROTO_TCP) return false
  if (cp.state === IP_VS_TCP_S_TIME_WAIT || cp.state === IP_VS_TCP_S_CLOSE) return true
  return (mode & 2) !== 0 && cp.state === IP_VS_TCP_S_FIN_WAIT && (cp.flags & IP_VS_CONN_F_NOOUTPUT) !== 0
}

/** The packet begins anew. Whether its old connection gives way; 'drop': not until its tracked connection has gone. */
function givesWay(cp: Conn, packet: Packet): boolean | 'drop' {
  const { settings } = cp.ipvs
  const mode = settings.connReuseMode
  let oldTracked = false
  let again = false
  if (settings.expireNodestConn !== 0 && cp.dest?.weight === 0) {
    again = true
    oldTracked = usesOldConntrack(packet)
  } else if (mode !== 0 && mayBeReused(cp, mode)) {
    oldTracked = usesOldConntrack(packet)
    again = cp.nControl === 0 || !oldTracked
  }
  if (!again) return false
  if (!oldTracked) cp.flags &= ~IP_VS_CONN_F_NFCT
  if (cp.nControl === 0) cp.expireNow()
  return oldTracked ? 'drop' : true
}

/** The server of a connection is gone: the connection ends, or its packets do. */
function lostServer(cp: Conn, packet: Packet): 'drop' | 'again' {
  if (cp.ipvs.settings.expireNodestConn === 0) return 'drop'
  const oldTracked = usesOldConntrack(packet)
  if (!oldTracked) cp.flags &= ~IP_VS_CONN_F_NFCT
  cp.expireNow()
  return oldTracked ? 'drop' : 'again'
}

/** ip_vs_in_hook(). */
export function inHook(ipvs: Ipvs, context: HookContext): number {
  const { packet } = context
  if (hasProperty(packet)) return NF_ACCEPT
  if (packet.packetType !== PACKET_HOST && context.hook !== 'LOCAL_OUT') return NF_ACCEPT
  if (packet.route === undefined || isOff(ipvs)) return NF_ACCEPT
  const { protocol } = packet
  if (protocol === (packet.src6 === undefined ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
    const verdict = inIcmp(ipvs, context)
    if (verdict !== undefined) return verdict
  }
  const data = ipvs.protocol(protocol)
  if (data === undefined) {
    // It can be met again only inside another.
    if (ipvs.settings.ignoreTunneled !== 0) setProperty(packet)
    return NF_ACCEPT
  }
  const iph = headerOf(packet)
  let cp = data.protocol.inGet(ipvs, iph)
  if (cp !== undefined && iph.fragoffs === 0 && data.protocol.isNew(packet)) {
    const way = givesWay(cp, packet)
    if (way === 'drop') return NF_DROP
    if (way) cp = undefined
  }
  if (cp?.dest !== undefined && !cp.dest.available) {
    if (lostServer(cp, packet) === 'drop') {
      tellText(ipvs, packet, 'dropped: the server of its connection is gone')
      return NF_DROP
    }
    cp = undefined
  }
  if (cp === undefined) {
    const made = tryToSchedule(ipvs, packet, iph, data, context.in)
    if (typeof made === 'number') return made
    cp = made
  }
  countIn(cp, packet)
  data.protocol.transition?.(cp, IP_VS_DIR_INPUT, packet, data)
  tellForwarded(cp, packet)
  const verdict = cp.packetXmit === undefined ? NF_ACCEPT : cp.packetXmit(packet, cp, iph)
  const pkts = cp.isOnePacket ? ipvs.settings.syncThreshold[0] : ++cp.inPkts
  if (ipvs.isMaster) syncConn(ipvs, cp, pkts)
  else if (cp.isOnePacket && cp.control) cp.control.inPkts++
  cp.put()
  return verdict
}

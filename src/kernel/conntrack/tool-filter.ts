/** Which connections a command means. conntrack-tools 1.4.7 src/conntrack.c: nfct_filter(), filter_nat(); nfct_cmp(3). */
import { type InetAddr, IPS_DST_NAT_DONE, IPS_SEEN_REPLY, IPS_SRC_NAT_DONE } from './conn.ts'
import type { ConnMessage } from './messages.ts'
import type { AddressMatch, NatMatch, ToolOptions } from './tool-options.ts'

function fits(match: AddressMatch | undefined, address: InetAddr): boolean {
  if (match === undefined) return true
  if (typeof match.address !== 'number' || typeof address !== 'number') return match.address === address
  return ((match.address ^ address) & match.mask) === 0
}

/** The word that the library compares as a port: of ICMP, what stands in its place. */
function srcWord(_protocol: number, srcPort: number): number {
  return srcPort
}

function dstWord(protocol: number, dstPort: number): number {
  if (protocol !== 1 && protocol !== 58) return dstPort
  return ((dstPort & 255) << 8) | (dstPort >>> 8) // type, then code.
}

function natFits(conn: ConnMessage, match: NatMatch, side: 'src' | 'dst'): boolean {
  const { original, reply, status } = conn
  const done = (status & (side === 'src' ? IPS_SRC_NAT_DONE : IPS_DST_NAT_DONE)) !== 0
  const address = side === 'src' ? reply.dst : reply.src
  const port = side === 'src' ? dstWord(reply.protocol, reply.dstPort) : srcWord(reply.protocol, reply.srcPort)
  const ownPort =
    side === 'src' ? srcWord(original.protocol, original.srcPort) : dstWord(original.protocol, original.dstPort)
  const translated = done && address !== (side === 'src' ? original.src : original.dst)
  const portTranslated = done && port !== ownPort
  if (match.address === undefined && match.port === undefined) return translated || portTranslated
  if (match.address !== undefined && !(translated && address === match.address)) return false
  return match.port === undefined || (portTranslated && port === match.port)
}

/** Whether a connection is meant. */
export function isMeant(conn: ConnMessage, options: ToolOptions): boolean {
  const { original, reply, status } = conn
  const { mark, snat, dnat, anyNat } = options
  if (options.family !== 0 && conn.family !== options.family) return false
  if (mark !== undefined && ((conn.mark ?? 0) & mark.mask) >>> 0 !== mark.value) return false
  if (anyNat !== undefined) {
    if (!natFits(conn, anyNat, 'src') && !natFits(conn, anyNat, 'dst')) return false
  } else {
    if (snat !== undefined && !natFits(conn, snat, 'src')) return false
    if (dnat !== undefined && !natFits(conn, dnat, 'dst')) return false
  }
  if (options.status !== undefined && (status & options.status) !== options.status) return false
  if (options.unreplied && status & IPS_SEEN_REPLY) return false
  if (!fits(options.src, original.src) || !fits(options.dst, original.dst)) return false
  if (!fits(options.replySrc, reply.src) || !fits(options.replyDst, reply.dst)) return false
  if (options.protocol !== undefined && options.protocol !== original.protocol) return false
  const same = (wanted: number | undefined, is: number) => wanted === undefined || wanted === is
  return (
    same(options.sport, original.srcPort) &&
    same(options.dport, original.dstPort) &&
    same(options.replySport, reply.srcPort) &&
    same(options.replyDport, reply.dstPort) &&
    same(options.icmpType, original.dstPort >>> 8) &&
    same(options.icmpCode, original.dstPort & 255) &&
    same(options.icmpId, original.srcPort) &&
    same(options.tcpState, conn.tcpState ?? -1) &&
    same(options.id, conn.id) &&
    same(options.zone, conn.zone)
  )
}

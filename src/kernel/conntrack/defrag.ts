/**
 * Fragments are put together before anything looks at them, and cut again on the way out, into pieces no larger than the
 * largest that came. Linux 6.1 net/ipv4/netfilter/nf_defrag_ipv4.c: ipv4_conntrack_defrag().
 */
import { defragment, type HookContext, type InetState, ipv6ForNat, NF_ACCEPT, NF_STOLEN } from '#kernel/net'
import { IP_MF, IP_OFFSET, type Packet, RAW_NONE } from '#wire/inet'
import { IP_CT_UNTRACKED } from './conn.ts'

/** The hook at -400: a piece is taken; the last one becomes the whole packet, and goes on. */
export function defragHook(inet: InetState, context: HookContext): number {
  const { packet } = context
  if ((packet.fragment & (IP_MF | IP_OFFSET)) === 0) return NF_ACCEPT
  if (packet.ct === undefined && packet.ctInfo === IP_CT_UNTRACKED) return NF_ACCEPT
  const device = context.in ?? context.out!
  const whole = defragment(inet, packet, device, context.hook === 'PRE_ROUTING' ? 'conntrack in' : 'conntrack out')
  if (whole === undefined) return NF_STOLEN
  become(packet, whole)
  return NF_ACCEPT
}

/** The packet that is on its way is the whole one from now on. */
function become(packet: Packet, whole: Packet): void {
  const { socket, extra } = packet
  Object.assign(packet, whole)
  packet.socket = socket
  packet.extra = Object.assign({}, extra, whole.extra)
}

/** The same for IPv6. Linux 6.1 net/ipv6/netfilter/nf_defrag_ipv6_hooks.c: ipv6_defrag(). */
export function defragHook6(inet: InetState, context: HookContext): number {
  const { packet } = context
  if (packet.ipOptions === undefined || packet.raw === RAW_NONE) return NF_ACCEPT
  const gather = ipv6ForNat(inet.host.image).gather
  if (gather === undefined) return NF_ACCEPT
  const whole = gather(packet, context.in ?? context.out!)
  if (whole === undefined) return NF_STOLEN
  if (whole !== packet) become(packet, whole)
  return NF_ACCEPT
}

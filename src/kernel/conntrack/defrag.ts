/**
 * Fragments are put together before anything looks at them, and cut again on the way out, into pieces no larger than the
 * largest that came. Linux 6.1 net/ipv4/netfilter/nf_defrag_ipv4.c: ipv4_conntrack_defrag().
 */
import { defragment, type HookContext, type InetState, NF_ACCEPT, NF_STOLEN } from '#kernel/net'
import { IP_MF, IP_OFFSET } from '#wire/inet'
import { IP_CT_UNTRACKED } from './conn.ts'

/** The hook at -400: a piece is taken; the last one becomes the whole packet, and goes on. */
export function defragHook(inet: InetState, context: HookContext): number {
  const { packet } = context
  if ((packet.fragment & (IP_MF | IP_OFFSET)) === 0) return NF_ACCEPT
  if (packet.ct === undefined && packet.ctInfo === IP_CT_UNTRACKED) return NF_ACCEPT
  const device = context.in ?? context.out!
  const whole = defragment(inet, packet, device, context.hook === 'PRE_ROUTING' ? 'conntrack in' : 'conntrack out')
  if (whole === undefined) return NF_STOLEN
  const { socket, extra } = packet
  Object.assign(packet, whole)
  packet.socket = socket
  packet.extra = Object.assign({}, extra, whole.extra)
  return NF_ACCEPT
}

/**
 * Source NAT to whatever address the way out has; the connections go when the address or the device goes. And destination
 * NAT to this host itself.
 *
 * Linux 6.1 net/netfilter/nf_nat_masquerade.c, nf_nat_redirect.c.
 */
import { type HookContext, ipv6ForNat, NF_ACCEPT, NF_DROP, type Route, selectAddress } from '#kernel/net'
import type { Conn } from './conn.ts'
import { type NatRange, natSetup } from './nat.ts'
import type { ConntrackState } from './state.ts'

const RT_SCOPE_UNIVERSE = 0

/** The ports and flags of a rule without addresses. */
export type PortRange = Omit<NatRange, 'min' | 'max'>

/** -j MASQUERADE, in POST_ROUTING. nf_nat_masquerade_ipv4(). */
export function masquerade(state: ConntrackState, context: HookContext, range: PortRange): number {
  const { packet } = context
  const conn = packet.ct as Conn
  const out = context.out!
  if (packet.src6 !== undefined) return masquerade6(state, context, range)
  if (conn.original.src === 0) return NF_ACCEPT
  const nextHop = (packet.route as Route).nextHopFor(packet.dst)
  const address = selectAddress(out, nextHop, RT_SCOPE_UNIVERSE)
  if (address === 0) {
    state.host.log(6, `${out.name} ate my IP address`)
    return NF_DROP
  }
  conn.masqueradeIndex = out.ifindex
  return natSetup(state, conn, { ...range, min: address, max: address }, 'SRC')
}

/** nf_nat_masquerade_ipv6(). */
function masquerade6(state: ConntrackState, { packet, out }: HookContext, range: PortRange): number {
  const conn = packet.ct as Conn
  const source = ipv6ForNat(state.host.image).masqueradeSource?.(out!, packet.dst6!)
  if (source === undefined) return NF_DROP
  conn.masqueradeIndex = out!.ifindex
  return natSetup(state, conn, { ...range, min: source, max: source }, 'SRC')
}

/** -j REDIRECT: to loopback for what is made here, else to the first address of the device that it came by. nf_nat_redirect_ipv4(). */
export function redirect(state: ConntrackState, context: HookContext, range: PortRange): number {
  const conn = context.packet.ct as Conn
  if (context.packet.src6 !== undefined) {
    const own = ipv6ForNat(state.host.image).redirectTo?.(context.hook === 'LOCAL_OUT' ? undefined : context.in)
    return own === undefined ? NF_DROP : natSetup(state, conn, { ...range, min: own, max: own }, 'DST')
  }
  let address = 0x7f000001
  if (context.hook !== 'LOCAL_OUT') {
    const own = context.in!.inet.addresses[0]
    if (own === undefined) return NF_DROP
    address = own.local
  }
  return natSetup(state, conn, { ...range, min: address, max: address }, 'DST')
}

/** -j NETMAP: the network changes, the host's part stays. net/netfilter/xt_NETMAP.c: netmap_tg4(). */
export function netmap(state: ConntrackState, context: HookContext, network: number, mask: number): number {
  const { packet, hook } = context
  const conn = packet.ct as Conn
  const source = hook === 'POST_ROUTING' || hook === 'LOCAL_IN'
  const old = source ? packet.src : packet.dst
  const address = ((old & ~mask) | (network & mask)) >>> 0
  return natSetup(state, conn, { min: address, max: address }, source ? 'SRC' : 'DST')
}

/** A device has gone down: what was masqueraded by it is forgotten. */
export function deviceGone(state: ConntrackState, ifindex: number): void {
  state.cleanup((conn) => conn.masqueradeIndex === ifindex)
}

/** An address has been taken away. */
export function addressGone(state: ConntrackState, ifindex: number, address: number): void {
  state.cleanup((conn) => conn.masqueradeIndex === ifindex && conn.reply.dst === address)
}

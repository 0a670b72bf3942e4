/**
 * Hooks are registered when something first needs them, once for a host: a rule that asks for the state, NAT.
 *
 * Linux 6.1 net/netfilter/nf_conntrack_proto.c: nf_ct_netns_get(), ipv4_conntrack_ops[]; nf_nat_proto.c: nf_nat_ipv4_ops[];
 * nf_nat_core.c: nf_nat_register_fn(), nf_nat_inet_fn().
 */
import { defineState, type Host } from '#kernel/core'
import {
  type HookContext,
  type HookName,
  NF_ACCEPT,
  NF_DROP,
  NF_IP_PRI_CONNTRACK,
  NF_IP_PRI_CONNTRACK_DEFRAG,
  NF_IP_PRI_NAT_DST,
  NF_IP_PRI_NAT_SRC,
  type PacketHooks,
  packetHooks,
  packetHooks6,
  routeMeHarder,
} from '#kernel/net'
import { IPPROTO_ICMP } from '#wire/inet'
import { type Conn, ctDirection, IP_CT_NEW, IP_CT_RELATED, IP_CT_RELATED_REPLY, IPS_NAT_MASK } from './conn.ts'
import { defragHook, defragHook6 } from './defrag.ts'
import { describeEnd } from './explain.ts'
import { type Manip, natDone, natNull } from './nat.ts'
import { isMangled, natIcmpError, natPacket } from './nat-packet.ts'
import { account } from './refresh.ts'
import { type ConntrackState, conntrackState } from './state.ts'
import { confirmHook, trackIn, trackOut } from './track.ts'
import { IPPROTO_ICMPV6 } from './tuple.ts'

/** NF_IP_PRI_CONNTRACK_CONFIRM: behind everything. */
export const NF_IP_PRI_CONNTRACK_CONFIRM = 2147483647

/** A chain of rules that may settle a new connection (natSetup and its kin); asked while no other one has. */
export interface NatChain {
  readonly name: string
  /** The smaller is asked first. */
  readonly priority: number
  run(context: HookContext): number
}

/** The families whose packets are tracked each for itself. */
export type NatFamily = 'ip' | 'ip6'

class Needs {
  /** How many asked for it. */
  conntrack = 0
  defrag = 0
  nat = 0
  readonly chains: Record<NatHook, NatChain[]> = { PRE_ROUTING: [], POST_ROUTING: [], LOCAL_OUT: [], LOCAL_IN: [] }
}

export type NatHook = Exclude<HookName, 'FORWARD'>

const needsState = defineState(() => ({ ip: new Needs(), ip6: new Needs() }))

function hooksOf(host: Host, family: NatFamily): PacketHooks {
  return family === 'ip' ? packetHooks(host) : packetHooks6(host)
}

/** Fragments are to be put together on this host, whether connections are tracked or not (-m socket, TPROXY). */
export function defragNeed(host: Host, family: NatFamily = 'ip'): void {
  const needs = needsState.of(host)[family]
  if (needs.defrag++ > 0) return
  const { inet } = conntrackState.of(host)
  const hooks = hooksOf(host, family)
  const gather = family === 'ip' ? defragHook : defragHook6
  const run = (context: HookContext) => gather(inet, context)
  for (const hook of ['PRE_ROUTING', 'LOCAL_OUT'] as const) {
    hooks.add(hook, { name: 'defrag', priority: NF_IP_PRI_CONNTRACK_DEFRAG, run })
  }
}

/** Connections of a family are to be tracked on this host from now on. */
export function conntrackNeed(host: Host, family: NatFamily = 'ip'): void {
  const needs = needsState.of(host)[family]
  if (needs.conntrack++ > 0) return
  defragNeed(host, family)
  const state = conntrackState.of(host)
  const hooks = hooksOf(host, family)
  const priority = NF_IP_PRI_CONNTRACK
  hooks.add('PRE_ROUTING', { name: 'conntrack', priority, run: (context) => trackIn(state, context) })
  hooks.add('LOCAL_OUT', { name: 'conntrack', priority, run: (context) => trackOut(state, context) })
  const confirm = (context: HookContext) => confirmHook(state, context)
  for (const hook of ['POST_ROUTING', 'LOCAL_IN'] as const) {
    hooks.add(hook, { name: 'conntrack confirm', priority: NF_IP_PRI_CONNTRACK_CONFIRM, run: confirm })
  }
}

/** Whether connections are tracked on this host. */
export function tracksConnections(host: Host, family: NatFamily = 'ip'): boolean {
  return (needsState.peek(host)?.[family].conntrack ?? 0) > 0
}

/** Addresses are to be translated on this host from now on. */
export function natNeed(host: Host, family: NatFamily = 'ip'): void {
  const needs = needsState.of(host)[family]
  if (needs.nat++ > 0) return
  conntrackNeed(host, family)
  const state = conntrackState.of(host)
  const hooks = hooksOf(host, family)
  const add = (hook: NatHook, priority: number, run: (context: HookContext) => number) => {
    hooks.add(hook, { name: 'nat', priority, run })
  }
  add('PRE_ROUTING', NF_IP_PRI_NAT_DST, (context) => natIn(state, needs, context))
  add('POST_ROUTING', NF_IP_PRI_NAT_SRC, (context) => natHook(state, needs, context, 'POST_ROUTING', 'SRC'))
  add('LOCAL_OUT', NF_IP_PRI_NAT_DST, (context) => natOut(state, needs, context))
  add('LOCAL_IN', NF_IP_PRI_NAT_SRC, (context) => natHook(state, needs, context, 'LOCAL_IN', 'SRC'))
}

/** Lets a chain settle new connections at one of NAT's hooks. Brings NAT with it. */
export function addNatChain(host: Host, hook: NatHook, chain: NatChain, family: NatFamily = 'ip'): void {
  natNeed(host, family)
  const { chains } = needsState.of(host)[family]
  const list = chains[hook]
  let at = list.length
  while (at > 0 && list[at - 1]!.priority > chain.priority) at--
  chains[hook] = [...list.slice(0, at), chain, ...list.slice(at)]
}

/** Takes a chain away; connections that it settled stay as they are. */
export function removeNatChain(host: Host, hook: NatHook, chain: NatChain, family: NatFamily = 'ip'): void {
  const { chains } = needsState.of(host)[family]
  chains[hook] = chains[hook].filter((one) => one !== chain)
}

/** nf_nat_ipv4_fn(), nf_nat_inet_fn(). */
function natHook(state: ConntrackState, needs: Needs, context: HookContext, hook: NatHook, manip: Manip): number {
  const { packet } = context
  const conn = packet.ct as Conn | undefined
  if (conn === undefined || conn.template) return NF_ACCEPT
  const { ctInfo } = packet
  const related = ctInfo === IP_CT_RELATED || ctInfo === IP_CT_RELATED_REPLY
  if (related && (packet.protocol === IPPROTO_ICMP || packet.protocol === IPPROTO_ICMPV6)) {
    const told = state.watched && isMangled(conn, manip, ctInfo)
    const verdict = natIcmpError(conn, packet, manip)
    if (told)
      state.tell(
        packet,
        'nat',
        verdict === NF_ACCEPT ? 'the error and what it quotes' : 'the error can’t be translated',
      )
    return verdict
  }
  if ((related || ctInfo === IP_CT_NEW) && !natDone(conn, manip)) {
    for (const chain of needs.chains[hook]) {
      const verdict = chain.run(context)
      if (verdict !== NF_ACCEPT) return verdict
      if (natDone(conn, manip)) break
    }
    if (!natDone(conn, manip)) {
      const verdict = natNull(state, conn, manip)
      if (verdict !== NF_ACCEPT) return verdict
    }
  } else if (
    conn.masqueradeIndex !== 0 &&
    hook === 'POST_ROUTING' &&
    ctDirection(ctInfo) === 0 &&
    conn.masqueradeIndex !== context.out!.ifindex
  ) {
    // Its way has changed, and with it the address that it should have.
    account(conn, packet)
    state.kill(conn)
    return NF_DROP
  }
  if ((conn.status & IPS_NAT_MASK) === 0) return NF_ACCEPT
  if (!state.watched) return natPacket(conn, packet, manip)
  const before = describeEnd(packet, manip)
  const verdict = natPacket(conn, packet, manip)
  const after = describeEnd(packet, manip)
  const end = manip === 'SRC' ? 'source' : 'destination'
  if (after !== before) state.tell(packet, 'nat', `${end} ${before} becomes ${after}`)
  return verdict
}

/** nf_nat_ipv4_pre_routing(). */
function natIn(state: ConntrackState, needs: Needs, context: HookContext): number {
  const { packet } = context
  const { dst, dst6 } = packet
  const verdict = natHook(state, needs, context, 'PRE_ROUTING', 'DST')
  if (verdict === NF_ACCEPT && (dst !== packet.dst || dst6 !== packet.dst6)) packet.route = undefined
  return verdict
}

/** What was made here is routed again if it goes elsewhere now. nf_nat_ipv4_local_fn(). */
function natOut(state: ConntrackState, needs: Needs, context: HookContext): number {
  const { packet } = context
  const verdict = natHook(state, needs, context, 'LOCAL_OUT', 'DST')
  if (verdict !== NF_ACCEPT) return verdict
  const conn = packet.ct as Conn | undefined
  if (conn === undefined || conn.template) return NF_ACCEPT
  const direction = ctDirection(packet.ctInfo)
  if (conn.tuple(direction).dst === conn.tuple(direction === 0 ? 1 : 0).src) return NF_ACCEPT
  return routeMeHarder(packet) === undefined ? NF_ACCEPT : NF_DROP
}

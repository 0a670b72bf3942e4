/**
 * Netfilter's five hooks: where other rooms look at packets, change them, or take them away.
 *
 *     packetHooks(host).add('LOCAL_IN', { name: 'ipvs', priority: 99, run: (context) => NF_ACCEPT })
 *
 * An empty chain costs one test. Linux 6.1 net/netfilter/core.c: nf_hook_slow(); include/linux/netfilter.h.
 */
import { defineState, type Host } from '#kernel/core'
import type { Packet } from '#wire/inet'
import type { NetDevice } from './device.ts'
import type { IpEvent } from './ip-trace.ts'

export type HookName = 'PRE_ROUTING' | 'LOCAL_IN' | 'FORWARD' | 'LOCAL_OUT' | 'POST_ROUTING'

export const NF_DROP = 0
export const NF_ACCEPT = 1
/** The hook has taken the packet; what becomes of it is its own affair. */
export const NF_STOLEN = 2

// Priorities. Linux 6.1 include/uapi/linux/netfilter_ipv4.h: enum nf_ip_hook_priorities.
export const NF_IP_PRI_CONNTRACK_DEFRAG = -400
export const NF_IP_PRI_RAW = -300
export const NF_IP_PRI_CONNTRACK = -200
export const NF_IP_PRI_MANGLE = -150
export const NF_IP_PRI_NAT_DST = -100
export const NF_IP_PRI_FILTER = 0
export const NF_IP_PRI_SECURITY = 50
export const NF_IP_PRI_NAT_SRC = 100
export const NF_IP_PRI_CONNTRACK_HELPER = 300

export interface HookContext {
  readonly host: Host
  readonly hook: HookName
  packet: Packet
  readonly in: NetDevice | undefined
  readonly out: NetDevice | undefined
}

export interface PacketHook {
  readonly name: string
  /** The smaller runs first; equal ones in the order of adding. */
  readonly priority: number
  run(context: HookContext): number
}

const NO_HOOKS: readonly PacketHook[] = []

/** The five chains. A change makes a new list, so that who walks the old one isn't disturbed. */
export class PacketHooks {
  preRouting = NO_HOOKS
  localIn = NO_HOOKS
  forward = NO_HOOKS
  localOut = NO_HOOKS
  postRouting = NO_HOOKS

  add(name: HookName, hook: PacketHook): void {
    const chain = this[FIELDS[name]]
    let at = chain.length
    while (at > 0 && chain[at - 1]!.priority > hook.priority) at--
    this[FIELDS[name]] = [...chain.slice(0, at), hook, ...chain.slice(at)]
  }

  remove(name: HookName, hook: PacketHook): void {
    this[FIELDS[name]] = this[FIELDS[name]].filter((one) => one !== hook)
  }
}

const FIELDS = {
  PRE_ROUTING: 'preRouting',
  LOCAL_IN: 'localIn',
  FORWARD: 'forward',
  LOCAL_OUT: 'localOut',
  POST_ROUTING: 'postRouting',
} as const

const hooksState = defineState(() => new PacketHooks())

/** The hooks of a host's network: empty until a rule, a table or a virtual service of its own needs one. */
export function packetHooks(host: Host): PacketHooks {
  return hooksState.of(host)
}

const hooks6State = defineState(() => new PacketHooks())

/** The hooks of a host's IPv6: of the same kind as `packetHooks`, run by kernel/ipv6. */
export function packetHooks6(host: Host): PacketHooks {
  return hooks6State.of(host)
}

const hooksArpState = defineState(() => new PacketHooks())

/** ARP's two hooks, as LOCAL_IN and LOCAL_OUT: NF_ARP_IN and NF_ARP_OUT. Linux 6.1 include/uapi/linux/netfilter_arp.h. */
export function packetHooksArp(host: Host): PacketHooks {
  return hooksArpState.of(host)
}

/** The same, if anybody has asked for them. */
export function peekHooksArp(host: Host): PacketHooks | undefined {
  return hooksArpState.peek(host)
}

/** Runs a chain: NF_ACCEPT if the packet goes on, else it was dropped or taken. nf_hook_slow(). */
export function runHooks(
  host: Host,
  chain: readonly PacketHook[],
  hook: HookName,
  packet: Packet,
  inDevice: NetDevice | undefined,
  out: NetDevice | undefined,
  tell: ((event: IpEvent) => void) | undefined,
): number {
  const context: HookContext = { host, hook, packet, in: inDevice, out }
  for (const one of chain) {
    const verdict = one.run(context)
    if (verdict === NF_ACCEPT) {
      tell?.({ kind: 'hook', hook: `${hook} ${one.name}`, packet, verdict: 'ACCEPT' })
      continue
    }
    if (tell) {
      tell({ kind: 'hook', hook: `${hook} ${one.name}`, packet, verdict: verdict === NF_DROP ? 'DROP' : 'STOLEN' })
      if (verdict === NF_DROP) tell({ kind: 'drop', packet, reason: 'NETFILTER_DROP' })
    }
    return verdict
  }
  return NF_ACCEPT
}

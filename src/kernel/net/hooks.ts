/**
 * Netfilter's five hooks: where other rooms look at packets, change them, or take them away.
 *
 *     packetHooks(image).add('LOCAL_IN', { name: 'ipvs', priority: 99, run: (context) => NF_ACCEPT })
 *
 * An empty chain costs one test. Linux 6.1 net/netfilter/core.c: nf_hook_slow(); include/linux/netfilter.h.
 */
import type { Host, KernelImage } from '#kernel/core'
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

export class PacketHooks {
  readonly preRouting: PacketHook[] = []
  readonly localIn: PacketHook[] = []
  readonly forward: PacketHook[] = []
  readonly localOut: PacketHook[] = []
  readonly postRouting: PacketHook[] = []

  add(name: HookName, hook: PacketHook): void {
    const chain = this.chain(name)
    let at = chain.length
    while (at > 0 && chain[at - 1]!.priority > hook.priority) at--
    chain.splice(at, 0, hook)
  }

  chain(name: HookName): PacketHook[] {
    if (name === 'PRE_ROUTING') return this.preRouting
    if (name === 'LOCAL_IN') return this.localIn
    if (name === 'FORWARD') return this.forward
    return name === 'LOCAL_OUT' ? this.localOut : this.postRouting
  }
}

/** The hooks of an image's hosts. */
export function packetHooks(image: KernelImage): PacketHooks {
  return image.slot('kernel/net packet hooks', () => new PacketHooks())
}

/** Runs a chain: NF_ACCEPT if the packet goes on, else it was dropped or taken. nf_hook_slow(). */
export function runHooks(
  host: Host,
  chain: PacketHook[],
  hook: HookName,
  packet: Packet,
  inDevice: NetDevice | undefined,
  out: NetDevice | undefined,
  tell: ((event: IpEvent) => void) | undefined,
): number {
  const context: HookContext = { host, hook, packet, in: inDevice, out }
  for (const one of chain) {
    const verdict = one.run(context)
    if (verdict === NF_ACCEPT) continue
    if (tell) {
      tell({ kind: 'hook', hook: `${hook} ${one.name}`, packet, verdict: verdict === NF_DROP ? 'DROP' : 'STOLEN' })
      if (verdict === NF_DROP) tell({ kind: 'drop', packet, reason: 'NETFILTER_DROP' })
    }
    return verdict
  }
  return NF_ACCEPT
}

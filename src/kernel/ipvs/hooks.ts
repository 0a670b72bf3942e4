/**
 * Where IPVS sits in netfilter: only as long as there is a service of the family.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_core.c: ip_vs_ops4[], ip_vs_register_hooks().
 */
import { defragNeed } from '#kernel/conntrack'
import {
  type HookContext,
  type HookName,
  NF_ACCEPT,
  NF_IP_PRI_NAT_DST,
  NF_IP_PRI_NAT_SRC,
  type PacketHook,
  packetHooks,
  packetHooks6,
} from '#kernel/net'
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from '#wire/inet'
import { forwardedIcmp } from './icmp-in.ts'
import { inHook, isOff } from './in.ts'
import { outHook } from './out.ts'
import type { Ipvs } from './state.ts'
import { AF_INET, type Family } from './uapi.ts'

type Placed = [hook: HookName, one: PacketHook]

const registered = new WeakMap<Ipvs, Map<Family, Placed[]>>()

function placed(ipvs: Ipvs, family: Family): Placed[] {
  const icmp = family === AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6
  const out = { name: 'ipvs out', run: (context: HookContext) => outHook(ipvs, context) }
  const enter = { name: 'ipvs in', run: (context: HookContext) => inHook(ipvs, context) }
  const errors = {
    name: 'ipvs icmp',
    run: (context: HookContext) =>
      context.packet.protocol !== icmp || isOff(ipvs) ? NF_ACCEPT : forwardedIcmp(ipvs, context),
  }
  return [
    ['LOCAL_IN', { ...out, priority: NF_IP_PRI_NAT_SRC - 2 }],
    ['LOCAL_IN', { ...enter, priority: NF_IP_PRI_NAT_SRC - 1 }],
    ['LOCAL_OUT', { ...out, priority: NF_IP_PRI_NAT_DST + 1 }],
    ['LOCAL_OUT', { ...enter, priority: NF_IP_PRI_NAT_DST + 2 }],
    ['FORWARD', { ...errors, priority: 99 }],
    ['FORWARD', { ...out, priority: 100 }],
  ]
}

/** The first service of a family has come. */
export function registerHooks(ipvs: Ipvs, family: Family): void {
  const own = registered.get(ipvs) ?? new Map<Family, Placed[]>()
  registered.set(ipvs, own)
  if (own.has(family)) return
  const hooks = family === AF_INET ? packetHooks(ipvs.host) : packetHooks6(ipvs.host)
  if (family !== AF_INET) defragNeed(ipvs.host, 'ip6')
  const all = placed(ipvs, family)
  for (const [name, hook] of all) hooks.add(name, hook)
  own.set(family, all)
}

/** The last one has gone. */
export function unregisterHooks(ipvs: Ipvs, family: Family): void {
  const own = registered.get(ipvs)
  const all = own?.get(family)
  if (own === undefined || all === undefined) return
  const hooks = family === AF_INET ? packetHooks(ipvs.host) : packetHooks6(ipvs.host)
  for (const [name, hook] of all) hooks.remove(name, hook)
  own.delete(family)
}

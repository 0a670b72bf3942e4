/** Base chains of type nat: asked once for each connection, by NAT. Linux 6.1 net/netfilter/nf_nat_core.c: nf_nat_inet_fn(). */
import { addNatChain, type NatHook, removeNatChain } from '#kernel/conntrack'
import type { Host } from '#kernel/core'
import type { HookContext } from '#kernel/net'
import type { Chain } from './objects.ts'

/** Registers a nat chain; what takes it away again. */
export function hookNat(
  chain: Chain,
  host: Host,
  run: (context: HookContext) => number,
  family: 'ip' | 'ip6',
): () => void {
  const { hook, priority } = chain.base!
  const entry = { name: `${chain.table.name} ${chain.name}`, priority, run }
  addNatChain(host, hook as NatHook, entry, family)
  return () => removeNatChain(host, hook as NatHook, entry, family)
}

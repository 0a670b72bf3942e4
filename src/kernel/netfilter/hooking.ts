/** Base chains in netfilter's hooks. Linux 6.1 net/netfilter/nft_chain_filter.c, nft_chain_route.c, nft_chain_nat.c. */
import { NotModelled } from '#base/check'
import type { Host } from '#kernel/core'
import {
  type HookContext,
  inetState,
  NF_ACCEPT,
  NF_DROP,
  type PacketHook,
  packetHooks,
  packetHooks6,
  packetHooksArp,
  routeMeHarder,
} from '#kernel/net'
import { compiledChain, contextLength } from './compile.ts'
import { describeRule } from './describe.ts'
import { hookNat } from './nat-hook.ts'
import type { Chain } from './objects.ts'
import { GO_ON, runChain, runChainTold } from './run.ts'

/** Runs a base chain: a verdict of its rules, or its policy. */
export function chainRunner(chain: Chain, host: Host): (context: HookContext) => number {
  const base = chain.base!
  const compiled = compiledChain(chain)
  const inet = inetState.of(host)
  return (context) => {
    const tell = inet.tell
    const verdict =
      tell === undefined
        ? runChain(compiled, context)
        : runChainTold(compiled, context, tell, (rule) => describeRule(rule, host))
    if (verdict !== GO_ON) return verdict
    const { counters } = base
    if (counters !== undefined) {
      counters.packets++
      counters.bytes += contextLength(context)
    }
    if (tell !== undefined) {
      const { table } = chain
      tell({
        kind: 'rule',
        family: table.family,
        table: table.name,
        chain: chain.name,
        handle: 0,
        number: 0,
        text: 'policy',
        verdict: base.policy,
        packet: context.packet,
      })
    }
    return base.policy === 'accept' ? NF_ACCEPT : NF_DROP
  }
}

/** Registers a chain, once. */
export function hookChain(chain: Chain, host: Host): void {
  if (chain.hooked || !chain.base) return
  const { family } = chain.table
  if (family !== 'ip' && family !== 'ip6' && family !== 'inet' && family !== 'arp') {
    throw new NotModelled(`nf_tables: chains of family ${family}`)
  }
  const { type, hook, priority } = chain.base
  const run = chainRunner(chain, host)
  const families = family === 'inet' ? (['ip', 'ip6'] as const) : [family]
  const ends = families.map((one) => {
    if (type === 'nat' && one !== 'arp') return hookNat(chain, host, run, one)
    const entry: PacketHook = {
      name: `${chain.table.name} ${chain.name}`,
      priority,
      run: type === 'route' && one === 'ip' ? (context) => routed(context, run) : run,
    }
    const hooks = one === 'ip' ? packetHooks(host) : one === 'arp' ? packetHooksArp(host) : packetHooks6(host)
    hooks.add(hook, entry)
    return () => hooks.remove(hook, entry)
  })
  chain.hooked = () => {
    for (const end of ends) end()
  }
}

/** What changes addresses, mark or TOS of a packet made here makes it be routed again. nf_route_table_hook4(). */
export function routed(context: HookContext, run: (context: HookContext) => number): number {
  const { packet } = context
  const { src, dst, mark, tos } = packet
  const verdict = run(context)
  if (verdict === NF_ACCEPT) {
    if (packet.src !== src || packet.dst !== dst || packet.mark !== mark || packet.tos !== tos) {
      if (routeMeHarder(packet) !== undefined) return NF_DROP
    }
  }
  return verdict
}

export function unhookChain(chain: Chain): void {
  chain.hooked?.()
  chain.hooked = undefined
}

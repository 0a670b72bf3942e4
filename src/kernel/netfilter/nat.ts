/** snat, dnat, masquerade, redirect. Linux 6.1 net/netfilter/nft_nat.c, nft_masq.c, nft_redir.c. */
import { type Conn, conntrackState, masquerade, type NatRange, natSetup, redirect } from '#kernel/conntrack'
import type { HookContext } from '#kernel/net'
import { needConntrack } from './ct.ts'
import { type Expression, NAT_FULLY_RANDOM, NAT_PERSISTENT, NAT_RANDOM } from './expressions.ts'
import { compileLoad, type Loader, type Surroundings } from './loads.ts'
import { BREAK, type Operation } from './run.ts'

function withFlags(flags: number): NatRange {
  return {
    ...(flags & NAT_RANDOM && { random: true }),
    ...(flags & NAT_FULLY_RANDOM && { randomFully: true }),
    ...(flags & NAT_PERSISTENT && { persistent: true }),
  }
}

/** Compiles a NAT expression. */
export function compileNat(expression: Expression & { expr: 'nat' }, around: Surroundings): Operation {
  const { host } = around
  needConntrack(host, around.family)
  const state = conntrackState.of(host)
  const load = (one: typeof expression.address): Loader | undefined => one && compileLoad(one, around)
  const address = load(expression.address)
  const addressMax = load(expression.addressMax)
  const port = load(expression.port)
  const portMax = load(expression.portMax)
  const fixed = withFlags(expression.flags)
  /** The range as this packet's loads say; undefined: it can't be said. */
  const rangeOf = (context: HookContext): NatRange | undefined => {
    const range: NatRange = { ...fixed }
    if (address) {
      const min = address(context)
      if (typeof min !== 'number') return undefined
      range.min = min
      range.max = (addressMax?.(context) as number | undefined) ?? min
    }
    if (port) {
      const min = port(context)
      if (typeof min !== 'number') return undefined
      range.minPort = min
      range.maxPort = (portMax?.(context) as number | undefined) ?? min
    }
    return range
  }
  const { type } = expression
  return (context) => {
    if (context.packet.ct === undefined) return BREAK
    const range = rangeOf(context)
    if (!range) return BREAK
    if (type === 'masquerade') return masquerade(state, context, range)
    if (type === 'redirect') return redirect(state, context, range)
    return natSetup(state, context.packet.ct as Conn, range, type === 'snat' ? 'SRC' : 'DST')
  }
}

/**
 * A packet's way through compiled chains. Rules are compiled when a transaction commits: what nearly every rule begins with
 * (addresses, protocol, ports) is tested here on flat numbers, so that a rule which doesn't match costs a few nanoseconds;
 * the rest is a list of functions. Linux 6.1 net/netfilter/nf_tables_core.c: nft_do_chain().
 */
import { type HookContext, type IpEvent, NF_ACCEPT, NF_DROP } from '#kernel/net'
import { IP_OFFSET, RAW_NONE } from '#wire/inet'
import type { Chain, Rule } from './objects.ts'

/** What an expression answers besides a hook's verdicts (NF_DROP 0, NF_ACCEPT 1, NF_STOLEN 2): on to the next expression... */
export const GO_ON = -1
/** ... or to the next rule. */
export const BREAK = -2
export const RETURN = -3
export const JUMP = -4
export const GOTO = -5

export type Operation = (context: HookContext) => number

/** What a JUMP or GOTO that was just answered leads to. */
export const jump: { to: CompiledChain } = { to: undefined as unknown as CompiledChain }

/** nft_do_chain()'s stack, and iptables' rules of how deep chains may call. NFT_JUMP_STACK_SIZE. */
export const JUMPS_MAX = 16

export class CompiledRule {
  readonly rule: Rule
  /** -1: any. */
  protocol = -1
  srcMask = 0
  src = 0
  dstMask = 0
  dst = 0
  /** TCP's or UDP's ports, from and to; -1: any. Only with `protocol`. */
  sportFrom = -1
  sportTo = -1
  dportFrom = -1
  dportTo = -1
  operations: readonly Operation[] = []

  constructor(rule: Rule) {
    this.rule = rule
  }
}

export class CompiledChain {
  readonly chain: Chain
  rules: readonly CompiledRule[] = []

  constructor(chain: Chain) {
    this.chain = chain
  }
}

function runOperations(operations: readonly Operation[], context: HookContext): number {
  for (let i = 0; i < operations.length; i++) {
    const verdict = operations[i]!(context)
    if (verdict !== GO_ON) return verdict
  }
  return GO_ON
}

/** Whether what is tested on flat numbers fits. */
function headerFits(rule: CompiledRule, context: HookContext): boolean {
  const packet = context.packet
  if (rule.protocol >= 0 && packet.protocol !== rule.protocol) return false
  if (((packet.src ^ rule.src) & rule.srcMask) !== 0 || ((packet.dst ^ rule.dst) & rule.dstMask) !== 0) return false
  if (rule.dportFrom >= 0 || rule.sportFrom >= 0) {
    if (packet.raw !== RAW_NONE || (packet.fragment & IP_OFFSET) !== 0) return false
    if (rule.dportFrom >= 0 && (packet.dstPort < rule.dportFrom || packet.dstPort > rule.dportTo)) return false
    if (rule.sportFrom >= 0 && (packet.srcPort < rule.sportFrom || packet.srcPort > rule.sportTo)) return false
  }
  return true
}

/** Runs a chain: a hook's verdict, or GO_ON at its end. */
export function runChain(compiled: CompiledChain, context: HookContext): number {
  const rules = compiled.rules
  const packet = context.packet
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i]!
    if (rule.protocol >= 0 && packet.protocol !== rule.protocol) continue
    if (((packet.src ^ rule.src) & rule.srcMask) !== 0 || ((packet.dst ^ rule.dst) & rule.dstMask) !== 0) continue
    if ((rule.dportFrom >= 0 || rule.sportFrom >= 0) && !headerFits(rule, context)) continue
    const verdict = runOperations(rule.operations, context)
    if (verdict >= 0) return verdict
    if (verdict === RETURN) return GO_ON
    if (verdict === JUMP) {
      const inner = runChain(jump.to, context)
      if (inner !== GO_ON) return inner
    } else if (verdict === GOTO) return runChain(jump.to, context)
  }
  return GO_ON
}

/** The same, told rule by rule. */
export function runChainTold(
  compiled: CompiledChain,
  context: HookContext,
  tell: (event: IpEvent) => void,
  print: (rule: Rule) => string,
): number {
  for (const rule of compiled.rules) {
    const { chain } = rule.rule
    const packet = context.packet
    const verdict = headerFits(rule, context) ? runOperations(rule.operations, context) : BREAK
    const told = (text: string) =>
      tell({
        kind: 'rule',
        family: chain.table.family,
        table: chain.table.name,
        chain: chain.name,
        handle: rule.rule.handle,
        number: chain.rules.indexOf(rule.rule) + 1,
        text: print(rule.rule),
        verdict: text,
        packet,
      })
    if (verdict === BREAK) told('no match')
    else if (verdict === GO_ON) told('continue')
    else if (verdict === RETURN) {
      told('return')
      return GO_ON
    } else if (verdict === JUMP || verdict === GOTO) {
      const to = jump.to
      told(`${verdict === JUMP ? 'jump' : 'goto'} ${to.chain.name}`)
      const inner = runChainTold(to, context, tell, print)
      if (inner !== GO_ON || verdict === GOTO) return inner
    } else {
      told(verdict === NF_ACCEPT ? 'accept' : verdict === NF_DROP ? 'drop' : 'stolen')
      return verdict
    }
  }
  return GO_ON
}

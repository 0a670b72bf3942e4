/**
 * From expressions to what runs. A rule's leading comparisons of addresses, protocol and ports move into the compiled rule's
 * own fields (see `run.ts`); everything else becomes one function each. Nothing is made per packet.
 */
import { assert, NotModelled } from '#base/check'
import type { Host } from '#kernel/core'
import { type HookContext, NF_ACCEPT, NF_DROP } from '#kernel/net'
import { ETH_P_ARP, ipLength, type Packet } from '#wire/inet'
import { compileNotrack, setCt } from './ct.ts'
import type { Expression, Load, Value } from './expressions.ts'
import { compileKey, compileLoad, type Loader, type Surroundings } from './loads.ts'
import { compileLog } from './log.ts'
import { compileNat } from './nat.ts'
import type { Chain, ExpressionState, NfSet, Rule, SetElement } from './objects.ts'
import { compileReject } from './reject.ts'
import { BREAK, CompiledChain, CompiledRule, GO_ON, GOTO, JUMP, jump, type Operation, RETURN } from './run.ts'
import { Counter, Limit, Quota } from './states.ts'
import { compileDup, compilePayloadSet, compileTcpOptionSet } from './writes.ts'
import { xtTable } from './xt/extension.ts'

/** The compiled chain of a chain: made once, so that jumps can refer to it. */
export function compiledChain(chain: Chain): CompiledChain {
  chain.compiled ??= new CompiledChain(chain)
  return chain.compiled
}

/** Compiles a rule; its states are made now, unless it has them. */
export function compileRule(rule: Rule, host: Host): CompiledRule {
  const { table } = rule.chain
  const around: Surroundings & { chain(name: string): Chain } = {
    host,
    family: table.family,
    set: (name) => {
      const set = table.sets.get(name)
      assert(set, `nf_tables: no set ${name}`)
      return set
    },
    chain: (name) => {
      const chain = table.chains.get(name)
      assert(chain, `nf_tables: no chain ${name}`)
      return chain
    },
  }
  const compiled = new CompiledRule(rule)
  const operations: Operation[] = []
  // Ports and protocols stand in the same fields for both families; addresses don't.
  let leading = table.family === 'ip' || table.family === 'inet' || table.family === 'ip6'
  const addresses = table.family === 'ip'
  rule.expressions.forEach((expression, i) => {
    if (leading && takeHeader(compiled, expression, addresses)) return
    leading = false
    const operation = compileExpression(expression, rule, i, around)
    if (operation) operations.push(operation)
  })
  compiled.operations = operations
  return compiled
}

/** Moves a comparison into the rule's fields, if it is of that kind and its place is free. */
function takeHeader(rule: CompiledRule, expression: Expression, addresses: boolean): boolean {
  if (expression.expr !== 'cmp') return false
  let { load, value } = expression
  if (typeof value !== 'number') return false
  if (load.load === 'meta' && load.key === 'l4proto') {
    if (expression.op !== 'eq' || rule.protocol >= 0) return false
    rule.protocol = value
    return true
  }
  let mask = 0xffffffff
  if (load.load === 'bitwise') {
    if (load.xor !== 0 || expression.op !== 'eq') return false
    mask = load.mask
    load = load.of
  }
  if (load.load !== 'payload') return false
  const { base, offset, length } = load
  if (addresses && base === 'nh' && expression.op === 'eq' && (offset === 12 || offset === 16) && length <= 4) {
    const shift = 2 ** (32 - 8 * length)
    const bits = length === 4 ? mask | 0 : (0xffffffff * shift) | 0
    if (length < 4 && mask !== 0xffffffff) return false
    value *= shift
    if (offset === 12) {
      if (rule.srcMask !== 0) return false
      rule.src = value | 0
      rule.srcMask = bits
    } else {
      if (rule.dstMask !== 0) return false
      rule.dst = value | 0
      rule.dstMask = bits
    }
    return true
  }
  const tcpOrUdp = rule.protocol === 6 || rule.protocol === 17
  if (base === 'th' && length === 2 && offset <= 2 && tcpOrUdp && mask === 0xffffffff) {
    return takePort(rule, offset === 0 ? 'sport' : 'dport', expression.op, value)
  }
  return false
}

function takePort(rule: CompiledRule, which: 'sport' | 'dport', op: string, value: number): boolean {
  const from = `${which}From` as const
  const to = `${which}To` as const
  if (op === 'eq') {
    if (rule[from] >= 0) return false
    rule[from] = value
    rule[to] = value
    return true
  }
  if (op === 'gte' && rule[from] < 0) {
    rule[from] = value
    rule[to] = 0xffff
    return true
  }
  if (op === 'lte') {
    if (rule[from] < 0) rule[from] = 0
    else if (rule[to] !== 0xffff) return false
    rule[to] = value
    return true
  }
  return false
}

const REVERSE: Record<string, (a: Value, b: Value) => boolean> = {
  eq: (a, b) => a === b,
  neq: (a, b) => a !== b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
}

function compare(load: Loader, op: string, value: Value, names: boolean): Operation {
  if (names && typeof value === 'string' && value.endsWith('*')) {
    const start = value.slice(0, -1)
    const wanted = op === 'eq'
    return (context) => {
      const name = load(context)
      return name !== undefined && (name as string).startsWith(start) === wanted ? GO_ON : BREAK
    }
  }
  if (op === 'eq') return (context) => (load(context) === value ? GO_ON : BREAK)
  const test = REVERSE[op]!
  return (context) => {
    const loaded = load(context)
    return loaded !== undefined && test(loaded, value) ? GO_ON : BREAK
  }
}

/** Whether what is loaded is a device's name. */
function isName(load: Load): boolean {
  return load.load === 'meta' && load.key.endsWith('name')
}

/** What an expression keeps: made at the rule's first compiling, kept when the chain is compiled again. */
function stateOf<T extends ExpressionState>(rule: Rule, at: number, make: () => T): T {
  rule.states[at] ??= make()
  return rule.states[at] as T
}

/** What an ARP packet counts: from its header on, or, going out, with the Ethernet header that it has already. */
const ARP_IN = 28
const ARP_OUT = 42

/** Length as the kernel counts it at a hook. */
export function contextLength({ packet, hook }: HookContext): number {
  if (packet.etherType !== ETH_P_ARP) return ipLength(packet)
  return hook === 'LOCAL_OUT' ? ARP_OUT : ARP_IN
}

/** Length as the kernel counts it: from the IP header on. */
export function lengthOf(packet: Packet): number {
  return ipLength(packet)
}

function compileExpression(
  expression: Expression,
  rule: Rule,
  at: number,
  around: Surroundings & { chain(name: string): Chain },
): Operation | undefined {
  const { host } = around
  switch (expression.expr) {
    case 'cmp':
      return compare(compileLoad(expression.load, around), expression.op, expression.value, isName(expression.load))
    case 'range': {
      const load = compileLoad(expression.load, around)
      const { from, to, invert } = expression
      return (context) => {
        const value = load(context)
        if (value === undefined) return BREAK
        return (value >= from && value <= to) !== invert ? GO_ON : BREAK
      }
    }
    case 'lookup': {
      const find = compileFind(expression.of, around.set(expression.set) as NfSet, around)
      const { invert } = expression
      return (context) => {
        const found = find(context)
        if (found === null) return BREAK
        if (found?.states !== undefined && !runElement(found, context.packet)) return BREAK
        return (found !== undefined) !== invert ? GO_ON : BREAK
      }
    }
    case 'vmap': {
      const find = compileFind(expression.of, around.set(expression.set) as NfSet, around)
      return (context) => {
        const found = find(context)
        if (!found) return BREAK
        if (found.states !== undefined && !runElement(found, context.packet)) return BREAK
        return verdictOf(found)
      }
    }
    case 'verdict': {
      const { code, chain } = expression.verdict
      if (code === 'accept') return () => NF_ACCEPT
      if (code === 'drop') return () => NF_DROP
      if (code === 'return') return () => RETURN
      if (code === 'continue') return () => GO_ON
      if (code === 'break') return () => BREAK
      const to = compiledChain(around.chain(chain!))
      const verdict = code === 'jump' ? JUMP : GOTO
      return () => {
        jump.to = to
        return verdict
      }
    }
    case 'counter': {
      const counter = stateOf(rule, at, () => new Counter(expression.packets, expression.bytes))
      if (around.family === 'arp') {
        return (context) => {
          counter.packets++
          counter.bytes += contextLength(context)
          return GO_ON
        }
      }
      return ({ packet }) => {
        counter.packets++
        counter.bytes += ipLength(packet)
        return GO_ON
      }
    }
    case 'limit': {
      const limit = stateOf(rule, at, () => new Limit(host, expression))
      return ({ packet }) => (limit.passes(ipLength(packet)) ? GO_ON : BREAK)
    }
    case 'quota': {
      const quota = stateOf(rule, at, () => new Quota(expression.bytes, expression.invert, expression.consumed))
      return ({ packet }) => (quota.passes(ipLength(packet)) ? GO_ON : BREAK)
    }
    case 'object': {
      const { objects } = rule.chain.table
      if (expression.map) {
        const find = compileFind(expression.map, around.set(expression.name) as NfSet, around)
        return (context) => {
          const object = objects.get(`${expression.type} ${find(context)?.data?.[0]}`)
          if (!object) return BREAK
          return object.run?.(context.packet, ipLength(context.packet)) === false ? BREAK : GO_ON
        }
      }
      const object = objects.get(`${expression.type} ${expression.name}`)
      assert(object, `nf_tables: no ${expression.type} ${expression.name}`)
      const { run } = object
      if (!run) throw new NotModelled(`nft: ${expression.type}`)
      return ({ packet }) => (run(packet, ipLength(packet)) ? GO_ON : BREAK)
    }
    case 'dynset':
      return compileDynset(expression, around)
    case 'log':
      return compileLog(expression, host)
    case 'reject':
      return compileReject(expression.type, expression.code, host)
    case 'meta set': {
      const from = compileLoad(expression.from, around)
      if (expression.key === 'mark' || expression.key === 'priority') {
        const { key } = expression
        return (context) => {
          const value = from(context)
          if (typeof value !== 'number') return BREAK
          context.packet[key] = value
          return GO_ON
        }
      }
      if (expression.key === 'pkttype') {
        return (context) => {
          const value = from(context)
          if (typeof value !== 'number') return BREAK
          context.packet.packetType = value
          return GO_ON
        }
      }
      if (expression.key === 'nftrace') return () => GO_ON
      throw new NotModelled(`nft: meta ${expression.key} set`)
    }
    case 'ct set':
      return setCt(expression.key, compileLoad(expression.from, around), host, around.family)
    case 'payload set':
      return compilePayloadSet(expression, compileLoad(expression.from, around))
    case 'tcpopt set':
      return compileTcpOptionSet(expression, compileLoad(expression.from, around))
    case 'notrack':
      return compileNotrack()
    case 'nat':
      return compileNat(expression, around)
    case 'dup':
      return compileDup(compileLoad(expression.address, around), host)
    case 'connlimit':
      throw new NotModelled('nft: ct count')
    case 'match': {
      const match = xtTable(host.image).matches.get(expression.name)
      assert(match, `xt: no match ${expression.name}`)
      const run = match.run(expression.info, host, keeper(rule, at))
      return (context) => {
        const fits = run(context)
        return fits === true ? GO_ON : fits === 'drop' ? NF_DROP : BREAK
      }
    }
    case 'target': {
      const target = xtTable(host.image).targets.get(expression.name)
      assert(target, `xt: no target ${expression.name}`)
      return target.run(expression.info, host, keeper(rule, at))
    }
  }
}

/** Lets an extension say what must be undone when its rule goes. */
function keeper(rule: Rule, at: number) {
  return {
    onRelease(release: () => void) {
      rule.states[at] ??= { dump: () => ({}), release }
    },
  }
}

/** An element's verdict. */
function verdictOf(element: SetElement): number {
  const verdict = element.verdict
  switch (verdict?.code) {
    case 'accept':
      return NF_ACCEPT
    case 'drop':
      return NF_DROP
    case 'return':
      return RETURN
    case 'jump':
    case 'goto':
      jump.to = compiledChain(element.target!)
      return verdict.code === 'jump' ? JUMP : GOTO
  }
  return GO_ON
}

/** null: the key couldn't be loaded. */
type Finder = (context: HookContext) => SetElement | undefined | null

function compileFind(of: Load[], set: NfSet, around: Surroundings): Finder {
  const key = compileKey(of, around)
  const { elements } = set
  if (of.length === 1) {
    return (context) => {
      const value = key(context)
      return value === undefined ? null : elements.findOne(value as Value)
    }
  }
  return (context) => {
    const value = key(context)
    return value === undefined ? null : elements.find(value as Value[])
  }
}

/** Counts or limits with an element; whether the packet goes on. */
export function runElement(element: SetElement, packet: Packet): boolean {
  for (const state of element.states!) {
    if (state instanceof Counter) state.count(ipLength(packet))
    else if (state instanceof Limit || state instanceof Quota) {
      if (!state.passes(ipLength(packet))) return false
    }
  }
  return true
}

/** The states of an element's expressions. */
export function elementStates(
  expressions: readonly Expression[] | undefined,
  host: Host,
): ExpressionState[] | undefined {
  if (!expressions?.length) return undefined
  return expressions.map((one) => {
    if (one.expr === 'counter') return new Counter(one.packets, one.bytes)
    if (one.expr === 'limit') return new Limit(host, one)
    if (one.expr === 'quota') return new Quota(one.bytes, one.invert, one.consumed)
    throw new NotModelled(`nft: ${one.expr} in a set`)
  })
}

/** Adds what a packet says to a set. Linux 6.1 net/netfilter/nft_dynset.c: nft_dynset_eval(). */
function compileDynset(expression: Expression & { expr: 'dynset' }, around: Surroundings): Operation {
  const set = around.set(expression.set) as NfSet
  const key = compileKey(expression.of, around)
  const data = expression.data ? compileLoad(expression.data, around) : undefined
  const { host } = around
  const timeoutMs = expression.timeoutMs ?? set.spec.timeoutMs
  return (context) => {
    const loaded = key(context)
    if (loaded === undefined) return BREAK
    const parts = Array.isArray(loaded) ? loaded : [loaded]
    let element = set.elements.find(parts)
    if (expression.op === 'delete') {
      if (!element) return BREAK
      set.elements.remove(element)
      return GO_ON
    }
    if (!element) {
      if (set.elements.list().length >= (set.spec.size ?? 65535)) return BREAK
      const value = data?.(context)
      const exprs = expression.exprs.length > 0 ? expression.exprs : set.spec.exprs
      const states = elementStates(exprs, host)
      element = {
        key: parts,
        ...(value !== undefined && { data: [value] }),
        ...(exprs && { exprs }),
        ...(states && { states }),
      }
      if (set.spec.flags.timeout && timeoutMs) {
        element.timeoutMs = timeoutMs
        element.expiresNs = host.sim.nowNs + timeoutMs * 1e6
      }
      set.elements.insert(element)
    } else if (expression.op === 'update' && element.expiresNs !== undefined) {
      element.expiresNs = host.sim.nowNs + (timeoutMs ?? 0) * 1e6
    }
    return element.states && !runElement(element, context.packet) ? BREAK : GO_ON
  }
}

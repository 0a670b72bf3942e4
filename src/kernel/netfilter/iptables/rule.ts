/**
 * A rule as iptables thinks of it, and its two ways: into nf_tables expressions and back. What iptables-nft 1.8.9 says
 * natively is said natively here; everything else is an xt match or target. iptables/nft-shared.c, nft-ipv4.c.
 */
import type { KernelImage } from '#kernel/core'
import type { Expression, Load, XtInfo } from '../expressions.ts'
import type { RuleMessage } from '../messages.ts'
import { LIMIT_SCALE } from '../xt/basic-matches.ts'
import { type XtMatch, type XtTable, xtTable } from '../xt/extension.ts'
import { noPorts, noTcp, type PortsInfo, type TcpInfo } from '../xt/tcp-udp.ts'

export interface AddressMatch {
  address: number
  mask: number
  inverted: boolean
}

export interface NamedInfo {
  name: string
  info: XtInfo
}

export type Target =
  | { kind: 'none' }
  | { kind: 'verdict'; verdict: 'ACCEPT' | 'DROP' | 'RETURN' }
  | { kind: 'chain'; chain: string; goto: boolean }
  | { kind: 'xt'; name: string; info: XtInfo }

export interface IptablesRule {
  src: AddressMatch
  dst: AddressMatch
  in: string
  inInverted: boolean
  out: string
  outInverted: boolean
  protocol: number
  protocolInverted: boolean
  fragment: boolean
  fragmentInverted: boolean
  matches: NamedInfo[]
  target: Target
  packets: number
  bytes: number
}

export function emptyRule(): IptablesRule {
  return {
    src: { address: 0, mask: 0, inverted: false },
    dst: { address: 0, mask: 0, inverted: false },
    in: '',
    inInverted: false,
    out: '',
    outInverted: false,
    protocol: 0,
    protocolInverted: false,
    fragment: false,
    fragmentInverted: false,
    matches: [],
    target: { kind: 'none' },
    packets: 0,
    bytes: 0,
  }
}

/** `eth+` is nf_tables' `eth*`; `+` alone any device. */
function deviceLoad(key: 'iifname' | 'oifname', name: string, inverted: boolean): Expression[] {
  if (name === '') return []
  if (name === '+') return inverted ? [{ expr: 'cmp', load: { load: 'meta', key }, op: 'eq', value: 'INVAL/D' }] : []
  const value = name.endsWith('+') ? `${name.slice(0, -1)}*` : name
  return [{ expr: 'cmp', load: { load: 'meta', key }, op: inverted ? 'neq' : 'eq', value }]
}

/** Whole bytes of a prefix are loaded alone; a mask in between takes a bitwise and. nft-shared.c: add_addr(). */
function addressLoad(offset: number, { address, mask, inverted }: AddressMatch): Expression[] {
  if (mask === 0 && !inverted) return []
  const op = inverted ? 'neq' : 'eq'
  // Nothing is loaded of no bits at all, and the kernel refuses it.
  if (mask === 0) return [{ expr: 'cmp', load: { load: 'payload', base: 'nh', offset, length: 0 }, op, value: 0 }]
  const bytes = { [0xff000000]: 1, [0xffff0000]: 2, [0xffffff00]: 3, [0xffffffff]: 4 }[mask]
  if (bytes !== undefined) {
    const load: Load = { load: 'payload', base: 'nh', offset, length: bytes }
    return [{ expr: 'cmp', load, op, value: address >>> (32 - 8 * bytes) }]
  }
  const of: Load = { load: 'payload', base: 'nh', offset, length: 4 }
  return [{ expr: 'cmp', load: { load: 'bitwise', of, mask, xor: 0 }, op, value: (address & mask) >>> 0 }]
}

/** A rule as expressions. */
export function toExpressions(rule: IptablesRule, xt: XtTable): Expression[] {
  const all: Expression[] = [
    ...deviceLoad('iifname', rule.in, rule.inInverted),
    ...deviceLoad('oifname', rule.out, rule.outInverted),
  ]
  if (rule.protocol !== 0) {
    const op = rule.protocolInverted ? 'neq' : 'eq'
    all.push({ expr: 'cmp', load: { load: 'meta', key: 'l4proto' }, op, value: rule.protocol })
  }
  all.push(...addressLoad(12, rule.src), ...addressLoad(16, rule.dst))
  if (rule.fragment) {
    const of: Load = { load: 'payload', base: 'nh', offset: 6, length: 2 }
    const load: Load = { load: 'bitwise', of, mask: 0x1fff, xor: 0 }
    all.push({ expr: 'cmp', load, op: rule.fragmentInverted ? 'eq' : 'neq', value: 0 })
  }
  for (const { name, info } of rule.matches) {
    const match = xt.matches.get(name)!
    const native = match.native?.(info)
    if (native) all.push(...native)
    else all.push({ expr: 'match', name: kernelName(match), revision: match.revision, info })
  }
  all.push({ expr: 'counter', packets: rule.packets, bytes: rule.bytes })
  const { target } = rule
  if (target.kind === 'verdict') {
    const code = ({ ACCEPT: 'accept', DROP: 'drop', RETURN: 'return' } as const)[target.verdict]
    all.push({ expr: 'verdict', verdict: { code } })
  } else if (target.kind === 'chain') {
    all.push({ expr: 'verdict', verdict: { code: target.goto ? 'goto' : 'jump', chain: target.chain } })
  } else if (target.kind === 'xt') {
    const { revision } = xt.targets.get(target.name)!
    all.push({ expr: 'target', name: kernelTarget(target.name), revision, info: target.info })
  }
  return all
}

/** `state` is the kernel's conntrack match by another name. */
function kernelName(match: XtMatch): string {
  return match.name === 'state' ? 'conntrack' : match.name
}

function kernelTarget(name: string): string {
  return name === 'NOTRACK' ? 'CT' : name
}

/** By which name a kernel's match is shown. */
function shownMatch(name: string, info: XtInfo): string {
  return name === 'conntrack' && info['alias'] ? 'state' : name
}

/** The rule that expressions say; undefined if iptables couldn't have said it. nft-shared.c: nft_rule_to_iptables_command_state(). */
export function fromExpressions(message: RuleMessage, image: KernelImage): IptablesRule | undefined {
  const rule = emptyRule()
  const xt = xtTable(image)
  for (const one of message.expressions) {
    switch (one.expr) {
      case 'cmp':
      case 'range':
        if (!takeComparison(rule, one)) return undefined
        break
      case 'match':
        if (!xt.matches.has(one.name)) return undefined
        rule.matches.push({ name: shownMatch(one.name, one.info), info: one.info })
        break
      case 'limit':
        if (one.bytes || one.invert) return undefined
        rule.matches.push({
          name: 'limit',
          info: { cost: Math.floor((LIMIT_SCALE * one.per) / one.rate), burst: one.burst },
        })
        break
      case 'counter':
        rule.packets = one.packets
        rule.bytes = one.bytes
        break
      case 'verdict': {
        const { code, chain } = one.verdict
        if (code === 'jump' || code === 'goto') rule.target = { kind: 'chain', chain: chain!, goto: code === 'goto' }
        else if (code === 'accept' || code === 'drop' || code === 'return') {
          rule.target = { kind: 'verdict', verdict: code.toUpperCase() as 'ACCEPT' }
        } else return undefined
        break
      }
      case 'target':
        if (!xt.targets.has(one.name)) return undefined
        rule.target = { kind: 'xt', name: one.info['notrackAlias'] ? 'NOTRACK' : one.name, info: one.info }
        break
      default:
        return undefined
    }
  }
  if (message.comment !== undefined && !rule.matches.some(({ name }) => name === 'comment')) {
    rule.matches.push({ name: 'comment', info: { comment: message.comment } })
  }
  return rule
}

type Comparison = Extract<Expression, { expr: 'cmp' | 'range' }>

function takeComparison(rule: IptablesRule, one: Comparison): boolean {
  let { load } = one
  let mask: number | undefined
  if (load.load === 'bitwise') {
    if (load.xor !== 0) return false
    mask = load.mask
    load = load.of
  }
  if (load.load === 'meta') return takeMeta(rule, one, load.key, mask)
  if (load.load !== 'payload') return false
  const inverted = one.expr === 'range' ? one.invert : one.op === 'neq'
  if (load.base === 'nh' && one.expr === 'cmp' && typeof one.value === 'number') {
    const { offset, length } = load
    if (offset === 12 || offset === 16) {
      const shift = 2 ** (32 - 8 * length)
      const whole = mask ?? (length === 4 ? 0xffffffff : 0x100000000 - shift)
      const match = { address: (one.value * shift) >>> 0, mask: whole, inverted }
      if (offset === 12) rule.src = match
      else rule.dst = match
      return true
    }
    if (offset === 9 && length === 1) {
      rule.protocol = one.value
      rule.protocolInverted = inverted
      return true
    }
    if (offset === 6 && length === 2 && mask === 0x1fff) {
      rule.fragment = true
      rule.fragmentInverted = one.op === 'eq'
      return true
    }
    return false
  }
  if (load.base === 'th') return takeTransport(rule, one, load.offset, load.length, mask, inverted)
  return false
}

function takeMeta(rule: IptablesRule, one: Comparison, key: string, mask: number | undefined): boolean {
  if (one.expr !== 'cmp' || (one.op !== 'eq' && one.op !== 'neq')) return false
  const inverted = one.op === 'neq'
  const { value } = one
  if (key === 'iifname' || key === 'oifname') {
    const name = String(value).replace(/\*$/, '+')
    if (name === 'INVAL/D') {
      if (key === 'iifname') [rule.in, rule.inInverted] = ['+', true]
      else [rule.out, rule.outInverted] = ['+', true]
    } else if (key === 'iifname') [rule.in, rule.inInverted] = [name, inverted]
    else [rule.out, rule.outInverted] = [name, inverted]
    return true
  }
  if (key === 'l4proto' && typeof value === 'number') {
    rule.protocol = value
    rule.protocolInverted = inverted
    return true
  }
  if (key === 'mark') {
    rule.matches.push({ name: 'mark', info: { mark: value, mask: mask ?? 0xffffffff, inverted } })
    return true
  }
  return false
}

/** Ports and flags belong to the match of the protocol, which is one however many expressions say it. */
function takeTransport(
  rule: IptablesRule,
  one: Comparison,
  offset: number,
  length: number,
  mask: number | undefined,
  inverted: boolean,
): boolean {
  const name = { 6: 'tcp', 17: 'udp' }[rule.protocol]
  if (name === undefined) return false
  let match = rule.matches.find((other) => other.name === name)
  if (!match) {
    match = { name, info: (name === 'tcp' ? noTcp() : noPorts()) as unknown as XtInfo }
    rule.matches.push(match)
  }
  const info = match.info as unknown as PortsInfo & TcpInfo
  if (offset === 13 && length === 1 && name === 'tcp' && one.expr === 'cmp') {
    info.flagsMask = mask ?? 0xff
    info.flagsCompare = one.value as number
    info.flagsInverted = inverted
    return true
  }
  if (length !== 2 || offset > 2 || mask !== undefined) return false
  const range = rangeOf(one)
  if (!range) return false
  if (offset === 0) [info.sport, info.sportInverted] = range
  else [info.dport, info.dportInverted] = range
  return true
}

function rangeOf(one: Comparison): [[number, number], boolean] | undefined {
  if (one.expr === 'range') return [[one.from as number, one.to as number], one.invert]
  const value = one.value as number
  switch (one.op) {
    case 'eq':
      return [[value, value], false]
    case 'neq':
      return [[value, value], true]
    case 'lte':
      return [[0, value], false]
    case 'gt':
      return [[0, value], true]
    case 'lt':
      return [[0, value - 1], false]
    case 'gte':
      return [[value, 65535], false]
  }
}

/** Whether two rules are the same, counters aside. */
export function sameRule(a: IptablesRule, b: IptablesRule): boolean {
  const key = ({ packets, bytes, ...rest }: IptablesRule) => stable(rest)
  return key(a) === key(b)
}

function stable(value: unknown): string {
  return JSON.stringify(value, (_key, one) =>
    one && typeof one === 'object' && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  )
}

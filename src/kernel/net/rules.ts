/**
 * `ip rule`: which table is asked for which packet. Linux 6.1 net/core/fib_rules.c, net/ipv4/fib_rules.c.
 */
import type { Errno, Host } from '#kernel/core'
import { deviceByName } from './devices.ts'
import { type FibResult, type Flow, RT_TABLE_DEFAULT, RT_TABLE_LOCAL, RT_TABLE_MAIN, signedMask } from './fib.ts'
import type { FibFailure } from './fib-info.ts'
import { tableLookup, tableOf } from './fib-lookup.ts'
import { newTable } from './fib-table.ts'
import { type InetState, inetState } from './ip-state.ts'
import type { NewFlags, RuleAction, RuleFields, RuleMessage } from './netlink.ts'

const RTPROT_UNSPEC = 0
const RTPROT_KERNEL = 2
const UID_MAX = 0xffffffff
/** Linux 6.1 net/ipv4/fib_rules.c: FIB_MAX_AUTO_TABLE_ID. */
const AUTO_TABLES = 4096

export interface FibRule {
  priority: number
  action: RuleAction
  table: number
  src: number
  srcPrefix: number
  dst: number
  dstPrefix: number
  tos: number
  iif: string | undefined
  oif: string | undefined
  mark: number
  mask: number
  goto: number
  target: FibRule | undefined
  invert: boolean
  /** -1: doesn't suppress. */
  suppressPrefixLength: number
  ipProtocol: number
  sourcePorts: [number, number] | undefined
  destinationPorts: [number, number] | undefined
  uidRange: [number, number] | undefined
  protocol: number
  /** The rule for the local table can't be removed. FIB_RULE_PERMANENT. */
  permanent: boolean
}

function tableRule(priority: number, table: number): FibRule {
  return {
    priority,
    action: 'table',
    table,
    src: 0,
    srcPrefix: 0,
    dst: 0,
    dstPrefix: 0,
    tos: 0,
    iif: undefined,
    oif: undefined,
    mark: 0,
    mask: 0,
    goto: 0,
    target: undefined,
    invert: false,
    suppressPrefixLength: -1,
    ipProtocol: 0,
    sourcePorts: undefined,
    destinationPorts: undefined,
    uidRange: undefined,
    protocol: RTPROT_KERNEL,
    permanent: false,
  }
}

/** A host's rules, a list of its own from now on. fib_default_rules_init(). */
function rulesOf(state: InetState): FibRule[] {
  state.rules ??= [tableRule(0, RT_TABLE_LOCAL), tableRule(0x7ffe, RT_TABLE_MAIN), tableRule(0x7fff, RT_TABLE_DEFAULT)]
  return state.rules
}

function inRange(port: number, range: [number, number] | undefined): boolean {
  return range === undefined || (port >= range[0] && port <= range[1])
}

function deviceMatches(host: Host, name: string | undefined, ifindex: number): boolean {
  return name === undefined || deviceByName(host, name)?.ifindex === ifindex
}

/** fib_rule_match(), fib4_rule_match(). */
function matches(host: Host, rule: FibRule, flow: Flow): boolean {
  const hit =
    deviceMatches(host, rule.iif, flow.iif) &&
    deviceMatches(host, rule.oif, flow.oif) &&
    ((rule.mark ^ flow.mark) & rule.mask) === 0 &&
    (rule.uidRange === undefined || inRange(flow.uid, rule.uidRange)) &&
    ((flow.src ^ rule.src) & signedMask(rule.srcPrefix)) === 0 &&
    ((flow.dst ^ rule.dst) & signedMask(rule.dstPrefix)) === 0 &&
    (rule.tos === 0 || rule.tos === flow.tos) &&
    (rule.ipProtocol === 0 || rule.ipProtocol === flow.protocol) &&
    inRange(flow.srcPort, rule.sourcePorts) &&
    inRange(flow.dstPort, rule.destinationPorts)
  return rule.invert ? !hit : hit
}

/** What a rule's action answers. undefined: found; 'EAGAIN': go on. fib4_rule_action(). */
function act(state: InetState, rule: FibRule, flow: Flow, result: FibResult, ignoreLink: boolean): Errno | undefined {
  if (rule.action === 'unreachable') return 'ENETUNREACH'
  if (rule.action === 'prohibit') return 'EACCES'
  if (rule.action !== 'table') return 'EINVAL'
  const table = tableOf(state, rule.table)
  return table ? tableLookup(table, flow, result, ignoreLink) : 'EAGAIN'
}

/** Asks rule after rule. undefined: found. __fib_lookup(), fib_rules_lookup(). */
export function rulesLookup(host: Host, flow: Flow, result: FibResult, ignoreLink: boolean): Errno | undefined {
  const state = inetState.of(host)
  const rules = rulesOf(state)
  for (let i = 0; i < rules.length; i++) {
    let rule = rules[i]!
    let jumped = true
    while (jumped) {
      jumped = false
      if (!matches(host, rule, flow) || rule.action === 'nop') break
      if (rule.action === 'goto') {
        if (!rule.target) break
        rule = rule.target
        i = rules.indexOf(rule)
        jumped = true
        continue
      }
      const error = act(state, rule, flow, result, ignoreLink)
      if (error === undefined && result.prefix <= rule.suppressPrefixLength) break
      if (error !== 'EAGAIN') return error
    }
  }
  return 'ENETUNREACH'
}

/** The priority of a rule that names none: just before the second one's. fib_default_rule_pref(). */
function defaultPriority(rules: FibRule[]): number {
  const second = rules[1]
  return second?.priority ? second.priority - 1 : 0
}

function failure(errno: Errno, extack?: string): FibFailure {
  return extack === undefined ? { ok: false, errno } : { ok: false, errno, extack }
}

function badRange(range: [number, number] | undefined): boolean {
  return range !== undefined && (range[0] === 0 || range[1] === 0 || range[1] < range[0] || range[1] > 65535)
}

/** A rule from a request, checked. fib_nl2rule(). */
function ruleOf(state: InetState, fields: RuleFields): FibRule | FibFailure {
  const priority = fields.priority ?? defaultPriority(rulesOf(state))
  const action = fields.action ?? (fields.goto !== undefined ? 'goto' : 'table')
  const mark = fields.fwmark ?? 0
  if (fields.goto !== undefined) {
    if (action !== 'goto') return failure('EINVAL', 'Unexpected goto')
    if (fields.goto <= priority) return failure('EINVAL', 'Backward goto not supported')
  } else if (action === 'goto') return failure('EINVAL', 'Missing goto target for action goto')
  const uids = fields.uidRange
  if (uids && (uids[0] > uids[1] || uids[1] > UID_MAX)) return failure('EINVAL', 'Invalid uid range')
  if (badRange(fields.sourcePorts)) return failure('EINVAL', 'Invalid sport range')
  if (badRange(fields.destinationPorts)) return failure('EINVAL', 'Invalid dport range')
  return {
    priority,
    action,
    table: fields.table ?? 0,
    src: fields.src ?? 0,
    srcPrefix: fields.srcPrefix ?? (fields.src === undefined ? 0 : 32),
    dst: fields.dst ?? 0,
    dstPrefix: fields.dstPrefix ?? (fields.dst === undefined ? 0 : 32),
    tos: fields.tos ?? 0,
    iif: fields.iif,
    oif: fields.oif,
    mark,
    mask: fields.fwmask ?? (mark ? 0xffffffff : 0),
    goto: fields.goto ?? 0,
    target: undefined,
    invert: fields.invert ?? false,
    suppressPrefixLength: fields.suppressPrefixLength ?? -1,
    ipProtocol: fields.ipProtocol ?? 0,
    sourcePorts: fields.sourcePorts,
    destinationPorts: fields.destinationPorts,
    uidRange: uids,
    protocol: (fields as RuleFields & { protocol?: number }).protocol ?? RTPROT_UNSPEC,
    permanent: false,
  }
}

const same = (a: [number, number] | undefined, b: [number, number] | undefined) =>
  a === b || (a !== undefined && b !== undefined && a[0] === b[0] && a[1] === b[1])

/** fib4_rule_compare(): what the request leaves out counts as equal. */
function addressesEqual(rule: FibRule, asked: FibRule): boolean {
  return (
    (!asked.srcPrefix || (rule.srcPrefix === asked.srcPrefix && rule.src === asked.src)) &&
    (!asked.dstPrefix || (rule.dstPrefix === asked.dstPrefix && rule.dst === asked.dst)) &&
    (!asked.tos || rule.tos === asked.tos)
  )
}

/** rule_exists(). */
function equal(rule: FibRule, asked: FibRule): boolean {
  return (
    rule.action === asked.action &&
    rule.table === asked.table &&
    rule.priority === asked.priority &&
    rule.iif === asked.iif &&
    rule.oif === asked.oif &&
    rule.mark === asked.mark &&
    rule.mask === asked.mask &&
    rule.suppressPrefixLength === asked.suppressPrefixLength &&
    rule.ipProtocol === asked.ipProtocol &&
    rule.protocol === asked.protocol &&
    same(rule.uidRange, asked.uidRange) &&
    same(rule.sourcePorts, asked.sourcePorts) &&
    same(rule.destinationPorts, asked.destinationPorts) &&
    addressesEqual(rule, asked)
  )
}

/** Adds a rule. undefined: done. fib_nl_newrule(), fib4_rule_configure(). */
export function addRule(host: Host, fields: RuleFields, flags: NewFlags): FibFailure | undefined {
  const state = inetState.of(host)
  const rule = ruleOf(state, fields)
  if ('ok' in rule) return rule
  const rules = rulesOf(state)
  if (flags.exclusive && rules.some((one) => equal(one, rule))) return failure('EEXIST')
  if (rule.tos & 3) return failure('EINVAL', 'Invalid dsfield (tos): ECN bits must be 0')
  if (rule.tos & ~0x1e) return failure('EINVAL', 'Invalid tos')
  if (rule.table === 0 && rule.action === 'table') {
    let id = 1
    while (id <= AUTO_TABLES && tableOf(state, id)) id++
    if (id > AUTO_TABLES) return failure('ENOBUFS')
    rule.table = newTable(state, id).id
  }
  state.customRules = true
  rule.target = rule.action === 'goto' ? rules.find((one) => one.priority === rule.goto) : undefined
  let at = rules.findIndex((one) => one.priority > rule.priority)
  if (at < 0) at = rules.length
  rules.splice(at, 0, rule)
  for (const one of rules) if (one.action === 'goto' && one.goto === rule.priority) one.target ??= rule
  state.net.generation++
  return undefined
}

/** Removes the first rule that has all that the request says. fib_nl_delrule(), rule_find(). */
export function deleteRule(host: Host, fields: RuleFields): FibFailure | undefined {
  const state = inetState.of(host)
  const asked = ruleOf(state, fields)
  if ('ok' in asked) return asked
  const rules = rulesOf(state)
  const at = rules.findIndex(
    (rule) =>
      (fields.action === undefined || rule.action === asked.action) &&
      (!asked.table || rule.table === asked.table) &&
      (fields.priority === undefined || rule.priority === asked.priority) &&
      (asked.iif === undefined || rule.iif === asked.iif) &&
      (asked.oif === undefined || rule.oif === asked.oif) &&
      (!asked.mark || rule.mark === asked.mark) &&
      (!asked.mask || rule.mask === asked.mask) &&
      (asked.suppressPrefixLength === -1 || rule.suppressPrefixLength === asked.suppressPrefixLength) &&
      (!asked.ipProtocol || rule.ipProtocol === asked.ipProtocol) &&
      (!asked.protocol || rule.protocol === asked.protocol) &&
      (!asked.uidRange || same(rule.uidRange, asked.uidRange)) &&
      (!asked.sourcePorts || same(rule.sourcePorts, asked.sourcePorts)) &&
      (!asked.destinationPorts || same(rule.destinationPorts, asked.destinationPorts)) &&
      addressesEqual(rule, asked),
  )
  if (at < 0) return failure('ENOENT')
  const rule = rules[at]!
  if (rule.permanent) return failure('EPERM')
  state.customRules = true
  rules.splice(at, 1)
  const next = rules[at]?.priority === rule.priority ? rules[at] : undefined
  for (const one of rules) if (one.target === rule) one.target = next
  state.net.generation++
  return undefined
}

/** All rules, as a dump gives them. */
export function dumpRules(host: Host): RuleMessage[] {
  return rulesOf(inetState.of(host)).map((rule) => {
    const message: RuleMessage = {
      type: 'RTM_NEWRULE',
      family: 'AF_INET',
      priority: rule.priority,
      action: rule.action,
      protocol: rule.protocol,
    }
    if (rule.action === 'table') message.table = rule.table
    if (rule.srcPrefix) Object.assign(message, { src: rule.src, srcPrefix: rule.srcPrefix })
    if (rule.dstPrefix) Object.assign(message, { dst: rule.dst, dstPrefix: rule.dstPrefix })
    if (rule.tos) message.tos = rule.tos
    if (rule.iif !== undefined) {
      message.iif = rule.iif
      if (!deviceByName(host, rule.iif)) message.iifDetached = true
    }
    if (rule.oif !== undefined) {
      message.oif = rule.oif
      if (!deviceByName(host, rule.oif)) message.oifDetached = true
    }
    if (rule.mark || rule.mask) Object.assign(message, { fwmark: rule.mark, fwmask: rule.mask })
    if (rule.action === 'goto') {
      message.goto = rule.goto
      if (!rule.target) message.unresolved = true
    }
    if (rule.invert) message.invert = true
    if (rule.suppressPrefixLength >= 0) message.suppressPrefixLength = rule.suppressPrefixLength
    if (rule.ipProtocol) message.ipProtocol = rule.ipProtocol
    if (rule.sourcePorts) message.sourcePorts = rule.sourcePorts
    if (rule.destinationPorts) message.destinationPorts = rule.destinationPorts
    if (rule.uidRange) message.uidRange = rule.uidRange
    return message
  })
}

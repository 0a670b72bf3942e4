/** `ip rule`. iproute2 6.1 ip/iprule.c */
import { NotModelled } from '#base/check'
import type { Rule6Request, RuleAction, RuleFields, RuleMessage, RuleRequest } from '#kernel/net'
import { ruleHelp } from './help.ts'
import { addressOf, type IpAddress, prefix } from './prefix.ts'
import { ipProtocolName, parseIpProtocol } from './route-change.ts'
import type { Session } from './session.ts'
import { abbreviates, EXIT_USAGE, parseUnsigned, Refusal, unsigned, type Words, wrongArgument } from './words.ts'

const RT_TABLE_MAIN = 254
const RTPROT_KERNEL = 2

/** A rule of either family. */
export type ShownRule = Omit<RuleMessage, 'family' | 'src' | 'dst'> & {
  family: 'AF_INET' | 'AF_INET6'
  src?: IpAddress
  dst?: IpAddress
}

/** One rule. */
export function showRule(session: Session, rule: ShownRule): void {
  const { out, names, options } = session
  out.openObject()
  out.field('priority', rule.priority, `${rule.priority}:\t`)
  if (rule.invert) out.field('not', null, 'not ')
  const range = (key: 'src' | 'dst', lead: string, address: IpAddress | undefined, length: number) => {
    const text = address === undefined ? '0' : session.host(address)
    out.field(key, text, `${lead} ${text}`)
    if (length !== (rule.family === 'AF_INET6' ? 128 : 32)) out.field(`${key}len`, length, `/${length}`)
  }
  if (rule.srcPrefix) range('src', 'from', rule.src, rule.srcPrefix)
  else out.field('src', 'all', 'from all')
  if (rule.dstPrefix) range('dst', ' to', rule.dst, rule.dstPrefix)
  if (rule.tos) out.field('tos', names.dsfield(rule.tos), ` tos ${names.dsfield(rule.tos)}`)
  if (rule.fwmark !== undefined || rule.fwmask !== undefined) {
    const mark = hexadecimal(rule.fwmark ?? 0)
    out.field('fwmark', mark, ` fwmark ${mark}`)
    if (rule.fwmask !== undefined && rule.fwmask !== 0xffffffff) {
      out.field('fwmask', hexadecimal(rule.fwmask), `/${hexadecimal(rule.fwmask)}`)
    }
  }
  if (rule.iif !== undefined) {
    out.field('iif', rule.iif, ` iif ${rule.iif}`)
    if (rule.iifDetached) out.field('iif_detached', null, ' [detached]')
  }
  if (rule.oif !== undefined) {
    out.field('oif', rule.oif, ` oif ${rule.oif}`)
    if (rule.oifDetached) out.field('oif_detached', null, ' [detached]')
  }
  if (rule.uidRange) {
    out.field('uid_start', rule.uidRange[0], ` uidrange ${rule.uidRange[0]}`)
    out.field('uid_end', rule.uidRange[1], `-${rule.uidRange[1]}`)
  }
  if (rule.ipProtocol !== undefined) {
    out.field('ipproto', ipProtocolName(rule.ipProtocol), ` ipproto ${ipProtocolName(rule.ipProtocol)}`)
  }
  showPorts(session, 'sport', rule.sourcePorts)
  showPorts(session, 'dport', rule.destinationPorts)
  if (rule.table) {
    out.field('table', names.table(rule.table), ` lookup ${names.table(rule.table)}`)
    const suppress = rule.suppressPrefixLength
    if (suppress !== undefined && suppress >= 0) {
      out.field('suppress_prefixlen', suppress, ` suppress_prefixlength ${suppress}`)
    }
  }
  if (rule.action === 'goto') {
    out.field('goto', rule.goto ?? 'none', ` goto ${rule.goto ?? 'none'}`)
    if (rule.unresolved) out.field('unresolved', null, ' [unresolved]')
  } else if (rule.action === 'nop') out.field('nop', null, ' nop')
  else if (rule.action !== 'table') out.field('action', rule.action, ` ${rule.action}`)
  if ((rule.protocol && rule.protocol !== RTPROT_KERNEL) || options.details) {
    const protocol = names.protocol(rule.protocol)
    out.field('protocol', protocol, ` proto ${protocol}`)
  }
  out.text('\n')
  out.close()
}

/** printf's %#x: a zero has no 0x. */
function hexadecimal(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`
}

function showPorts({ out }: Session, key: 'sport' | 'dport', ports: [number, number] | undefined): void {
  if (!ports) return
  if (ports[0] === ports[1]) out.field(key, ports[0], ` ${key} ${ports[0]}`)
  else {
    out.field(`${key}_start`, ports[0], ` ${key} ${ports[0]}`)
    out.field(`${key}_end`, ports[1], `-${ports[1]}`)
  }
}

/** `ip rule list`, and `flush`, which takes the same words and leaves rule 0. */
export function listRules(session: Session, words: Words, flush: boolean): number {
  const { options, out } = session
  const filter = parseSelector(session, words, true)
  const request = options.family === 'inet6' ? { type: 'RTM_GETRULE', family: 'AF_INET6' } : { type: 'RTM_GETRULE' }
  const rules = session.ask<ShownRule>(request as RuleRequest).filter((rule) => ruleMatches(filter, rule))
  if (flush) {
    for (const rule of rules) {
      if (filter.protocol !== undefined && rule.protocol !== filter.protocol) continue
      // The rule of priority 0 carries no priority in its message, and so is never asked to go.
      if (rule.priority !== 0) session.ask({ ...rule, type: 'RTM_DELRULE' } as RuleRequest)
    }
    return 0
  }
  out.begin(options.json)
  for (const rule of rules) showRule(session, rule)
  out.end()
  return 0
}

type Selector = Partial<Omit<RuleFields, 'family' | 'src' | 'dst'>> & {
  src?: IpAddress
  dst?: IpAddress
  /** An address that was written settles it. */
  six?: boolean
}

function ruleMatches(filter: Selector, rule: ShownRule): boolean {
  if (filter.priority !== undefined && filter.priority !== rule.priority) return false
  if (filter.invert && !rule.invert) return false
  const src = filter.srcPrefix !== undefined && filter.src !== undefined
  if (src && (filter.src !== (rule.src ?? 0) || filter.srcPrefix !== (rule.srcPrefix ?? 0))) return false
  const dst = filter.dstPrefix !== undefined && filter.dst !== undefined
  if (dst && (filter.dst !== (rule.dst ?? 0) || filter.dstPrefix !== (rule.dstPrefix ?? 0))) return false
  if (filter.tos !== undefined && filter.tos !== (rule.tos ?? 0)) return false
  if (filter.fwmark !== undefined && filter.fwmark !== (rule.fwmark ?? 0)) return false
  if (filter.fwmask !== undefined && filter.fwmask !== (rule.fwmask ?? 0)) return false
  if (filter.iif !== undefined && filter.iif !== rule.iif) return false
  if (filter.oif !== undefined && filter.oif !== rule.oif) return false
  if (filter.ipProtocol !== undefined && filter.ipProtocol !== rule.ipProtocol) return false
  const sameRange = (a: [number, number] | undefined, b: [number, number] | undefined) =>
    !a || (b !== undefined && a[0] === b[0] && a[1] === b[1])
  if (!sameRange(filter.uidRange, rule.uidRange) || !sameRange(filter.sourcePorts, rule.sourcePorts)) return false
  if (!sameRange(filter.destinationPorts, rule.destinationPorts)) return false
  return filter.table === undefined || filter.table === rule.table
}

const ACTIONS: Record<string, RuleAction> = {
  blackhole: 'blackhole',
  unreachable: 'unreachable',
  prohibit: 'prohibit',
}

/** The words of a rule. A list takes a bare prefix as its destination, a change a bare word as its action. */
function parseSelector(session: Session, words: Words, listing: boolean): Selector & { given?: boolean } {
  const { names, options } = session
  const rule: Selector = {}
  const family = listing && options.family === 'any' ? 'inet' : options.family
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'not') rule.invert = true
    else if (word === 'from' || (listing && (abbreviates(word, 'from') || abbreviates(word, 'src')))) {
      const from = prefix(words.value(), family)
      rule.srcPrefix = from.length
      if (from.hasAddress) rule.src = addressOf(from)
      rule.six ||= from.family === 'inet6'
    } else if (!listing && word === 'to') takeDestination(words.value())
    else if (abbreviates(word, 'preference') || abbreviates(word, 'order') || abbreviates(word, 'priority')) {
      rule.priority = unsigned(words.value(), 'preference value is invalid\n')
    } else if (word === 'tos' || abbreviates(word, 'dsfield')) {
      rule.tos = names.parseDsfield(words.value())
      if (rule.tos === undefined) throw wrongArgument(words.current, 'TOS value is invalid\n')
    } else if (word === 'fwmark') parseMark(rule, words.value())
    else if (abbreviates(word, 'realms') || abbreviates(word, 'tun_id') || word === 'l3mdev') {
      throw new NotModelled(`ip rule: ${word}`)
    } else if (abbreviates(word, 'protocol')) {
      rule.protocol = names.parseProtocol(words.value())
      if (rule.protocol === undefined && !(listing && words.current === 'all')) {
        throw wrongArgument(words.current, listing ? 'invalid "protocol"\n' : '"protocol" value is invalid\n')
      }
    } else if (abbreviates(word, 'table') || word === 'lookup' || (listing && abbreviates(word, 'lookup'))) {
      rule.table = names.parseTable(words.value())
      if (rule.table === undefined) {
        throw wrongArgument(words.current, listing ? 'table id value is invalid\n' : 'invalid table ID\n')
      }
      if (!listing) rule.action ??= 'table'
    } else if (!listing && (abbreviates(word, 'suppress_prefixlength') || word === 'sup_pl')) {
      rule.suppressPrefixLength = unsigned(words.value(), 'suppress_prefixlength value is invalid\n', 0x7fffffff)
    } else if (!listing && (abbreviates(word, 'suppress_ifgroup') || word === 'sup_group')) {
      throw new NotModelled('ip rule: suppress_ifgroup')
    } else if (word === 'dev' || word === 'iif')
      rule.iif = interfaceName(words.value(), '"iif"/"dev" not a valid ifname')
    else if (word === 'oif') rule.oif = interfaceName(words.value(), '"oif" not a valid ifname')
    else if (word === 'uidrange') rule.uidRange = parseRange(words.value(), /^(\d+)-(\d+)/, 'invalid UID range\n')
    else if (word === 'ipproto') rule.ipProtocol = parseIpProtocol(words.value())
    else if (word === 'sport') rule.sourcePorts = parseRange(words.value(), PORTS, 'invalid port range\n')
    else if (word === 'dport') {
      rule.destinationPorts = parseRange(
        words.value(),
        PORTS,
        listing ? 'invalid dport range\n' : 'invalid port range\n',
      )
    } else if (!listing && (word === 'nat' || abbreviates(word, 'map-to'))) throw new NotModelled('NAT by rules')
    else if (listing) {
      if (abbreviates(word, 'dst') || abbreviates(word, 'to')) words.value()
      takeDestination(words.current)
    } else {
      if (word === 'type') words.value()
      if (abbreviates(words.current, 'help')) throw new Refusal(ruleHelp, EXIT_USAGE)
      if (abbreviates(words.current, 'goto')) {
        rule.action = 'goto'
        rule.goto = unsigned(words.value(), 'invalid target\n')
      } else if (abbreviates(words.current, 'nop')) rule.action = 'nop'
      else {
        rule.action = ACTIONS[words.current]
        if (!rule.action) throw wrongArgument(words.current, 'Failed to parse rule type')
      }
    }
  }
  return rule

  function takeDestination(word: string): void {
    const to = prefix(word, family)
    rule.dstPrefix = to.length
    if (to.hasAddress) rule.dst = addressOf(to)
    rule.six ||= to.family === 'inet6'
  }
}

const PORTS = /^(\d+)(?:-(\d+))?/

function parseRange(word: string, form: RegExp, why: string): [number, number] {
  const match = form.exec(word)
  if (!match) throw wrongArgument(word, why)
  const first = Number(match[1])
  return [first, match[2] === undefined ? first : Number(match[2])]
}

function parseMark(rule: Selector, word: string): void {
  const slash = word.indexOf('/')
  const mark = slash < 0 ? word : word.slice(0, slash)
  rule.fwmark = parseUnsigned(mark)
  if (rule.fwmark === undefined) throw wrongArgument(mark, 'fwmark value is invalid\n')
  if (slash >= 0) rule.fwmask = unsigned(word.slice(slash + 1), 'fwmask value is invalid\n')
}

function interfaceName(name: string, why: string): string {
  if (name === '' || name.length >= 16 || /[/\s]/.test(name)) throw wrongArgument(name, why)
  return name
}

/** `ip rule add` and `del`. */
export function changeRule(session: Session, words: Words, adding: boolean): number {
  if (!words.more) throw new Refusal(`"ip rule ${adding ? 'add' : 'del'}" requires arguments.\n`, 1)
  const { six, ...rule } = parseSelector(session, words, false)
  if (adding) {
    rule.action ??= 'table'
    if (rule.action === 'table') rule.table ??= RT_TABLE_MAIN
  }
  const fields = { ...rule, family: six || session.options.family === 'inet6' ? 'AF_INET6' : 'AF_INET' }
  const request = adding
    ? { type: 'RTM_NEWRULE', ...fields, create: true, exclusive: true }
    : { type: 'RTM_DELRULE', ...fields }
  session.ask(request as RuleRequest | Rule6Request)
  return 0
}

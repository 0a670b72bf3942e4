/**
 * A rule as arptables thinks of it, its two ways into nf_tables expressions and back, and how it is printed. ARP's header
 * has no room for more than Ethernet and IPv4 here, as arptables-nft says. iptables 1.8.9 iptables/nft-arp.c.
 */
import { NotModelled } from '#base/check'
import { formatIpv4 } from '#wire/inet'
import { formatMac } from '#wire/link'
import type { Expression, Load } from '../expressions.ts'
import type { RuleMessage } from '../messages.ts'
import { maskText } from '../xt/words.ts'
import { formatMangle, type MangleInfo } from './mangle.ts'

interface Matched {
  value: number
  inverted: boolean
}

export interface ArpRule {
  in: string
  inInverted: boolean
  out: string
  outInverted: boolean
  source: Matched & { mask: number }
  target: Matched & { mask: number }
  sourceMac: Matched | undefined
  targetMac: Matched | undefined
  opcode: Matched | undefined
  /** ARPHRD_*: Ethernet unless said otherwise. */
  hardware: Matched
  protocol: Matched | undefined
  jump: { verdict: string } | { chain: string } | { mangle: MangleInfo } | undefined
  packets: number
  bytes: number
}

const ETHERNET = 1

export function emptyRule(): ArpRule {
  return {
    in: '',
    inInverted: false,
    out: '',
    outInverted: false,
    source: { value: 0, mask: 0, inverted: false },
    target: { value: 0, mask: 0, inverted: false },
    sourceMac: undefined,
    targetMac: undefined,
    opcode: undefined,
    hardware: { value: ETHERNET, inverted: false },
    protocol: undefined,
    jump: undefined,
    packets: 0,
    bytes: 0,
  }
}

/** Names of operations, as they are printed without -n. */
export const OPERATIONS = [
  'Request',
  'Reply',
  'Request_Reverse',
  'Reply_Reverse',
  'DRARP_Request',
  'DRARP_Reply',
  'DRARP_Error',
  'InARP_Request',
  'ARP_NAK',
]

const header = (offset: number, length: number): Load => ({ load: 'payload', base: 'nh', offset, length })

function compared(offset: number, length: number, matched: Matched | undefined): Expression[] {
  if (!matched) return []
  return [{ expr: 'cmp', load: header(offset, length), op: matched.inverted ? 'neq' : 'eq', value: matched.value }]
}

function device(key: 'iifname' | 'oifname', name: string, inverted: boolean): Expression[] {
  if (name === '' || name === '+') return []
  const value = name.endsWith('+') ? `${name.slice(0, -1)}*` : name
  return [{ expr: 'cmp', load: { load: 'meta', key }, op: inverted ? 'neq' : 'eq', value }]
}

/** Whole bytes of a prefix are loaded alone; a mask in between takes a bitwise and. */
function addressed(offset: number, { value, mask, inverted }: ArpRule['source']): Expression[] {
  if (mask === 0) return []
  const op = inverted ? 'neq' : 'eq'
  const bytes = { [0xff000000]: 1, [0xffff0000]: 2, [0xffffff00]: 3, [0xffffffff]: 4 }[mask]
  if (bytes !== undefined) return [{ expr: 'cmp', load: header(offset, bytes), op, value: value >>> (32 - 8 * bytes) }]
  return [
    { expr: 'cmp', load: { load: 'bitwise', of: header(offset, 4), mask, xor: 0 }, op, value: (value & mask) >>> 0 },
  ]
}

/** A rule as expressions. nft_arp_add(). */
export function toExpressions(rule: ArpRule): Expression[] {
  const all: Expression[] = [
    ...device('iifname', rule.in, rule.inInverted),
    ...device('oifname', rule.out, rule.outInverted),
    ...compared(0, 2, rule.hardware),
    ...compared(2, 2, rule.protocol),
    ...compared(4, 1, { value: 6, inverted: false }),
    ...compared(5, 1, { value: 4, inverted: false }),
    ...compared(6, 2, rule.opcode),
    ...compared(8, 6, rule.sourceMac),
    ...addressed(14, rule.source),
    ...compared(18, 6, rule.targetMac),
    ...addressed(24, rule.target),
    { expr: 'counter', packets: rule.packets, bytes: rule.bytes },
  ]
  const { jump } = rule
  if (!jump) return all
  if ('mangle' in jump) all.push({ expr: 'target', name: 'mangle', revision: 0, info: { ...jump.mangle } })
  else if ('chain' in jump) all.push({ expr: 'verdict', verdict: { code: 'jump', chain: jump.chain } })
  else all.push({ expr: 'verdict', verdict: { code: jump.verdict.toLowerCase() as 'accept' } })
  return all
}

/** The way back; undefined if arptables can't have said it. */
export function fromExpressions({ expressions }: Pick<RuleMessage, 'expressions'>): ArpRule | undefined {
  const rule = emptyRule()
  for (const one of expressions) {
    if (one.expr === 'counter') {
      rule.packets = one.packets
      rule.bytes = one.bytes
    } else if (one.expr === 'verdict') {
      const { code, chain } = one.verdict
      if (code === 'jump') rule.jump = { chain: chain! }
      else rule.jump = { verdict: code.toUpperCase() }
    } else if (one.expr === 'target' && one.name === 'mangle') {
      rule.jump = { mangle: one.info as unknown as MangleInfo }
    } else if (one.expr !== 'cmp' || !readCompared(rule, one)) return undefined
  }
  return rule
}

function readCompared(rule: ArpRule, { load, op, value }: Expression & { expr: 'cmp' }): boolean {
  const inverted = op === 'neq'
  if (!inverted && op !== 'eq') return false
  if (load.load === 'meta' && typeof value === 'string') {
    const name = value.endsWith('*') ? `${value.slice(0, -1)}+` : value
    if (load.key === 'iifname') Object.assign(rule, { in: name, inInverted: inverted })
    else if (load.key === 'oifname') Object.assign(rule, { out: name, outInverted: inverted })
    else return false
    return true
  }
  if (typeof value !== 'number') return false
  let payload = load
  let mask = 0xffffffff
  if (load.load === 'bitwise') {
    payload = load.of
    mask = load.mask
  }
  if (payload.load !== 'payload' || payload.base !== 'nh') return false
  const { offset, length } = payload
  const matched = { value, inverted }
  if (offset === 14 || offset === 24) {
    const shift = 2 ** (32 - 8 * length)
    const whole = { value: value * shift, inverted, mask: length === 4 ? mask : (0xffffffff * shift) >>> 0 }
    if (offset === 14) rule.source = whole
    else rule.target = whole
    return true
  }
  if (offset === 0) rule.hardware = matched
  else if (offset === 2) rule.protocol = matched
  else if (offset === 6) rule.opcode = matched
  else if (offset === 8) rule.sourceMac = matched
  else if (offset === 18) rule.targetMac = matched
  return true
}

/** Whether two rules say the same, whatever they have counted. */
export function sameRule(a: ArpRule, b: ArpRule): boolean {
  const text = (rule: ArpRule) => JSON.stringify({ ...rule, packets: 0, bytes: 0 })
  return text(a) === text(b)
}

export interface PrintOptions {
  numeric: boolean
  verbose: boolean
  /** A host's name, for who didn't ask for numbers. */
  addressName(address: number): string
}

/** A rule's words, as -L and -S have them. nft_arp_print_rule_details(). */
export function formatRule(rule: ArpRule, { numeric, verbose, addressName }: PrintOptions): string {
  const words: string[] = []
  const { jump } = rule
  const not = (inverted: boolean) => (inverted ? '! ' : '')
  if (jump) words.push(`-j ${'mangle' in jump ? 'mangle' : 'chain' in jump ? jump.chain : jump.verdict}`)
  const any = numeric ? '*' : 'any'
  if (rule.in !== '') words.push(`${not(rule.inInverted)}-i ${rule.in}`)
  else if (verbose) words.push(`-i ${any}`)
  if (rule.out !== '') words.push(`${not(rule.outInverted)}-o ${rule.out}`)
  else if (verbose) words.push(`-o ${any}`)
  const address = (option: string, { value, mask, inverted }: ArpRule['source']) => {
    if (mask === 0) return
    const text = numeric || mask !== 0xffffffff ? formatIpv4(value) : addressName(value)
    words.push(`${not(inverted)}${option} ${text}${maskText(mask)}`)
  }
  const mac = (option: string, matched: Matched | undefined) => {
    if (matched) words.push(`${not(matched.inverted)}${option} ${formatMac(matched.value)}`)
  }
  address('-s', rule.source)
  mac('--src-mac', rule.sourceMac)
  address('-d', rule.target)
  mac('--dst-mac', rule.targetMac)
  if (rule.opcode) {
    const { value, inverted } = rule.opcode
    words.push(`${not(inverted)}--opcode ${(numeric ? undefined : OPERATIONS[value - 1]) ?? value}`)
  }
  if (rule.hardware.value !== ETHERNET || rule.hardware.inverted) {
    words.push(`${not(rule.hardware.inverted)}--h-type ${rule.hardware.value}`)
  }
  if (rule.protocol) {
    const { value, inverted } = rule.protocol
    words.push(`${not(inverted)}--proto-type ${!numeric && value === 0x800 ? 'IPv4' : `0x${value.toString(16)}`}`)
  }
  if (jump && 'mangle' in jump) words.push(formatMangle(jump.mangle, numeric, addressName))
  return words.join(' ')
}

/** A mask on a MAC address: the real tool takes it, and forgets it when it prints. */
export function wholeMac(mask: string | undefined): void {
  if (mask !== undefined) throw new NotModelled('arptables: masks of hardware addresses')
}

/**
 * Statements of a rule: read first, so that every mistake of grammar is found, then turned into expressions with what they
 * depend on (`tcp dport` asks for the protocol first). nftables 1.0.6 src/parser_bison.y, evaluate.c, payload.c, netlink_linearize.c.
 */
import { NotModelled } from '#base/check'
import { maskOf } from '#wire/inet'
import {
  type CompareOp,
  type Expression,
  type Family,
  type Load,
  NAT_FULLY_RANDOM,
  NAT_PERSISTENT,
  NAT_RANDOM,
  type Value,
  type Verdict,
} from '../expressions.ts'
import type { ElementSpec, NftCommand } from '../messages.ts'
import type { SetSpec } from '../objects.ts'
import { BARE_META, CT, findField, HEADERS, loadOf, META, TCP_OPTIONS } from './fields.ts'
import { NftFault, type Place, type Token } from './lexer.ts'
import {
  bytesOf,
  type DataType,
  ICMP_CODES,
  ICMPV6_CODES,
  ICMPX_CODES,
  integerType,
  PROTOCOLS,
  parseTime,
  parseValue,
  TYPES,
  type TypeSurroundings,
} from './types.ts'

/** Something that stands on the right: a word, a range, a list, a set. */
export type Right =
  | { kind: 'word'; text: string; place: Place; quoted: boolean }
  | { kind: 'range'; from: Right; to: Right; place: Place }
  | { kind: 'prefix'; address: Right; length: number; place: Place }
  | { kind: 'list'; items: Right[]; place: Place }
  | { kind: 'mask'; value: Right; mask: Right; place: Place }
  | { kind: 'set'; elements: ElementAst[]; place: Place }
  | { kind: 'ref'; name: string; place: Place }
  | { kind: 'expr'; term: Term; place: Place }

export interface ElementAst {
  key: Right[]
  data?: Right[]
  verdict?: Verdict
  verdictPlace?: Place
  comment?: string
  timeoutMs?: number
  expiresMs?: number
  exprs?: Expression[]
  place: Place
}

/** Something that stands on the left. */
export interface Term {
  place: Place
  build(e: RuleEval): Built
}

export interface Built {
  load: Load
  type: DataType
  shift: number
  /** The bits of the field, when it lies within bytes. */
  mask?: number
  /** A proto key: `meta l4proto`, `ip protocol`. */
  tells?: 'l4' | 'nfproto'
}

export type Statement = (e: RuleEval) => void

/** What evaluation knows while it goes through a rule. */
export class RuleEval {
  readonly family: Family
  readonly table: string
  readonly around: TypeSurroundings
  readonly expressions: Expression[] = []
  /** Sets that the rule brings with it. */
  readonly commands: NftCommand[] = []
  readonly sets: (name: string) => SetSpec | undefined
  readonly newId: () => number
  /** Where each chain's name stands. */
  readonly chainPlaces = new Map<string, Place>()
  l4: number | undefined
  l3: 'ip' | 'ip6' | undefined
  l3Said = false
  comment: string | undefined

  constructor(
    family: Family,
    table: string,
    around: TypeSurroundings,
    sets: (name: string) => SetSpec | undefined,
    newId: () => number,
  ) {
    this.family = family
    this.table = table
    this.around = around
    this.sets = sets
    this.newId = newId
    if (family === 'ip' || family === 'ip6') {
      this.l3 = family
      this.l3Said = true
    }
  }

  /** Asks for the network protocol, if the table's family leaves it open. */
  needNetwork(which: 'ip' | 'ip6', place: Place): void {
    if (this.l3 !== undefined && this.l3 !== which) {
      throw new NftFault(`conflicting protocols specified: ${this.l3} vs. ${which}`, place)
    }
    this.l3 = which
    if (this.l3Said) return
    this.l3Said = true
    this.expressions.push({
      expr: 'cmp',
      load: { load: 'meta', key: 'nfproto' },
      op: 'eq',
      value: which === 'ip' ? 2 : 10,
    })
  }

  /** Asks for the transport protocol, unless the rule has said it. */
  needTransport(protocol: number, name: string, place: Place): void {
    if (this.l4 !== undefined) {
      if (this.l4 !== protocol) {
        const other = PROTOCOLS.find(([, number]) => number === this.l4)?.[0] ?? String(this.l4)
        throw new NftFault(`conflicting protocols specified: ${other} vs. ${name}`, place)
      }
      return
    }
    this.l4 = protocol
    this.expressions.push({ expr: 'cmp', load: { load: 'meta', key: 'l4proto' }, op: 'eq', value: protocol })
  }
}

export function fieldTerm(header: string, name: string, place: Place): Term {
  return {
    place,
    build(e) {
      const found = findField(header, name)!
      if (header === 'ip' || header === 'ip6') e.needNetwork(header, place)
      else if (header === 'icmp' || header === 'igmp') {
        if (e.family === 'inet') e.needNetwork('ip', place)
        e.needTransport(found.header.protocol!, header, place)
      } else if (header === 'icmpv6') {
        if (e.family === 'inet') e.needNetwork('ip6', place)
        e.needTransport(58, 'icmpv6', place)
      } else if (found.header.protocol !== undefined) e.needTransport(found.header.protocol, header, place)
      const { load, mask, shift } = loadOf(found.header, found.field)
      const tells = header === 'ip' && name === 'protocol' ? { tells: 'l4' as const } : {}
      return { load, type: found.field.type, shift, ...(mask !== undefined && { mask }), ...tells }
    },
  }
}

function plainTerm(load: Load, type: DataType, place: Place, tells?: 'l4' | 'nfproto'): Term {
  return { place, build: () => ({ load, type, shift: 0, ...(tells && { tells }) }) }
}

/** The load of what was built, its own bits alone. */
function masked({ load, mask }: Built): Load {
  return mask === undefined ? load : { load: 'bitwise', of: load, mask, xor: 0 }
}

/** A word as a value, shifted to where the field is. */
function valueOf(right: Right, type: DataType, e: RuleEval): Value {
  if (right.kind !== 'word')
    throw new NftFault('Right hand side of relational expression must be constant', right.place)
  const value = parseValue(type, right.text, e.around)
  if (typeof value === 'object') throw new NftFault(value.error, right.place)
  return value
}

function numberOf(right: Right, type: DataType, e: RuleEval): number {
  if (right.kind === 'list') return right.items.reduce((sum, item) => (sum | numberOf(item, type, e)) >>> 0, 0)
  const value = valueOf(right, type, e)
  if (typeof value !== 'number') throw new NftFault('datatype mismatch', right.place)
  return value
}

/** The first and last value of a word, range or prefix. */
function bounds(right: Right, type: DataType, e: RuleEval): [Value, Value] {
  if (right.kind === 'range') {
    const from = valueOf(right.from, type, e)
    const to = valueOf(right.to, type, e)
    if (from > to) throw new NftFault('Range has zero or negative size', right.place)
    return [from, to]
  }
  if (right.kind === 'prefix' && type.name === 'ipv6_addr') {
    const address = String(valueOf(right.address, type, e))
    checkPrefix(right, type)
    return [fillHex(address, right.length, '0'), fillHex(address, right.length, '1')]
  }
  if (right.kind === 'prefix') {
    const address = numberOf(right.address, type, e)
    checkPrefix(right, type)
    const mask = right.length === 0 ? 0 : maskOf(right.length)
    return [(address & mask) >>> 0, (address | ~mask) >>> 0]
  }
  const value = valueOf(right, type, e)
  return [value, value]
}

function checkPrefix(right: Right & { kind: 'prefix' }, type: DataType): void {
  if (right.length > type.bits) {
    throw new NftFault(`Prefix length ${right.length} is invalid for type of ${type.bits} bits width`, right.place)
  }
  if (type.name !== 'ipv4_addr' && type.name !== 'ipv6_addr') throw new NotModelled(`nft: a prefix of ${type.name}`)
}

/** An address whose bits behind a prefix are all zeros or all ones. */
function fillHex(hex: string, length: number, bit: '0' | '1'): string {
  const bits = [...hex].map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, '0')).join('')
  const filled = bits.slice(0, length).padEnd(128, bit)
  return filled
    .match(/.{4}/g)!
    .map((nibble) => Number.parseInt(nibble, 2).toString(16))
    .join('')
}

/** Elements as the kernel takes them; whether any is an interval. */
export function buildElements(
  elements: ElementAst[],
  types: DataType[],
  dataTypes: DataType[] | undefined,
  e: RuleEval,
): { elements: ElementSpec[]; interval: boolean; places: Place[] } {
  let interval = false
  const built = elements.map((one): ElementSpec => {
    if (one.key.length !== types.length) {
      throw new NftFault('Unexpected concatenation components', one.place)
    }
    const pairs = one.key.map((part, i) => bounds(part, types[i]!, e))
    const ranged = one.key.some((part) => part.kind !== 'word')
    if (ranged) interval = true
    return {
      key: pairs.map(([from]) => from),
      ...(ranged && { end: pairs.map(([, to]) => to) }),
      ...(one.data &&
        dataTypes && { data: one.data.map((part, i) => valueOf(part, dataTypes[i] ?? dataTypes[0]!, e)) }),
      ...(one.verdict && { verdict: one.verdict }),
      ...(one.comment !== undefined && { comment: one.comment }),
      ...(one.timeoutMs !== undefined && { timeoutMs: one.timeoutMs }),
      ...(one.expiresMs !== undefined && { expiresMs: one.expiresMs }),
      ...(one.exprs && { exprs: one.exprs }),
    }
  })
  for (const one of elements)
    if (one.verdict?.chain && one.verdictPlace) e.chainPlaces.set(one.verdict.chain, one.place)
  return { elements: built, interval, places: elements.map(({ place }) => place) }
}

/** Joins intervals of one part that touch or overlap. set_automerge(). */
export function mergeIntervals(elements: ElementSpec[]): ElementSpec[] {
  if (
    elements.some(
      ({ key, data, verdict, end }) => key.length !== 1 || data || verdict || typeof (end ?? key)[0] !== 'number',
    )
  )
    return elements
  const sorted = [...elements].sort((a, b) => (a.key[0] as number) - (b.key[0] as number))
  const merged: ElementSpec[] = []
  for (const one of sorted) {
    const last = merged[merged.length - 1]
    const to = (one.end ?? one.key)[0] as number
    const lastTo = last && ((last.end ?? last.key)[0] as number)
    if (last && lastTo !== undefined && (one.key[0] as number) <= lastTo + 1) {
      if (to > lastTo) last.end = [to]
    } else merged.push({ ...one })
  }
  return merged
}

/** Makes an anonymous set and answers how rules name it. */
function anonymousSet(
  e: RuleEval,
  types: DataType[],
  ast: ElementAst[],
  data: { types?: DataType[]; verdict?: boolean } | undefined,
): string {
  const { elements, interval } = buildElements(ast, types, data?.types, e)
  const id = e.newId()
  const map = data !== undefined
  const spec: SetSpec = {
    family: e.family,
    table: e.table,
    name: map ? '__map%d' : '__set%d',
    keyType: types.map(({ name }) => name),
    keyLengths: types.map(bytesOf),
    ...(data && { dataType: data.verdict ? ['verdict'] : data.types!.map(({ name }) => name) }),
    flags: { anonymous: true, constant: true, ...(interval && { interval: true }), ...(map && { map: true }) },
  }
  e.commands.push({ cmd: 'newset', spec, id })
  const list = interval && types.length === 1 ? mergeIntervals(elements) : unique(elements)
  e.commands.push({ cmd: 'newelements', family: e.family, table: e.table, set: `#${id}`, elements: list })
  return `#${id}`
}

function unique(elements: ElementSpec[]): ElementSpec[] {
  const seen = new Set<string>()
  return elements.filter(({ key }) => {
    const text = key.join('\u0000')
    if (seen.has(text)) return false
    seen.add(text)
    return true
  })
}

/** A named set must be there and be of the right type. */
function namedSet(e: RuleEval, right: Right & { kind: 'ref' }, types: DataType[], left: Place): SetSpec {
  const spec = e.sets(right.name)
  if (!spec) throw new NftFault('No such file or directory', right.place)
  if (
    spec.keyType.length !== types.length ||
    spec.keyType.some((name, i) => name !== types[i]!.name && types[i]!.name !== 'integer')
  ) {
    const want = types.length > 1 ? `concatenation of (${types.map(describe).join(', ')})` : describe(types[0]!)
    const has =
      spec.keyType.length > 1
        ? `concatenation of (${spec.keyType.map((name) => describe(TYPES.get(name)!)).join(', ')})`
        : describe(TYPES.get(spec.keyType[0]!)!)
    throw new NftFault(`datatype mismatch, expected ${want}, expression has type ${has}`, right.place, left)
  }
  return spec
}

const DESCRIPTIONS: Record<string, string> = {
  ipv4_addr: 'IPv4 address',
  ipv6_addr: 'IPv6 address',
  ether_addr: 'Ethernet address',
  inet_service: 'internet network service',
  inet_proto: 'Internet protocol',
  mark: 'packet mark',
  ifname: 'network interface name',
  iface_index: 'network interface index',
  integer: 'integer',
}

function describe(type: DataType): string {
  return DESCRIPTIONS[type.name] ?? type.name
}

const OPS: Record<string, CompareOp> = { '==': 'eq', '!=': 'neq', '<': 'lt', '<=': 'lte', '>': 'gt', '>=': 'gte' }

/** `LEFT [op] RIGHT`. */
export function matchStatement(
  lefts: Term[],
  bits: { op: string; right: Right }[],
  op: string,
  right: Right,
): Statement {
  return (e) => {
    const built = lefts.map((term) => term.build(e))
    const left = spanning(lefts)
    const types = built.map(({ type }) => type)
    const invert = op === '!='
    if (right.kind === 'ref' || right.kind === 'set') {
      const of = built.map((one) => masked(one))
      const name =
        right.kind === 'ref'
          ? namedSet(e, right, types, left).name
          : anonymousSet(
              e,
              types.map((type, i) => shifted(type, built[i]!)),
              right.elements,
              undefined,
            )
      e.expressions.push({ expr: 'lookup', of, set: name, invert })
      return
    }
    if (built.length > 1) throw new NotModelled('nft: a concatenation compared with a single value')
    const one = built[0]!
    if (bits.length > 0) {
      compareBits(e, one, bits, op, right)
      return
    }
    compareOne(e, one, op, right)
  }
}

/** A field within a byte is looked up as it stands there. */
function shifted(type: DataType, _one: Built): DataType {
  return type
}

function spanning(lefts: Term[]): Place {
  const first = lefts[0]!.place
  return { ...first, to: lefts[lefts.length - 1]!.place.to }
}

/** `& MASK`, `| BITS`, `^ BITS` as mask and xor. */
function bitOps(e: RuleEval, type: DataType, bits: { op: string; right: Right }[], of: Load): Load {
  let load = of
  let mask = 0xffffffff
  let xor = 0
  for (const { op, right } of bits) {
    const value = numberOf(right, type, e)
    if (op === '&') {
      mask = (mask & value) >>> 0
      xor = (xor & value) >>> 0
    } else if (op === '^') xor = (xor ^ value) >>> 0
    else if (op === '|') {
      mask = (mask & ~value) >>> 0
      xor = (xor | value) >>> 0
    } else load = { load: 'shift', of: load, left: op === '<<', bits: value }
  }
  const full = 2 ** Math.min(32, type.bits) - 1
  mask = (mask & full) >>> 0
  return mask === full && xor === 0 ? load : { load: 'bitwise', of: load, mask, xor }
}

function compareBits(e: RuleEval, one: Built, bits: { op: string; right: Right }[], op: string, right: Right): void {
  const load = bitOps(e, one.type, bits, one.load)
  const value = numberOf(right, one.type, e)
  const compare = op === '' ? 'eq' : OPS[op]!
  e.expressions.push({ expr: 'cmp', load, op: compare, value })
}

function compareOne(e: RuleEval, one: Built, op: string, right: Right): void {
  const { type } = one
  const place = (value: Value): Value => (typeof value === 'number' ? value * 2 ** one.shift : value)
  const load = masked(one)
  if (right.kind === 'mask') {
    const mask = numberOf(right.mask, type, e)
    const value = numberOf(right.value, type, e)
    e.expressions.push({
      expr: 'cmp',
      load: { load: 'bitwise', of: one.load, mask, xor: 0 },
      op: op === '!=' ? 'neq' : 'eq',
      value,
    })
    return
  }
  if (right.kind === 'list' || (type.flags && (op === '' || op === '!') && right.kind === 'word')) {
    const mask = numberOf(right, type, e)
    const wanted = op === '!=' || op === '!' ? 'eq' : 'neq'
    e.expressions.push({ expr: 'cmp', load: { load: 'bitwise', of: one.load, mask, xor: 0 }, op: wanted, value: 0 })
    return
  }
  if (right.kind === 'range') {
    const [from, to] = bounds(right, type, e)
    if (op === '!=') e.expressions.push({ expr: 'range', load, invert: true, from: place(from), to: place(to) })
    else {
      e.expressions.push({ expr: 'cmp', load, op: 'gte', value: place(from) })
      e.expressions.push({ expr: 'cmp', load, op: 'lte', value: place(to) })
    }
    return
  }
  const compare = op === '' ? 'eq' : OPS[op]
  if (compare === undefined) throw new NftFault('syntax error', right.place)
  if (right.kind === 'prefix') {
    const [from] = bounds(right, type, e)
    if (typeof from === 'string') {
      comparePrefix6(e, one, compare, from, right)
      return
    }
    const aligned = right.length % 8 === 0 && right.length > 0 && one.load.load === 'payload'
    if (aligned && one.load.load === 'payload') {
      const length = right.length / 8
      e.expressions.push({
        expr: 'cmp',
        load: { ...one.load, length },
        op: compare,
        value: (from as number) >>> (32 - right.length),
      })
    } else {
      const mask = right.length === 0 ? 0 : maskOf(right.length)
      e.expressions.push({
        expr: 'cmp',
        load: { load: 'bitwise', of: one.load, mask, xor: 0 },
        op: compare,
        value: from,
      })
    }
    return
  }
  let value = valueOf(right, type, e)
  if (one.load.load === 'tcpopt' && one.load.present && compare === 'neq') value = value === 1 ? 0 : 1
  e.expressions.push({ expr: 'cmp', load, op: compare, value: place(value) })
  if (one.tells === 'l4' && compare === 'eq' && typeof value === 'number') e.l4 ??= value
  if (one.tells === 'nfproto' && compare === 'eq') {
    e.l3 = value === 2 ? 'ip' : 'ip6'
    e.l3Said = true
  }
}

/** Whole bytes of an IPv6 prefix are loaded alone. */
function comparePrefix6(e: RuleEval, one: Built, op: CompareOp, from: string, right: Right & { kind: 'prefix' }): void {
  if (right.length % 8 !== 0 || right.length === 0 || one.load.load !== 'payload') {
    throw new NotModelled('nft: an IPv6 prefix that ends within a byte')
  }
  const length = right.length / 8
  const hex = from.slice(0, 2 * length)
  e.expressions.push({
    expr: 'cmp',
    load: { ...one.load, length },
    op,
    value: length > 6 ? hex : Number.parseInt(hex, 16),
  })
}

/** `KEY vmap { ... }`. */
export function vmapStatement(lefts: Term[], right: Right): Statement {
  return (e) => {
    const built = lefts.map((term) => term.build(e))
    const types = built.map(({ type }) => type)
    const of = built.map(masked)
    const set =
      right.kind === 'ref'
        ? namedSet(e, right, types, spanning(lefts)).name
        : anonymousSet(e, types, (right as Right & { kind: 'set' }).elements, { verdict: true })
    e.expressions.push({ expr: 'vmap', of, set })
  }
}

/** A value that a statement sets: a word, an expression, a map. */
export type Given =
  | { kind: 'right'; right: Right; bits: { op: string; right: Right }[] }
  | { kind: 'term'; terms: Term[]; bits: { op: string; right: Right }[] }
  | { kind: 'map'; terms: Term[]; right: Right }

/** What a given value loads. */
export function buildGiven(e: RuleEval, given: Given, type: DataType): Load {
  if (given.kind === 'right') return { load: 'immediate', value: valueOf(given.right, type, e) }
  if (given.kind === 'term') {
    const built = given.terms[0]!.build(e)
    return bitOps(e, type, given.bits, masked(built))
  }
  const built = given.terms.map((term) => term.build(e))
  const types = built.map((one) => one.type)
  const set =
    given.right.kind === 'ref'
      ? namedSet(e, given.right, types, spanning(given.terms)).name
      : anonymousSet(e, types, (given.right as Right & { kind: 'set' }).elements, { types: [type] })
  return { load: 'map', of: built.map(masked), set }
}

export type { Token }
export {
  BARE_META,
  CT,
  HEADERS,
  ICMP_CODES,
  ICMPV6_CODES,
  ICMPX_CODES,
  integerType,
  META,
  NAT_FULLY_RANDOM,
  NAT_PERSISTENT,
  NAT_RANDOM,
  parseTime,
  plainTerm,
  TCP_OPTIONS,
  TYPES,
}

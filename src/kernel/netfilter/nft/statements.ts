/** The grammar of a rule: from tokens to statements. nftables 1.0.6 src/parser_bison.y. */
import { NotModelled } from '#base/check'
import type { Expression, Load, Verdict } from '../expressions.ts'
import { NftFault, type Place, type Token } from './lexer.ts'
import {
  BARE_META,
  buildGiven,
  CT,
  type ElementAst,
  fieldTerm,
  type Given,
  HEADERS,
  ICMP_CODES,
  ICMPV6_CODES,
  ICMPX_CODES,
  integerType,
  META,
  matchStatement,
  NAT_FULLY_RANDOM,
  NAT_PERSISTENT,
  NAT_RANDOM,
  parseTime,
  plainTerm,
  type Right,
  type Statement,
  TCP_OPTIONS,
  type Term,
  TYPES,
  vmapStatement,
} from './rule.ts'
import { formatPlace, type TokenStream } from './stream.ts'

const VERDICTS = ['accept', 'drop', 'continue', 'return', 'break']

/** Reads a verdict, if one is next. */
export function parseVerdict(t: TokenStream): { verdict: Verdict; place: Place } | undefined {
  const { text, kind } = t.peek
  if (kind !== 'string') return undefined
  if (VERDICTS.includes(text)) {
    const token = t.next()
    return { verdict: { code: text as 'accept' }, place: token }
  }
  if (text !== 'jump' && text !== 'goto') return undefined
  t.next()
  const name = t.name('string')
  return { verdict: { code: text, chain: name.text }, place: name }
}

/** A word on the right. */
function parsePrimary(t: TokenStream): Right {
  const token = t.peek
  if (token.text === '(' && token.kind === 'symbol') {
    const open = t.next()
    const items = [parsePrimary(t)]
    while (t.take('|')) items.push(parsePrimary(t))
    const close = t.expect(')')
    return items.length === 1 ? items[0]! : { kind: 'list', items, place: formatPlace(open, close) }
  }
  if (token.text === '@' && token.kind === 'symbol') {
    const at = t.next()
    const name = t.name('string')
    return { kind: 'ref', name: name.text, place: formatPlace(at, name) }
  }
  if (token.text === '{' && token.kind === 'symbol') return parseSet(t)
  if (!['string', 'number', 'quoted', 'address'].includes(token.kind)) throw t.unexpected()
  t.next()
  return { kind: 'word', text: token.text, place: token, quoted: token.kind === 'quoted' }
}

/** A word, `a-b`, `a/24`. */
function parseRangeOrPrefix(t: TokenStream): Right {
  const first = parsePrimary(t)
  if (first.kind !== 'word') return first
  if (t.peek.text === '-' && t.peek.kind === 'symbol') {
    t.next()
    const to = parsePrimary(t)
    return { kind: 'range', from: first, to, place: formatPlace(first.place, to.place) }
  }
  if (t.peek.text === '/' && t.peek.kind === 'symbol' && t.peekAt(1).kind === 'number') {
    t.next()
    const length = t.next()
    return { kind: 'prefix', address: first, length: Number(length.text), place: formatPlace(first.place, length) }
  }
  return first
}

/** The right side of a comparison: also `a,b,c` and `a / b`. */
export function parseRight(t: TokenStream): Right {
  const first = parseRangeOrPrefix(t)
  if (first.kind === 'set' || first.kind === 'ref') return first
  const items: Right[] = [first]
  while (t.peek.text === ',' && t.peek.kind === 'symbol') {
    t.next()
    items.push(parseRangeOrPrefix(t))
  }
  let value: Right =
    items.length === 1
      ? first
      : { kind: 'list', items, place: formatPlace(first.place, items[items.length - 1]!.place) }
  if (t.peek.text === '/' && t.peek.kind === 'symbol') {
    t.next()
    const mask = parseRight(t)
    value = { kind: 'mask', value, mask, place: formatPlace(value.place, mask.place) }
  } else if (t.peek.text === '|' && t.peek.kind === 'symbol') {
    const all: Right[] = [value]
    while (t.take('|')) all.push(parseRangeOrPrefix(t))
    value = { kind: 'list', items: all, place: formatPlace(value.place, all[all.length - 1]!.place) }
  }
  return value
}

/** `{ a, b-c, d : e }`. */
export function parseSet(t: TokenStream): Right & { kind: 'set' } {
  const open = t.expect('{')
  const elements: ElementAst[] = []
  t.skipNewlines()
  while (!t.at('}')) {
    if (t.at('$') || t.at('{')) {
      // A variable that is a set itself.
      const inner = parseSet(t)
      elements.push(...inner.elements)
    } else elements.push(parseElement(t))
    t.skipNewlines()
    if (!t.take(',')) break
    t.skipNewlines()
  }
  const close = t.expect('}')
  return { kind: 'set', elements, place: formatPlace(open, close) }
}

function parseElement(t: TokenStream): ElementAst {
  const start = t.peek
  const key = [parseRangeOrPrefix(t)]
  while (t.take('.')) key.push(parseRangeOrPrefix(t))
  const element: ElementAst = { key, place: formatPlace(start, key[key.length - 1]!.place) }
  for (;;) {
    if (t.takeWord('timeout')) element.timeoutMs = t.time()
    else if (t.takeWord('expires')) element.expiresMs = t.time()
    else if (t.takeWord('comment')) element.comment = t.text().text
    else if (t.peek.text === 'counter' || t.peek.text === 'limit' || t.peek.text === 'quota') {
      element.exprs = [...(element.exprs ?? []), parseStateful(t)]
    } else break
  }
  if (t.take(':')) {
    const verdict = parseVerdict(t)
    if (verdict) {
      element.verdict = verdict.verdict
      element.verdictPlace = verdict.place
    } else {
      element.data = [parseRangeOrPrefix(t)]
      while (t.take('.')) element.data.push(parseRangeOrPrefix(t))
    }
  }
  return element
}

const UNITS: Record<string, number> = { second: 1, minute: 60, hour: 3600, day: 86400, week: 604800 }
const BYTES: Record<string, number> = { bytes: 1, kbytes: 1024, mbytes: 1024 * 1024 }

/** counter, limit, quota: what also stands inside sets. */
export function parseStateful(t: TokenStream): Expression {
  const word = t.next()
  if (word.text === 'counter') {
    let packets = 0
    let bytes = 0
    if (t.takeWord('packets')) {
      packets = t.number()
      t.expectWord('bytes')
      bytes = t.number()
    }
    return { expr: 'counter', packets, bytes }
  }
  if (word.text === 'limit') return parseLimit(t)
  return parseQuota(t)
}

export function parseLimit(t: TokenStream): Expression & { expr: 'limit' } {
  t.expectWord('rate')
  const invert = t.takeWord('over') !== undefined
  t.takeWord('until')
  const rate = t.number()
  let bytes = false
  let factor = 1
  let unitToken: Token
  if (t.take('/')) unitToken = t.name('string')
  else {
    const word = t.name('string')
    const [size = '', unit] = word.text.split('/')
    if (BYTES[size] === undefined) throw t.unexpected(word)
    bytes = true
    factor = BYTES[size]
    if (unit !== undefined) unitToken = { ...word, text: unit }
    else {
      t.expect('/')
      unitToken = t.name('string')
    }
  }
  const per = UNITS[unitToken.text]
  if (per === undefined) throw t.unexpected(unitToken)
  let burst = bytes ? 0 : 5
  if (t.takeWord('burst')) {
    burst = t.number()
    const word = t.name('string').text
    burst *= BYTES[word] ?? 1
  }
  return { expr: 'limit', rate: rate * factor, per, burst, bytes, invert }
}

export function parseQuota(t: TokenStream): Expression & { expr: 'quota' } {
  const invert = t.takeWord('over') !== undefined
  t.takeWord('until')
  const amount = t.number()
  const bytes = amount * (BYTES[t.name('string').text] ?? 1)
  let consumed = 0
  if (t.takeWord('used')) consumed = t.number() * (BYTES[t.name('string').text] ?? 1)
  return { expr: 'quota', bytes, invert, consumed }
}

/** Something on the left, if one is next. */
function parseTerm(t: TokenStream): Term | undefined {
  const token = t.peek
  if (token.kind === 'symbol' && token.text === '@') return parseRaw(t)
  if (token.kind !== 'string') return undefined
  const word = token.text
  if (HEADERS.some(({ name }) => name === word)) {
    const first = t.next()
    if (word === 'tcp' && t.peek.text === 'option') return parseTcpOption(t, first)
    const name = t.peek
    const header = HEADERS.find((one) => one.name === word)!
    if (!header.fields.some((field) => field.name === name.text)) throw t.unexpected(name)
    t.next()
    return fieldTerm(word, name.text, formatPlace(first, name))
  }
  if (word === 'meta') {
    const first = t.next()
    const key = t.peek
    if (META[key.text] === undefined) throw t.unexpected(key)
    t.next()
    return metaTerm(key.text, formatPlace(first, key))
  }
  if (BARE_META.includes(word)) {
    const key = t.next()
    return metaTerm(word, key)
  }
  if (word === 'ct') return parseCt(t)
  if (word === 'fib') {
    const first = t.next()
    const flags = [t.name('string').text]
    while (t.take('.')) flags.push(t.name('string').text)
    const result = t.name('string')
    const type =
      result.text === 'type'
        ? TYPES.get('fib_addrtype')!
        : result.text === 'oif'
          ? TYPES.get('iface_index')!
          : TYPES.get('ifname')!
    if (!['type', 'oif', 'oifname'].includes(result.text)) throw t.unexpected(result)
    return plainTerm({ load: 'fib', result: result.text as 'type', flags }, type, formatPlace(first, result))
  }
  if (word === 'rt') {
    const first = t.next()
    const key = t.name('string')
    return plainTerm({ load: 'rt', key: key.text }, integerType(16), formatPlace(first, key))
  }
  if (word === 'numgen') {
    const first = t.next()
    const mode = t.name('string').text
    if (mode !== 'inc' && mode !== 'random') throw t.unexpected()
    t.expectWord('mod')
    const mod = t.number()
    const offset = t.takeWord('offset') ? t.number() : 0
    if (mod === 0) throw new NftFault('modulus must be positive', first)
    return plainTerm({ load: 'numgen', mode, mod, offset }, integerType(32), first)
  }
  if (word === 'jhash' || word === 'symhash') return parseHash(t)
  if (word === 'socket') {
    const first = t.next()
    const key = t.name('string')
    return plainTerm({ load: 'socket', key: key.text }, integerType(32), formatPlace(first, key))
  }
  return undefined
}

function metaTerm(key: string, place: Place): Term {
  const tells = key === 'l4proto' ? 'l4' : key === 'nfproto' ? 'nfproto' : undefined
  return {
    place,
    build(e) {
      if (key === 'nfproto' && e.family !== 'inet') {
        throw new NftFault('meta nfproto is only useful in the inet family', place)
      }
      return { load: { load: 'meta', key }, type: META[key]!, shift: 0, ...(tells && { tells: tells as 'l4' }) }
    },
  }
}

/** `@th,16,16`. */
function parseRaw(t: TokenStream): Term | undefined {
  if (!['ll', 'nh', 'th'].includes(t.peekAt(1).text) || t.peekAt(2).text !== ',') return undefined
  const first = t.next()
  const base = t.next().text as 'th'
  t.expect(',')
  const offset = t.number()
  t.expect(',')
  const lengthToken = t.peek
  const length = t.number()
  if (offset % 8 !== 0 || length % 8 !== 0) throw new NotModelled('nft: raw payloads that are not whole bytes')
  return plainTerm(
    { load: 'payload', base, offset: offset / 8, length: length / 8 },
    integerType(length),
    formatPlace(first, lengthToken),
  )
}

function parseTcpOption(t: TokenStream, first: Token): Term {
  t.next()
  const name = t.next()
  const known = TCP_OPTIONS[name.text]
  const type = known?.type ?? (name.kind === 'number' ? Number(name.text) : undefined)
  if (type === undefined) throw t.unexpected(name)
  const place = formatPlace(first, name)
  const transport = (load: Load, bits: number): Term => ({
    place,
    build(e) {
      e.needTransport(6, 'tcp', place)
      return { load, type: bits === 0 ? TYPES.get('boolean')! : integerType(bits), shift: 0 }
    },
  })
  const field = known?.fields[t.peek.text]
  if (field) {
    t.next()
    return transport({ load: 'tcpopt', type, offset: field[0], length: field[1] }, field[1] * 8)
  }
  return transport({ load: 'tcpopt', type, offset: 0, length: 1, present: true }, 0)
}

function parseCt(t: TokenStream): Term {
  const first = t.next()
  let direction: 'original' | 'reply' | undefined
  if (t.peek.text === 'original' || t.peek.text === 'reply') direction = t.next().text as 'original'
  if (direction && (t.peek.text === 'ip' || t.peek.text === 'ip6') && t.peekAt(1).text.endsWith('addr')) t.next()
  const key = t.peek
  if (CT[key.text] === undefined) throw t.unexpected(key)
  t.next()
  return plainTerm(
    { load: 'ct', key: key.text, ...(direction && { direction }) },
    CT[key.text]!,
    formatPlace(first, key),
  )
}

function parseHash(t: TokenStream): Term {
  const first = t.next()
  const type = first.text as 'jhash'
  const terms: Term[] = []
  if (type === 'jhash') {
    do {
      const term = parseTerm(t)
      if (!term) throw t.unexpected()
      terms.push(term)
    } while (t.take('.'))
  }
  t.expectWord('mod')
  const mod = t.number()
  const seed = t.takeWord('seed') ? t.number() : undefined
  const offset = t.takeWord('offset') ? t.number() : 0
  return {
    place: first,
    build(e) {
      const of = terms.map((term) => term.build(e).load)
      return {
        load: { load: 'hash', type, of, mod, ...(seed !== undefined && { seed }), offset },
        type: integerType(32),
        shift: 0,
      }
    },
  }
}

/** `tcp dport`, `ip saddr . tcp dport`. */
function parseTerms(t: TokenStream): Term[] | undefined {
  const first = parseTerm(t)
  if (!first) return undefined
  const terms = [first]
  while (t.take('.')) {
    const next = parseTerm(t)
    if (!next) throw t.unexpected()
    terms.push(next)
  }
  return terms
}

function parseBits(t: TokenStream): { op: string; right: Right }[] {
  const bits: { op: string; right: Right }[] = []
  while (t.peek.kind === 'symbol' && ['&', '|', '^', '<<', '>>'].includes(t.peek.text)) {
    const op = t.next().text
    bits.push({ op, right: parsePrimary(t) })
  }
  return bits
}

/** What is set: a value, another expression, a map. */
function parseGiven(t: TokenStream): Given {
  const terms = parseTerms(t)
  if (!terms) return { kind: 'right', right: parsePrimary(t), bits: parseBits(t) }
  if (t.takeWord('map')) return { kind: 'map', terms, right: parsePrimary(t) }
  return { kind: 'term', terms, bits: parseBits(t) }
}

const FLAGS: Record<string, number> = {
  random: NAT_RANDOM,
  'fully-random': NAT_FULLY_RANDOM,
  persistent: NAT_PERSISTENT,
}

function parseNat(t: TokenStream): Statement {
  const word = t.next()
  const type = word.text as 'snat' | 'dnat' | 'masquerade' | 'redirect'
  if (type === 'snat' || type === 'dnat') {
    t.takeWord('ip')
    if (t.peek.text === 'ip6') throw new NotModelled('nft: NAT of IPv6')
  }
  let address: Given | undefined
  let addressMax: Given | undefined
  let port: Given | undefined
  let portMax: Given | undefined
  let portPlace: Place | undefined
  const to = t.takeWord('to')
  if (to || ((type === 'snat' || type === 'dnat') && !t.atEnd() && t.peek.kind !== 'symbol')) {
    if (!t.at(':')) {
      address = parseGiven(t)
      if (t.take('-')) addressMax = { kind: 'right', right: parsePrimary(t), bits: [] }
    }
    if (t.at(':')) {
      portPlace = t.next()
      const from = t.peek
      port = parseGiven(t)
      portPlace = formatPlace(portPlace, from)
      if (t.take('-')) portMax = { kind: 'right', right: parsePrimary(t), bits: [] }
    }
  } else if (type === 'snat' || type === 'dnat') throw t.unexpected()
  let flags = 0
  while (t.peek.kind === 'string' && FLAGS[t.peek.text] !== undefined) {
    flags |= FLAGS[t.next().text]!
    if (!t.take(',')) break
  }
  return (e) => {
    if (port && e.l4 === undefined) {
      throw new NftFault('transport protocol mapping is only valid after transport protocol match', portPlace, word)
    }
    const addressType = TYPES.get('ipv4_addr')!
    const portType = TYPES.get('inet_service')!
    if (address && e.family === 'inet') e.needNetwork('ip', word)
    const load = (given: Given | undefined, type: typeof addressType) => given && buildGiven(e, given, type)
    const [a, b, c, d] = [
      load(address, addressType),
      load(addressMax, addressType),
      load(port, portType),
      load(portMax, portType),
    ]
    e.expressions.push({
      expr: 'nat',
      type,
      flags,
      ...(e.family === 'inet' && { family: 'ip' }),
      ...(a && { address: a }),
      ...(b && { addressMax: b }),
      ...(c && { port: c }),
      ...(d && { portMax: d }),
    })
  }
}

function parseReject(t: TokenStream): Statement {
  const word = t.next()
  if (!t.takeWord('with')) {
    return (e) => {
      if (e.family === 'inet') e.expressions.push({ expr: 'reject', type: 'icmpx', code: 1 })
      else e.expressions.push({ expr: 'reject', type: 'icmp', code: e.family === 'ip6' ? 4 : 3 })
    }
  }
  const kind = t.name('string')
  if (kind.text === 'tcp') {
    t.expectWord('reset')
    return (e) => {
      e.needTransport(6, 'tcp', word)
      e.expressions.push({ expr: 'reject', type: 'tcp reset', code: 0 })
    }
  }
  const six = kind.text === 'icmpv6'
  if (!six && kind.text !== 'icmp' && kind.text !== 'icmpx') throw t.unexpected(kind)
  t.takeWord('type')
  t.takeWord('code')
  const code = t.next()
  const names = six ? ICMPV6_CODES : kind.text === 'icmp' ? ICMP_CODES : ICMPX_CODES
  const value =
    names.find(([name]) => name === code.text)?.[1] ?? (code.kind === 'number' ? Number(code.text) : undefined)
  return (e) => {
    if (kind.text === 'icmpx' && e.family !== 'inet')
      throw new NftFault('abstracted ICMP unreachable not supported', code, word)
    if (value === undefined) throw new NftFault(`Could not parse symbolic ICMP code expression`, code)
    if (kind.text !== 'icmpx' && e.family === 'inet') e.needNetwork(six ? 'ip6' : 'ip', word)
    e.expressions.push({ expr: 'reject', type: kind.text === 'icmpx' ? 'icmpx' : 'icmp', code: value })
  }
}

const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug', 'audit']

function parseLog(t: TokenStream): Statement {
  t.next()
  const log: Expression & { expr: 'log' } = { expr: 'log' }
  for (;;) {
    if (t.takeWord('prefix')) log.prefix = t.text().text
    else if (t.takeWord('group')) log.group = t.number()
    else if (t.takeWord('snaplen')) log.snaplen = t.number()
    else if (t.takeWord('queue-threshold')) log.threshold = t.number()
    else if (t.takeWord('level')) {
      const word = t.next()
      const level = LEVELS.indexOf(word.text)
      if (level < 0) throw t.unexpected(word)
      log.level = level
    } else if (t.takeWord('flags')) {
      const word = t.next()
      log.flags ??= 0
      if (word.text === 'all') log.flags |= 47
      else if (word.text === 'skuid') log.flags |= 8
      else if (word.text === 'ether') log.flags |= 32
      else if (word.text === 'ip') {
        t.expectWord('options')
        log.flags |= 4
      } else if (word.text === 'tcp') {
        do {
          const what = t.name('string').text
          log.flags |= what === 'sequence' ? 1 : 2
        } while (t.take(','))
      } else throw t.unexpected(word)
    } else break
  }
  return (e) => e.expressions.push(log)
}

/** `meta mark set X`, `ct mark set X`, `ip ttl set X`. */
function setStatement(term: Term, given: Given): Statement {
  return (e) => {
    const built = term.build(e)
    const { load } = built
    const from = buildGiven(e, given, built.type)
    if (load.load === 'meta') e.expressions.push({ expr: 'meta set', key: load.key, from })
    else if (load.load === 'ct') e.expressions.push({ expr: 'ct set', key: load.key, from })
    else if (load.load === 'tcpopt')
      e.expressions.push({ expr: 'tcpopt set', type: load.type, offset: load.offset, length: load.length, from })
    else if (load.load === 'payload') {
      const { base, offset, length } = load
      if (built.mask === undefined) e.expressions.push({ expr: 'payload set', base, offset, length, from })
      else if (from.load === 'immediate' && typeof from.value === 'number') {
        // Only the field's bits change.
        const mask = 2 ** (8 * length) - 1 - built.mask
        const value: Load = { load: 'bitwise', of: load, mask, xor: from.value * 2 ** built.shift }
        e.expressions.push({ expr: 'payload set', base, offset, length, from: value })
      } else throw new NotModelled('nft: setting part of a byte from an expression')
    } else throw new NftFault('this expression can not be set', term.place)
  }
}

/** `add @set { ip saddr timeout 5s counter }`. */
function parseDynset(t: TokenStream): Statement {
  const op = t.next().text as 'add'
  const at = t.expect('@')
  const name = t.name('string')
  t.expect('{')
  const terms = parseTerms(t)
  if (!terms) throw t.unexpected()
  const timeoutMs = t.takeWord('timeout') ? t.time() : undefined
  const exprs: Expression[] = []
  while (['counter', 'limit', 'quota'].includes(t.peek.text)) exprs.push(parseStateful(t))
  const data = t.take(':') ? parseGiven(t) : undefined
  t.expect('}')
  return (e) => {
    const spec = e.sets(name.text)
    if (!spec) throw new NftFault('No such file or directory', formatPlace(at, name))
    const of = terms.map((term) => term.build(e).load)
    const load = data && buildGiven(e, data, TYPES.get(spec.dataType?.[0] ?? 'mark') ?? integerType(32))
    e.expressions.push({
      expr: 'dynset',
      op,
      set: name.text,
      of,
      exprs,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(load && { data: load }),
    })
  }
}

/** `meter NAME { ip saddr limit rate 5/second }`: a set of the rule's own. */
function parseMeter(t: TokenStream): Statement {
  t.next()
  const name = t.name('string')
  const size = t.takeWord('size') ? t.number() : 65535
  t.expect('{')
  const terms = parseTerms(t)
  if (!terms) throw t.unexpected()
  const timeoutMs = t.takeWord('timeout') ? t.time() : undefined
  const exprs = [parseStateful(t)]
  t.expect('}')
  return (e) => {
    const built = terms.map((term) => term.build(e))
    e.commands.push({
      cmd: 'newset',
      spec: {
        family: e.family,
        table: e.table,
        name: name.text,
        keyType: built.map(({ type }) => type.name),
        keyLengths: built.map(({ type }) => Math.ceil(type.bits / 8)),
        flags: { anonymous: true, dynamic: true, ...(timeoutMs !== undefined && { timeout: true }) },
        size,
      },
    })
    e.expressions.push({
      expr: 'dynset',
      op: timeoutMs === undefined ? 'add' : 'update',
      set: name.text,
      of: built.map(({ load }) => load),
      exprs,
      ...(timeoutMs !== undefined && { timeoutMs }),
    })
  }
}

/** One statement; undefined where the rule ends. */
function parseStatement(t: TokenStream): Statement | undefined {
  if (t.atEnd()) return undefined
  const token = t.peek
  const verdict = parseVerdict(t)
  if (verdict) {
    return (e) => {
      if (verdict.verdict.chain !== undefined) e.chainPlaces.set(verdict.verdict.chain, verdict.place)
      e.expressions.push({ expr: 'verdict', verdict: { ...verdict.verdict } })
    }
  }
  switch (token.kind === 'string' ? token.text : '') {
    case 'counter':
    case 'quota':
    case 'limit':
      return parseNamed(t)
    case 'log':
      return parseLog(t)
    case 'reject':
      return parseReject(t)
    case 'snat':
    case 'dnat':
    case 'masquerade':
    case 'redirect':
      return parseNat(t)
    case 'notrack':
      t.next()
      return (e) => e.expressions.push({ expr: 'notrack' })
    case 'dup': {
      t.next()
      t.expectWord('to')
      const given = parseGiven(t)
      if (t.takeWord('device')) throw new NotModelled('nft: dup to a device')
      return (e) => e.expressions.push({ expr: 'dup', address: buildGiven(e, given, TYPES.get('ipv4_addr')!) })
    }
    case 'add':
    case 'update':
    case 'delete':
      return parseDynset(t)
    case 'meter':
      return parseMeter(t)
    case 'queue':
    case 'tproxy':
    case 'flow':
    case 'synproxy':
    case 'fwd':
      throw new NotModelled(`nft: ${token.text}`)
  }
  const terms = parseTerms(t)
  if (!terms) {
    // Any word may be a symbol that something is compared with: what is wrong comes behind it.
    if (token.kind === 'string') t.next()
    throw t.unexpected()
  }
  if (t.takeWord('vmap')) return vmapStatement(terms, parsePrimary(t))
  if (t.takeWord('set')) return setStatement(terms[0]!, parseGiven(t))
  const bits = parseBits(t)
  let op = ''
  if (t.peek.kind === 'symbol' && ['==', '!=', '<', '<=', '>', '>=', '!'].includes(t.peek.text)) op = t.next().text
  const exists = t.peek.text === 'exists' || t.peek.text === 'missing'
  const right = exists ? parsePrimary(t) : parseRight(t)
  return matchStatement(terms, bits, op, right)
}

/** `counter`, `counter name X`, `limit rate ...`, `limit name X`. */
function parseNamed(t: TokenStream): Statement {
  if (t.peekAt(1).text !== 'name') {
    const expression = parseStateful(t)
    return (e) => e.expressions.push(expression)
  }
  const type = t.next().text as 'counter'
  t.next()
  const name = t.text()
  return (e) => e.expressions.push({ expr: 'object', type, name: name.text })
}

/** A whole rule, with its comment. */
export function parseRule(t: TokenStream): {
  statements: Statement[]
  comment: string | undefined
  start: Token
  end: Place
} {
  const start = t.peek
  const statements: Statement[] = []
  let comment: string | undefined
  for (;;) {
    if (statements.length > 0 && t.takeWord('comment')) {
      comment = t.text().text
      break
    }
    const statement = parseStatement(t)
    if (!statement) break
    statements.push(statement)
  }
  if (statements.length === 0) throw t.unexpected()
  return { statements, comment, start, end: t.last }
}

export { parseTime }

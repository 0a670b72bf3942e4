/**
 * The grammar: `and` and `or` bind alike, from the left; an address without qualifiers takes those of the primitive
 * before it (`host a or b`). pcap-filter(7); libpcap 1.10.3 grammar.y.
 */
import { NotModelled } from '#base/check'
import { ipv6Bytes, parseIpv6 } from '#wire/inet'
import type { Arithmetic } from './arithmetic.ts'
import * as arithmetic from './arithmetic.ts'
import { type Block, both, type Direction, either, type Link, negated } from './generate.ts'
import { load8, load32 } from './load.ts'
import type { Names } from './names.ts'
import { address, macAddress, named, numbered, plainProtocol, type Qualifiers } from './primitive.ts'
import { FilterError, SYNTAX, type Token } from './scan.ts'

const LAYERS = new Set('ether link ip arp rarp ip6 tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp'.split(' '))
const UNMODELLED_LAYERS = new Set(
  'ppp slip fddi tr wlan radio atalk aarp decnet lat sca moprc mopdl iso esis isis clnp stp ipx netbeui llc mpls pppoed pppoes geneve type subtype dir ifname on rulenum rnr rset srnr subrulenum reason action protochain lane'.split(
    ' ',
  ),
)
const KINDS = new Set(['host', 'net', 'port', 'portrange', 'proto', 'gateway'])
/** How tightly they bind; `%` and `^` have no place in the grammar's table, and take all that follows. */
const PRECEDENCE: Record<string, number> = {
  '|': 1,
  '&': 2,
  '<<': 3,
  '>>': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 9,
  '^': 9,
}
const RELATIONS = new Set(['>', '>=', '=', '<', '<=', '!='])
/** Nesting beyond it is no filter that anybody wrote. */
const DEPTH_MAX = 200

/** Compiles the tokens of a filter that isn't empty. */
export function parse(tokens: readonly Token[], link: Link, names: Names): Block {
  const parser = new Parser(tokens, link, names)
  const block = parser.expression()
  parser.expectEnd()
  return block
}

class Parser {
  readonly #tokens: readonly Token[]
  readonly #link: Link
  readonly #names: Names
  #at = 0
  #depth = 0
  /** What the last address was asked with. */
  #last: Qualifiers | undefined

  constructor(tokens: readonly Token[], link: Link, names: Names) {
    this.#tokens = tokens
    this.#link = link
    this.#names = names
  }

  expectEnd(): void {
    if (this.#tokens[this.#at]!.kind !== 'end') throw new FilterError(SYNTAX)
  }

  expression(): Block {
    let left = this.#term()
    for (;;) {
      const operator = this.#accept('and') ? both : this.#accept('or') ? either : undefined
      if (!operator) return left
      const before = this.#last
      // An address alone stands for a primitive; so does a parenthesis full of them.
      const right = before && this.#addressFollows() ? this.#address(before) : this.#term()
      left = operator(left, right)
    }
  }

  #term(): Block {
    if (++this.#depth > DEPTH_MAX) throw new FilterError('expression nested too deeply')
    try {
      if (this.#accept('not')) {
        if (this.#last && this.#addressFollows()) return negated(this.#address(this.#last))
        return negated(this.#term())
      }
      return this.#primitive()
    } finally {
      this.#depth--
    }
  }

  #primitive(): Block {
    if (this.#arithmeticFollows()) return this.#relation()
    if (this.#accept('(')) {
      const inner = this.expression()
      this.#expect(')')
      return inner
    }
    const token = this.#tokens[this.#at]!
    if (token.kind !== 'sign') throw new FilterError(SYNTAX)
    const other = this.#other(token.text)
    if (other) return other
    return this.#qualified()
  }

  #other(text: string): Block | undefined {
    const link = this.#link
    if (text === 'less' || text === 'greater') {
      this.#at++
      const bound = this.#number()
      this.#last = undefined
      const shorter = text === 'less'
      return { bytes: (f) => (shorter ? f.length <= bound : f.length >= bound), fields: undefined }
    }
    if (text === 'inbound' || text === 'outbound') {
      this.#at++
      this.#last = undefined
      const outgoing = text === 'outbound'
      if (!link.ethernet) return { bytes: (f) => (load8(f, 10) === 4) === outgoing, fields: undefined }
      if (!link.live) throw new FilterError('inbound/outbound not supported on Ethernet when reading savefiles')
      return { bytes: (f) => (f.packetType === 4) === outgoing, fields: (p) => (p.packetType === 4) === outgoing }
    }
    if (text === 'ifindex') {
      this.#at++
      const index = this.#number()
      this.#last = undefined
      if (!link.ethernet) return { bytes: (f) => load32(f, 4) === index, fields: undefined }
      if (!link.live) throw new FilterError('ifindex not supported on Ethernet when reading savefiles')
      return { bytes: (f) => f.ifindex === index, fields: undefined }
    }
    if (text === 'vlan') {
      this.#at++
      this.#last = undefined
      const token = this.#tokens[this.#at]!
      if (token.kind !== 'number') return link.vlan(undefined)
      this.#at++
      return link.vlan(token.value)
    }
    if (text === 'broadcast' || text === 'multicast') return this.#cast('default')
    if (text === 'byte') throw new NotModelled('filters with byte')
    if (UNMODELLED_LAYERS.has(text)) throw new NotModelled(`filters with ${text}`)
    return undefined
  }

  #cast(layer: string): Block {
    const link = this.#link
    const broadcast = this.#accept('broadcast')
    if (!broadcast) this.#expect('multicast')
    this.#last = undefined
    if (layer === 'default' || layer === 'ether' || layer === 'link') {
      if (broadcast) {
        if (!link.ethernet) throw new FilterError('not a broadcast link')
        return link.mac(0xffffffffffff, 'dst')
      }
      if (!link.ethernet)
        throw new FilterError(
          'link-layer multicast filters supported only on ethernet/FDDI/token ring/ARCNET/802.11/ATM LANE/Fibre Channel',
        )
      return { bytes: (f) => (load8(f, 0) & 1) !== 0, fields: (p) => (Math.floor(p.macDst / 0x10000000000) & 1) !== 0 }
    }
    if (layer === 'ip') {
      if (broadcast) return arithmetic.ipBroadcast(link)
      const at = link.payloadAt + 16
      return both(link.ip(), { bytes: (f) => load8(f, at) >= 224, fields: (p) => p.dst >>> 24 >= 224 })
    }
    if (layer === 'ip6' && !broadcast) {
      const at = link.payloadAt + 24
      return both(link.ip6(), { bytes: (f) => load8(f, at) === 255, fields: () => false })
    }
    throw new FilterError(
      broadcast
        ? 'only link-layer/IP broadcast filters supported'
        : 'link-layer multicast filters supported only on ethernet/FDDI/token ring/ARCNET/802.11/ATM LANE/Fibre Channel',
    )
  }

  /** `[layer] [direction] [kind] address`, or a layer alone. */
  #qualified(): Block {
    let layer = 'default'
    const token = this.#tokens[this.#at]!
    if (token.kind === 'sign' && LAYERS.has(token.text)) {
      layer = token.text
      this.#at++
    }
    const next = this.#tokens[this.#at]!
    const text = next.kind === 'sign' ? next.text : ''
    if (text === 'broadcast' || text === 'multicast') return this.#cast(layer)
    const direction = text === 'src' || text === 'dst' ? this.#direction() : 'default'
    const after = this.#tokens[this.#at]!
    let kind: Qualifiers['kind'] = 'default'
    if (after.kind === 'sign' && KINDS.has(after.text)) {
      kind = after.text as Qualifiers['kind']
      this.#at++
    } else if (direction === 'default') {
      // A layer alone, or what stands behind it is no address of its own.
      if (layer === 'default' || after.kind === 'mac') throw new FilterError(SYNTAX)
      this.#last = undefined
      return plainProtocol(this.#link, layer)
    }
    // The grammar has no direction before proto or gateway.
    if (direction !== 'default' && (kind === 'proto' || kind === 'gateway')) throw new FilterError(SYNTAX)
    const qualifiers: Qualifiers = { layer, direction, kind }
    if (!this.#addressFollows()) throw new FilterError(SYNTAX)
    return this.#address(qualifiers)
  }

  #direction(): Direction {
    const first = this.#accept('src') ? 'src' : 'dst'
    if (first === 'dst') this.#expect('dst')
    const joint = this.#tokens[this.#at]!
    const second = this.#tokens[this.#at + 1]
    const opposite = first === 'src' ? 'dst' : 'src'
    if (
      joint.kind === 'sign' &&
      (joint.text === 'or' || joint.text === 'and') &&
      second?.kind === 'sign' &&
      second.text === opposite
    ) {
      this.#at += 2
      return joint.text
    }
    return first
  }

  /** Whether an address, and not a primitive, begins here. */
  #addressFollows(): boolean {
    let at = this.#at
    for (;;) {
      const token = this.#tokens[at]!
      if (token.kind === 'sign' && (token.text === '(' || token.text === 'not')) at++
      else if (token.kind === 'number') {
        const next = this.#tokens[at + 1]!
        return !(
          next.kind === 'sign' &&
          (RELATIONS.has(next.text) || next.text in PRECEDENCE) &&
          next.text !== '/' &&
          next.text !== '-'
        )
      } else return token.kind === 'word' || token.kind === 'ipv4' || token.kind === 'ipv6' || token.kind === 'mac'
    }
  }

  /** An address, `not` one, or several in parentheses, all with the same qualifiers. */
  #address(qualifiers: Qualifiers): Block {
    if (++this.#depth > DEPTH_MAX) throw new FilterError('expression nested too deeply')
    try {
      if (this.#accept('not')) return negated(this.#address(qualifiers))
      if (this.#accept('(')) {
        let left = this.#address(qualifiers)
        for (;;) {
          const operator = this.#accept('and') ? both : this.#accept('or') ? either : undefined
          if (!operator) break
          left = operator(left, this.#address(qualifiers))
        }
        this.#expect(')')
        return left
      }
      this.#last = qualifiers
      return this.#single(qualifiers)
    } finally {
      this.#depth--
    }
  }

  #single(qualifiers: Qualifiers): Block {
    const token = this.#tokens[this.#at++]!
    const link = this.#link
    if (token.kind === 'mac') return macAddress(link, token.value, qualifiers)
    if (token.kind === 'ipv6') {
      const parsed = parseIpv6(token.text)
      if (!parsed) throw new FilterError(`bogus IPv6 address ${token.text}`)
      const bytes = ipv6Bytes(parsed)
      const bits = this.#accept('/') ? this.#number() : 128
      if (bits > 128) throw new FilterError('mask length must be <= 128')
      if (
        bytes.some(
          (byte, i) => byte & ~(i * 8 + 8 <= bits ? 0xff : i * 8 >= bits ? 0 : 0xff00 >> (bits - i * 8)) & 0xff,
        )
      )
        throw new FilterError(`non-network bits set in "${token.text}/${bits}"`)
      if (bits < 128 && qualifiers.kind !== 'net') throw new FilterError('Mask syntax for networks only')
      if (qualifiers.layer !== 'default' && qualifiers.layer !== 'ip6')
        throw new FilterError(`'${qualifiers.layer}' modifier applied to ip6 host`)
      return link.ip6Host(bytes, bits, qualifiers.direction)
    }
    if (token.kind === 'ipv4') {
      if (this.#accept('/')) return address(link, token.text, this.#number(), undefined, qualifiers)
      if (this.#accept('mask')) {
        const mask = this.#tokens[this.#at++]!
        if (mask.kind !== 'ipv4') throw new FilterError(SYNTAX)
        return address(link, token.text, undefined, mask.text, qualifiers)
      }
      return address(link, token.text, undefined, undefined, qualifiers)
    }
    if (token.kind === 'number') {
      // A range, whose bounds may be numbers or names.
      if (qualifiers.kind === 'portrange' && this.#accept('-')) {
        const upper = this.#number()
        return numbered(link, token.value, upper, qualifiers)
      }
      if (this.#accept('/')) return address(link, String(token.value), this.#number(), undefined, qualifiers)
      return numbered(link, token.value, undefined, qualifiers)
    }
    if (token.kind === 'word') return named(link, this.#names, token.text, qualifiers)
    throw new FilterError(SYNTAX)
  }

  // Numbers.

  /** Whether a relation of numbers begins here, rather than a primitive. */
  #arithmeticFollows(): boolean {
    let at = this.#at
    while (this.#isSign(at, '(')) at++
    const token = this.#tokens[at]!
    if (token.kind === 'number') return true
    if (token.kind !== 'sign') return false
    if (token.text === '-' || token.text === 'len') return true
    return LAYERS.has(token.text) && this.#isSign(at + 1, '[')
      ? at === this.#at || this.#parenthesisIsNumber(this.#at)
      : false
  }

  /** Whether the parenthesis that opens here is followed by an operator or a relation when it closes. */
  #parenthesisIsNumber(at: number): boolean {
    let depth = 0
    for (let i = at; i < this.#tokens.length; i++) {
      if (this.#isSign(i, '(')) depth++
      else if (this.#isSign(i, ')') && --depth === 0) {
        const next = this.#tokens[i + 1]!
        return next.kind === 'sign' && (RELATIONS.has(next.text) || next.text in PRECEDENCE)
      } else if (depth > 0 && (this.#isSign(i, 'and') || this.#isSign(i, 'or'))) return false
    }
    return false
  }

  #relation(): Block {
    const start = this.#at
    // `(len > 5)` opens a primitive, `(len + 2) > 5` a number.
    if (this.#isSign(start, '(') && !this.#parenthesisIsNumber(start)) {
      this.#at++
      const inner = this.expression()
      this.#expect(')')
      return inner
    }
    const left = this.#sum(0)
    const operator = this.#tokens[this.#at]!
    if (operator.kind !== 'sign' || !RELATIONS.has(operator.text)) throw new FilterError(SYNTAX)
    this.#at++
    this.#last = undefined
    return arithmetic.relation(operator.text, left, this.#sum(0))
  }

  #sum(least: number): Arithmetic {
    let left = this.#factor()
    for (;;) {
      const token = this.#tokens[this.#at]!
      const precedence = token.kind === 'sign' ? PRECEDENCE[token.text] : undefined
      if (token.kind !== 'sign' || precedence === undefined || precedence <= least) return left
      this.#at++
      left = arithmetic.binary(token.text, left, this.#sum(precedence === 9 ? 0 : precedence))
    }
  }

  #factor(): Arithmetic {
    if (++this.#depth > DEPTH_MAX) throw new FilterError('expression nested too deeply')
    try {
      if (this.#accept('-')) return arithmetic.negative(this.#factor())
      if (this.#accept('(')) {
        const inner = this.#sum(0)
        this.#expect(')')
        return inner
      }
      if (this.#accept('len')) return arithmetic.frameLength()
      const token = this.#tokens[this.#at++]!
      if (token.kind === 'number') return arithmetic.constant(token.value)
      if (token.kind !== 'sign' || !LAYERS.has(token.text)) throw new FilterError(SYNTAX)
      this.#expect('[')
      const index = this.#sum(0)
      const size = this.#accept(':') ? this.#number() : 1
      this.#expect(']')
      return arithmetic.layerBytes(this.#link, token.text, index, size)
    } finally {
      this.#depth--
    }
  }

  // Tokens.

  #isSign(at: number, text: string): boolean {
    const token = this.#tokens[at]
    return token?.kind === 'sign' && token.text === text
  }

  #accept(text: string): boolean {
    if (!this.#isSign(this.#at, text)) return false
    this.#at++
    return true
  }

  #expect(text: string): void {
    if (!this.#accept(text)) throw new FilterError(SYNTAX)
  }

  #number(): number {
    const token = this.#tokens[this.#at++]!
    if (token.kind !== 'number') throw new FilterError(SYNTAX)
    return token.value
  }
}

/** Tables, chains, sets and rules as `nft list` writes them. nftables 1.0.6 src/rule.c, netlink_delinearize.c, statement.c, expression.c. */
import type { KernelImage } from '#kernel/core'
import { formatIpv4, prefixOf } from '#wire/inet'
import { basicsOf } from '../basics.ts'
import {
  type Expression,
  type Family,
  type Load,
  NAT_FULLY_RANDOM,
  NAT_PERSISTENT,
  NAT_RANDOM,
  type Value,
  type Verdict,
} from '../expressions.ts'
import type { ChainMessage, ElementMessage, ObjectMessage, RuleMessage, SetMessage, TableMessage } from '../messages.ts'
import { type XtPrint, xtTable } from '../xt/extension.ts'
import { ARP_HEADER, CT, HEADERS, loadOf, META, PRIORITIES, TCP_OPTIONS, UNQUALIFIED } from './fields.ts'
import {
  type DataType,
  formatTime,
  formatValue,
  ICMP_CODES,
  ICMPV6_CODES,
  ICMPX_CODES,
  integerType,
  TYPES,
  type TypeSurroundings,
} from './types.ts'

export interface PrintSettings {
  handles: boolean
  stateless: boolean
  /** -n: numbers instead of names (of protocols, types, states, priorities). */
  numeric: boolean
  /** -S: names of services. */
  services: boolean
  around: TypeSurroundings
  xt: XtPrint
  image: KernelImage
}

/** What is loaded, as text and as a type. */
interface Spoken {
  text: string
  type: DataType
  /** Bits to move a compared value by, for fields within a byte. */
  shift: number
  /** The field's own mask took care of a bitwise and. */
  whole: boolean
  length: number
}

class RulePrinter {
  readonly #settings: PrintSettings
  readonly #table: TableMessage
  readonly #parts: (string | undefined)[] = []
  #protocol: number | undefined
  /** The rule said that it is about IPv6. */
  #six = false
  /** Parts that only say what a later one implies. */
  #pendingProtocol = -1
  #pendingFamily = -1
  hasXt = false

  constructor(settings: PrintSettings, table: TableMessage) {
    this.#settings = settings
    this.#table = table
  }

  rule(rule: RuleMessage): string {
    const { expressions } = rule
    for (let i = 0; i < expressions.length; i++) {
      const one = expressions[i]!
      const next = expressions[i + 1]
      if (
        one.expr === 'cmp' &&
        one.op === 'gte' &&
        next?.expr === 'cmp' &&
        next.op === 'lte' &&
        same(one.load, next.load)
      ) {
        this.#compare({ expr: 'range', load: one.load, invert: false, from: one.value, to: next.value })
        i++
      } else this.#statement(one, expressions)
    }
    let text = this.#parts.filter((part) => part !== undefined).join(' ')
    if (rule.comment !== undefined) text += `${text === '' ? '' : ' '}comment "${rule.comment}"`
    return text
  }

  #push(text: string): void {
    this.#parts.push(text)
  }

  #statement(one: Expression, all: readonly Expression[]): void {
    switch (one.expr) {
      case 'cmp':
      case 'range':
        this.#compare(one)
        return
      case 'lookup': {
        const key = this.#concat(one.of)
        this.#push(`${key.text} ${one.invert ? '!= ' : ''}${this.#setText(one.set)}`)
        return
      }
      case 'vmap': {
        const key = this.#concat(one.of)
        this.#push(`${key.text} vmap ${this.#setText(one.set)}`)
        return
      }
      case 'verdict':
        this.#push(verdictText(one.verdict))
        return
      case 'counter':
        this.#push(this.#settings.stateless ? 'counter' : `counter packets ${one.packets} bytes ${one.bytes}`)
        return
      case 'limit':
        this.#push(limitText(one))
        return
      case 'quota':
        this.#push(quotaText(one, this.#settings.stateless))
        return
      case 'object':
        this.#push(
          one.map
            ? `${one.type} name ${this.#concat(one.map).text} map ${this.#setText(one.name)}`
            : `${one.type === 'ct helper' ? 'ct helper set' : `${one.type} name`} "${one.name}"`,
        )
        return
      case 'log':
        this.#push(logText(one))
        return
      case 'reject':
        this.#reject(one)
        return
      case 'nat':
        this.#nat(one)
        return
      case 'notrack':
        this.#push('notrack')
        return
      case 'dup':
        this.#push(`dup to ${this.#from(one.address, TYPES.get('ipv4_addr')!)}`)
        return
      case 'meta set': {
        const type = META[one.key] ?? integerType(32)
        this.#push(`meta ${one.key} set ${this.#from(one.from, type)}`)
        return
      }
      case 'ct set':
        this.#push(`ct ${one.key} set ${this.#from(one.from, CT[one.key] ?? integerType(32))}`)
        return
      case 'payload set': {
        const load: Load = { load: 'payload', base: one.base, offset: one.offset, length: one.length }
        this.#push(this.#payloadSet(load, one.from))
        return
      }
      case 'tcpopt set': {
        const spoken = this.#speak({ load: 'tcpopt', type: one.type, offset: one.offset, length: one.length })
        this.#push(`${spoken.text} set ${this.#from(one.from, spoken.type)}`)
        return
      }
      case 'dynset': {
        const key = this.#concat(one.of).text
        const timeout = one.timeoutMs ? ` timeout ${formatTime(one.timeoutMs)}` : ''
        const inner = one.exprs.map((e) => ` ${this.#inner(e)}`).join('')
        const data = one.data ? ` : ${this.#from(one.data, integerType(32))}` : ''
        const set = this.#table.sets.find(({ spec }) => spec.name === one.set)
        if (set?.spec.flags.anonymous) {
          this.#push(`meter ${one.set} size ${set.spec.size ?? 65535} { ${key}${timeout}${inner}${data} }`)
        } else this.#push(`${one.op} @${one.set} { ${key}${timeout}${inner}${data} }`)
        return
      }
      case 'match':
      case 'target':
        this.#xt(one, all)
        return
      case 'connlimit':
        this.#push(`ct count ${one.invert ? 'over ' : ''}${one.count}`)
    }
  }

  #inner(one: Expression): string {
    if (one.expr === 'counter')
      return this.#settings.stateless ? 'counter' : `counter packets ${one.packets} bytes ${one.bytes}`
    if (one.expr === 'limit') return limitText(one)
    if (one.expr === 'quota') return quotaText(one, this.#settings.stateless)
    return one.expr
  }

  #xt(one: Expression & { expr: 'match' | 'target' }, all: readonly Expression[]): void {
    this.hasXt = true
    const { image, xt } = this.#settings
    const table = xtTable(image)
    const extension = one.expr === 'match' ? table.matches.get(one.name) : table.targets.get(one.name)
    const basics = basicsOf(all, this.#table.family)
    const text = extension?.translate?.(one.info, { ...xt, numeric: true, basics })
    this.#push(text ?? `xt ${one.expr} ${one.name}`)
  }

  /** What a load is called; takes away what only led to it. */
  #speak(load: Load): Spoken {
    switch (load.load) {
      case 'payload':
        return this.#payload(load, undefined)
      case 'bitwise': {
        if (load.of.load === 'payload' && load.xor === 0) {
          const field = this.#payload(load.of, load.mask)
          if (field.whole) return field
        }
        const inner = this.#speak(load.of)
        return {
          ...inner,
          whole: false,
          text: `${inner.text}${bitsText(load.mask, load.xor, inner.type, this.#settings)}`,
        }
      }
      case 'shift': {
        const inner = this.#speak(load.of)
        return { ...inner, text: `${inner.text} ${load.left ? '<<' : '>>'} ${load.bits}` }
      }
      case 'meta': {
        const type = META[load.key] ?? integerType(32)
        return plain(UNQUALIFIED.includes(load.key) ? load.key : `meta ${load.key}`, type)
      }
      case 'ct': {
        const way = load.direction ? `${load.direction} ` : ''
        const ip = load.key === 'saddr' || load.key === 'daddr' ? 'ip ' : ''
        return plain(`ct ${way}${ip}${load.key}`, CT[load.key] ?? integerType(32))
      }
      case 'fib': {
        const type =
          load.result === 'type'
            ? TYPES.get('fib_addrtype')!
            : load.result === 'oif'
              ? TYPES.get('iface_index')!
              : TYPES.get('ifname')!
        return plain(`fib ${load.flags.join(' . ')} ${load.result}`, load.present ? TYPES.get('boolean')! : type)
      }
      case 'rt':
        return plain(`rt ${load.key}`, integerType(16))
      case 'socket':
        return plain(`socket ${load.key}`, integerType(32))
      case 'numgen':
        return plain(
          `numgen ${load.mode} mod ${load.mod}${load.offset ? ` offset ${load.offset}` : ''}`,
          integerType(32),
        )
      case 'hash': {
        const of = load.of.length > 0 ? ` ${this.#concat(load.of).text}` : ''
        const seed = load.seed !== undefined ? ` seed 0x${load.seed.toString(16)}` : ''
        return plain(
          `${load.type}${of} mod ${load.mod}${seed}${load.offset ? ` offset ${load.offset}` : ''}`,
          integerType(32),
        )
      }
      case 'tcpopt': {
        const found = Object.entries(TCP_OPTIONS).find(([, { type }]) => type === load.type)
        if (load.present) return plain(`tcp option ${found?.[0] ?? load.type}`, TYPES.get('boolean')!)
        const field =
          found &&
          Object.entries(found[1].fields).find(
            ([, [offset, length]]) => offset === load.offset && length === load.length,
          )
        if (this.#protocol === 6) this.#killProtocol()
        if (!field)
          return plain(`tcp option @${load.type},${load.offset * 8},${load.length * 8}`, integerType(load.length * 8))
        return plain(`tcp option ${found[0]} ${field[0]}`, integerType(load.length * 8))
      }
      case 'map': {
        const key = this.#concat(load.of)
        const set = this.#table.sets.find(({ spec }) => spec.name === load.set)
        const type = TYPES.get(set?.spec.dataType?.[0] ?? '') ?? integerType(32)
        return plain(`${key.text} map ${this.#setText(load.set)}`, type)
      }
      case 'immediate':
        return plain(String(load.value), integerType(32))
    }
  }

  #killProtocol(): void {
    if (this.#pendingProtocol >= 0) this.#parts[this.#pendingProtocol] = undefined
    this.#pendingProtocol = -1
  }

  #killFamily(): void {
    if (this.#pendingFamily >= 0) this.#parts[this.#pendingFamily] = undefined
    this.#pendingFamily = -1
  }

  #payload(load: Load & { load: 'payload' }, mask: number | undefined): Spoken {
    const { base, offset, length } = load
    const family = this.#table.family
    const headers = family === 'arp' && base === 'nh' ? [ARP_HEADER] : HEADERS
    const candidates = headers.filter((header) => {
      if (header.base !== base) return false
      if (header === ARP_HEADER) return true
      if (base === 'nh') return header.name === (family === 'ip6' || this.#six ? 'ip6' : 'ip')
      if (base === 'th')
        return header.protocol === undefined ? this.#protocol === undefined : header.protocol === this.#protocol
      return true
    })
    for (const header of candidates) {
      for (const field of header.fields) {
        const wanted = loadOf(header, field)
        const same =
          wanted.load.load === 'payload' &&
          wanted.load.offset === offset &&
          wanted.load.length === length &&
          wanted.mask === mask
        if (!same) continue
        if (header.protocol !== undefined) this.#killProtocol()
        if (base === 'nh' || header.name === 'icmp' || header.name === 'igmp' || header.name === 'icmpv6')
          this.#killFamily()
        return {
          text: `${header.name} ${field.name}`,
          type: field.type,
          shift: wanted.shift,
          whole: true,
          length: field.bits,
        }
      }
      if (mask === undefined && header === ARP_HEADER && (offset === 14 || offset === 24) && length < 4) {
        const text = `arp ${offset === 14 ? 'saddr' : 'daddr'} ip`
        return { text, type: TYPES.get('ipv4_addr')!, shift: 8 * length - 32, whole: true, length: 8 * length }
      }
      // The leading bytes of an address are a prefix.
      if (mask === undefined && header.name === 'ip' && (offset === 12 || offset === 16) && length < 4) {
        this.#killFamily()
        return {
          text: `ip ${offset === 12 ? 'saddr' : 'daddr'}`,
          type: TYPES.get('ipv4_addr')!,
          shift: 8 * length - 32,
          whole: true,
          length: 8 * length,
        }
      }
    }
    const six = base === 'nh' && (family === 'ip6' || this.#six) && (offset === 8 || offset === 24) && length < 16
    if (mask === undefined && six) {
      this.#killFamily()
      const type = TYPES.get('ipv6_addr')!
      return { text: `ip6 ${offset === 8 ? 'saddr' : 'daddr'}`, type, shift: -1, whole: true, length: 8 * length }
    }
    if (mask !== undefined) {
      const inner = this.#payload(load, undefined)
      return { ...inner, whole: false }
    }
    return plain(`@${base},${offset * 8},${length * 8}`, integerType(length * 8))
  }

  #concat(of: Load[]): { text: string; types: DataType[] } {
    const parts = of.map((load) => this.#speak(load))
    return { text: parts.map(({ text }) => text).join(' . '), types: parts.map(({ type }) => type) }
  }

  #format(type: DataType, value: Value): string {
    const { numeric, around } = this.#settings
    if (this.#settings.services && type.name === 'inet_service') {
      const named = this.#settings.xt.serviceName(value as number, 'tcp')
      if (named !== undefined) return `"${named}"`
    }
    return formatValue(type, value, numeric, around)
  }

  #compare(one: Expression & { expr: 'cmp' | 'range' }): void {
    const { load } = one
    if (one.expr === 'cmp' && one.op === 'eq' && typeof one.value === 'number' && this.#dependency(load, one.value))
      return
    // A mask that is compared with nothing: flags, any of which may be set.
    if (one.expr === 'cmp' && load.load === 'bitwise' && load.xor === 0 && typeof one.value === 'number') {
      const inner = load.of
      const spoken = this.#speak(load)
      if (!spoken.whole || spoken.type.flags) {
        const of = this.#speak(inner)
        if (of.type.flags) {
          this.#flags(one, of, load.mask)
          return
        }
        const prefix = of.type.name === 'ipv4_addr' ? prefixOf(load.mask) : undefined
        if (prefix !== undefined) {
          this.#push(`${of.text} ${opText(one.op)}${formatIpv4(one.value)}/${prefix}`)
          return
        }
        const op = one.op === 'eq' ? '==' : one.op === 'neq' ? '!=' : opText(one.op).trim()
        this.#push(`${spoken.text} ${op} ${this.#format(of.type, one.value)}`)
        return
      }
    }
    const spoken = this.#speak(load)
    const shift = (value: Value): Value => {
      if (spoken.type.name === 'ipv6_addr' && spoken.shift < 0) {
        const hex = typeof value === 'string' ? value : value.toString(16).padStart(spoken.length / 4, '0')
        return hex.padEnd(32, '0')
      }
      if (typeof value !== 'number' || spoken.shift === 0) return value
      return spoken.shift > 0 ? Math.floor(value / 2 ** spoken.shift) : (value * 2 ** -spoken.shift) >>> 0
    }
    if (one.expr === 'range') {
      const text = `${this.#format(spoken.type, shift(one.from))}-${this.#format(spoken.type, shift(one.to))}`
      this.#push(`${spoken.text} ${one.invert ? '!= ' : ''}${text}`)
      return
    }
    let value = this.#format(spoken.type, shift(one.value))
    if (spoken.shift < 0) value += `/${spoken.length}`
    if (load.load === 'tcpopt' && load.present) value = one.value ? 'exists' : 'missing'
    const bits = load.load === 'bitwise' && !spoken.whole
    this.#push(`${spoken.text} ${bits && one.op === 'eq' ? '== ' : opText(one.op)}${value}`)
  }

  #flags(one: Expression & { expr: 'cmp' }, of: Spoken, mask: number): void {
    const value = one.value as number
    const names = (bits: number) => this.#format(of.type, bits)
    if (value === 0 && one.op === 'neq') this.#push(`${of.text} ${names(mask)}`)
    else if (value === 0 && one.op === 'eq') this.#push(`${of.text} ! ${names(mask)}`)
    else this.#push(`${of.text} ${one.op === 'neq' ? '!= ' : ''}${names(value)} / ${names(mask)}`)
  }

  /** What a rule says only so that a later part makes sense may be left out once that part is met. */
  #dependency(load: Load, value: number): boolean {
    const { family } = this.#table
    if (load.load === 'meta' && load.key === 'l4proto') {
      this.#push(`meta l4proto ${this.#format(META['l4proto']!, value)}`)
      this.#protocol = value
      this.#pendingProtocol = this.#parts.length - 1
      return true
    }
    if (load.load === 'meta' && load.key === 'nfproto') {
      this.#push(`meta nfproto ${this.#format(META['nfproto']!, value)}`)
      this.#pendingFamily = this.#parts.length - 1
      this.#six = value === 10
      return true
    }
    if (load.load === 'payload' && load.base === 'nh' && load.offset === 9 && load.length === 1) {
      this.#killFamily()
      this.#push(`ip protocol ${this.#format(TYPES.get('inet_proto')!, value)}`)
      this.#protocol = value
      if (family === 'ip') this.#pendingProtocol = this.#parts.length - 1
      return true
    }
    return false
  }

  /** What a statement takes its value from. */
  #from(load: Load, type: DataType): string {
    if (load.load === 'immediate') return this.#format(type, load.value)
    if (load.load === 'bitwise') {
      const inner = this.#speak(load.of)
      return `${inner.text}${bitsText(load.mask, load.xor, type, this.#settings)}`
    }
    return this.#speak(load).text
  }

  /** A write of a field within a byte comes as a bitwise of what was there. */
  #payloadSet(load: Load & { load: 'payload' }, from: Load): string {
    if (from.load === 'bitwise' && from.of.load === 'payload') {
      const whole = 2 ** (8 * load.length) - 1
      const mask = whole - from.mask
      const spoken = this.#payload(load, mask)
      if (spoken.whole)
        return `${spoken.text} set ${this.#format(spoken.type, Math.floor(from.xor / 2 ** spoken.shift))}`
    }
    const spoken = this.#payload(load, undefined)
    return `${spoken.text} set ${this.#from(from, spoken.type)}`
  }

  #reject(one: Expression & { expr: 'reject' }): void {
    const { family } = this.#table
    if (one.type === 'tcp reset') {
      if (this.#protocol === 6) this.#killProtocol()
      this.#push('reject with tcp reset')
      return
    }
    const { numeric } = this.#settings
    if (one.type === 'icmpx') {
      const name = numeric ? String(one.code) : (ICMPX_CODES.find(([, code]) => code === one.code)?.[0] ?? one.code)
      this.#push(one.code === 1 ? 'reject' : `reject with icmpx ${name}`)
      return
    }
    const six = family === 'ip6' || this.#six
    if (family === 'inet') this.#killFamily()
    const codes = six ? ICMPV6_CODES : ICMP_CODES
    const name = numeric ? String(one.code) : (codes.find(([, code]) => code === one.code)?.[0] ?? one.code)
    const plain = family !== 'inet' && one.code === (six ? 4 : 3)
    this.#push(plain ? 'reject' : `reject with ${six ? 'icmpv6' : 'icmp'} ${name}`)
  }

  #nat(one: Expression & { expr: 'nat' }): void {
    const address = TYPES.get('ipv4_addr')!
    const service = TYPES.get('inet_service')!
    let text: string = one.type
    if (one.address || one.port) {
      const inet = this.#table.family === 'inet' && one.address && one.type !== 'masquerade' && one.type !== 'redirect'
      text += inet ? ` ${one.family ?? 'ip'} to ` : ' to '
      if (one.address) text += this.#from(one.address, address)
      if (one.addressMax) text += `-${this.#from(one.addressMax, address)}`
      if (one.port) {
        text += `:${this.#from(one.port, service)}`
        if (one.portMax) text += `-${this.#from(one.portMax, service)}`
      }
    }
    const flags: string[] = []
    if (one.flags & NAT_RANDOM) flags.push('random')
    if (one.flags & NAT_FULLY_RANDOM) flags.push('fully-random')
    if (one.flags & NAT_PERSISTENT) flags.push('persistent')
    this.#push(flags.length > 0 ? `${text} ${flags.join(',')}` : text)
  }

  /** `@name`, or what is in an anonymous set. */
  #setText(name: string): string {
    const set = this.#table.sets.find(({ spec }) => spec.name === name)
    if (!set) return `@${name}`
    if (!set.spec.flags.anonymous) return `@${name}`
    return `{ ${elementTexts(set, this.#settings).join(', ')} }`
  }
}

function same(a: Load, b: Load): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function plain(text: string, type: DataType): Spoken {
  return { text, type, shift: 0, whole: false, length: type.bits }
}

function opText(op: string): string {
  return { eq: '', neq: '!= ', lt: '< ', lte: '<= ', gt: '> ', gte: '>= ' }[op]!
}

/** ` & 0xff`, ` | 5`, ` ^ 3`: what mask and xor came from. netlink_delinearize.c: netlink_parse_bitwise_bool(). */
function bitsText(mask: number, xor: number, type: DataType, { around }: PrintSettings): string {
  const full = 2 ** Math.min(32, type.bits) - 1
  const or = ((mask & xor) ^ xor) >>> 0
  const flip = (xor & mask) >>> 0
  const and = (mask | or) >>> 0
  const text = (value: number) =>
    formatValue(type.flags ? { ...type, symbols: [], flags: false } : type, value, true, around)
  let out = ''
  if (and !== full) out += ` & ${text(and)}`
  if (flip) out += ` ^ ${text(flip)}`
  if (or) out += ` | ${text(or)}`
  return out
}

export function verdictText({ code, chain }: Verdict): string {
  return chain === undefined ? code : `${code} ${chain}`
}

const SECONDS: Record<number, string> = { 1: 'second', 60: 'minute', 3600: 'hour', 86400: 'day', 604800: 'week' }

/** Bytes in the largest unit that they are a multiple of. */
function bytesText(bytes: number): string {
  if (bytes !== 0 && bytes % (1024 * 1024) === 0) return `${bytes / 1024 / 1024} mbytes`
  if (bytes !== 0 && bytes % 1024 === 0) return `${bytes / 1024} kbytes`
  return `${bytes} bytes`
}

function limitText(one: { rate: number; per: number; burst: number; bytes: boolean; invert: boolean }): string {
  const over = one.invert ? 'over ' : ''
  const unit = SECONDS[one.per] ?? 'second'
  if (one.bytes) {
    return `limit rate ${over}${bytesText(one.rate)}/${unit}${one.burst ? ` burst ${bytesText(one.burst)}` : ''}`
  }
  return `limit rate ${over}${one.rate}/${unit}${one.burst !== 5 && one.burst !== 0 ? ` burst ${one.burst} packets` : ''}`
}

function quotaText(one: { bytes: number; invert: boolean; consumed: number }, stateless: boolean): string {
  const used = one.consumed && !stateless ? ` used ${bytesText(one.consumed)}` : ''
  return `quota ${one.invert ? 'over ' : ''}${bytesText(one.bytes)}${used}`
}

const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug']

function logText(one: Expression & { expr: 'log' }): string {
  let text = 'log'
  if (one.prefix) text += ` prefix "${one.prefix}"`
  if (one.group !== undefined) text += ` group ${one.group}`
  if (one.snaplen) text += ` snaplen ${one.snaplen}`
  if (one.threshold) text += ` queue-threshold ${one.threshold}`
  if (one.group === undefined && one.level !== undefined && one.level !== 4)
    text += ` level ${one.level === 8 ? 'audit' : LEVELS[one.level]}`
  const flags = one.flags ?? 0
  if ((flags & 47) === 47) return `${text} flags all`
  if (flags & 3)
    text += ` flags tcp ${[flags & 1 ? 'sequence' : '', flags & 2 ? 'options' : ''].filter((word) => word).join(',')}`
  if (flags & 4) text += ' flags ip options'
  if (flags & 8) text += ' flags skuid'
  if (flags & 32) text += ' flags ether'
  return text
}

/** Order in which elements are listed: by their value as the machine reads it. */
function compareElements(a: ElementMessage, b: ElementMessage): number {
  for (let i = a.key.length - 1; i >= 0; i--) {
    const [x, y] = [a.key[i]!, b.key[i]!]
    if (x === y) continue
    if (typeof x === 'string' && typeof y === 'string' && !/^[0-9a-f]{32}$/.test(x)) {
      if (x.length !== y.length) return x.length - y.length
      const reversed = (text: string) => [...text].reverse().join('')
      return reversed(x) < reversed(y) ? -1 : 1
    }
    return x < y ? -1 : 1
  }
  return 0
}

function partText(type: DataType, from: Value, to: Value | undefined, settings: PrintSettings): string {
  const text = (value: Value) => formatValue(type, value, settings.numeric, settings.around)
  if (to === undefined || to === from) return text(from)
  if (type.name === 'ipv4_addr' && typeof from === 'number' && typeof to === 'number') {
    const prefix = prefixOf(~(from ^ to) >>> 0)
    if (prefix !== undefined && (from & ~~(from ^ to)) === 0) return `${text(from)}/${prefix}`
  }
  if (type.name === 'ipv6_addr' && typeof from === 'string' && typeof to === 'string') {
    const bits = (hex: string) =>
      [...hex].map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, '0')).join('')
    const [a, b] = [bits(from), bits(to)]
    let prefix = 0
    while (prefix < 128 && a[prefix] === b[prefix]) prefix++
    if (/^0*$/.test(a.slice(prefix)) && /^1*$/.test(b.slice(prefix))) return `${text(from)}/${prefix}`
  }
  return `${text(from)}-${text(to)}`
}

/** The elements of a set, in order. */
function elementTexts(set: SetMessage, settings: PrintSettings): string[] {
  const { spec } = set
  const types = spec.keyType.map((name) => TYPES.get(name) ?? integerType(32))
  const dataTypes = spec.dataType?.map((name) => TYPES.get(name) ?? integerType(32))
  return [...set.elements].sort(compareElements).map((element) => {
    let text = element.key.map((value, i) => partText(types[i]!, value, element.end?.[i], settings)).join(' . ')
    const exprs = element.exprs ?? []
    for (const one of exprs) {
      if (one.expr === 'counter')
        text += settings.stateless ? ' counter' : ` counter packets ${one.packets} bytes ${one.bytes}`
      else if (one.expr === 'limit') text += ` ${limitText(one)}`
      else if (one.expr === 'quota') text += ` ${quotaText(one, settings.stateless)}`
    }
    if (element.timeoutMs !== undefined) text += ` timeout ${formatTime(element.timeoutMs)}`
    if (element.expiresMs !== undefined && !settings.stateless) text += ` expires ${formatTime(element.expiresMs)}`
    if (element.comment !== undefined) text += ` comment "${element.comment}"`
    if (element.verdict) text += ` : ${verdictText(element.verdict)}`
    else if (element.data)
      text += ` : ${element.data.map((value, i) => formatValue(dataTypes?.[i] ?? integerType(32), value, settings.numeric, settings.around)).join(' . ')}`
    return text
  })
}

/** A set or map and its elements, indented by one tab. */
export function printSet(set: SetMessage, settings: PrintSettings, withElements = true): string {
  const { spec } = set
  const map = spec.dataType !== undefined || spec.objectType !== undefined
  let text = `\t${map ? 'map' : 'set'} ${spec.name} {${settings.handles ? ` # handle ${set.handle}` : ''}\n`
  const data = spec.objectType ?? spec.dataType?.join(' . ')
  text += spec.typeof
    ? `\t\ttypeof ${spec.typeof}${spec.typeofData ? ` : ${spec.typeofData}` : ''}\n`
    : `\t\ttype ${spec.keyType.join(' . ')}${data === undefined ? '' : ` : ${data}`}\n`
  if (spec.policy) text += `\t\tpolicy ${spec.policy}\n`
  if (spec.size !== undefined) text += `\t\tsize ${spec.size}\n`
  const flags: string[] = []
  if (spec.flags.constant) flags.push('constant')
  if (spec.flags.dynamic) flags.push('dynamic')
  if (spec.flags.interval) flags.push('interval')
  if (spec.flags.timeout && spec.timeoutMs === undefined) flags.push('timeout')
  else if (spec.flags.timeout && flags.includes('dynamic')) flags.push('timeout')
  if (flags.length > 0) text += `\t\tflags ${flags.join(',')}\n`
  if (spec.timeoutMs !== undefined) text += `\t\ttimeout ${formatTime(spec.timeoutMs)}\n`
  if (spec.gcIntervalMs !== undefined) text += `\t\tgc-interval ${formatTime(spec.gcIntervalMs)}\n`
  for (const one of spec.exprs ?? []) text += one.expr === 'limit' ? `\t\t${limitText(one)}\n` : `\t\t${one.expr}\n`
  if (spec.autoMerge) text += '\t\tauto-merge\n'
  if (spec.comment !== undefined) text += `\t\tcomment "${spec.comment}"\n`
  if (withElements && set.elements.length > 0) {
    const bits = spec.keyType.length > 1 ? 99 : (TYPES.get(spec.keyType[0]!)?.bits ?? 32)
    const each = bits <= 16 ? 5 : bits <= 32 ? 2 : 1
    const texts = elementTexts(set, settings)
    let lines = ''
    texts.forEach((one, i) => {
      if (i > 0) lines += i % each === 0 ? ',\n\t\t\t     ' : ', '
      lines += one
    })
    text += `\t\telements = { ${lines} }\n`
  }
  return `${text}\t}\n`
}

const HOOK_NAMES: Record<string, string> = {
  PRE_ROUTING: 'prerouting',
  LOCAL_IN: 'input',
  FORWARD: 'forward',
  LOCAL_OUT: 'output',
  POST_ROUTING: 'postrouting',
}

/** A priority by the name of one that is near. prio2str(). */
export function priorityText(priority: number, hook: string, numeric: boolean): string {
  if (numeric) return String(priority)
  for (const [name, value] of PRIORITIES) {
    if (name === 'dstnat' && hook !== 'PRE_ROUTING') continue
    if (name === 'srcnat' && hook !== 'POST_ROUTING') continue
    const offset = priority - value
    if (Math.abs(offset) > 10) continue
    if (offset === 0) return name
    return `${name} ${offset > 0 ? '+' : '-'} ${Math.abs(offset)}`
  }
  return String(priority)
}

/** A chain and its rules; `hasXt` is told if any comes from iptables. */
export function printChain(
  chain: ChainMessage,
  table: TableMessage,
  settings: PrintSettings,
  onXt: () => void,
  withRules = true,
): string {
  let text = `\tchain ${chain.name} {${settings.handles ? ` # handle ${chain.handle}` : ''}\n`
  if (chain.comment !== undefined) text += `\t\tcomment "${chain.comment}"\n`
  const { base } = chain
  if (base) {
    const priority = priorityText(base.priority, base.hook, settings.numeric)
    text += `\t\ttype ${base.type} hook ${HOOK_NAMES[base.hook]} priority ${priority}; policy ${base.policy};\n`
  }
  if (withRules) {
    for (const rule of chain.rules) {
      text += `\t\t${printRule(rule, table, settings, onXt)}${settings.handles ? ` # handle ${rule.handle}` : ''}\n`
    }
  }
  return `${text}\t}\n`
}

export function printRule(
  rule: RuleMessage,
  table: TableMessage,
  settings: PrintSettings,
  onXt: () => void = () => {},
): string {
  const printer = new RulePrinter(settings, table)
  const text = printer.rule(rule)
  if (printer.hasXt) onXt()
  return text
}

export function printObject(object: ObjectMessage, settings: PrintSettings): string {
  let text = `\t${object.type} ${object.name} {${settings.handles ? ` # handle ${object.handle}` : ''}\n`
  if (object.comment !== undefined) text += `\t\tcomment "${object.comment}"\n`
  const spec = object.spec as Expression
  if (spec.expr === 'counter') text += settings.stateless ? '' : `\t\tpackets ${spec.packets} bytes ${spec.bytes}\n`
  else if (spec.expr === 'quota') text += `\t\t${quotaText(spec, settings.stateless).replace(/^quota /, '')}\n`
  else if (spec.expr === 'limit') text += `\t\t${limitText(spec).replace(/^limit /, '')}\n`
  return `${text}\t}\n`
}

/** A whole table; and whether iptables has a part in it. */
export function printTable(table: TableMessage, settings: PrintSettings): { text: string; xt: boolean } {
  let xt = false
  let text = `table ${table.family as Family} ${table.name} {${settings.handles ? ` # handle ${table.handle}` : ''}\n`
  if (table.comment !== undefined) text += `\tcomment "${table.comment}"\n`
  if (table.flags & 1) text += '\tflags dormant\n'
  const parts = [
    ...table.objects.map((object) => printObject(object, settings)),
    ...table.sets.filter(({ spec }) => !spec.flags.anonymous).map((set) => printSet(set, settings)),
    ...table.chains.map((chain) =>
      printChain(chain, table, settings, () => {
        xt = true
      }),
    ),
  ]
  text += parts.join('\n')
  return { text: `${text}}\n`, xt }
}

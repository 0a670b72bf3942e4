/** A host's sets, and what the kernel answers about them. Linux 6.1 net/netfilter/ipset/ip_set_core.c, ip_set_hash_gen.h. */
import { defineState, type Host, type NetlinkAnswer } from '#kernel/core'
import { maskOf } from '#wire/inet'
import { keyOf, type Part, SET_TYPES, type SetType } from './types.ts'

export interface SetOptions {
  hashsize?: number
  maxelem?: number
  bucketsize?: number
  initval?: number
  netmask?: number
  /** Of bitmaps. */
  range?: [number, number]
  size?: number
  timeoutS?: number
  counters?: boolean
  comment?: boolean
  skbinfo?: boolean
  forceadd?: boolean
}

export interface Element {
  parts: Part[]
  nomatch: boolean
  /** 0: for ever. */
  expiresNs: number
  packets: number
  bytes: number
  comment: string | undefined
}

export class IpSet {
  name: string
  readonly type: SetType
  readonly options: SetOptions
  readonly elements = new Map<string, Element>()
  /** Rules and lists that use it. */
  references = 0
  readonly #host: Host
  /** Prefix lengths that occur, by part, the longest first; nets are looked up by each. */
  #prefixes: number[][] | undefined

  constructor(host: Host, name: string, type: SetType, options: SetOptions) {
    this.#host = host
    this.name = name
    this.type = type
    this.options = options
  }

  live(element: Element | undefined): Element | undefined {
    if (element === undefined || element.expiresNs === 0) return element
    return this.#host.sim.nowNs >= element.expiresNs ? undefined : element
  }

  list(): Element[] {
    for (const [key, element] of this.elements) if (!this.live(element)) this.elements.delete(key)
    return [...this.elements.values()]
  }

  changed(): void {
    this.#prefixes = undefined
  }

  /** The prefix lengths of a part, the longest first. */
  prefixes(part: number): number[] {
    if (!this.#prefixes) {
      this.#prefixes = this.type.parts.map((kind, i) => {
        if (kind !== 'net') return [32]
        const all = new Set<number>()
        for (const { parts } of this.elements.values()) {
          const one = parts[i]!
          if (one.kind === 'ip') all.add(one.prefix)
        }
        return [...all].sort((a, b) => b - a)
      })
    }
    return this.#prefixes[part]!
  }

  /** The element that a packet or a question fits: the most exact first. */
  find(parts: Part[]): Element | undefined {
    const netmask = this.options.netmask
    const nets = this.type.parts.flatMap((kind, i) => (kind === 'net' ? [i] : []))
    const masked = parts.map((part) =>
      part.kind === 'ip' && netmask !== undefined ? { ...part, address: mask(part.address, netmask) } : part,
    )
    if (nets.length === 0) return this.live(this.elements.get(keyOf(masked)))
    const tryAt = (at: number): Element | undefined => {
      if (at === nets.length) return this.live(this.elements.get(keyOf(masked)))
      const i = nets[at]!
      const part = parts[i]!
      if (part.kind !== 'ip') return undefined
      for (const prefix of this.prefixes(i)) {
        if (prefix > part.prefix) continue
        masked[i] = { kind: 'ip', address: mask(part.address, prefix), prefix }
        const found = tryAt(at + 1)
        if (found) return found
      }
      return undefined
    }
    return tryAt(0)
  }
}

export function mask(address: number, prefix: number): number {
  return prefix === 0 ? 0 : (address & maskOf(prefix)) >>> 0
}

export const ipSets = defineState(() => new Map<string, IpSet>())

/** A part of a request: addresses and ports may be ranges. */
export type WantedPart =
  | { kind: 'ip'; from: number; to: number; prefix?: number }
  | { kind: 'port'; protocol: number; from: number; to: number }
  | { kind: 'mac'; mac: number }
  | { kind: 'set'; name: string; place?: 'before' | 'after'; of?: string }

export interface ElementOptions {
  timeoutS?: number
  packets?: number
  bytes?: number
  comment?: string
  nomatch?: boolean
}

export type IpSetRequest =
  | { type: 'IPSET'; cmd: 'create'; name: string; typeName: string; options: SetOptions; exist: boolean }
  | {
      type: 'IPSET'
      cmd: 'add' | 'del' | 'test'
      name: string
      parts: WantedPart[]
      options: ElementOptions
      exist: boolean
    }
  | { type: 'IPSET'; cmd: 'destroy' | 'flush'; name?: string }
  | { type: 'IPSET'; cmd: 'rename' | 'swap'; name: string; to: string }
  | { type: 'IPSET'; cmd: 'list'; name?: string }
  | { type: 'IPSET'; cmd: 'header'; name: string }

/** A refusal, by what the tool says of it. lib/errcode.c. */
export type Why =
  | 'no set'
  | 'exists'
  | 'type unknown'
  | 'element exists'
  | 'element missing'
  | 'busy'
  | 'referenced'
  | 'second missing'
  | 'rename exists'
  | 'full'
  | 'out of range'
  | 'cidr'
  | 'no timeout'
  | 'no counters'
  | 'no comment'
  | 'types differ'
  | 'member missing'
  | 'member exists'
  | 'ref missing'
  | 'loop'
  | 'nomatch'

export interface Verdict {
  why?: Why
  /** For test. */
  found?: boolean
}

export interface ListedSet {
  name: string
  typeName: string
  revision: number
  options: SetOptions
  memory: number
  references: number
  elements: (Omit<Element, 'expiresNs'> & { timeoutS: number | undefined })[]
}

function refuse(why: Why): NetlinkAnswer {
  return { ok: true, messages: [{ why } satisfies Verdict] }
}

const DONE: NetlinkAnswer = { ok: true, messages: [{}] }

/** The most that a range may make at once. */
const MOST = 65536 * 4

export function answer(host: Host, message: unknown): NetlinkAnswer {
  const request = message as IpSetRequest
  const sets = ipSets.of(host)
  switch (request.cmd) {
    case 'create': {
      const type = SET_TYPES.find((one) => one.name === request.typeName)
      if (!type) return refuse('type unknown')
      const there = sets.get(request.name)
      if (there) return request.exist && there.type === type ? DONE : refuse('exists')
      const options = { ...request.options }
      if (type.method === 'hash') {
        let size = 1
        while (size < (options.hashsize ?? 1024)) size *= 2
        options.hashsize = Math.max(size, 64)
        options.maxelem ??= 65536
        options.bucketsize ??= 12
        options.initval ??= host.sim.random(`${host.name}/ipset`).uint32()
      } else if (type.method === 'list') options.size ??= 8
      sets.set(request.name, new IpSet(host, request.name, type, options))
      return DONE
    }
    case 'header': {
      const set = sets.get(request.name)
      return set ? { ok: true, messages: [{ typeName: set.type.name, options: set.options }] } : refuse('no set')
    }
    case 'list': {
      const wanted = request.name === undefined ? [...sets.values()] : [sets.get(request.name)]
      if (wanted[0] === undefined && request.name !== undefined) return refuse('no set')
      return { ok: true, messages: wanted.map((set) => listed(set!, host)) }
    }
    case 'destroy':
    case 'flush': {
      const wanted = request.name === undefined ? [...sets.values()] : [sets.get(request.name)]
      if (request.name !== undefined && !wanted[0]) return refuse('no set')
      if (request.cmd === 'destroy') {
        if (request.name === undefined) {
          // Lists let go of their members first.
          for (const set of sets.values()) if (set.type.method === 'list' && set.references === 0) empty(set, sets)
        }
        if (wanted.some((set) => set!.references > 0)) return refuse('busy')
        for (const set of wanted) {
          empty(set!, sets)
          sets.delete(set!.name)
        }
      } else for (const set of wanted) empty(set!, sets)
      return DONE
    }
    case 'rename': {
      const set = sets.get(request.name)
      if (!set) return refuse('no set')
      if (set.references > 0) return refuse('referenced')
      if (sets.has(request.to)) return refuse('rename exists')
      const all = [...sets.values()]
      set.name = request.to
      sets.clear()
      for (const one of all) sets.set(one.name, one)
      return DONE
    }
    case 'swap': {
      const a = sets.get(request.name)
      if (!a) return refuse('no set')
      const b = sets.get(request.to)
      if (!b) return refuse('second missing')
      if (a.type !== b.type) return refuse('types differ')
      ;[a.name, b.name] = [b.name, a.name]
      const all = [...sets.values()]
      ;[a.references, b.references] = [b.references, a.references]
      sets.clear()
      for (const one of all) sets.set(one.name, one)
      return DONE
    }
    default:
      return change(host, sets, request)
  }
}

/** Takes all elements away. */
function empty(set: IpSet, sets: Map<string, IpSet>): void {
  if (set.type.method === 'list') {
    for (const { parts } of set.elements.values()) {
      const member = parts[0]?.kind === 'set' ? sets.get(parts[0].name) : undefined
      if (member) member.references--
    }
  }
  set.elements.clear()
  set.changed()
}

function listed(set: IpSet, host: Host): ListedSet {
  const { options } = set
  const elements = set.list()
  return {
    name: set.name,
    typeName: set.type.name,
    revision: set.type.revision,
    options,
    // How many bytes the hash takes depends on chance; this is what its head and its elements take at least.
    memory: 200 + elements.length * 48,
    references: set.references,
    elements: elements.map(({ expiresNs, ...rest }) => ({
      ...rest,
      timeoutS:
        options.timeoutS === undefined
          ? undefined
          : expiresNs === 0
            ? 0
            : Math.max(1, Math.floor((expiresNs - host.sim.nowNs) / 1e9)),
    })),
  }
}

function change(
  host: Host,
  sets: Map<string, IpSet>,
  request: IpSetRequest & { cmd: 'add' | 'del' | 'test' },
): NetlinkAnswer {
  const set = sets.get(request.name)
  if (!set) return refuse('no set')
  const { options } = request
  if (options.timeoutS !== undefined && set.options.timeoutS === undefined) return refuse('no timeout')
  if ((options.packets !== undefined || options.bytes !== undefined) && !set.options.counters)
    return refuse('no counters')
  if (options.comment !== undefined && !set.options.comment) return refuse('no comment')
  if (set.type.method === 'list') return changeList(sets, set, request)
  const all = expand(set, request.parts, request.cmd)
  if (typeof all === 'string') return refuse(all)
  if (request.cmd === 'test') {
    const found = set.find(all[0]!)
    const yes = found !== undefined && found.nomatch === (options.nomatch ?? false)
    return { ok: true, messages: [{ found: yes } satisfies Verdict] }
  }
  for (const parts of all) {
    const why =
      request.cmd === 'add' ? add(host, set, parts, options, request.exist) : remove(set, parts, request.exist)
    if (why) return refuse(why)
  }
  return DONE
}

/** Adds one element; what is against it. */
export function add(host: Host, set: IpSet, parts: Part[], options: ElementOptions, exist: boolean): Why | undefined {
  const key = keyOf(parts)
  const there = set.live(set.elements.get(key))
  if (there && !exist) return 'element exists'
  if (!there && set.type.method === 'hash' && set.list().length >= set.options.maxelem!) {
    if (!set.options.forceadd) return 'full'
    set.elements.delete(set.elements.keys().next().value!)
  }
  const timeoutS = options.timeoutS ?? set.options.timeoutS
  set.elements.set(key, {
    parts,
    nomatch: options.nomatch ?? false,
    expiresNs: timeoutS === undefined || timeoutS === 0 ? 0 : host.sim.nowNs + timeoutS * 1e9,
    packets: options.packets ?? 0,
    bytes: options.bytes ?? 0,
    comment: options.comment,
  })
  set.changed()
  return undefined
}

export function remove(set: IpSet, parts: Part[], exist: boolean): Why | undefined {
  const key = keyOf(parts)
  if (!set.live(set.elements.get(key))) return exist ? undefined : 'element missing'
  set.elements.delete(key)
  set.changed()
  return undefined
}

/** All elements that a request's ranges mean. */
function expand(set: IpSet, wanted: WantedPart[], cmd: string): Part[][] | Why {
  let all: Part[][] = [[]]
  for (const [i, kind] of set.type.parts.entries()) {
    const part = wanted[i]!
    let choices: Part[] = []
    if (part.kind === 'ip') {
      if (kind === 'net') {
        if (part.prefix === 0 && cmd === 'add') return 'cidr'
        choices =
          part.prefix !== undefined
            ? [{ kind: 'ip', address: mask(part.from, part.prefix), prefix: part.prefix }]
            : prefixesOf(part.from, part.to)
      } else {
        const netmask = set.options.netmask ?? 32
        const step = 2 ** (32 - netmask)
        if ((part.to - part.from) / step > MOST) return 'out of range'
        for (let address = mask(part.from, netmask); address <= part.to; address += step)
          choices.push({ kind: 'ip', address, prefix: 32 })
      }
      const { range } = set.options
      if (range && (part.from < range[0] || part.to > range[1])) return 'out of range'
    } else if (part.kind === 'port') {
      const { range } = set.options
      if (range && (part.from < range[0] || part.to > range[1])) return 'out of range'
      for (let port = part.from; port <= part.to; port++) choices.push({ kind: 'port', protocol: part.protocol, port })
    } else if (part.kind === 'mac') choices = [{ kind: 'mac', mac: part.mac }]
    if (all.length * choices.length > MOST) return 'out of range'
    all = all.flatMap((before) => choices.map((choice) => [...before, choice]))
  }
  return all
}

/** A range as the fewest prefixes. */
function prefixesOf(from: number, to: number): Part[] {
  const parts: Part[] = []
  for (let at = from; at <= to; ) {
    let prefix = 32
    while (prefix > 1 && mask(at, prefix - 1) === at && at + 2 ** (33 - prefix) - 1 <= to) prefix--
    parts.push({ kind: 'ip', address: at, prefix })
    at += 2 ** (32 - prefix)
  }
  return parts
}

function changeList(
  sets: Map<string, IpSet>,
  set: IpSet,
  request: IpSetRequest & { cmd: 'add' | 'del' | 'test' },
): NetlinkAnswer {
  const wanted = request.parts[0] as WantedPart & { kind: 'set' }
  const member = sets.get(wanted.name)
  if (!member) return refuse('member missing')
  if (member.type.method === 'list') return refuse('loop')
  const key = keyOf([{ kind: 'set', name: wanted.name }])
  const there = set.elements.get(key)
  if (request.cmd === 'test') return { ok: true, messages: [{ found: there !== undefined } satisfies Verdict] }
  if (request.cmd === 'del') {
    if (!there) return request.exist ? DONE : refuse('element missing')
    set.elements.delete(key)
    member.references--
    return DONE
  }
  if (there) return request.exist ? DONE : refuse('element exists')
  if (set.elements.size >= set.options.size!) return refuse('full')
  const entries = [...set.elements]
  const element: Element = {
    parts: [{ kind: 'set', name: wanted.name }],
    nomatch: false,
    expiresNs: 0,
    packets: 0,
    bytes: 0,
    comment: request.options.comment,
  }
  let at = entries.length
  if (wanted.of !== undefined) {
    const reference = entries.findIndex(([other]) => other === wanted.of)
    if (reference < 0) return refuse('ref missing')
    at = wanted.place === 'before' ? reference : reference + 1
  }
  entries.splice(at, 0, [key, element])
  set.elements.clear()
  for (const [name, one] of entries) set.elements.set(name, one)
  member.references++
  return DONE
}

/**
 * Kinds of filters: u32, fw, matchall, flower.
 *
 * Linux 6.1 net/sched/cls_u32.c: u32_classify(); cls_fw.c: fw_classify(); cls_matchall.c; cls_flower.c.
 */
import { refuse } from '#kernel/net'
import { ETH_P_IP, emitFrame, emitIp, IPPROTO_TCP, IPPROTO_UDP, type Packet, RAW_NONE } from '#wire/inet'
import { type Action, type ActionData, TC_ACT_OK } from './actions.ts'
import type { Classifier, Filter } from './classifier.ts'
import { type Data, type Item, major } from './sch.ts'

/** What a filter needs of the place that it is made in. */
export interface FilterContext {
  action(data: ActionData): Action
  /** u32 tables are numbered for all preferences of one place together. */
  newTable(): number
}

const NEW: Record<string, (context: FilterContext) => Classifier> = {
  u32: (context) => new U32(context),
  fw: (context) => new Fw(context),
  matchall: (context) => new MatchAll(context),
  flower: (context) => new Flower(context),
}

/** A classifier of a kind; undefined if there is none. */
export function createClassifier(kind: string, context: FilterContext): Classifier | undefined {
  return Object.hasOwn(NEW, kind) ? NEW[kind]!(context) : undefined
}

function base(options: Data, handle: number, context: FilterContext): Pick<Filter, 'handle' | 'classid' | 'actions'> {
  const actions = (options['actions'] as ActionData[] | undefined) ?? []
  return {
    handle,
    classid: (options['classid'] as number | undefined) ?? 0,
    actions: actions.map((each) => context.action(each)),
  }
}

export interface U32Key {
  value: number
  mask: number
  offset: number
  /** From the next header on, as far as u32 knows where that is. */
  nextHeader?: boolean
}

class U32 implements Classifier {
  readonly kind = 'u32'
  readonly filters: Filter[] = []
  readonly #context: FilterContext
  readonly #table: number

  constructor(context: FilterContext) {
    this.#context = context
    this.#table = context.newTable()
  }

  preamble() {
    return [{ handle: this.#table * 2 ** 20, options: { table: this.#table, divisor: 1 } }]
  }

  change(handle: number, options: Data) {
    const keys = (options['keys'] as U32Key[] | undefined) ?? []
    let node = handle & 0xfff
    if (node === 0) for (node = 0x800; this.filters.some((other) => (other.handle & 0xfff) === node); ) node++
    const own = this.#table * 2 ** 20 + node
    const counts = { hits: 0, successes: 0, keys: keys.map(() => 0) }
    const filter: Filter = {
      ...base(options, own, this.#context),
      matches(item) {
        counts.hits++
        const bytes = networkBytes(item.packet)
        for (let i = 0; i < keys.length; i++) {
          const { value, mask, offset } = keys[i]!
          if (((read32(bytes, offset) ^ value) & mask) !== 0) return false
          counts.keys[i]!++
        }
        counts.successes++
        return true
      },
      options: () => ({ ...options, table: this.#table, node, counts }),
    }
    return place(this.filters, filter)
  }
}

/** From the network's header on. */
function networkBytes(packet: Packet): Uint8Array {
  return packet.etherType === ETH_P_IP ? emitIp(packet) : emitFrame(packet).subarray(packet.vlanTci >= 0 ? 18 : 14)
}

function read32(bytes: Uint8Array, at: number): number {
  let value = 0
  for (let i = 0; i < 4; i++) value = (value << 8) | (bytes[at + i] ?? 0)
  return value
}

/** Puts a filter where its handle says; an old one of that handle goes. */
function place(filters: Filter[], filter: Filter): Filter {
  const at = filters.findIndex((other) => other.handle === filter.handle)
  if (at >= 0) filters[at] = filter
  else {
    filters.push(filter)
    filters.sort((a, b) => a.handle - b.handle)
  }
  return filter
}

class Fw implements Classifier {
  readonly kind = 'fw'
  readonly filters: Filter[] = []
  #mask = 0xffffffff
  readonly #context: FilterContext

  constructor(context: FilterContext) {
    this.#context = context
  }

  change(handle: number, options: Data) {
    const mask = options['mask'] as number | undefined
    if (mask !== undefined) this.#mask = mask
    if (handle === 0) return refuse('EINVAL')
    const filter: Filter = {
      ...base(options, handle, this.#context),
      matches: ({ packet }) => (packet.mark & this.#mask) >>> 0 === handle,
      options: () => ({ ...options, mask: this.#mask }),
    }
    return place(this.filters, filter)
  }

  /** Without a filter of its own, a mark is a class. */
  classify({ packet }: Item, baseHandle: number) {
    const { mark } = packet
    if (this.filters.length > 0 || mark === 0) return undefined
    if (major(mark) !== 0 && major(mark) !== baseHandle) return undefined
    return { verdict: TC_ACT_OK, classid: mark }
  }
}

class MatchAll implements Classifier {
  readonly kind = 'matchall'
  readonly filters: Filter[] = []
  readonly #context: FilterContext

  constructor(context: FilterContext) {
    this.#context = context
  }

  change(handle: number, options: Data, create: boolean) {
    if (create && this.filters.length > 0) return refuse('EEXIST')
    const counts = { hits: 0 }
    const filter: Filter = {
      ...base(options, handle || 1, this.#context),
      matches() {
        counts.hits++
        return true
      },
      options: () => ({ ...options, counts }),
    }
    return place(this.filters, filter)
  }
}

interface FlowerKeys {
  ethType?: number
  ipProto?: number
  srcIp?: { address: number; prefix: number }
  dstIp?: { address: number; prefix: number }
  srcPort?: number
  dstPort?: number
  srcMac?: number
  dstMac?: number
}

class Flower implements Classifier {
  readonly kind = 'flower'
  readonly filters: Filter[] = []
  readonly #context: FilterContext

  constructor(context: FilterContext) {
    this.#context = context
  }

  change(handle: number, options: Data) {
    const keys = (options['keys'] as FlowerKeys | undefined) ?? {}
    let own = handle
    if (own === 0) for (own = 1; this.filters.some((other) => other.handle === own); ) own++
    const filter: Filter = {
      ...base(options, own, this.#context),
      matches: ({ packet }) => flowerMatches(keys, packet),
      options: () => ({ ...options }),
    }
    return place(this.filters, filter)
  }
}

function flowerMatches(keys: FlowerKeys, packet: Packet): boolean {
  const inPrefix = (ip: number, { address, prefix }: { address: number; prefix: number }) =>
    prefix === 0 || (ip ^ address) >>> (32 - prefix) === 0
  const ported = packet.raw === RAW_NONE && (packet.protocol === IPPROTO_TCP || packet.protocol === IPPROTO_UDP)
  return (
    (keys.ethType === undefined || keys.ethType === packet.etherType) &&
    (keys.srcMac === undefined || keys.srcMac === packet.macSrc) &&
    (keys.dstMac === undefined || keys.dstMac === packet.macDst) &&
    (keys.ipProto === undefined || keys.ipProto === packet.protocol) &&
    (keys.srcIp === undefined || inPrefix(packet.src, keys.srcIp)) &&
    (keys.dstIp === undefined || inPrefix(packet.dst, keys.dstIp)) &&
    (keys.srcPort === undefined || (ported && keys.srcPort === packet.srcPort)) &&
    (keys.dstPort === undefined || (ported && keys.dstPort === packet.dstPort))
  )
}

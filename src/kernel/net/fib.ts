/**
 * The forwarding information base: what a routing table holds, and the lookup in one table.
 *
 * A route is an alias (prefix, TOS, table) of a FibInfo (what kind, by which next hops); equal infos are shared, so that
 * "the same route" is an identity, as in the kernel. A table is an array of aliases in the order in which the kernel's
 * trie is walked: by key, then longest prefix first, then TOS downwards, then metric upwards. A lookup asks for each
 * prefix length that the table has, the longest first, by binary search.
 *
 * Linux 6.1 net/ipv4/fib_trie.c: fib_table_lookup(), net/ipv4/fib_semantics.c.
 */
import type { Errno } from '#kernel/core'
import type { NetDevice } from './device.ts'
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_NOWHERE, RT_SCOPE_UNIVERSE } from './inetdev.ts'
import type { RouteType } from './netlink.ts'

export {
  fibAddressAdded,
  fibAddressRemoved,
  fibCarrier,
  fibDeviceDown,
  fibDeviceUp,
  fibMetricChanged,
  fibMtuChanged,
} from './fib-frontend.ts'

export const RT_TABLE_DEFAULT = 253
export const RT_TABLE_MAIN = 254
export const RT_TABLE_LOCAL = 255

export const RTNH_F_DEAD = 1
export const RTNH_F_PERVASIVE = 2
export const RTNH_F_ONLINK = 4
export const RTNH_F_LINKDOWN = 16
/** What doesn't make two next hops differ. Linux 6.1 include/uapi/linux/rtnetlink.h: RTNH_COMPARE_MASK. */
export const RTNH_COMPARE_MASK = RTNH_F_DEAD | RTNH_F_LINKDOWN

export const RTPROT_UNSPEC = 0
export const RTPROT_KERNEL = 2

/** What a lookup answers for a type, and the narrowest scope that a route of it has. fib_semantics.c: fib_props[]. */
export const ROUTE_TYPES: Record<RouteType, { error?: Errno; scope: number }> = {
  unicast: { scope: RT_SCOPE_UNIVERSE },
  local: { scope: RT_SCOPE_HOST },
  broadcast: { scope: RT_SCOPE_LINK },
  multicast: { scope: RT_SCOPE_UNIVERSE },
  blackhole: { error: 'EINVAL', scope: RT_SCOPE_UNIVERSE },
  unreachable: { error: 'EHOSTUNREACH', scope: RT_SCOPE_UNIVERSE },
  prohibit: { error: 'EACCES', scope: RT_SCOPE_UNIVERSE },
  throw: { error: 'EAGAIN', scope: RT_SCOPE_UNIVERSE },
}

/** What a redirect or a "fragmentation needed" taught about one destination behind a next hop. */
export interface NextHopException {
  gateway: number
  /** 0: not known. */
  pmtu: number
  mtuLocked: boolean
  expiresNs: number
  /** Of the exceptions as a whole; `ip route flush cache` makes all of them void. */
  generation: number
  stampNs: number
}

/** One way out of a route. */
export class FibNextHop {
  device: NetDevice | undefined = undefined
  oif: number
  /** 0: on link. */
  gateway: number
  flags: number
  weight: number
  scope = RT_SCOPE_NOWHERE
  /** Multipath: takes hashes up to this; -1: takes none. */
  upperBound = 0
  source = 0
  sourceGeneration = -1
  exceptions: Map<number, NextHopException> | undefined = undefined

  constructor(oif: number, gateway: number, flags: number, weight: number) {
    this.oif = oif
    this.gateway = gateway
    this.flags = flags
    this.weight = weight
  }
}

/** All of a route but its prefix. */
export class FibInfo {
  readonly type: RouteType
  readonly table: number
  readonly protocol: number
  readonly scope: number
  flags: number
  readonly metric: number
  readonly prefSrc: number
  /** RTAX_* by name; undefined if there are none. */
  readonly metrics: Record<string, number> | undefined
  readonly nextHops: FibNextHop[]
  references = 0
  prefSrcRemoved = false

  constructor(
    type: RouteType,
    table: number,
    protocol: number,
    scope: number,
    flags: number,
    metric: number,
    prefSrc: number,
    metrics: Record<string, number> | undefined,
    nextHops: FibNextHop[],
  ) {
    this.type = type
    this.table = table
    this.protocol = protocol
    this.scope = scope
    this.flags = flags
    this.metric = metric
    this.prefSrc = prefSrc
    this.metrics = metrics
    this.nextHops = nextHops
  }
}

/** One entry of a table. */
export interface FibAlias {
  /** The prefix's address. */
  readonly key: number
  readonly prefix: number
  readonly tos: number
  readonly type: RouteType
  readonly info: FibInfo
  /** Which of several default routes was taken last; -1: none. fib_select_default(). */
  lastDefault: number
}

/** What is looked up. Linux 6.1 include/net/flow.h: struct flowi4. */
export interface Flow {
  dst: number
  src: number
  iif: number
  oif: number
  tos: number
  mark: number
  scope: number
  protocol: number
  srcPort: number
  dstPort: number
  uid: number
  /** FLOWI_FLAG_ANYSRC: the source need not be an address of this host. */
  anySrc: boolean
}

/** A flow from `changes`, all else zero. */
export function flowOf(changes: Partial<Flow>): Flow {
  return {
    dst: 0,
    src: 0,
    iif: 0,
    oif: 0,
    tos: 0,
    mark: 0,
    scope: RT_SCOPE_UNIVERSE,
    protocol: 0,
    srcPort: 0,
    dstPort: 0,
    uid: 0,
    anySrc: false,
    ...changes,
  }
}

/** What a lookup found. */
export interface FibResult {
  type: RouteType
  prefix: number
  key: number
  scope: number
  tos: number
  table: FibTable | undefined
  alias: FibAlias | undefined
  info: FibInfo | undefined
  nextHop: FibNextHop | undefined
}

/** 2^32 - 2^(32 - prefix), as a signed 32-bit mask. */
export function signedMask(prefix: number): number {
  return prefix === 0 ? 0 : -1 << (32 - prefix)
}

export class FibTable {
  readonly id: number
  /** In the order in which the kernel walks its trie. */
  readonly aliases: FibAlias[] = []
  /** Which prefix lengths there are: bit n for n below 32, and /32. */
  #lengths = 0
  #hasHosts = false

  constructor(id: number) {
    this.id = id
  }

  /** How many default routes there are. */
  get defaults(): number {
    let n = 0
    while (n < this.aliases.length && this.aliases[n]!.key === 0) n++
    return this.aliases.slice(0, n).filter((alias) => alias.prefix === 0).length
  }

  insert(at: number, alias: FibAlias): void {
    this.aliases.splice(at, 0, alias)
    this.#note(alias)
  }

  remove(alias: FibAlias): void {
    this.aliases.splice(this.aliases.indexOf(alias), 1)
    this.#lengths = 0
    this.#hasHosts = false
    for (const other of this.aliases) this.#note(other)
  }

  #note({ prefix }: FibAlias): void {
    if (prefix === 32) this.#hasHosts = true
    else this.#lengths |= 1 << prefix
  }

  /** Where the aliases of a prefix begin, or would stand. */
  find(key: number, prefix: number): number {
    let low = 0
    let high = this.aliases.length
    while (low < high) {
      const middle = (low + high) >> 1
      const alias = this.aliases[middle]!
      if (alias.key < key || (alias.key === key && alias.prefix > prefix)) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Whether any route has this prefix length. */
  hasLength(prefix: number): boolean {
    return prefix === 32 ? this.#hasHosts : (this.#lengths & (1 << prefix)) !== 0
  }
}

/**
 * What a rule is made of, as nf_tables has it: expressions that load something of a packet, compare it, and act. Where the
 * kernel moves values through registers, a `Load` is a tree: what is loaded, and what is done to it on the way.
 *
 * Numbers stand for values of up to six bytes, in the order in which they are written down; names and IPv6 addresses (as 32
 * hexadecimal digits) are strings. Linux 6.1 include/uapi/linux/netfilter/nf_tables.h.
 */
export type Value = number | string

export type Family = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev'

/** Where a payload's offset counts from: the Ethernet, the IP or the transport header. */
export type Base = 'll' | 'nh' | 'th'

export type Load =
  | { load: 'payload'; base: Base; offset: number; length: number }
  | { load: 'tcpopt'; type: number; offset: number; length: number; present?: boolean }
  | { load: 'meta'; key: string }
  | { load: 'ct'; key: string; direction?: 'original' | 'reply' }
  | { load: 'fib'; result: 'oif' | 'oifname' | 'type'; flags: string[]; present?: boolean }
  | { load: 'rt'; key: string }
  | { load: 'socket'; key: string }
  | { load: 'numgen'; mode: 'inc' | 'random'; mod: number; offset: number }
  | { load: 'hash'; type: 'jhash' | 'symhash'; of: Load[]; mod: number; seed?: number; offset: number }
  | { load: 'immediate'; value: Value }
  | { load: 'bitwise'; of: Load; mask: number; xor: number }
  | { load: 'shift'; of: Load; left: boolean; bits: number }
  | { load: 'map'; of: Load[]; set: string }

export interface Verdict {
  code: 'accept' | 'drop' | 'continue' | 'break' | 'return' | 'jump' | 'goto'
  chain?: string
}

export type CompareOp = 'eq' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte'

/** A rate: so many units in so many seconds, with a burst on top. */
export interface LimitSpec {
  rate: number
  /** Seconds. */
  per: number
  burst: number
  bytes: boolean
  invert: boolean
}

export type Expression =
  | { expr: 'cmp'; load: Load; op: CompareOp; value: Value }
  | { expr: 'range'; load: Load; invert: boolean; from: Value; to: Value }
  | { expr: 'lookup'; of: Load[]; set: string; invert: boolean }
  | { expr: 'vmap'; of: Load[]; set: string }
  | {
      expr: 'dynset'
      op: 'add' | 'update' | 'delete'
      set: string
      of: Load[]
      data?: Load
      timeoutMs?: number
      exprs: Expression[]
    }
  | { expr: 'verdict'; verdict: Verdict }
  | { expr: 'counter'; packets: number; bytes: number }
  | ({ expr: 'limit' } & LimitSpec)
  | { expr: 'quota'; bytes: number; invert: boolean; consumed: number }
  | { expr: 'connlimit'; count: number; invert: boolean }
  | { expr: 'object'; type: 'counter' | 'quota' | 'limit' | 'ct helper' | 'ct timeout'; name: string; map?: Load[] }
  | {
      expr: 'log'
      prefix?: string
      level?: number
      flags?: number
      group?: number
      snaplen?: number
      threshold?: number
    }
  | { expr: 'reject'; type: 'icmp' | 'tcp reset' | 'icmpx'; code: number }
  | { expr: 'meta set'; key: string; from: Load }
  | { expr: 'ct set'; key: string; from: Load }
  | { expr: 'payload set'; base: Base; offset: number; length: number; from: Load }
  | { expr: 'tcpopt set'; type: number; offset: number; length: number; from: Load }
  | { expr: 'notrack' }
  | {
      expr: 'nat'
      type: 'snat' | 'dnat' | 'masquerade' | 'redirect'
      family?: Family
      address?: Load
      addressMax?: Load
      port?: Load
      portMax?: Load
      /** NF_NAT_RANGE_*: 4 random, 8 persistent, 16 fully random, 64 a whole prefix. */
      flags: number
    }
  | { expr: 'dup'; address: Load; device?: Load }
  | { expr: 'match'; name: string; revision: number; info: XtInfo }
  | { expr: 'target'; name: string; revision: number; info: XtInfo }

/** What an xt extension keeps: plain data of its own. */
export type XtInfo = Readonly<Record<string, unknown>>

/** NF_NAT_RANGE_*. Linux 6.1 include/uapi/linux/netfilter/nf_nat.h. */
export const NAT_RANDOM = 4
export const NAT_PERSISTENT = 8
export const NAT_FULLY_RANDOM = 16
export const NAT_NETMAP = 64

/** NF_LOG_*. Linux 6.1 include/uapi/linux/netfilter/nf_log.h. */
export const LOG_TCP_SEQUENCE = 1
export const LOG_TCP_OPTIONS = 2
export const LOG_IP_OPTIONS = 4
export const LOG_UID = 8
export const LOG_MAC = 32
export const LOG_ALL = 47
/** What `log level audit` says. */
export const LOG_AUDIT = 8

/**
 * Tables, chains, rules, sets and named objects of a host's network. They refer to each other by object inside the kernel
 * and by name outside. Linux 6.1 include/net/netfilter/nf_tables.h.
 */
import { defineState, type Host } from '#kernel/core'
import type { HookName, NetDevice, PacketHook } from '#kernel/net'
import type { Expression, Family, Value, Verdict } from './expressions.ts'
import type { CompiledChain, CompiledRule } from './run.ts'

export interface BaseChain {
  type: 'filter' | 'nat' | 'route'
  hook: HookName
  priority: number
  policy: 'accept' | 'drop'
  /** Set if it counts what meets its policy, as iptables asks. */
  counters: { packets: number; bytes: number } | undefined
}

export class Table {
  readonly family: Family
  readonly name: string
  handle: number
  /** NFT_TABLE_F_*: 1 dormant. */
  flags: number
  comment: string | undefined
  readonly chains = new Map<string, Chain>()
  readonly sets = new Map<string, NfSet>()
  readonly objects = new Map<string, NamedObject>()
  /** The next handle of what is in it. */
  nextHandle = 1

  constructor(family: Family, name: string, handle: number, flags: number) {
    this.family = family
    this.name = name
    this.handle = handle
    this.flags = flags
  }
}

export class Chain {
  readonly table: Table
  name: string
  readonly handle: number
  readonly base: BaseChain | undefined
  comment: string | undefined
  rules: Rule[] = []
  /** How many rules and map elements jump here. */
  uses = 0
  compiled: CompiledChain | undefined = undefined
  /** What is registered for it. */
  hooked: (() => void) | undefined = undefined
  hook: PacketHook | undefined = undefined

  constructor(table: Table, name: string, handle: number, base: BaseChain | undefined) {
    this.table = table
    this.name = name
    this.handle = handle
    this.base = base
  }
}

export class Rule {
  readonly chain: Chain
  readonly handle: number
  readonly expressions: readonly Expression[]
  comment: string | undefined
  /** What its expressions keep between packets, by their place; counters first of all. */
  readonly states: (ExpressionState | undefined)[]
  compiled: CompiledRule | undefined = undefined

  constructor(chain: Chain, handle: number, expressions: readonly Expression[], comment: string | undefined) {
    this.chain = chain
    this.handle = handle
    this.expressions = expressions
    this.comment = comment
    this.states = []
  }
}

/** A counter, a bucket, a quota. */
export interface ExpressionState {
  /** How the expression looks now, in a dump. */
  dump(): Partial<Record<string, unknown>>
  /** Something that must be undone when the rule goes. */
  release?(): void
}

export interface SetElement {
  key: Value[]
  /** Of an interval: its last value, part by part. */
  end?: Value[]
  data?: Value[]
  verdict?: Verdict
  comment?: string
  timeoutMs?: number
  /** When it goes, in virtual ns. */
  expiresNs?: number
  /** What was said to count or limit with each element. */
  exprs?: Expression[]
  states?: (ExpressionState | undefined)[]
  target?: Chain
}

export interface SetSpec {
  family: Family
  table: string
  name: string
  /** `ipv4_addr`, `inet_service` ...: a word for each part. */
  keyType: string[]
  /** Bytes of each part; what an interval ends at needs them. */
  keyLengths: number[]
  dataType?: string[]
  flags: {
    constant?: boolean
    interval?: boolean
    timeout?: boolean
    dynamic?: boolean
    anonymous?: boolean
    map?: boolean
  }
  timeoutMs?: number
  gcIntervalMs?: number
  size?: number
  policy?: 'memory'
  autoMerge?: boolean
  comment?: string
  exprs?: Expression[]
  /** As `typeof` said it, for who prints it. */
  typeof?: string
  typeofData?: string
  objectType?: string
}

export interface NfSet {
  readonly spec: SetSpec
  readonly table: Table
  readonly handle: number
  uses: number
  elements: ElementStore
}

export interface ElementStore {
  readonly size: number
  list(): SetElement[]
  find(key: readonly Value[]): SetElement | undefined
  /** Of a single number or name: what most lookups are. */
  findOne(key: Value): SetElement | undefined
  exact(element: SetElement): SetElement | undefined
  overlaps(element: SetElement): boolean
  insert(element: SetElement): void
  remove(element: SetElement): void
}

export interface NamedObject {
  readonly table: Table
  readonly type: 'counter' | 'quota' | 'limit' | 'ct helper' | 'ct timeout'
  readonly name: string
  readonly handle: number
  comment: string | undefined
  uses: number
  readonly spec: Expression | Record<string, unknown>
  readonly state: ExpressionState | undefined
  /** Whether a packet goes on, for those that an expression runs. */
  readonly run: ((packet: import('#wire/inet').Packet, length: number) => boolean) | undefined
}

/** A host's nf_tables. */
export class NfTables {
  readonly host: Host
  readonly tables: Table[] = []
  nextTableHandle = 1
  /** Counts transactions (the generation id). */
  generation = 1
  nextAnonymousSet = 0

  constructor(host: Host) {
    this.host = host
  }

  table(family: Family, name: string): Table | undefined {
    return this.tables.find((table) => table.family === family && table.name === name)
  }
}

export const nfTables = defineState((host) => new NfTables(host))

/** What a rule sees of a packet's way. */
export interface Devices {
  readonly in: NetDevice | undefined
  readonly out: NetDevice | undefined
}

/**
 * Requests to nf_tables as objects with the kernel's names: a batch of commands that happen together or not at all, and one
 * question, for everything there is. Linux 6.1 net/netfilter/nf_tables_api.c.
 */
import type { Errno } from '#kernel/core'
import type { HookName } from '#kernel/net'
import type { Expression, Family, Value, Verdict } from './expressions.ts'
import type { SetSpec } from './objects.ts'

export interface BaseSpec {
  type: string
  hook: HookName
  priority: number
  policy?: 'accept' | 'drop'
  counters?: { packets: number; bytes: number }
}

export interface ElementSpec {
  key: Value[]
  end?: Value[]
  data?: Value[]
  verdict?: Verdict
  comment?: string
  timeoutMs?: number
  expiresMs?: number
  exprs?: Expression[]
}

type In = { family: Family; table: string }

/** `exclusive` is NLM_F_EXCL: what is there already is a mistake. */
export type NftCommand =
  | (In & { cmd: 'newtable'; flags?: number; comment?: string; exclusive?: boolean })
  | { cmd: 'deltable'; family?: Family; table?: string; handle?: number }
  | (In & {
      cmd: 'newchain'
      chain: string
      base?: BaseSpec
      policy?: 'accept' | 'drop'
      counters?: { packets: number; bytes: number }
      comment?: string
      exclusive?: boolean
    })
  | (In & { cmd: 'renamechain'; chain: string; to: string })
  /** `nonRecursive`: not while it has rules. */
  | (In & { cmd: 'delchain'; chain?: string; handle?: number; nonRecursive?: boolean })
  | (In & {
      cmd: 'newrule'
      chain: string
      expressions: Expression[]
      comment?: string
      /** Numbers a rule for others in this batch. */
      id?: number
      /** Before the first, or before `position`; else at the end, or behind it. */
      insert?: boolean
      position?: number
      positionId?: number
      replace?: number
    })
  /** Without a handle all of the chain, without a chain all of the table. */
  | (In & { cmd: 'delrule'; chain?: string; handle?: number; id?: number })
  /** A name that ends in `%d` is chosen by the kernel; rules say `#id`. */
  | { cmd: 'newset'; spec: SetSpec; id?: number; exclusive?: boolean }
  | (In & { cmd: 'delset'; set?: string; handle?: number })
  | (In & { cmd: 'newelements'; set: string; elements: ElementSpec[]; exclusive?: boolean })
  /** Without elements: all. */
  | (In & { cmd: 'delelements'; set: string; elements?: ElementSpec[] })
  | (In & {
      cmd: 'newobject'
      type: 'counter' | 'quota' | 'limit' | 'ct helper' | 'ct timeout'
      name: string
      spec: Expression | Record<string, unknown>
      comment?: string
      exclusive?: boolean
    })
  | (In & { cmd: 'delobject'; type: string; name?: string; handle?: number })
  /** The counters of a base chain, of named objects: read and set to zero. */
  | (In & { cmd: 'reset'; what: 'object'; type: string; name: string })

export interface NftError {
  /** Which command. */
  index: number
  errno: Errno
  /** What of it: the kernel's extended answer points to an attribute. */
  at?: 'table' | 'chain' | 'rule' | 'set' | 'element' | 'object' | 'name' | 'expression'
  extack?: string
}

export type NftRequest =
  | { type: 'NFT_BATCH'; commands: NftCommand[]; check?: boolean }
  | { type: 'NFT_GETRULESET'; family?: Family }

export interface BatchAnswer {
  errors: NftError[]
}

export interface RuleMessage {
  handle: number
  expressions: Expression[]
  comment?: string
}

export interface ChainMessage {
  name: string
  handle: number
  base?: BaseSpec & { policy: 'accept' | 'drop' }
  comment?: string
  uses: number
  rules: RuleMessage[]
}

export interface ElementMessage extends ElementSpec {}

export interface SetMessage {
  spec: SetSpec
  handle: number
  elements: ElementMessage[]
}

export interface ObjectMessage {
  type: 'counter' | 'quota' | 'limit' | 'ct helper' | 'ct timeout'
  name: string
  handle: number
  comment?: string
  spec: Expression | Record<string, unknown>
}

export interface TableMessage {
  family: Family
  name: string
  handle: number
  flags: number
  comment?: string
  chains: ChainMessage[]
  sets: SetMessage[]
  objects: ObjectMessage[]
}

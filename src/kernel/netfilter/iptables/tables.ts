/**
 * What a change of iptables means to nf_tables: commands collected for one batch, and who is told what if the kernel
 * refuses. iptables 1.8.9 iptables/nft.c.
 */
import { type Errno, type KernelImage, type NetlinkAnswer, strerror } from '#kernel/core'
import type { BatchAnswer, ChainMessage, NftCommand, TableMessage } from '../messages.ts'
import { xtTable } from '../xt/extension.ts'
import { type BuiltinChain, TABLES } from './builtin.ts'
import { fromExpressions, type IptablesRule, sameRule, toExpressions } from './rule.ts'

/** A refusal, as the tool's last words. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly status: number
  constructor(text: string, status = 1) {
    super(text)
    this.status = status
  }
}

/** nft_strerror()'s table: what an errno means after which action. */
const MEANINGS: [action: string | undefined, errno: Errno, text: string][] = [
  ['chain-del', 'ENOTEMPTY', 'Chain is not empty'],
  ['chain-add', 'EEXIST', 'Chain already exists'],
  ['chain-rename', 'EEXIST', 'File exists'],
  ['insert', 'E2BIG', 'Index of insertion too big'],
  ['check', 'ENOENT', 'Bad rule (does a matching rule exist in that chain?)'],
  ['replace', 'E2BIG', 'Index of replacement too big'],
  ['delete-number', 'E2BIG', 'Index of deletion too big'],
  ['delete', 'ENOENT', 'Bad rule (does a matching rule exist in that chain?)'],
  ['policy', 'ENOENT', 'Bad built-in chain name'],
  ['policy', 'EINVAL', 'Bad policy name'],
  [undefined, 'ENOENT', 'No chain/target/match by that name'],
]

export interface TableView {
  message: TableMessage | undefined
  chains: Map<string, ChainView>
}

export interface ChainView {
  message: ChainMessage | undefined
  builtin: BuiltinChain | undefined
}

/** One run's view of the kernel, and the batch that it prepares. */
export class Tables {
  readonly program: string
  readonly image: KernelImage
  readonly #netlink: (message: { type: string }) => NetlinkAnswer
  readonly #commands: NftCommand[] = []
  readonly #said: string[] = []
  #all: TableMessage[]
  readonly #cleared = new Set<string>()

  constructor(program: string, image: KernelImage, netlink: (message: { type: string }) => NetlinkAnswer) {
    this.program = program
    this.image = image
    this.#netlink = netlink
    this.#all = this.#dump()
  }

  #dump(): TableMessage[] {
    const answer = this.#netlink({ type: 'NFT_GETRULESET', family: 'ip' } as { type: string })
    return answer.ok ? (answer.messages as TableMessage[]) : []
  }

  refresh(): void {
    this.#all = this.#dump()
  }

  table(name: string): TableMessage | undefined {
    return this.#cleared.has(name) ? undefined : this.#all.find((table) => table.name === name)
  }

  chain(table: string, name: string): ChainMessage | undefined {
    return this.table(table)?.chains.find((chain) => chain.name === name)
  }

  /** Built-in chains exist whether the kernel has them yet or not. */
  exists(table: string, name: string): boolean {
    return builtin(table, name) !== undefined || this.chain(table, name) !== undefined
  }

  /** iptables' own words for an errno, as the program ends. */
  fail(action: string | undefined, errno: Errno): never {
    const found = MEANINGS.find(([one, name]) => name === errno && (one === undefined || one === action))
    const text = found?.[2] ?? strerror(errno)
    const more = errno === 'EINVAL' ? " Run `dmesg' for more information." : ''
    throw new Failure(`${this.program}: ${text}.${more}\n`)
  }

  /** A rule of a chain as iptables sees it. */
  rules(chain: ChainMessage): IptablesRule[] {
    return chain.rules.map((message) => {
      const rule = fromExpressions(message, this.image)
      if (!rule) throw new Failure('', 1)
      return rule
    })
  }

  /** Whether iptables can show all that a table has. nft_is_table_compatible(). */
  compatible(table: TableMessage, only?: string): boolean {
    for (const chain of table.chains) {
      if (only !== undefined && chain.name !== only) continue
      const own = builtin(table.name, chain.name)
      if (chain.base) {
        if (!own || own.type !== chain.base.type || own.hook !== chain.base.hook) return false
        if (own.priority !== chain.base.priority) return false
      }
      if (chain.rules.some((rule) => fromExpressions(rule, this.image) === undefined)) return false
    }
    return true
  }

  push(command: NftCommand, said: string): void {
    this.#commands.push(command)
    this.#said.push(said)
  }

  /** The table goes, and comes back empty: what iptables-restore begins with. */
  clear(table: string): void {
    if (!this.table(table)) return
    this.push({ cmd: 'deltable', family: 'ip', table }, `TABLE_FLUSH|table ${table}`)
    this.#cleared.add(table)
  }

  /** After a commit there is nothing that was cleared. */
  restored(): void {
    this.#cleared.clear()
    this.refresh()
  }

  needTable(table: string): void {
    if (this.table(table)) return
    if (this.#commands.some((one) => one.cmd === 'newtable' && one.table === table)) return
    this.push({ cmd: 'newtable', family: 'ip', table }, `TABLE_ADD|table ${table}`)
  }

  /** A built-in chain that the kernel doesn't have yet. nft_xt_builtin_init(). */
  needChain(table: string, name: string): void {
    this.needTable(table)
    const own = builtin(table, name)
    if (!own || this.chain(table, name)) return
    if (this.#commands.some((one) => one.cmd === 'newchain' && one.table === table && one.chain === name)) return
    const { type, hook, priority } = own
    const base = { type, hook, priority, policy: 'accept' as const }
    this.push({ cmd: 'newchain', family: 'ip', table, chain: name, base }, `CHAIN_ADD|chain ${name}`)
  }

  expressions(rule: IptablesRule) {
    return toExpressions(rule, xtTable(this.image))
  }

  /** The handle of the first rule that is the same. */
  find(table: string, chain: string, wanted: IptablesRule): { handle: number; index: number } | undefined {
    const message = this.chain(table, chain)
    if (!message) return undefined
    const normal = this.normal(wanted)
    for (const [index, one] of message.rules.entries()) {
      const rule = fromExpressions(one, this.image)
      if (rule && sameRule(rule, normal)) return { handle: one.handle, index }
    }
    return undefined
  }

  /** A rule as it comes back from the kernel. */
  normal(rule: IptablesRule): IptablesRule {
    return fromExpressions({ handle: 0, expressions: this.expressions(rule) }, this.image) ?? rule
  }

  /** Sends the batch; ends the program if the kernel refuses. */
  commit(): void {
    if (this.#commands.length === 0) return
    const answer = this.#netlink({ type: 'NFT_BATCH', commands: [...this.#commands] } as { type: string })
    const said = [...this.#said]
    this.#commands.length = 0
    this.#said.length = 0
    if (!answer.ok) throw new Failure(`${this.program}: ${strerror(answer.errno)}.\n`, 4)
    const { errors } = (answer.messages as BatchAnswer[])[0]!
    if (errors.length > 0) {
      throw new Refusals(
        errors.map(({ index, errno }) => {
          const [what, where] = said[index]!.split('|')
          return { index, text: ` ${what} failed (${strerror(errno)}): ${where}` }
        }),
      )
    }
    this.refresh()
  }

  /** What the batch would say now, for who counts lines. */
  get pending(): number {
    return this.#commands.length
  }

  discard(): void {
    this.#commands.length = 0
    this.#said.length = 0
  }
}

/** What the kernel didn't want, command by command. */
export class Refusals extends Error {
  override readonly name = 'Refusals'
  readonly lines: { index: number; text: string }[]
  constructor(lines: { index: number; text: string }[]) {
    super(lines[0]?.text ?? '')
    this.lines = lines
  }
}

export function builtin(table: string, chain: string): BuiltinChain | undefined {
  return TABLES.get(table)?.find((one) => one.name === chain)
}

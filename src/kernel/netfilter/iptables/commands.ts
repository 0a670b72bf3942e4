/** What iptables' commands do. iptables 1.8.9 iptables/xtables.c: do_commandx(). */
import type { ChainMessage } from '../messages.ts'
import { type BuiltinChain, TABLES } from './builtin.ts'
import { type CommandLine, UsageError, VERDICTS } from './parse.ts'
import type { Printer } from './print.ts'
import type { IptablesRule } from './rule.ts'
import { builtin, Failure, type Tables } from './tables.ts'

/** The rules that a command line means: one for each pair of source and destination. */
function rulesOf(line: CommandLine): IptablesRule[] {
  const rules: IptablesRule[] = []
  for (const src of line.sources) for (const dst of line.destinations) rules.push({ ...line.rule, src, dst })
  return rules
}

/** Carries out a command line; what it prints. Changes are left in the batch. */
export function execute(line: CommandLine, tables: Tables, printer: Printer): string {
  const { table, command } = line
  const chain = line.chain
  switch (command) {
    case 'append':
    case 'insert':
    case 'replace':
    case 'delete':
    case 'check':
      changeRules(line, tables)
      return line.verbose > 0 && !(command === 'delete' && line.rulenum !== undefined)
        ? rulesOf(line)
            .map((rule) => printer.line(rule))
            .join('')
        : ''
    case 'list':
    case 'list-rules': {
      let text = command === 'list' ? list(line, tables, printer) : listRules(line, tables, printer)
      if (line.zero) zero(line, tables)
      text += ''
      return text
    }
    case 'flush':
      flush(table, chain, tables)
      return line.verbose > 0 ? told('Flushing', chain, [...builtins(table), ...users(table, tables)]) : ''
    case 'zero':
      zero(line, tables)
      return line.verbose > 0 ? told('Zeroing', chain, tables.table(table)?.chains.map((one) => one.name) ?? []) : ''
    case 'new-chain':
      if (tables.exists(table, chain!)) tables.fail('chain-add', 'EEXIST')
      tables.needTable(table)
      tables.push(
        { cmd: 'newchain', family: 'ip', table, chain: chain!, exclusive: true },
        `CHAIN_USER_ADD|chain ${chain}`,
      )
      return ''
    case 'delete-chain':
      deleteChain(line, tables)
      return line.verbose > 0 ? told('Deleting', chain, users(table, tables)) : ''
    case 'rename-chain':
      if (tables.exists(table, line.newName!)) tables.fail('chain-rename', 'EEXIST')
      if (!tables.chain(table, chain!)) tables.fail('chain-rename', 'ENOENT')
      tables.push(
        { cmd: 'renamechain', family: 'ip', table, chain: chain!, to: line.newName! },
        `CHAIN_RENAME|chain ${line.newName}`,
      )
      return ''
    case 'policy':
      setPolicy(tables, table, chain!, line.policy!, line.setCounters)
      return ''
  }
  return ''
}

function told(what: string, chain: string | undefined, all: string[]): string {
  return (chain === undefined ? all : [chain]).map((name) => `${what} chain \`${name}'\n`).join('')
}

function builtins(table: string): string[] {
  return TABLES.get(table)!.map((one) => one.name)
}

function users(table: string, tables: Tables): string[] {
  return (tables.table(table)?.chains ?? []).filter((one) => !one.base).map((one) => one.name)
}

/** `iptables -P`, and the chain lines of iptables-restore. */
export function setPolicy(
  tables: Tables,
  table: string,
  chain: string,
  policy: string,
  counters: [number, number] | undefined,
): void {
  if (!builtin(table, chain)) tables.fail('policy', 'ENOENT')
  if (policy !== 'ACCEPT' && policy !== 'DROP') tables.fail('policy', 'EINVAL')
  checkNat(table, policy)
  tables.needTable(table)
  const { type, hook, priority } = builtin(table, chain)!
  const [packets, bytes] = counters ?? [0, 0]
  tables.push(
    {
      cmd: 'newchain',
      family: 'ip',
      table,
      chain,
      base: { type, hook, priority },
      policy: policy === 'DROP' ? 'drop' : 'accept',
      counters: { packets, bytes },
    },
    `CHAIN_UPDATE|chain ${chain}`,
  )
}

/** The nat table is only shown the first packet of each connection. */
function checkNat(table: string, verdict: string): void {
  if (table !== 'nat' || verdict !== 'DROP') return
  throw new UsageError('\nThe "nat" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n')
}

export function changeRules(line: CommandLine, tables: Tables, nameOf?: RuleIds): void {
  const { table, command, rule } = line
  const chain = line.chain!
  const { target } = rule
  if (target.kind === 'verdict') checkNat(table, target.verdict)
  if (target.kind === 'chain' && !VERDICTS.includes(target.chain) && !nameOf?.chains.has(`${table} ${target.chain}`)) {
    if (!tables.exists(table, target.chain)) throw new UsageError(`Chain '${target.chain}' does not exist`)
  }
  if (!tables.exists(table, chain) && !nameOf?.chains.has(`${table} ${chain}`)) tables.fail(undefined, 'ENOENT')
  const handles = nameOf?.handles(table, chain, tables) ?? existing(tables, table, chain)
  const at = line.rulenum
  switch (command) {
    case 'append':
      tables.needChain(table, chain)
      for (const one of rulesOf(line)) {
        const id = nameOf?.add(table, chain, tables)
        tables.push(
          { cmd: 'newrule', family: 'ip', table, chain, expressions: tables.expressions(one), ...(id && { id }) },
          `RULE_APPEND|rule in chain ${chain}`,
        )
      }
      return
    case 'insert': {
      const place = at ?? 1
      if (place > handles.length + 1) tables.fail('insert', 'E2BIG')
      tables.needChain(table, chain)
      // Several rules keep their order: each is put where the first was to stand.
      for (const one of rulesOf(line).reverse()) {
        const before = handles[place - 1]
        const id = nameOf?.add(table, chain, tables, place - 1)
        tables.push(
          {
            cmd: 'newrule',
            family: 'ip',
            table,
            chain,
            expressions: tables.expressions(one),
            insert: before !== undefined,
            ...(before !== undefined && (before < 0 ? { positionId: -before } : { position: before })),
            ...(id && { id }),
          },
          `${before === undefined ? 'RULE_APPEND' : 'RULE_INSERT'}|rule in chain ${chain}`,
        )
      }
      return
    }
    case 'replace': {
      const rules = rulesOf(line)
      if (rules.length > 1) throw new UsageError('Replacement rule does not specify a unique address')
      const handle = handles[at! - 1]
      if (handle === undefined) tables.fail('replace', tables.chain(table, chain) || nameOf ? 'E2BIG' : 'ENOENT')
      tables.push(
        { cmd: 'newrule', family: 'ip', table, chain, expressions: tables.expressions(rules[0]!), replace: handle },
        `RULE_REPLACE|rule in chain ${chain}`,
      )
      return
    }
    case 'delete': {
      if (at !== undefined) {
        const handle = handles[at - 1]
        if (handle === undefined) tables.fail('delete-number', tables.chain(table, chain) ? 'E2BIG' : 'ENOENT')
        remove(tables, table, chain, handle!)
        nameOf?.remove(table, chain, tables, at - 1)
        return
      }
      for (const one of rulesOf(line)) {
        const found = nameOf ? nameOf.find(table, chain, tables, one) : tables.find(table, chain, one)
        if (!found) tables.fail('delete', 'ENOENT')
        remove(tables, table, chain, found!.handle)
        nameOf?.remove(table, chain, tables, found!.index)
      }
      return
    }
    case 'check':
      for (const one of rulesOf(line)) if (!tables.find(table, chain, one)) tables.fail('check', 'ENOENT')
  }
}

/** What a batch knows of rules that it adds itself; used by iptables-restore. Negative handles are numbers within it. */
export interface RuleIds {
  chains: Set<string>
  handles(table: string, chain: string, tables: Tables): number[]
  add(table: string, chain: string, tables: Tables, at?: number): number
  remove(table: string, chain: string, tables: Tables, at: number): void
  find(table: string, chain: string, tables: Tables, rule: IptablesRule): { handle: number; index: number } | undefined
}

function remove(tables: Tables, table: string, chain: string, handle: number): void {
  tables.push(
    { cmd: 'delrule', family: 'ip', table, chain, ...(handle < 0 ? { id: -handle } : { handle }) },
    `RULE_DELETE|rule in chain ${chain}`,
  )
}

function existing(tables: Tables, table: string, chain: string): number[] {
  return tables.chain(table, chain)?.rules.map((rule) => rule.handle) ?? []
}

/** -F, of a chain or of all. */
export function flush(table: string, chain: string | undefined, tables: Tables): void {
  if (chain !== undefined) {
    if (!tables.exists(table, chain)) tables.fail(undefined, 'ENOENT')
    if (!tables.chain(table, chain)) return
    tables.push({ cmd: 'delrule', family: 'ip', table, chain }, `RULE_FLUSH|rule in chain ${chain}`)
    return
  }
  for (const one of tables.table(table)?.chains ?? []) {
    tables.push({ cmd: 'delrule', family: 'ip', table, chain: one.name }, `RULE_FLUSH|rule in chain ${one.name}`)
  }
}

/** -X: a user's chain; or all of those that are empty, and the built-in ones that do nothing. */
function deleteChain(line: CommandLine, tables: Tables): void {
  const { table, chain } = line
  if (chain !== undefined) {
    if (!tables.chain(table, chain)) tables.fail(undefined, 'ENOENT')
    tables.push({ cmd: 'delchain', family: 'ip', table, chain, nonRecursive: true }, `CHAIN_DEL|chain ${chain}`)
    return
  }
  for (const one of tables.table(table)?.chains ?? []) {
    if (one.base && (one.base.policy !== 'accept' || one.rules.length > 0)) continue
    tables.push(
      { cmd: 'delchain', family: 'ip', table, chain: one.name, nonRecursive: true },
      `CHAIN_DEL|chain ${one.name}`,
    )
  }
}

/** -Z: counters begin anew; a rule that has counted is put there again with none. */
function zero(line: CommandLine, tables: Tables): void {
  const { table, chain, rulenum } = line
  if (chain !== undefined && !tables.exists(table, chain)) tables.fail(undefined, 'ENOENT')
  for (const one of tables.table(table)?.chains ?? []) {
    if (chain !== undefined && one.name !== chain) continue
    // From here on the chain counts what meets its policy, if it hasn't yet.
    if (one.base && rulenum === undefined) {
      tables.push(
        { cmd: 'newchain', family: 'ip', table, chain: one.name, counters: { packets: 0, bytes: 0 } },
        `CHAIN_ZERO|chain ${one.name}`,
      )
    }
    one.rules.forEach((rule, i) => {
      if (rulenum !== undefined && rulenum !== i + 1) return
      const counted = rule.expressions.some((e) => e.expr === 'counter' && (e.packets > 0 || e.bytes > 0))
      if (!counted) return
      const expressions = rule.expressions.map((e) => (e.expr === 'counter' ? { ...e, packets: 0, bytes: 0 } : e))
      tables.push(
        { cmd: 'newrule', family: 'ip', table, chain: one.name, expressions, replace: rule.handle },
        `RULE_REPLACE|rule in chain ${one.name}`,
      )
    })
  }
}

/** The chains of a table in the order in which they are shown: built-in ones first, others by name. */
export function shownChains(
  table: string,
  tables: Tables,
): { name: string; builtin?: BuiltinChain; message?: ChainMessage }[] {
  const own = TABLES.get(table)!
  const message = tables.table(table)
  const users = (message?.chains ?? []).filter((chain) => !chain.base)
  users.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  return [
    ...own.map((one) => {
      const there = message?.chains.find((chain) => chain.name === one.name)
      return { name: one.name, builtin: one, ...(there && { message: there }) }
    }),
    ...users.map((chain) => ({ name: chain.name, message: chain })),
  ]
}

function checkCompatible(line: CommandLine, tables: Tables): void {
  const { table, chain } = line
  const message = tables.table(table)
  if (chain !== undefined) {
    const missing = !tables.exists(table, chain)
    if (missing || (message && !tables.compatible(message, chain))) {
      throw new Failure(
        `${tables.program} v1.8.9 (nf_tables): chain \`${chain}' in table \`${table}' is incompatible, use 'nft' tool.\n`,
      )
    }
    return
  }
  if (message && !tables.compatible(message)) {
    throw new Failure(`${tables.program} v1.8.9 (nf_tables): table \`${table}' is incompatible, use 'nft' tool.\n`)
  }
}

function list(line: CommandLine, tables: Tables, printer: Printer): string {
  checkCompatible(line, tables)
  const { chain, rulenum } = line
  const texts: string[] = []
  for (const one of shownChains(line.table, tables)) {
    if (chain !== undefined && one.name !== chain) continue
    let text = ''
    if (rulenum === undefined) {
      const policy = one.builtin ? (one.message?.base?.policy ?? 'accept').toUpperCase() : undefined
      const counters = one.message?.base?.counters ?? { packets: 0, bytes: 0 }
      text += printer.header(one.name, policy, counters, one.message ? references(one.message, line.table, tables) : 0)
    }
    const rules = one.message ? tables.rules(one.message) : []
    rules.forEach((rule, i) => {
      if (rulenum === undefined || rulenum === i + 1) text += printer.rule(rule, i + 1)
    })
    texts.push(text)
  }
  return texts.join('\n')
}

/** How many rules lead to a chain. */
function references(chain: ChainMessage, _table: string, _tables: Tables): number {
  return chain.uses
}

function listRules(line: CommandLine, tables: Tables, printer: Printer): string {
  checkCompatible(line, tables)
  const { chain, rulenum, verbose } = line
  let text = ''
  const shown = shownChains(line.table, tables).filter((one) => chain === undefined || one.name === chain)
  if (rulenum === undefined) {
    for (const one of shown) {
      if (one.builtin) {
        text += `-P ${one.name} ${(one.message?.base?.policy ?? 'accept').toUpperCase()}`
        const { packets, bytes } = one.message?.base?.counters ?? { packets: 0, bytes: 0 }
        text += verbose > 0 ? ` -c ${packets} ${bytes}\n` : '\n'
      } else text += `-N ${one.name}\n`
    }
  }
  for (const one of shown) {
    const rules = one.message ? tables.rules(one.message) : []
    rules.forEach((rule, i) => {
      if (rulenum === undefined || rulenum === i + 1)
        text += printer.save(one.name, rule, verbose > 0 ? 'options' : 'none')
    })
  }
  return text
}

/** The programs `arptables` and `arptables-save`: ARP's own rules, in nf_tables' family arp. iptables 1.8.9 iptables/nft.c, nft-arp.c. */

import { NotModelled } from '#base/check'
import { ctime } from '#base/text'
import { type Body, type KernelImage, type NetlinkAnswer, type Sys, strerror, writeText } from '#kernel/core'
import type { HookName } from '#kernel/net'
import { usageText, VERSION } from '../iptables/main.ts'
import { type Names, readNames } from '../iptables/names.ts'
import { UsageError } from '../iptables/parse.ts'
import { Failure } from '../iptables/tables.ts'
import type { BatchAnswer, ChainMessage, NftCommand, TableMessage } from '../messages.ts'
import { HELP } from './help.ts'
import { type CommandLine, parseArptables } from './parse.ts'
import { type ArpRule, formatRule, fromExpressions, type PrintOptions, sameRule, toExpressions } from './rule.ts'

const BUILTIN: Record<string, HookName> = { INPUT: 'LOCAL_IN', OUTPUT: 'LOCAL_OUT' }
const NO_CHAIN = 'No chain/target/match by that name'
const NO_RULE = 'Bad rule (does a matching rule exist in that chain?)'

type Netlink = (message: { type: string }) => NetlinkAnswer

/** One run: what the kernel has, and the batch that changes it. */
class Run {
  readonly #netlink: Netlink
  readonly #commands: NftCommand[] = []
  readonly #said: string[] = []
  readonly table: TableMessage | undefined

  constructor(netlink: Netlink) {
    this.#netlink = netlink
    const answer = netlink({ type: 'NFT_GETRULESET', family: 'arp' } as { type: string })
    this.table = answer.ok ? (answer.messages as TableMessage[]).find(({ name }) => name === 'filter') : undefined
  }

  chain(name: string): ChainMessage | undefined {
    return this.table?.chains.find((chain) => chain.name === name)
  }

  exists(name: string): boolean {
    return Object.hasOwn(BUILTIN, name) || this.chain(name) !== undefined
  }

  /** Built-in ones first, others by name. */
  shown(): string[] {
    const users = (this.table?.chains ?? []).filter((chain) => !chain.base).map((chain) => chain.name)
    return [...Object.keys(BUILTIN), ...users.sort()]
  }

  rules(name: string): { handle: number; rule: ArpRule }[] {
    return (this.chain(name)?.rules ?? []).map((message) => {
      const rule = fromExpressions(message)
      if (!rule)
        throw new Failure(`arptables v${VERSION} (nf_tables): table \`filter' is incompatible, use 'nft' tool.\n`)
      return { handle: message.handle, rule }
    })
  }

  push(command: NftCommand, said: string): void {
    this.#commands.push(command)
    this.#said.push(said)
  }

  needTable(): void {
    if (this.table || this.#commands.some((one) => one.cmd === 'newtable')) return
    this.push({ cmd: 'newtable', family: 'arp', table: 'filter' }, 'TABLE_ADD|table filter')
  }

  needChain(name: string): void {
    this.needTable()
    if (this.chain(name) || !Object.hasOwn(BUILTIN, name)) return
    this.push({ ...IN, cmd: 'newchain', chain: name, base: baseOf(name) }, `CHAIN_ADD|chain ${name}`)
  }

  commit(): void {
    if (this.#commands.length === 0) return
    const answer = this.#netlink({ type: 'NFT_BATCH', commands: this.#commands } as { type: string })
    if (!answer.ok) throw new Failure(`arptables: ${strerror(answer.errno)}.\n`, 4)
    const { errors } = (answer.messages as BatchAnswer[])[0]!
    if (errors.length === 0) return
    const told = errors.map(({ index, errno }) => {
      const [what, where] = this.#said[index]!.split('|')
      return ` ${what} failed (${strerror(errno)}): ${where}`
    })
    throw new Failure(`arptables v${VERSION} (nf_tables): ${told.join('\n')}\n`, 4)
  }
}

const IN = { family: 'arp', table: 'filter' } as const

function baseOf(name: string) {
  return { type: 'filter', hook: BUILTIN[name]!, priority: 0, policy: 'accept' as const }
}

function fail(text: string, more = ''): never {
  throw new Failure(`arptables: ${text}.${more}\n`, 1)
}

export function arptablesMain(_image: KernelImage) {
  return function* (sys: Sys, argv: string[]): Body<number> {
    const names: Names = yield* readNames(sys)
    try {
      const line = parseArptables(argv, names)
      if (line.warnings !== '') yield* writeText(sys, 2, line.warnings)
      if (line.command === 'version') {
        yield* writeText(sys, 1, `arptables v${VERSION} (nf_tables)\n`)
        return 0
      }
      if (line.command === 'help') {
        yield* writeText(sys, 1, HELP)
        return 0
      }
      if (line.table !== 'filter') {
        const missing = `table '${line.table}' does not exist\nPerhaps arptables or your kernel needs to be upgraded.`
        throw new Failure(`arptables v${VERSION} (nf_tables): ${missing}\n`, 3)
      }
      const run = new Run((message) => sys.netlink(message))
      const text = execute(line, run, (address) => names.addressName(address))
      if (text !== '') yield* writeText(sys, 1, text)
      run.commit()
      return 0
    } catch (error) {
      if (error instanceof UsageError) {
        yield* writeText(sys, 2, usageText('arptables', error))
        return error.status
      }
      if (error instanceof Failure) {
        yield* writeText(sys, 2, error.message)
        return error.status
      }
      throw error
    }
  }
}

/** Carries a command out; what it prints. Changes are left in the batch. */
function execute(line: CommandLine, run: Run, addressName: (address: number) => string): string {
  const { command, chain, second, rule } = line
  switch (command) {
    case 'list':
    case 'list-rules':
      return list(line, run, addressName)
    case 'append':
    case 'insert':
    case 'replace':
    case 'delete':
    case 'check':
      change(line, run)
      return ''
    case 'flush':
    case 'zero':
      if (chain !== undefined && !run.exists(chain)) fail(NO_CHAIN)
      for (const one of run.table?.chains ?? []) {
        if (chain !== undefined && one.name !== chain) continue
        if (command === 'flush')
          run.push({ ...IN, cmd: 'delrule', chain: one.name }, `RULE_FLUSH|rule in chain ${one.name}`)
        else zero(one, run)
      }
      return ''
    case 'new-chain':
      if (run.exists(chain!)) fail('Chain already exists')
      run.needTable()
      run.push({ ...IN, cmd: 'newchain', chain: chain!, exclusive: true }, `CHAIN_USER_ADD|chain ${chain}`)
      return ''
    case 'delete-chain':
      if (chain !== undefined && !run.chain(chain)) fail(NO_CHAIN)
      for (const one of run.table?.chains ?? []) {
        if (
          chain === undefined ? one.base && (one.base.policy !== 'accept' || one.rules.length > 0) : one.name !== chain
        )
          continue
        run.push({ ...IN, cmd: 'delchain', chain: one.name, nonRecursive: true }, `CHAIN_DEL|chain ${one.name}`)
      }
      return ''
    case 'rename-chain':
      if (run.exists(second!)) fail('File exists')
      if (!run.chain(chain!)) fail(NO_CHAIN)
      run.push({ ...IN, cmd: 'renamechain', chain: chain!, to: second! }, `CHAIN_RENAME|chain ${second}`)
      return ''
    case 'policy': {
      if (!Object.hasOwn(BUILTIN, chain!)) fail('Bad built-in chain name')
      if (second !== 'ACCEPT' && second !== 'DROP') fail('Bad policy name', " Run `dmesg' for more information.")
      run.needTable()
      const { policy: _, ...base } = baseOf(chain!)
      const policy = second === 'DROP' ? 'drop' : 'accept'
      const counters = { packets: 0, bytes: 0 }
      run.push({ ...IN, cmd: 'newchain', chain: chain!, base, policy, counters }, `CHAIN_UPDATE|chain ${chain}`)
      return ''
    }
  }
  throw new NotModelled(`arptables ${command} ${rule.in}`)
}

function change({ command, chain: name, second, rule }: CommandLine, run: Run): void {
  const chain = name!
  const { jump } = rule
  if (jump && 'chain' in jump && !run.exists(jump.chain)) throw new UsageError(`Chain '${jump.chain}' does not exist`)
  if (!run.exists(chain)) fail(NO_CHAIN)
  const there = run.rules(chain)
  const number = second === undefined ? undefined : Number(second)
  const expressions = toExpressions(rule)
  const where = `rule in chain ${chain}`
  if (command === 'append' || command === 'insert') {
    const before = command === 'insert' ? there[(number ?? 1) - 1]?.handle : undefined
    if (command === 'insert' && (number ?? 1) > there.length + 1) fail('Index of insertion too big')
    run.needChain(chain)
    const place = before === undefined ? {} : { insert: true, position: before }
    run.push(
      { ...IN, cmd: 'newrule', chain, expressions, ...place },
      `${before === undefined ? 'RULE_APPEND' : 'RULE_INSERT'}|${where}`,
    )
    return
  }
  const normal = fromExpressions({ expressions })!
  const found = number === undefined ? there.find((one) => sameRule(one.rule, normal)) : there[number - 1]
  if (command === 'replace') {
    if (!found) fail(run.chain(chain) ? 'Index of replacement too big' : NO_CHAIN)
    run.push({ ...IN, cmd: 'newrule', chain, expressions, replace: found.handle }, `RULE_REPLACE|${where}`)
    return
  }
  if (!found) fail(number === undefined ? NO_RULE : run.chain(chain) ? 'Index of deletion too big' : NO_CHAIN)
  if (command === 'delete') run.push({ ...IN, cmd: 'delrule', chain, handle: found.handle }, `RULE_DELETE|${where}`)
}

/** A rule that has counted is put there again with none. */
function zero(chain: ChainMessage, run: Run): void {
  const counters = { packets: 0, bytes: 0 }
  if (chain.base) run.push({ ...IN, cmd: 'newchain', chain: chain.name, counters }, `CHAIN_ZERO|chain ${chain.name}`)
  for (const { handle, expressions: before } of chain.rules) {
    if (!before.some((one) => one.expr === 'counter' && one.packets > 0)) continue
    const expressions = before.map((one) => (one.expr === 'counter' ? { ...one, ...counters } : one))
    run.push(
      { ...IN, cmd: 'newrule', chain: chain.name, expressions, replace: handle },
      `RULE_REPLACE|rule in chain ${chain.name}`,
    )
  }
}

/** -L and -S. */
function list(line: CommandLine, run: Run, addressName: (address: number) => string): string {
  const { command, chain: only, second, numeric, verbose, lineNumbers } = line
  if (only !== undefined && !run.exists(only)) {
    const text = `chain \`${only}' in table \`filter' is incompatible, use 'nft' tool.`
    throw new Failure(`arptables v${VERSION} (nf_tables): ${text}\n`)
  }
  const shown = run.shown().filter((name) => only === undefined || name === only)
  const rulesOf = (name: string) =>
    run
      .rules(name)
      .flatMap(({ rule }, i) => (second === undefined || Number(second) === i + 1 ? [{ rule, number: i + 1 }] : []))
  if (command === 'list-rules') {
    const options: PrintOptions = { numeric: true, verbose: false, addressName }
    let text = second === undefined ? chainLines(run, shown, verbose) : ''
    for (const name of shown) for (const { rule } of rulesOf(name)) text += `-A ${name} ${formatRule(rule, options)}\n`
    return text
  }
  const options: PrintOptions = { numeric, verbose, addressName }
  return shown
    .map((name) => {
      let text = second === undefined ? `Chain ${name} (${about(run, name, verbose)})\n` : ''
      for (const { rule, number } of rulesOf(name)) {
        const counts = verbose ? ` , pcnt=${rule.packets} -- bcnt=${rule.bytes} ` : ''
        text += `${lineNumbers ? `${number} ` : ''}${formatRule(rule, options)}${counts}\n`
      }
      return text
    })
    .join('\n')
}

function about(run: Run, name: string, verbose: boolean): string {
  const chain = run.chain(name)
  if (!Object.hasOwn(BUILTIN, name)) return `${chain?.uses ?? 0} references`
  const { packets, bytes } = chain?.base?.counters ?? { packets: 0, bytes: 0 }
  const counts = verbose ? ` ${packets} packets, ${bytes} bytes` : ''
  return `policy ${(chain?.base?.policy ?? 'accept').toUpperCase()}${counts}`
}

function chainLines(run: Run, shown: readonly string[], verbose: boolean): string {
  let text = ''
  for (const name of shown) {
    const base = run.chain(name)?.base
    if (!Object.hasOwn(BUILTIN, name)) text += `-N ${name}\n`
    else {
      const { packets, bytes } = base?.counters ?? { packets: 0, bytes: 0 }
      text += `-P ${name} ${(base?.policy ?? 'accept').toUpperCase()}${verbose ? ` -c ${packets} ${bytes}` : ''}\n`
    }
  }
  return text
}

export function arptablesSaveMain(_image: KernelImage) {
  return function* (sys: Sys, argv: string[]): Body<number> {
    const counts = argv.slice(1).includes('-c') || argv.slice(1).includes('--counters')
    if (argv.length > (counts ? 2 : 1)) throw new NotModelled(`arptables-save ${argv.slice(1).join(' ')}`)
    const run = new Run((message) => sys.netlink(message))
    if (!run.table) return 0
    const when = ctime(sys.realtime().s)
    let text = `# Generated by arptables-save v${VERSION} (nf_tables) on ${when}\n*filter\n`
    for (const name of run.shown()) {
      const policy = Object.hasOwn(BUILTIN, name) ? (run.chain(name)?.base?.policy ?? 'accept').toUpperCase() : '-'
      text += `:${name} ${policy}\n`
    }
    const options: PrintOptions = { numeric: true, verbose: false, addressName: String }
    for (const name of run.shown()) {
      for (const { rule } of run.rules(name)) {
        text += `${counts ? `[${rule.packets}:${rule.bytes}] ` : ''}-A ${name} ${formatRule(rule, options)}\n`
      }
    }
    yield* writeText(sys, 1, `${text}# Completed on ${when}\n`)
    return 0
  }
}

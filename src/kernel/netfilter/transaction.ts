/**
 * A batch of commands: each is checked and done as it comes, and leaves behind how to undo it; one that fails undoes all.
 * What packets run (compiled chains, hooks) changes only at the end. Linux 6.1 net/netfilter/nf_tables_api.c.
 */
import type { Errno, Host } from '#kernel/core'
import { compiledChain, compileRule, elementStates } from './compile.ts'
import type { Expression, Load } from './expressions.ts'
import { hookChain, unhookChain } from './hooking.ts'
import type { BaseSpec, ElementSpec, NftCommand, NftError } from './messages.ts'
import { createObject } from './named.ts'
import { Chain, type NfSet, type NfTables, Rule, type SetElement, type SetSpec, Table } from './objects.ts'
import { HashStore, IntervalStore, RangesStore } from './sets.ts'
import { Counter } from './states.ts'
import { validateTable } from './validate.ts'

/** Why a command can't be done. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly errno: Errno
  readonly at: NftError['at']
  constructor(errno: Errno, at?: NftError['at']) {
    super(errno)
    this.errno = errno
    this.at = at
  }
}

export class Transaction {
  readonly #state: NfTables
  readonly #host: Host
  readonly #undo: (() => void)[] = []
  readonly #dirty = new Set<Table>()
  readonly #removedChains: Chain[] = []
  readonly #removedRules: Rule[] = []
  readonly #setNames = new Map<number, string>()
  readonly #ruleIds = new Map<number, Rule>()
  readonly #ruleCommands = new Map<Rule, number>()

  constructor(state: NfTables) {
    this.#state = state
    this.#host = state.host
  }

  /** Does all, or nothing; the errors. */
  run(commands: NftCommand[], check = false): NftError[] {
    const errors: NftError[] = []
    commands.forEach((command, index) => {
      try {
        this.#execute(command, index)
      } catch (error) {
        if (!(error instanceof Refused)) {
          this.#rollBack()
          throw error
        }
        errors.push({ index, errno: error.errno, ...(error.at && { at: error.at }) })
      }
    })
    if (errors.length === 0) {
      for (const table of this.#dirty) {
        if (!this.#state.tables.includes(table)) continue
        const fault = validateTable(table, this.#host)
        if (!fault) continue
        const index = (fault.rule && this.#ruleCommands.get(fault.rule)) ?? commands.length - 1
        errors.push({ index, errno: fault.errno, at: 'expression' })
        break
      }
    }
    if (errors.length > 0 || check) {
      this.#rollBack()
      return errors
    }
    this.#commit()
    return []
  }

  #rollBack(): void {
    for (const undo of this.#undo.reverse()) undo()
  }

  /** Makes it what packets meet. */
  #commit(): void {
    for (const chain of this.#removedChains) unhookChain(chain)
    for (const table of this.#dirty) {
      if (!this.#state.tables.includes(table)) continue
      for (const chain of table.chains.values()) {
        const compiled = compiledChain(chain)
        compiled.rules = chain.rules.map((rule) => {
          rule.compiled ??= compileRule(rule, this.#host)
          return rule.compiled
        })
      }
      for (const chain of table.chains.values()) {
        if (!chain.base) continue
        if (table.flags & 1) unhookChain(chain)
        else hookChain(chain, this.#host)
      }
    }
    for (const rule of this.#removedRules) for (const state of rule.states) state?.release?.()
    this.#state.generation++
  }

  #table(command: { family: Table['family']; table: string }): Table {
    const table = this.#state.table(command.family, command.table)
    if (!table) throw new Refused('ENOENT', 'table')
    return table
  }

  #chain(table: Table, name: string): Chain {
    const chain = table.chains.get(name)
    if (!chain) throw new Refused('ENOENT', 'chain')
    return chain
  }

  #set(table: Table, name: string): NfSet {
    const set = table.sets.get(this.#setName(name))
    if (!set) throw new Refused('ENOENT', 'set')
    return set
  }

  /** `#12` is the set that this batch numbered 12. */
  #setName(name: string): string {
    return name.startsWith('#') ? (this.#setNames.get(Number(name.slice(1))) ?? name) : name
  }

  #execute(command: NftCommand, index: number): void {
    switch (command.cmd) {
      case 'newtable':
        this.#newTable(command)
        return
      case 'deltable':
        this.#deleteTables(command)
        return
      case 'newchain':
        this.#newChain(command)
        return
      case 'renamechain':
        this.#renameChain(command)
        return
      case 'delchain':
        this.#deleteChainCommand(command)
        return
      case 'newrule':
        this.#newRule(command, index)
        return
      case 'delrule':
        this.#deleteRules(command)
        return
      case 'newset':
        this.#newSet(command)
        return
      case 'delset': {
        const table = this.#table(command)
        const set =
          command.handle === undefined
            ? this.#set(table, command.set!)
            : [...table.sets.values()].find((one) => one.handle === command.handle)
        if (!set) throw new Refused('ENOENT', 'set')
        if (set.uses > 0) throw new Refused('EBUSY', 'set')
        this.#removeSet(set)
        return
      }
      case 'newelements':
        this.#newElements(command)
        return
      case 'delelements':
        this.#deleteElements(command)
        return
      case 'newobject':
        this.#newObject(command)
        return
      case 'delobject':
        this.#deleteObject(command)
        return
      case 'reset': {
        const object = this.#table(command).objects.get(`${command.type} ${command.name}`)
        if (!object) throw new Refused('ENOENT', 'object')
        if (object.state instanceof Counter) {
          const { state } = object
          const { packets, bytes } = state
          state.packets = 0
          state.bytes = 0
          this.#undo.push(() => {
            state.packets = packets
            state.bytes = bytes
          })
        }
        return
      }
    }
  }

  #newTable(command: NftCommand & { cmd: 'newtable' }): void {
    const state = this.#state
    const there = state.table(command.family, command.table)
    if (there) {
      if (command.exclusive) throw new Refused('EEXIST', 'table')
      if (command.flags === undefined || command.flags === there.flags) return
      const { flags } = there
      there.flags = command.flags
      this.#dirty.add(there)
      this.#undo.push(() => {
        there.flags = flags
      })
      return
    }
    const table = new Table(command.family, command.table, state.nextTableHandle++, command.flags ?? 0)
    table.comment = command.comment
    state.tables.push(table)
    this.#dirty.add(table)
    this.#undo.push(() => {
      state.tables.splice(state.tables.indexOf(table), 1)
    })
  }

  #deleteTables(command: NftCommand & { cmd: 'deltable' }): void {
    const gone = this.#state.tables.filter(
      (table) =>
        (command.family === undefined || table.family === command.family) &&
        (command.table === undefined || table.name === command.table) &&
        (command.handle === undefined || table.handle === command.handle),
    )
    if (gone.length === 0 && (command.table !== undefined || command.handle !== undefined)) {
      throw new Refused('ENOENT', 'table')
    }
    for (const table of gone) {
      for (const chain of table.chains.values()) {
        this.#removedChains.push(chain)
        this.#removedRules.push(...chain.rules)
      }
      const at = this.#state.tables.indexOf(table)
      this.#state.tables.splice(at, 1)
      this.#undo.push(() => this.#state.tables.splice(at, 0, table))
    }
  }

  #newChain(command: NftCommand & { cmd: 'newchain' }): void {
    const table = this.#table(command)
    const there = table.chains.get(command.chain)
    if (there) {
      if (command.exclusive) throw new Refused('EEXIST', 'chain')
      this.#updateChain(there, command)
      return
    }
    if (command.policy && !command.base) throw new Refused('ENOENT', 'chain')
    const base = command.base && checkBase(command.base)
    const chain = new Chain(
      table,
      command.chain,
      table.nextHandle++,
      base && {
        type: base.type as 'filter' | 'nat' | 'route',
        hook: base.hook,
        priority: base.priority,
        policy: command.policy ?? base.policy ?? 'accept',
        counters: command.counters ?? base.counters,
      },
    )
    chain.comment = command.comment
    table.chains.set(chain.name, chain)
    this.#dirty.add(table)
    this.#undo.push(() => table.chains.delete(chain.name))
  }

  #updateChain(chain: Chain, command: NftCommand & { cmd: 'newchain' }): void {
    const { base } = chain
    if (command.base) {
      if (!base) throw new Refused('EEXIST', 'chain')
      const { type, hook, priority } = command.base
      if (base.type !== type || base.hook !== hook || base.priority !== priority) throw new Refused('EEXIST', 'chain')
    }
    const policy = command.policy ?? command.base?.policy
    const counters = command.counters ?? command.base?.counters
    if (!base) {
      if (policy) throw new Refused('EOPNOTSUPP', 'chain')
      return
    }
    const before = { policy: base.policy, counters: base.counters }
    if (policy) base.policy = policy
    if (counters) base.counters = { ...counters }
    this.#undo.push(() => Object.assign(base, before))
  }

  #renameChain(command: NftCommand & { cmd: 'renamechain' }): void {
    const table = this.#table(command)
    const chain = this.#chain(table, command.chain)
    if (table.chains.has(command.to)) throw new Refused('EEXIST', 'chain')
    const rename = (to: string) => {
      const all = [...table.chains.values()]
      chain.name = to
      table.chains.clear()
      for (const one of all) table.chains.set(one.name, one)
    }
    rename(command.to)
    this.#undo.push(() => rename(command.chain))
    this.#renameJumps(table, command.chain, command.to)
    this.#undo.push(() => this.#renameJumps(table, command.to, command.chain))
  }

  /** Rules jump to the chain, not to its name. */
  #renameJumps(table: Table, from: string, to: string): void {
    for (const chain of table.chains.values()) {
      for (const rule of chain.rules) {
        for (const expression of rule.expressions) {
          if (expression.expr === 'verdict' && expression.verdict.chain === from) expression.verdict.chain = to
        }
      }
    }
    for (const set of table.sets.values()) {
      for (const element of set.elements.list()) if (element.verdict?.chain === from) element.verdict.chain = to
    }
  }

  #deleteChainCommand(command: NftCommand & { cmd: 'delchain' }): void {
    const table = this.#table(command)
    const chain =
      command.handle === undefined
        ? this.#chain(table, command.chain!)
        : [...table.chains.values()].find((one) => one.handle === command.handle)
    if (!chain) throw new Refused('ENOENT', 'chain')
    if (command.nonRecursive && (chain.uses > 0 || chain.rules.length > 0)) throw new Refused('EBUSY', 'chain')
    for (const rule of [...chain.rules]) this.#removeRule(rule)
    if (chain.uses > 0) throw new Refused('EBUSY', 'chain')
    const all = [...table.chains.values()]
    table.chains.delete(chain.name)
    this.#removedChains.push(chain)
    this.#undo.push(() => {
      table.chains.clear()
      for (const one of all) table.chains.set(one.name, one)
    })
  }

  #newRule(command: NftCommand & { cmd: 'newrule' }, index: number): void {
    const table = this.#table(command)
    const chain = this.#chain(table, command.chain)
    const handle = command.replace ?? table.nextHandle++
    let position: Rule | undefined
    const wanted = command.replace ?? command.position
    if (wanted !== undefined) position = chain.rules.find((rule) => rule.handle === wanted)
    else if (command.positionId !== undefined) position = this.#ruleIds.get(command.positionId)
    if (!position && (wanted !== undefined || command.positionId !== undefined)) throw new Refused('ENOENT', 'rule')
    const expressions = command.expressions.map((one) => this.#resolveSets(one))
    for (const one of expressions) {
      if (one.expr === 'cmp' && one.load.load === 'payload' && one.load.length === 0)
        throw new Refused('EINVAL', 'rule')
    }
    const rule = new Rule(chain, handle, expressions, command.comment)
    this.#use(table, rule)
    let at = position ? chain.rules.indexOf(position) : command.insert ? 0 : chain.rules.length
    if (position && command.replace === undefined && !command.insert) at++
    chain.rules.splice(at, 0, rule)
    this.#undo.push(() => chain.rules.splice(chain.rules.indexOf(rule), 1))
    this.#dirty.add(table)
    this.#ruleCommands.set(rule, index)
    if (command.id !== undefined) this.#ruleIds.set(command.id, rule)
    if (command.replace !== undefined) this.#removeRule(position!)
  }

  /** The expression with the kernel's names of the batch's sets. */
  #resolveSets(expression: Expression): Expression {
    const load = (one: Load): Load => {
      if (one.load === 'map') return { ...one, of: one.of.map(load), set: this.#setName(one.set) }
      if (one.load === 'hash') return { ...one, of: one.of.map(load) }
      if (one.load === 'bitwise' || one.load === 'shift') return { ...one, of: load(one.of) }
      return one
    }
    const copy: Record<string, unknown> = { ...expression }
    for (const key of ['load', 'from', 'address', 'addressMax', 'port', 'portMax', 'device', 'data']) {
      const value = copy[key]
      if (typeof value === 'object' && value !== null && 'load' in value) copy[key] = load(value as Load)
    }
    for (const key of ['of', 'map']) if (Array.isArray(copy[key])) copy[key] = (copy[key] as Load[]).map(load)
    if (typeof copy['set'] === 'string') copy['set'] = this.#setName(copy['set'])
    if (copy['expr'] === 'object' && copy['map']) copy['name'] = this.#setName(copy['name'] as string)
    if (copy['expr'] === 'verdict') copy['verdict'] = { ...(copy['verdict'] as object) }
    return copy as unknown as Expression
  }

  /** Counts what a rule refers to; it must be there. */
  #use(table: Table, rule: Rule): void {
    const used: { uses: number }[] = []
    for (const expression of rule.expressions) {
      for (const name of setsOf(expression)) {
        const set = table.sets.get(name)
        if (!set) throw new Refused('ENOENT', 'set')
        used.push(set)
      }
      if (expression.expr === 'verdict' && expression.verdict.chain !== undefined) {
        used.push(this.#target(table, expression.verdict.chain))
      }
      if (expression.expr === 'object' && !expression.map) {
        const object = table.objects.get(`${expression.type} ${expression.name}`)
        if (!object) throw new Refused('ENOENT', 'object')
        used.push(object)
      }
    }
    for (const one of used) one.uses++
    for (const expression of rule.expressions) {
      // A set that packets add to is bounded from then on.
      if (expression.expr === 'dynset') table.sets.get(expression.set)!.spec.size ??= 65535
    }
    this.#undo.push(() => {
      for (const one of used) one.uses--
    })
  }

  #target(table: Table, name: string): Chain {
    const chain = table.chains.get(name)
    if (!chain) throw new Refused('ENOENT', 'expression')
    if (chain.base) throw new Refused('EOPNOTSUPP', 'expression')
    return chain
  }

  #deleteRules(command: NftCommand & { cmd: 'delrule' }): void {
    const table = this.#table(command)
    if (command.chain === undefined) {
      for (const chain of table.chains.values()) for (const rule of [...chain.rules]) this.#removeRule(rule)
      return
    }
    const chain = this.#chain(table, command.chain)
    if (command.handle === undefined && command.id === undefined) {
      for (const rule of [...chain.rules]) this.#removeRule(rule)
      return
    }
    const rule =
      command.id === undefined
        ? chain.rules.find((one) => one.handle === command.handle)
        : this.#ruleIds.get(command.id)
    if (!rule) throw new Refused('ENOENT', 'rule')
    this.#removeRule(rule)
  }

  #removeRule(rule: Rule): void {
    const { chain } = rule
    const { table } = chain
    const at = chain.rules.indexOf(rule)
    chain.rules.splice(at, 1)
    this.#undo.push(() => chain.rules.splice(at, 0, rule))
    this.#removedRules.push(rule)
    this.#dirty.add(table)
    const released: { uses: number }[] = []
    for (const expression of rule.expressions) {
      for (const name of setsOf(expression)) {
        const set = table.sets.get(name)
        if (set) released.push(set)
      }
      if (expression.expr === 'verdict' && expression.verdict.chain !== undefined) {
        const target = table.chains.get(expression.verdict.chain)
        if (target) released.push(target)
      }
      if (expression.expr === 'object' && !expression.map) {
        const object = table.objects.get(`${expression.type} ${expression.name}`)
        if (object) released.push(object)
      }
    }
    for (const one of released) one.uses--
    this.#undo.push(() => {
      for (const one of released) one.uses++
    })
    for (const expression of rule.expressions) {
      for (const name of setsOf(expression)) {
        const set = table.sets.get(name)
        if (set?.spec.flags.anonymous && set.uses === 0) this.#removeSet(set)
      }
    }
  }

  #newSet(command: NftCommand & { cmd: 'newset' }): void {
    const table = this.#table(command.spec)
    const spec: SetSpec = { ...command.spec }
    const there = table.sets.get(spec.name)
    if (there) {
      if (command.exclusive || there.spec.keyType.join() !== spec.keyType.join()) throw new Refused('EEXIST', 'set')
      return
    }
    if (spec.name.endsWith('%d')) {
      let number = 0
      while (table.sets.has(spec.name.replace('%d', String(number)))) number++
      spec.name = spec.name.replace('%d', String(number))
    }
    if (command.id !== undefined) this.#setNames.set(command.id, spec.name)
    const several = spec.keyType.length > 1
    const elements = !spec.flags.interval
      ? new HashStore(this.#host)
      : several
        ? new RangesStore(this.#host)
        : new IntervalStore(this.#host)
    table.sets.set(spec.name, { spec, table, handle: table.nextHandle++, uses: 0, elements })
    this.#dirty.add(table)
    this.#undo.push(() => table.sets.delete(spec.name))
  }

  #removeSet(set: NfSet): void {
    const { table } = set
    for (const element of set.elements.list()) this.#useElement(table, element, -1)
    const all = [...table.sets.entries()]
    table.sets.delete(set.spec.name)
    this.#undo.push(() => {
      table.sets.clear()
      for (const [name, one] of all) table.sets.set(name, one)
    })
  }

  #useElement(table: Table, element: SetElement, change: 1 | -1): void {
    const name = element.verdict?.chain
    if (name === undefined) return
    const target = change === 1 ? this.#target(table, name) : element.target!
    element.target = target
    target.uses += change
    this.#undo.push(() => {
      target.uses -= change
    })
  }

  #newElements(command: NftCommand & { cmd: 'newelements' }): void {
    const table = this.#table(command)
    const set = this.#set(table, command.set)
    for (const one of command.elements) {
      const element = this.#makeElement(set, one)
      const there = set.elements.exact(element)
      if (there) {
        if (command.exclusive) throw new Refused('EEXIST', 'element')
        const same = there.data?.join() === element.data?.join() && there.verdict?.code === element.verdict?.code
        if (!same || there.verdict?.chain !== element.verdict?.chain) throw new Refused('EEXIST', 'element')
        continue
      }
      if (set.elements.overlaps(element)) throw new Refused('EEXIST', 'element')
      if (set.spec.size !== undefined && set.elements.list().length >= set.spec.size)
        throw new Refused('ENFILE', 'element')
      this.#useElement(table, element, 1)
      set.elements.insert(element)
      this.#undo.push(() => set.elements.remove(element))
    }
  }

  #makeElement(set: NfSet, spec: ElementSpec): SetElement {
    const { exprs = set.spec.exprs, expiresMs, timeoutMs: own, ...rest } = spec
    const states = elementStates(exprs, this.#host)
    const timeoutMs = own ?? set.spec.timeoutMs
    if (spec.timeoutMs !== undefined && !set.spec.flags.timeout) throw new Refused('EINVAL', 'element')
    return {
      ...rest,
      // Only what differs from the set's own is kept, and shown.
      ...(own !== undefined && own !== set.spec.timeoutMs && { timeoutMs: own }),
      ...(exprs && { exprs }),
      ...(states && { states }),
      ...(timeoutMs && { expiresNs: this.#host.sim.nowNs + (expiresMs ?? timeoutMs) * 1e6 }),
    }
  }

  #deleteElements(command: NftCommand & { cmd: 'delelements' }): void {
    const table = this.#table(command)
    const set = this.#set(table, command.set)
    const remove = (element: SetElement) => {
      set.elements.remove(element)
      this.#useElement(table, element, -1)
      this.#undo.push(() => set.elements.insert(element))
    }
    if (!command.elements) {
      for (const element of set.elements.list()) remove(element)
      return
    }
    for (const one of command.elements) {
      const there = set.elements.exact(one as SetElement)
      if (!there) throw new Refused('ENOENT', 'element')
      remove(there)
    }
  }

  #newObject(command: NftCommand & { cmd: 'newobject' }): void {
    const table = this.#table(command)
    const key = `${command.type} ${command.name}`
    if (table.objects.has(key)) {
      if (command.exclusive) throw new Refused('EEXIST', 'object')
      return
    }
    table.objects.set(key, createObject(command, table, table.nextHandle++, this.#host))
    this.#undo.push(() => table.objects.delete(key))
  }

  #deleteObject(command: NftCommand & { cmd: 'delobject' }): void {
    const table = this.#table(command)
    const object =
      command.handle === undefined
        ? table.objects.get(`${command.type} ${command.name}`)
        : [...table.objects.values()].find((one) => one.handle === command.handle && one.type === command.type)
    if (!object) throw new Refused('ENOENT', 'object')
    if (object.uses > 0) throw new Refused('EBUSY', 'object')
    const all = [...table.objects.entries()]
    table.objects.delete(`${object.type} ${object.name}`)
    this.#undo.push(() => {
      table.objects.clear()
      for (const [name, one] of all) table.objects.set(name, one)
    })
  }
}

const HOOKS_OF: Record<string, readonly string[]> = {
  filter: ['PRE_ROUTING', 'LOCAL_IN', 'FORWARD', 'LOCAL_OUT', 'POST_ROUTING'],
  nat: ['PRE_ROUTING', 'LOCAL_IN', 'LOCAL_OUT', 'POST_ROUTING'],
  route: ['LOCAL_OUT'],
}

function checkBase(base: BaseSpec): BaseSpec {
  const hooks = HOOKS_OF[base.type]
  if (!hooks) throw new Refused('ENOENT', 'chain')
  if (!hooks.includes(base.hook)) throw new Refused('EOPNOTSUPP', 'chain')
  // NAT needs what connection tracking found out.
  if (base.type === 'nat' && base.priority <= -200) throw new Refused('EOPNOTSUPP', 'chain')
  return base
}

/** The sets that an expression looks into. */
export function setsOf(expression: Expression): string[] {
  const names: string[] = []
  const load = (one: Load) => {
    if (one.load === 'map') {
      names.push(one.set)
      for (const part of one.of) load(part)
    } else if (one.load === 'bitwise' || one.load === 'shift') load(one.of)
  }
  const record = expression as unknown as Record<string, unknown>
  if (typeof record['set'] === 'string') names.push(record['set'])
  if (expression.expr === 'object' && expression.map) names.push(expression.name)
  for (const value of Object.values(record)) {
    if (typeof value === 'object' && value !== null && 'load' in value) load(value as Load)
    else if (Array.isArray(value))
      for (const one of value) if (one && typeof one === 'object' && 'load' in one) load(one)
  }
  return names
}

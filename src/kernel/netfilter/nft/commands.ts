/** The grammar of commands and of blocks, and what each asks the kernel. nftables 1.0.6 src/parser_bison.y, rule.c: nft_cmd_expand(). */
import { NotModelled } from '#base/check'
import type { Family } from '../expressions.ts'
import type { BaseSpec, NftCommand, TableMessage } from '../messages.ts'
import type { SetSpec } from '../objects.ts'
import { META, PRIORITIES } from './fields.ts'
import { NftFault, type Place, type Token } from './lexer.ts'
import { buildElements, type ElementAst, mergeIntervals, RuleEval, type Statement } from './rule.ts'
import { parseLimit, parseQuota, parseRule, parseSet, parseStateful } from './statements.ts'
import { formatPlace, type TokenStream } from './stream.ts'
import { bytesOf, type DataType, integerType, TYPES, type TypeSurroundings } from './types.ts'

/** Where the parts of a command stand, for what the kernel doesn't like. */
export interface Places {
  whole: Place
  table?: Place
  chain?: Place
  rule?: Place
  set?: Place
  element?: Place
  object?: Place
  chains?: Map<string, Place>
}

/** What reading a command gives: something to do once all is read. */
export type Action = (env: Environment) => void

export interface ListRequest {
  what: string
  family: Family | undefined
  table: string | undefined
  name: string | undefined
  place: Place
}

/** The kernel's tables as this run sees them, and what it will ask. */
export class Environment {
  readonly commands: { command: NftCommand; places: Places }[] = []
  readonly lists: ListRequest[] = []
  readonly around: TypeSurroundings
  readonly dump: () => TableMessage[]
  readonly #sets = new Map<string, SetSpec>()
  readonly #tables = new Set<string>()
  readonly #flushed = { all: false }
  #ids = 0

  constructor(around: TypeSurroundings, dump: () => TableMessage[]) {
    this.around = around
    this.dump = dump
  }

  push(command: NftCommand, places: Places): void {
    this.commands.push({ command, places })
    if (command.cmd === 'newtable') this.#tables.add(`${command.family} ${command.table}`)
    if (command.cmd === 'newset')
      this.#sets.set(`${command.spec.family} ${command.spec.table} ${command.spec.name}`, command.spec)
  }

  newId = (): number => ++this.#ids

  hasTable(family: Family, name: string): boolean {
    return (
      this.#tables.has(`${family} ${name}`) ||
      this.dump().some((table) => table.family === family && table.name === name)
    )
  }

  set(family: Family, table: string, name: string): SetSpec | undefined {
    const own = this.#sets.get(`${family} ${table} ${name}`)
    if (own) return own
    const message = this.dump().find((one) => one.family === family && one.name === table)
    return message?.sets.find(({ spec }) => spec.name === name)?.spec
  }

  /** Rules and chains are checked against the tables that nft knows of. */
  needTable(family: Family, name: string, place: Place): void {
    if (this.hasTable(family, name)) return
    const other = this.dump().find((table) => near(name, table.name))
    throw new NftFault(
      `No such file or directory${other ? `; did you mean table ‘${other.name}’ in family ${other.family}?` : ''}`,
      place,
    )
  }

  needSet(family: Family, table: string, name: string, place: Place): SetSpec {
    const spec = this.set(family, table, name)
    if (spec) return spec
    const message = this.dump().find((one) => one.family === family && one.name === table)
    const other = message?.sets.find(({ spec: one }) => !one.flags.anonymous && near(name, one.name))
    throw new NftFault(
      `No such file or directory${other ? `; did you mean set ‘${other.spec.name}’ in table ${family} ‘${table}’?` : ''}`,
      place,
    )
  }

  get flushed(): { all: boolean } {
    return this.#flushed
  }
}

/** Whether a name may have been meant by another. misspell.c. */
function near(a: string, b: string): boolean {
  const longest = Math.max(a.length, b.length)
  const shortest = Math.min(a.length, b.length)
  if (longest <= 1) return false
  const allowed = longest - shortest <= 1 ? Math.max(Math.ceil(longest / 3), 1) : Math.ceil((longest + 2) / 3)
  const row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0]!
    row[0] = i
    for (let j = 1; j <= b.length; j++) {
      const above = row[j]!
      row[j] = Math.min(above + 1, row[j - 1]! + 1, diagonal + (a[i - 1] === b[j - 1] ? 0 : 1))
      diagonal = above
    }
  }
  return row[b.length]! <= allowed
}

const FAMILIES: Family[] = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev']

function parseFamily(t: TokenStream): Family {
  const found = FAMILIES.find((family) => t.peek.kind === 'string' && t.peek.text === family)
  if (!found) return 'ip'
  t.next()
  return found
}

interface Named {
  family: Family
  table: Token
  name: Token
}

function parseNamed(t: TokenStream): Named {
  const family = parseFamily(t)
  const table = t.name('string')
  const name = t.name('string')
  return { family, table, name }
}

const HOOKS: Record<string, BaseSpec['hook']> = {
  prerouting: 'PRE_ROUTING',
  input: 'LOCAL_IN',
  forward: 'FORWARD',
  output: 'LOCAL_OUT',
  postrouting: 'POST_ROUTING',
}

interface ChainBlock {
  base: BaseSpec | undefined
  policy: 'accept' | 'drop' | undefined
  comment: string | undefined
  rules: ReturnType<typeof parseRule>[]
}

/** What stands between a chain's braces. */
function parseChainBlock(t: TokenStream): ChainBlock {
  const block: ChainBlock = { base: undefined, policy: undefined, comment: undefined, rules: [] }
  t.expect('{')
  for (;;) {
    t.skipSeparators()
    if (t.take('}')) return block
    if (t.peek.kind === 'end') throw t.unexpected()
    if (t.peek.text === 'type' && t.peek.kind === 'string') {
      t.next()
      block.base = parseBase(t)
    } else if (t.takeWord('policy')) {
      const word = t.next()
      if (word.text !== 'accept' && word.text !== 'drop') throw t.unexpected(word)
      block.policy = word.text
    } else if (t.takeWord('comment')) block.comment = t.text().text
    else if (t.peek.text === 'flags' || t.peek.text === 'devices')
      throw new NotModelled(`nft: ${t.peek.text} of a chain`)
    else block.rules.push(parseRule(t))
    if (!t.at('}') && !t.at(';') && t.peek.kind !== 'newline') throw t.unexpected(t.peek, 'newline or semicolon')
  }
}

function parseBase(t: TokenStream): BaseSpec {
  const type = t.next()
  if (!['filter', 'nat', 'route'].includes(type.text)) throw new NftFault('unknown chain type', type)
  t.expectWord('hook')
  const hookToken = t.next()
  const hook = HOOKS[hookToken.text]
  if (hook === undefined) {
    if (hookToken.text === 'ingress' || hookToken.text === 'egress')
      throw new NotModelled(`nft: hook ${hookToken.text}`)
    throw new NftFault('unknown chain hook', hookToken)
  }
  t.expectWord('priority')
  const negative = t.take('-') !== undefined
  const word = t.next()
  let priority = PRIORITIES.find(([name]) => name === word.text)?.[1]
  if (priority === undefined && word.kind === 'number') priority = Number(word.text)
  if (priority === undefined) throw new NftFault(`'${word.text}' is invalid priority.`, word)
  if (negative) priority = -priority
  if (t.take('+')) priority += t.number()
  else if (t.take('-')) priority -= t.number()
  return { type: type.text, hook, priority }
}

function pushChain(env: Environment, where: Named, block: ChainBlock, places: Places, exclusive: boolean): void {
  const { base, policy, comment } = block
  env.push(
    {
      cmd: 'newchain',
      family: where.family,
      table: where.table.text,
      chain: where.name.text,
      ...(base && { base }),
      ...(policy && { policy }),
      ...(comment !== undefined && { comment }),
      ...(exclusive && { exclusive }),
    },
    places,
  )
}

interface RulePosition {
  insert?: boolean
  position?: number
  replace?: number
  place?: Place
}

function pushRule(
  env: Environment,
  where: Named,
  rule: { statements: Statement[]; comment: string | undefined },
  places: Places,
  at: RulePosition = {},
): void {
  const { family } = where
  const table = where.table.text
  if (family !== 'ip' && family !== 'ip6' && family !== 'inet') throw new NotModelled(`nft: rules of family ${family}`)
  const e = new RuleEval(family, table, env.around, (name) => env.set(family, table, name), env.newId)
  for (const statement of rule.statements) {
    try {
      statement(e)
    } catch (error) {
      if (error instanceof NftFault && error.message === 'No such file or directory' && error.place) {
        const text = error.place.source.lines[error.place.line]!.slice(error.place.from, error.place.to).replace(
          /^@/,
          '',
        )
        env.needSet(family, table, text, error.place)
      }
      throw error
    }
  }
  for (const command of e.commands) env.push(command, places)
  const { insert, position, replace } = at
  env.push(
    {
      cmd: 'newrule',
      family,
      table,
      chain: where.name.text,
      expressions: e.expressions,
      ...(rule.comment !== undefined && { comment: rule.comment }),
      ...(insert && { insert }),
      ...(position !== undefined && { position }),
      ...(replace !== undefined && { replace }),
    },
    { ...places, chains: e.chainPlaces, ...(at.place && { rule: at.place }) },
  )
}

/** Types of a set's key or data: `ipv4_addr . inet_service`. */
function parseTypes(t: TokenStream): DataType[] {
  const types: DataType[] = []
  do {
    const word = t.name('string')
    const type = TYPES.get(word.text)
    if (!type) throw new NftFault(`unknown datatype ${word.text}`, word)
    types.push(type)
  } while (t.take('.'))
  return types
}

interface SetBlock {
  spec: Omit<SetSpec, 'family' | 'table' | 'name'>
  types: DataType[]
  dataTypes: DataType[] | undefined
  elements: ElementAst[]
}

function parseSetBlock(t: TokenStream, map: boolean): SetBlock {
  t.expect('{')
  const block: SetBlock = {
    spec: { keyType: [], keyLengths: [], flags: {} },
    types: [],
    dataTypes: undefined,
    elements: [],
  }
  const { spec } = block
  if (map) spec.flags.map = true
  for (;;) {
    t.skipSeparators()
    if (t.take('}')) break
    const word = t.peek
    if (t.takeWord('type')) {
      block.types = parseTypes(t)
      if (map) {
        t.expect(':')
        if (['counter', 'quota', 'limit'].includes(t.peek.text)) spec.objectType = t.next().text
        else block.dataTypes = parseTypes(t)
      }
    } else if (t.takeWord('typeof')) parseTypeof(t, block, map)
    else if (t.takeWord('flags')) {
      do {
        const flag = t.name('string')
        if (!['constant', 'interval', 'timeout', 'dynamic'].includes(flag.text)) throw t.unexpected(flag)
        spec.flags[flag.text as 'interval'] = true
      } while (t.take(','))
    } else if (t.takeWord('timeout')) {
      spec.timeoutMs = t.time()
      spec.flags.timeout = true
    } else if (t.takeWord('gc-interval')) spec.gcIntervalMs = t.time()
    else if (t.takeWord('size')) spec.size = t.number()
    else if (t.takeWord('policy')) {
      if (t.name('string').text === 'memory') spec.policy = 'memory'
    } else if (t.takeWord('auto-merge')) spec.autoMerge = true
    else if (t.takeWord('comment')) spec.comment = t.text().text
    else if (t.takeWord('elements')) {
      t.expect('=')
      block.elements = parseSet(t).elements
    } else if (['counter', 'limit', 'quota'].includes(word.text)) spec.exprs = [...(spec.exprs ?? []), parseStateful(t)]
    else throw t.unexpected()
  }
  spec.keyType = block.types.map(({ name }) => name)
  spec.keyLengths = block.types.map(bytesOf)
  if (block.dataTypes) spec.dataType = block.dataTypes.map(({ name }) => name)
  // What packets add to needs a bound.
  return block
}

function parseTypeof(t: TokenStream, block: SetBlock, map: boolean): void {
  const part = (): [string, DataType] => {
    const words: string[] = []
    while (t.peek.kind === 'string') words.push(t.next().text)
    const [first = '', second] = words
    if (first === 'verdict') return ['verdict', TYPES.get('verdict')!]
    const meta = META[second ?? first]
    if (meta && (first === 'meta' || second === undefined)) return [words.join(' '), meta]
    const name = {
      'ip saddr': 'ipv4_addr',
      'ip daddr': 'ipv4_addr',
      'tcp dport': 'inet_service',
      'tcp sport': 'inet_service',
      'udp dport': 'inet_service',
      'udp sport': 'inet_service',
      'ether saddr': 'ether_addr',
      'ether daddr': 'ether_addr',
      'ip protocol': 'inet_proto',
      'ct mark': 'mark',
    }[words.join(' ')]
    if (name === undefined) throw new NotModelled(`nft: typeof ${words.join(' ')}`)
    return [words.join(' '), TYPES.get(name)!]
  }
  const parts = [part()]
  while (t.take('.')) parts.push(part())
  block.types = parts.map(([, type]) => type)
  block.spec.typeof = parts.map(([text]) => text).join(' . ')
  if (map) {
    t.expect(':')
    const [text, type] = part()
    block.dataTypes = [type]
    block.spec.typeofData = text
  }
}

function setPlaces(where: Named, whole: Place): Places {
  return { whole, table: where.table, set: where.name }
}

function pushSet(env: Environment, where: Named, block: SetBlock, whole: Place, exclusive: boolean): void {
  if (block.types.length === 0) throw new NftFault('set definition does not specify key', whole)
  const spec: SetSpec = { ...block.spec, family: where.family, table: where.table.text, name: where.name.text }
  env.push({ cmd: 'newset', spec, ...(exclusive && { exclusive }) }, setPlaces(where, whole))
}

function pushElements(
  env: Environment,
  where: Named,
  ast: ElementAst[],
  whole: Place,
  exclusive: boolean,
  remove = false,
): void {
  const { family } = where
  const table = where.table.text
  const spec = env.needSet(family, table, where.name.text, where.name)
  const types = spec.keyType.map((name) => TYPES.get(name) ?? integerType(32))
  const dataTypes = spec.dataType?.map((name) => TYPES.get(name) ?? integerType(32))
  const e = new RuleEval(family, table, env.around, () => undefined, env.newId)
  const { elements, interval, places } = buildElements(ast, types, dataTypes, e)
  if (interval && !spec.flags.interval) {
    const at = ast.findIndex(({ key }) => key.some((part) => part.kind !== 'word'))
    const what = ast[at]!.key.some((part) => part.kind === 'prefix') ? 'prefix' : 'range'
    throw new NftFault(
      `You must add 'flags interval' to your set declaration if you want to add ${what} elements`,
      places[at],
    )
  }
  const list = spec.autoMerge ? mergeIntervals(elements) : elements
  const common: Places = { ...setPlaces(where, whole), chains: e.chainPlaces, ...(places[0] && { element: places[0] }) }
  if (remove) {
    list.forEach((element, i) => {
      env.push(
        { cmd: 'delelements', family, table, set: where.name.text, elements: [element] },
        { ...common, ...(places[i] && { element: places[i]! }) },
      )
    })
    return
  }
  env.push(
    { cmd: 'newelements', family, table, set: where.name.text, elements: list, ...(exclusive && { exclusive }) },
    common,
  )
}

const OBJECTS = ['counter', 'quota', 'limit'] as const

function parseObjectSpec(
  t: TokenStream,
  type: (typeof OBJECTS)[number],
): { spec: Record<string, unknown>; comment: string | undefined } {
  let spec: Record<string, unknown> = type === 'counter' ? { expr: 'counter', packets: 0, bytes: 0 } : {}
  let comment: string | undefined
  const body = () => {
    if (t.takeWord('comment')) comment = t.text().text
    else if (type === 'counter') {
      t.expectWord('packets')
      const packets = t.number()
      t.expectWord('bytes')
      spec = { expr: 'counter', packets, bytes: t.number() }
    } else spec = { ...(type === 'quota' ? parseQuota(t) : parseLimit(t)) }
  }
  if (t.take('{')) {
    for (;;) {
      t.skipSeparators()
      if (t.take('}')) break
      body()
    }
  } else if (!t.atEnd()) body()
  return { spec, comment }
}

/** What stands between a table's braces. */
function parseTableBlock(t: TokenStream, family: Family, table: Token, start: Token, exclusive: boolean): Action {
  let comment: string | undefined
  let flags: number | undefined
  const chains: { where: Named; block: ChainBlock; place: Place }[] = []
  const sets: { where: Named; block: SetBlock; place: Place }[] = []
  const objects: {
    type: (typeof OBJECTS)[number]
    name: Token
    spec: Record<string, unknown>
    comment: string | undefined
  }[] = []
  if (t.take('{')) {
    for (;;) {
      t.skipSeparators()
      if (t.take('}')) break
      const word = t.peek
      if (t.takeWord('chain')) {
        const name = t.name('string')
        const block = parseChainBlock(t)
        chains.push({ where: { family, table, name }, block, place: formatPlace(word, name) })
      } else if (t.takeWord('set') || t.takeWord('map')) {
        const name = t.name('string')
        const block = parseSetBlock(t, word.text === 'map')
        sets.push({ where: { family, table, name }, block, place: formatPlace(word, name) })
      } else if ((OBJECTS as readonly string[]).includes(word.text)) {
        t.next()
        const type = word.text as 'counter'
        const name = t.name('string')
        objects.push({ type, name, ...parseObjectSpec(t, type) })
      } else if (t.takeWord('comment')) comment = t.text().text
      else if (t.takeWord('flags')) {
        const flag = t.name('string')
        if (flag.text !== 'dormant') throw new NotModelled(`nft: table flags ${flag.text}`)
        flags = 1
      } else if (word.text === 'ct' || word.text === 'flowtable' || word.text === 'synproxy')
        throw new NotModelled(`nft: ${word.text} objects`)
      else throw t.unexpected()
      if (!t.at('}') && !t.at(';') && t.peek.kind !== 'newline' && t.peek.kind !== 'end')
        throw t.unexpected(t.peek, 'newline or semicolon')
    }
  }
  const whole = formatPlace(start, t.last)
  return (env) => {
    env.push(
      {
        cmd: 'newtable',
        family,
        table: table.text,
        ...(flags !== undefined && { flags }),
        ...(comment !== undefined && { comment }),
        ...(exclusive && { exclusive }),
      },
      { whole, table },
    )
    for (const { where, block, place } of chains)
      pushChain(env, where, block, { whole: place, table, chain: where.name }, false)
    for (const { type, name, spec, comment: said } of objects) {
      env.push(
        {
          cmd: 'newobject',
          family,
          table: table.text,
          type,
          name: name.text,
          spec,
          ...(said !== undefined && { comment: said }),
        },
        { whole, table, object: name },
      )
    }
    for (const { where, block, place } of sets) pushSet(env, where, block, place, false)
    for (const { where, block, place } of sets)
      if (block.elements.length > 0) pushElements(env, where, block.elements, place, false)
    for (const { where, block } of chains) {
      for (const rule of block.rules)
        pushRule(env, where, rule, { whole: formatPlace(rule.start, rule.end), table, chain: where.name })
    }
  }
}

/** add, create, insert, replace. */
function parseAdd(t: TokenStream, verb: Token): Action {
  const exclusive = verb.text === 'create'
  const word = t.peek
  const what = word.kind === 'string' ? word.text : ''
  if (verb.text === 'insert' || verb.text === 'replace' || what === 'rule') return parseAddRule(t, verb)
  if (what === 'table') {
    t.next()
    const family = parseFamily(t)
    return parseTableBlock(t, family, t.name('string'), verb, exclusive)
  }
  if (what === 'chain') {
    t.next()
    const where = parseNamed(t)
    const block: ChainBlock = t.at('{')
      ? parseChainBlock(t)
      : { base: undefined, policy: undefined, comment: undefined, rules: [] }
    const whole = formatPlace(verb, t.last)
    return (env) => {
      env.needTable(where.family, where.table.text, where.table)
      const places = { whole, table: where.table, chain: where.name }
      pushChain(env, where, block, places, exclusive)
      for (const rule of block.rules) pushRule(env, where, rule, places)
    }
  }
  if (what === 'set' || what === 'map') {
    t.next()
    const where = parseNamed(t)
    const block = parseSetBlock(t, what === 'map')
    const whole = formatPlace(verb, t.last)
    return (env) => {
      env.needTable(where.family, where.table.text, where.table)
      pushSet(env, where, block, whole, exclusive)
      if (block.elements.length > 0) pushElements(env, where, block.elements, whole, exclusive)
    }
  }
  if (what === 'element') {
    t.next()
    const where = parseNamed(t)
    const { elements } = parseSet(t)
    const whole = formatPlace(verb, t.last)
    return (env) => {
      env.needTable(where.family, where.table.text, where.table)
      pushElements(env, where, elements, whole, exclusive)
    }
  }
  if ((OBJECTS as readonly string[]).includes(what)) {
    t.next()
    const where = parseNamed(t)
    const type = what as 'counter'
    const { spec, comment } = parseObjectSpec(t, type)
    const whole = formatPlace(verb, t.last)
    return (env) => {
      env.needTable(where.family, where.table.text, where.table)
      env.push(
        {
          cmd: 'newobject',
          family: where.family,
          table: where.table.text,
          type,
          name: where.name.text,
          spec,
          ...(comment !== undefined && { comment }),
          ...(exclusive && { exclusive }),
        },
        { whole, table: where.table, object: where.name },
      )
    }
  }
  if (['flowtable', 'ct', 'secmark', 'synproxy'].includes(what)) throw new NotModelled(`nft: ${what} objects`)
  if (word.kind === 'string') return parseAddRule(t, verb)
  throw t.unexpected()
}

function parseAddRule(t: TokenStream, verb: Token): Action {
  t.takeWord('rule')
  const where = parseNamed(t)
  let handle: number | undefined
  let index: number | undefined
  let place: Place | undefined
  const at = t.peek
  if (t.takeWord('position') || t.takeWord('handle')) {
    handle = t.number()
    place = verb.text === 'replace' ? t.last : formatPlace(at, t.last)
  } else if (t.takeWord('index')) {
    index = t.number()
    place = t.last
  } else if (verb.text === 'replace') throw t.unexpected(t.peek, 'handle')
  const rule = parseRule(t)
  const whole = formatPlace(verb, rule.end)
  return (env) => {
    env.needTable(where.family, where.table.text, where.table)
    if (index !== undefined) {
      const table = env.dump().find((one) => one.family === where.family && one.name === where.table.text)
      const chain = table?.chains.find((one) => one.name === where.name.text)
      const found = chain?.rules[index]
      if (!found) throw new NftFault('Could not process rule: No such file or directory', place)
      handle = found.handle
    }
    const position: RulePosition = { ...(place && { place }) }
    if (verb.text === 'insert') position.insert = true
    if (handle !== undefined) {
      if (verb.text === 'replace') position.replace = handle
      else position.position = handle
    }
    pushRule(env, where, rule, { whole, table: where.table, chain: where.name }, position)
  }
}

function parseDelete(t: TokenStream, verb: Token): Action {
  const word = t.peek
  const what = word.kind === 'string' ? word.text : ''
  if (!['table', 'chain', 'rule', 'set', 'map', 'element', ...OBJECTS].includes(what)) throw t.unexpected()
  t.next()
  const family = parseFamily(t)
  if (what === 'table') {
    if (t.takeWord('handle')) {
      const handle = t.number()
      return (env) => env.push({ cmd: 'deltable', family, handle }, { whole: formatPlace(verb, t.last), table: t.last })
    }
    const table = t.name('string')
    const whole = formatPlace(verb, table)
    return (env) => env.push({ cmd: 'deltable', family, table: table.text }, { whole, table })
  }
  const table = t.name('string')
  if (what === 'rule') {
    const name = t.name('string')
    if (!t.takeWord('handle')) throw t.unexpected(t.peek, 'handle')
    const handle = t.number()
    const place = t.last
    const whole = formatPlace(verb, place)
    return (env) => {
      env.needTable(family, table.text, table)
      env.push(
        { cmd: 'delrule', family, table: table.text, chain: name.text, handle },
        { whole, table, chain: name, rule: place },
      )
    }
  }
  let handle: number | undefined
  let name: Token
  if (t.takeWord('handle')) {
    handle = t.number()
    name = t.last
  } else name = t.name('string')
  const where: Named = { family, table, name }
  if (what === 'element') {
    const { elements } = parseSet(t)
    const whole = formatPlace(verb, t.last)
    return (env) => {
      env.needTable(family, table.text, table)
      pushElements(env, where, elements, whole, false, true)
    }
  }
  const whole = formatPlace(verb, name)
  const by = handle === undefined ? {} : { handle }
  return (env) => {
    if (what === 'chain') {
      env.push(
        { cmd: 'delchain', family, table: table.text, ...(handle === undefined ? { chain: name.text } : by) },
        { whole, table, chain: name },
      )
    } else if (what === 'set' || what === 'map') {
      env.push(
        { cmd: 'delset', family, table: table.text, ...(handle === undefined ? { set: name.text } : by) },
        { whole, table, set: name },
      )
    } else {
      env.push(
        {
          cmd: 'delobject',
          family,
          table: table.text,
          type: what,
          ...(handle === undefined ? { name: name.text } : by),
        },
        { whole, table, object: name },
      )
    }
  }
}

function parseFlush(t: TokenStream, verb: Token): Action {
  const word = t.next()
  const whole = (end: Place) => formatPlace(verb, end)
  if (word.text === 'ruleset') {
    const family = FAMILIES.includes(t.peek.text as Family) ? parseFamily(t) : undefined
    return (env) => {
      for (const table of env.dump()) {
        if (family === undefined || table.family === family) {
          env.push({ cmd: 'deltable', family: table.family, table: table.name }, { whole: whole(word) })
        }
      }
      env.flushed.all = true
    }
  }
  if (!['table', 'chain', 'set', 'map', 'meter'].includes(word.text)) throw t.unexpected(word)
  const family = parseFamily(t)
  const table = t.name('string')
  if (word.text === 'table') {
    return (env) => env.push({ cmd: 'delrule', family, table: table.text }, { whole: whole(table), table })
  }
  const name = t.name('string')
  return (env) => {
    if (word.text === 'chain')
      env.push(
        { cmd: 'delrule', family, table: table.text, chain: name.text },
        { whole: whole(name), table, chain: name },
      )
    else {
      env.needSet(family, table.text, name.text, name)
      env.push(
        { cmd: 'delelements', family, table: table.text, set: name.text },
        { whole: whole(name), table, set: name },
      )
    }
  }
}

const LISTS = [
  'ruleset',
  'tables',
  'table',
  'chains',
  'chain',
  'sets',
  'set',
  'maps',
  'map',
  'counters',
  'counter',
  'quotas',
  'quota',
  'limits',
  'limit',
  'meters',
  'meter',
]

function parseList(t: TokenStream): Action {
  const word = t.peek
  if (word.kind !== 'string' || !LISTS.includes(word.text)) {
    if (['flowtables', 'hooks', 'ct', 'secmarks', 'synproxys', 'flowtable'].includes(word.text))
      throw new NotModelled(`nft: list ${word.text}`)
    throw t.unexpected()
  }
  t.next()
  const what = word.text
  const plural = what === 'ruleset' || what.endsWith('s')
  let family: Family | undefined
  if (FAMILIES.includes(t.peek.text as Family) && t.peek.kind === 'string') family = parseFamily(t)
  else if (!plural) family = 'ip'
  let table: Token | undefined
  let name: Token | undefined
  if (!plural) {
    table = t.name('string')
    if (what !== 'table') name = t.name('string')
  } else if (t.takeWord('table')) {
    family = FAMILIES.includes(t.peek.text as Family) ? parseFamily(t) : 'ip'
    table = t.name('string')
  }
  const place = name ?? table ?? word
  return (env) => env.lists.push({ what, family, table: table?.text, name: name?.text, place })
}

/** One command. */
function parseCommand(t: TokenStream, include: (path: Token) => void): Action | undefined {
  const token = t.peek
  const text = token.kind === 'string' ? token.text : ''
  switch (text) {
    case 'include': {
      t.next()
      const path = t.text()
      include(path)
      return undefined
    }
    case 'define':
    case 'redefine': {
      t.next()
      const name = t.name('string')
      t.expect('=')
      const value: Token[] = []
      let depth = 0
      while (depth > 0 || !(t.peek.kind === 'newline' || t.peek.kind === 'end' || t.at(';'))) {
        if (t.peek.kind === 'end') throw t.unexpected()
        const one = t.next()
        if (one.kind === 'newline') continue
        if (one.kind === 'symbol' && one.text === '{') depth++
        if (one.kind === 'symbol' && one.text === '}') depth--
        value.push(one)
      }
      if (value.length === 0) throw t.unexpected()
      t.variables.set(name.text, value)
      return undefined
    }
    case 'undefine':
      t.next()
      t.variables.delete(t.name('string').text)
      return undefined
    case 'add':
    case 'create':
    case 'insert':
    case 'replace':
      return parseAdd(t, t.next())
    case 'delete':
      return parseDelete(t, t.next())
    case 'flush':
      return parseFlush(t, t.next())
    case 'list':
      t.next()
      return parseList(t)
    case 'rename': {
      const verb = t.next()
      t.expectWord('chain')
      const where = parseNamed(t)
      const to = t.name('string')
      return (env) =>
        env.push(
          { cmd: 'renamechain', family: where.family, table: where.table.text, chain: where.name.text, to: to.text },
          { whole: formatPlace(verb, to), table: where.table, chain: where.name },
        )
    }
    case 'reset':
      return parseReset(t, t.next())
    case 'get': {
      t.next()
      t.expectWord('element')
      const where = parseNamed(t)
      const { elements } = parseSet(t)
      return (env) => {
        const spec = env.needSet(where.family, where.table.text, where.name.text, where.name)
        const e = new RuleEval(where.family, where.table.text, env.around, () => undefined, env.newId)
        const types = spec.keyType.map((name) => TYPES.get(name) ?? integerType(32))
        const { elements: wanted } = buildElements(elements, types, undefined, e)
        env.lists.push({
          what: `get ${JSON.stringify(wanted)}`,
          family: where.family,
          table: where.table.text,
          name: where.name.text,
          place: elements[0]!.place,
        })
      }
    }
    case 'table': {
      const start = t.next()
      const family = parseFamily(t)
      return parseTableBlock(t, family, t.name('string'), start, false)
    }
    case 'monitor':
    case 'describe':
    case 'export':
    case 'import':
      throw new NotModelled(`nft ${text}`)
  }
  // What begins with no verb is a rule to add.
  if (token.kind === 'string') {
    t.next()
    if (t.peek.kind !== 'string') throw t.unexpected(t.peek, 'string')
    throw t.unexpected()
  }
  throw t.unexpected()
}

function parseReset(t: TokenStream, verb: Token): Action {
  const word = t.next()
  if (word.text !== 'counter' && word.text !== 'quota' && word.text !== 'counters' && word.text !== 'quotas')
    throw t.unexpected(word)
  const plural = word.text.endsWith('s')
  const family = parseFamily(t)
  const type = plural ? word.text.slice(0, -1) : word.text
  const table = plural ? (t.atEnd() ? undefined : t.name('string')) : t.name('string')
  const name = plural ? undefined : t.name('string')
  const whole = formatPlace(verb, t.last)
  return (env) => {
    env.lists.push({ what: word.text, family, table: table?.text, name: name?.text, place: name ?? table ?? word })
    for (const one of env.dump()) {
      if (one.family !== family || (table && one.name !== table.text)) continue
      for (const object of one.objects) {
        if (object.type !== type || (name && object.name !== name.text)) continue
        env.push(
          { cmd: 'reset', family, table: one.name, what: 'object', type, name: object.name },
          { whole, ...(name && { object: name }) },
        )
      }
    }
  }
}

/** All commands of the input, read to its end. */
export function parseInput(t: TokenStream, include: (path: Token) => void): Action[] {
  const actions: Action[] = []
  for (;;) {
    t.skipSeparators()
    if (t.atEnd() && t.peek.kind === 'end') return actions
    const action = parseCommand(t, include)
    if (action) actions.push(action)
    const { kind } = t.peek
    if (kind !== 'newline' && kind !== 'end' && !t.at(';'))
      throw t.unexpected(t.peek, 'end of file or newline or semicolon')
  }
}

/**
 * iptables' command line. Options come from libxtables' tables: the program's own, and those of each match and target from
 * the moment when it is named. iptables 1.8.9 iptables/xshared.c: do_parse().
 */
import { NotModelled } from '#base/check'
import type { NetlinkAnswer } from '#kernel/core'
import { maskOf, parseIpv4 } from '#wire/inet'
import type { XtInfo } from '../expressions.ts'
import { type Extension, XtError, type XtParse, type XtTable } from '../xt/extension.ts'
import { number as strtoul } from '../xt/words.ts'
import type { Names } from './names.ts'
import { type AddressMatch, emptyRule, type IptablesRule } from './rule.ts'

/** What the user got wrong; the text is printed as it stands behind the program's name. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly status: number
  readonly hint: boolean
  /** Whether the program's name and version stand before it. */
  readonly named: boolean
  constructor(text: string, { status = 2, hint = true, named = true } = {}) {
    super(text)
    this.status = status
    this.hint = hint
    this.named = named
  }
}

export type Command =
  | 'append'
  | 'check'
  | 'delete'
  | 'insert'
  | 'replace'
  | 'list'
  | 'list-rules'
  | 'flush'
  | 'zero'
  | 'new-chain'
  | 'delete-chain'
  | 'rename-chain'
  | 'policy'

export interface CommandLine {
  command: Command | undefined
  /** -Z beside -L. */
  zero: boolean
  table: string
  chain: string | undefined
  newName: string | undefined
  policy: string | undefined
  rulenum: number | undefined
  rule: IptablesRule
  sources: AddressMatch[]
  destinations: AddressMatch[]
  verbose: number
  numeric: boolean
  exact: boolean
  lineNumbers: boolean
  help: boolean
  version: boolean
  /** The match or target whose help is asked for. */
  helpOf: Extension[]
  setCounters: [number, number] | undefined
}

const COMMANDS: Record<string, [Command, letter: string]> = {
  append: ['append', 'A'],
  check: ['check', 'C'],
  delete: ['delete', 'D'],
  insert: ['insert', 'I'],
  replace: ['replace', 'R'],
  list: ['list', 'L'],
  'list-rules': ['list-rules', 'S'],
  flush: ['flush', 'F'],
  zero: ['zero', 'Z'],
  'new-chain': ['new-chain', 'N'],
  'delete-chain': ['delete-chain', 'X'],
  'rename-chain': ['rename-chain', 'E'],
  policy: ['policy', 'P'],
}

/** Long options, the letter of each, and whether it takes a value: 1 yes, 2 perhaps. */
const LONG: [name: string, letter: string, value: 0 | 1 | 2][] = [
  ['append', 'A', 1],
  ['delete', 'D', 1],
  ['check', 'C', 1],
  ['insert', 'I', 1],
  ['replace', 'R', 1],
  ['list', 'L', 2],
  ['list-rules', 'S', 2],
  ['flush', 'F', 2],
  ['zero', 'Z', 2],
  ['new-chain', 'N', 1],
  ['delete-chain', 'X', 2],
  ['rename-chain', 'E', 1],
  ['policy', 'P', 1],
  ['source', 's', 1],
  ['destination', 'd', 1],
  ['src', 's', 1],
  ['dst', 'd', 1],
  ['protocol', 'p', 1],
  ['in-interface', 'i', 1],
  ['out-interface', 'o', 1],
  ['jump', 'j', 1],
  ['table', 't', 1],
  ['match', 'm', 1],
  ['numeric', 'n', 0],
  ['verbose', 'v', 0],
  ['wait', 'w', 2],
  ['wait-interval', 'W', 2],
  ['exact', 'x', 0],
  ['fragments', 'f', 0],
  ['version', 'V', 0],
  ['help', 'h', 2],
  ['line-numbers', '0', 0],
  ['modprobe', 'M', 1],
  ['set-counters', 'c', 1],
  ['goto', 'g', 1],
  ['ipv4', '4', 0],
  ['ipv6', '6', 0],
]
const SHORT = new Map<string, 0 | 1 | 2>(LONG.map(([, letter, value]) => [letter, value]))
SHORT.set('b', 0)
SHORT.delete('0')
// getopt's "L::" takes only what is glued on; what follows is taken by the program itself.

interface Loaded {
  extension: Extension
  kind: 'match' | 'target'
  state: unknown
  seen: Set<string>
  finished?: XtInfo
}

export interface ParseSurroundings {
  xt: XtTable
  names: Names
  netlink(message: { type: string }): NetlinkAnswer
  /** Chains that a rule could jump to; undefined: everything may be one. */
  chainExists?(table: string, name: string): boolean
}

class Parser {
  readonly #argv: string[]
  readonly #around: ParseSurroundings
  readonly #line: CommandLine
  readonly #loaded: Loaded[] = []
  readonly #used = new Set<string>()
  #at = 1
  #inverted = false
  #jump: string | undefined

  constructor(argv: string[], around: ParseSurroundings, table: string) {
    this.#argv = argv
    this.#around = around
    this.#line = {
      command: undefined,
      zero: false,
      table,
      chain: undefined,
      newName: undefined,
      policy: undefined,
      rulenum: undefined,
      rule: emptyRule(),
      sources: [],
      destinations: [],
      verbose: 0,
      numeric: false,
      exact: false,
      lineNumbers: false,
      help: false,
      version: false,
      helpOf: [],
      setCounters: undefined,
    }
  }

  run(): CommandLine {
    const argv = this.#argv
    while (this.#at < argv.length) {
      const word = argv[this.#at++]!
      if (word === '!') {
        if (this.#inverted) throw new UsageError('multiple consecutive ! not allowed')
        this.#inverted = true
        continue
      }
      if (word.startsWith('--') && word.length > 2) this.#long(word)
      else if (word.startsWith('-') && word.length > 1) this.#cluster(word)
      else throw new UsageError(`Bad argument \`${word}'`, { named: false })
      if (this.#line.help || this.#line.version) return this.#line
      this.#inverted = false
    }
    return this.#finish()
  }

  #value(name: string): string {
    if (this.#at >= this.#argv.length) throw new UsageError(`option "${name}" requires an argument`)
    return this.#argv[this.#at++]!
  }

  #long(word: string): void {
    const equals = word.indexOf('=')
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals)
    const glued = equals < 0 ? undefined : word.slice(equals + 1)
    const own = this.#extensionOption(name)
    const exact = LONG.find(([one]) => one === name)
    if (own && (own.exact || !exact)) {
      this.#extension(own.loaded, own.name, glued, word)
      return
    }
    const known = exact ?? unique(LONG.filter(([one]) => one.startsWith(name)))
    if (!known) {
      // The protocol's own match may know it: `-p tcp --dport`.
      if (this.#loadProtocol() !== undefined) {
        this.#long(word)
        return
      }
      throw new UsageError(`unknown option "${word}"`)
    }
    this.#option(known[1], known[2] === 1 ? (glued ?? this.#value(word)) : glued, word)
  }

  /** The protocol's match, loaded if it isn't yet. */
  #loadProtocol(): Loaded | undefined {
    const { protocol } = this.#line.rule
    const match = [...this.#around.xt.matches.values()].find((one) => one.protocol === protocol && protocol !== 0)
    if (!match || this.#loaded.some(({ extension }) => extension === match)) return undefined
    return this.#load(match, 'match')
  }

  #load(extension: Extension, kind: 'match' | 'target'): Loaded {
    const loaded: Loaded = { extension, kind, state: extension.init?.() ?? {}, seen: new Set() }
    this.#loaded.push(loaded)
    return loaded
  }

  /** The option of what was loaded last that knows it, whole or as an abbreviation. */
  #extensionOption(name: string): { loaded: Loaded; name: string; exact: boolean } | undefined {
    for (const exact of [true, false]) {
      for (const loaded of [...this.#loaded].reverse()) {
        const options = loaded.extension.options.filter((one) =>
          exact ? one.name === name : one.name.startsWith(name),
        )
        if (options.length === 1 || (options.length > 0 && exact)) return { loaded, name: options[0]!.name, exact }
      }
    }
    return undefined
  }

  #extension(loaded: Loaded, name: string, glued: string | undefined, word: string): void {
    const option = loaded.extension.options.find((one) => one.name === name)!
    let value = option.value === 'required' ? (glued ?? this.#value(word)) : (glued ?? '')
    if (this.#inverted && !option.invert) {
      throw new UsageError(`${loaded.extension.name}: option "--${name}" cannot be inverted.\n`)
    }
    // Two options of the whole family take a second word.
    if (
      (name === 'tcp-flags' || name === 'match-set' || name === 'add-set' || name === 'del-set') &&
      this.#argv[this.#at] !== undefined
    ) {
      value += ` ${this.#argv[this.#at++]}`
    }
    if (loaded.seen.has(name) && !option.multi) {
      if (loaded.extension.name === 'tcp' || loaded.extension.name === 'udp') {
        const said = /^s/.test(name) ? '--source-port' : '--destination-port'
        throw new UsageError(`Only one \`${/port/.test(name) ? said : `--${name}`}' allowed`)
      }
      throw new UsageError(`${loaded.extension.name}: option "--${name}" can only be used once.\n`)
    }
    for (const other of option.excludes ?? []) {
      if (other !== name && loaded.seen.has(other)) {
        throw new UsageError(
          `${loaded.extension.name}: option "--${other}" cannot be used together with "--${name}".\n`,
        )
      }
    }
    loaded.seen.add(name)
    this.#guard(() => loaded.extension.parse(loaded.state, name, value, this.#inverted, this.#context()))
  }

  #guard<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      if (error instanceof XtError) throw new UsageError(error.message, { status: error.status, hint: error.hint })
      throw error
    }
  }

  #context(): XtParse {
    const { names, netlink } = this.#around
    const { rule, table, chain } = this.#line
    return {
      basics: { family: 'ip', protocol: rule.protocol, protocolInverted: rule.protocolInverted },
      table,
      chain: chain ?? '',
      service: (name, protocol) => names.service(name, protocol),
      user: (name) => (name === 'root' ? 0 : undefined),
      group: (name) => (name === 'root' ? 0 : undefined),
      host: (name) => names.host(name),
      netlink,
    }
  }

  #cluster(word: string): void {
    for (let i = 1; i < word.length; i++) {
      const letter = word[i]!
      const kind = SHORT.get(letter)
      if (kind === undefined) {
        throw new UsageError(`unknown option "${word.length > 2 ? word : `-${letter}`}"`)
      }
      const rest = word.slice(i + 1)
      if (kind === 0) {
        this.#option(letter, undefined, `-${letter}`)
        continue
      }
      if (kind === 1) this.#option(letter, rest !== '' ? rest : this.#value(`-${letter}`), `-${letter}`)
      else this.#option(letter, rest !== '' ? rest : undefined, `-${letter}`)
      return
    }
  }

  /** A word that follows and isn't an option. xs_has_arg(). */
  #next(): string | undefined {
    const word = this.#argv[this.#at]
    if (word === undefined || word.startsWith('-') || word.startsWith('!')) return undefined
    this.#at++
    return word
  }

  #command(command: Command): void {
    const line = this.#line
    if (this.#inverted) throw new UsageError(`unexpected ! flag before -${letterOf(command)}`, { hint: true })
    if (line.command !== undefined) {
      if ((line.command === 'list' || line.command === 'list-rules') && command === 'zero') {
        line.zero = true
        return
      }
      if (line.command === 'zero' && (command === 'list' || command === 'list-rules')) line.zero = true
      else throw new UsageError(`Cannot use -${letterOf(command)} with -${letterOf(line.command)}\n`.trimEnd())
    }
    line.command = command
  }

  #option(letter: string, value: string | undefined, word: string): void {
    const line = this.#line
    const { rule } = line
    switch (letter) {
      case 'A':
      case 'C':
        this.#command(letter === 'A' ? 'append' : 'check')
        line.chain = value!
        return
      case 'D':
      case 'I':
      case 'R': {
        this.#command(letter === 'D' ? 'delete' : letter === 'I' ? 'insert' : 'replace')
        line.chain = value!
        const next = this.#next()
        if (next !== undefined) {
          line.rulenum = ruleNumber(next)
          if (letter === 'D') line.command = 'delete'
        } else if (letter === 'R') throw new UsageError('-R requires a rule number')
        return
      }
      case 'L':
      case 'S':
      case 'Z':
        this.#command(letter === 'L' ? 'list' : letter === 'S' ? 'list-rules' : 'zero')
        line.chain = value ?? this.#next() ?? line.chain
        if (line.chain !== undefined) {
          const next = this.#next()
          if (next !== undefined) line.rulenum = ruleNumber(next)
        }
        return
      case 'F':
      case 'X':
        this.#command(letter === 'F' ? 'flush' : 'delete-chain')
        line.chain = value ?? this.#next()
        return
      case 'N':
        this.#checkNewName(value!)
        this.#command('new-chain')
        line.chain = value!
        return
      case 'E':
        this.#command('rename-chain')
        line.chain = value!
        line.newName = this.#next()
        if (line.newName === undefined) throw new UsageError('-E requires old-chain-name and new-chain-name')
        return
      case 'P':
        this.#command('policy')
        line.chain = value!
        line.policy = this.#next()
        if (line.policy === undefined) throw new UsageError('-P requires a chain and a policy')
        return
      case 'h':
        line.help = true
        line.helpOf = this.#loaded.map(({ extension }) => extension)
        return
      case 'V':
        if (this.#inverted) return
        line.version = true
        return
      case 'p':
        this.#once('-p')
        rule.protocolInverted = this.#inverted
        rule.protocol = this.#protocol(value!)
        if (rule.protocol === 0 && rule.protocolInverted) throw new UsageError('rule would never match protocol')
        return
      case 's':
        this.#once('-s')
        line.sources = this.#addresses(value!, this.#inverted)
        return
      case 'd':
        this.#once('-d')
        line.destinations = this.#addresses(value!, this.#inverted)
        return
      case 'j':
        this.#once('-j')
        this.#jumpTo(value!)
        return
      case 'g':
        this.#once('-g')
        rule.target = { kind: 'chain', chain: value!, goto: true }
        return
      case 'i':
      case 'o': {
        this.#once(`-${letter}`)
        if (value === '') throw new UsageError('Empty interface is likely to be undesired')
        if (value!.length > 15) {
          throw new UsageError(`interface name \`${value}' must be shorter than IFNAMSIZ (15)`)
        }
        if (letter === 'i') [rule.in, rule.inInverted] = [value!, this.#inverted]
        else [rule.out, rule.outInverted] = [value!, this.#inverted]
        return
      }
      case 'f':
        this.#once('-f')
        rule.fragment = true
        rule.fragmentInverted = this.#inverted
        return
      case 'v':
        line.verbose++
        return
      case 'm': {
        const match = this.#around.xt.matches.get(value!)
        if (!match && UNMODELLED.has(value!)) throw new NotModelled(`iptables -m ${value}`)
        if (!match) throw new UsageError(`Couldn't load match \`${value}':No such file or directory\n`)
        this.#load(match, 'match')
        return
      }
      case 'n':
        line.numeric = true
        return
      case 't':
        if (this.#inverted) throw new UsageError('unexpected ! flag before --table')
        line.table = value!
        return
      case 'x':
        line.exact = true
        return
      case '0':
        line.lineNumbers = true
        return
      case 'c': {
        this.#once('-c')
        let second = this.#next()
        let first = value!
        if (second === undefined && first.includes(',')) [first = '', second] = first.split(',')
        if (second === undefined) throw new UsageError('-c requires packet and byte counter')
        if (!/^\d+$/.test(first)) throw new UsageError('-c packet counter not numeric')
        if (!/^\d+$/.test(second)) throw new UsageError('-c byte counter not numeric')
        line.setCounters = [Number(first), Number(second)]
        return
      }
      case 'w':
      case 'W': {
        const seconds = value ?? this.#next()
        if (seconds !== undefined && !/^\d+$/.test(seconds)) throw new UsageError('wait seconds not numeric')
        return
      }
      case 'M':
      case '4':
        return
      case '6':
        throw new UsageError('-6 in iptables', { named: true })
    }
    throw new UsageError(`unknown option "${word}"`)
  }

  #once(option: string): void {
    if (this.#used.has(option)) throw new UsageError(`multiple ${option} flags not allowed`)
    this.#used.add(option)
  }

  #checkNewName(name: string): void {
    if (name.startsWith('-') || name.startsWith('!')) {
      throw new UsageError(`chain name not allowed to start with \`${name[0]}'`)
    }
    if (VERDICTS.includes(name) || this.#around.xt.targets.has(name)) {
      throw new UsageError('chain name may not clash with target name')
    }
    if (/\s/.test(name)) throw new UsageError('Invalid chain name')
    checkLength(name)
  }

  #protocol(text: string): number {
    const lower = text.toLowerCase()
    const value = strtoul(lower, 255) ?? this.#around.names.protocol(lower)
    if (value === undefined) throw new UsageError(`unknown protocol "${lower}" specified`)
    return value
  }

  #jumpTo(name: string): void {
    const { rule } = this.#line
    this.#jump = name
    if (VERDICTS.includes(name)) {
      rule.target = { kind: 'verdict', verdict: name as 'ACCEPT' }
      return
    }
    const target = this.#around.xt.targets.get(name)
    if (target && (target.families?.includes('ip') ?? true)) {
      rule.target = { kind: 'xt', name, info: {} }
      this.#load(target, 'target')
      return
    }
    if (UNMODELLED.has(name)) throw new NotModelled(`iptables -j ${name}`)
    if (name === '') throw new UsageError('Invalid target name (too short)')
    if (name.length >= 29) throw new UsageError(`Invalid target name \`${name}' (28 chars max)`)
    rule.target = { kind: 'chain', chain: name, goto: false }
  }

  /** A list of addresses, networks and names. xtables_ipparse_multiple(). */
  #addresses(text: string, inverted: boolean): AddressMatch[] {
    const all: AddressMatch[] = []
    const words = text.split(',')
    if (inverted && words.length > 1)
      throw new UsageError('! not allowed with multiple source or destination IP addresses')
    for (const raw of words) {
      const word = raw.trim()
      if (word === '') throw new UsageError("can't parse network mask")
      const slash = word.indexOf('/')
      const name = slash < 0 ? word : word.slice(0, slash)
      const mask = slash < 0 ? 0xffffffff : parseMask(word.slice(slash + 1))
      const numeric = looseAddress(name)
      let found = numeric === undefined ? this.#around.names.host(name) : [numeric]
      if (mask === 0 && numeric === undefined) found = [0]
      if (!found) throw new UsageError(`host/network \`${name}' not found`)
      for (const address of new Set(found)) all.push({ address: (address & mask) >>> 0, mask, inverted })
    }
    return all
  }

  #finish(): CommandLine {
    const line = this.#line
    const { rule } = line
    if (this.#inverted) throw new UsageError('nothing appropriate following !')
    for (const loaded of this.#loaded) {
      const { extension } = loaded
      for (const option of extension.options) {
        if (option.mandatory && !loaded.seen.has(option.name)) {
          throw new UsageError(`${extension.name}: option "--${option.name}" must be specified\n`)
        }
      }
      const info = this.#guard(() => extension.finish(loaded.state, loaded.seen, this.#context()))
      if (loaded.kind === 'match') rule.matches.push({ name: extension.name, info })
      else rule.target = { kind: 'xt', name: extension.name, info }
    }
    if (line.command === undefined) throw new UsageError('no command specified')
    const forRule = ['append', 'delete', 'insert', 'replace', 'check'].includes(line.command)
    if (forRule) {
      if (line.sources.length === 0) line.sources = [emptyRule().src]
      if (line.destinations.length === 0) line.destinations = [emptyRule().dst]
    }
    if (line.setCounters) [rule.packets, rule.bytes] = line.setCounters
    this.#checkOptions()
    if (line.chain !== undefined && line.chain.length >= 29 && line.command !== 'new-chain') checkLength(line.chain)
    if (forRule) {
      if ((line.chain === 'PREROUTING' || line.chain === 'INPUT') && rule.out !== '') {
        throw new UsageError(`Can't use -o with ${line.chain}\n`)
      }
      if ((line.chain === 'POSTROUTING' || line.chain === 'OUTPUT') && rule.in !== '') {
        throw new UsageError(`Can't use -i with ${line.chain}\n`)
      }
    }
    void this.#jump
    return line
  }

  /** Options that make no sense with a command. xshared.c: commands_v_options[]. */
  #checkOptions(): void {
    const line = this.#line
    const { command } = line
    const forRule = ['append', 'delete', 'insert', 'replace', 'check'].includes(command!)
    const illegal = (option: string) => {
      throw new UsageError(`Illegal option \`${option}' with this command`)
    }
    if (!forRule) {
      for (const option of ['-s', '-d', '-p', '-j', '-g', '-i', '-o', '-f']) {
        if (this.#used.has(option)) illegal(option === '-g' ? '-j' : option)
      }
      if (this.#used.has('-c') && command !== 'policy') illegal('-c')
    } else {
      if (line.rulenum !== undefined && command === 'delete') {
        for (const option of ['-s', '-d', '-p', '-j', '-i', '-o', '-f']) if (this.#used.has(option)) illegal(option)
      }
      if (line.numeric) illegal('-n')
      if (line.lineNumbers) illegal('--line-numbers')
      if (line.exact) illegal('-x')
    }
    if (command !== 'list' && !forRule) {
      if (line.lineNumbers) illegal('--line-numbers')
      if (line.exact) illegal('-x')
    }
  }
}

/** Extensions that Debian's iptables has and the model doesn't. */
const UNMODELLED = new Set(
  'ah bpf cgroup connbytes connlabel cpu dccp devgroup ecn esp helper ipvs nfacct osf policy quota rateest realm rpfilter socket time AUDIT CHECKSUM CONNSECMARK ECN HMARK IDLETIMER LED NFLOG NFQUEUE QUEUE RATEEST SECMARK SYNPROXY TPROXY TRACE'.split(
    ' ',
  ),
)

export const VERDICTS = ['ACCEPT', 'DROP', 'RETURN']

function letterOf(command: Command): string {
  return COMMANDS[command]![1]
}

function unique<T>(list: T[]): T | undefined {
  return list.length === 1 ? list[0] : undefined
}

function checkLength(name: string): void {
  if (name.length >= 29) throw new UsageError(`chain name \`${name}' too long (must be under 29 chars)`)
}

function ruleNumber(text: string): number {
  const value = strtoul(text, 2147483647, 1)
  if (value === undefined) throw new UsageError(`Invalid rule number \`${text}'`)
  return value
}

/** inet_aton-like: `10` is 10.0.0.0 here, `1.2.3` 1.2.3.0. numeric_to_ipaddr(). */
function looseAddress(text: string): number | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){0,3}$/.test(text)) return undefined
  const parts = text.split('.').map(Number)
  if (parts.some((part) => part > 255)) return undefined
  while (parts.length < 4) parts.push(0)
  return parts.reduce((sum, part) => sum * 256 + part, 0)
}

function parseMask(text: string): number {
  const dotted = text.includes('.') ? parseIpv4(text) : undefined
  if (dotted !== undefined) return dotted
  const bits = strtoul(text, 32)
  if (bits === undefined) throw new UsageError(`invalid mask \`${text}' specified`)
  return bits === 0 ? 0 : maskOf(bits)
}

/** Reads a command line; throws `UsageError`. */
export function parseCommandLine(argv: string[], around: ParseSurroundings, table = 'filter'): CommandLine {
  return new Parser(argv, around, table).run()
}

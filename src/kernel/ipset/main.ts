/** The program `ipset` 7.17. ipset lib/parse.c, lib/session.c, lib/args.c. */
import { decodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, readAll, readTextFile, type Sys, writeText } from '#kernel/core'
import { formatIpv4, maskOf, parseIpv4 } from '#wire/inet'
import type { ElementOptions, IpSetRequest, ListedSet, SetOptions, Verdict, WantedPart, Why } from './sets.ts'
import { formatPart, ICMP_NAMES, PROTOCOL_NUMBERS, SET_TYPES, type SetType } from './types.ts'

const VERSION = 'ipset v7.17'

/** What ends a run: text behind the program's name, status 1 or 2, whether the hint follows. */
class Mistake extends Error {
  override readonly name = 'Mistake'
  readonly status: number
  constructor(text: string, status = 1) {
    super(text)
    this.status = status
  }
}

const usage = (text: string) => new Mistake(text, 2)

/** A refusal in the tool's words, by command. lib/errcode.c. */
function whyText(why: Why, cmd: string): string {
  switch (why) {
    case 'no set':
      return 'The set with the given name does not exist'
    case 'exists':
      return 'Set cannot be created: set with the same name already exists'
    case 'type unknown':
      return 'Kernel error received: set type not supported'
    case 'element exists':
      return "Element cannot be added to the set: it's already added"
    case 'element missing':
      return "Element cannot be deleted from the set: it's not added"
    case 'busy':
      return 'Set cannot be destroyed: it is in use by a kernel component'
    case 'referenced':
      return 'Set cannot be renamed: it is in use by another system'
    case 'rename exists':
      return 'Set cannot be renamed: a set with the new name already exists'
    case 'second missing':
      return 'Sets cannot be swapped: the second set does not exist'
    case 'types differ':
      return 'The sets cannot be swapped: their type does not match'
    case 'full':
      return cmd === 'list' ? 'Set is full, more elements cannot be added.' : 'Hash is full, cannot add more elements'
    case 'out of range':
      return 'Element is out of the range of the set'
    case 'cidr':
      return 'The value of the CIDR parameter of the IP address is invalid'
    case 'no timeout':
      return 'Timeout cannot be used: set was created without timeout support'
    case 'no counters':
      return 'Packet/byte counters cannot be used: set was created without counter support'
    case 'no comment':
      return 'Comment cannot be used: set was created without comment support'
    case 'member missing':
      return 'Set to be added/deleted/tested as element does not exist.'
    case 'member exists':
      return "Element cannot be added to the set: it's already added"
    case 'ref missing':
      return 'No reference set specified.'
    case 'loop':
      return 'Sets with list:set type cannot be added to the set.'
    case 'nomatch':
      return 'Type does not support nomatch'
  }
}

function number(text: string, max: number, min = 0): number {
  if (!/^(0[xX][0-9a-fA-F]+|\d+)$/.test(text)) throw new Mistake(`Syntax error: '${text}' is invalid as number`)
  const value = Number(text)
  if (value < min || value > max) throw new Mistake(`Syntax error: '${text}' is out of range ${min}-${max}`)
  return value
}

function address(text: string): number {
  const value = parseIpv4(text)
  if (value === undefined) throw new Mistake(`Syntax error: cannot parse ${text}: resolving to IPv4 address failed`)
  return value
}

/** `1.1.1.1`, `1.1.1.0/24`, `1.1.1.1-1.1.1.9`. */
function parseIp(text: string): WantedPart {
  const slash = text.indexOf('/')
  if (slash >= 0) {
    const from = address(text.slice(0, slash))
    const prefix = number(text.slice(slash + 1), 32)
    const mask = prefix === 0 ? 0 : maskOf(prefix)
    return { kind: 'ip', from: (from & mask) >>> 0, to: ((from & mask) | ~mask) >>> 0, prefix }
  }
  const dash = text.indexOf('-')
  if (dash >= 0) {
    const [from, to] = [address(text.slice(0, dash)), address(text.slice(dash + 1))]
    return from <= to ? { kind: 'ip', from, to } : { kind: 'ip', from: to, to: from }
  }
  const one = address(text)
  return { kind: 'ip', from: one, to: one, prefix: 32 }
}

/** `80`, `tcp:80-90`, `udp:domain`, `icmp:8/0`. */
function parsePort(text: string, service: (name: string, protocol: string) => number | undefined): WantedPart {
  const colon = text.indexOf(':')
  const name = colon < 0 ? 'tcp' : text.slice(0, colon)
  const rest = colon < 0 ? text : text.slice(colon + 1)
  const protocol = PROTOCOL_NUMBERS[name] ?? (/^\d+$/.test(name) ? Number(name) : undefined)
  if (protocol === undefined) throw new Mistake(`Syntax error: cannot parse '${name}' as a protocol`)
  if (protocol === 1) {
    const named = ICMP_NAMES.find(([one]) => one === rest)
    const [type, code] = named ? [named[1], named[2]] : rest.split('/').map((word) => number(word, 255))
    if (type === undefined || code === undefined)
      throw new Mistake(`Syntax error: Cannot parse ICMP type/code: '${rest}'`)
    return { kind: 'port', protocol, from: type * 256 + code, to: type * 256 + code }
  }
  const one = (word: string) => {
    if (/^\d+$/.test(word)) {
      const value = Number(word)
      if (value > 65535) throw new Mistake(`Syntax error: '${word}' is out of range 0-65535`)
      return value
    }
    const value = service(word, name)
    if (value === undefined) throw new Mistake(`Syntax error: cannot parse '${word}' as a ${name.toUpperCase()} port`)
    return value
  }
  const dash = rest.indexOf('-')
  if (dash < 0) {
    const port = one(rest)
    return { kind: 'port', protocol, from: port, to: port }
  }
  return { kind: 'port', protocol, from: one(rest.slice(0, dash)), to: one(rest.slice(dash + 1)) }
}

function parseMac(text: string): WantedPart {
  const parts = text.split(':')
  if (parts.length !== 6 || parts.some((part) => !/^[0-9a-fA-F]{2}$/.test(part))) {
    throw new Mistake(`Syntax error: cannot parse '${text}' as ethernet address`)
  }
  return { kind: 'mac', mac: parts.reduce((sum, part) => sum * 256 + Number.parseInt(part, 16), 0) }
}

const ORDINALS = ['First', 'Second', 'Third']

function parseElement(
  text: string,
  type: SetType,
  service: (name: string, protocol: string) => number | undefined,
): WantedPart[] {
  if (type.parts[0] === 'set') return [{ kind: 'set', name: text }]
  const words = text.split(',')
  if (words.length < type.parts.length) {
    throw new Mistake(`Syntax error: ${ORDINALS[words.length]} element is missing from ${text}.`)
  }
  if (words.length > type.parts.length)
    throw new Mistake(`Syntax error: Elem separator in ${text}, but settype ${type.name} supports none.`)
  return type.parts.map((kind, i) => {
    const word = words[i]!
    if (kind === 'port') return parsePort(word, service)
    if (kind === 'mac') return parseMac(word)
    if (kind === 'bitmap port') {
      const part = parsePort(word, service) as WantedPart & { kind: 'port' }
      return { ...part, protocol: 0 }
    }
    return parseIp(word)
  })
}

/** Options of `create`, by the type's method. */
const CREATE: Record<SetType['method'], string[]> = {
  hash: [
    'family',
    'hashsize',
    'maxelem',
    'netmask',
    'bucketsize',
    'initval',
    'timeout',
    'counters',
    'comment',
    'skbinfo',
    'forceadd',
    'markmask',
  ],
  bitmap: ['range', 'netmask', 'timeout', 'counters', 'comment', 'skbinfo'],
  list: ['size', 'timeout', 'counters', 'comment', 'skbinfo'],
}

function parseCreate(words: string[], type: SetType): SetOptions {
  const options: SetOptions = {}
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (!CREATE[type.method].includes(word)) throw usage(`Unknown argument: \`${word}'`)
    const value = (): string => {
      const next = words[++i]
      if (next === undefined) throw usage(`Missing mandatory argument of option \`${word}'`)
      return next
    }
    switch (word) {
      case 'family': {
        const family = value()
        if (family === 'inet6') throw new NotModelled('ipset: family inet6')
        if (family !== 'inet' && family !== 'ipv4' && family !== '-4')
          throw new Mistake(`Syntax error: unknown INET family ${family}`)
        break
      }
      case 'hashsize':
      case 'maxelem':
      case 'bucketsize':
      case 'initval':
      case 'size':
        options[word] = number(value(), 0xffffffff)
        break
      case 'netmask':
        options.netmask = number(value(), 32, 1)
        break
      case 'timeout':
        options.timeoutS = number(value(), 2147483)
        break
      case 'range': {
        const text = value()
        if (type.parts[0] === 'bitmap port') {
          const [from = '', to = from] = text.split('-')
          options.range = [number(from, 65535), number(to, 65535)]
        } else {
          const part = parseIp(text) as WantedPart & { kind: 'ip' }
          options.range = [part.from, part.to]
        }
        break
      }
      case 'counters':
      case 'comment':
      case 'skbinfo':
      case 'forceadd':
        options[word] = true
    }
  }
  if (type.method === 'bitmap' && !options.range) throw usage("Mandatory option `range' is missing")
  return options
}

function parseElementOptions(
  words: string[],
  list: boolean,
): { options: ElementOptions; place?: 'before' | 'after'; of?: string } {
  const options: ElementOptions = {}
  let place: 'before' | 'after' | undefined
  let of: string | undefined
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    const value = (): string => {
      const next = words[++i]
      if (next === undefined) throw usage(`Missing mandatory argument of option \`${word}'`)
      return next
    }
    if (word === 'timeout') options.timeoutS = number(value(), 2147483)
    else if (word === 'packets') options.packets = number(value(), Number.MAX_SAFE_INTEGER)
    else if (word === 'bytes') options.bytes = number(value(), Number.MAX_SAFE_INTEGER)
    else if (word === 'comment') options.comment = value()
    else if (word === 'nomatch') options.nomatch = true
    else if (list && (word === 'before' || word === 'after')) {
      place = word
      of = value()
    } else throw usage(`Unknown argument: \`${word}'`)
  }
  return { options, ...(place && { place }), ...(of !== undefined && { of }) }
}

/** Options of a set as `Header:` and `save` have them. */
function headerText(type: SetType, options: SetOptions): string {
  const words: string[] = []
  if (type.method === 'hash') {
    if (type.name !== 'hash:mac') words.push('family inet')
    words.push(`hashsize ${options.hashsize} maxelem ${options.maxelem}`)
  } else if (type.method === 'bitmap') {
    const [from, to] = options.range!
    words.push(type.parts[0] === 'ip' ? `range ${formatIpv4(from)}-${formatIpv4(to)}` : `range ${from}-${to}`)
  } else words.push(`size ${options.size}`)
  if (options.netmask !== undefined) words.push(`netmask ${options.netmask}`)
  if (options.timeoutS !== undefined) words.push(`timeout ${options.timeoutS}`)
  if (options.counters) words.push('counters')
  if (options.comment) words.push('comment')
  if (options.skbinfo) words.push('skbinfo')
  if (options.forceadd) words.push('forceadd')
  if (type.method === 'hash') {
    words.push(`bucketsize ${options.bucketsize}`)
    words.push(`initval 0x${options.initval!.toString(16).padStart(8, '0')}`)
  }
  return words.join(' ')
}

function elementText(set: ListedSet, type: SetType, one: ListedSet['elements'][number]): string {
  let text = one.parts.map((part, i) => formatPart(part, type.parts[i]!)).join(',')
  if (one.timeoutS !== undefined) text += ` timeout ${one.timeoutS}`
  if (one.nomatch) text += ' nomatch'
  if (set.options.counters) text += ` packets ${one.packets} bytes ${one.bytes}`
  if (set.options.comment && one.comment !== undefined) text += ` comment "${one.comment}"`
  return text
}

interface Flags {
  exist: boolean
  quiet: boolean
  names: boolean
  terse: boolean
  sorted: boolean
  output: 'plain' | 'save' | undefined
  file: string | undefined
}

const LETTERS: Record<string, string> = {
  '-exist': '!',
  '--exist': '!',
  '-!': '!',
  '-quiet': 'q',
  '-q': 'q',
  '-name': 'n',
  '-n': 'n',
  '-terse': 't',
  '-t': 't',
  '-sorted': 's',
  '-s': 's',
  '-resolve': 'r',
  '-r': 'r',
  '-o': 'o',
  '-output': 'o',
  '-f': 'f',
  '-file': 'f',
  '-v': 'v',
  '--version': 'v',
  '-version': 'v',
}

/** Commands by name, old letter and new. */
const COMMANDS: [names: string[], cmd: string, words: number][] = [
  [['create', 'new', '-N'], 'create', 2],
  [['add', '-A'], 'add', 2],
  [['del', '-D'], 'del', 2],
  [['test', '-T'], 'test', 2],
  [['destroy', 'x', '-X'], 'destroy', 0],
  [['list', '-L'], 'list', 0],
  [['save', '-S'], 'save', 0],
  [['restore', '-R'], 'restore', 0],
  [['flush', '-F'], 'flush', 0],
  [['rename', 'e', '-E'], 'rename', 2],
  [['swap', 'w', '-W'], 'swap', 2],
  [['help', '-h', '--help'], 'help', 0],
  [['version'], 'version', 0],
]

const ORDINAL = ['', 'mandatory', 'second mandatory']

interface Output {
  out: string
  err: string
}

class Tool {
  readonly #sys: Sys
  readonly #services: (name: string, protocol: string) => number | undefined

  constructor(sys: Sys, services: (name: string, protocol: string) => number | undefined) {
    this.#sys = sys
    this.#services = services
  }

  #ask<T>(request: IpSetRequest): T[] {
    const answer = this.#sys.netlink(request)
    return answer.ok ? (answer.messages as T[]) : []
  }

  #do(request: IpSetRequest): Verdict {
    return this.#ask<Verdict>(request)[0] ?? {}
  }

  #must(request: IpSetRequest): Verdict {
    const verdict = this.#do(request)
    if (verdict.why) throw new Mistake(whyText(verdict.why, request.cmd))
    return verdict
  }

  #typeOf(name: string): SetType {
    const header = this.#ask<{ typeName?: string } & Verdict>({ type: 'IPSET', cmd: 'header', name })[0]
    if (!header?.typeName) throw new Mistake(whyText('no set', 'header'))
    return SET_TYPES.find((type) => type.name === header.typeName)!
  }

  /** One command; `restore` reads lines of them. */
  command(words: string[], flags: Flags, restoring: boolean): Output & { status: number; restore?: true } {
    const first = words[0]
    if (first === undefined) throw usage('No command specified.')
    const found = COMMANDS.find(([names]) => names.includes(first))
    if (!found) throw usage(`No command specified: unknown argument ${first}`)
    const [, cmd, needed] = found
    const rest = words.slice(1)
    if (rest.length < needed) throw usage(`Missing ${ORDINAL[rest.length + 1]} argument to command ${cmd}`)
    const done = { out: '', err: '', status: 0 }
    const [name = '', second = '', ...more] = rest
    switch (cmd) {
      case 'create': {
        if (name.length > 31) throw new Mistake(`Syntax error: setname '${name}' is longer than 31 characters`)
        const type = SET_TYPES.find(
          (one) => one.name === second || one.name.replace(':', '').replace('hash', 'ip') === second,
        )
        if (!type) {
          if (
            /^(hash|bitmap|list):/.test(second) &&
            ['hash:ip,mac', 'hash:ip,mark', 'hash:net,iface', 'hash:net,port,net', 'bitmap:ip,mac'].includes(second)
          ) {
            throw new NotModelled(`ipset: ${second}`)
          }
          throw new Mistake(`Syntax error: typename '${second}' is unknown`)
        }
        const options = parseCreate(more, type)
        this.#must({ type: 'IPSET', cmd: 'create', name, typeName: type.name, options, exist: flags.exist })
        return done
      }
      case 'add':
      case 'del':
      case 'test': {
        const type = this.#typeOf(name)
        let parts = parseElement(second, type, this.#services)
        const { options, place, of } = parseElementOptions(more, type.method === 'list')
        if (place && of !== undefined) parts = [{ kind: 'set', name: second, place, of }]
        const verdict = this.#do({ type: 'IPSET', cmd, name, parts, options, exist: flags.exist })
        if (verdict.why) throw new Mistake(whyText(verdict.why, type.method))
        if (cmd !== 'test') return done
        const shown = second
        if (verdict.found) return { ...done, err: flags.quiet ? '' : `Warning: ${shown} is in set ${name}.\n` }
        return { ...done, err: flags.quiet ? '' : `${shown} is NOT in set ${name}.\n`, status: 1 }
      }
      case 'destroy':
      case 'flush':
        this.#must({ type: 'IPSET', cmd, ...(rest.length > 0 && { name }) })
        return done
      case 'rename':
      case 'swap':
        this.#must({ type: 'IPSET', cmd, name, to: second })
        return done
      case 'list':
      case 'save':
        return { ...done, out: this.#list(cmd, rest[0], flags) }
      case 'version':
        return { ...done, out: `${VERSION}, protocol version: 7\n` }
      case 'help':
        return { ...done, out: helpText() }
      case 'restore':
        if (restoring) throw usage('restore command cannot be used in restore mode')
        return { ...done, restore: true }
    }
    return done
  }

  #list(cmd: string, name: string | undefined, flags: Flags): string {
    const sets = this.#ask<ListedSet & Verdict>({ type: 'IPSET', cmd: 'list', ...(name !== undefined && { name }) })
    if (sets[0]?.why) throw new Mistake(whyText(sets[0].why, 'list'))
    // The kernel tells of lists behind what they are made of.
    sets.sort((a, b) => Number(a.typeName === 'list:set') - Number(b.typeName === 'list:set'))
    if (flags.names) return sets.map((set) => `${set.name}\n`).join('')
    const save = (flags.output ?? (cmd === 'save' ? 'save' : 'plain')) === 'save'
    const texts = sets.map((set) => {
      const type = SET_TYPES.find((one) => one.name === set.typeName)!
      let elements = set.elements.map((one) => elementText(set, type, one))
      if (flags.sorted) elements = sortElements(set, type)
      if (save) {
        return `create ${set.name} ${set.typeName} ${headerText(type, set.options)}\n${elements.map((one) => `add ${set.name} ${one}\n`).join('')}`
      }
      let text = `Name: ${set.name}\nType: ${set.typeName}\nRevision: ${set.revision}\nHeader: ${headerText(type, set.options)}\n`
      text += `Size in memory: ${set.memory}\nReferences: ${set.references}\nNumber of entries: ${set.elements.length}\n`
      if (!flags.terse) text += `Members:\n${elements.map((one) => `${one}\n`).join('')}`
      return text
    })
    return texts.join(save ? '' : '\n')
  }
}

function sortElements(set: ListedSet, type: SetType): string[] {
  const value = (one: ListedSet['elements'][number]) =>
    one.parts.map((part) =>
      part.kind === 'ip'
        ? [part.address, part.prefix]
        : part.kind === 'port'
          ? [part.protocol, part.port]
          : [part.kind === 'mac' ? part.mac : 0],
    )
  return [...set.elements]
    .sort((a, b) => {
      const [x, y] = [value(a).flat(), value(b).flat()]
      for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return x[i]! - (y[i] ?? 0)
      return 0
    })
    .map((one) => elementText(set, type, one))
}

function helpText(): string {
  return `${VERSION}

Usage: ipset [options] COMMAND

Commands:
create SETNAME TYPENAME [type-specific-options]
        Create a new set
add SETNAME ENTRY
        Add entry to the named set
del SETNAME ENTRY
        Delete entry from the named set
test SETNAME ENTRY
        Test entry in the named set
destroy [SETNAME]
        Destroy a named set or all sets
list [SETNAME]
        List the entries of a named set or all sets
save [SETNAME]
        Save the named set or all sets to stdout
restore 
        Restore a saved state
flush [SETNAME]
        Flush a named set or all sets
rename FROM-SETNAME TO-SETNAME
        Rename two sets
swap FROM-SETNAME TO-SETNAME
        Swap the contect of two existing sets
help [TYPENAME]
        Print help, and settype specific help
version 
        Print version information
quit 
        Quit interactive mode
`
}

/** Splits a line of `restore`: double quotes hold blanks together. */
function splitLine(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
}

function parseFlags(argv: string[]): { flags: Flags; words: string[] } {
  const flags: Flags = {
    exist: false,
    quiet: false,
    names: false,
    terse: false,
    sorted: false,
    output: undefined,
    file: undefined,
  }
  const words: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    const letter = LETTERS[word]
    if (letter === undefined) {
      words.push(word)
      continue
    }
    if (letter === '!') flags.exist = true
    else if (letter === 'q') flags.quiet = true
    else if (letter === 'n') flags.names = true
    else if (letter === 't') flags.terse = true
    else if (letter === 's') flags.sorted = true
    else if (letter === 'v') words.unshift('version')
    else if (letter === 'o') {
      const mode = argv[++i]
      if (mode === 'xml') throw new NotModelled('ipset -o xml')
      if (mode !== 'plain' && mode !== 'save') throw usage(`Syntax error: unknown output mode '${mode ?? ''}'`)
      flags.output = mode
    } else if (letter === 'f') flags.file = argv[++i]
  }
  return { flags, words }
}

export function* ipsetMain(sys: Sys, argv: string[]): Body<number> {
  const read = yield* readTextFile(sys, '/etc/services')
  const services = new Map<string, number>()
  for (const line of (read.ok ? read.value : '').split('\n')) {
    const [name = '', value = ''] = line.trim().split(/\s+/)
    if (/^\d+\//.test(value)) services.set(`${name}/${value.split('/')[1]}`, Number.parseInt(value, 10))
  }
  const tool = new Tool(sys, (name, protocol) => services.get(`${name}/${protocol}`))
  let line = 0
  try {
    const { flags, words } = parseFlags(argv.slice(1))
    const result = tool.command(words, flags, false)
    if (result.err !== '') yield* writeText(sys, 2, result.err)
    if (result.out !== '') yield* writeText(sys, 1, result.out)
    if (!result.restore) return result.status
    const input = flags.file === undefined ? yield* readAll(sys, 0) : yield* readTextFile(sys, flags.file)
    if (!input.ok) {
      yield* writeText(sys, 2, `${VERSION}: Cannot open ${flags.file} for reading: No such file or directory\n`)
      return 1
    }
    const text = typeof input.value === 'string' ? input.value : decodeUtf8(input.value)
    for (const raw of text.split('\n')) {
      line++
      if (raw.trim() === '' || raw.startsWith('#') || raw.trim() === 'COMMIT') continue
      const own = parseFlags(splitLine(raw))
      tool.command(own.words, { ...own.flags, exist: flags.exist || own.flags.exist }, true)
    }
    return 0
  } catch (error) {
    if (!(error instanceof Mistake)) throw error
    const where = line > 0 ? `Error in line ${line}: ` : ''
    yield* writeText(
      sys,
      2,
      `${VERSION}: ${where}${error.message}\n${error.status === 2 ? "Try `ipset help' for more information.\n" : ''}`,
    )
    return error.status
  }
}

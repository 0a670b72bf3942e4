/** The program `nft`. nftables 1.0.6 src/main.c, libnftables.c. */

import { decodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { getopt, type LongOption } from '#base/text'
import {
  type Body,
  type KernelImage,
  type NetlinkAnswer,
  readAll,
  readTextFile,
  type Sys,
  strerror,
  writeText,
} from '#kernel/core'
import type { LinkMessage } from '#kernel/net'
import { type Names, readNames } from '../iptables/names.ts'
import type { BatchAnswer, ElementSpec, NftError, SetMessage, TableMessage } from '../messages.ts'
import type { XtPrint } from '../xt/extension.ts'
import { Environment, type ListRequest, type Places, parseInput } from './commands.ts'
import { formatFault, NftFault, type Place, type Source } from './lexer.ts'
import { type PrintSettings, printChain, printObject, printSet, printTable } from './print.ts'
import { TokenStream } from './stream.ts'

const VERSION = 'nftables v1.0.6 (Lester Gooch #5)\n'

const LONG: LongOption[] = [
  { name: 'help', as: 'h' },
  { name: 'version', as: 'v' },
  { name: 'check', as: 'c' },
  { name: 'file', argument: 'required', as: 'f' },
  { name: 'define', argument: 'required', as: 'D' },
  { name: 'interactive', as: 'i' },
  { name: 'includepath', argument: 'required', as: 'I' },
  { name: 'numeric', as: 'n' },
  { name: 'stateless', as: 's' },
  { name: 'service', as: 'S' },
  { name: 'reversedns', as: 'N' },
  { name: 'handle', as: 'a' },
  { name: 'echo', as: 'e' },
  { name: 'json', as: 'j' },
  { name: 'debug', argument: 'required', as: 'd' },
  { name: 'guid', as: 'u' },
  { name: 'numeric-priority', as: 'y' },
  { name: 'numeric-protocol', as: 'p' },
  { name: 'numeric-time', as: 'T' },
  { name: 'terse', as: 't' },
  { name: 'optimize', as: 'o' },
]

const HELP = `Usage: nft [ options ] [ cmds... ]

Options (general):
  -h, --help                      Show this help
  -v, --version                   Show version information
  -V                              Show extended version information

Options (ruleset input handling):
  -f, --file <filename>           Read input from <filename>
  -D, --define <name=value>       Define variable, e.g. --define foo=1.2.3.4
  -i, --interactive               Read input from interactive CLI
  -I, --includepath <directory>   Add <directory> to the paths searched for include files. Default is: /etc
  -c, --check                     Check commands validity without actually applying the changes.
  -o, --optimize                  Optimize ruleset

Options (ruleset list formatting):
  -a, --handle                    Output rule handle.
  -s, --stateless                 Omit stateful information of ruleset.
  -t, --terse                     Omit contents of sets.
  -S, --service                   Translate ports to service names as described in /etc/services.
  -N, --reversedns                Translate IP addresses to names.
  -u, --guid                      Print UID and GID as defined in /etc/passwd and /etc/group.
  -n, --numeric                   Print fully numerical output.
  -y, --numeric-priority          Print chain priority numerically.
  -p, --numeric-protocol          Print layer 4 protocols numerically.
  -T, --numeric-time              Print time values numerically.

Options (command output formatting):
  -e, --echo                      Echo what has been added, inserted or replaced.
  -j, --json                      Format output in JSON
  -d, --debug <level [,level...]> Specify debugging level (scanner, parser, eval, netlink, mnl, proto-ctx, segtree, all)

`

interface Run {
  out: string
  err: string
  status: number
}

export function nftMain(image: KernelImage) {
  return function* (sys: Sys, argv: string[]): Body<number> {
    const parsed = getopt(['nft', ...argv.slice(1)], '+hvVcf:D:iI:jnsSNaeytupToTd:', LONG)
    const flags = new Set<string>()
    let file: string | undefined
    const defines: string[] = []
    for (const { option, value, message } of parsed.options) {
      if (message) {
        yield* writeText(sys, 2, `${message}\n`)
        return 1
      }
      if (option === 'f') file = value
      else if (option === 'D') defines.push(value!)
      else flags.add(option)
    }
    if (flags.has('h')) {
      yield* writeText(sys, 1, HELP)
      return 0
    }
    if (flags.has('v')) {
      yield* writeText(sys, 1, VERSION)
      return 0
    }
    for (const [letter, what] of [
      ['j', 'JSON'],
      ['i', 'interactive input'],
      ['e', 'echo'],
      ['o', 'optimizing'],
    ] as const) {
      if (flags.has(letter)) throw new NotModelled(`nft: ${what}`)
    }
    let source: Source
    if (file !== undefined) {
      const read = file === '-' ? yield* readAll(sys, 0) : yield* readTextFile(sys, file)
      if (!read.ok) {
        yield* writeText(sys, 2, `internal:0:0-0: Error: Could not open file "${file}": ${strerror(read.errno)}\n\n\n`)
        return 1
      }
      const text = typeof read.value === 'string' ? read.value : decodeUtf8(read.value)
      const lines = text.split('\n')
      if (lines[lines.length - 1] === '') lines.pop()
      source = { file: file === '-' ? '/dev/stdin' : file, lines }
    } else if (parsed.operands.length > 0) {
      source = { file: undefined, lines: parsed.operands.join(' ').split('\n') }
      const late = parsed.operands.find((word) => /^-[a-zA-Z]$/.test(word))
      if (late !== undefined) {
        const text = `${parsed.operands.join(' ')}`
        const at = text.indexOf(` ${late}`)
        const line = `${parsed.operands.filter((word) => word !== late).join(' ')} ${late} `
        yield* writeText(
          sys,
          2,
          `Error: syntax error, options must be specified before commands\n${line}\n   ^${' '.repeat(Math.max(0, at - 3))}~~\n`,
        )
        return 1
      }
    } else {
      yield* writeText(sys, 2, 'nft: no command specified\n')
      return 1
    }
    const names = yield* readNames(sys)
    // What is included is read before anything is done, as the scanner does.
    const files = new Map<string, string>()
    for (const path of yield* findIncludes(sys, source)) {
      const read = yield* readTextFile(sys, path)
      if (read.ok) files.set(path, read.value)
    }
    const { out, err, status } = run(sys, image, names, source, flags, defines, files)
    if (err !== '') yield* writeText(sys, 2, err)
    if (out !== '') yield* writeText(sys, 1, out)
    return status
  }
}

/** Files that a source includes, and those that they include; patterns are tried in their directory. */
function* findIncludes(sys: Sys, source: Source): Body<string[]> {
  const found: string[] = []
  const queue = [source.lines.join('\n')]
  while (queue.length > 0 && found.length < 1000) {
    const text = queue.shift()!
    for (const match of text.matchAll(/^\s*include\s+"([^"]+)"/gm)) {
      for (const path of resolveInclude(sys, match[1]!)) {
        if (found.includes(path)) continue
        found.push(path)
        const read = yield* readTextFile(sys, path)
        if (read.ok) queue.push(read.value)
      }
    }
  }
  return found
}

/** The files that an include means. */
function resolveInclude(sys: Sys, path: string): string[] {
  const full = path.startsWith('/') || path.startsWith('./') ? path : sys.access(path, 'r').ok ? path : `/etc/${path}`
  if (!/[*?[]/.test(full)) return [full]
  const slash = full.lastIndexOf('/')
  const directory = full.slice(0, slash) || '/'
  const pattern = new RegExp(
    `^${full
      .slice(slash + 1)
      .replace(/[.+^${}()|\\]/g, '\\$&')
      .replace(/\*/g, '.*')
      .replace(/\?/g, '.')}$`,
  )
  const entries = sys.readdir(directory)
  if (!entries.ok) return []
  return entries.value
    .filter((name) => !name.startsWith('.') && pattern.test(name))
    .sort()
    .map((name) => `${directory}/${name}`)
}

function run(
  sys: Sys,
  image: KernelImage,
  names: Names,
  source: Source,
  flags: Set<string>,
  defines: string[],
  files: Map<string, string>,
): Run {
  const ask = (message: { type: string }): NetlinkAnswer => sys.netlink(message)
  const links = (): LinkMessage[] => {
    const answer = ask({ type: 'RTM_GETLINK' })
    return answer.ok ? (answer.messages as LinkMessage[]) : []
  }
  const around = {
    interfaceName: (index: number) => links().find((link) => link.ifindex === index)?.name,
    interfaceIndex: (name: string) => links().find((link) => link.name === name)?.ifindex,
    service: (name: string) => names.service(name, 'tcp') ?? names.service(name, 'udp'),
    host: (name: string) => names.host(name)?.[0],
  }
  let cache: TableMessage[] | undefined
  const dump = () => {
    if (!cache) {
      const answer = ask({ type: 'NFT_GETRULESET' })
      cache = answer.ok ? (answer.messages as TableMessage[]) : []
    }
    return cache
  }
  const env = new Environment(around, dump)
  const xt: XtPrint = {
    numeric: true,
    serviceName: (port, protocol) => names.serviceName(port, protocol),
    userName: () => undefined,
    groupName: () => undefined,
    basics: { family: 'ip', protocol: 0, protocolInverted: false },
    netlink: ask,
  }
  const settings: PrintSettings = {
    handles: flags.has('a'),
    stateless: flags.has('s'),
    numeric: flags.has('n'),
    services: flags.has('S'),
    around,
    xt,
    image,
  }
  try {
    const stream = new TokenStream(source)
    for (const define of defines) {
      const [name = '', value = ''] = define.split('=')
      stream.variables.set(name, new TokenStream({ file: undefined, lines: [value] }).peekAll())
    }
    const actions = parseInput(stream, (path) => {
      const paths = resolveInclude(sys, path.text)
      for (const one of [...paths].reverse()) {
        const text = files.get(one)
        if (text === undefined) {
          throw new NftFault(`Could not open file "${one}": No such file or directory\n`, path)
        }
        const lines = text.split('\n')
        if (lines[lines.length - 1] === '') lines.pop()
        stream.splice({ file: one, lines })
      }
    })
    for (const action of actions) action(env)
    let out = ''
    let err = ''
    // What is listed in the same run sees what was done before it; a reset shows what was there.
    const listBefore = env.commands.every(({ command }) => command.cmd === 'reset')
    const listing = () => {
      for (const request of env.lists) {
        const shown = list(request, dump(), settings, flags.has('t'))
        out += shown.out
        err += shown.err
      }
    }
    if (listBefore) listing()
    const failed = commit(env, ask, flags.has('c'))
    if (failed !== '') return { out, err: err + failed, status: 1 }
    cache = undefined
    if (!listBefore) listing()
    return { out, err, status: 0 }
  } catch (error) {
    if (error instanceof NftFault) return { out: '', err: formatFault(error), status: 1 }
    throw error
  }
}

/** Sends what was asked; what the kernel said against it. */
function commit(env: Environment, ask: (message: { type: string }) => NetlinkAnswer, check: boolean): string {
  if (env.commands.length === 0) return ''
  const commands = env.commands.map(({ command }) => command)
  const answer = ask({ type: 'NFT_BATCH', commands, ...(check && { check }) } as { type: string })
  if (!answer.ok) return `Error: ${strerror(answer.errno)}\n`
  const { errors } = (answer.messages as BatchAnswer[])[0]!
  return errors.map((error) => formatFault(faultOf(error, env.commands[error.index]!.places))).join('')
}

function faultOf(error: NftError, places: Places): NftFault {
  let place: Place | undefined
  if (error.at === 'expression') {
    if (error.errno === 'ENOENT' || error.errno === 'EMLINK') [place] = places.chains?.values() ?? []
    // The whole of `jump b`, whose two words of four letters take as much room.
    if (error.errno === 'EMLINK' && place) place = { ...place, from: place.from - 5 }
    if (error.errno === 'EOPNOTSUPP') place = { ...places.whole, to: places.whole.to + 1 }
  } else if (error.errno === 'EOPNOTSUPP') place = { ...places.whole, to: places.whole.to + 1 }
  else if (error.at !== undefined && error.at !== 'name') place = places[error.at]
  return new NftFault(`Could not process rule: ${strerror(error.errno)}`, place ?? places.whole)
}

function list(
  request: ListRequest,
  all: TableMessage[],
  settings: PrintSettings,
  terse: boolean,
): { out: string; err: string } {
  const { what, family, table, name } = request
  const tables = all.filter(
    (one) => (family === undefined || one.family === family) && (table === undefined || one.name === table),
  )
  const missing = () => {
    throw new NftFault('No such file or directory', request.place)
  }
  const warn = (one: TableMessage) =>
    `# Warning: table ${one.family} ${one.name} is managed by iptables-nft, do not touch!\n`
  let out = ''
  let err = ''
  if (what === 'tables') return { out: tables.map((one) => `table ${one.family} ${one.name}\n`).join(''), err }
  if (table !== undefined && tables.length === 0) missing()
  if (what === 'ruleset' || what === 'table') {
    for (const one of tables) {
      const shown = terse
        ? printTable(
            { ...one, sets: one.sets.map((set) => (set.spec.flags.anonymous ? set : { ...set, elements: [] })) },
            settings,
          )
        : printTable(one, settings)
      if (shown.xt) err += warn(one)
      out += shown.text
    }
    return { out, err }
  }
  const head = (one: TableMessage) => `table ${one.family} ${one.name} {\n`
  const kind = what.replace(/s$/, '')
  for (const one of tables) {
    let body = ''
    if (kind === 'chain') {
      const chains = one.chains.filter((chain) => name === undefined || chain.name === name)
      if (name !== undefined && chains.length === 0) missing()
      let xt = false
      body = chains
        .map((chain) =>
          printChain(
            chain,
            one,
            settings,
            () => {
              xt = true
            },
            name !== undefined,
          ),
        )
        .join('')
      if (xt) err += warn(one)
    } else if (kind === 'set' || kind === 'map' || kind === 'meter' || what.startsWith('get ')) {
      const sets = one.sets.filter((set) =>
        name === undefined
          ? !set.spec.flags.anonymous && (set.spec.dataType !== undefined) === (kind === 'map')
          : set.spec.name === name,
      )
      if (name !== undefined && sets.length === 0) missing()
      body = sets
        .map((set) => printSet(what.startsWith('get ') ? pick(set, what, request) : set, settings, !terse))
        .join('')
    } else {
      const objects = one.objects.filter(
        (object) => object.type === kind && (name === undefined || object.name === name),
      )
      if (name !== undefined && objects.length === 0) missing()
      body = objects.map((object) => printObject(object, settings)).join('')
    }
    out += `${head(one)}${body}}\n`
  }
  return { out, err }
}

/** `get element`: those that were asked for. */
function pick(set: SetMessage, what: string, request: ListRequest): SetMessage {
  const wanted = JSON.parse(what.slice(4)) as ElementSpec[]
  const elements = wanted.map((one) => {
    const found = set.elements.find((element) =>
      one.key.every((value, i) => value >= element.key[i]! && value <= (element.end ?? element.key)[i]!),
    )
    if (!found) throw new NftFault('Could not process rule: No such file or directory', request.place)
    return found
  })
  return { ...set, elements }
}

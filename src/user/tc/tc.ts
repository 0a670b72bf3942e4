/** `tc`: options, then an object, then what to do with it. iproute2 6.1 tc/tc.c */
import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, readTextFile, type Sys, strerror } from '#kernel/core'
import { abbreviates, EXIT_USAGE, Refusal, switchNetns, Words } from '#user/iproute2'
import { CLASS_HELP, listClasses, modifyClass } from './class.ts'
import { FILTER_HELP, listFilters, modifyFilter } from './filter.ts'
import { Complaint } from './kind.ts'
import { type Flags, listQdiscs, modifyQdisc, QDISC_HELP } from './qdisc.ts'
import { type Options, TcSession } from './session.ts'

const HELP = `Usage:	tc [ OPTIONS ] OBJECT { COMMAND | help }
	tc [-force] -batch filename
where  OBJECT := { qdisc | class | filter | chain |
		    action | monitor | exec }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] | -r[aw] |
		    -o[neline] | -j[son] | -p[retty] | -c[olor]
		    -b[atch] [filename] | -n[etns] name | -N[umeric] |
		     -nm | -nam[es] | { -cf | -conf } path
		     -br[ief] }
`

interface TcObject {
  modify(session: TcSession, words: Words, flags: Flags | undefined): number
  list(session: TcSession, words: Words): number
  help: string
}

const OBJECTS: [name: string, object: TcObject | undefined][] = [
  ['qdisc', { modify: modifyQdisc, list: listQdiscs, help: QDISC_HELP }],
  ['class', { modify: modifyClass, list: listClasses, help: CLASS_HELP }],
  ['filter', { modify: modifyFilter, list: listFilters, help: FILTER_HELP }],
  ['chain', undefined],
  ['actions', undefined],
  ['monitor', undefined],
  ['exec', undefined],
]

const COMMANDS: [name: string, flags: Flags | undefined][] = [
  ['add', { create: true, exclusive: true }],
  ['change', {}],
  ['replace', { create: true, replace: true }],
  ['delete', undefined],
]

function runObject(session: TcSession, words: Words): number {
  const word = words.current
  const found = OBJECTS.find(([name]) => abbreviates(word, name))
  if (!found) {
    if (abbreviates(word, 'help')) throw new Refusal(HELP, 0)
    throw new Refusal(`Object "${word}" is unknown, try "tc help".\n`, EXIT_USAGE)
  }
  const [name, object] = found
  if (!object) throw new NotModelled(`tc ${name}`)
  words.advance()
  const rest = words.rest()
  if (!rest.more) return object.list(session, rest)
  const command = rest.current
  rest.advance()
  for (const [full, flags] of COMMANDS) if (abbreviates(command, full)) return object.modify(session, rest, flags)
  if (['list', 'show', 'lst'].some((full) => abbreviates(command, full))) return object.list(session, rest)
  if (abbreviates(command, 'help')) throw new Refusal(object.help, EXIT_USAGE)
  if (abbreviates(command, 'link') || abbreviates(command, 'get')) throw new NotModelled(`tc ${name} ${command}`)
  throw new Refusal(`Command "${command}" is unknown, try "tc ${name} help".\n`, EXIT_USAGE)
}

interface CommandLine {
  options: Options
  netns: string | undefined
  batch: string | undefined
  force: boolean
  version: boolean
  words: Words
}

function parseCommandLine(argv: readonly string[]): CommandLine {
  const words = new Words(argv.slice(1))
  const options: Options = {
    details: false,
    stats: false,
    raw: false,
    iec: false,
    json: false,
    pretty: false,
    oneline: false,
    graph: false,
  }
  const line: CommandLine = { options, netns: undefined, batch: undefined, force: false, version: false, words }
  for (; words.more && words.current.startsWith('-'); words.advance()) {
    const option = words.current.startsWith('--') ? words.current.slice(1) : words.current
    const is = (full: string) => abbreviates(option, full)
    if (is('-stats') || is('-statistics')) options.stats = true
    else if (is('-details')) options.details = true
    else if (is('-raw')) options.raw = true
    else if (is('-pretty')) options.pretty = true
    else if (is('-graph')) options.graph = true
    else if (is('-Version')) line.version = true
    else if (is('-iec')) options.iec = true
    else if (is('-help')) throw new Refusal(HELP, 0)
    else if (is('-force')) line.force = true
    else if (is('-batch')) line.batch = words.value()
    else if (is('-netns')) line.netns = words.value()
    else if (is('-json')) options.json = true
    else if (is('-oneline')) options.oneline = true
    else if (is('-Numeric') || /^-c(olor)?(=.*)?$/.test(option) || is('-timestamp') || option === '-nm') continue
    else throw new Refusal(`Option "${words.current}" is unknown, try "tc -help".\n`, EXIT_USAGE)
  }
  line.words = words.rest()
  return line
}

/** The program. */
export function* tc(sys: Sys, argv: string[]): Body<number> {
  let line: CommandLine
  try {
    line = parseCommandLine(argv)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    yield* sys.write(2, encodeUtf8(error.message))
    return error.status
  }
  if (line.version) {
    yield* sys.write(1, encodeUtf8('tc utility, iproute2-6.1.0, libbpf 1.1.2\n'))
    return 0
  }
  if (line.netns !== undefined) {
    const why = yield* switchNetns(sys, line.netns)
    if (why !== undefined) {
      yield* sys.write(2, encodeUtf8(why))
      return EXIT_USAGE
    }
  }
  if (line.batch !== undefined) return yield* runBatch(sys, line)
  if (!line.words.more) {
    yield* sys.write(2, encodeUtf8(HELP))
    return 0
  }
  return yield* runLine(sys, line.options, line.words)
}

function* runLine(sys: Sys, options: Options, words: Words): Body<number> {
  const session = new TcSession(sys, options)
  let status = 0
  try {
    status = runObject(session, words)
  } catch (error) {
    session.out.end()
    if (error instanceof Refusal) {
      session.out.error(error.message)
      status = error.status
    } else if (error instanceof Complaint) {
      session.out.error(error.message + error.usage)
      status = 1
    } else throw error
  }
  for (const { fd, text } of session.out.chunks) yield* sys.write(fd, encodeUtf8(text))
  return status
}

function* runBatch(sys: Sys, line: CommandLine): Body<number> {
  const path = line.batch!
  const read = yield* readTextFile(sys, path === '-' ? '/dev/stdin' : path)
  if (!read.ok) {
    yield* sys.write(2, encodeUtf8(`Cannot open file "${path}" for reading: ${strerror(read.errno)}\n`))
    return 1
  }
  let status = 0
  const lines = read.value.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const words = lines[i]!.replace(/#.*/, '')
      .trim()
      .split(/\s+/)
      .filter((word) => word !== '')
    if (words.length === 0) continue
    const one = yield* runLine(sys, line.options, new Words(words))
    if (one === 0) continue
    yield* sys.write(2, encodeUtf8(`Command failed ${path}:${i + 1}\n`))
    status = 1
    if (!line.force) break
  }
  return status
}

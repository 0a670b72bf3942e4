/**
 * `nstat`: the counters of /proc/net/snmp and /proc/net/netstat, as many as have changed since it was last asked.
 * iproute2 6.1 misc/nstat.c
 */

import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import { type Body, O_CREAT, O_RDWR, O_TRUNC, readTextFile, type Sys, strerror, writeText } from '#kernel/core'
import { matchesGlob } from './glob.ts'

const USAGE = `Usage: nstat [OPTION] [ PATTERN [ PATTERN ] ]
   -h, --help          this message
   -a, --ignore        since the host booted, whatever was asked before
   -j, --json          JSON
   -n, --nooutput      only remember
   -p, --pretty        JSON in lines
   -r, --reset         forget what was remembered
   -s, --noupdate      don't remember
   -V, --version       the version
   -z, --zeros         counters that haven't changed too
`

const LONG = [
  ['help', 'h'],
  ['ignore', 'a'],
  ['json', 'j'],
  ['nooutput', 'n'],
  ['pretty', 'p'],
  ['reset', 'r'],
  ['noupdate', 's'],
  ['version', 'V'],
  ['zeros', 'z'],
].map(([name, as]) => ({ name: name!, as: as! }))

/** Settings rather than counters. */
const NO_COUNTERS = new Set([
  'IpForwarding',
  'IpDefaultTTL',
  'TcpRtoAlgorithm',
  'TcpRtoMin',
  'TcpRtoMax',
  'TcpMaxConn',
  'TcpCurrEstab',
])

type Counters = Map<string, number>

/** A table of pairs of lines: the names, then the values. */
function parsePairs(text: string): Counters {
  const counters: Counters = new Map()
  const lines = text.split('\n')
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [group = '', ...names] = lines[i]!.split(' ')
    const values = lines[i + 1]!.split(' ').slice(1)
    for (const [at, name] of names.entries()) {
      const id = `${group.replace(/:$/, '')}${name}`
      if (name !== '' && !NO_COUNTERS.has(id)) counters.set(id, Number(values[at] ?? 0))
    }
  }
  return counters
}

/** What was remembered: a name, a value and a rate on a line. */
function parseHistory(text: string): Counters | undefined {
  const counters: Counters = new Map()
  for (const line of text.split('\n')) {
    const match = /^(\S+)\s+(\d+)/.exec(line)
    if (match && !line.startsWith('#')) counters.set(match[1]!, Number(match[2]))
  }
  return text === '' ? undefined : counters
}

const line = (id: string, value: number, tail = '') => `${id.padEnd(32)}${String(value).padEnd(16)}   0.0${tail}\n`

interface Options {
  zeros: boolean
  json: boolean
  pretty: boolean
  patterns: readonly string[]
}

function matches(options: Options, id: string): boolean {
  return options.patterns.length === 0 || options.patterns.some((pattern) => matchesGlob(pattern, id, true))
}

/** The counters, or what they have grown by. */
function format(now: Counters, history: Counters | undefined, options: Options): string {
  const rows: [id: string, value: number, tail: string][] = []
  for (const [id, total] of now) {
    const before = history?.get(id) ?? 0
    const overflow = total < before
    const value = overflow ? 0 : total - before
    if ((value === 0 && !options.zeros) || !matches(options, id)) continue
    rows.push([id, value, overflow ? ' (overflow)' : ''])
  }
  if (!options.json) return `#kernel\n${rows.map(([id, value, tail]) => line(id, value, tail)).join('')}`
  if (!options.pretty) return `{"kernel":{${rows.map(([id, value]) => `"${id}":${value}`).join(',')}}}\n`
  const members = rows.map(([id, value]) => `\n        "${id}": ${value}`).join(',')
  return `{\n    "kernel": {${members}${rows.length > 0 ? '\n    ' : ''}}\n}\n`
}

/** What is remembered: all that counts, but of what wasn't asked for the values from before. */
function remember(now: Counters, history: Counters | undefined, options: Options): string {
  let text = '#kernel\n'
  for (const [id, value] of now) {
    if (value === 0 && !options.zeros) continue
    text += line(id, matches(options, id) ? value : (history?.get(id) ?? value))
  }
  return text
}

export function* nstat(sys: Sys, argv: string[]): Body<number> {
  const parsed = getopt(argv, 'h?vVzrnasd:t:jp', LONG)
  const given = new Set(parsed.options.map(({ option }) => option))
  const mistake = parsed.options.find(({ message }) => message)
  if (mistake || given.has('h') || given.has('?')) {
    yield* writeText(sys, 2, `${mistake ? `${mistake.message}\n` : ''}${USAGE}`)
    return 255
  }
  if (given.has('v') || given.has('V')) {
    yield* writeText(sys, 1, 'nstat utility, iproute2-6.1.0\n')
    return 0
  }
  if (given.has('d') || given.has('t')) throw new NotModelled('nstat -d and -t')
  const options: Options = {
    zeros: given.has('z'),
    json: given.has('j'),
    pretty: given.has('p'),
    patterns: parsed.operands,
  }
  const path = sys.env.get('NSTAT_HISTORY') ?? '/tmp/.nstat.u0'
  if (given.has('r')) sys.unlink(path)
  const file = given.has('a') ? undefined : yield* readTextFile(sys, path)
  const history = file?.ok ? parseHistory(file.value) : undefined

  const now: Counters = new Map()
  for (const name of ['snmp', 'netstat']) {
    const table = yield* readTextFile(sys, `/proc/net/${name}`)
    for (const [id, value] of parsePairs(table.ok ? table.value : '')) now.set(id, value)
  }
  if (!given.has('n')) yield* writeText(sys, 1, format(now, history, options))
  if (given.has('s')) return 0
  const opened = yield* sys.open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
  if (!opened.ok) {
    yield* writeText(sys, 2, `nstat: open history file: ${strerror(opened.errno)}\n`)
    return 255
  }
  yield* sys.write(opened.value, encodeUtf8(remember(now, history, options)))
  sys.close(opened.value)
  return 0
}

/** What the kernel's table holds, as `ipvsadm -L -n` prints it, and once more for the thresholds. */
import type { Body } from '#kernel/core'
import { captureOutput } from './commands.ts'
import type { Output } from './output.ts'
import type { Forward } from './types.ts'

export interface ListedReal {
  forward?: Forward | undefined
  weight?: string
  upper?: string
  lower?: string
}

/** By `10.0.0.100:80 tcp`, and in each service by `10.0.0.2:80`. */
export type Listing = Map<string, Map<string, ListedReal>>

const HEADING_LINES = 3
const SERVICE = /^(\w+)\s+(\d+\.\d+\.\d+\.\d+:\d+|\[[0-9A-Fa-f:]+\]:\d+|\d+)( IPv6)?\s+(\w+)/
const REAL = /^ {2}->\s+(\d+\.\d+\.\d+\.\d+:\d+|\[[0-9A-Fa-f:]+\]:\d+)\s+(\w+)\s+(\d+)/
const THRESHOLDS = /^ {2}->\s+(\d+\.\d+\.\d+\.\d+:\d+|\[[0-9A-Fa-f:]+\]:\d+)\s+(\d+)\s+(\d+)\s+(\d+)/
const FORWARDS: Record<string, Forward> = { Route: 'gate', Tunnel: 'ipip', Masq: 'masq' }
const READ_LINE = 2425

/** The lines of a listing below its heading, each with the service that it is or belongs to. */
function* listed(output: Output, program: string, options: string[]): Body<string[]> {
  const text = (yield* captureOutput(output, [program, ...options])) ?? ''
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  // An empty line is taken for the end.
  const blank = lines.findIndex((line, i) => line === '\n' && i >= HEADING_LINES)
  const rest = lines.slice(HEADING_LINES, blank < 0 ? undefined : blank)
  output.errno = ''
  return rest
}

/** Reading at the end of a pipe makes Perl complain, each time. */
function* complain(output: Output, lines: string[]): Body<void> {
  yield* output.warn('Use of uninitialized value $fd in split', READ_LINE, `<$fh> line ${HEADING_LINES + lines.length}`)
}

/** Asks ipvsadm twice. */
export function* readTable(output: Output, program: string): Body<Listing> {
  const listing: Listing = new Map()
  let service: string | undefined
  // Kept from line to line: what is forwarded in a way that has no name here counts as the one before.
  let forward: Forward | undefined
  const read = function* (
    options: string[],
    pattern: RegExp,
    take: (reals: Map<string, ListedReal>, match: RegExpExecArray) => void,
    first: boolean,
  ): Body<void> {
    service = undefined
    const lines = yield* listed(output, program, options)
    for (const line of lines) {
      const head = SERVICE.exec(line)
      const match = head ? undefined : pattern.exec(line)
      if (head) {
        service = `${head[2]} ${head[1]!.toLowerCase()}${head[3] === undefined ? '' : '6'}`
        if (first || !listing.has(service)) listing.set(service, new Map())
      } else if (!match) yield* output.debug(2, `Unknown line read from ipvsadm: "${line}"\n`)
      else if (service === undefined) {
        yield* output.debug(2, `Real server read from ipvsadm doesn't seem to be inside a virtual service: "${line}"\n`)
      } else take(listing.get(service)!, match)
    }
    yield* complain(output, lines)
  }
  yield* read(
    ['-L', '-n'],
    REAL,
    (reals, match) => {
      forward = FORWARDS[match[2]!] ?? forward
      reals.set(match[1]!, { forward, weight: match[3]! })
    },
    true,
  )
  yield* read(
    ['-L', '-n', '--thresholds'],
    THRESHOLDS,
    (reals, match) => {
      const real = reals.get(match[1]!) ?? {}
      real.upper = match[2]!
      real.lower = match[3]!
      reals.set(match[1]!, real)
    },
    false,
  )
  return listing
}

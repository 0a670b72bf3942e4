/** Printed lines of two runs, equal but for what may differ between two real runs. */
import { parseMac } from '#wire/link'
import type { Names } from './canonical.ts'

/** Timers that are printed count as equal within 3 s or 5 %. */
const TOLERANCE_S = 3
const TOLERANCE_SHARE = 0.05

const UNIT_S: Record<string, number> = {
  ms: 1e-3,
  msec: 1e-3,
  us: 1e-6,
  usec: 1e-6,
  s: 1,
  sec: 1,
  secs: 1,
  second: 1,
  seconds: 1,
  min: 60,
  minutes: 60,
}

/** A piece of a line: text that must be the same, or a quantity that may differ in its own way. */
type Piece = { kind: 'text'; text: string } | { kind: 'measured' } | { kind: 'timer'; seconds: number }

const PATTERNS: [RegExp, (match: RegExpExecArray, names: Names) => Piece][] = [
  // MAC addresses, by name unless chosen.
  [/\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/y, (m, names) => ({ kind: 'text', text: names.mac(parseMac(m[0])!) })],
  // A clock, with or without a fraction: 12:00:03.123456.
  [
    /(?<![\w:])(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?![\w:])/y,
    (m) => ({ kind: 'timer', seconds: Number(m[1]) * 3600 + Number(m[2]) * 60 + Number(m[3]) }),
  ],
  // What ipvsadm -c and /proc/net/ip_vs_conn say of a connection: minutes and seconds, or seconds.
  [
    /(?<=^(?:TCP|UDP|SCTP|IP|AH|ESP) +)(\d\d):(\d\d)(?= )/y,
    (m) => ({ kind: 'timer', seconds: Number(m[1]) * 60 + Number(m[2]) }),
  ],
  [
    /(?<=^(?:TCP|UDP|SCTP|IP) +(?:[\dA-Fa-f:]+ +){6}\S+ +(?:(?:LOCAL|SYNC) +)?)\d+$/y,
    (m) => ({ kind: 'timer', seconds: Number(m[0]) }),
  ],
  // used 3/12/0 of ip -s neigh: seconds.
  [/(?<=\bused )\d+\/\d+\/\d+/y, (m) => ({ kind: 'timer', seconds: Math.max(...m[0].split('/').map(Number)) })],
  // 0.030/0.035/0.040/0.004 ms
  [/\d+\.\d+(?:\/\d+\.\d+)+/y, () => ({ kind: 'measured' })],
  // What ss -i says was measured: rtt:0.3/0.1, lastsnd:12, send 5750881bps.
  [
    /(?<=\b(?:rto|rtt|ato|rcv_rtt|minrtt|lastsnd|lastrcv|lastack):)\d+(?:\.\d+)?(?:\/\d+(?:\.\d+)?)?/y,
    () => ({ kind: 'measured' }),
  ],
  [/\b\d+(?=bps\b)/y, () => ({ kind: 'measured' })],
  // real 0m0.123s
  [/\b\d+m\d+\.\d+s\b/y, () => ({ kind: 'measured' })],
  [/\b\d+\.\d+(?= ?(?:ms|us|s|sec|secs|seconds)\b)/y, () => ({ kind: 'measured' })],
  [
    /\b(\d+)(?= ?(ms|msec|us|usec|s|sec|secs|second|seconds|min)\b)/y,
    (m) => ({ kind: 'timer', seconds: Number(m[1]) * UNIT_S[m[2]!]! }),
  ],
  [
    /(?<=\b(?:expires|valid_lft|preferred_lft|updated|confirmed) )\d+/y,
    (m) => ({ kind: 'timer', seconds: Number(m[0]) }),
  ],
  // tcpdump's details of headers: identification, identifiers, sequence numbers, checksums that are right.
  [/(?<=\bICMP echo (?:request|reply), id )\d+/y, () => ({ kind: 'measured' })],
  [/(?<=\bid )\d+(?=, offset )/y, () => ({ kind: 'measured' })],
  [/(?<=\b(?:seq|ack) )\d{6,10}\b/y, () => ({ kind: 'measured' })],
  [/(?<=\bTS val )\d+ ecr \d+/y, () => ({ kind: 'measured' })],
  [/0x[0-9a-f]{4}(?= \(correct\))/y, () => ({ kind: 'measured' })],
  [/(?<=\bpid[ =])\d+/y, () => ({ kind: 'measured' })],
  // A port behind an address: 10.0.0.1.45678, 10.0.0.1:45678.
  [
    /(?<=\d+\.\d+\.\d+\.\d+[.:])\d{5}\b/y,
    (m, names) => ({
      kind: 'text',
      text: names.port(Number(m[0]), m.input.slice(0, m.index).match(/\d+\.\d+\.\d+\.\d+(?=[.:]$)/)?.[0] ?? ''),
    }),
  ],
]

function pieces(line: string, names: Names): Piece[] {
  const out: Piece[] = []
  let plain = ''
  const flush = () => {
    if (plain !== '') out.push({ kind: 'text', text: plain })
    plain = ''
  }
  let at = 0
  next: while (at < line.length) {
    const character = line.charCodeAt(at)
    const starts = (character >= 48 && character <= 57) || (character >= 97 && character <= 102)
    if (starts) {
      for (const [pattern, make] of PATTERNS) {
        pattern.lastIndex = at
        const match = pattern.exec(line)
        if (!match) continue
        const piece = make(match, names)
        if (piece.kind === 'text') plain += piece.text
        else {
          flush()
          out.push(piece)
        }
        at += match[0].length
        continue next
      }
    }
    plain += line[at++]
  }
  flush()
  return out
}

/** Whether two lines are equal but for what may differ. */
export function linesEqual(a: string, b: string, namesA: Names, namesB: Names): boolean {
  const left = pieces(a, namesA)
  const right = pieces(b, namesB)
  if (a === b) return true
  if (left.length !== right.length) return false
  // Where a number may be shorter, so may the blanks that align it.
  const flexible = left.some((piece) => piece.kind !== 'text')
  const squeeze = (text: string) => (flexible ? text.replace(/\s+/g, ' ') : text)
  return left.every((piece, i) => {
    const other = right[i]!
    if (piece.kind === 'text') return other.kind === 'text' && squeeze(piece.text) === squeeze(other.text)
    if (piece.kind === 'measured') return other.kind === 'measured'
    if (other.kind !== 'timer') return false
    const apart = Math.abs(piece.seconds - other.seconds)
    return apart <= TOLERANCE_S || apart <= TOLERANCE_SHARE * Math.max(piece.seconds, other.seconds)
  })
}

/**
 * Whether two lines differ only under the `...` of the line that the article expects, and there only in digits: what an
 * author says varies from run to run.
 */
export function differsAsSaid(pattern: string, a: string, b: string): boolean {
  if (!pattern.includes('...') || pattern === '...') return false
  const shape = (line: string) => line.replace(/\b[0-9a-f]*\d[0-9a-f]*\b/gi, '#').replace(/\s+/g, ' ')
  return shape(a) === shape(b)
}

/** What differs from run to run in what tools print, and is written as `...` when an article accepts a line. */
const VOLATILE: [RegExp, string][] = [
  [/^\d\d:\d\d:\d\d\.\d{3,9}\b/, '...'],
  [/\d+\.\d+(?:\/\d+\.\d+)*(?= ?(?:ms|us)\b)/g, '...'],
  [/(?<=\btime=)\d+(?= ms\b)/g, '...'],
  [/(?<=\btime )[1-9]\d*(?=ms\b)/g, '...'],
  [/(?<=\bICMP echo (?:request|reply), id )\d+/g, '...'],
  [/(?<=\bid )\d+(?=, offset )/g, '...'],
  [/(?<=\bexpires )\d+(?=sec\b)/g, '...'],
  [/(?<=\bused )\d+\/\d+\/\d+/g, '...'],
]

/** A printed line as a pattern that the next run fits too. */
export function patternOf(line: string): string {
  return VOLATILE.reduce((text, [volatile, instead]) => text.replace(volatile, instead), line)
}

/**
 * A failure as an article that replays it: what the explored one has above its invariants, the one that was broken, and
 * the faults at their times. It passes `kaidoku run`; `kaidoku check` shows that the invariant doesn't hold.
 */
import type { Article, Invariant } from '#article/format'
import { formatDuration } from '#base/text'
import { formatVerb } from '#lab/faults'
import { formatTime, type Violation } from './lab.ts'
import { type StartingPoint, TENTH_NS } from './run.ts'
import { type Schedule, waitsOf } from './schedule.ts'

export interface Failure {
  invariant: Invariant
  /** Those that were watched: the requests of others may be what it takes. */
  together: readonly Invariant[]
  seed: number
  schedule: Schedule
  violation: Violation
  beganNs: number
}

/** How long a replay lasts, in tenths of a second: until a second after what is to be seen. */
function replayTime({ invariant, violation, beganNs }: Failure): number {
  // A request that shows it may still have to be made.
  const more = 'probe' in invariant.rule ? Math.ceil(invariant.rule.everyNs / TENTH_NS) : 0
  return Math.ceil((violation.atNs - beganNs) / TENTH_NS) + 10 + more
}

/** The text of that article. */
export function replayArticle(article: Article, from: StartingPoint, failure: Failure): string {
  const { together, seed, schedule, violation } = failure
  const newline = article.text.includes('\r\n') ? '\r\n' : '\n'
  const lines: string[] = []
  const { before, after } = waitsOf(schedule, replayTime(failure))
  schedule.forEach(({ verb }, i) => {
    if (before[i]! >= 0) lines.push(`lab# wait ${formatDuration(before[i]! * TENTH_NS)}`)
    lines.push(`lab# ${formatVerb(verb)}`)
  })
  lines.push(`lab# wait ${formatDuration(Math.max(after, 1) * TENTH_NS)}`)
  const at = formatTime(violation.atNs)
  const texts = [
    above(article, from).trimEnd(),
    '',
    'What must hold from here on:',
    '',
    ...together.flatMap(({ range: [begin, end], at: { column } }) => [
      // In a list or a quote its lines begin with what the fence's first one doesn't show; it stands alone here.
      unindented(article.text.slice(begin, end), column - 1),
      '',
    ]),
    `\`${violation.invariant}\` is broken at ${at} s: ${violation.what}.`,
    '',
    '```console',
    ...lines,
    '```',
    '',
  ]
  const text = texts.join('\n').replace(/\r?\n/g, newline)
  return seed === (article.front.seed ?? 1) ? text : withSeed(text, seed, newline)
}

/** The text above where exploring began, without the invariants that stand there. */
function above(article: Article, from: StartingPoint): string {
  let text = ''
  let at = 0
  for (const { range } of article.invariants) {
    if (range[1] > from.offset) break
    text += article.text.slice(at, range[0])
    at = range[1]
  }
  return text + article.text.slice(at, from.offset)
}

function unindented(text: string, columns: number): string {
  const [first = '', ...rest] = text.split('\n')
  return [first, ...rest.map((line) => line.replace(new RegExp(`^[ \\t>]{0,${columns}}`), ''))].join('\n')
}

function withSeed(text: string, seed: number, newline: string): string {
  const front = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)^---/m.exec(text)!
  const without = front[1]!.replace(/^seed:.*\r?\n/m, '')
  const head = front[0].slice(0, front[0].indexOf(front[1]!))
  return `${head}${without}seed: ${seed}${newline}---${text.slice(front[0].length)}`
}

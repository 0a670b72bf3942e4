import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { Exploration, FAULT_KINDS, type Failure, type FaultKind, formatTime, TENTH_NS } from '#article/explore'
import type { Article, Invariant } from '#article/format'
import { closest } from '#base/text'
import { formatVerb } from '#lab/faults'
import { readArticle } from '../articles.ts'
import { defineCommand, flag, integer, seconds, text, UsageError } from '../command.ts'
import { openLab } from '../explore-lab.ts'
import { explorePool, type SeedResult } from '../explore-pool.ts'
import { formatExploreJunit } from '../junit.ts'
import { Progress, paint, print, printError } from '../terminal.ts'

const INTERRUPTED = 130

export const explore = defineCommand({
  name: 'explore',
  help: `Usage: kaidoku explore [OPTION]... ARTICLE
Let faults befall an article's simulated lab, seed after seed, and see whether its invariants hold.
What stands above the first invariant sets the lab up. A failure is shrunk to the fewest faults and
written as an article that replays it.

  -f, --faults=KINDS  unplug,poweroff,loss,delay,pause (default: all of them)
  -i, --invariant=NAMES
                      only these (default: all that the article states)
  -n, --seeds=NUMBER  how many seeds (default 1000)
  -s, --seed=NUMBER   this seed alone; with --seeds, the first one
  -t, --time=SECONDS  how long is explored, in virtual time (default 30)
  -a, --at-once=NUMBER
                      so many faults at a time, whatever the invariants say
  -u, --until=LINE    explore from this line of the article on, or from its end: --until=end
  -j, --jobs=NUMBER   how many processes (default: one for each core)
  -1, --first         stop at the first failure
  -o, --out=DIR       where to write what replays a failure (default: beside the article)
      --json          print what was found as JSON
      --junit=FILE    write a JUnit report
      --budget=SECONDS
                      real time that one run may take (default 600)
  -h, --help          show this text

Exit status: 0 all held, 1 one was broken or a run stopped, 2 a mistake in the article or in the call,
3 a bug of kaidoku's, 130 interrupted.`,
  options: {
    faults: text,
    invariant: text,
    seeds: integer,
    seed: integer,
    time: seconds,
    'at-once': integer,
    until: text,
    jobs: integer,
    first: flag,
    out: text,
    json: flag,
    junit: text,
    budget: seconds,
  },
  async main({ operands, options }) {
    const [file, ...more] = operands
    if (file === undefined || more.length > 0) throw new UsageError('kaidoku explore: name one article')
    const article = await readArticle(file)
    const invariants = chosenInvariants(article, options.invariant)
    const kinds = chosenKinds(options.faults)
    const time = Math.round((options.time ?? 30) * 10)
    if (time < 10) throw new UsageError('kaidoku explore: --time: a second at least')
    const untilLine = lineOf(options.until)
    const settings = { kinds, time, atOnce: options['at-once'], untilLine }
    const exploration = new Exploration(openLab(options.budget), article, invariants, settings)
    if (exploration.places === 0) throw new UsageError('kaidoku explore: no such fault can befall this lab')

    const first = options.seed ?? 1
    const count = options.seeds ?? (options.seed === undefined ? 1000 : 1)
    const found = new Found(file, article, invariants, options.json ?? false)
    // Without faults it must hold: else there is nothing to explore.
    const calm = await exploration.run(first, [])
    if (calm.violations.length > 0) {
      const [violation] = calm.violations
      found.tell(
        `${paint('red', 'FAIL')} ${file}: \`${violation!.invariant}\` is broken without any fault: ${violation!.what}`,
      )
      for (const line of violation!.evidence) found.tell(`    ${line}`)
      await found.finish(options.junit, [{ name: violation!.invariant, what: violation!.what, saved: undefined }])
      return 1
    }

    const began = performance.now()
    const progress = new Progress(count)
    const stop = new AbortController()
    const interrupted = () => stop.abort()
    process.on('SIGINT', interrupted)
    const rate = () => Math.round((found.results.length / (performance.now() - began)) * 60_000)
    try {
      const job = {
        file,
        invariants: invariants.map(({ name }) => name),
        ...settings,
        untilLine: untilLine === Number.POSITIVE_INFINITY ? -1 : untilLine,
        budget: options.budget,
      }
      progress.show('starting')
      await explorePool({
        job,
        jobs: options.jobs ?? availableParallelism(),
        first,
        count,
        signal: stop.signal,
        enough: () => (options.first ?? false) && found.failures > 0,
        onResult: (result) => {
          found.add(result)
          progress.step()
          progress.show(`${rate()} seeds a minute, ${found.failures} broken`)
        },
      })
    } finally {
      progress.clear()
      process.off('SIGINT', interrupted)
    }
    found.took(performance.now() - began)
    const told = []
    for (const { invariant, seed } of stop.signal.aborted ? [] : found.smallest()) {
      const shrinking = new Progress(0)
      let runs = 0
      const drawn = await exploration.explore(seed)
      if (!drawn) throw new Error(`seed ${seed} broke \`${invariant}\` in a worker, and doesn't here`)
      const failure = await exploration.shrink(drawn, () => shrinking.show(`shrinking \`${invariant}\`, run ${++runs}`))
      shrinking.clear()
      const saved = await save(options.out, article, exploration.replay(failure), failure)
      found.tellFailure(drawn, failure, saved)
      told.push({ name: invariant, what: failure.violation.what, saved })
    }
    await found.finish(options.junit, told, stop.signal.aborted)
    if (stop.signal.aborted) return INTERRUPTED
    if (found.results.some(({ bug }) => bug !== undefined)) return 3
    return found.failures > 0 || found.stopped > 0 ? 1 : 0
  },
})

function chosenInvariants(article: Article, names: string | undefined): Invariant[] {
  const all = article.invariants
  if (all.length === 0) throw new UsageError(`kaidoku explore: ${article.file}: it states no invariant`)
  if (names === undefined) return all
  return names.split(',').map((name) => {
    const found = all.find((each) => each.name === name)
    if (found) return found
    const known = all.map((each) => each.name)
    const like = closest(name, known)
    throw new UsageError(
      `kaidoku explore: ${article.file}: no invariant '${name}'; ${like ? `did you mean '${like}'?` : `there is ${known.join(', ')}`}`,
    )
  })
}

function chosenKinds(names: string | undefined): FaultKind[] {
  if (names === undefined) return [...FAULT_KINDS]
  return names.split(',').map((name) => {
    const kind = FAULT_KINDS.find((each) => each === name)
    if (kind) return kind
    throw new UsageError(`kaidoku explore: --faults: '${name}' is not one of ${FAULT_KINDS.join(', ')}`)
  })
}

function lineOf(until: string | undefined): number | undefined {
  if (until === undefined) return undefined
  if (until === 'end') return Number.POSITIVE_INFINITY
  if (/^\d{1,7}$/.test(until)) return Number(until)
  throw new UsageError(`kaidoku explore: --until: '${until}' is neither a line nor 'end'`)
}

/** Writes what replays a failure; gives its path. */
async function save(out: string | undefined, article: Article, replay: string, failure: Failure): Promise<string> {
  const folder = out ?? dirname(article.file)
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${basename(article.file, '.md')}-${failure.invariant.name}-broken.md`)
  // A shared lab is named from where the article stands.
  const lab = article.labPath
  const moved =
    lab === undefined
      ? replay
      : replay.replace(/^lab:.*$/m, `lab: ${relative(folder, join(dirname(article.file), lab))}`)
  await writeFile(path, moved)
  return path
}

interface Told {
  name: string
  what: string
  saved: string | undefined
}

/** What was found, and how it is told. */
class Found {
  readonly results: SeedResult[] = []
  failures = 0
  stopped = 0
  readonly #file: string
  readonly #article: Article
  readonly #invariants: Invariant[]
  readonly #json: boolean
  readonly #broken: object[] = []
  #ms = 0

  constructor(file: string, article: Article, invariants: Invariant[], json: boolean) {
    this.#file = file
    this.#article = article
    this.#invariants = invariants
    this.#json = json
  }

  add(result: SeedResult): void {
    this.results.push(result)
    if (result.broken !== undefined) this.failures++
    if (result.stopped !== undefined) this.stopped++
  }

  took(ms: number): void {
    this.#ms = ms
  }

  /** The smallest seed that breaks each invariant. */
  smallest(): { invariant: string; seed: number }[] {
    return this.#invariants.flatMap(({ name }) => {
      const seeds = this.results.filter(({ broken }) => broken === name).map(({ seed }) => seed)
      return seeds.length > 0 ? [{ invariant: name, seed: seeds.reduce((a, b) => Math.min(a, b)) }] : []
    })
  }

  tell(line: string): void {
    if (!this.#json) print(line)
  }

  tellFailure(drawn: Failure, { invariant, seed, schedule, violation, beganNs }: Failure, saved: string): void {
    // On the clock that evidence and captures have: seconds since the lab began.
    const events = schedule.map((event) => ({ at: beganNs + event.at * TENTH_NS, verb: formatVerb(event.verb) }))
    const count = this.results.filter(({ broken }) => broken === invariant.name).length
    this.#broken.push({
      invariant: invariant.name,
      statement: invariant.statement,
      seeds: count,
      drawnSeed: drawn.seed,
      drawnEvents: drawn.schedule.length,
      seed,
      events: events.map(({ at, verb }) => ({ at: at / 1e9, verb })),
      began: beganNs / 1e9,
      at: violation.atNs / 1e9,
      what: violation.what,
      evidence: violation.evidence,
      saved,
    })
    const times = count === 1 ? 'one seed' : `${count} seeds`
    this.tell(`${paint('red', 'FAIL')} ${paint('bold', invariant.name)}: ${invariant.statement}`)
    this.tell(
      `  broken with ${times}, first ${drawn.seed}: ${drawn.schedule.length} events, shrunk to ${schedule.length}${seed === drawn.seed ? '' : `, with seed ${seed}`}`,
    )
    for (const event of events) this.tell(`  ${formatTime(event.at).padStart(8)}  ${paint('yellow', event.verb)}`)
    this.tell(`  ${formatTime(violation.atNs).padStart(8)}  ${paint('red', violation.what)}`)
    for (const line of violation.evidence) this.tell(paint('dim', `    ${line}`))
    this.tell(`  ${saved} replays it`)
  }

  /** The closing lines, and the report. */
  async finish(junit: string | undefined, told: Told[], interrupted = false): Promise<void> {
    const done = this.results.length
    const rate = this.#ms > 0 ? Math.round((done / this.#ms) * 60_000) : 0
    const why = this.results.filter(({ stopped }) => stopped !== undefined)
    if (this.#json) {
      const { seeds, ...rest } = {
        seeds: done,
        failures: this.failures,
        stopped: why,
        perMinute: rate,
        broken: this.#broken,
      }
      print(JSON.stringify({ article: this.#file, seeds, ...rest }, undefined, 2))
    } else {
      for (const { seed, stopped } of why.slice(0, 3)) printError(`kaidoku: seed ${seed}: ${stopped}`)
      if (why[0]?.bug) printError(why[0].bug)
      const good = interrupted ? paint('yellow', 'interrupted') : paint('green', 'pass')
      const mark = this.failures + this.stopped + told.length > 0 ? paint('red', 'FAIL') : good
      const also = this.stopped > 0 ? `, ${this.stopped} stopped` : ''
      print(`${mark} ${this.#file}: ${done} seeds, ${this.failures} broken${also}, ${rate} seeds a minute`)
    }
    if (junit !== undefined) await writeFile(junit, formatExploreJunit(this.#article.file, this.#invariants, told))
  }
}

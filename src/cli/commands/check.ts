import { writeFile } from 'node:fs/promises'
import { checkInvariants } from '#article/explore'
import type { Article } from '#article/format'
import { type Backend, commandPassed, passed, RunStopped, runArticle } from '#article/runner'
import { BACKENDS, findArticles, openBackend, readArticle, UnreadableArticle } from '../articles.ts'
import { defineCommand, flag, integer, oneOf, seconds, text, UsageError } from '../command.ts'
import { openLab } from '../explore-lab.ts'
import { type CheckedArticle, formatJunit } from '../junit.ts'
import { reportArticle, reportCommand, reportInvariant, reportStop } from '../report.ts'
import { Progress, print } from '../terminal.ts'

export const check = defineCommand({
  name: 'check',
  help: `Usage: kaidoku check [OPTION]... [ARTICLE|FOLDER]...
Run many articles, each with every seed asked for; without operands those in articles/.
Invariants that an article states are checked on sim, in a run of their own.

  -b, --backend=NAME  sim (the default), netns or qemu
  -s, --seed=NUMBER   the first seed (default 1)
  -n, --seeds=NUMBER  how many seeds (default 1)
  -j, --junit=FILE    write a JUnit report
  -y, --yes           don't ask before real commands run as root
      --budget=SECONDS
                      real time that one simulated run may take (default 600)
  -h, --help          show this text

Exit status: 0 all as written, 1 a difference or a run that stopped, 2 an article unreadable,
3 a bug of kaidoku's.`,
  options: { backend: oneOf(...BACKENDS), seed: integer, seeds: integer, junit: text, yes: flag, budget: seconds },
  async main({ operands, options }) {
    const files = await findArticles(operands.length > 0 ? operands : ['articles'])
    if (files.length === 0) throw new UsageError('kaidoku check: there are no articles')
    const backend = await openBackend(options.backend ?? 'sim', options.yes ?? false, options.budget)
    const seeds = Math.max(1, options.seeds ?? 1)
    const progress = new Progress(files.length * seeds)
    const checked: CheckedArticle[] = []
    try {
      for (const file of files) {
        progress.show(file)
        const article = await readArticle(file).catch((error: unknown) => {
          if (!(error instanceof UnreadableArticle)) throw error
          return undefined
        })
        const entry: CheckedArticle = { file, runs: article ? [] : undefined, stopped: [], broken: [] }
        checked.push(entry)
        const first = options.seed ?? article?.front.seed ?? 1
        for (let seed = first; seed < first + seeds; seed++) {
          progress.show(`${file} seed ${seed}`)
          if (article?.lab) await checkOnce(backend, article, seed, entry, progress, options.budget)
          progress.step()
        }
      }
    } finally {
      progress.clear()
      await backend.close()
    }
    if (options.junit !== undefined) await writeFile(options.junit, formatJunit(checked))
    const unreadable = checked.filter((article) => !article.runs).length
    const failed = checked.filter(
      ({ runs, stopped, broken }) => runs?.some((run) => !passed(run)) || stopped.length + broken.length > 0,
    ).length
    print(`${checked.length - failed - unreadable} passed, ${failed + unreadable} failed`)
    if (checked.some(({ stopped }) => stopped.some((stop) => stop.bug))) return 3
    return unreadable > 0 ? 2 : failed > 0 ? 1 : 0
  },
})

/** One article with one seed; what stops it is reported, and the others go on. */
async function checkOnce(
  backend: Backend,
  article: Article,
  seed: number,
  entry: CheckedArticle,
  progress: Progress,
  budget: number | undefined,
) {
  try {
    const run = await runArticle(backend, article, { seed, capture: false })
    entry.runs!.push(run)
    progress.clear()
    for (const command of run.commands) if (!commandPassed(command)) reportCommand(command, false)
    reportArticle(run)
    if (backend.name === 'sim' && article.invariants.length > 0) {
      const { violations } = await checkInvariants(openLab(budget), article, seed)
      for (const invariant of article.invariants) {
        const violation = violations.find((each) => each.invariant === invariant.name)
        const good = (violation !== undefined) === invariant.broken
        reportInvariant(invariant, violation, good)
        if (good) continue
        const what = violation ? violation.what : 'it is said to be broken, and holds'
        entry.broken.push({ name: invariant.name, statement: invariant.statement, line: invariant.at.line, what })
      }
    }
  } catch (error) {
    progress.clear()
    if (!(error instanceof RunStopped)) throw error
    reportStop(error)
    entry.stopped.push(error)
  }
}

import { writeFile } from 'node:fs/promises'
import { type ArticleRun, commandPassed, passed, runArticle } from '#article/runner'
import { BACKENDS, findArticles, openBackend, readArticle, UnreadableArticle } from '../articles.ts'
import { defineCommand, flag, integer, oneOf, text, UsageError } from '../command.ts'
import { type CheckedArticle, formatJunit } from '../junit.ts'
import { reportArticle, reportCommand } from '../report.ts'
import { Progress, print } from '../terminal.ts'

export const check = defineCommand({
  name: 'check',
  help: `Usage: kaidoku check [OPTION]... [ARTICLE|FOLDER]...
Run many articles, each with every seed asked for; without operands those in articles/.

  -b, --backend=NAME  sim (the default), netns or qemu
  -s, --seed=NUMBER   the first seed (default 1)
  -n, --seeds=NUMBER  how many seeds (default 1)
  -j, --junit=FILE    write a JUnit report
  -y, --yes           don't ask before real commands run as root
  -h, --help          show this text

Exit status: 0 all as written, 1 a difference, 2 an article unreadable.`,
  options: { backend: oneOf(...BACKENDS), seed: integer, seeds: integer, junit: text, yes: flag },
  async main({ operands, options }) {
    const files = await findArticles(operands.length > 0 ? operands : ['articles'])
    if (files.length === 0) throw new UsageError('kaidoku check: there are no articles')
    const backend = await openBackend(options.backend ?? 'sim', options.yes ?? false)
    const first = options.seed ?? 1
    const seeds = Math.max(1, options.seeds ?? 1)
    const progress = new Progress(files.length * seeds)
    const checked: CheckedArticle[] = []
    try {
      for (const file of files) {
        let runs: ArticleRun[] | undefined = []
        try {
          const article = await readArticle(file)
          for (let seed = first; seed < first + seeds; seed++) {
            progress.show(`${file} seed ${seed}`)
            if (article.lab) runs.push(await runArticle(backend, article, { seed, capture: false }))
            progress.step()
          }
        } catch (error) {
          if (!(error instanceof UnreadableArticle)) throw error
          runs = undefined
        }
        progress.clear()
        checked.push({ file, runs })
        for (const run of runs ?? []) {
          if (!passed(run)) {
            for (const command of run.commands) if (!commandPassed(command)) reportCommand(command, false)
          }
          reportArticle(run)
        }
      }
    } finally {
      progress.clear()
      await backend.close()
    }
    if (options.junit !== undefined) await writeFile(options.junit, formatJunit(checked))
    const unreadable = checked.filter((article) => !article.runs).length
    const failed = checked.filter((article) => article.runs?.some((run) => !passed(run))).length
    print(`${checked.length - failed - unreadable} passed, ${failed + unreadable} failed`)
    return unreadable > 0 ? 2 : failed > 0 ? 1 : 0
  },
})

import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { updateArticle } from '#article/format'
import { acceptedLines, passed, RunStopped, runArticle } from '#article/runner'
import { BACKENDS, openBackend, readArticle, UnreadableArticle } from '../articles.ts'
import { defineCommand, flag, integer, oneOf, seconds, text, UsageError } from '../command.ts'
import { writeRun } from '../out.ts'
import { reportArticle, reportCommand, reportStop } from '../report.ts'
import { paint, print, printError } from '../terminal.ts'

export const run = defineCommand({
  name: 'run',
  help: `Usage: kaidoku run [OPTION]... ARTICLE...
Run articles and compare what their commands print with what they say.

  -b, --backend=NAME  sim (the default), netns or qemu
  -s, --seed=NUMBER   the seed of all chance (default 1)
  -o, --out=DIR       write a capture of every interface and transcript.json
  -u, --update        write what was printed into the articles
  -v, --verbose       show all that was printed
  -q, --quiet         only the differences and one line an article
  -y, --yes           don't ask before real commands run as root
      --budget=SECONDS
                      real time that one simulated run may take (default 600)
  -h, --help          show this text

Exit status: 0 all as written, 1 a difference or a run that stopped, 2 an article unreadable,
3 a bug of kaidoku's.`,
  options: {
    backend: oneOf(...BACKENDS),
    seed: integer,
    out: text,
    update: flag,
    verbose: flag,
    quiet: flag,
    yes: flag,
    budget: seconds,
  },
  async main({ operands, options }) {
    if (operands.length === 0) throw new UsageError('kaidoku run: name an article')
    const backend = await openBackend(options.backend ?? 'sim', options.yes ?? false, options.budget)
    let status = 0
    try {
      for (const file of operands) {
        const article = await readArticle(file).catch((error) => {
          if (!(error instanceof UnreadableArticle)) throw error
          return undefined
        })
        if (!article) {
          status = 2
          continue
        }
        if (!article.lab) {
          print(`${paint('dim', 'read')} ${file}: an article without a lab`)
          continue
        }
        const result = await runArticle(backend, article, {
          seed: options.seed ?? article.front.seed ?? 1,
          capture: options.out !== undefined,
          onCommand: (command) => {
            if (!options.quiet || !(command.comparison?.equal ?? true)) reportCommand(command, options.verbose ?? false)
          },
        }).catch((error: unknown) => {
          if (!(error instanceof RunStopped)) throw error
          return error
        })
        if (result instanceof RunStopped) {
          status = Math.max(status, reportStop(result))
          continue
        }
        reportArticle(result)
        if (options.out !== undefined) {
          const folder = operands.length === 1 ? options.out : join(options.out, basename(file, '.md'))
          await writeRun(result, folder)
          printError(`kaidoku: captures and transcript.json are in ${folder}`)
        }
        if (passed(result)) continue
        if (options.update) await writeFile(file, updateArticle(article, acceptedLines(result)))
        else status = Math.max(status, 1)
      }
    } finally {
      await backend.close()
    }
    return status
  },
})

import { writeFile } from 'node:fs/promises'
import { updateArticle } from '#article/format'
import { acceptedLines, runArticle } from '#article/runner'
import { BACKENDS, findArticles, openBackend, readArticle } from '../articles.ts'
import { defineCommand, flag, integer, oneOf, UsageError } from '../command.ts'
import { reportCommand } from '../report.ts'
import { print } from '../terminal.ts'

export const update = defineCommand({
  name: 'update',
  help: `Usage: kaidoku update [OPTION]... ARTICLE...
Write what commands print into articles, where it differs; lines that fit their pattern stay.

  -b, --backend=NAME  sim (the default), netns or qemu: the kernel is the specification
  -s, --seed=NUMBER   the seed of all chance (default 1)
  -n, --dry-run       only show what would change
  -y, --yes           don't ask before real commands run as root
  -h, --help          show this text

Exit status: 0 written or nothing to write, 2 an article unreadable.`,
  options: { backend: oneOf(...BACKENDS), seed: integer, 'dry-run': flag, yes: flag },
  async main({ operands, options }) {
    if (operands.length === 0) throw new UsageError('kaidoku update: name an article')
    const backend = await openBackend(options.backend ?? 'sim', options.yes ?? false)
    try {
      for (const file of await findArticles(operands)) {
        const article = await readArticle(file)
        if (!article.lab) continue
        const run = await runArticle(backend, article, { seed: options.seed ?? 1, capture: false })
        const changes = acceptedLines(run)
        for (const command of run.commands) if (changes.has(command.source)) reportCommand(command, false)
        if (changes.size > 0 && !options['dry-run']) await writeFile(file, updateArticle(article, changes))
        const changed =
          changes.size === 0
            ? 'nothing to write'
            : `${changes.size} commands ${options['dry-run'] ? 'would be ' : ''}written`
        print(`${file}: ${changed}`)
      }
    } finally {
      await backend.close()
    }
    return 0
  },
})

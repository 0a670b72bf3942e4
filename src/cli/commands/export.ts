import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { runArticle } from '#article/runner'
import { BACKENDS, openBackend, readArticle } from '../articles.ts'
import { defineCommand, flag, integer, oneOf, text, UsageError } from '../command.ts'
import { pcapngOf } from '../out.ts'
import { printError } from '../terminal.ts'

export const exportCommand = defineCommand({
  name: 'export',
  help: `Usage: kaidoku export [OPTION]... [html] ARTICLE
Run an article and write all its captures as one pcapng file, an interface of it for each of the lab's.
With html, write the article with its lab as one HTML file instead, which works offline, from disk.

  -b, --backend=NAME  sim (the default), netns or qemu
  -s, --seed=NUMBER   the seed of all chance (default 1)
  -o, --out=FILE      the file (default ARTICLE's name with .pcapng or .html; - for standard output)
  -y, --yes           don't ask before real commands run as root
  -h, --help          show this text`,
  options: { backend: oneOf(...BACKENDS), seed: integer, out: text, yes: flag },
  async main({ operands, options }) {
    if (operands[0] === 'html' && operands.length === 2) {
      await (await import('../export-html.ts')).exportHtml(operands[1]!, options.out)
      return 0
    }
    const [file] = operands
    if (file === undefined || operands.length > 1) throw new UsageError('kaidoku export: name one article')
    const article = await readArticle(file)
    const backend = await openBackend(options.backend ?? 'sim', options.yes ?? false)
    try {
      const run = await runArticle(backend, article, { seed: options.seed ?? 1 })
      const bytes = pcapngOf(run)
      const frames = run.captures.reduce((sum, capture) => sum + capture.frames.length, 0)
      const out = options.out ?? `${basename(file, '.md')}.pcapng`
      if (out === '-') process.stdout.write(bytes)
      else {
        await writeFile(out, bytes)
        printError(`kaidoku: ${frames} frames of ${run.captures.length} interfaces in ${out}`)
      }
    } finally {
      await backend.close()
    }
    return 0
  },
})

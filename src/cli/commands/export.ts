import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { runArticle } from '#article/runner'
import { BACKENDS, openBackend, readArticle } from '../articles.ts'
import { defineCommand, flag, integer, oneOf, text, UsageError } from '../command.ts'
import { OWN_EXPORTS, type OwnExport } from '../library/formats.ts'
import { LOCAL, LOCAL_HELP } from '../library/index.ts'
import { pcapngOf } from '../out.ts'
import { printError } from '../terminal.ts'

export const exportCommand = defineCommand({
  name: 'export',
  help: `Usage: kaidoku export [OPTION]... [html] ARTICLE
       kaidoku export [OPTION]... everything|netscape|csv|opml|epub [URL]...
Run an article and write all its captures as one pcapng file, an interface of it for each of the lab's.
With html, write the article with its lab as one HTML file instead, which works offline, from disk.
With the others, write what is your own: everything (which kaidoku import takes back), a bookmarks file for browsers,
a table, your feeds; or preserved pages as a book: those named, those of a tag, those to be read later.

  -b, --backend=NAME  sim (the default), netns or qemu
  -s, --seed=NUMBER   the seed of all chance (default 1)
  -o, --out=FILE      the file (default ARTICLE's name with .pcapng or .html, or one that says what it is; - for
                      standard output)
  -y, --yes           don't ask before real commands run as root; write over what is your own
  -t, --tag=TAG       with epub: pages with this tag
      --state=NAME    with epub: later (the default), unread, archived, favourite, private or public
${LOCAL_HELP}
  -h, --help          show this text`,
  options: { backend: oneOf(...BACKENDS), seed: integer, out: text, yes: flag, tag: text, state: text, ...LOCAL },
  async main({ operands, options }) {
    if (operands[0] !== undefined && Object.hasOwn(OWN_EXPORTS, operands[0])) {
      const { exportOwnFile } = await import('../library/export.ts')
      return exportOwnFile(operands[0] as OwnExport, operands.slice(1), options)
    }
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

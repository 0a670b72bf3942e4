import { defineCommand, flag } from '../command.ts'
import { ANYWHERE, ANYWHERE_HELP, addressOf, LibraryError, WHERE_HELP, withLibrary } from '../library/index.ts'
import { printEntry, printJson, safe, saidOf } from '../library/print.ts'
import { paint, print } from '../terminal.ts'

export const show = defineCommand({
  name: 'show',
  help: `Usage: kaidoku show [OPTION]... URL
Show what is known of a page: who has it, what was said of it, your highlights.

  -j, --json          entry, comments and highlights as JSON
${ANYWHERE_HELP}
  -h, --help          show this text

A comment's number is what kaidoku star wants. ${WHERE_HELP}`,
  options: { json: flag, ...ANYWHERE },
  async main({ operands, options }) {
    const url = addressOf('show', operands)
    return withLibrary(options, async (library) => {
      const entry = await library.lookup(url)
      if (!entry) throw new LibraryError(`${url}: nobody has bookmarked this yet`)
      const [comments, highlights] = [await library.comments(entry.id), await library.highlights(entry.id)]
      if (options.json) {
        printJson({ entry, comments: comments.items, highlights })
        return 0
      }
      printEntry(entry)
      const about = [
        entry.author,
        entry.lang,
        entry.medium,
        entry.readingMinutes ? `${entry.readingMinutes} minutes` : '',
      ]
      print(`  ${paint('dim', safe(about.filter(Boolean).join('  ')))}`)
      if (entry.excerpt) print(`\n${safe(entry.excerpt)}`)
      if (entry.bookmark?.note) print(`\n${entry.bookmark.note.split('\n').map(safe).join('\n')}`)
      if (comments.items.length > 0) print()
      for (const said of comments.items)
        print(
          `${said.id}  ${paint('bold', safe(said.user.handle))}  ${saidOf(said)}${said.stars > 0 ? `  ★${said.stars}` : ''}`,
        )
      if (highlights.length > 0) print()
      for (const mark of highlights)
        print(`${mark.id}  “${safe(mark.quote)}”${mark.note ? `  ${safe(mark.note)}` : ''}`)
      return 0
    })
  },
})

import { defineCommand, flag, text, UsageError } from '../command.ts'
import {
  ANYWHERE,
  ANYWHERE_HELP,
  addressOf,
  LibraryError,
  numberOf,
  WHERE_HELP,
  withLibrary,
  wordOf,
} from '../library/index.ts'
import { printJson, safe } from '../library/print.ts'
import { print } from '../terminal.ts'

export const highlights = defineCommand({
  name: 'highlights',
  help: `Usage: kaidoku highlights [OPTION]... [list [URL]]
       kaidoku highlights [OPTION]... add URL QUOTE
       kaidoku highlights [OPTION]... remove NUMBER...
List your highlights, or those of a page; add one, remove some.

  -n, --note=TEXT     with add: a note on it
  -j, --json          the list as JSON
${ANYWHERE_HELP}
  -h, --help          show this text

${WHERE_HELP}`,
  options: { note: text, json: flag, ...ANYWHERE },
  async main({ operands, options }) {
    const [word, rest] = wordOf('highlights', operands, ['list', 'add', 'remove'], 'list')
    if (word === 'add' && rest.length !== 2) throw new UsageError('kaidoku highlights add: URL and QUOTE')
    if (word === 'remove' && rest.length === 0)
      throw new UsageError('kaidoku highlights remove: which? kaidoku highlights lists them')
    const numbers = word === 'remove' ? rest.map((each) => numberOf('highlights remove', each, 'a highlight')) : []
    const url = word !== 'remove' && rest.length > 0 ? addressOf('highlights', rest.slice(0, 1)) : undefined
    return withLibrary(options, async (library) => {
      const entry = url === undefined ? undefined : await library.lookup(url)
      if (url !== undefined && !entry) throw new LibraryError(`${url}: nobody has bookmarked this yet`)
      if (word === 'add') print((await library.highlight(entry!.id, rest[1]!, options.note ?? '')).id.toString())
      for (const id of numbers) await library.removeHighlight(id)
      if (word === 'list') {
        const marks = await library.highlights(entry?.id)
        if (options.json) printJson(marks)
        else
          for (const mark of marks) print(`${mark.id}  “${safe(mark.quote)}”${mark.note ? `  ${safe(mark.note)}` : ''}`)
      }
      return 0
    })
  },
})

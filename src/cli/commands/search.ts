import { defineCommand, flag, integer, text, UsageError } from '../command.ts'
import { ANYWHERE, ANYWHERE_HELP, WHERE_HELP, withLibrary } from '../library/index.ts'
import { printEntry, printJson } from '../library/print.ts'

export const search = defineCommand({
  name: 'search',
  help: `Usage: kaidoku search [OPTION]... WORD...
Search titles, texts, comments, tags, commands and outputs.

  -n, --limit=NUMBER  so many (default 20, at most 100)
      --cursor=TEXT   go on where a page ended
  -j, --json          a page as JSON: items, next, previous
${ANYWHERE_HELP}
  -h, --help          show this text

In the query: "a phrase", -without, OR, ( ), title: command: output: tag: site: user: lang: is: before: after:
Words that begin with - stand behind --: kaidoku search -- arp -bgp

${WHERE_HELP}

Exit status: 0 something was found, 1 nothing.`,
  options: { limit: integer, cursor: text, json: flag, ...ANYWHERE },
  async main({ operands, options }) {
    // A shell has taken the quotes of "a phrase" already.
    const query = operands
      .map((word) => (/^[^":()]*\s[^":()]*$/u.test(word) && operands.length > 1 ? `"${word}"` : word))
      .join(' ')
    if (query.trim() === '') throw new UsageError('kaidoku search: what for?')
    return withLibrary(options, async (library) => {
      const page = await library.search(query, Math.min(options.limit ?? 20, 100) || 100, options.cursor)
      if (options.json) printJson(page)
      else for (const entry of page.items) printEntry(entry)
      return page.items.length > 0 ? 0 : 1
    })
  },
})

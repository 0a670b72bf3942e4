import { BOOKMARK_STATES, ENTRY_KINDS, LIST_ORDERS, MEDIA } from '#reading/library'
import { defineCommand, flag, integer, oneOf, text, UsageError } from '../command.ts'
import { ANYWHERE, ANYWHERE_HELP, type ListWords, WHERE_HELP, withLibrary } from '../library/index.ts'
import { printEntry, printJson } from '../library/print.ts'
import { print, printError } from '../terminal.ts'

export const list = defineCommand({
  name: 'list',
  help: `Usage: kaidoku list [OPTION]...
List your bookmarks, the newest first; or what others have.

  -a, --all           all that is listed in the room
  -u, --user=NAME     another user's public bookmarks
  -s, --site=HOST     of one site
  -k, --keyword=WORDS  with these keywords, comma between
  -t, --tag=TAG       with this tag
      --unread        to be read, and not archived
      --state=NAME    later, unread, archived, favourite, private or public
      --kind=NAME     article or bookmark
      --medium=NAME   article, presentation, research or other
  -o, --order=NAME    new (the default), popular or hot, with --all
  -n, --limit=NUMBER  so many (default 40; 0 for all)
      --cursor=TEXT   go on where a page ended
  -j, --json          a page as JSON: items, next, previous
${ANYWHERE_HELP}
  -h, --help          show this text

${WHERE_HELP}`,
  options: {
    all: flag,
    user: text,
    site: text,
    keyword: text,
    tag: text,
    unread: flag,
    state: oneOf(...BOOKMARK_STATES),
    kind: oneOf(...ENTRY_KINDS),
    medium: oneOf(...MEDIA),
    order: oneOf(...LIST_ORDERS),
    limit: integer,
    cursor: text,
    json: flag,
    ...ANYWHERE,
  },
  async main({ operands, options }) {
    if (operands.length > 0) throw new UsageError(`kaidoku list: what is '${operands[0]}' for? kaidoku search searches`)
    if (options.unread && options.state) throw new UsageError('kaidoku list: --unread or --state, not both')
    if (options.order && !options.all) throw new UsageError('kaidoku list: --order goes with --all')
    const { unread, json, limit = 40, all, ...rest } = options
    const state = unread ? 'unread' : options.state
    return withLibrary(options, async (library) => {
      const { data: _, as: __, server: ___, token: ____, state: _____, ...named } = rest
      const words: ListWords = {
        ...named,
        ...(all ? { all } : {}),
        ...(state ? { state } : {}),
        limit: Math.min(limit || 200, 200),
      }
      const items = []
      let page = await library.list(words)
      for (;;) {
        items.push(...page.items.slice(0, limit === 0 ? undefined : limit - items.length))
        if (page.next === null || (limit > 0 && items.length >= limit)) break
        page = await library.list({ ...words, cursor: page.next })
      }
      if (json) printJson({ ...page, items })
      else {
        for (const entry of items) printEntry(entry)
        if (items.length === 0) printError('nothing')
        else if (page.next !== null && process.stdout.isTTY) print(`… more: --limit=0, or --cursor=${page.next}`)
      }
      return 0
    })
  },
})

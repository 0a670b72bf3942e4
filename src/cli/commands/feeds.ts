import { readFile } from 'node:fs/promises'
import { formatOpml, parseExchangeFile } from '#reading/exchange'
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
import { withStore } from '../library/local.ts'
import { printJson, printTable } from '../library/print.ts'
import { print, printError } from '../terminal.ts'

export const feeds = defineCommand({
  name: 'feeds',
  help: `Usage: kaidoku feeds [OPTION]... [list]
       kaidoku feeds [OPTION]... add URL
       kaidoku feeds [OPTION]... remove NUMBER...
       kaidoku feeds [OPTION]... refresh [NUMBER]...
       kaidoku feeds [OPTION]... import FILE
       kaidoku feeds [OPTION]... export
Feeds that you read: list, subscribe, end subscriptions, fetch them now, take in OPML, print OPML.

  -f, --folder=NAME   with add: where it stands
      --title=TEXT    with add: your name for it
  -j, --json          the list as JSON
${ANYWHERE_HELP}
  -h, --help          show this text

A server looks for news every hour by itself; refresh doesn't go through one. KAIDOKU_ALLOW_PRIVATE=1 lets it fetch
from private addresses.

${WHERE_HELP}

Exit status: 0, or 1 if a feed can't be read.`,
  options: { folder: text, title: text, json: flag, ...ANYWHERE },
  async main({ operands, options }) {
    const [word, rest] = wordOf('feeds', operands, ['list', 'add', 'remove', 'refresh', 'import', 'export'], 'list')
    if (word === 'remove' && rest.length === 0)
      throw new UsageError('kaidoku feeds remove: which? kaidoku feeds lists them')
    const numbers =
      word === 'remove' || word === 'refresh' ? rest.map((each) => numberOf(`feeds ${word}`, each, 'a feed')) : []
    if (word === 'refresh') {
      if (options.server !== undefined) throw new UsageError('kaidoku feeds refresh: a server does that by itself')
      return refresh(options, numbers)
    }
    const url = word === 'add' ? addressOf('feeds add', rest) : ''
    const found = word === 'import' ? await readOpml(rest) : []
    return withLibrary(
      options,
      async (library) => {
        const { folder, title } = options
        if (word === 'add') {
          const about = { ...(folder === undefined ? {} : { folder }), ...(title === undefined ? {} : { title }) }
          print(String((await library.subscribe(url, about)).id))
        }
        for (const id of numbers) await library.unsubscribe(id)
        for (const feed of found)
          await library.subscribe(feed.url, { title: feed.title, folder: feed.folders.at(-1) ?? '' })
        if (word === 'import') print(`${found.length} feeds`)
        const all = word === 'list' || word === 'export' ? await library.feeds() : []
        if (word === 'export')
          process.stdout.write(
            formatOpml(
              'Kaidoku',
              all.map(({ home, ...feed }) => ({ ...feed, siteUrl: home })),
            ),
          )
        else if (word === 'list' && options.json) printJson(all)
        else printTable(all.map((feed) => [feed.id, feed.unread, feed.title, feed.url, feed.error ?? '']))
        return 0
      },
      word === 'add' || word === 'import',
    )
  },
})

async function readOpml(files: string[]) {
  if (files.length !== 1) throw new UsageError('kaidoku feeds import: name one file')
  const bytes = await readFile(files[0]!).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`kaidoku: ${files[0]}: ${error.code === 'ENOENT' ? 'no such file' : error.message}`)
  })
  const { feeds: found } = parseExchangeFile(bytes)
  if (found.length === 0) throw new LibraryError(`${files[0]}: no feeds in it`)
  return found
}

function refresh(options: { data?: string; as?: string }, numbers: number[]): Promise<number> {
  return withStore(options, async ({ store, by }) => {
    const [{ feedHandler }, { createRobots }] = await Promise.all([import('#reading/jobs'), import('#reading/collect')])
    const allowPrivate = process.env['KAIDOKU_ALLOW_PRIVATE'] === '1'
    const fetchFeed = feedHandler(store, { robots: createRobots(), now: Date.now, allowPrivate })
    const mine = await store.feeds.list(by)
    const ids = numbers.length > 0 ? numbers : mine.map(({ id }) => id)
    for (const id of ids) {
      if (!mine.some((feed) => feed.id === id)) throw new LibraryError(`feed ${id}: no subscription of yours`)
      await fetchFeed({ kind: 'feed', payload: { feedId: id }, attempt: 1 }, new AbortController().signal)
    }
    let failed = 0
    for (const feed of await store.feeds.list(by)) {
      if (!ids.includes(feed.id)) continue
      if (feed.error !== undefined) failed++
      if (feed.error === undefined) print(`${feed.url}: ${feed.unread} unread`)
      else printError(`${feed.url}: ${feed.error}`)
    }
    return failed > 0 ? 1 : 0
  })
}

import { defineCommand, flag, UsageError } from '../command.ts'
import { addressOf, LibraryError, LOCAL, LOCAL_HELP, WHERE_HELP } from '../library/index.ts'
import { targetOf, withStore } from '../library/local.ts'
import { printJson, printTable } from '../library/print.ts'
import { print, printError } from '../terminal.ts'

export const fetchCommand = defineCommand({
  name: 'fetch',
  help: `Usage: kaidoku fetch [OPTION]... URL...
Fetch bookmarked pages and preserve them; what has changed since is another version.

  -v, --versions      list the versions that are kept, in place of fetching
  -j, --json          what was fetched, or the versions, as JSON
${LOCAL_HELP}
  -h, --help          show this text

What robots.txt asks is heeded; private addresses are refused unless KAIDOKU_ALLOW_PRIVATE=1.
${WHERE_HELP}

Exit status: 0, or 1 if a page can't be had.`,
  options: { versions: flag, json: flag, ...LOCAL },
  async main({ operands, options }) {
    if (operands.length === 0) throw new UsageError('kaidoku fetch: name an address')
    const addresses = operands.map((word) => addressOf('fetch', [word]))
    return withStore(options, async ({ store, by }) => {
      const entries = []
      for (const url of addresses) {
        const entry = await store.entries.find(targetOf(url), 'en', by)
        if (!entry || entry.kind === 'article') throw new LibraryError(`${url}: not bookmarked; kaidoku add adds it`)
        entries.push(entry)
      }
      const told: object[] = []
      let failed = 0
      if (options.versions) {
        for (const { id, key } of entries) {
          const versions = await store.pages.list(id, by)
          told.push({
            url: key,
            versions: versions.map(({ fetchedAtMs, ...rest }) => ({ ...rest, fetchedAt: iso(fetchedAtMs) })),
          })
          if (!options.json) printTable(versions.map((each) => [iso(each.fetchedAtMs), each.bytes, each.title]))
        }
      } else {
        const [{ savePage }, { createRobots, FetchError }] = await Promise.all([
          import('#reading/jobs'),
          import('#reading/collect'),
        ])
        const web = {
          robots: createRobots(),
          now: Date.now,
          allowPrivate: process.env['KAIDOKU_ALLOW_PRIVATE'] === '1',
        }
        for (const { id, key } of entries) {
          try {
            const { versionId, added, page } = await savePage(store, { entryId: id, url: key }, web)
            told.push({ url: key, versionId, added, title: page.title, warnings: page.warnings })
            if (!options.json) print(`${key}: ${added ? 'preserved' : 'as it was'}, ${page.title}`)
          } catch (error) {
            if (!(error instanceof FetchError)) throw error
            failed++
            told.push({ url: key, error: error.message })
            printError(`${key}: ${error.message}`)
          }
        }
      }
      if (options.json) printJson(told)
      return failed > 0 ? 1 : 0
    })
  },
})

const iso = (ms: number) => new Date(ms).toISOString()

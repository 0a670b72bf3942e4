import { defineCommand, flag, integer, UsageError } from '../command.ts'
import { LOCAL, LOCAL_HELP, WHERE_HELP } from '../library/index.ts'
import { withStore } from '../library/local.ts'
import { printJson } from '../library/print.ts'
import { Progress, print } from '../terminal.ts'

const AT_ONCE = 8

export const checkLinks = defineCommand({
  name: 'check-links',
  help: `Usage: kaidoku check-links [OPTION]...
Look whether bookmarked pages are still there, those first that nobody looked at for longest.

      --days=NUMBER   those that nobody looked at for so many days (default 30; 0 for all)
  -n, --limit=NUMBER  so many at most (default 200; 0 for all)
  -j, --json          what was found, as JSON
${LOCAL_HELP}
  -h, --help          show this text

A page is dead if its server says that it is gone (410); of one that fails, a server that runs asks again for three
days before it says so. Private addresses are refused unless KAIDOKU_ALLOW_PRIVATE=1.

${WHERE_HELP}

Exit status: 0 all are there, 1 some are not.`,
  options: { days: integer, limit: integer, json: flag, ...LOCAL },
  async main({ operands, options }) {
    if (operands.length > 0) throw new UsageError(`kaidoku check-links: what is '${operands[0]}' for?`)
    return withStore(options, async ({ store }) => {
      const { afterCheck, checkLink } = await import('#reading/collect')
      const allowPrivate = process.env['KAIDOKU_ALLOW_PRIVATE'] === '1'
      const before = Date.now() - (options.days ?? 30) * 86_400_000 + 1
      const links = await store.entries.toCheck(before, options.limit === 0 ? 1_000_000 : (options.limit ?? 200))
      // One at a time of each host; several hosts at once.
      const hosts = new Map<string, typeof links>()
      for (const link of links) hosts.set(new URL(link.url).host, [...(hosts.get(new URL(link.url).host) ?? []), link])
      const waiting = [...hosts.values()]
      const found: { url: string; state: string; status: number; movedTo: string | null; why: string }[] = []
      const progress = new Progress(links.length)
      const work = async () => {
        for (let host = waiting.shift(); host; host = waiting.shift()) {
          for (const { id, url } of host) {
            progress.show(url)
            const check = await checkLink(url, { allowPrivate })
            const { state } = afterCheck({ failures: 0, firstFailedAtMs: undefined }, check, Date.now())
            await store.entries.checked(id, check.status || undefined, state === 'dead')
            found.push({ url, state, status: check.status, movedTo: check.movedTo ?? null, why: check.why })
            progress.step()
          }
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work))
      progress.clear()
      const bad = found.filter(({ state }) => state === 'dead' || state === 'failing')
      if (options.json) printJson(found)
      else {
        for (const { url, state, status, why, movedTo } of found)
          if (state !== 'alive') print(`${state}  ${url}  ${movedTo ?? (why || status)}`)
        print(`${found.length} looked at, ${bad.length} not there`)
      }
      return bad.length > 0 ? 1 : 0
    })
  },
})

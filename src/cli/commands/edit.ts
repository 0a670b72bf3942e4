import { defineCommand, flag, UsageError } from '../command.ts'
import { CHANGE, CHANGE_HELP, changeOf, STATES } from '../library/change.ts'
import { ANYWHERE, ANYWHERE_HELP, addressOf, LibraryError, WHERE_HELP, withLibrary } from '../library/index.ts'
import { printJson } from '../library/print.ts'
import { print } from '../terminal.ts'

export const edit = defineCommand({
  name: 'edit',
  help: `Usage: kaidoku edit [OPTION]... URL
Change a bookmark; what no option names stays as it is.

${CHANGE_HELP}
  -p, --private=YES   yes or no
  -l, --read-later=YES  yes or no
  -a, --archive=YES   yes or no
  -f, --favourite=YES  yes or no
  -j, --json          what was saved, as JSON
${ANYWHERE_HELP}
  -h, --help          show this text

${WHERE_HELP}`,
  options: { ...CHANGE, ...STATES, json: flag, ...ANYWHERE },
  async main({ operands, options }) {
    const url = addressOf('edit', operands)
    const change = changeOf(options)
    if (Object.keys(change).length === 0) throw new UsageError('kaidoku edit: say what to change: --comment, --tag ...')
    return withLibrary(options, async (library) => {
      const entry = await library.lookup(url)
      if (!entry?.bookmark) throw new LibraryError(`${url}: not among the bookmarks; kaidoku add adds it`)
      const saved = await library.save(url, change)
      if (options.json) printJson(saved)
      else print(`changed: ${entry.url}`)
      return 0
    })
  },
})

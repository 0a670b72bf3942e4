import { defineCommand, UsageError } from '../command.ts'
import { ANYWHERE, ANYWHERE_HELP, addressOf, LibraryError, WHERE_HELP, withLibrary } from '../library/index.ts'
import { print } from '../terminal.ts'

export const remove = defineCommand({
  name: 'remove',
  help: `Usage: kaidoku remove [OPTION]... URL...
Remove your bookmarks of these pages. Highlights on them stay.

${ANYWHERE_HELP}
  -h, --help          show this text

${WHERE_HELP}`,
  options: { ...ANYWHERE },
  async main({ operands, options }) {
    if (operands.length === 0) throw new UsageError('kaidoku remove: name an address')
    const addresses = operands.map((word) => addressOf('remove', [word]))
    return withLibrary(options, async (library) => {
      for (const url of addresses) {
        const entry = await library.lookup(url)
        if (!entry?.bookmark) throw new LibraryError(`${url}: not among the bookmarks`)
        await library.remove(entry.id)
        print(`removed: ${entry.url}`)
      }
      return 0
    })
  },
})

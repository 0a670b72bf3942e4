/** `archive`, `favourite`, `read-later`: one mark on bookmarks, set or taken back. */
import { type Command, defineCommand, flag, UsageError } from '../command.ts'
import { print } from '../terminal.ts'
import { ANYWHERE, ANYWHERE_HELP, addressOf, LibraryError, WHERE_HELP, withLibrary } from './index.ts'

export function markCommand(
  name: string,
  mark: 'archived' | 'favourite' | 'readLater',
  what: string,
  undone: string,
): Command {
  return defineCommand({
    name,
    help: `Usage: kaidoku ${name} [OPTION]... URL...
${what}

  -u, --undo          ${undone}
${ANYWHERE_HELP}
  -h, --help          show this text

${WHERE_HELP}`,
    options: { undo: flag, ...ANYWHERE },
    async main({ operands, options }) {
      if (operands.length === 0) throw new UsageError(`kaidoku ${name}: name an address`)
      const addresses = operands.map((word) => addressOf(name, [word]))
      return withLibrary(options, async (library) => {
        for (const url of addresses) {
          const entry = await library.lookup(url)
          if (!entry?.bookmark) throw new LibraryError(`${url}: not among the bookmarks; kaidoku add adds it`)
          await library.save(url, { [mark]: !options.undo })
          print(entry.url)
        }
        return 0
      })
    },
  })
}

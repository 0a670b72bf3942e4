import { existsSync } from 'node:fs'
import { defineCommand, flag, text, UsageError } from '../command.ts'
import { LibraryError, WHERE_HELP } from '../library/index.ts'
import { openRaw } from '../library/local.ts'
import { print } from '../terminal.ts'

export const restoreCommand = defineCommand({
  name: 'restore',
  help: `Usage: kaidoku restore [OPTION]... FILE
Put a backup into an empty library, wholly or not at all.

  -y, --yes           in place of what is in the library, all of which goes
  -q, --quiet         say nothing
  -d, --data=DIR      the library's folder (default data/, or KAIDOKU_DATA)
  -h, --help          show this text

${WHERE_HELP}
Everybody signs in anew: kaidoku users link makes a way in.`,
  options: { yes: flag, quiet: flag, data: text },
  async main({ operands, options }) {
    const [file] = operands
    if (file === undefined || operands.length > 1) throw new UsageError('kaidoku restore: name one file')
    if (!existsSync(file)) throw new UsageError(`kaidoku: ${file}: no such file`)
    const { BackupError, restore } = await import('#reading/carry')
    const store = await openRaw(options)
    try {
      const counts = await restore(store, file, { replace: options.yes ?? false })
      if (!options.quiet)
        print(
          `${counts['users']} users, ${counts['entries']} entries, ${counts['bookmarks']} bookmarks, ${counts['page_versions']} pages`,
        )
      return 0
    } catch (error) {
      if (error instanceof BackupError && /isn’t empty/u.test(error.message))
        throw new LibraryError(`${error.message}, or say --yes: then the backup takes the place of all that is there`)
      throw error
    } finally {
      await store.close()
    }
  },
})

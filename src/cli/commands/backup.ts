import { existsSync } from 'node:fs'
import { defineCommand, flag, text, UsageError } from '../command.ts'
import { WHERE_HELP } from '../library/index.ts'
import { withStore } from '../library/local.ts'
import { print } from '../terminal.ts'

export const backupCommand = defineCommand({
  name: 'backup',
  help: `Usage: kaidoku backup [OPTION]... FILE
Write the whole library, of all users, into one file; kaidoku restore reads it, on PGlite and on PostgreSQL.

  -y, --yes           write over a file that is there
  -q, --quiet         say nothing
  -d, --data=DIR      the library's folder (default data/, or KAIDOKU_DATA)
  -h, --help          show this text

It holds what users keep private, and secrets: keep it as you keep the library. Sessions aren't in it.
${WHERE_HELP} A folder that a server has
open is backed up when that has stopped; a PostgreSQL at any time.`,
  options: { yes: flag, quiet: flag, data: text },
  async main({ operands, options }) {
    const [file] = operands
    if (file === undefined || operands.length > 1) throw new UsageError('kaidoku backup: name one file')
    if (existsSync(file) && !options.yes)
      throw new UsageError(`kaidoku: ${file} is there already; --yes writes over it`)
    return withStore(options, async ({ store }) => {
      const { backup, verifyBackup } = await import('#reading/carry')
      await backup(store, file)
      const { counts } = await verifyBackup(file)
      if (!options.quiet)
        print(
          `${file}: ${counts['users']} users, ${counts['entries']} entries, ${counts['bookmarks']} bookmarks, ${counts['page_versions']} pages`,
        )
      return 0
    })
  },
})

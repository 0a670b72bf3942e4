import { defineCommand, flag, UsageError } from '../command.ts'
import { LOCAL, LOCAL_HELP, WHERE_HELP, wordOf } from '../library/index.ts'
import { withStore } from '../library/local.ts'
import { printJson } from '../library/print.ts'
import { print } from '../terminal.ts'

export const account = defineCommand({
  name: 'account',
  help: `Usage: kaidoku account [OPTION]... [show]
       kaidoku account [OPTION]... delete
Show what is kept of you, by the number; or delete your account with all of it, for good.

  -y, --yes           with delete: yes
  -j, --json          the numbers as JSON
${LOCAL_HELP}
  -h, --help          show this text

kaidoku export everything writes all of it into one file first. Pages that only you had go with your bookmarks, what
you wrote privately with them; entries that others have too stay.

${WHERE_HELP}`,
  options: { yes: flag, json: flag, ...LOCAL },
  async main({ operands, options }) {
    const [word, rest] = wordOf('account', operands, ['show', 'delete'], 'show')
    if (rest.length > 0) throw new UsageError(`kaidoku account: what is '${rest[0]}' for?`)
    if (word === 'delete' && !options.yes)
      throw new UsageError(
        'kaidoku account delete: all that is yours goes, for good; kaidoku export everything first, then --yes',
      )
    return withStore(options, async ({ store, by, account: { handle, role } }) => {
      const kept = await store.people.kept(by)
      if (word === 'delete') await store.people.remove(by, by)
      if (options.json) printJson({ handle, role, ...kept })
      else
        print(
          `${handle} (${role}): ${Object.entries(kept)
            .map(([what, count]) => `${count} ${what}`)
            .join(', ')}${word === 'delete' ? ': deleted' : ''}`,
        )
      return 0
    })
  },
})

import { defineCommand, flag, UsageError } from '../command.ts'
import { ANYWHERE, ANYWHERE_HELP, WHERE_HELP, withLibrary, wordOf } from '../library/index.ts'
import { printJson, printTable } from '../library/print.ts'
import { print } from '../terminal.ts'

export const follow = defineCommand({
  name: 'follow',
  help: `Usage: kaidoku follow [OPTION]... [list]
       kaidoku follow [OPTION]... user|site|keyword NAME
List what you follow; follow a user, a site or a keyword.

  -u, --undo          follow no more
  -j, --json          the list as JSON
${ANYWHERE_HELP}
  -h, --help          show this text

${WHERE_HELP}`,
  options: { undo: flag, json: flag, ...ANYWHERE },
  async main({ operands, options }) {
    const [kind, names] = wordOf('follow', operands, ['list', 'user', 'site', 'keyword'], 'list')
    if (kind !== 'list' && names.length !== 1) throw new UsageError(`kaidoku follow ${kind}: name one`)
    return withLibrary(options, async (library) => {
      if (kind === 'list') {
        const all = await library.follows()
        const rows = [
          ...all.users.map((name) => ['user', name]),
          ...all.sites.map((name) => ['site', name]),
          ...all.keywords.map((name) => ['keyword', name]),
        ]
        if (options.json) printJson(all)
        else printTable(rows)
        return 0
      }
      await library.follow(kind, names[0]!, !options.undo)
      print(`${options.undo ? 'followed no more' : 'followed'}: ${kind} ${names[0]}`)
      return 0
    })
  },
})

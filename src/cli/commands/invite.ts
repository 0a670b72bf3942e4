import { defineCommand, flag, integer, oneOf, text, UsageError } from '../command.ts'
import { LOCAL, LOCAL_HELP, numberOf, WHERE_HELP, wordOf } from '../library/index.ts'
import { withStore } from '../library/local.ts'
import { printJson, printTable } from '../library/print.ts'
import { print } from '../terminal.ts'

export const invite = defineCommand({
  name: 'invite',
  help: `Usage: kaidoku invite [OPTION]... [create]
       kaidoku invite [OPTION]... list
       kaidoku invite [OPTION]... remove NUMBER
Print a link by which one person makes an account; list invitations, take one back.

  -r, --role=NAME     what they may: member (the default), reader or moderator
      --note=TEXT     for whom it is
      --days=NUMBER   how long it is good (default 7)
  -j, --json          as JSON
      --origin=URL    where the room is served (default http://localhost:3000, or ORIGIN)
${LOCAL_HELP}
  -h, --help          show this text

${WHERE_HELP}`,
  options: {
    role: oneOf('member', 'reader', 'moderator'),
    note: text,
    days: integer,
    json: flag,
    origin: text,
    ...LOCAL,
  },
  async main({ operands, options }) {
    const [word, rest] = wordOf('invite', operands, ['create', 'list', 'remove'], 'create')
    if (rest.length !== (word === 'remove' ? 1 : 0))
      throw new UsageError(
        word === 'remove' ? 'kaidoku invite remove: one NUMBER' : `kaidoku invite: what is '${rest[0]}' for?`,
      )
    const number = word === 'remove' ? numberOf('invite remove', rest[0], 'an invitation') : 0
    return withStore(options, async ({ store, by }) => {
      if (word === 'remove') await store.invitations.remove(by, number)
      else if (word === 'list') {
        const all = await store.invitations.list(by)
        if (options.json) printJson(all)
        else
          printTable(
            all.map((each) => [
              each.id,
              each.role,
              each.usedBy
                ? `used by ${each.usedBy}`
                : each.expiresAtMs
                  ? `until ${new Date(each.expiresAtMs).toISOString()}`
                  : '',
              each.note,
            ]),
          )
      } else {
        const { id, code } = await store.invitations.create(by, {
          role: options.role ?? 'member',
          note: options.note ?? '',
          expiresAtMs: Date.now() + (options.days ?? 7) * 86_400_000,
        })
        const link = `${options.origin ?? (process.env['ORIGIN'] || 'http://localhost:3000')}/sign-up?code=${code}`
        if (options.json) printJson({ id, link })
        else print(link)
      }
      return 0
    })
  },
})

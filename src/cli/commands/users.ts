import { ROLES } from '#reading/store'
import { defineCommand, flag, oneOf, text, UsageError } from '../command.ts'
import { LibraryError, LOCAL, LOCAL_HELP, WHERE_HELP, wordOf } from '../library/index.ts'
import { type Local, withStore } from '../library/local.ts'
import { printJson, printTable } from '../library/print.ts'
import { print, printError } from '../terminal.ts'

const WORDS = ['list', 'add', 'role', 'ban', 'unban', 'link', 'remove'] as const

export const users = defineCommand({
  name: 'users',
  help: `Usage: kaidoku users [OPTION]... [list]
       kaidoku users [OPTION]... add NAME
       kaidoku users [OPTION]... role NAME ROLE
       kaidoku users [OPTION]... ban|unban NAME
       kaidoku users [OPTION]... link [NAME]
       kaidoku users [OPTION]... remove NAME
Accounts of the room: list, add, give a role, shut out, let in again, remove.
Roles: ${ROLES.join(', ')}.
link prints a link that signs somebody in, once and within 15 minutes: the way in for an owner who lost the session.

  -r, --role=NAME     with add: its role (default member)
      --reason=TEXT   with ban: why
  -y, --yes           with remove: all that is theirs goes too
  -j, --json          the list as JSON
      --origin=URL    with add, link: where the room is served (default http://localhost:3000, or ORIGIN)
${LOCAL_HELP}
  -h, --help          show this text

${WHERE_HELP}
A folder that a server has open can't be used beside it: stop the server, make
the link, start it again.`,
  options: { role: oneOf(...ROLES), reason: text, yes: flag, json: flag, origin: text, ...LOCAL },
  async main({ operands, options }) {
    const [word, names] = wordOf('users', operands, WORDS, 'list')
    const wanted = word === 'list' ? [0, 0] : word === 'role' ? [2, 2] : word === 'link' ? [0, 1] : [1, 1]
    if (names.length < wanted[0]! || names.length > wanted[1]!)
      throw new UsageError(
        `kaidoku users ${word}: ${wanted[1] === 0 ? 'no name here' : word === 'role' ? 'NAME and ROLE' : 'one NAME'}`,
      )
    const role = word === 'role' ? ROLES.find((each) => each === names[1]) : options.role
    if (word === 'role' && !role)
      throw new UsageError(`kaidoku users role: '${names[1]}' is not one of ${ROLES.join(', ')}`)
    if (word === 'remove' && !options.yes)
      throw new UsageError(`kaidoku users remove: all that is theirs goes too, for good; say --yes`)
    return withStore(
      options,
      async (local) => {
        const { store, by } = local
        if (word === 'list') {
          const all = await store.people.list()
          if (options.json)
            printJson(
              all.map(({ createdAtMs, seenAtMs, ...each }) => ({
                ...each,
                createdAt: iso(createdAtMs),
                seenAt: seenAtMs === undefined ? null : iso(seenAtMs),
              })),
            )
          else
            printTable(
              all.map((each) => [
                each.handle,
                each.role,
                each.banned ? 'shut out' : '',
                each.name,
                each.seenAtMs === undefined ? '' : iso(each.seenAtMs),
              ]),
            )
          return 0
        }
        if (word === 'add') {
          const made = await store.people.create(by, names[0]!, options.role ?? 'member')
          printError('Their first sign-in, within 15 minutes (kaidoku users link makes another):')
          print(await linkFor(local, made.id, options.origin))
          return 0
        }
        const who = names[0] === undefined ? local.account : await store.people.find({ handle: names[0] })
        if (!who) throw new LibraryError(`there is nobody called '${names[0]}'; kaidoku users lists them`)
        if (word === 'link') print(await linkFor(local, who.id, options.origin))
        else if (word === 'role') await store.people.setRole(by, who.id, role!)
        else if (word === 'remove') await store.people.remove(by, who.id)
        else await store.people.setBanned(by, who.id, word === 'ban', options.reason)
        return 0
      },
      word === 'link' || word === 'add',
    )
  },
})

const iso = (ms: number) => new Date(ms).toISOString()
const linkFor = async ({ store }: Local, id: number, origin: string | undefined) =>
  `${origin ?? (process.env['ORIGIN'] || 'http://localhost:3000')}/sign-in/${await store.people.createLink(id)}`

import { defineCommand, flag, integer, oneOf, UsageError } from '../command.ts'
import { ANYWHERE, ANYWHERE_HELP, numberOf, WHERE_HELP, withLibrary, wordOf } from '../library/index.ts'
import { printJson, printTable } from '../library/print.ts'
import { print } from '../terminal.ts'

export const token = defineCommand({
  name: 'token',
  help: `Usage: kaidoku token [OPTION]... [list]
       kaidoku token [OPTION]... create NAME
       kaidoku token [OPTION]... revoke NUMBER...
Tokens by which programs use /api/v1. What create prints isn't shown again: only its hash is kept.

      --scope=NAME    with create: read or write (default both)
      --days=NUMBER   with create: how long it is good (default for ever)
  -j, --json          as JSON
${ANYWHERE_HELP}
  -h, --help          show this text

${WHERE_HELP}`,
  options: { scope: oneOf('read', 'write'), days: integer, json: flag, ...ANYWHERE },
  async main({ operands, options }) {
    const [word, rest] = wordOf('token', operands, ['list', 'create', 'revoke'], 'list')
    if (word === 'create' && rest.length !== 1) throw new UsageError('kaidoku token create: one NAME')
    if (word === 'revoke' && rest.length === 0)
      throw new UsageError('kaidoku token revoke: which? kaidoku token lists them')
    const numbers = word === 'revoke' ? rest.map((each) => numberOf('token revoke', each, 'a token')) : []
    return withLibrary(
      options,
      async (library) => {
        for (const id of numbers) await library.removeToken(id)
        if (word === 'list') {
          const all = await library.tokens()
          if (options.json) printJson(all)
          else
            printTable(
              all.map((each) => [
                each.id,
                each.scopes.join(','),
                each.lastUsedAt ?? 'never used',
                each.expiresAt ?? '',
                each.name,
              ]),
            )
        } else if (word === 'create') {
          const scopes = options.scope === undefined ? (['read', 'write'] as const) : [options.scope]
          const made = await library.createToken(rest[0]!, [...scopes], options.days)
          if (options.json) printJson(made)
          else print(made.token)
        }
        return 0
      },
      word === 'create',
    )
  },
})

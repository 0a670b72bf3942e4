import { defineCommand, flag, text, UsageError } from '../command.ts'
import { ANYWHERE, ANYWHERE_HELP, addressOf, numberOf, WHERE_HELP, withLibrary, wordOf } from '../library/index.ts'
import { printJson, printTable } from '../library/print.ts'
import { print, printError } from '../terminal.ts'

const EVENTS = ['bookmark.saved', 'bookmark.removed', 'comment.starred', 'import.done']

export const webhook = defineCommand({
  name: 'webhook',
  help: `Usage: kaidoku webhook [OPTION]... [list]
       kaidoku webhook [OPTION]... add URL
       kaidoku webhook [OPTION]... remove NUMBER...
Addresses that are told of what you do. The secret that add prints signs what is sent; it isn't shown again.
Events: ${EVENTS.join(', ')}.

  -e, --event=NAMES   with add: comma between (default all)
  -j, --json          as JSON
${ANYWHERE_HELP}
  -h, --help          show this text

${WHERE_HELP}`,
  options: { event: text, json: flag, ...ANYWHERE },
  async main({ operands, options }) {
    const [word, rest] = wordOf('webhook', operands, ['list', 'add', 'remove'], 'list')
    const url = word === 'add' ? addressOf('webhook add', rest) : ''
    if (word === 'remove' && rest.length === 0)
      throw new UsageError('kaidoku webhook remove: which? kaidoku webhook lists them')
    const numbers = word === 'remove' ? rest.map((each) => numberOf('webhook remove', each, 'a webhook')) : []
    const events = options.event?.split(',').map((each) => each.trim()) ?? EVENTS
    const unknown = events.find((each) => !EVENTS.includes(each))
    if (unknown !== undefined)
      throw new UsageError(`kaidoku webhook: --event: '${unknown}' is not one of ${EVENTS.join(', ')}`)
    return withLibrary(
      options,
      async (library) => {
        for (const id of numbers) await library.removeWebhook(id)
        if (word === 'add') {
          const made = await library.createWebhook(url, events)
          if (options.json) printJson(made)
          else {
            printError(`webhook ${made.id}; its secret:`)
            print(made.secret)
          }
        } else if (word === 'list') {
          const all = await library.webhooks()
          if (options.json) printJson(all)
          else
            printTable(
              all.map((each) => [
                each.id,
                each.active ? '' : 'off',
                each.lastStatus ?? 'never sent',
                each.events.join(','),
                each.url,
              ]),
            )
        }
        return 0
      },
      word === 'add',
    )
  },
})

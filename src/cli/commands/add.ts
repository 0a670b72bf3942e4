import { defineCommand, flag } from '../command.ts'
import { CHANGE, CHANGE_HELP, changeOf, MARKS } from '../library/change.ts'
import { ANYWHERE, ANYWHERE_HELP, addressOf, WHERE_HELP, withLibrary } from '../library/index.ts'
import { printJson } from '../library/print.ts'
import { print } from '../terminal.ts'

export const add = defineCommand({
  name: 'add',
  help: `Usage: kaidoku add [OPTION]... URL
Bookmark a page, or an article (articles/NAME); what is bookmarked already is changed as the options say.

${CHANGE_HELP}
  -p, --private       nobody else sees it
  -l, --read-later    to be read later
  -a, --archive       it is read
  -f, --favourite     a favourite
  -j, --json          what was saved, as JSON
${ANYWHERE_HELP}
  -h, --help          show this text

${WHERE_HELP}
kaidoku fetch URL preserves the page.`,
  options: { ...CHANGE, ...MARKS, json: flag, ...ANYWHERE },
  async main({ operands, options }) {
    const url = addressOf('add', operands)
    return withLibrary(
      options,
      async (library) => {
        const saved = await library.save(url, changeOf(options))
        if (options.json) printJson(saved)
        else print(`${saved.added ? 'added' : 'changed'}: ${url}`)
        return 0
      },
      true,
    )
  },
})

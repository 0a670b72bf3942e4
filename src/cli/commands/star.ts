import { defineCommand, flag, UsageError } from '../command.ts'
import { ANYWHERE, ANYWHERE_HELP, numberOf, WHERE_HELP, withLibrary } from '../library/index.ts'
import { print } from '../terminal.ts'

export const star = defineCommand({
  name: 'star',
  help: `Usage: kaidoku star [OPTION]... COMMENT
Give a star to somebody's comment; kaidoku show URL prints the numbers of comments.

  -u, --undo          take the star back
${ANYWHERE_HELP}
  -h, --help          show this text

${WHERE_HELP}`,
  options: { undo: flag, ...ANYWHERE },
  async main({ operands, options }) {
    if (operands.length !== 1) throw new UsageError('kaidoku star: name one comment by its number')
    const id = numberOf('star', operands[0], 'a comment')
    return withLibrary(options, async (library) => {
      const { stars } = await library.star(id, !options.undo)
      print(`★${stars}`)
      return 0
    })
  },
})

import { readFile } from 'node:fs/promises'
import type { EditedGroup } from '#reading/store'
import { defineCommand, flag, UsageError } from '../command.ts'
import { ANYWHERE, ANYWHERE_HELP, LibraryError, WHERE_HELP, withLibrary, wordOf } from '../library/index.ts'
import { withStore } from '../library/local.ts'
import { printJson, printTable } from '../library/print.ts'
import { print } from '../terminal.ts'

export const keywords = defineCommand({
  name: 'keywords',
  help: `Usage: kaidoku keywords [OPTION]... [list]
       kaidoku keywords [OPTION]... edit FILE
The keyword index: groups, keywords, and how many articles, presentations, papers and others have them.

  -j, --json          the index as JSON
${ANYWHERE_HELP}
  -h, --help          show this text

edit makes the groups what FILE says (- for standard input), as a moderator and not through a server; it is JSON:
[{"names": {"en": "Layer 2", "ja": "レイヤー2"}, "keywords": ["arp", "vlan"]}]

${WHERE_HELP}`,
  options: { json: flag, ...ANYWHERE },
  async main({ operands, options }) {
    const [word, rest] = wordOf('keywords', operands, ['list', 'edit'], 'list')
    if (word === 'list') {
      return withLibrary(options, async (library) => {
        const groups = await library.keywords()
        if (options.json) printJson(groups)
        else {
          for (const group of groups) {
            print(Object.values(group.names).join(' / '))
            printTable(group.keywords.map(({ name, total, counts }) => [`  ${name}`, total, countsOf(counts)]))
          }
        }
        return 0
      })
    }
    if (rest.length !== 1) throw new UsageError('kaidoku keywords edit: name one file')
    if (options.server !== undefined) throw new UsageError('kaidoku keywords edit: not through a server')
    const file = rest[0]!
    const source = await readFile(file === '-' ? '/dev/stdin' : file, 'utf8').catch(unreadable(file))
    const groups = groupsOf(file, source)
    return withStore(options, async ({ store, by }) => {
      await store.keywords.editGroups(by, groups)
      print(`${groups.length} groups`)
      return 0
    })
  },
})

const countsOf = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([medium, count]) => `${medium} ${count}`)
    .join(', ')

const unreadable = (name: string) => (error: NodeJS.ErrnoException) => {
  throw new UsageError(`kaidoku: ${name}: ${error.code === 'ENOENT' ? 'no such file' : error.message}`)
}

function groupsOf(file: string, source: string): EditedGroup[] {
  let value: unknown
  try {
    value = JSON.parse(source)
  } catch (error) {
    throw new LibraryError(`${file}: not JSON: ${(error as Error).message}`)
  }
  const isText = (each: unknown) => typeof each === 'string' && each !== ''
  for (const [i, group] of (Array.isArray(value) ? value : [undefined]).entries()) {
    const { names, keywords } = (group ?? {}) as { names?: Record<string, unknown>; keywords?: unknown }
    const good =
      isText(names?.['en']) && Object.values(names!).every(isText) && Array.isArray(keywords) && keywords.every(isText)
    if (!good)
      throw new LibraryError(`${file}: group ${i + 1}: {"names": {"en": ...}, "keywords": [...]} is what is wanted`)
  }
  // The index as --json prints it is taken too.
  return value as EditedGroup[]
}

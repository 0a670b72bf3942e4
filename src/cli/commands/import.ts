import { readFile } from 'node:fs/promises'
import { databaseFromEnvironment, openStore } from '#reading/store'
import { defineCommand, flag, text, UsageError } from '../command.ts'
import { Progress, paint, print } from '../terminal.ts'

const FILE_MAX = 256 << 20

export const importCommand = defineCommand({
  name: 'import',
  help: `Usage: kaidoku import [OPTION]... FILE...
Take in bookmarks from Netscape bookmarks files, as browsers and bookmark services export them.

  -d, --data=DIR      the database's folder (default data/, or KAIDOKU_DATA)
  -q, --quiet         only the totals
  -h, --help          show this text

DATABASE_URL names a PostgreSQL to use instead of the folder.

Exit status: 0 all taken in, 1 some refused, 2 a file unreadable.`,
  options: { data: text, quiet: flag },
  async main({ operands, options }) {
    if (operands.length === 0) throw new UsageError('kaidoku import: name a bookmarks file')
    const files: { name: string; text: string }[] = []
    for (const name of operands) {
      const bytes = await readFile(name).catch((error: NodeJS.ErrnoException) => {
        throw new UsageError(`kaidoku: ${name}: ${error.code === 'ENOENT' ? 'no such file' : error.message}`)
      })
      if (bytes.length > FILE_MAX) throw new UsageError(`kaidoku: ${name}: over 256 MiB`)
      files.push({ name, text: bytes.toString('utf8') })
    }
    const where = options.data === undefined ? databaseFromEnvironment(process.env) : { folder: options.data }
    const progress = new Progress(files.length)
    progress.show('opening the library')
    const store = await openStore(where)
    let refused = 0
    try {
      for (const { name, text } of files) {
        progress.show(name)
        const report = await store.importNetscape(text)
        progress.step()
        progress.clear()
        refused += report.refused.length
        if (!options.quiet) {
          for (const { line, what } of report.notes) print(`${paint('yellow', `${name}:${line}:`)} ${what}`)
          for (const { line, href, what } of report.refused)
            print(`${paint('red', `${name}:${line}:`)} ${href}: ${what}`)
        }
        print(`${name}: ${report.added} added, ${report.merged} merged, ${report.refused.length} refused`)
      }
    } finally {
      progress.clear()
      await store.close()
    }
    return refused > 0 ? 1 : 0
  },
})

import { readFile } from 'node:fs/promises'
import type { ImportView } from '#reading/store'
import { defineCommand, flag, UsageError } from '../command.ts'
import { LibraryError, LOCAL, LOCAL_HELP, WHERE_HELP } from '../library/index.ts'
import { type Local, withStore } from '../library/local.ts'
import { printJson, safe } from '../library/print.ts'
import { Progress, paint, print, printError } from '../terminal.ts'

const LOOK_MS = 200

export const importCommand = defineCommand({
  name: 'import',
  help: `Usage: kaidoku import [OPTION]... FILE...
Take in bookmarks: browsers' (Netscape HTML), Hatena's, Pocket's, Pinboard's, Raindrop's, Omnivore's, wallabag's,
Karakeep's, Linkwarden's and linkding's files, OPML, and what kaidoku export everything wrote. Which it is is seen.

  -p, --private       private, where the file doesn't say
  -r, --resume        go on with imports that were cut off, in place of a file
  -q, --quiet         only the totals
  -j, --json          the reports as JSON
${LOCAL_HELP}
  -h, --help          show this text

An import that dies goes on where it stopped: with --resume, or when the library is served.
${WHERE_HELP}

Exit status: 0 all taken in, 1 some refused, 2 a file unreadable.`,
  options: { private: flag, resume: flag, quiet: flag, json: flag, ...LOCAL },
  async main({ operands, options }) {
    if (operands.length === 0 && !options.resume) throw new UsageError('kaidoku import: name a bookmarks file')
    const { IMPORT_BYTES_MAX } = await import('#reading/jobs')
    const files: { name: string; bytes: Uint8Array }[] = []
    for (const name of operands) {
      const bytes = await readFile(name).catch((error: NodeJS.ErrnoException) => {
        throw new UsageError(`kaidoku: ${name}: ${error.code === 'ENOENT' ? 'no such file' : error.message}`)
      })
      if (bytes.length === 0) throw new UsageError(`kaidoku: ${name}: the file is empty`)
      if (bytes.length > IMPORT_BYTES_MAX) throw new UsageError(`kaidoku: ${name}: over ${IMPORT_BYTES_MAX >> 20} MiB`)
      files.push({ name, bytes })
    }
    return withStore(
      options,
      async (local) => {
        const { store, by } = local
        const cutOff = new Set(options.resume ? await store.imports.unfinished() : [])
        const ids = (await store.imports.list(by)).filter(({ id }) => cutOff.has(id)).map(({ id }) => id)
        // All are kept before the first begins: a kill loses none.
        for (const { name, bytes } of files)
          ids.push(
            await store.imports.begin(by, {
              format: 'auto',
              fileName: name,
              content: bytes,
              private: options.private ?? false,
            }),
          )
        const reports: ImportView[] = []
        for (const id of ids) reports.push(await takeIn(local, id))
        if (options.json) printJson(reports)
        else for (const report of reports) tell(report, options.quiet ?? false)
        const unreadable = reports.some(({ state }) => state === 'failed')
        return unreadable ? 2 : reports.some(({ refused }) => refused > 0) ? 1 : 0
      },
      true,
    )
  },
})

async function takeIn({ store, by, url }: Local, id: number): Promise<ImportView> {
  const { createBossQueue, createTableQueue, importHandler } = await import('#reading/jobs')
  const queue = url === undefined ? createTableQueue(store) : createBossQueue(url)
  const look = async () => (await store.imports.find(by, id))!
  const { fileName } = await look()
  let progress: Progress | undefined
  let shown = 0
  // Pages are fetched by the server, when it runs.
  const work = importHandler(store, queue, { fetchPages: process.env['KAIDOKU_FETCH'] !== '0' })(
    { kind: 'import', payload: { importId: id }, attempt: 1 },
    new AbortController().signal,
  )
  let over = false
  const ended = work.finally(() => {
    over = true
  })
  ended.catch(() => {})
  while (!over && process.stderr.isTTY) {
    const { done, total } = await look()
    if (total !== undefined) progress ??= new Progress(total)
    for (; shown < done; shown++) progress?.step()
    progress?.show(fileName)
    await Promise.race([ended.catch(() => {}), new Promise((resolve) => setTimeout(resolve, LOOK_MS))])
  }
  try {
    await ended
  } catch (error) {
    throw (error as Error).name === 'Refusal' ? new LibraryError(`${fileName}: ${(error as Error).message}`) : error
  } finally {
    progress?.clear()
    await queue.stop()
  }
  return look()
}

function tell({ fileName, report, added, merged, refused, state, error }: ImportView, quiet: boolean): void {
  if (state === 'failed') {
    printError(`${fileName}: ${error}`)
    return
  }
  if (!quiet)
    for (const { place, url, what } of report)
      print(`${paint('red', `${fileName}: ${place}:`)} ${safe(url)}: ${safe(what)}`)
  print(`${fileName}: ${added} added, ${merged} merged, ${refused} refused`)
}

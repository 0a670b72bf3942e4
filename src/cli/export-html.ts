import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { readArticle } from './articles.ts'
import { UsageError } from './command.ts'
import { printError } from './terminal.ts'

/** Made with the pages; from dist/cli, and from the sources. */
const MAKE = ['../../web/build/standalone/make.js'].map((path) => fileURLToPath(new URL(path, import.meta.url)))

/** Writes an article with its lab as one HTML file that works from disk. */
export async function exportHtml(file: string, out = `${basename(file, '.md')}.html`): Promise<void> {
  await readArticle(file) // What is wrong with it is printed.
  const make = MAKE.find((path) => existsSync(path))
  if (make === undefined)
    throw new UsageError('kaidoku: the pages are not built; `npm start` or `npm run build` builds them')
  const { standaloneFile } = (await import(pathToFileURL(make).href)) as {
    standaloneFile(path: string): Promise<string>
  }
  const html = await standaloneFile(file)
  if (out === '-') process.stdout.write(html)
  else {
    await writeFile(out, html)
    printError(`kaidoku: ${file} with its lab in ${out}, ${(Buffer.byteLength(html) / 1e6).toFixed(1)} MB`)
  }
}

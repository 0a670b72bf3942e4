/** Reading articles from disk, and choosing the backend that runs them. */

import { readFileSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { type Article, parseArticle } from '#article/format'
import type { Backend } from '#article/runner'
import { budgetsOf } from './budgets.ts'
import { UsageError } from './command.ts'
import { paint, printError } from './terminal.ts'

/** A file that is no runnable article: why has been printed. */
export class UnreadableArticle extends Error {
  override readonly name = 'UnreadableArticle'
}

/** Reads one article; what is wrong with it is printed, all of it, and UnreadableArticle is thrown. */
export async function readArticle(file: string): Promise<Article> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (error as Error).message
    printError(`kaidoku: ${file}: ${reason}`)
    throw new UnreadableArticle(file)
  }
  const { article, mistakes } = parseArticle(text, file, {
    readFile: (path) => {
      const target = resolve(dirname(file), path)
      try {
        return readFileSync(target, 'utf8')
      } catch {
        return undefined
      }
    },
  })
  if (mistakes.length === 0) return article
  for (const mistake of mistakes) {
    const { at, what, hint } = mistake
    printError(`${paint('bold', `${at.file}:${at.line}:${at.column}:`, process.stderr)} ${what}; ${hint}`)
  }
  throw new UnreadableArticle(file)
}

/** Articles named, and those in folders named: `.md` files with front matter. */
export async function findArticles(operands: string[]): Promise<string[]> {
  const files: string[] = []
  for (const operand of operands) {
    const found = await stat(operand).catch(() => undefined)
    if (!found?.isDirectory()) {
      files.push(operand)
      continue
    }
    const names = await readdir(operand, { recursive: true })
    for (const name of names.filter((each) => each.endsWith('.md')).sort()) {
      const file = relative('.', join(operand, name))
      // A README beside articles is none: it has no front matter.
      if ((await readFile(file, 'utf8')).startsWith('---')) files.push(file)
    }
  }
  return files
}

export const BACKENDS = ['sim', 'netns', 'qemu'] as const
export type BackendName = (typeof BACKENDS)[number]

/**
 * The backend of that name. `netns` and `qemu` run an article's commands for real, as root: they say so, and ask first
 * unless told --yes. Under qemu they reach nothing but the emulated machine, so without a terminal it goes on.
 * @param budget seconds of real time that one simulated run may take
 */
export async function openBackend(name: BackendName, yes: boolean, budget?: number): Promise<Backend> {
  if (name === 'sim') return (await import('#backend/sim')).createSimBackend({ budgets: () => budgetsOf(budget) })
  const backend =
    name === 'netns'
      ? (await import('#backend/netns')).createNetnsBackend()
      : (await import('#backend/qemu')).createQemuBackend()
  const why = await backend.unavailable()
  if (why) throw new UsageError(`kaidoku: ${name}: ${why}`)
  if (!yes) {
    const what =
      name === 'netns'
        ? "the articles' commands will run as root on this machine, in network namespaces"
        : "the articles' commands will run as root on a Linux that QEMU emulates"
    if (process.stdin.isTTY && process.stderr.isTTY) {
      const ask = createInterface({ input: process.stdin, output: process.stderr })
      const answer = await ask.question(`kaidoku: ${what}. Go on? [y/N] `)
      ask.close()
      if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError('kaidoku: not run')
    } else if (name === 'netns') throw new UsageError(`kaidoku: ${what}; say --yes if that is meant`)
    else printError(`kaidoku: ${what}`)
  }
  return backend
}

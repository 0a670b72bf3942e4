/** Every article in articles/ is a test: two languages that say the same commands, and two runs that are the same bytes. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Article, parseArticle } from '#article/format'
import { type ArticleRun, commandPassed, runArticle, transcriptOf } from '#article/runner'
import { createSimBackend } from '#backend/sim'
import { ROOT } from './sources.ts'

const FOLDER = join(ROOT, 'articles')
const SEEDS = [1, 2, 3, 4, 5]

const files = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.md'))
  .sort()
const originals = files.filter((file) => !file.endsWith('.ja.md'))
const sim = createSimBackend()

function read(file: string): Article {
  const { article, mistakes } = parseArticle(readFileSync(join(FOLDER, file), 'utf8'), file, {
    readFile: (path) => readFileSync(join(FOLDER, path), 'utf8'),
  })
  expect(mistakes.map((mistake) => mistake.message)).toEqual([])
  return article
}

/** What a run leaves. */
function bytesOf(run: ArticleRun) {
  const captures = run.captures.map(({ host, interface: name, frames }) => ({
    name: `${host}-${name}`,
    frames: frames.map(({ s, ns, bytes }) => `${s}.${ns} ${Buffer.from(bytes).toString('hex')}`),
  }))
  return { transcript: JSON.stringify(transcriptOf(run)), captures }
}

/** What an article makes the machines do, and what it says that they print. Positions differ between languages. */
function actsOf(article: Article) {
  return article.blocks.map((block) => {
    if (block.kind === 'file') return { host: block.host, path: block.path, content: block.content }
    const { unordered, nocheck, skip, limitS } = block
    const commands = block.commands.map(({ host, prompt, command, expected }) => ({ host, prompt, command, expected }))
    return { unordered, nocheck, skip, limitS, commands }
  })
}

/** The front matter's lab as it is written: one that is laid out differently is a translation that will drift. */
const labOf = (article: Article) => /^lab:[^\n]*\n(?:[ #][^\n]*\n)*/m.exec(article.text)?.[0]

describe('every article has both languages', () => {
  test.each(originals)('%s', (file) => {
    expect(files).toContain(file.replace(/\.md$/, '.ja.md'))
    expect(read(file).front.lang).toBe('en')
  })

  test.each(files.filter((file) => file.endsWith('.ja.md')))('%s', (file) => {
    const original = file.replace(/\.ja\.md$/, '.md')
    expect(originals).toContain(original)
    const [here, there] = [read(file), read(original)]
    expect(here.front.lang).toBe('ja')
    expect(labOf(here)).toBeDefined()
    expect(labOf(here)).toBe(labOf(there))
    expect(actsOf(here)).toEqual(actsOf(there))
  })
})

describe('every article runs, and runs again to the byte', () => {
  // A translation's acts are its original's, so that its runs would be the same once more.
  test.each(originals.flatMap((file) => SEEDS.map((seed) => ({ file, seed }))))(
    '$file, seed $seed',
    async ({ file, seed }) => {
      const article = read(file)
      const run = await runArticle(sim, article, { seed })
      const differing = run.commands
        .filter((command) => !commandPassed(command))
        .map(({ source, output }) => `${file}:${source.at.line}: ${source.command}\n${output}`)
      expect(differing).toEqual([])
      // Hosts that are there for their machines need no network.
      if (run.captures.length > 0) expect(run.captures.flatMap((capture) => capture.frames).length).toBeGreaterThan(0)
      expect(bytesOf(await runArticle(sim, read(file), { seed }))).toEqual(bytesOf(run))
    },
  )
})

/**
 * One test, every backend: each case is a small article. It must print what it says on all of them, and the simulated
 * packets must be the real kernel's, but for what may differ between two real runs.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Article, parseArticle } from '#article/format'
import { type ArticleRun, type Backend, commandPassed, compareRuns, runArticle } from '#article/runner'
import { createNetnsBackend } from '#backend/netns'
import { createQemuBackend } from '#backend/qemu'
import { createSimBackend } from '#backend/sim'
import { DEPARTURES } from './departures.ts'
import { isRecorded } from './recorded.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))

/** Namespaces run in real time and mostly sleep: this many labs at once. */
const LABS_AT_ONCE = 4
/** How often a case may be tried there in all: a busy machine keeps a timer waiting, and real time can't be held. */
const TRIES_IN_REAL_TIME = 3
/** Under emulation, what a case in a shared guest leaves behind (and the chance that it meets) differs from a guest of its own. */
const TRIES_UNDER_EMULATION = 2

const cases: Article[] = readdirSync(HERE, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.md') && entry.name !== 'README.md')
  .map((entry) => relative(HERE, join(entry.parentPath, entry.name)))
  .sort()
  .map((file) => {
    const { article, mistakes } = parseArticle(readFileSync(join(HERE, file), 'utf8'), file)
    if (mistakes.length > 0) throw new Error(mistakes.map((mistake) => mistake.message).join('\n'))
    return article
  })

/**
 * `KAIDOKU_PART=2/6`: of the cases under emulation, the second of six parts, so that parts can run side by side. What is quick
 * (the simulator, namespaces) belongs to the first.
 */
const [PART = 1, PARTS = 1] = (process.env['KAIDOKU_PART'] ?? '1/1').split('/').map(Number)
/** A tunnel's module gives each namespace that is made afterwards a device of its own, which the others' numbers don't know. */
const loadsTunnels = ({ file }: Article) =>
  /modprobe (ipip|ip_gre|sit)|type (ipip|sit|gre)|ip tunnel|tunl0/.test(readFileSync(join(HERE, file), 'utf8'))
const chosenCases = cases.filter(({ file }) => process.env['KAIDOKU_ALL'] === '1' || !isRecorded(file))
const emulated = [...chosenCases.filter((one) => !loadsTunnels(one)), ...chosenCases.filter(loadsTunnels)]
const inPart = emulated.filter((_, i) => Math.floor((i * PARTS) / emulated.length) === PART - 1)
if (PART === 1 && emulated.length < cases.length) {
  const count = cases.length - emulated.length
  console.log(`skipped: ${count} cases under emulation, recorded from the real kernel (KAIDOKU_ALL=1 runs them too)`)
}

/** The rooms whose cases also run on the machine's own kernel: the others' modules and messages vary with kernels. */
const ANY_KERNEL = /^(arp|ip|neighbour)\//

/** What differs from what a case says, for a message that helps. */
function differences(run: ArticleRun): string[] {
  return run.commands
    .filter((command) => !commandPassed(command))
    .flatMap(({ source, comparison }) => [
      `${source.at.line}: ${source.host}${source.prompt} ${source.command}`,
      ...(comparison?.diff ?? []).filter(({ sign }) => sign !== ' ').map(({ sign, text }) => `${sign} ${text}`),
    ])
}

const simulated = new Map<Article, Promise<ArticleRun>>()
const sim = createSimBackend()
const runSimulated = (article: Article): Promise<ArticleRun> => {
  let run = simulated.get(article)
  if (!run) {
    run = runArticle(sim, article)
    simulated.set(article, run)
  }
  return run
}

if (PART === 1) {
  describe('sim', () => {
    test.each(cases)('$file', async (article) => {
      expect(differences(await runSimulated(article))).toEqual([])
    })
  })
}

test('every departure is a case', () => {
  expect(Object.keys(DEPARTURES).filter((file) => !cases.some((article) => article.file === file))).toEqual([])
})

interface Real {
  name: string
  create(): Backend
  /** For a case that is tried again. */
  again(): Backend
  atOnce: number
  tries: number
  chosen: Article[]
}

const real: Real[] = [
  {
    name: 'qemu',
    create: createQemuBackend,
    again: () => createQemuBackend({ bootEach: true }),
    atOnce: 1,
    tries: TRIES_UNDER_EMULATION,
    chosen: inPart,
  },
]
if (PART === 1) {
  real.push({
    name: 'netns',
    create: createNetnsBackend,
    again: createNetnsBackend,
    atOnce: LABS_AT_ONCE,
    tries: TRIES_IN_REAL_TIME,
    chosen: cases.filter(({ file }) => ANY_KERNEL.test(file)),
  })
}

for (const { name, create, again, atOnce, tries, chosen } of real) {
  const backend = create()
  const why = await backend.unavailable()
  if (why) console.log(`skipped: conformance on ${name}: ${why}`)
  describe.skipIf(why !== undefined)(name, () => {
    const runs = new Map<Article, Promise<ArticleRun>>()

    beforeAll(() => {
      // All are begun, in order, as many at once as it can bear; each test waits for its own.
      const queue = [...chosen]
      const settle = new Map<Article, { resolve: (run: ArticleRun) => void; reject: (error: unknown) => void }>()
      for (const article of chosen) {
        const promise = new Promise<ArticleRun>((resolve, reject) => settle.set(article, { resolve, reject }))
        promise.catch(() => {}) // Its own test says so.
        runs.set(article, promise)
      }
      const work = async () => {
        for (let article = queue.shift(); article; article = queue.shift()) {
          const { resolve, reject } = settle.get(article)!
          await runArticle(backend, article).then(resolve, reject)
        }
      }
      for (let i = 0; i < atOnce; i++) void work()
    })

    afterAll(() => backend.close())

    const complaints = async (article: Article, run: ArticleRun): Promise<string[]> => {
      if (Object.hasOwn(DEPARTURES, article.file)) return differences(run)
      const { commands, packets } = compareRuns(await runSimulated(article), run)
      // Another kernel may say more than the one that is the specification: there the case's own lines decide.
      const lines =
        name === 'qemu'
          ? commands.differences.map(({ source, left, right }) => `${source.command}: ${left} / ${right}`)
          : []
      const frames = packets.differences.map(
        ({ host, interface: iface, side, number, text }) =>
          `${side === 'left' ? 'sim' : name} ${host}:${iface} #${number} ${text}`,
      )
      return [...differences(run), ...lines, ...frames]
    }

    test.each(chosen)('$file', async (article) => {
      let found = await complaints(article, await runs.get(article)!)
      for (let tried = 1; found.length > 0 && tried < tries; tried++) {
        await Promise.allSettled(runs.values()) // Alone this time.
        const own = again()
        try {
          found = await complaints(article, await runArticle(own, article))
        } finally {
          await own.close()
        }
      }
      expect(found).toEqual([])
    })
  })
}

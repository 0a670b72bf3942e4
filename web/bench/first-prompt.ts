/**
 * How long a reader waits for the first prompt of a built article page: milliseconds from DOMContentLoaded until the
 * terminal shows it. One JSON line; `npx tsx web/bench/first-prompt.ts [--article=NAME] [--runs=N] [--articles=FOLDER]`.
 */
import { parseArgs } from 'node:util'
import { FIXTURES, openRoom, unavailable } from '../tests/support/room.ts'

const { values } = parseArgs({
  options: {
    article: { type: 'string', default: 'asking' },
    articles: { type: 'string', default: FIXTURES },
    runs: { type: 'string', default: '7' },
  },
})

if (unavailable) {
  console.error(`first-prompt: ${unavailable}`)
  process.exit(1)
}

const room = await openRoom({ articles: values.articles })
const samples: Record<string, number>[] = []
// The first opening warms the server, as its first reader does; each run is a browser profile that knows nothing.
try {
  for (let run = 0; run <= Number(values.runs); run++) {
    const page = await room.page()
    await page.goto(`/articles/${values.article}`)
    const prompted = () => performance.getEntriesByName('first-prompt').length > 0
    await page.waitForFunction(prompted, undefined, { timeout: 10_000 })
    const sample = await page.evaluate(() => {
      const navigation = performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming
      const zero = navigation.domContentLoadedEventEnd
      const marks = performance.getEntriesByType('mark').map(({ name, startTime }) => [name, startTime - zero] as const)
      return { ...Object.fromEntries(marks), domContentLoaded: zero }
    })
    if (run > 0) samples.push(sample)
    await page.context().close()
  }
} catch (error) {
  console.error(`first-prompt: ${error instanceof Error ? error.message : error}`, room.errors)
  process.exitCode = 1
} finally {
  await room.close()
}

const median = (name: string) => {
  const sorted = samples.map((sample) => sample[name] ?? Number.NaN).sort((a, b) => a - b)
  return Math.round(sorted[sorted.length >> 1]! * 10) / 10
}
const marks = Object.fromEntries(Object.keys(samples[0] ?? {}).map((name) => [name, median(name)]))
const most = Math.round(Math.max(...samples.map((sample) => sample['first-prompt'] ?? Number.NaN)) * 10) / 10
console.log(
  JSON.stringify({
    workload: 'first-prompt',
    article: values.article,
    runs: samples.length,
    first_prompt_ms: median('first-prompt'),
    max_ms: most,
    marks,
    errors: room.errors,
  }),
)

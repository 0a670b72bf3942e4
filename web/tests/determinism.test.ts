/** The same article and the same seed give the same bytes, twice in Node and twice in Chromium. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { describe, expect, test } from 'vitest'
import { runAsText } from '../../src/tidy/run-anywhere.ts'
import { launchBrowser, unavailable } from './support/room.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const articles = readdirSync(`${root}articles`).filter((name) => /^[^.]+\.md$/.test(name))

if (unavailable) console.log(`skipped: Node and Chromium compared: ${unavailable}`)

describe.skipIf(unavailable !== undefined)('Node and Chromium', () => {
  test('give identical transcripts and frames', async () => {
    const bundle = await rolldown({
      input: `${root}src/tidy/run-anywhere.ts`,
      cwd: root,
      platform: 'browser',
      // A library's names of Node's modules, which no command of these articles reaches.
      plugins: [
        {
          name: 'no Node here',
          resolveId: (id) => (id.startsWith('node:') ? '\0none' : null),
          load: (id) => (id === '\0none' ? 'export default {}' : null),
        },
      ],
      shimMissingExports: true,
      onLog: () => {},
    })
    const { output } = await bundle.generate({ format: 'iife', name: 'kaidoku', codeSplitting: false })
    await bundle.close()
    const browser = await launchBrowser()
    try {
      const page = await browser.newPage()
      const errors: string[] = []
      page.on('pageerror', (error) => errors.push(error.message))
      await page.addScriptTag({ content: output[0].code })
      expect(errors).toEqual([])
      for (const name of articles) {
        const text = readFileSync(`${root}articles/${name}`, 'utf8')
        const inBrowser = () =>
          page.evaluate(
            ([source, file]) =>
              (globalThis as unknown as { kaidoku: { runAsText: typeof runAsText } }).kaidoku.runAsText(
                source!,
                file!,
                7,
              ),
            [text, name],
          )
        const [first, second] = [await inBrowser(), await inBrowser()]
        const here = await runAsText(text, name, 7)
        expect(JSON.parse(here).transcript.commands.length).toBeGreaterThan(5)
        expect(await runAsText(text, name, 7)).toBe(here)
        expect(first).toBe(here)
        expect(second).toBe(here)
      }
    } finally {
      await browser.close()
    }
  }, 600_000)
})

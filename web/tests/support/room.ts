/** A built reading room with the fixtures in it, and a browser: for tests, benchmarks and pictures. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { FIXTURES, openServer, unbuilt } from './server.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
)

/** One line that says why no browser test can run, if none can. */
export const unavailable =
  CHROMIUM === undefined ? 'skipped: no chromium in /usr/bin (apt-get install chromium)' : unbuilt

export { FIXTURES }

export interface Room {
  address: string
  browser: Browser
  /** A page in a context of its own, closed with the room; errors of scripts and requests elsewhere are collected. */
  page(options?: BrowserContextOptions): Promise<Page>
  /** What went wrong on any page: each test expects it to be empty. */
  errors: string[]
  close(): Promise<void>
}

/** The system's Chromium, without a window. */
export function launchBrowser(): Promise<Browser> {
  // As root, Chromium's own sandbox can't be had.
  return chromium.launch({
    executablePath: CHROMIUM!,
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  })
}

/** Starts the built server on a free port, with data of its own. */
export async function openRoom(options: { articles?: string; bookmarks?: string } = {}): Promise<Room> {
  const { address, close } = await openServer(
    async (store) => {
      await store.importNetscape(options.bookmarks ?? readFileSync(here('../fixtures/bookmarks.html'), 'utf8'))
    },
    options.articles === undefined ? {} : { articles: options.articles },
  )
  const browser = await launchBrowser()
  const errors: string[] = []
  return {
    address,
    browser,
    errors,
    async page(context = {}) {
      const page = await (await browser.newContext({ baseURL: address, locale: 'en-GB', ...context })).newPage()
      page.on('pageerror', (error) => errors.push(`script: ${error.message}`))
      page.on('console', (message) => message.type() === 'error' && errors.push(`console: ${message.text()}`))
      page.on('request', (request) => {
        if (!/^(data|blob):/u.test(request.url()) && !request.url().startsWith(`${address}/`))
          errors.push(`elsewhere: ${request.url()}`)
      })
      return page
    },
    async close() {
      await browser.close()
      await close()
    },
  }
}

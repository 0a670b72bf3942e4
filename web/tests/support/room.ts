/** A built reading room with the fixtures in it, and a browser: for tests, benchmarks and pictures. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
// By its path: scripts run this too, and the house's names are those of the package above.
import { openStore } from '../../../src/reading/store/index.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
)

/** One line that says why no browser test can run, if none can. */
export const unavailable =
  CHROMIUM === undefined
    ? 'skipped: no chromium in /usr/bin (apt-get install chromium)'
    : existsSync(here('../../build/index.js'))
      ? undefined
      : 'skipped: the reading room isn’t built (npm run build -w web)'

export const FIXTURES = here('../fixtures/articles')

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
  const data = mkdtempSync(join(tmpdir(), 'kaidoku-room-'))
  const store = await openStore({ folder: data })
  await store.importNetscape(options.bookmarks ?? readFileSync(here('../fixtures/bookmarks.html'), 'utf8'))
  await store.close()
  const port = await freePort()
  const server = spawn(process.execPath, [here('../../server.js')], {
    env: {
      ...process.env,
      PORT: String(port),
      HOST: '127.0.0.1',
      KAIDOKU_DATA: data,
      KAIDOKU_ARTICLES: options.articles ?? FIXTURES,
      KAIDOKU_COUNT_QUERIES: '1',
      DATABASE_URL: '',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await listening(server)
  const address = `http://127.0.0.1:${port}`
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
      server.kill('SIGTERM')
      await new Promise((resolve) => (server.exitCode === null ? server.once('exit', resolve) : resolve(undefined)))
      rmSync(data, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}

function listening(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    server.stdout!.on('data', (chunk: Buffer) => chunk.toString().includes('Listening') && resolve())
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
  })
}

/** The built server on a free port of loopback, with data of its own: for tests that ask it without a browser. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
// By its path: scripts run this too, and the house's names are those of the package above.
import { openStore, type Store } from '../../../src/reading/store/index.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** One line that says why no server can be asked, if none can. */
export const unbuilt = existsSync(here('../../build/index.js'))
  ? undefined
  : 'skipped: the reading room isn’t built (npm run build -w web)'

export const FIXTURES = here('../fixtures/articles')

export interface Server {
  address: string
  close(): Promise<void>
}

/** Fills a new library by `seed`, then serves it. */
export async function openServer(
  seed: (store: Store) => Promise<void>,
  options: { articles?: string; env?: Record<string, string> } = {},
): Promise<Server> {
  const data = mkdtempSync(join(tmpdir(), 'kaidoku-room-'))
  const store = await openStore({ folder: data })
  await seed(store)
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
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await listening(server)
  return {
    address: `http://127.0.0.1:${port}`,
    async close() {
      server.kill('SIGTERM')
      await new Promise((resolve) => (server.exitCode === null ? server.once('exit', resolve) : resolve(undefined)))
      rmSync(data, { recursive: true, force: true })
    },
  }
}

/** The status of a POST whose body needn't be read; 'reset' if the server hung up before its answer was. */
export function sendLarge(url: string, headers: Record<string, string>, body: string): Promise<number | 'reset'> {
  return new Promise((resolve) => {
    const length = String(Buffer.byteLength(body))
    const sent = request(url, { method: 'POST', agent: false, headers: { ...headers, 'content-length': length } })
    sent.on('response', (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
    sent.on('error', () => resolve('reset'))
    sent.end(body)
  })
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

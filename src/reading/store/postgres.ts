/** For tests: the stores that a suite runs on. PGlite always; PostgreSQL where Debian's package is and one may begin it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const VERSIONS = '/usr/lib/postgresql'

function findServer(): { bin: string; uid: number } | undefined {
  const version = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a))[0] : undefined
  const uid = Number(spawnSync('id', ['-u', 'postgres'], { encoding: 'utf8' }).stdout || Number.NaN)
  if (version === undefined || !Number.isInteger(uid) || uid === 0 || process.getuid?.() !== 0) return undefined
  return { bin: join(VERSIONS, version, 'bin'), uid }
}

/** Whether a server can be begun here; if not, a suite says so in one line. */
export const hasPostgres = findServer() !== undefined

export interface TemporaryServer {
  url: string
  /** Kills it as a power cut would, and begins it again on the same data. */
  restart(): void
  stop(): void
}

/** Begins a server in a folder of its own, as user postgres, on a free port of loopback: no service is touched. */
export async function startPostgres(): Promise<TemporaryServer> {
  const found = findServer()
  if (!found) throw new Error('no PostgreSQL here: apt-get install postgresql, and be root')
  const folder = mkdtempSync(join(tmpdir(), 'kaidoku-postgres-'))
  chownSync(folder, found.uid, found.uid)
  const run = (program: string, ...args: string[]) =>
    execFileSync(
      'setpriv',
      ['--reuid=postgres', '--regid=postgres', '--clear-groups', join(found.bin, program), ...args],
      { cwd: folder, stdio: 'ignore' },
    )
  const port = await freePort()
  const data = join(folder, 'data')
  const settings = `-k ${folder} -p ${port} -c listen_addresses=127.0.0.1`
  const start = () => run('pg_ctl', '-D', data, '-w', '-l', join(folder, 'log'), '-o', settings, 'start')
  run('initdb', '-D', data, '-E', 'UTF8', '--locale=C.UTF-8', '-A', 'trust')
  start()
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    restart() {
      run('pg_ctl', '-D', data, '-m', 'immediate', 'stop')
      start()
    },
    stop() {
      try {
        run('pg_ctl', '-D', data, '-m', 'immediate', 'stop')
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

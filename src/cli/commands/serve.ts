import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineCommand, integer, text, UsageError } from '../command.ts'
import { paint, print } from '../terminal.ts'

/** From dist/cli to the repository. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export const serve = defineCommand({
  name: 'serve',
  help: `Usage: kaidoku serve [OPTION]...
Serve the reading room: the articles of a folder, and the bookmarks that were imported.

  -p, --port=NUMBER   the port (default 3000, or PORT)
  -H, --host=ADDRESS  where to listen (default 127.0.0.1, or HOST); 0.0.0.0 for everybody
  -a, --articles=DIR  the articles (default this project's articles/, or KAIDOKU_ARTICLES)
  -d, --data=DIR      the database's folder (default data/, or KAIDOKU_DATA)
  -h, --help          show this text

DATABASE_URL names a PostgreSQL to use instead of the folder.`,
  options: { port: integer, host: text, articles: text, data: text },
  async main({ operands, options }) {
    if (operands.length > 0) throw new UsageError(`kaidoku serve: what is '${operands[0]}' for?`)
    const server = `${ROOT}web/server.js`
    if (!existsSync(`${ROOT}web/build/index.js`))
      throw new UsageError('kaidoku: the pages are not built; `npm start` builds them')
    const port = String(options.port ?? process.env['PORT'] ?? 3000)
    const host = options.host ?? process.env['HOST'] ?? '127.0.0.1'
    const taken = await whyNotListen(host, Number(port))
    if (taken) throw new UsageError(`kaidoku: ${host}:${port}: ${taken}`)
    const env: NodeJS.ProcessEnv = { ...process.env, PORT: port, HOST: host }
    if (options.articles !== undefined) env['KAIDOKU_ARTICLES'] = resolve(options.articles)
    if (options.data !== undefined) env['KAIDOKU_DATA'] = resolve(options.data)
    const child = spawn(process.execPath, [server], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const shown = host === '127.0.0.1' || host === '0.0.0.0' ? 'localhost' : host
    let told = false
    child.stdout.on('data', (chunk: Buffer) => {
      if (told) process.stdout.write(chunk)
      else if (/listening/i.test(chunk.toString())) {
        told = true
        void announce()
      }
    })
    // The first page opens the library and takes the articles in; the reader needn't wait for that.
    const announce = async () => {
      const near = host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
      await fetch(`http://${near}:${port}/`).catch(() => {})
      print(`The reading room is open: ${paint('bold', `http://${shown}:${port}`)} (Ctrl-C closes it)`)
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
    return new Promise((done) => {
      child.on('exit', (status, signal) => done(signal ? 0 : (status ?? 1)))
    })
  },
})

/** Why a port can't be listened on, in words; undefined if it can. */
function whyNotListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const reasons: Record<string, string> = {
        EADDRINUSE: 'something else listens there; --port=NUMBER chooses another port',
        EACCES: 'not allowed; --port=NUMBER chooses a port above 1023',
        EADDRNOTAVAIL: 'no address of this machine',
      }
      done(reasons[error.code ?? ''] ?? error.message)
    })
    probe.listen(port, host, () => probe.close(() => done(undefined)))
  })
}

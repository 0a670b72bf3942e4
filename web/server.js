/**
 * Runs the built reading room: `npm run build -w web && node web/server.js`. It listens on loopback until told otherwise
 * (HOST, PORT); articles and data are the repository's until told otherwise (KAIDOKU_ARTICLES, KAIDOKU_DATA, DATABASE_URL).
 */
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

process.env.HOST ||= '127.0.0.1'
process.env.PORT ||= '3000'
process.env.KAIDOKU_ARTICLES ||= here('../articles')
process.env.KAIDOKU_DATA ||= here('../data')
// Files of bookmarks are large; what else is sent is held to less, in src/lib/server/guard.ts. The adapter's own is 512 KiB.
process.env.BODY_SIZE_LIMIT ||= '129M'

// What the Web calls us begins with http:// unless ORIGIN or a proxy's header says otherwise; the adapter would take https.
const OURS = 'x-kaidoku-protocol'
const own = !process.env.ORIGIN && !process.env.PROTOCOL_HEADER
if (own) process.env.PROTOCOL_HEADER = OURS

const { server } = await import('./build/index.js')
if (own) {
  server.server.prependListener('request', (request) => {
    request.headers[OURS] = 'http'
  })
}

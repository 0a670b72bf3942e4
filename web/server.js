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

await import('./build/index.js')

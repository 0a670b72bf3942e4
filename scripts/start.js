/** `npm start`: sets up, builds, and serves the reading room on http://localhost:3000 (PORT and HOST change that). */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { build } from './build.js'
import { root } from './setup.js'

await build(['cli', 'web'])
const server = spawn(process.execPath, [join(root, 'bin', 'kaidoku.js'), 'serve', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => server.kill(signal))
server.on('exit', (status, signal) => process.exit(status ?? (signal ? 130 : 1)))

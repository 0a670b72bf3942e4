/** `npm run kills -- 200`: kills rooms and writers so often on each store, and looks whether anything acknowledged is lost. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from './setup.js'

const kills = process.argv[2] ?? '200'
if (!/^[1-9]\d{0,4}$/.test(kills)) {
  console.error(`kills: '${kills}' is not a number of kills; npm run kills -- 200`)
  process.exit(2)
}
const run = spawnSync(
  join(root, 'node_modules', '.bin', 'vitest'),
  ['run', 'src/reading/jobs/room-kills.test.ts', 'src/reading/jobs/kill.test.ts', 'src/reading/store/kills.test.ts'],
  { cwd: root, stdio: 'inherit', env: { ...process.env, KAIDOKU_KILLS: kills } },
)
process.exit(run.status ?? 1)

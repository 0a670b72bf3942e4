/** `npm run bench -- WORKLOAD --key=value ...`: one JSON line a run, by CPU time. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { build } from './build.js'
import { root } from './setup.js'

await build(process.argv[2] === 'start' ? ['bench', 'cli'] : ['bench'])
// The garbage collector's helpers are left out, so that CPU time is the work of the one thread that is measured.
const run = spawnSync(
  process.execPath,
  ['--single-threaded-gc', '--expose-gc', join(root, 'dist', 'bench', 'main.js'), ...process.argv.slice(2)],
  { stdio: 'inherit' },
)
process.exit(run.status ?? 1)

/** `npm run bench -- WORKLOAD --key=value ...`: one JSON line a run, by CPU time. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { build } from './build.js'
import { root } from './setup.js'

await build(process.argv[2] === 'start' ? ['bench', 'cli'] : ['bench'])
/**
 * What a workload asks of the engine: hosts are made to stay. A small nursery passes them on without a second copy, and a heap
 * that begins large isn't gone through again and again while it grows.
 */
const FLAGS = { idle: ['--min-semi-space-size=1', '--max-semi-space-size=1', '--initial-heap-size=256'] }

// The garbage collector's helpers are left out, so that CPU time is the work of the one thread that is measured.
const run = spawnSync(
  process.execPath,
  [
    '--single-threaded-gc',
    '--expose-gc',
    ...(FLAGS[process.argv[2]] ?? []),
    join(root, 'dist', 'bench', 'main.js'),
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit' },
)
process.exit(run.status ?? 1)

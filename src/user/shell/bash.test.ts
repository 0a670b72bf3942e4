/**
 * Scripts that the real bash and this one run alike, output and status: `golden/*.txt` holds the scripts and what bash 5.2
 * printed. A few are always tried on the real one, if it is here; all with KAIDOKU_LIVE=1, and KAIDOKU_LIVE=record writes
 * the files anew. `golden/differs` lists the scripts that still differ.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { formatOutcome, formatTranscript, parseTranscript } from '#base/testing'
import { type TestHost, testHost } from './testing.ts'

const FOLDER = fileURLToPath(new URL('golden/', import.meta.url))
const DIFFERS = new Set(readFileSync(join(FOLDER, 'differs'), 'utf8').split('\n'))
const LIVE = process.env['KAIDOKU_LIVE'] ?? ''

/** Both streams in one, in order; by `bash -c` in an empty directory. */
function runReal(script: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'kaidoku-'))
  const done = spawnSync('bash', ['-c', 'exec 2>&1; exec bash -c "$1"', 'x', script], {
    encoding: 'utf8',
    cwd: directory,
    input: '',
    env: { PATH: '/usr/sbin:/usr/bin', HOME: '/root', TERM: 'xterm' },
    timeout: 20_000,
  })
  rmSync(directory, { recursive: true })
  return formatOutcome({ stdout: done.stdout.replaceAll(directory, '/work'), status: done.status })
}

const version = spawnSync('bash', ['-c', 'echo $BASH_VERSION'], { encoding: 'utf8' })
const there = version.status === 0 && version.stdout.startsWith('5.2.15')

describe.each(['language', 'mistakes'])('%s', (name) => {
  const path = join(FOLDER, `${name}.txt`)
  const { heading, cases } = parseTranscript(readFileSync(path, 'utf8'))
  if (LIVE === 'record') {
    test('record', () => {
      const recorded = cases.map(({ command }) => ({ command, expected: runReal(command) }))
      writeFileSync(path, formatTranscript(heading, recorded))
    }, 300_000)
    return
  }
  test.skipIf(!there)(
    'is what the real one prints',
    () => {
      for (const { command, expected } of LIVE === '1' ? cases : cases.slice(0, 2))
        expect(runReal(command), command).toBe(expected)
    },
    300_000,
  )

  // One host for all: each script has a shell and a directory of its own.
  let host: TestHost
  let count = 0
  beforeAll(() => {
    host = testHost()
  })
  test.each(cases.map(({ command, expected }) => [command, expected] as const))('%s', async (script, expected) => {
    const run = async () => {
      const directory = `/work${++count}`
      host.host.writeFile('/script', script)
      host.host.writeFile(`${directory}/.keep`, '')
      const { output, status } = await host.run(
        `cd ${directory}; S=$(< /script); unset USER LOGNAME SHELL; bash -c "$S" < /dev/null`,
      )
      return formatOutcome({ stdout: output.replaceAll('.keep\n', '').replaceAll(directory, '/work'), status })
    }
    if (DIFFERS.has(script)) expect(await run(), 'as bash by now: take it out of golden/differs').not.toBe(expected)
    else expect(await run()).toBe(expected)
  })
})

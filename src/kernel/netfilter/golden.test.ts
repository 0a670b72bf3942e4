/**
 * The tools against Debian's: `golden/NAME.txt` says what the real ones print in a fresh network namespace, and the simulated
 * ones must print it too. KAIDOKU_LIVE=record writes the files anew from the commands in them: that is how one adds a case.
 * KAIDOKU_GOLDEN=NAME runs one file alone. `golden/differs` lists the cases that still differ.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { formatOutcome, formatTranscript, parseTranscript } from '#base/testing'
import { type Bench, bench } from './testing.cases.ts'

const FOLDER = fileURLToPath(new URL('golden/', import.meta.url))
const DIFFERS = new Set(readFileSync(join(FOLDER, 'differs'), 'utf8').split('\n'))
const only = process.env['KAIDOKU_GOLDEN']
const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => name.slice(0, -4))
  .filter((name) => only === undefined || only.split(',').includes(name))
  .sort()

/** Every command in one namespace of its own, one after another. */
function runReal(commands: string[]): string[] {
  const namespace = `kaidoku-${process.pid}`
  const sh = (command: string) =>
    spawnSync('ip', ['netns', 'exec', namespace, 'bash', '-c', command], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
      cwd: '/tmp',
      env: { PATH: '/usr/sbin:/usr/bin', HOME: '/root', LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    })
  spawnSync('ip', ['netns', 'add', namespace])
  try {
    return commands.map((command) => formatOutcome(sh(command)))
  } finally {
    spawnSync('ip', ['netns', 'del', namespace])
  }
}

describe.each(names)('%s', (name) => {
  const path = join(FOLDER, `${name}.txt`)
  const { heading, cases } = parseTranscript(readFileSync(path, 'utf8'))
  if (process.env['KAIDOKU_LIVE'] === 'record') {
    test('record', () => {
      const outcomes = runReal(cases.map(({ command }) => command))
      const recorded = cases.map(({ command }, i) => ({ command, expected: outcomes[i]! }))
      writeFileSync(path, formatTranscript(heading, recorded))
    }, 300_000)
    return
  }
  let host: Bench
  beforeAll(async () => {
    host = await bench()
  }, 60_000)
  test.each(cases.map(({ command, expected }, i) => [i + 1, command, expected] as const))(
    '%i %s',
    async (_number, command, expected) => {
      const got = await host.run(command).then(formatOutcome, (error: unknown) => String(error))
      if (DIFFERS.has(`${name} $ ${command}`)) {
        expect(got, 'as the real one by now: take it out of golden/differs').not.toBe(expected)
      } else expect(got).toBe(expected)
    },
  )
})

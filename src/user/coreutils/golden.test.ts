/**
 * The tools against Debian's: `golden/TOOL.txt` says what the real ones print, and the simulated ones must print it too.
 * A few commands are always tried on the real ones, if they are here; all with KAIDOKU_LIVE=1. KAIDOKU_LIVE=record writes
 * the files anew from the commands in them: that is how one adds a case. `golden/differs` lists the cases that still differ.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { formatOutcome, formatTranscript, parseTranscript } from '#base/testing'
import { type ToolHost, toolHost } from './testing.ts'

const FOLDER = fileURLToPath(new URL('golden/', import.meta.url))
const SETUP = readFileSync(join(FOLDER, 'setup.sh'), 'utf8')
/** What is known to differ, or isn't modelled: kept beside the rest, so that the list can only shrink. */
const DIFFERS = new Set(readFileSync(join(FOLDER, 'differs'), 'utf8').split('\n'))
const LIVE = process.env['KAIDOKU_LIVE'] ?? ''
const ALWAYS_LIVE = ['cat', 'cut', 'ls']
const only = process.env['KAIDOKU_GOLDEN']

const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => name.slice(0, -4))
  .filter((name) => only === undefined || only.split(',').includes(name))
  .sort()

const real = (command: string, cwd: string) =>
  spawnSync('bash', ['-c', command], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      USER: 'root',
      LOGNAME: 'root',
      SHELL: '/bin/bash',
      TERM: 'xterm',
      LC_ALL: 'C.UTF-8',
      TZ: 'UTC',
    },
  })

/** Every command in the same directory, one after another. */
function runReal(commands: string[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'kaidoku-'))
  try {
    const made = real(SETUP, directory)
    if (made.status !== 0) throw new Error(made.stderr)
    return commands.map((command) => formatOutcome(real(command, directory)).replaceAll(directory, '/work'))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const debian = spawnSync('ls', ['--version'], { encoding: 'utf8' })
const there = debian.status === 0 && debian.stdout.startsWith('ls (GNU coreutils) 9.1') && process.getuid?.() === 0

describe.each(names)('%s', (name) => {
  const path = join(FOLDER, `${name}.txt`)
  const { heading, cases } = parseTranscript(readFileSync(path, 'utf8'))
  if (LIVE === 'record') {
    test('record', () => {
      const outcomes = runReal(cases.map(({ command }) => command))
      const recorded = cases.map(({ command }, i) => ({ command, expected: outcomes[i]! }))
      writeFileSync(path, formatTranscript(heading, recorded))
    }, 120_000)
    return
  }
  test.skipIf(!there || !(LIVE === '1' || ALWAYS_LIVE.includes(name)))(
    'is what the real ones print',
    () => {
      const chosen = LIVE === '1' ? cases : cases.slice(0, 5)
      const outcomes = runReal(chosen.map(({ command }) => command))
      expect(outcomes).toEqual(chosen.map(({ expected }) => expected))
    },
    120_000,
  )

  let tools: ToolHost
  beforeAll(async () => {
    tools = await toolHost(SETUP)
  }, 60_000)
  test.each(cases.map(({ command, expected }) => [command, expected] as const))('%s', async (command, expected) => {
    const got = await tools.run(command).then(formatOutcome, (error: unknown) => String(error))
    if (DIFFERS.has(`${name} $ ${command}`))
      expect(got, 'as the real one by now: take it out of golden/differs').not.toBe(expected)
    else expect(got).toBe(expected)
  })
})

/** Every script on the simulated kernel: what the real one was seen to do. */
import { relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DEPARTURES } from './departures.ts'
import { readScripts, SCRIPTS } from './scripts.ts'
import { runSimulated } from './sim.ts'
import { differencesOf } from './transcript.ts'

const scripts = readScripts().map((script) => ({ name: relative(SCRIPTS, script.file).replace(/\.tcp$/, ''), script }))

describe('as on Linux 6.1', () => {
  test.each(scripts)('$name', async ({ name, script }) => {
    const differences = differencesOf(script, await runSimulated(script))
    if (DEPARTURES[name] === undefined) expect(differences, script.summary).toEqual([])
    else expect(differences, `${name} agrees now: take it off departures.ts`).not.toEqual([])
  })
})

test('a departure is of a script that there is', () => {
  const names = new Set(scripts.map(({ name }) => name))
  expect(Object.keys(DEPARTURES).filter((name) => !names.has(name))).toEqual([])
})

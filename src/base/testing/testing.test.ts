import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expectGolden, forSeeds } from './index.ts'

test('a failure says its seed, and a seed always gives the same', () => {
  const drawn: number[] = []
  forSeeds(3, (random, seed) => {
    drawn[seed] = random.uint32()
  })
  forSeeds(3, (random, seed) => {
    expect(random.uint32()).toBe(drawn[seed])
  })
  if (process.env['KAIDOKU_SEED'] !== undefined) return
  expect(() => forSeeds(9, (_, seed) => expect(seed).toBeLessThan(5))).toThrow(/^seed 5: /)
})

test('a golden file says the first line that differs', () => {
  if (process.env['KAIDOKU_ACCEPT'] === '1') return
  const directory = mkdtempSync(join(tmpdir(), 'kaidoku-golden-'))
  try {
    const path = join(directory, 'expected.txt')
    writeFileSync(path, 'one\ntwo\n')
    expectGolden(path, 'one\ntwo\n')
    expect(() => expectGolden(path, 'one\n2\n')).toThrow(/expected\.txt:2: differs.*\n- two\n\+ 2$/)
    expect(() => expectGolden(join(directory, 'none'), '')).toThrow('no such golden file')
  } finally {
    rmSync(directory, { recursive: true })
  }
})

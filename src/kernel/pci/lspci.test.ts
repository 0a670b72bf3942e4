/** What the real lspci 3.9.0 prints of fifteen machines' dumps (`lspci -F`), option by option. */
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { readRecords } from '#backend/qemu'
import { runLspci } from './lspci/lspci.ts'
import { pciIds } from './lspci/program.ts'

const { said } = readRecords(fileURLToPath(new URL('golden/lspci.json.gz', import.meta.url)))

function lspci(text: string, words: string) {
  return runLspci({
    argv: ['lspci', '-F', 'dump', ...words.split(' ').filter((word) => word !== '')],
    file: (path) => (path === 'dump' ? { ok: true, text } : { ok: false, why: 'No such file or directory' }),
    machine: () => [],
    ids: pciIds,
    udev: true,
  })
}

describe.each(Object.keys(said))('%s', (name) => {
  const { dump = '', ...outputs } = said[name]!
  test.each(Object.keys(outputs))('lspci %s', (words) => {
    expect(lspci(dump, words)).toEqual({ stdout: outputs[words], stderr: '', status: 0 })
  })
})

test.each([
  ['-F nothing', 'lspci: dump: Cannot open nothing: No such file or directory\n'],
  ['-s 100:', 'lspci: -s: Invalid bus number\n'],
  ['-d 8086', 'lspci: -d: At least two fields must be given\n'],
])('mistakes: %s', (words, stderr) => {
  expect(lspci('', words)).toEqual({ stdout: '', stderr, status: 1 })
})

test('a dump is read as it stands', () => {
  const bytes = `00: ${'11 '.repeat(16).trim()}\n`
  expect(lspci(`${bytes}00:00.0 x\n00: 86 80 zz\n`, '').stderr).toBe('lspci: dump: Malformed line\n')
  expect(lspci('00:00.0 x\n00: 86 80', '').stderr).toBe('lspci: dump: line too long or unterminated\n')
})

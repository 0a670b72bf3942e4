/**
 * Filters against tshark: which frames of a capture pass, and which filters are none. Recorded, since tshark takes half a
 * second for each; `KAIDOKU_ACCEPT=1` asks it anew, where it is installed.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { Dissector, FIELDS } from '#wire/dissect'
import { readCapture } from '#wire/pcap'
import { FILTERS } from './filters.cases.ts'
import { compileFilter, completeFilter } from './index.ts'

const CAPTURE = fileURLToPath(new URL('../dissect/golden/lab.pcap', import.meta.url))
const RECORDED = fileURLToPath(new URL('golden/tshark.txt', import.meta.url))

if (process.env['KAIDOKU_ACCEPT'] === '1' && existsSync('/usr/bin/tshark')) {
  const lines = FILTERS.map((filter) => {
    const run = spawnSync('tshark', ['-r', CAPTURE, '-T', 'fields', '-e', 'frame.number', '-Y', filter], {
      encoding: 'utf8',
    })
    return `${filter}\t${run.status === 0 ? run.stdout.trim().split('\n').join(' ') : 'refused'}\n`
  })
  writeFileSync(RECORDED, lines.join(''))
}

const dissector = new Dissector()
const frames = readCapture(readFileSync(CAPTURE)).frames.map(({ interface: _, ...frame }) => dissector.next(frame))
const recorded = readFileSync(RECORDED, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t') as [string, string])

describe('as tshark 4.0 decides', () => {
  test('all of them were asked', () => {
    expect(recorded.map(([filter]) => filter)).toEqual(FILTERS)
  })

  test.each(recorded)('%s', (filter, wanted) => {
    const made = compileFilter(filter)
    if ('mistake' in made) expect('refused', made.mistake.what).toBe(wanted)
    else {
      const passed = frames.filter((frame) => made.filter(frame)).map(({ number }) => number)
      expect(passed.join(' ')).toBe(wanted)
    }
  })
})

describe('mistakes say where', () => {
  test.each([
    ['nosuch.field', 0, 12, 'neither a field nor a protocol'],
    ['tcp.prot == 80', 0, 8, 'did you mean tcp.port'],
    ['ip.src == foo', 10, 3, 'not a valid IPv4 address'],
    ['tcp.port in {80 443}', 16, 3, 'unexpected'],
    ['arp and', 7, 1, 'something must follow'],
    ['ip.ttl == 64 $', 13, 1, 'means nothing'],
    ['http contains "GET', 14, 4, 'no end'],
    ['http matches "("', 13, 3, ''],
    ['10.0.0.1 == ip.src', 0, 8, 'to the left'],
    ['len(tcp', 7, 1, 'missing'],
  ])('%s', (filter, at, length, what) => {
    const made = compileFilter(filter)
    expect(made).toMatchObject({ mistake: { at, length } })
    expect('mistake' in made && made.mistake.what).toContain(what)
  })
})

test('an empty filter lets everything pass', () => {
  const made = compileFilter('  ')
  expect('filter' in made && frames.every((frame) => made.filter(frame))).toBe(true)
})

test('names are completed, with what they are called', () => {
  expect(completeFilter('tcp.fl', 6).candidates[0]).toEqual({ text: 'tcp.flags', label: 'Flags' })
  expect(completeFilter('arp && ip.ad', 12)).toMatchObject({ from: 7, to: 12, candidates: [{ text: 'ip.addr' }] })
  expect(completeFilter('http contains "ge', 17).candidates).toEqual([])
  expect(completeFilter('', 0).candidates).toEqual([])
})

test('no text throws, and every name can be asked for', () => {
  for (const name of FIELDS.keys()) expect(compileFilter(name), name).toHaveProperty('filter')
  const pieces = [
    ...FILTERS.flatMap((filter) => filter.split(/(?=[ =!&|()[\]{}])/u)),
    '"',
    '\\',
    '[',
    '-1',
    '..',
    '#',
    '~',
  ]
  forSeeds(3000, (random) => {
    const text = Array.from({ length: random.below(8) }, () => pieces[random.below(pieces.length)]).join('')
    const made = compileFilter(text)
    if ('filter' in made) for (const frame of frames.slice(0, 3)) made.filter(frame)
    else {
      expect(made.mistake.at).toBeLessThanOrEqual(text.length)
      expect(made.mistake.what).not.toBe('')
    }
  })
})

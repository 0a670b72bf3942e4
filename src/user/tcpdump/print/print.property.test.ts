import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NotModelled } from '#base/check'
import { RandomStream } from '#base/sim'
import { expectGolden, forSeeds } from '#base/testing'
import { LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL2, PcapWriter, readCapture } from '#wire/pcap'
import { cookedHeader } from '../cooked.ts'
import { likelyFrame } from '../corpus.cases.ts'
import { labFrame } from '../lab-corpus.cases.ts'
import { type FormatOptions, FrameFormatter, type Stamped } from './format.ts'
import type { PrintNames } from './printer.ts'

const NONE: PrintNames = {
  host: () => undefined,
  host6: () => undefined,
  port: () => undefined,
  interface: () => undefined,
}
const COMBINATIONS = [
  '',
  'e',
  'v',
  'vv',
  'vvv',
  'ev',
  'q',
  'qe',
  'qv',
  'evvv',
  't',
  'tt',
  'ttt',
  'tttt',
  'ttttt',
  'tx',
  'txx',
  'tX',
  'tXX',
  'tA',
  'tAA',
  'S',
  'Svv',
  'vK',
  '#',
  'teq',
]
const installed = spawnSync('tcpdump', ['--version']).status === 0

function optionsOf(letters: string, linkType: number): FormatOptions {
  const count = (letter: string) => [...letters].filter((other) => other === letter).length
  return {
    linkType,
    link: count('e') > 0,
    verbose: count('v'),
    quiet: count('q') > 0,
    numeric: true,
    absolute: count('S') > 0,
    noChecksums: count('K') > 0,
    hasDump: count('x') + count('X') + count('q') > 0,
    stamps: count('t'),
    nanosecond: false,
    numbers: count('#') > 0,
    hex: count('x'),
    hexAscii: count('X'),
    ascii: count('A'),
  }
}

/** Frames that are modelled: the others stop a run, and say so. */
function corpus(
  seed: number,
  count: number,
  cooked: boolean,
  frameOf = likelyFrame,
): { file: Uint8Array; linkType: number } {
  const random = new RandomStream(seed, 'corpus')
  const linkType = cooked ? LINKTYPE_LINUX_SLL2 : LINKTYPE_ETHERNET
  const writer = new PcapWriter({ nanosecond: false, linkType })
  let written = 0
  while (written < count) {
    let bytes = frameOf(random)
    if (cooked) {
      const type = (bytes[12]! << 8) | bytes[13]!
      const header = cookedHeader(type <= 1500 ? 4 : type, 1001 + (written % 3) * 10, written % 6, 0x020000000100)
      bytes = Uint8Array.from([...header, ...bytes.subarray(14)])
    }
    const frame = { s: 0, ns: 0, bytes, length: bytes.length }
    try {
      for (const letters of ['vvv', 'v', '']) new FrameFormatter(optionsOf(letters, linkType), NONE).format(frame)
    } catch (error) {
      if (error instanceof NotModelled) continue
      throw error
    }
    writer.writeBytes(1_767_225_600 + written * 100, written * 7000, bytes, bytes.length + (written % 9 === 0 ? 3 : 0))
    written++
  }
  return { file: writer.bytes(), linkType }
}

function printed(file: Uint8Array, letters: string): string {
  const capture = readCapture(file)
  const formatter = new FrameFormatter(optionsOf(letters, capture.interfaces[0]!.linkType), NONE)
  return capture.frames
    .map(({ s, ns, bytes, originalLength }) => formatter.format({ s, ns, bytes, length: originalLength }))
    .join('')
}

function reallyPrinted(file: Uint8Array, letters: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'kaidoku-tcpdump-'))
  try {
    const path = join(directory, 'frames.pcap')
    writeFileSync(path, file)
    const run = spawnSync('tcpdump', ['-r', path, '-n', ...(letters ? [`-${letters}`] : [])], {
      maxBuffer: 2 ** 28,
      env: { ...process.env, TZ: 'UTC' },
    })
    return run.stdout.toString('latin1')
  } finally {
    rmSync(directory, { recursive: true })
  }
}

// The golden lines are the real tcpdump's (4.99.3): KAIDOKU_ACCEPT=1 asks it anew.
describe.each(COMBINATIONS)('-n%s', (letters) => {
  test('prints what tcpdump printed', () => {
    const place = (name: string) => new URL(`golden/${name}`, import.meta.url)
    const accept = process.env['KAIDOKU_ACCEPT'] === '1'
    if (accept && letters === '') writeFileSync(place('frames.pcap'), corpus(1, 150, false).file)
    const file = Uint8Array.from(readFileSync(place('frames.pcap')))
    const name =
      letters === ''
        ? 'plain'
        : letters.replace('#', 'number').replace(/[A-Z]+/g, (upper) => `upper-${upper.toLowerCase()}`)
    expectGolden(place(`${name}.txt`), accept ? reallyPrinted(file, letters) : printed(file, letters))
  })
})

describe.each(['', 'e', 'v', 'vv', 'evvv'])('what labs carry, -n%s', (letters) => {
  test('prints what tcpdump printed', () => {
    const place = (name: string) => new URL(`golden/${name}`, import.meta.url)
    const accept = process.env['KAIDOKU_ACCEPT'] === '1'
    if (accept && letters === '') writeFileSync(place('labs.pcap'), corpus(4, 120, false, labFrame).file)
    const file = Uint8Array.from(readFileSync(place('labs.pcap')))
    expectGolden(
      place(`labs-${letters || 'plain'}.txt`),
      accept ? reallyPrinted(file, letters) : printed(file, letters),
    )
  })
})

describe.skipIf(!installed)('beside the real tcpdump', () => {
  test.each([false, true])('other frames, cooked: %s', (cooked) => {
    const { file } = corpus(
      Number(process.env['KAIDOKU_SEED'] ?? 2),
      Number(process.env['KAIDOKU_FUZZ'] ?? 400),
      cooked,
    )
    expectSame(file, ['e', 'vvv', 'tXX', 'qv'])
  })

  test.each([false, true])('what labs carry, cooked: %s', (cooked) => {
    const seed = Number(process.env['KAIDOKU_SEED'] ?? 3)
    const { file } = corpus(seed, Number(process.env['KAIDOKU_FUZZ'] ?? 400), cooked, labFrame)
    expectSame(file, ['', 'e', 'v', 'vv', 'evvv', 'q', 'tA'])
  })

  function expectSame(file: Uint8Array, combinations: readonly string[]): void {
    for (const letters of combinations) {
      const [ours, real] = [printed(file, letters).split('\n'), reallyPrinted(file, letters).split('\n')]
      const at = ours.findIndex((line, i) => line !== real[i])
      if (at >= 0) expect(`-${letters} line ${at}: ${ours[at]}`).toBe(`-${letters} line ${at}: ${real[at]}`)
      expect(ours.length).toBe(real.length)
    }
  }
})

test('no bytes throw anything but NotModelled', () => {
  const formatters = ['', 'evvv', 'qX', 'tA'].flatMap((letters) => [
    new FrameFormatter(optionsOf(letters, LINKTYPE_ETHERNET), NONE),
    new FrameFormatter(optionsOf(letters, LINKTYPE_LINUX_SLL2), NONE),
  ])
  let lines = 0
  forSeeds(1_500, (random) => {
    const bytes =
      random.below(4) === 0
        ? random.bytes(random.below(80))
        : random.below(2) === 0
          ? labFrame(random)
          : likelyFrame(random)
    const frame: Stamped = { s: 1, ns: 2, bytes, length: bytes.length + random.below(2) * random.below(100) }
    for (const formatter of formatters) {
      try {
        lines += formatter.format(frame).length > 0 ? 1 : 0
      } catch (error) {
        if (!(error instanceof NotModelled)) throw error
      }
    }
  })
  expect(lines).toBeGreaterThan(0)
})

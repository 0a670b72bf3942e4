/** Two runs of one article, made by hand. */
import { describe, expect, test } from 'vitest'
import { parseArticle } from '#article/format'
import { ETH_P_IP, emitFrame, IPPROTO_UDP, Packet } from '#wire/inet'
import { type ArticleRun, compareRuns, formatTotals } from './index.ts'

const BODY = `---
title: T
lab: { networks: { lan: {} }, hosts: { a: { eth0: lan 10.0.0.1/24 } } }
---
\`\`\`console
a# one
\`\`\`
\`\`\`console unordered
a# two
\`\`\`
\`\`\`console nocheck
a# free
\`\`\`
\`\`\`console skip=kernel
a# simulated
\`\`\`
\`\`\`console
a# open
first
...
\`\`\`
`
const { article } = parseArticle(BODY, 'x.md', { readFile: () => undefined })

interface Frame {
  at: number
  port?: number
  text?: string
}

function runOf(
  outputs: Record<string, string>,
  frames: Frame[] = [],
  statuses: Record<string, number> = {},
): ArticleRun {
  const commands = article.blocks.flatMap((block) =>
    block.kind === 'console'
      ? block.commands
          .filter((source) => outputs[source.command] !== undefined)
          .map((source) => ({
            source,
            block,
            comparison: undefined,
            at: 0,
            took: 0,
            status: statuses[source.command] ?? 0,
            output: outputs[source.command]!,
            timedOut: false,
          }))
      : [],
  )
  const captured = frames.map(({ at, port = 33_000, text = '' }) => {
    const payload = new TextEncoder().encode(text)
    const packet = Object.assign(new Packet(), {
      etherType: ETH_P_IP,
      protocol: IPPROTO_UDP,
      macSrc: 0x020000000100,
      macDst: 0x020000000200,
      srcPort: port,
      dstPort: 53,
      buffer: payload,
      length: payload.length,
    })
    return { s: Math.floor(at), ns: Math.round((at % 1) * 1e9), bytes: emitFrame(packet).slice() }
  })
  const captures = [{ host: 'a', interface: 'eth0', frames: captured }]
  return { article, backend: 'sim', kernel: '', seed: 1, start: 0, commands, skipped: 0, captures }
}

describe('commands', () => {
  const differences = (left: ArticleRun, right: ArticleRun) =>
    compareRuns(left, right).commands.differences.map(({ source, left: x, right: y }) => [source.command, x, y])

  test('line by line, and the exit status', () => {
    const left = runOf({ one: 'a\nb\nc\n' })
    expect(differences(left, runOf({ one: 'a\nx\nc\n' }))).toEqual([['one', 'b', 'x']])
    expect(differences(left, runOf({ one: 'a\nb\n' }))).toEqual([['one', 'c', undefined]])
    expect(differences(left, runOf({ one: 'a\nb\nc\n' }, [], { one: 1 }))).toEqual([
      ['one', 'exit status 0', 'exit status 1'],
    ])
    expect(formatTotals(compareRuns(left, left))).toBe('commands equal 1/1, packets equal 0/0')
  })

  test('in any order only where the block says so', () => {
    expect(differences(runOf({ two: 'a\nb\n' }), runOf({ two: 'b\na\n' }))).toEqual([])
    expect(differences(runOf({ one: 'a\nb\n' }), runOf({ one: 'b\na\n' }))).toHaveLength(2)
    const clocks = (x: string, y: string) => runOf({ two: `12:00:0${x}.000001 IP a\n12:00:0${y}.000002 IP b\n` })
    expect(differences(clocks('1', '2'), clocks('2', '1'))).toEqual([])
  })

  test('a nocheck block’s output doesn’t count, its status does', () => {
    expect(differences(runOf({ free: 'a\n' }), runOf({ free: 'b\n' }))).toEqual([])
    expect(differences(runOf({ free: '' }), runOf({ free: '' }, [], { free: 2 }))).toHaveLength(1)
  })

  test('what one side skipped isn’t counted', () => {
    const result = compareRuns(runOf({ one: 'a\n', simulated: 'x\n' }), runOf({ one: 'a\n' }))
    expect(formatTotals(result)).toBe('commands equal 1/1, packets equal 0/0')
  })

  test('how many lines stand for `...` is left open; as many are compared', () => {
    expect(differences(runOf({ open: 'first\n2\n' }), runOf({ open: 'first\n2\n3\n' }))).toEqual([])
    expect(differences(runOf({ open: 'first\nup\n' }), runOf({ open: 'first\ndown\n' }))).toHaveLength(1)
  })
})

describe('packets', () => {
  const totals = (left: Frame[], right: Frame[]) => {
    const { equal, total, differences } = compareRuns(runOf({}, left), runOf({}, right)).packets
    return [equal, total, differences.map(({ side, number }) => `${side} ${number}`).join()]
  }
  const at = (time: number, text: string): Frame => ({ at: time, text })

  test('in order, whatever the clock says', () => {
    expect(totals([at(1, 'a'), at(2, 'b')], [at(7, 'a'), at(8, 'b')])).toEqual([2, 2, ''])
    expect(totals([at(1, 'a')], [at(1, 'b')])).toEqual([0, 1, 'left 1,right 1'])
    expect(totals([], [])).toEqual([0, 0, ''])
  })

  test('one too many, one too few', () => {
    expect(totals([at(1, 'a'), at(2, 'b'), at(3, 'c')], [at(1, 'a'), at(3, 'c')])).toEqual([2, 3, 'left 2'])
    expect(totals([at(1, 'a')], [at(1, 'a'), at(1.1, 'a')])).toEqual([1, 2, 'right 2'])
  })

  test('may change places within 20 ms, and not beyond', () => {
    expect(totals([at(1, 'a'), at(1.01, 'b')], [at(1, 'b'), at(1.01, 'a')])).toEqual([2, 2, ''])
    const [equal, total] = totals([at(1, 'a'), at(1.5, 'b')], [at(1, 'b'), at(1.5, 'a')])
    expect([equal, total]).toEqual([1, 2])
  })

  test('a port has one name over the whole run', () => {
    const run = (...ports: number[]): Frame[] => ports.map((port, i) => ({ at: i, port }))
    expect(totals(run(33_000, 33_001, 33_000), run(50_000, 40_000, 50_000))).toEqual([3, 3, ''])
    expect(totals(run(33_000, 33_001, 33_000), run(50_000, 40_000, 40_000))[0]).toBe(2)
  })

  test('an interface that the other side lacks is all different', () => {
    const left = runOf({}, [at(1, 'a')])
    expect(compareRuns(left, { ...left, captures: [] }).packets).toMatchObject({ equal: 0, total: 1 })
  })
})

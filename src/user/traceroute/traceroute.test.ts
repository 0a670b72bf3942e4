import { describe, expect, test } from 'vitest'
import { TRACEROUTE_HELP } from './help.ts'
import { isoTime } from './mtr.ts'
import { Hop, type Report, tableReport } from './mtr-report.ts'
import { defaultOptions, parseTraceroute } from './options.ts'
import { hopsOfTtl, markOf, newProbe, settleExpired, waitFor } from './probe.ts'
import { hopsBack, hostColumn, milliseconds } from './tracepath.ts'

const parse = (line: string) => parseTraceroute(['traceroute', ...line.split(' ').filter((word) => word !== '')])

describe('options of traceroute', () => {
  test('with values in the same word or the next', () => {
    expect(parse('-nm3 -q 1 --first=2 b 100')).toMatchObject({
      numeric: true,
      maxTtl: 3,
      queries: 1,
      firstTtl: 2,
      host: 'b',
      packetLength: 100,
    })
  })

  test('one wait alone is fixed', () => {
    expect(parse('-w 2 b')).toMatchObject({ maxWaitS: 2, hereFactor: 0, nearFactor: 0 })
    expect(parse('-w 2,1,4 b')).toMatchObject({ maxWaitS: 2, hereFactor: 1, nearFactor: 4 })
  })

  test.each([
    ['-x', "Bad option `-x' (argc 1)\n"],
    ['-nz', "Option `-z' (argc 1) requires an argument: `-z sendwait'\n"],
    ['-m x b', "Cannot handle `-m' option with arg `x' (argc 2)\n"],
    ['-zx b', "Cannot handle `-z' option with arg `x' (argc 1)\n"],
    ['b 12x', 'Cannot handle "packetlen" cmdline arg `12x\' on position 2 (argc 2)\n'],
    ['-f 40 b', 'first hop out of range\n'],
  ])('%s', (line, text) => {
    expect(parse(line)).toEqual({ text, status: 2 })
  })

  test('none at all: help, and it is no mistake', () => {
    expect(parse('')).toEqual({ text: TRACEROUTE_HELP, status: 0 })
  })
})

test('marks of ICMP errors', () => {
  expect(markOf(11, 0, 0)).toBeUndefined()
  expect([markOf(3, 3, 0), markOf(3, 1, 0), markOf(3, 13, 0), markOf(3, 4, 1400)]).toEqual(['', '!H', '!X', '!F-1400'])
  expect(markOf(12, 0, 0)).toBe('!<12-0>')
})

test('hops of a TTL', () => {
  expect([hopsOfTtl(64), hopsOfTtl(62), hopsOfTtl(128), hopsOfTtl(255)]).toEqual([1, 3, 1, 1])
  expect([hopsBack(62), hopsBack(254)]).toEqual([3, 2])
})

test('a wait depends on what others of the hop took', () => {
  const options = defaultOptions()
  const probes = Array.from({ length: 9 }, newProbe)
  expect(waitFor(probes, 1, options)).toBe(5)
  Object.assign(probes[0]!, { done: true, sentAt: 1, receivedAt: 1.01 })
  expect(waitFor(probes, 1, options)).toBeCloseTo(0.033)
})

test("an error that came for a later probe is taken for this one's", () => {
  const probes = Array.from({ length: 3 }, newProbe)
  Object.assign(probes[0]!, { done: true, sentAt: 1 })
  Object.assign(probes[1]!, { done: true, final: true, sentAt: 1, receivedAt: 2, mark: '!H' })
  settleExpired(probes, 0, 3)
  expect(probes[0]).toMatchObject({ final: true, mark: '!H' })
  expect(probes[1]).toMatchObject({ done: false, mark: '' })
})

test("tracepath's columns", () => {
  expect(hostColumn('10.0.1.254')).toHaveLength(52)
  expect(milliseconds(1_234_567)).toBe('  1.234ms ')
})

test("mtr's table: a cell that is too wide loses its end", () => {
  const lost = new Hop()
  lost.sent = 2
  const heard = new Hop()
  heard.sent = 2
  heard.answer(1000)
  heard.answer(3000)
  const report: Report = {
    local: 'a',
    target: 'b',
    tos: 0,
    size: 64,
    pattern: 0,
    cycles: 2,
    fields: 'LS NABWV',
    rows: [
      { ttl: 1, hop: lost, name: '???', others: [] },
      { ttl: 2, hop: heard, name: '10.0.2.2', others: [] },
    ],
  }
  expect(tableReport(report, false)).toBe(
    'HOST: a                           Loss%   Snt   Last   Avg  Best  Wrst StDev\n' +
      '  1.|-- ???                       100.0     2    0.0   0.0   0.0   0.0   0.0\n' +
      '  2.|-- 10.0.2.2                   0.0%     2    3.0   2.0   1.0   3.0   1.4\n',
  )
  expect(isoTime(951_782_400)).toBe('2000-02-29T00:00:00+0000')
})

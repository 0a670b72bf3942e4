import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { closest, formatDuration, formatRate, parseDuration, parsePercent, parseRate } from './index.ts'

test.each([
  ['10ms', 10e6],
  ['250us', 250e3],
  ['1.5s', 1.5e9],
  ['2 min', 120e9],
  ['1h', 3600e9],
  ['7ns', 7],
  ['0', 0],
  ['0s', 0],
  [' 3S ', 3e9],
  ['1.0000000001s', undefined],
  ['10', undefined],
  ['-1s', undefined],
  ['1e3ms', undefined],
  ['ms', undefined],
  ['', undefined],
  ['1week', undefined],
  ['1constructor', undefined],
  ['9999999999s', undefined],
])('the duration %s', (text, ns) => expect(parseDuration(text)).toBe(ns))

test.each([
  ['100mbit', 100e6],
  ['64kbit', 64e3],
  ['1.5Gbit', 1.5e9],
  ['1kbps', 8000],
  ['1bit', 1],
  ['0bit', undefined],
  ['100', undefined],
  ['100mb', undefined],
  ['-1mbit', undefined],
  ['Infinitybit', undefined],
])('the rate %s', (text, bps) => expect(parseRate(text)).toBe(bps))

test.each([
  ['5%', 0.05],
  ['0.1%', 0.001],
  ['100%', 1],
  ['0%', 0],
  ['5 %', 0.05],
  ['100.1%', undefined],
  ['5', undefined],
  ['-1%', undefined],
  ['%', undefined],
])('the percentage %s', (text, share) => expect(parsePercent(text)).toBe(share))

test.each([
  [0, '0ns'],
  [999, '999ns'],
  [1500, '1.5us'],
  [20e6, '20ms'],
  [90e9, '90s'],
  [1_000_000_001, '1.000000001s'],
])('%i ns is %s', (ns, text) => expect(formatDuration(ns)).toBe(text))

test.each([
  [1, '1bit'],
  [1500, '1500bit'],
  [2000, '2kbit'],
  [100e6, '100mbit'],
  [25e11, '2500gbit'],
])('%i bit/s is %s', (bps, text) => expect(formatRate(bps)).toBe(text))

test('what is formatted is parsed again', () => {
  forSeeds(2000, (random) => {
    const n = random.below(10 ** (1 + random.below(9))) * 10 ** random.below(6)
    expect(parseDuration(formatDuration(n))).toBe(n)
    expect(parseRate(formatRate(n + 1))).toBe(n + 1)
  })
})

test.each([
  ['unplg', ['plug', 'unplug'], 'unplug'],
  ['dealy', ['delay', 'rate'], 'delay'],
  ['xyzzy', ['delay', 'rate'], undefined],
  ['', ['ab', 'abcd'], 'ab'],
  ['same', ['some', 'same'], 'same'],
  ['aaa', [], undefined],
])('the closest to `%s` of %j is %s', (word, candidates, like) => expect(closest(word, candidates)).toBe(like))

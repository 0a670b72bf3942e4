/** adjtimex(8), 1.29: prints the kernel's time variables, and sets them. */
import { getopt } from '#base/text'
import { type Body, type Sys, strerror, writeText } from '#kernel/core'
import {
  ADJ_ESTERROR,
  ADJ_FREQUENCY,
  ADJ_MAXERROR,
  ADJ_OFFSET,
  ADJ_OFFSET_SINGLESHOT,
  ADJ_STATUS,
  ADJ_TICK,
  ADJ_TIMECONST,
  type Timex,
} from './ntp.ts'

const OPTIONS = [
  { name: 'print', as: 'p' },
  { name: 'tick', as: 't', argument: 'required' },
  { name: 'frequency', as: 'f', argument: 'required' },
  { name: 'singleshot', as: 's', argument: 'required' },
  { name: 'status', as: 'S', argument: 'required' },
  { name: 'offset', as: 'o', argument: 'required' },
  { name: 'maxerror', as: 'm', argument: 'required' },
  { name: 'esterror', as: 'e', argument: 'required' },
  { name: 'timeconstant', as: 'T', argument: 'required' },
  { name: 'version', as: 'v' },
] as const

const SETS: Record<string, [mode: number, field: keyof Timex]> = {
  t: [ADJ_TICK, 'tick'],
  f: [ADJ_FREQUENCY, 'freq'],
  o: [ADJ_OFFSET, 'offset'],
  S: [ADJ_STATUS, 'status'],
  m: [ADJ_MAXERROR, 'maxerror'],
  e: [ADJ_ESTERROR, 'esterror'],
  T: [ADJ_TIMECONST, 'constant'],
}

export function* adjtimex(sys: Sys, argv: string[]): Body<number> {
  const { options } = getopt(argv, 'pt:f:s:S:o:m:e:T:v', OPTIONS as unknown as Parameters<typeof getopt>[2])
  let print = false
  const given: Partial<Timex> & { modes: number } = { modes: 0 }
  for (const { option, value, message } of options) {
    if (message !== undefined) {
      yield* writeText(sys, 2, `${message}\n`)
      return 1
    }
    if (option === 'p') print = true
    else if (option === 'v') {
      yield* writeText(sys, 1, 'adjtimex 1.29\n')
      return 0
    } else {
      if (!/^[+-]?(\d+|0x[0-9a-f]+)$/i.test(value ?? '')) {
        yield* writeText(sys, 2, `adjtimex: invalid argument: ${value}\n`)
        return 1
      }
      if (option === 's') {
        given.modes = ADJ_OFFSET_SINGLESHOT
        given.offset = Number(value)
      } else {
        const [mode, field] = SETS[option]!
        given.modes |= mode
        given[field] = Number(value)
      }
    }
  }
  const done = sys.adjtimex(given)
  if (!done.ok) {
    yield* writeText(sys, 2, `adjtimex: ${strerror(done.errno)}\n`)
    return 1
  }
  if (!print) return 0
  const { state, timex } = done.value as { state: number; timex: Timex }
  const { s, ns } = sys.realtime()
  const us = Math.floor(ns / 1000)
  const rows: [string, string | number][] = [
    ['mode', given.modes],
    ['offset', timex.offset],
    ['frequency', timex.freq],
    ['maxerror', timex.maxerror],
    ['esterror', timex.esterror],
    ['status', timex.status],
    ['time_constant', timex.constant],
    ['precision', 1],
    ['tolerance', 32_768_000],
    ['tick', timex.tick],
    ['raw time', ` ${s}s ${us}us = ${s}.${String(us).padStart(6, '0')}`],
  ]
  const text = rows.map(([name, value]) => `${name.padStart(13)}: ${value}\n`).join('')
  yield* writeText(sys, 1, `${text} return value = ${state}\n`)
  return 0
}

/** netem's options. iproute2 6.1 tc/q_netem.c */
import type { Output, Words } from '#user/iproute2'
import { Complaint, integerWord, type Show } from './kind.ts'
import {
  formatPercent,
  formatRate,
  formatTime,
  formatTime64,
  parsePercent,
  parseRate,
  parseTicks,
  parseTime,
} from './units.ts'

const HELP = `Usage: ... netem [ limit PACKETS ]
                 [ delay TIME [ JITTER [CORRELATION]]]
                 [ distribution {uniform|normal|pareto|paretonormal} ]
                 [ corrupt PERCENT [CORRELATION]]
                 [ duplicate PERCENT [CORRELATION]]
                 [ loss random PERCENT [CORRELATION]]
                 [ loss state P13 [P31 [P32 [P23 P14]]]
                 [ loss gemodel PERCENT [R [1-H [1-K]]]
                 [ ecn ]
                 [ reorder PERCENT [CORRELATION] [ gap DISTANCE ]]
                 [ rate RATE [PACKETOVERHEAD] [CELLSIZE] [CELLOVERHEAD]]
                 [ slot MIN_DELAY [MAX_DELAY] [packets MAX_PACKETS] [bytes MAX_BYTES]]
                 [ slot distribution {uniform|normal|pareto|paretonormal|custom}
                   DELAY JITTER [packets MAX_PACKETS] [bytes MAX_BYTES]]
`

const illegal = (what: string) => new Complaint(`Illegal "${what}"`)
const FULL = 0xffffffff

/** A word that begins as numbers do, if there is one next; then it is the current one. */
class Numbers {
  readonly words: Words
  constructor(words: Words) {
    this.words = words
  }

  next(): string | undefined {
    const word = this.words.following
    if (word === undefined || !/^[0-9.]/.test(word)) return undefined
    this.words.advance()
    return word
  }

  percent(what: string): number | undefined {
    const word = this.next()
    if (word === undefined) return undefined
    const share = parsePercent(word)
    if (share === undefined) throw illegal(what)
    return share
  }
}

const ABBREVIATED = 'limit latency delay loss drop ecn reorder corrupt gap duplicate distribution rate slot help'.split(
  ' ',
)

export const netemKind = {
  parse(words: Words): Record<string, unknown> {
    const options: Record<string, unknown> = { latencyNs: 0, jitterNs: 0, limit: 1000, gap: 0, loss: 0, duplicate: 0 }
    const correlations = { delay: 0, loss: 0, duplicate: 0 }
    let correlated = false
    const numbers = new Numbers(words)
    const percentWord = (what: string) => {
      const share = parsePercent(words.value())
      if (share === undefined) throw illegal(what)
      return share
    }
    for (; words.more; words.advance()) {
      const key = ABBREVIATED.find((name) => name.startsWith(words.current))
      if (key === 'limit') options['limit'] = integerWord(words.value(), '"limit"')
      else if (key === 'latency' || key === 'delay') {
        const ticks = parseTicks(words.value())
        if (ticks === undefined) throw illegal('latency')
        options['latencyNs'] = ticks * 64
        const jitter = numbers.next()
        if (jitter !== undefined) {
          const jitterTicks = parseTicks(jitter)
          if (jitterTicks === undefined) throw illegal('latency')
          options['jitterNs'] = jitterTicks * 64
          const share = numbers.percent('latency')
          if (share !== undefined) {
            correlations.delay = share
            correlated = true
          }
        }
      } else if (key === 'loss' || key === 'drop') {
        if (parseLoss(words, numbers, options, correlations)) correlated = true
      } else if (key === 'ecn') options['ecn'] = true
      else if (key === 'reorder' || key === 'corrupt') {
        const probability = percentWord(key)
        options[key] = { probability, correlation: numbers.percent(key) ?? 0 }
      } else if (key === 'gap') options['gap'] = integerWord(words.value(), '"gap"')
      else if (key === 'duplicate') {
        options['duplicate'] = percentWord('duplicate')
        correlations.duplicate = numbers.percent('duplicate') ?? 0
      } else if (key === 'distribution') options['distribution'] = parseDistribution(words.value())
      else if (key === 'rate') {
        const rate = parseRate(words.value())
        if (rate === undefined) throw illegal('rate')
        const more = () => Number(numbers.next() ?? 0)
        options['rate'] = { rate, packetOverhead: more(), cellSize: more(), cellOverhead: more() }
      } else if (key === 'slot') parseSlot(words, numbers, options)
      else if (key === 'help') throw new Complaint('', HELP)
      else throw new Complaint(`What is "${words.current}"?`, HELP)
    }
    if (correlated) options['correlations'] = correlations
    check(options)
    return options
  },
  print(out: Output, options: Record<string, unknown>, show: Show): void {
    const number = (name: string) => options[name] as number
    const correlations = options['correlations'] as { delay: number; loss: number; duplicate: number } | undefined
    out.field('limit', number('limit'), `limit ${number('limit')}`)
    if (number('latencyNs')) {
      out.openObject('delay')
      out.field('delay', number('latencyNs') / 1e9, ` delay ${formatTime(number('latencyNs') / 1000)}`)
      if (number('jitterNs')) out.text(`  ${formatTime(number('jitterNs') / 1000)}`)
      out.json('jitter', number('jitterNs') / 1e9)
      if (number('jitterNs') && correlations?.delay) out.text(` ${formatPercent(correlations.delay)}`)
      out.json('correlation', Number(share(correlations?.delay ?? 0).toPrecision(6)))
      out.close()
    }
    chance(out, 'loss-random', 'loss', number('loss'), correlations?.loss ?? 0)
    printModel(out, options['lossModel'] as Record<string, number | string> | undefined)
    chance(out, 'duplicate', 'duplicate', number('duplicate'), correlations?.duplicate ?? 0)
    for (const key of ['reorder', 'corrupt']) {
      const each = options[key] as { probability: number; correlation: number } | undefined
      chance(out, key, key, each?.probability ?? 0, each?.correlation ?? 0)
    }
    printRate(out, options, show)
    const slot = options['slot'] as { minNs: number; maxNs: number; packets: number; bytes: number } | undefined
    if (slot) {
      out.openObject('slot')
      out.field('min-delay', slot.minNs / 1e9, ` slot ${formatTime64(slot.minNs)}`)
      out.field('max-delay', slot.maxNs / 1e9, ` ${formatTime64(slot.maxNs)}`)
      if (slot.packets) out.field('packets', slot.packets, ` packets ${slot.packets}`)
      if (slot.bytes) out.field('bytes', slot.bytes, ` bytes ${slot.bytes}`)
      out.close()
    }
    out.json('ecn', options['ecn'] === true)
    if (options['ecn']) out.text(' ecn ')
    out.field('gap', number('gap'), number('gap') ? ` gap ${number('gap')}` : '')
  },
}

function printRate(out: Output, options: Record<string, unknown>, show: Show): void {
  const rate = options['rate'] as Record<'rate' | 'packetOverhead' | 'cellSize' | 'cellOverhead', number> | undefined
  if (!rate?.rate) return
  out.openObject('rate')
  out.field('rate', rate.rate, ` rate ${formatRate(rate.rate, show.iec)}`)
  const rest: [string, number][] = [
    ['packetoverhead', rate.packetOverhead],
    ['cellsize', rate.cellSize],
    ['celloverhead', rate.cellOverhead],
  ]
  for (const [name, value] of rest) out.field(name, value, value ? ` ${name} ${value}` : '')
  out.close()
}

const share = (value: number) => value / FULL

function chance(out: Output, group: string, name: string, value: number, correlation: number): void {
  if (!value) return
  out.openObject(group)
  out.field(name, Number(share(value).toPrecision(6)), ` ${name} ${formatPercent(value)}`)
  out.json('correlation', Number(share(correlation).toPrecision(6)))
  if (correlation) out.text(` ${formatPercent(correlation)}`)
  out.close()
}

function printModel(out: Output, model: Record<string, number | string> | undefined): void {
  if (!model) return
  const state = model['model'] === 'state'
  out.openObject(state ? 'loss-state' : 'loss-gemodel')
  out.text(state ? ' loss state' : ' loss gemodel')
  // The complements are what is kept.
  const fields: [string, number][] = state
    ? ['p13', 'p31', 'p32', 'p23', 'p14'].map((name) => [name, model[name] as number])
    : [
        ['p', model['p'] as number],
        ['r', model['r'] as number],
        ['1-h', FULL - (model['h'] as number)],
        ['1-k', model['k1'] as number],
      ]
  for (const [name, value] of fields)
    out.field(name, Number(share(value).toPrecision(6)), ` ${name} ${formatPercent(value)}`)
  out.close()
}

/** Whether a correlation was given. */
function parseLoss(
  words: Words,
  numbers: Numbers,
  options: Record<string, unknown>,
  correlations: { loss: number },
): boolean {
  const word = words.value()
  const percent = (what: string) => numbers.percent(what)
  const random = () => {
    const shareLost = parsePercent(words.current)
    if (shareLost === undefined) throw illegal('loss percent')
    options['loss'] = shareLost
    const correlation = percent('loss correlation')
    if (correlation === undefined) return false
    correlations.loss = correlation
    return true
  }
  if (word === 'random') {
    words.value()
    return random()
  }
  if (/^[0-9.]/.test(word)) return random()
  if (word === 'state') {
    const p13 = percent('loss p13')
    if (p13 === undefined) throw illegal('loss p13')
    const p31 = percent('loss p31')
    const p32 = percent('loss p32')
    const p23 = percent('loss p23')
    const p14 = percent('loss p14')
    options['lossModel'] = {
      model: 'state',
      p13,
      p31: p31 ?? FULL - p13,
      p32: p32 ?? 0,
      p23: p23 ?? FULL,
      p14: p14 ?? 0,
    }
    return false
  }
  if (word === 'gemodel') {
    const p = percent('loss gemodel p')
    if (p === undefined) throw illegal('loss gemodel p')
    const r = percent('loss gemodel r')
    const h = percent('loss gemodel h')
    const k1 = percent('loss gemodel k')
    options['lossModel'] = { model: 'gemodel', p, r: r ?? FULL - p, h: h === undefined ? 0 : FULL - h, k1: k1 ?? 0 }
    return false
  }
  throw new Complaint(`Unknown loss parameter: ${word}`)
}

function parseDistribution(name: string): string | undefined {
  if (!['normal', 'pareto', 'paretonormal', 'experimental'].includes(name)) {
    const path = `/usr/lib/x86_64-linux-gnu/tc//${name}.dist`
    throw new Complaint(`No distribution data for ${name} (${path}: No such file or directory)`)
  }
  return name
}

function parseSlot(words: Words, numbers: Numbers, options: Record<string, unknown>): void {
  const time = (word: string | undefined) => {
    const us = word === undefined ? undefined : parseTime(word)
    return us === undefined ? undefined : Math.floor(us * 1000)
  }
  const minNs = time(words.value())
  if (minNs === undefined) throw illegal('slot')
  const slot = { minNs, maxNs: time(numbers.next()) ?? minNs, packets: 0, bytes: 0 }
  if (slot.maxNs < slot.minNs) throw new Complaint(`Slot max delay less than min delay`, HELP)
  while (words.following === 'packets' || words.following === 'bytes') {
    words.advance()
    slot[words.current as 'packets' | 'bytes'] = integerWord(words.value(), '"slot"')
  }
  options['slot'] = slot
}

function check(options: Record<string, unknown>): void {
  if (options['reorder']) {
    if (!options['latencyNs']) throw new Complaint('reordering not possible without specifying some delay', HELP)
    if (!options['gap']) options['gap'] = 1
  } else if (options['gap']) throw new Complaint('gap specified without reorder probability', HELP)
  if (options['ecn'] && !options['loss'] && !options['lossModel']) {
    throw new Complaint('ecn requested without loss model', HELP)
  }
  if (options['distribution'] && (!options['latencyNs'] || !options['jitterNs'])) {
    throw new Complaint('distribution specified but no latency and jitter values', HELP)
  }
}

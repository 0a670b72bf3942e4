/** What each kind of discipline is told and shows. iproute2 6.1 tc/q_*.c */
import type { Output, Words } from '#user/iproute2'
import { htbClass, htbKind } from './htb.ts'
import { Complaint, integerWord, type Show, simple } from './kind.ts'
import { netemKind } from './netem.ts'
import { tbfKind } from './tbf.ts'
import { formatSize, formatTime, parseSize, parseTime } from './units.ts'

export type { Show }

export interface Kind {
  /** Reads the options; `Complaint` if they make no sense. */
  parse(words: Words, update: boolean): Record<string, unknown>
  print(out: Output, options: Record<string, unknown>, show: Show): void
  printXstats?(out: Output, xstats: Record<string, unknown>): void
}

const fifo = (bytes: boolean): Kind => ({
  parse(words) {
    const options: Record<string, unknown> = {}
    for (; words.more; words.advance()) {
      if (words.current !== 'limit')
        throw new Complaint(`${bytes ? 'b' : 'p'}fifo: unknown parameter "${words.current}"`, FIFO_HELP(bytes))
      const value = words.value()
      const limit = parseSize(value)
      if (limit === undefined) throw new Complaint(`${bytes ? 'b' : 'p'}fifo: Illegal value for "limit": "${value}"`)
      options['limit'] = limit
    }
    return options
  },
  print(out, { limit }) {
    if (bytes) out.field('limit', limit as number, `limit ${formatSize(limit as number)}`)
    else out.field('limit', limit as number, `limit ${limit}p`)
  },
})

const FIFO_HELP = (bytes: boolean) => `Usage: ... ${bytes ? 'b' : 'p'}fifo [ limit ${bytes ? 'BYTES' : 'PACKETS'} ]\n`

const prio: Kind = {
  parse(words) {
    const options: Record<string, unknown> = {}
    let map: number[] | undefined
    const usage = 'Usage: ... prio bands NUMBER priomap P1 P2...[multiqueue]\n'
    for (; words.more; words.advance()) {
      if (words.current === 'bands') options['bands'] = integerWord(words.value(), '"bands"')
      else if (words.current === 'priomap') {
        if (map) throw new Complaint('Error: duplicate priomap')
        map = []
      } else if (map && map.length < 16 && /^\d+$/.test(words.current)) map.push(Number(words.current))
      else throw new Complaint(`What is "${words.current}"?`, usage)
    }
    if (map && map.length > 0) {
      const rest = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
      options['priomap'] = rest.map((band, i) => map![i] ?? band)
    }
    return options
  },
  print(out, { bands, priomap }) {
    out.field('bands', bands as number, `bands ${bands} `)
    out.openArray('priomap')
    out.text('priomap')
    for (const band of priomap as number[]) out.field(undefined, band, ` ${band}`)
    out.close()
  },
}

const US: Record<string, string> = { target: 'targetUs', interval: 'intervalUs', ce_threshold: 'ceThresholdUs' }

const fqCodel: Kind = {
  parse(words) {
    const options: Record<string, unknown> = {}
    for (; words.more; words.advance()) {
      const key = words.current
      if (key === 'ecn' || key === 'noecn') options['ecn'] = key === 'ecn'
      else if (Object.hasOwn(US, key)) {
        const us = parseTime(words.value())
        if (us === undefined) throw new Complaint(`Illegal "${key}"`)
        options[US[key]!] = Math.floor(us)
      } else if (key === 'memory_limit') {
        const size = parseSize(words.value())
        if (size === undefined) throw new Complaint('Illegal "memory_limit"')
        options['memoryLimit'] = size
      } else if (key === 'limit' || key === 'flows' || key === 'quantum' || key === 'drop_batch') {
        options[key === 'drop_batch' ? 'dropBatch' : key] = integerWord(words.value(), `"${key}"`)
      } else throw new Complaint(`What is "${key}"?`, FQ_CODEL_HELP)
    }
    return options
  },
  print(out, options) {
    const number = (name: string) => options[name] as number
    out.field('limit', number('limit'), `limit ${number('limit')}p `)
    out.field('flows', number('flows'), `flows ${number('flows')} `)
    out.field('quantum', number('quantum'), `quantum ${number('quantum')} `)
    out.field('target', number('targetUs'), `target ${formatTime(number('targetUs'))} `)
    if (options['ceThresholdUs'] !== undefined) {
      out.field('ce_threshold', number('ceThresholdUs'), `ce_threshold ${formatTime(number('ceThresholdUs'))} `)
    }
    out.field('interval', number('intervalUs'), `interval ${formatTime(number('intervalUs'))} `)
    out.field('memory_limit', number('memoryLimit'), `memory_limit ${formatSize(number('memoryLimit'))} `)
    if (options['ecn']) out.field('ecn', true, 'ecn ')
    out.field('drop_batch', number('dropBatch'), `drop_batch ${number('dropBatch')} `)
  },
  printXstats(out, xstats) {
    const number = (name: string) => xstats[name] as number
    out.field('maxpacket', number('maxpacket'), `  maxpacket ${number('maxpacket')}`)
    out.field('drop_overlimit', number('dropOverlimit'), ` drop_overlimit ${number('dropOverlimit')}`)
    out.field('new_flow_count', number('newFlowCount'), ` new_flow_count ${number('newFlowCount')}`)
    out.field('ecn_mark', number('ecnMark'), ` ecn_mark ${number('ecnMark')}`)
    if (number('ceMark')) out.field('ce_mark', number('ceMark'), ` ce_mark ${number('ceMark')}`)
    out.text('\n')
    out.field('new_flows_len', number('newFlows'), `  new_flows_len ${number('newFlows')}`)
    out.field('old_flows_len', number('oldFlows'), ` old_flows_len ${number('oldFlows')}`)
  },
}

const FQ_CODEL_HELP = `Usage: ... fq_codel [ limit PACKETS ] [ flows NUMBER ]
		    [ memory_limit BYTES ]
		    [ target TIME ] [ interval TIME ]
		    [ quantum BYTES ] [ [no]ecn ]
		    [ ce_threshold TIME ]
		    [ ce_threshold_selector VALUE/MASK ]
		    [ drop_batch SIZE ]
`

const sfq: Kind = {
  parse(words) {
    const options: Record<string, unknown> = {}
    for (; words.more; words.advance()) {
      const key = words.current
      if (key === 'quantum') {
        const size = parseSize(words.value())
        if (size === undefined) throw new Complaint('Illegal "limit"')
        options['quantum'] = size
      } else if (['perturb', 'limit', 'divisor', 'flows', 'depth'].includes(key)) {
        options[key] = integerWord(words.value(), `"${key}"`)
      } else throw new Complaint(`What is "${key}"?`, SFQ_HELP)
    }
    return options
  },
  print(out, options, show) {
    const number = (name: string) => options[name] as number
    out.field('limit', number('limit'), `limit ${number('limit')}p `)
    out.field('quantum', number('quantum'), `quantum ${formatSize(number('quantum'))} `)
    out.field('depth', number('depth'), `depth ${number('depth')} `)
    if (show.details) out.field('flows', number('flows'), `flows ${number('flows')} `)
    out.field('divisor', number('divisor'), `divisor ${number('divisor')} `)
    if (number('perturb')) out.field('perturb', number('perturb'), `perturb ${number('perturb')}sec `)
  },
}

const SFQ_HELP = `Usage: ... sfq	[ limit NUMBER ] [ perturb SECS ] [ quantum BYTES ]
		[ divisor NUMBER ] [ flows NUMBER] [ depth NUMBER ]
		[ headdrop ]
		[ redflowlimit BYTES ] [ min BYTES ] [ max BYTES ]
		[ avpkt BYTES ] [ burst PACKETS ] [ probability P ]
		[ ecn ] [ harddrop ]
`

export const KINDS: Readonly<Record<string, Kind>> = {
  bfifo: fifo(true),
  clsact: simple('clsact', ''),
  fq_codel: fqCodel,
  htb: htbKind,
  ingress: simple('ingress', '---------------- '),
  netem: netemKind,
  pfifo: fifo(false),
  pfifo_fast: { ...prio, parse: simple('pfifo_fast', '').parse },
  prio,
  sfq,
  tbf: tbfKind,
}

/** What classes of a kind are told and show. */
export const CLASS_KINDS: Readonly<Record<string, Kind>> = { htb: htbClass }

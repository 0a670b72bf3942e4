/** htb's options, and its classes'. iproute2 6.1 tc/q_htb.c */
import type { Output, Words } from '#user/iproute2'
import { Complaint, integerWord, type Show } from './kind.ts'
import { bytesOf, formatRate, formatSize, parseRate, parseSize, ticksOf } from './units.ts'

const HELP = `Usage: ... qdisc add ... htb [default N] [r2q N]
                      [direct_qlen P] [offload]
 default  minor id of class to which unclassified packets are sent {0}
 r2q      DRR quantums are computed as rate in Bps/r2q {10}
 debug    string of 16 numbers each 0-3 {0}

 direct_qlen  Limit of the direct queue {in packets}
 offload  enable hardware offload
... class add ... htb rate R1 [burst B1] [mpu B] [overhead O]
                      [prio P] [slot S] [pslot PS]
                      [ceil R2] [cburst B2] [mtu MTU] [quantum Q]
 rate     rate allocated to this class (class can still borrow)
 burst    max bytes burst which can be accumulated during idle period {computed}
 mpu      minimum packet size used in rate computations
 overhead per-packet size overhead used in rate computations
 linklay  adapting to a linklayer e.g. atm
 ceil     definite upper class rate (no borrows) {rate}
 cburst   burst but for ceil {computed}
 mtu      max packet size we create rate map for {1600}
 prio     priority of leaf; lower are served first {0}
 quantum  how much bytes to serve from leaf at once {use r2q}

TC HTB version 3.3
`

export const htbKind = {
  parse(words: Words): Record<string, unknown> {
    const options: Record<string, unknown> = { defaultClass: 0, r2q: 10 }
    for (; words.more; words.advance()) {
      const key = words.current
      if (key === 'default') {
        const word = words.value()
        const minor = /^(0x)?[0-9a-f]+$/i.test(word) ? Number.parseInt(word, 16) : Number.NaN
        if (Number.isNaN(minor)) throw new Complaint('Illegal "default"')
        options['defaultClass'] = minor
      } else if (key === 'r2q') options['r2q'] = integerWord(words.value(), '"r2q"')
      else if (key === 'direct_qlen') options['directLength'] = integerWord(words.value(), '"direct_qlen"')
      else throw new Complaint(`What is "${key}"?`, HELP)
    }
    return options
  },
  print(out: Output, options: Record<string, unknown>, show: Show): void {
    const number = (name: string) => options[name] as number
    const fallback = number('defaultClass') === 0 ? '0' : `0x${number('defaultClass').toString(16)}`
    out.field('r2q', number('r2q'), `r2q ${number('r2q')}`)
    out.field('default', fallback, ` default ${fallback}`)
    out.field('direct_packets_stat', number('directPackets'), ` direct_packets_stat ${number('directPackets')}`)
    if (show.details) out.field('ver', '3.17', ' ver 3.17')
    out.field('direct_qlen', number('directLength'), ` direct_qlen ${number('directLength')}`)
  },
}

const SIZES = [
  'burst',
  'buffer',
  'maxburst',
  'cburst',
  'cbuffer',
  'cmaxburst',
  'mtu',
  'quantum',
  'prio',
  'mpu',
  'overhead',
]

export const htbClass = {
  parse(words: Words): Record<string, unknown> {
    const given = new Map<string, number>()
    for (; words.more; words.advance()) {
      const key = words.current
      if (key === 'rate' || key === 'ceil') {
        if (given.has(key)) throw new Complaint(`Double "${key}" spec`)
        const rate = parseRate(words.value())
        if (rate === undefined) throw new Complaint(`Illegal "${key}"`, HELP)
        given.set(key, rate)
      } else if (SIZES.includes(key)) {
        const name = key.replace(/^(c?)(buffer|maxburst)$/, '$1burst')
        const word = words.value()
        const size =
          key.endsWith('prio') || key === 'quantum' || key === 'mtu'
            ? integerWord(word, `"${key}"`)
            : parseSize(word.replace(/\/.*/, ''))
        if (size === undefined) throw new Complaint(`Illegal "${name === 'burst' ? 'buffer' : name}"`, HELP)
        given.set(name, size)
      } else if (key === 'help') throw new Complaint('', HELP)
      else throw new Complaint(`What is "${key}"?`, HELP)
    }
    const rate = given.get('rate')
    if (!rate) throw new Complaint('"rate" is required.')
    const ceil = given.get('ceil') ?? rate
    const mtu = given.get('mtu') ?? 1600
    const shape = { overhead: given.get('overhead') ?? 0, mpu: given.get('mpu') ?? 0 }
    // A computed burst is what the rate allows in a nanosecond, and a packet.
    const burst = given.get('burst') ?? Math.floor(rate / 1e9) + mtu
    const cburst = given.get('cburst') ?? Math.floor(ceil / 1e9) + mtu
    return {
      rate: { rate, ...shape },
      ceil: { rate: ceil, ...shape },
      bufferTicks: ticksOf(rate, burst),
      cbufferTicks: ticksOf(ceil, cburst),
      prio: given.get('prio') ?? 0,
      quantum: given.get('quantum') ?? 0,
    }
  },
  print(out: Output, options: Record<string, unknown>, show: Show): void {
    const { rate, overhead, mpu } = options['rate'] as { rate: number; overhead: number; mpu: number }
    const ceil = options['ceil'] as { rate: number; mpu: number }
    if (options['level'] === 0) {
      out.raw(`prio ${options['prio']} `)
      if (show.details) out.raw(`quantum ${options['quantum']} `)
    }
    const size = (bytes: number, cells: number) =>
      show.details ? `${formatSize(bytes)}/1 mpu ${formatSize(cells)} ` : `${formatSize(bytes)} `
    out.raw(`rate ${formatRate(rate, show.iec)} `)
    if (overhead) out.raw(`overhead ${overhead} `)
    out.raw(`ceil ${formatRate(ceil.rate, show.iec)} `)
    if (show.details) out.raw('linklayer ethernet ')
    out.raw(`burst ${size(bytesOf(rate, options['bufferTicks'] as number), mpu)}`)
    out.raw(`cburst ${size(bytesOf(ceil.rate, options['cbufferTicks'] as number), ceil.mpu)}`)
    if (show.details) out.raw(`level ${options['level']} `)
  },
  printXstats(out: Output, xstats: Record<string, unknown>): void {
    out.raw(` lended: ${xstats['lended']} borrowed: ${xstats['borrowed']} giants: ${xstats['giants']}\n`)
    out.raw(` tokens: ${xstats['tokens']} ctokens: ${xstats['ctokens']}\n`)
  },
}

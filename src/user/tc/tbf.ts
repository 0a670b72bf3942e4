/** tbf's options. iproute2 6.1 tc/q_tbf.c */
import type { Output, Words } from '#user/iproute2'
import { Complaint, type Show } from './kind.ts'
import {
  bytesOf,
  formatRate,
  formatSize,
  formatTime,
  parseRate,
  parseSize,
  parseTime,
  ticksOf,
  ticksToUs,
} from './units.ts'

const HELP = `Usage: ... tbf limit BYTES burst BYTES[/BYTES] rate KBPS [ mtu BYTES[/BYTES] ]
	[ peakrate KBPS ] [ latency TIME ] [ overhead BYTES ] [ linklayer TYPE ]
`

const illegal = (key: string, value: string) => new Complaint(`tbf: illegal value for "${key}": "${value}"`)

export const tbfKind = {
  parse(words: Words): Record<string, unknown> {
    let rate: number | undefined
    let peak: number | undefined
    let burst: number | undefined
    let mtu: number | undefined
    let limit: number | undefined
    let latencyUs: number | undefined
    let overhead = 0
    let mpu = 0
    const size = (key: string) => {
      const word = words.value().replace(/\/.*/, '')
      const bytes = parseSize(word)
      if (bytes === undefined) throw illegal(key, word)
      return bytes
    }
    for (; words.more; words.advance()) {
      const key = words.current
      if (key === 'limit') {
        if (latencyUs !== undefined) throw new Complaint('tbf: specifying both "latency" and "limit" is not allowed')
        limit = size(key)
      } else if (key === 'latency') {
        if (limit !== undefined) throw new Complaint('tbf: specifying both "limit" and "/latency" is not allowed')
        const word = words.value()
        latencyUs = parseTime(word)
        if (latencyUs === undefined) throw illegal(key, word)
      } else if (key === 'burst' || key === 'buffer' || key === 'maxburst') burst = size('burst')
      else if (key === 'mtu' || key === 'minburst') mtu = size('mtu')
      else if (key === 'mpu') mpu = size(key)
      else if (key === 'rate' || key === 'peakrate') {
        const word = words.value()
        const value = parseRate(word)
        if (value === undefined) throw illegal(key, word)
        if (key === 'rate') rate = value
        else peak = value
      } else if (key === 'overhead') overhead = size(key)
      else if (key === 'help') throw new Complaint('', HELP)
      else throw new Complaint(`tbf: unknown parameter "${key}"`, HELP)
    }
    const missing: string[] = []
    if (!rate) missing.push('tbf: the "rate" parameter is mandatory.')
    if (!burst) missing.push('tbf: the "burst" parameter is mandatory.')
    if (peak && !mtu) missing.push('tbf: when "peakrate" is specified, "mtu" must also be specified.')
    if (limit === undefined && latencyUs === undefined) missing.push('tbf: either "limit" or "latency" is required.')
    if (missing.length > 0 || !rate) throw new Complaint(missing.join('\n'), HELP)
    if (limit === undefined) {
      limit = (rate * latencyUs!) / 1e6 + burst!
      if (peak) limit = Math.min(limit, (peak * latencyUs!) / 1e6 + mtu!)
      limit = Math.floor(limit)
    }
    const options: Record<string, unknown> = { rate: { rate, overhead, mpu }, burst, limit }
    if (peak) {
      options['peakRate'] = { rate: peak, overhead, mpu }
      options['peakBurst'] = mtu
    }
    return options
  },
  print(out: Output, options: Record<string, unknown>, show: Show): void {
    const { rate, mpu, overhead } = options['rate'] as { rate: number; mpu: number; overhead: number }
    const limit = options['limit'] as number
    // The kernel keeps times: what is shown has been there and back.
    const buffer = ticksOf(rate, options['burst'] as number)
    const burst = bytesOf(rate, buffer)
    out.field('rate', rate, `rate ${formatRate(rate, show.iec)} `)
    if (show.details) {
      out.field('burst', `${formatSize(burst)}/1`, `burst ${formatSize(burst)}/1 `)
      out.field('mpu', mpu, `mpu ${formatSize(mpu)} `)
    } else out.field('burst', burst, `burst ${formatSize(burst)} `)
    let latency = (1e6 * limit) / rate - ticksToUs(buffer)
    const peak = options['peakRate'] as { rate: number } | undefined
    if (peak) {
      out.field('peakrate', peak.rate, `peakrate ${formatRate(peak.rate, show.iec)} `)
      const peakBuffer = ticksOf(peak.rate, options['peakBurst'] as number)
      const mtu = bytesOf(peak.rate, peakBuffer)
      if (show.details) {
        out.field('mtu', `${formatSize(mtu)}/1`, `mtu ${formatSize(mtu)}/1 `)
        out.field('mpu', mpu, `mpu ${formatSize(mpu)} `)
      } else out.field('minburst', mtu, `minburst ${formatSize(mtu)} `)
      latency = Math.max(latency, (1e6 * limit) / peak.rate - ticksToUs(peakBuffer))
    }
    if (latency >= 0) {
      out.json('lat', Math.floor(latency))
      out.text(`lat ${formatTime(Math.floor(latency))} `)
    }
    if (overhead) out.field('overhead', overhead, `overhead ${overhead} `)
    if (show.details) out.field('linklayer', 'ethernet', 'linklayer ethernet ')
  },
}

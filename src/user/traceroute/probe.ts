/** A probe of traceroute, and how its answers and its waiting are judged. */
import type { NetAddress } from '#user/libc'
import type { TraceOptions } from './options.ts'

export interface Probe {
  done: boolean
  /** The target, or one who says that there is no way: nothing behind needs to be asked. */
  final: boolean
  /** Who answered. */
  from: NetAddress | undefined
  /** Seconds; 0: not yet. */
  sentAt: number
  receivedAt: number
  receivedTtl: number
  /** The probe's own socket, if its method has one each. */
  fd: number
  /** What tells an answer to it from others: a port, or a sequence number. */
  sequence: number
  /** "!H" and the like. */
  mark: string
}

export const newProbe = (): Probe => ({
  done: false,
  final: false,
  from: undefined,
  sentAt: 0,
  receivedAt: 0,
  receivedTtl: 0,
  fd: -1,
  sequence: 0,
  mark: '',
})

/** The least time that is multiplied. */
const PRECISION_S = 0.001

/** Codes of "destination unreachable", as traceroute marks them; the port's is the target's answer. */
const UNREACHABLE: Record<number, string> = {
  0: '!N',
  1: '!H',
  2: '!P',
  3: '',
  5: '!S',
  6: '!N',
  7: '!H',
  8: '!N',
  9: '!X',
  10: '!X',
  11: '!N',
  12: '!H',
  13: '!X',
  14: '!V',
  15: '!C',
}

/** How an ICMP error is marked; undefined: time exceeded, a hop on the way. */
export function markOf(type: number, code: number, info: number): string | undefined {
  if (type === 11 && code === 0) return undefined
  if (type !== 3) return `!<${type}-${code}>`
  if (code === 4) return `!F-${info}`
  return UNREACHABLE[code] ?? `!<${code}>`
}

/** How many hops a packet came, if it began with 64, 128 or 255. */
export function hopsOfTtl(ttl: number): number {
  if (ttl <= 64) return 65 - ttl
  return ttl <= 128 ? 129 - ttl : 256 - ttl
}

/** How long a probe is waited for, seconds: by what others of its hop, or later ones, took. */
export function waitFor(probes: readonly Probe[], index: number, options: TraceOptions): number {
  const { hereFactor, nearFactor, maxWaitS, queries } = options
  const took = ({ done, receivedAt, sentAt }: Probe): number => (done ? receivedAt - sentAt : 0)
  const wait = (value: number, factor: number) => Math.min(maxWaitS, (value + PRECISION_S) * factor)
  if (hereFactor) {
    const first = index - (index % queries)
    for (const probe of probes.slice(first, first + queries)) if (took(probe) > 0) return wait(took(probe), hereFactor)
  }
  if (nearFactor) {
    for (let i = index + 1; i < probes.length && probes[i]!.sentAt; i++)
      if (took(probes[i]!) > 0) return wait(took(probes[i]!), nearFactor)
  }
  return maxWaitS
}

const same = (a: NetAddress | undefined, b: NetAddress | undefined): boolean =>
  a?.family === 'AF_INET' && b?.family === 'AF_INET' && a.address === b.address

/**
 * A probe that nobody answered, while a later one got an error from the end of the way: the end may be here, and have
 * answered only some of what came at once. Then the later answer is taken for this one.
 */
export function settleExpired(probes: Probe[], index: number, queries: number): void {
  const probe = probes[index]!
  const place = index % queries
  const before = probes.slice(index - place, index)
  if (!probe.done || before.some((one) => !one.done || !one.final)) return
  let later: Probe | undefined
  let distance = 0
  for (let i = index + 1; i < probes.length && probes[i]!.sentAt; i++) {
    if (!probes[i]!.done) continue
    if (!probes[i]!.final) return
    later = probes[i]!
    distance = i - index
    break
  }
  if (!later || later.mark === '') return
  const inHop = before.length > 0 || place + distance < queries
  const heardBefore = probes.slice(0, index).some(({ from }) => same(from, later.from))
  if (!inHop && !heardBefore && !endsHere(probes, index, later, queries)) return
  Object.assign(probe, { ...later })
  Object.assign(later, { ...newProbe(), sentAt: 1 })
}

/** Whether, by its TTL, an answer comes from as far as a probe's hop. */
function endsHere(probes: Probe[], index: number, later: Probe, queries: number): boolean {
  if (!later.receivedTtl) return false
  let back = hopsOfTtl(later.receivedTtl)
  for (let i = index - 1; i >= 0; i--) {
    const probe = probes[i]!
    if (!probe.done || probe.final || !probe.receivedTtl) continue
    const hops = hopsOfTtl(probe.receivedTtl)
    if (hops < back) {
      back = back - hops + Math.floor(i / queries) + 1
      break
    }
  }
  return back <= Math.floor(index / queries) + 1
}

export { same as sameSender }

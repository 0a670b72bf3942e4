/**
 * Watches what a run computes: says what keeps it busy, and stops what would never end or fill the reader's memory. A
 * storm (one and the same frame, thousands of times), a moment in which time stands still, too much memory.
 */
import type { SimLab } from '#backend/sim'
import type { Excess } from './protocol.ts'

/** Others may speak this often, in milliseconds of the reader's time. */
const BREATH_MS = 30
/** One and the same frame so often within a second of virtual time is a loop of bridges, and nothing else is. */
const REPEATS_MAX = 2_000
/** What a page keeps at most. */
const FRAMES_MAX = 200_000
const FRAME_BYTES_MAX = 150e6
const MEMORY_MAX = 1.2e9
/** Time that doesn't move for so long of the reader's time won't. */
const STUCK_MS = 1_200
/** Computing for so long is worth a word. */
const LADEN_MS = 1_500

/** A budget was met: what a reader is told of it. */
export class TooMuch extends Error {
  override readonly name = 'TooMuch'
  readonly excess: Excess

  constructor(excess: Excess) {
    super(`${excess.kind} at ${excess.where}`)
    this.excess = excess
  }
}

interface Watched {
  readonly lab: SimLab
}

export class Watch {
  readonly #run: Watched
  /** For what waits: the reader stops it. */
  stop = false
  #breathMs = 0
  /** When the computing that goes on began; 0: none does. */
  #sinceMs = 0
  #sinceNs = 0
  #stuckNs = -1
  #stuckMs = 0
  /** Samples, by host number. */
  #owners = new Map<number, number>()
  #events = 0
  #frames = 0
  #frameBytes = 0
  // Of each network: frames alike within the second of virtual time that passes.
  #seconds = new Map<
    string,
    { fromNs: number; frames: number; alike: Map<string, number>; senders: Map<string, number> }
  >()

  constructor(run: Watched) {
    this.#run = run
  }

  /** The lab begins to compute after it was at rest, or had waited. */
  begin(): void {
    this.#sinceMs = performance.now()
    this.#sinceNs = this.#run.lab.nowNs
    this.#breathMs = this.#sinceMs
    this.#events = this.#run.lab.world.sim.events
    this.#owners.clear()
    this.#stuckNs = -1
  }

  /** Called by the simulator every so many events; it may throw. */
  check(): void {
    const { lab } = this.#run
    const { sim } = lab.world
    const now = performance.now()
    if (this.#breathMs === 0) this.begin()
    this.#owners.set(sim.owner, (this.#owners.get(sim.owner) ?? 0) + 1)
    if (now - this.#breathMs < BREATH_MS) return
    this.#breathMs = now
    if (sim.nowNs !== this.#stuckNs) {
      this.#stuckNs = sim.nowNs
      this.#stuckMs = now
    } else if (now - this.#stuckMs > STUCK_MS) throw new TooMuch(this.#loop('loop'))
    const memory = usedMemory()
    if (memory > MEMORY_MAX) throw new TooMuch({ ...this.#loop('memory'), count: memory, rate: memory })
    lab.breathe()
  }

  /** What it has been busy with, if for so long that a reader wants to know. */
  laden(): Excess | undefined {
    return this.#sinceMs > 0 && performance.now() - this.#sinceMs > LADEN_MS ? this.#loop('loop') : undefined
  }

  /** What it is busy with. */
  now(): Excess {
    return this.#loop('loop')
  }

  /** A frame at a switch. */
  frame(network: string, from: string, bytes: Uint8Array): void {
    const { nowNs } = this.#run.lab
    this.#frames++
    this.#frameBytes += bytes.length
    let second = this.#seconds.get(network)
    if (!second || nowNs - second.fromNs > 1e9) {
      second = { fromNs: nowNs, frames: 0, alike: new Map(), senders: new Map() }
      this.#seconds.set(network, second)
    }
    second.frames++
    second.senders.set(from, (second.senders.get(from) ?? 0) + 1)
    const key = fingerprint(bytes)
    const repeats = (second.alike.get(key) ?? 0) + 1
    second.alike.set(key, repeats)
    const storm = repeats > REPEATS_MAX
    if (!storm && this.#frames < FRAMES_MAX && this.#frameBytes < FRAME_BYTES_MAX) return
    const virtualNs = Math.max(1, nowNs - second.fromNs)
    throw new TooMuch({
      kind: storm ? 'storm' : 'frames',
      where: network,
      rate: (second.frames / virtualNs) * 1e9,
      count: this.#frames,
      who: shares(second.senders),
      frame: bytes,
      repeats,
      realMs: performance.now() - this.#sinceMs,
      virtualNs,
    })
  }

  #loop(kind: 'loop' | 'memory'): Excess {
    const { lab } = this.#run
    const names = new Map<string, number>()
    for (const [owner, samples] of this.#owners) {
      const host = [...lab.world.hosts.values()].find(({ plan }) => plan.number === owner)
      if (host) names.set(host.plan.name, samples)
    }
    const [first] = shares(names)
    const where = first?.name ?? ''
    const realMs = performance.now() - this.#sinceMs
    const virtualNs = lab.nowNs - this.#sinceNs
    const count = lab.world.sim.events - this.#events
    const programs = where === '' ? [] : programsOf(lab, where)
    const who = programs.length > 0 ? programs : shares(names)
    return { kind, where, rate: (count / Math.max(1, realMs)) * 1e3, count, who, realMs, virtualNs }
  }
}

/** What runs on a host, by the CPU time it used. */
function programsOf(lab: SimLab, name: string): { name: string; share: number }[] {
  const used = new Map<string, number>()
  for (const process of lab.world.host(name).kernel.runningMachine?.processes.values() ?? []) {
    const ns = process.userNs + process.systemNs
    if (ns > 0 && !process.ended) used.set(`${process.argv.join(' ').slice(0, 200)} (${process.pid})`, ns)
  }
  return shares(used)
}

function shares(counts: Map<string, number>): { name: string; share: number }[] {
  const sum = [...counts.values()].reduce((all, one) => all + one, 0) || 1
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 4)
    .map(([name, count]) => ({ name, share: count / sum }))
}

/** Alike means alike to the byte; a loop's frames never change. */
function fingerprint(bytes: Uint8Array): string {
  let [a, b] = [0, bytes.length]
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193) >>> 0
    b = (Math.imul(b, 31) + byte) >>> 0
  }
  return `${a} ${b}`
}

function usedMemory(): number {
  const { memory } = performance as unknown as { memory?: { usedJSHeapSize: number } }
  return memory?.usedJSHeapSize ?? 0
}

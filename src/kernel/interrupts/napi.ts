/**
 * NAPI: a card's interrupt only says that there is something; its driver then looks again and again, with the interrupt off, until
 * the card has nothing more; a round takes so many packets and so long, then others have their turn.
 *
 * Linux 6.1 net/core/dev.c: napi_schedule(), __napi_poll(), net_rx_action().
 */
import type { Work } from './softirq.ts'

/** NAPI_POLL_WEIGHT. */
export const WEIGHT = 64

export interface Napi {
  device: string
  weight: number
  /** Takes up to so many packets; how many they were. */
  poll(budget: number): number
  /** Nothing is left: the card may interrupt again. */
  complete(): void
  scheduled?: boolean
}

export interface NapiLimits {
  /** net.core.netdev_budget, and netdev_budget_usecs in jiffies. */
  budget: number
  jiffies: number
}

export interface NapiHost {
  jiffies(): number
  raiseNetRx(): void
  polled(napi: Napi, work: number): void
  limits(): NapiLimits
}

/** A processor's: struct softnet_data. */
export class Softnet {
  processed = 0
  dropped = 0
  timeSqueeze = 0
  readonly list: Napi[] = []
  readonly #host: NapiHost

  constructor(host: NapiHost) {
    this.#host = host
  }

  schedule(napi: Napi): void {
    if (napi.scheduled) return
    napi.scheduled = true
    this.list.push(napi)
    this.#host.raiseNetRx()
  }

  /** @param packetNs what a packet takes */
  *act(packetNs: number): Work {
    const host = this.#host
    const limits = host.limits()
    const until = host.jiffies() + limits.jiffies
    let { budget } = limits
    const list = this.list.splice(0)
    const again: Napi[] = []
    while (list.length > 0) {
      const napi = list.shift()!
      const work = napi.poll(napi.weight)
      this.processed += work
      host.polled(napi, work)
      yield POLL_NS + work * packetNs
      if (work < napi.weight) {
        napi.scheduled = false
        napi.complete()
      } else again.push(napi)
      budget -= work
      if (budget <= 0 || host.jiffies() >= until) {
        this.timeSqueeze++
        break
      }
    }
    // Those whose turn hasn't come, those that came meanwhile, those that have more.
    const rest = [...list, ...this.list.splice(0), ...again]
    if (rest.length === 0) return
    this.list.push(...rest)
    host.raiseNetRx()
  }
}

const POLL_NS = 500

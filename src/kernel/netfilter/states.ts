/** What expressions remember between packets: counters, token buckets, quotas. */
import type { Host } from '#kernel/core'
import type { LimitSpec } from './expressions.ts'
import type { ExpressionState } from './objects.ts'

/** Packets and their bytes. Linux 6.1 net/netfilter/nft_counter.c. */
export class Counter implements ExpressionState {
  packets: number
  bytes: number

  constructor(packets = 0, bytes = 0) {
    this.packets = packets
    this.bytes = bytes
  }

  count(length: number): void {
    this.packets++
    this.bytes += length
  }

  dump(): { packets: number; bytes: number } {
    return { packets: this.packets, bytes: this.bytes }
  }
}

/** A token bucket in nanoseconds. Linux 6.1 net/netfilter/nft_limit.c: nft_limit_eval(). */
export class Limit implements ExpressionState {
  readonly #host: Host
  readonly #invert: boolean
  readonly #bytes: boolean
  readonly #rate: number
  readonly #per: number
  readonly #max: number
  /** What a packet costs, if bytes don't count. */
  readonly #cost: number
  #tokens: number
  #last: number

  constructor(host: Host, spec: LimitSpec) {
    this.#host = host
    this.#invert = spec.invert
    this.#bytes = spec.bytes
    this.#rate = spec.rate
    this.#per = spec.per * 1e9
    // Packets: the burst is all that the bucket holds; bytes: the burst comes on top of the rate.
    this.#max = spec.bytes
      ? Math.floor((this.#per * (spec.rate + spec.burst)) / spec.rate)
      : Math.floor(this.#per / spec.rate) * spec.burst
    this.#cost = Math.floor(this.#per / spec.rate)
    this.#tokens = this.#max
    this.#last = host.sim.nowNs
  }

  /** Whether the packet goes on to the next expression. */
  passes(length: number): boolean {
    const now = this.#host.sim.nowNs
    const tokens = Math.min(this.#max, this.#tokens + now - this.#last)
    this.#last = now
    const cost = this.#bytes ? Math.floor((this.#per * length) / this.#rate) : this.#cost
    const enough = tokens - cost >= 0
    this.#tokens = enough ? tokens - cost : tokens
    return enough !== this.#invert
  }

  dump(): Record<string, never> {
    return {}
  }
}

/** So many bytes, and no more. Linux 6.1 net/netfilter/nft_quota.c. */
export class Quota implements ExpressionState {
  readonly bytes: number
  readonly invert: boolean
  consumed: number

  constructor(bytes: number, invert: boolean, consumed: number) {
    this.bytes = bytes
    this.invert = invert
    this.consumed = consumed
  }

  passes(length: number): boolean {
    this.consumed += length
    return this.consumed >= this.bytes === this.invert
  }

  dump(): { consumed: number } {
    return { consumed: Math.min(this.consumed, this.bytes) }
  }
}

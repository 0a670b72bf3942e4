/**
 * What waits to be received on a machine: packets that one virtual device has handed to another (veth, loopback, a
 * bridge's ports) and that are received when what is being sent or received has been dealt with, in order.
 *
 * A machine's namespaces share it, as they share a CPU. It is bounded as the kernel's is: so many packets wait, the rest
 * is dropped; so many are received in one go, the rest later, so that two bridges in a loop can't stop the clock.
 *
 * Linux 6.1 net/core/dev.c: enqueue_to_backlog(), process_backlog(), net_rx_action().
 */
import { defineState, type Host } from '#kernel/core'
import type { Packet } from '#wire/inet'
import type { NetDevice } from './device.ts'

/** net.core.netdev_max_backlog, and net.core.netdev_budget. */
const MAX_BACKLOG = 1000
const BUDGET = 300
/** What receiving so many takes, before ksoftirqd has the next lot: about a microsecond each. */
const LOT_NS = 300_000

const NOTHING: (NetDevice | Packet)[] = []

export class Softnet {
  readonly #host: Host
  /** Above 0 while something is sent or received: what is handed over then waits. */
  depth = 0
  /** Devices and packets, in turns. */
  waiting: (NetDevice | Packet)[] = NOTHING
  #head = 0
  #slot = -1
  /** Whether ksoftirqd has what is left. */
  #later = false

  constructor(host: Host) {
    this.#host = host
  }

  /** netif_rx(): false if there is no room. */
  enqueue(device: NetDevice, packet: Packet): boolean {
    if (this.waiting === NOTHING) this.waiting = []
    if (this.waiting.length - this.#head >= 2 * MAX_BACKLOG) {
      device.stats.rxDropped++
      return false
    }
    this.waiting.push(device, packet)
    if (this.depth === 0) this.drain()
    return true
  }

  /** What was being done is done: what waits is received. */
  drain(): void {
    if (this.#later) return
    this.depth++
    const { waiting } = this
    let left = BUDGET
    try {
      while (this.#head < waiting.length && left-- > 0) {
        const at = this.#head
        this.#head += 2
        const device = waiting[at] as NetDevice
        if (device.registered) device.deliver(waiting[at + 1] as Packet)
      }
    } finally {
      this.depth--
      if (this.#head >= waiting.length) waiting.length = 0
      else waiting.splice(0, this.#head)
      this.#head = 0
      if (waiting.length > 0) this.#defer()
    }
  }

  #defer(): void {
    const { sim } = this.#host
    if (this.#slot < 0) this.#slot = sim.slot('ksoftirqd', this)
    this.#later = true
    sim.arm(this.#slot, sim.nowNs + LOT_NS)
  }

  fire(): void {
    this.#later = false
    if (this.depth === 0) this.drain()
  }
}

/** A machine's; its namespaces' hosts answer with the same. */
export const softnet = defineState((host) => new Softnet(host))

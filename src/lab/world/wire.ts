/**
 * One direction of a link: what goes in at one end comes out at the other, later, in order. Packets in flight wait in a
 * ring; the queue of events holds one entry for the whole direction, and a crossing is one event.
 *
 * Delay, rate and loss are Linux's netem's: a packet leaves at max(now + delay, when the one before it left) plus its own
 * time on the wire; loss is drawn when it goes in; at most 1000 wait. Linux 6.1 net/sched/sch_netem.c: netem_enqueue().
 */
import type { RandomStream, Simulator } from '#base/sim'
import { frameLength, type Packet } from '#wire/inet'

/** netem's limit, and a learning switch's buffer for one port. */
const IN_FLIGHT_MAX = 1000

export interface WireSettings {
  /** Nanoseconds from the one end to the other. */
  delayNs: number
  /** Bits per second; Infinity if not limited. */
  rateBps: number
  /** The chance of each packet to be lost, 0 to 1. */
  loss: number
}

export class Wire {
  delayNs: number
  /** Nanoseconds a byte takes; 0 if the rate isn't limited. */
  #byteNs: number
  loss: number
  /** Takes what comes out. */
  deliver: (packet: Packet) => void = () => {}
  /** Told of what loss took, or found no room. */
  onLoss: ((packet: Packet, why: 'lost' | 'no room') => void) | undefined = undefined
  /** Packets that loss took, and that found the queue full. */
  lost = 0
  dropped = 0

  readonly #sim: Simulator
  readonly #slot: number
  readonly #stream: string
  #random: RandomStream | undefined = undefined
  #packets: (Packet | undefined)[] = new Array(4)
  #times = new Float64Array(4)
  #head = 0
  #count = 0
  /** When the last packet has left, if the rate is limited. Never a small integer: that would be another shape of object. */
  #busyUntilNs = Number.NEGATIVE_INFINITY

  /** @param stream the name of the random stream that decides on losses; made when there is one to decide on */
  constructor(sim: Simulator, name: string, settings: WireSettings, stream: string) {
    this.#sim = sim
    this.#stream = stream
    this.delayNs = settings.delayNs
    this.#byteNs = byteTime(settings.rateBps)
    this.loss = settings.loss
    this.#slot = sim.slot(name, this)
  }

  set rateBps(rate: number) {
    this.#byteNs = byteTime(rate)
  }

  /** How many packets are on their way. */
  get inFlight(): number {
    return this.#count
  }

  send(packet: Packet): void {
    if (this.loss > 0) {
      this.#random ??= this.#sim.random(this.#stream)
      if (this.#random.fraction() < this.loss) {
        this.lost++
        this.onLoss?.(packet, 'lost')
        return
      }
    }
    const count = this.#count
    if (count >= IN_FLIGHT_MAX) {
      this.dropped++
      this.onLoss?.(packet, 'no room')
      return
    }
    let at = this.#sim.nowNs + this.delayNs
    if (this.#byteNs !== 0) {
      if (this.#busyUntilNs > at) at = this.#busyUntilNs
      at = Math.round(at + frameLength(packet) * this.#byteNs)
      this.#busyUntilNs = at
    }
    if (count === this.#times.length) this.#grow()
    const mask = this.#times.length - 1
    // A delay that was shortened meanwhile lets a packet overtake, as in netem.
    let place = count
    while (place > 0 && this.#times[(this.#head + place - 1) & mask]! > at) {
      const from = (this.#head + place - 1) & mask
      const to = (this.#head + place) & mask
      this.#times[to] = this.#times[from]!
      this.#packets[to] = this.#packets[from]
      place--
    }
    const index = (this.#head + place) & mask
    this.#times[index] = at
    this.#packets[index] = packet
    this.#count = count + 1
    if (place === 0) this.#sim.arm(this.#slot, this.#times[index]!)
  }

  /** The first packet in flight arrives. Called by the simulator. */
  fire(): void {
    const head = this.#head
    const packet = this.#packets[head]!
    this.#packets[head] = undefined
    this.#head = (head + 1) & (this.#times.length - 1)
    if (--this.#count > 0) this.#sim.arm(this.#slot, this.#times[this.#head]!)
    this.deliver(packet)
  }

  /** Loses what is in flight: the cable was pulled. */
  clear(): void {
    this.#packets.fill(undefined)
    this.#count = 0
    this.#busyUntilNs = Number.NEGATIVE_INFINITY
    this.#sim.disarm(this.#slot)
  }

  #grow(): void {
    const size = this.#times.length
    const times = new Float64Array(size * 2)
    const packets = new Array<Packet | undefined>(size * 2)
    for (let i = 0; i < this.#count; i++) {
      times[i] = this.#times[(this.#head + i) & (size - 1)]!
      packets[i] = this.#packets[(this.#head + i) & (size - 1)]
    }
    this.#times = times
    this.#packets = packets
    this.#head = 0
  }
}

function byteTime(rateBps: number): number {
  return rateBps === Number.POSITIVE_INFINITY ? 0 : 8e9 / rateBps
}

/** A cable between a device and another device or a switch port: two wires, and whether it is in. */
import type { Simulator } from '#base/sim'
import type { Attached, CableEnd } from '#kernel/net'
import type { Packet } from '#wire/inet'
import { Wire, type WireSettings } from './wire.ts'

export class Cable {
  readonly a: End
  readonly b: End
  #in = true

  /** @param settings of the wire from a to b, and of the one back */
  constructor(sim: Simulator, name: string, aToB: WireSettings, bToA: WireSettings) {
    // Each direction draws its losses from a stream of its own.
    const there = new Wire(sim, `${name}/wire`, aToB, `${name}/loss`)
    const back = new Wire(sim, `${name}/wire back`, bToA, `${name}/loss back`)
    this.a = new End(this, there)
    this.b = new End(this, back)
    there.deliver = (packet) => this.b.attached?.receive(packet)
    back.deliver = (packet) => this.a.attached?.receive(packet)
  }

  /** Whether the cable is in at both ends. */
  get plugged(): boolean {
    return this.#in
  }

  /** Pulls the cable out or puts it in; both ends see the carrier go or come. */
  plug(on: boolean): void {
    if (this.#in === on) return
    this.#in = on
    if (!on) {
      this.a.wire.clear()
      this.b.wire.clear()
    }
    this.refresh()
  }

  /** Tells both ends the carrier as it stands now. */
  refresh(): void {
    this.a.tell()
    this.b.tell()
  }
}

/** One end of a cable. */
export class End implements CableEnd {
  readonly cable: Cable
  /** Carries away what is transmitted here. */
  readonly wire: Wire
  /** What it is plugged into, and whether that has power. */
  attached: Attached | undefined = undefined
  /** What is attached hears of no change meanwhile: it is paused. */
  #deaf = false
  #powered = true
  #told = false

  constructor(cable: Cable, wire: Wire) {
    this.cable = cable
    this.wire = wire
  }

  get #other(): End {
    return this.cable.a === this ? this.cable.b : this.cable.a
  }

  get carrier(): boolean {
    return this.cable.plugged && this.#powered && this.#other.#powered && this.#other.attached !== undefined
  }

  /** The power of what it is plugged into. */
  set powered(on: boolean) {
    this.#powered = on
    this.cable.refresh()
  }

  set deaf(on: boolean) {
    this.#deaf = on
    this.tell()
  }

  attach(attached: Attached): void {
    this.attached = attached
    this.cable.refresh()
  }

  transmit(packet: Packet): void {
    if (this.cable.plugged) this.wire.send(packet)
  }

  /** Tells what is attached of the carrier, if it has changed since. */
  tell(): void {
    const on = this.carrier
    if (on === this.#told || this.#deaf) return
    this.#told = on
    this.attached?.carrierChanged(on)
  }
}

/** A cable whose directions have the same settings. */
export function createCable(sim: Simulator, name: string, settings: WireSettings): Cable {
  return new Cable(sim, name, settings, settings)
}

/** Turns what happens in a world into events for the page: frames where they cross a switch, cables, power. */
import type { World } from '#lab/world'
import { emitFrame } from '#wire/inet'
import type { LabEvent } from './protocol.ts'

export class Recorder {
  #events: LabEvent[] = []
  // Frames by the number that the world gives them where they enter a switch.
  readonly #ids = new Map<number, number>()
  #frames = 0
  /** Nobody is to be told: what happens is what happened once, and is only counted. */
  quiet = false

  /** @param onFrame sees each frame before it is told; it may throw, if there are too many */
  constructor(world: World, onFrame?: (network: string, from: string, bytes: Uint8Array) => void) {
    world.frames.listen(({ atNs, port, direction, packet }) => {
      if (direction === 'in') {
        const id = this.#frames++
        this.#ids.set(packet.frame, id)
        if (this.quiet) return
        const end = { host: port.host, interface: port.iface }
        const bytes = emitFrame(packet).slice()
        onFrame?.(port.network.name, `${port.host}:${port.iface}`, bytes)
        this.add({ type: 'frame', id, atNs, network: port.network.name, from: end, bytes })
        return
      }
      if (this.quiet) return
      const id = this.#ids.get(packet.frame)
      if (id !== undefined) this.add({ type: 'arrival', id, atNs, to: { host: port.host, interface: port.iface } })
    })
    world.links.listen(({ atNs, host, interface: card, up }) => {
      this.add({ type: 'link', atNs, end: { host, interface: card }, up })
    })
    world.power.listen(({ atNs, host, on }) => {
      this.add({ type: 'power', atNs, host, on })
    })
  }

  add(event: LabEvent): void {
    if (!this.quiet) this.#events.push(event)
  }

  /** What happened since the last time. */
  take(): LabEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }
}

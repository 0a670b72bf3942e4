/** Turns what happens in a world into events for the page: frames where they cross a switch, cables, power. */
import type { World } from '#lab/world'
import { emitFrame } from '#wire/inet'
import type { LabEvent } from './protocol.ts'

/** More frames than a reader could look at, and than a page should keep. */
const FRAMES_MAX = 200_000

/** A reader's lab ran away: it is stopped before the page is. */
export class TooManyFrames extends Error {
  override readonly name = 'TooManyFrames'
}

export class Recorder {
  #events: LabEvent[] = []
  // Frames by the number that the world gives them where they enter a switch.
  readonly #ids = new Map<number, number>()
  #frames = 0

  constructor(world: World) {
    world.frames.listen(({ atNs, port, direction, packet }) => {
      const end = { host: port.host, interface: port.iface }
      if (direction === 'in') {
        if (this.#frames >= FRAMES_MAX) throw new TooManyFrames(`more than ${FRAMES_MAX} frames; build the lab anew`)
        const id = this.#frames++
        this.#ids.set(packet.frame, id)
        this.add({ type: 'frame', id, atNs, network: port.network.name, from: end, bytes: emitFrame(packet).slice() })
        return
      }
      const id = this.#ids.get(packet.frame)
      if (id !== undefined) this.add({ type: 'arrival', id, atNs, to: end })
    })
    world.links.listen(({ atNs, host, interface: card, up }) => {
      this.add({ type: 'link', atNs, end: { host, interface: card }, up })
    })
    world.power.listen(({ atNs, host, on }) => {
      this.add({ type: 'power', atNs, host, on })
    })
  }

  /** Whether something happened that nobody was told. */
  get pending(): boolean {
    return this.#events.length > 0
  }

  add(event: LabEvent): void {
    this.#events.push(event)
  }

  /** What happened since the last time. */
  take(): LabEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }
}

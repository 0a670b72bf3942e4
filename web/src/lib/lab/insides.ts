/**
 * Looks inside the hosts while a lab runs, and tells what changed. A host is looked at when a frame of its comes to a
 * switch; one that was reached by a frame and answers nothing, at the next frame of anybody's, when it has dealt with it;
 * and all are when a command ended. What changes in between is seen at the next of those moments.
 */
import { type InsideRow, insideViews } from '#kernel/core'
import type { World } from '#lab/world'
import type { InsideEvent, LabEvent } from './protocol.ts'

/** How far apart two looks at a host are at least, in virtual time: at first, and when there have been many. */
const SPACING_NS = 1e6
const SPACING_LATER_NS = 1e8
const MANY = 5_000
/** More rows than somebody reads; a table of a flood would fill the page's memory. */
const ROWS_MAX = 200

export class Insides {
  readonly #world: World
  readonly #add: (event: LabEvent) => void
  /** By host, when it was looked at, and by view what was seen. */
  readonly #seen = new Map<string, { atNs: number; tables: Map<string, string> }>()
  /** Who was reached by a frame since it was looked at, and when. */
  readonly #reached = new Map<string, number>()
  #looks = 0
  /** Nobody is told: nothing is looked at. */
  quiet = false

  constructor(world: World, add: (event: LabEvent) => void) {
    this.#world = world
    this.#add = add
    world.frames.listen(({ atNs, port, direction }) => {
      if (this.quiet) return
      if (direction !== 'in') {
        if (!this.#reached.has(port.host)) this.#reached.set(port.host, atNs)
        return
      }
      for (const [host, sinceNs] of this.#reached) if (sinceNs < atNs) this.#lookAgain(host, atNs)
      this.#lookAgain(port.host, atNs)
    })
  }

  /** Looks at every host. */
  lookAtAll(): void {
    if (this.quiet) return
    for (const name of this.#world.hosts.keys()) this.#look(name)
  }

  /** All tables of all hosts at this moment, whether they changed or not. */
  all(): InsideEvent[] {
    const events: InsideEvent[] = []
    const { nowNs } = this.#world.sim
    for (const [name, { kernel }] of this.#world.hosts) {
      for (const [view, { columns, look }] of insideViews(kernel.image)) {
        const rows = (kernel.up ? look(kernel) : undefined)?.slice(0, ROWS_MAX) ?? []
        events.push({ type: 'inside', atNs: nowNs, host: name, view, columns: [...columns], rows })
      }
    }
    return events
  }

  /** Looks, unless it was a moment ago. */
  #lookAgain(name: string, atNs: number): void {
    const seen = this.#seen.get(name)
    if (seen && atNs - seen.atNs < (this.#looks < MANY ? SPACING_NS : SPACING_LATER_NS)) return
    this.#look(name)
  }

  #look(name: string): void {
    const { kernel } = this.#world.host(name)
    const { nowNs } = this.#world.sim
    this.#looks++
    this.#reached.delete(name)
    let seen = this.#seen.get(name)
    if (!seen) {
      seen = { atNs: nowNs, tables: new Map() }
      this.#seen.set(name, seen)
    }
    seen.atNs = nowNs
    for (const [view, { columns, look }] of insideViews(kernel.image)) {
      const rows: InsideRow[] = (kernel.up ? look(kernel) : undefined)?.slice(0, ROWS_MAX) ?? []
      const text = rows.length === 0 ? '' : JSON.stringify(rows)
      if (text === (seen.tables.get(view) ?? '')) continue
      seen.tables.set(view, text)
      this.#add({ type: 'inside', atNs: nowNs, host: name, view, columns: [...columns], rows })
    }
  }
}

/**
 * Looks inside the hosts while a lab runs, and tells what changed. A host is looked at when a frame of its comes to a
 * switch, and all are when a command ended: what changes without a frame is seen at the next of those moments.
 */
import { type InsideRow, insideViews } from '#kernel/core'
import type { World } from '#lab/world'
import type { LabEvent } from './protocol.ts'

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
  #looks = 0

  constructor(world: World, add: (event: LabEvent) => void) {
    this.#world = world
    this.#add = add
    world.frames.listen(({ atNs, port, direction }) => {
      if (direction !== 'in') return
      const seen = this.#seen.get(port.host)
      if (seen && atNs - seen.atNs < (this.#looks < MANY ? SPACING_NS : SPACING_LATER_NS)) return
      this.#look(port.host)
    })
  }

  /** Looks at every host. */
  lookAtAll(): void {
    for (const name of this.#world.hosts.keys()) this.#look(name)
  }

  #look(name: string): void {
    const { kernel } = this.#world.host(name)
    const { nowNs } = this.#world.sim
    this.#looks++
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

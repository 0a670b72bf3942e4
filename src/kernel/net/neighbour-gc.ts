/**
 * The table's periodic work: it draws reachable times anew and collects what nobody used. In a table with fewer than
 * gc_thresh1 entries it collects nothing, so its runs are only counted, when somebody asks; a timer is armed above that.
 * Either way it runs at the kernel's times.
 *
 * Linux 6.1 net/core/neighbour.c: neigh_periodic_work(), neigh_forced_gc(), neigh_table_init().
 */
import { HZ, jiffyNs, wheelJiffies } from './jiffies.ts'
import type { Neighbour } from './neighbour.ts'
import { NTF_EXT_LEARNED, NUD_FAILED, NUD_IN_TIMER, NUD_NOARP, NUD_PERMANENT } from './neighbour-states.ts'
import type { NeighbourTable } from './neighbour-table.ts'

const RANDOM_INTERVAL = 300 * HZ

export class NeighbourGc {
  readonly #table: NeighbourTable
  /** When the last forced collection ended: jiffies. */
  lastFlush: number
  #next: number
  #lastRandom: number
  #draws = 0
  #slot = -1
  #armed = false

  constructor(table: NeighbourTable) {
    this.#table = table
    const { host } = table.net
    // The table was made at boot, whenever it is first looked at.
    const boot = table.jiffies - Math.floor((host.sim.nowNs - host.bootedNs) / (1e9 / HZ))
    const base = table.parms.baseReachable
    const reachable = base === 0 ? 0 : host.sim.random(`${host.name}/${table.chance}-gc`).below(base) + (base >> 1)
    this.lastFlush = boot
    this.#next = wheelJiffies(boot, boot + reachable)
    this.#lastRandom = boot + 20 * reachable
  }

  /** The number of the drawing of reachable times that counts now. */
  drawing(): number {
    this.#catchUp()
    return this.#draws
  }

  /** Call it when there is an entry more, or gc_thresh1 has changed. */
  entriesChanged(): void {
    if (this.#armed || this.#table.entries < this.#table.gcThresh1) return
    this.#catchUp()
    this.#arm()
  }

  /** Call it before base_reachable_time of `default` changes: what ran until now ran by the old one. */
  settle(): void {
    this.#catchUp()
  }

  /** Counts the runs that did nothing else. */
  #catchUp(): void {
    if (this.#armed) return
    const now = this.#table.jiffies
    while (this.#next <= now) this.#advance()
  }

  #advance(): void {
    const at = this.#next
    this.#table.stats.periodicGcRuns++
    if (at > this.#lastRandom + RANDOM_INTERVAL) {
      this.#lastRandom = at
      this.#draws++
    }
    this.#next = wheelJiffies(at, at + (this.#table.parms.baseReachable >> 1))
  }

  #arm(): void {
    const { host } = this.#table.net
    if (this.#slot < 0) this.#slot = host.sim.slot('neighbour gc', this)
    host.sim.arm(this.#slot, jiffyNs(host, this.#next))
    this.#armed = true
  }

  /** It never runs again. */
  stop(): void {
    if (this.#slot >= 0) this.#table.net.host.sim.disarm(this.#slot)
  }

  fire(): void {
    this.#armed = false
    this.#advance()
    this.#collect()
    if (this.#table.entries >= this.#table.gcThresh1) this.#arm()
  }

  #collect(): void {
    const table = this.#table
    if (table.entries < table.gcThresh1) return
    const now = table.jiffies
    for (const entry of [...table.all()]) {
      if (entry.state & (NUD_PERMANENT | NUD_IN_TIMER) || entry.flags & NTF_EXT_LEARNED) continue
      if (entry.used < entry.confirmed && entry.confirmed <= now) entry.used = entry.confirmed
      const fresh = entry.used <= now && now < entry.used + entry.link.parms.gcStale
      if (!entry.timerPending && (entry.state === NUD_FAILED || !fresh)) table.release(entry)
    }
  }
}

/** Makes room, the oldest entries first; returns how many went. */
export function forcedCollection(table: NeighbourTable): number {
  table.stats.forcedGcRuns++
  const most = table.gcEntries - table.gcThresh2
  const now = table.jiffies
  let shrunk = 0
  for (const entry of table.gcList ?? []) {
    if (entry.timerPending) continue
    if (worthless(table, entry, now) && table.removeOne(entry)) shrunk++
    if (shrunk >= most) break
  }
  table.gc.lastFlush = now
  return shrunk
}

function worthless(table: NeighbourTable, entry: Neighbour, now: number): boolean {
  return (
    entry.state === NUD_FAILED ||
    entry.state === NUD_NOARP ||
    table.protocol.isMulticast(entry.key) ||
    entry.updated < now - 5 * HZ ||
    entry.updated > now
  )
}

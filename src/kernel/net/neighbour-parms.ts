/**
 * The neighbour settings of a device (net.ipv4.neigh.NAME.*), shared by all until one is written.
 *
 * Linux 6.1 include/net/neighbour.h: struct neigh_parms; net/ipv4/arp.c: arp_tbl.
 */
import type { NetDevice } from './device.ts'
import { HZ } from './jiffies.ts'
import type { Neighbour } from './neighbour.ts'
import type { NeighbourTable } from './neighbour-table.ts'

/** What a neighbour table keeps for a device: IPv4's is the InetDevice, IPv6 has its own. */
export interface NeighbourLink {
  readonly device: NetDevice
  /** Shared until written. */
  parms: NeighbourParms
  /** The drawn reachable time, in jiffies, and in which of the table's drawings; -1: not drawn yet. */
  reachable: number
  reachableDraw: number
  /** By key; made with the first neighbour. */
  neighbours: Map<number, Neighbour> | undefined
  /** The one that was used last. */
  lastNeighbour: Neighbour | undefined
  /** Packets of this device in the proxy queue. */
  proxyQueued: number
}

/** Times in jiffies. */
export class NeighbourParms {
  mcastProbes = 3
  ucastProbes = 3
  appProbes = 0
  mcastReprobes = 0
  retransTime = HZ
  baseReachable = 30 * HZ
  delayProbe = 5 * HZ
  intervalProbe = 5 * HZ
  gcStale = 60 * HZ
  /** SK_WMEM_MAX. */
  queueLenBytes = 212_992
  proxyQlen = 64
  anycastDelay = HZ
  proxyDelay = (8 * HZ) / 10
  locktime = HZ
  /** What was written to this very object: a later write to `default` leaves it alone. Linux: neigh_parms.data_state. */
  written: ReadonlySet<ParmName> = NOTHING

  with(name: ParmName, value: number, mark: boolean): NeighbourParms {
    const copy = Object.assign(new NeighbourParms(), this)
    copy[name] = value
    if (mark) copy.written = new Set([...this.written, name])
    return copy
  }
}

export type ParmName = Exclude<keyof NeighbourParms, 'written' | 'with'>

const NOTHING: ReadonlySet<ParmName> = new Set()

export const PARMS_DEFAULT = new NeighbourParms()

/**
 * How long a confirmed neighbour of a device stays reachable, in jiffies: drawn between half and one and a half of its
 * base, and drawn anew every five minutes, at the table's periodic work. Linux: neigh_rand_reach_time().
 */
export function reachableJiffies(link: NeighbourLink, table: NeighbourTable): number {
  const draw = table.gc.drawing()
  if (link.reachableDraw !== draw) drawReachable(link, table, draw)
  return link.reachable
}

function drawReachable(link: NeighbourLink, table: NeighbourTable, draw: number): void {
  const base = link.parms.baseReachable
  const { host } = link.device
  link.reachable = base === 0 ? 0 : host.sim.random(`${host.name}/${table.chance}s`).below(base) + (base >> 1)
  link.reachableDraw = draw
}

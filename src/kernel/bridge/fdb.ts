/**
 * The forwarding database: which address of which VLAN is behind which port. Learned entries age; the bridge's own, and
 * those that somebody has set, don't.
 *
 * Linux 6.1 net/bridge/br_fdb.c.
 */
import { jiffiesOf } from '#kernel/net'
import { formatMac } from '#wire/link'
import type { Bridge, BridgePort } from './bridge.ts'

export interface FdbEntry {
  readonly mac: number
  readonly vid: number
  /** Undefined: the bridge itself. */
  port: BridgePort | undefined
  /** Its own address: frames for it go up. */
  local: boolean
  /** Isn't aged. */
  isStatic: boolean
  sticky: boolean
  byUser: boolean
  extLearned: boolean
  /** Jiffies. */
  updated: number
  used: number
}

/** Linux: FDB cleanup runs at least 10 ms apart. */
const CLEANUP_MIN = 3

export class Fdb {
  readonly #bridge: Bridge
  /** By address; VLAN 0, which most have alone, without a detour. */
  readonly #plain = new Map<number, FdbEntry>()
  readonly #tagged = new Map<number, Map<number, FdbEntry>>()
  /** In the order of making; a dump goes backwards. */
  readonly #all = new Set<FdbEntry>()

  constructor(bridge: Bridge) {
    this.#bridge = bridge
  }

  get now(): number {
    return jiffiesOf(this.#bridge.device.host)
  }

  /** The newest first. */
  entries(): FdbEntry[] {
    return [...this.#all].reverse()
  }

  find(mac: number, vid: number): FdbEntry | undefined {
    return vid === 0 ? this.#plain.get(mac) : this.#tagged.get(vid)?.get(mac)
  }

  create(mac: number, vid: number, port: BridgePort | undefined, changes: Partial<FdbEntry> = {}): FdbEntry {
    const { now } = this
    const entry: FdbEntry = {
      mac,
      vid,
      port,
      local: false,
      isStatic: false,
      sticky: false,
      byUser: false,
      extLearned: false,
      updated: now,
      used: now,
      ...changes,
    }
    let map = this.#plain
    if (vid !== 0) {
      const found = this.#tagged.get(vid)
      map = found ?? new Map()
      if (found === undefined) this.#tagged.set(vid, map)
    }
    map.set(mac, entry)
    this.#all.add(entry)
    return entry
  }

  delete(entry: FdbEntry): void {
    const map = entry.vid === 0 ? this.#plain : this.#tagged.get(entry.vid)
    map?.delete(entry.mac)
    if (map?.size === 0 && entry.vid !== 0) this.#tagged.delete(entry.vid)
    this.#all.delete(entry)
  }

  /** A frame has come from that address. br_fdb_update() */
  learn(port: BridgePort, mac: number, vid: number, byUser = false): void {
    const bridge = this.#bridge
    if (bridge.holdTime === 0) return
    const entry = this.find(mac, vid)
    if (entry === undefined) {
      this.create(mac, vid, port, byUser ? { byUser } : {})
      return
    }
    if (entry.local) {
      const what = `received packet on ${port.device.name} with own address as source address`
      bridge.log(4, `${what} (addr:${formatMac(mac)}, vlan:${vid})`)
      return
    }
    entry.updated = this.now
    if (entry.port !== port && !entry.sticky) {
      entry.port = port
      entry.extLearned = false
    }
    if (byUser) entry.byUser = true
  }

  /** An address of the bridge's own, or of a port's device. fdb_add_local() */
  addLocal(port: BridgePort | undefined, mac: number, vid: number): void {
    if (mac === 0 || (Math.floor(mac / 0x100_0000_0000) & 1) === 1) return
    const entry = this.find(mac, vid)
    if (entry?.local) return
    if (entry !== undefined) {
      const name = (port?.device ?? this.#bridge.device).name
      const what = `adding interface ${name} with same address as a received packet`
      this.#bridge.log(4, `${what} (addr:${formatMac(mac)}, vlan:${vid})`)
      this.delete(entry)
    }
    this.create(mac, vid, port, { local: true, isStatic: true })
  }

  /** A local entry goes, unless another port or the bridge has that address too. fdb_delete_local() */
  deleteLocal(port: BridgePort | undefined, entry: FdbEntry): void {
    const bridge = this.#bridge
    const { mac, vid } = entry
    const other = bridge.ports.find(
      (each) => each !== port && each.device.address === mac && (vid === 0 || each.vlans.get(vid) !== undefined),
    )
    const bridgeHas = () => bridge.device.address === mac && (vid === 0 || bridge.vlans.usable(vid) !== undefined)
    if (other !== undefined || (port !== undefined && bridgeHas())) {
      entry.port = other
      entry.byUser = false
    } else this.delete(entry)
  }

  /** br_fdb_find_delete_local() */
  deleteOwn(port: BridgePort | undefined, mac: number, vid: number): void {
    const entry = this.find(mac, vid)
    if (entry?.local && !entry.byUser && entry.port === port) this.deleteLocal(port, entry)
  }

  /** A port's device has another address. br_fdb_changeaddr() */
  portAddressChanged(port: BridgePort, mac: number): void {
    for (const entry of this.entries()) {
      if (entry.port !== port || !entry.local || entry.byUser) continue
      this.deleteLocal(port, entry)
      if (port.vlans.size === 0) break
    }
    this.addLocal(port, mac, 0)
    for (const vlan of port.vlans.list) this.addLocal(port, mac, vlan.vid)
  }

  /** The bridge is to have another address; its device still has the old one. br_fdb_change_mac_address() */
  bridgeAddressChanged(mac: number): void {
    const bridge = this.#bridge
    const vids = [0, ...bridge.vlans.list.filter((vlan) => vlan.use).map((vlan) => vlan.vid)]
    for (const vid of vids) {
      this.deleteOwn(undefined, bridge.device.address, vid)
      this.addLocal(undefined, mac, vid)
    }
  }

  /** A port's entries: those that were learned, or all. br_fdb_delete_by_port() */
  flushPort(port: BridgePort | undefined, all: boolean, vid = 0): void {
    for (const entry of this.entries()) {
      if (entry.port !== port) continue
      if (!all && (entry.isStatic || entry.extLearned || (vid !== 0 && entry.vid !== vid))) continue
      if (entry.local) this.deleteLocal(port, entry)
      else this.delete(entry)
    }
  }

  /** `ip link set br0 type bridge fdb_flush`, /sys/.../flush: what was learned. */
  flush(): void {
    for (const entry of this.entries()) if (!entry.isStatic && !entry.extLearned) this.delete(entry)
  }

  hasExpired(entry: FdbEntry): boolean {
    return !entry.isStatic && !entry.extLearned && entry.updated + this.#bridge.holdTime <= this.now
  }

  /** What is too old goes; comes again when the next will be. br_fdb_cleanup() */
  cleanup(): void {
    const delay = this.#bridge.holdTime
    const { now } = this
    let next = delay
    for (const entry of this.#all) {
      if (entry.isStatic || entry.extLearned) continue
      const expires = entry.updated + delay
      if (expires > now) next = Math.min(next, expires - now)
      else this.delete(entry)
    }
    this.#bridge.gcTimer.after(Math.max(next, CLEANUP_MIN))
  }
}

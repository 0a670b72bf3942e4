/**
 * VLANs of a bridge and of its ports: which may enter and leave, which one untagged frames belong to, and who is sent
 * frames without a tag.
 *
 * Linux 6.1 net/bridge/br_vlan.c: __vlan_add(), __allowed_ingress(), br_handle_vlan().
 */
import type { Packet } from '#wire/inet'
import type { Bridge, BridgePort } from './bridge.ts'

// BRIDGE_VLAN_INFO_*. Linux 6.1 include/uapi/linux/if_bridge.h.
export const VLAN_MASTER = 1 << 0
export const VLAN_PVID = 1 << 1
export const VLAN_UNTAGGED = 1 << 2
export const VLAN_BRENTRY = 1 << 5

export interface VlanStats {
  rxBytes: number
  rxPackets: number
  txBytes: number
  txPackets: number
}

export interface BridgeVlan {
  readonly vid: number
  untagged: boolean
  /** False for a bridge's entry that is there only because a port has that VLAN. br_vlan_should_use() */
  use: boolean
  stats: VlanStats
}

export class VlanGroup {
  readonly #vlans = new Map<number, BridgeVlan>()
  /** 0: untagged frames belong to none. */
  pvid = 0

  get(vid: number): BridgeVlan | undefined {
    return this.#vlans.get(vid)
  }

  usable(vid: number): BridgeVlan | undefined {
    const vlan = this.#vlans.get(vid)
    return vlan?.use ? vlan : undefined
  }

  /** How many are usable. */
  get size(): number {
    let size = 0
    for (const vlan of this.#vlans.values()) if (vlan.use) size++
    return size
  }

  /** In order of their numbers. */
  get list(): BridgeVlan[] {
    return [...this.#vlans.values()].sort((a, b) => a.vid - b.vid)
  }

  set(vlan: BridgeVlan): void {
    this.#vlans.set(vlan.vid, vlan)
  }

  delete(vid: number): void {
    if (this.pvid === vid) this.pvid = 0
    this.#vlans.delete(vid)
  }

  /** __vlan_flags_commit() */
  setFlags(vlan: BridgeVlan, flags: number): void {
    if (flags & VLAN_PVID) this.pvid = vlan.vid
    else if (this.pvid === vlan.vid) this.pvid = 0
    vlan.untagged = (flags & VLAN_UNTAGGED) !== 0
  }
}

function newStats(): VlanStats {
  return { rxBytes: 0, rxPackets: 0, txBytes: 0, txPackets: 0 }
}

/** A VLAN of the bridge itself; without BRENTRY only so that its ports' have something in common. br_vlan_add() */
export function addBridgeVlan(bridge: Bridge, vid: number, flags: number): 'EINVAL' | undefined {
  const group = bridge.vlans
  const present = group.get(vid)
  if (present !== undefined) {
    if (!present.use) {
      if (!(flags & VLAN_BRENTRY)) return 'EINVAL'
      bridge.fdb.addLocal(undefined, bridge.device.address, vid)
      present.use = true
    }
    group.setFlags(present, flags)
    return undefined
  }
  const vlan: BridgeVlan = { vid, untagged: false, use: (flags & VLAN_BRENTRY) !== 0, stats: newStats() }
  if (vlan.use) bridge.fdb.addLocal(undefined, bridge.device.address, vid)
  group.set(vlan)
  group.setFlags(vlan, vlan.use ? flags : flags & ~VLAN_PVID)
  return undefined
}

/** br_vlan_delete() */
export function deleteBridgeVlan(bridge: Bridge, vid: number): 'ENOENT' | undefined {
  const vlan = bridge.vlans.get(vid)
  if (vlan === undefined || !vlan.use) return 'ENOENT'
  bridge.fdb.deleteOwn(undefined, bridge.device.address, vid)
  bridge.fdb.flushPort(undefined, false, vid)
  if (bridge.vlans.pvid === vid) bridge.vlans.pvid = 0
  vlan.use = false
  dropUnused(bridge, vid)
  return undefined
}

/** What only ports needed goes with the last of them. br_vlan_put_master() */
function dropUnused(bridge: Bridge, vid: number): void {
  const vlan = bridge.vlans.get(vid)
  if (vlan === undefined || vlan.use || bridge.ports.some((port) => port.vlans.get(vid) !== undefined)) return
  bridge.vlans.delete(vid)
}

/** nbp_vlan_add() */
export function addPortVlan(port: BridgePort, vid: number, flags: number): 'EINVAL' | undefined {
  const present = port.vlans.get(vid)
  if (present !== undefined) {
    port.vlans.setFlags(present, flags)
    return undefined
  }
  const { bridge } = port
  if (flags & VLAN_MASTER) {
    const refused = addBridgeVlan(bridge, vid, flags | VLAN_BRENTRY)
    if (refused !== undefined) return refused
  }
  if (bridge.vlans.get(vid) === undefined) addBridgeVlan(bridge, vid, 0)
  const stats = bridge.vlanStatsPerPort ? newStats() : bridge.vlans.get(vid)!.stats
  const vlan: BridgeVlan = { vid, untagged: false, use: true, stats }
  bridge.fdb.addLocal(port, port.device.address, vid)
  port.vlans.set(vlan)
  port.vlans.setFlags(vlan, flags)
  return undefined
}

/** nbp_vlan_delete() */
export function deletePortVlan(port: BridgePort, vid: number): 'ENOENT' | undefined {
  if (port.vlans.get(vid) === undefined) return 'ENOENT'
  const { bridge } = port
  bridge.fdb.deleteOwn(port, port.device.address, vid)
  bridge.fdb.flushPort(port, false, vid)
  port.vlans.delete(vid)
  dropUnused(bridge, vid)
  return undefined
}

/** Is this VLAN as the default has made it? vlan_default_pvid() */
function isDefault(group: VlanGroup, vid: number): boolean {
  const vlan = group.usable(vid)
  return group.pvid === vid && vlan?.untagged === true
}

/** What untagged frames belong to on ports that nobody has configured; 0: nothing. __br_vlan_set_default_pvid() */
export function setDefaultPvid(bridge: Bridge, pvid: number): void {
  const former = bridge.defaultPvid
  const flags = VLAN_PVID | VLAN_UNTAGGED
  if (former === 0 || isDefault(bridge.vlans, former)) {
    if (pvid !== 0 && bridge.vlans.usable(pvid) === undefined) {
      addBridgeVlan(bridge, pvid, flags | VLAN_BRENTRY)
      deleteBridgeVlan(bridge, former)
    } else if (pvid === 0) deleteBridgeVlan(bridge, former)
  }
  for (const port of bridge.ports) {
    if (former !== 0 && !isDefault(port.vlans, former)) continue
    if (pvid !== 0 && port.vlans.get(pvid) !== undefined) continue
    if (pvid !== 0) addPortVlan(port, pvid, flags)
    deletePortVlan(port, former)
  }
  bridge.defaultPvid = pvid
}

/**
 * The VLAN that a frame belongs to where it comes in; it has its tag afterwards. -1: it may not. Only while the bridge
 * filters. __allowed_ingress()
 */
export function ingressVlan(bridge: Bridge, group: VlanGroup, packet: Packet, length: number): number {
  let vid = packet.vlanTci < 0 ? 0 : packet.vlanTci & 0xfff
  if (vid === 0) {
    vid = group.pvid
    if (vid === 0) return -1
    packet.vlanTci = packet.vlanTci < 0 ? vid : packet.vlanTci | vid
  }
  const vlan = group.usable(vid)
  if (vlan === undefined) return -1
  if (bridge.vlanStats) {
    vlan.stats.rxBytes += length
    vlan.stats.rxPackets++
  }
  return vid
}

/** The VLAN that a frame to a reserved address is learned in; -1: it isn't. br_should_learn() */
export function learnVlan(bridge: Bridge, group: VlanGroup, packet: Packet): number {
  if (!bridge.vlanFiltering) return 0
  const vid = packet.vlanTci < 0 ? 0 : packet.vlanTci & 0xfff
  if (vid === 0) return group.pvid === 0 ? -1 : group.pvid
  return group.get(vid) === undefined ? -1 : vid
}

/** The tag is taken off where the VLAN leaves untagged; false: it may not leave there. br_handle_vlan() */
export function egressVlan(bridge: Bridge, group: VlanGroup, packet: Packet, vid: number, length: number): boolean {
  const vlan = group.usable(vid)
  if (vlan === undefined) return false
  if (bridge.vlanStats) {
    vlan.stats.txBytes += length
    vlan.stats.txPackets++
  }
  if (vlan.untagged) packet.vlanTci = -1
  return true
}

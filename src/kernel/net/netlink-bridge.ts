/**
 * rtnetlink's messages of AF_BRIDGE: entries of forwarding databases (`bridge fdb`), ports (`bridge link`) and their VLANs
 * (`bridge vlan`).
 *
 * Linux 6.1 include/uapi/linux/neighbour.h, if_bridge.h; net/core/rtnetlink.c: rtnl_fdb_add(), rtnl_bridge_getlink().
 */
import type { NeighbourState, NewFlags } from './netlink.ts'

/** An entry: who is behind which device. */
export interface FdbMessage {
  type: 'RTM_NEWNEIGH'
  family: 'AF_BRIDGE'
  ifindex: number
  address: number
  state: NeighbourState
  /** NTF_*: SELF 2, MASTER 4, EXT_LEARNED 0x10, OFFLOADED 0x20, STICKY 0x40. */
  flags: number
  vlan?: number
  master?: number
  /** Seconds since. */
  usedS?: number
  updatedS?: number
  /** A VXLAN device's: where to. */
  dst?: string
  port?: number
  vni?: number
  srcVni?: number
  linkIfindex?: number
  linkNetnsId?: number
  nexthopId?: number
}

/** What `bridge fdb add`, `append`, `replace` and `del` say. */
export type FdbRequest = {
  type: 'RTM_NEWNEIGH' | 'RTM_DELNEIGH'
  family: 'AF_BRIDGE'
  ifindex: number
  /** IFLA_ADDRESS; undefined if it is no MAC address. */
  address?: number
  state: NeighbourState
  flags: number
  vlan?: number
  dst?: string
  port?: number
  vni?: number
  srcVni?: number
  via?: number
} & NewFlags

/** A dump, of one bridge or one port if asked; or one entry. */
export interface FdbQuery {
  type: 'RTM_GETNEIGH'
  family: 'AF_BRIDGE'
  bridge?: number
  port?: number
  /** With it, one entry: of `bridge`, or of the bridge of `port`. */
  address?: number
  vlan?: number
  self?: boolean
}

/** One VLAN, or a range. BRIDGE_VLAN_INFO_*. */
export interface BridgeVlanInfo {
  vid: number
  end?: number
  flags: number
  state?: number
  rxBytes?: number
  rxPackets?: number
  txBytes?: number
  txPackets?: number
}

/** A port of a bridge, or with VLANs a bridge too. */
export interface BridgeLinkMessage {
  type: 'RTM_NEWLINK'
  family: 'AF_BRIDGE'
  ifindex: number
  name: string
  flags: number
  mtu: number
  operstate: string
  master?: number
  link?: number
  /** IFLA_PROTINFO: what `bridge link` shows. */
  port?: Record<string, unknown>
  vlans?: BridgeVlanInfo[]
}

export interface BridgeLinkRequest {
  type: 'RTM_GETLINK' | 'RTM_SETLINK' | 'RTM_DELLINK'
  family: 'AF_BRIDGE'
  ifindex?: number
  /** BRIDGE_FLAGS_SELF 2, BRIDGE_FLAGS_MASTER 1. */
  bridgeFlags?: number
  /** RTEXT_FILTER_BRVLAN: VLANs are wanted, bridges shown too. */
  withVlans?: boolean
  port?: Record<string, unknown>
  vlans?: BridgeVlanInfo[]
}

/**
 * `bridge link` and `bridge vlan`: ports and VLANs, shown and set.
 *
 * Linux 6.1 net/core/rtnetlink.c: rtnl_bridge_getlink(), rtnl_bridge_setlink(); net/bridge/br_netlink.c: br_getlink(),
 * br_setlink(), br_process_vlan_info().
 */
import type { Host, NetlinkAnswer } from '#kernel/core'
import {
  type BridgeLinkMessage,
  type BridgeLinkRequest,
  type BridgeVlanInfo,
  deviceByIndex,
  devices,
  type NetDevice,
  NO_MESSAGES,
  type Refusal,
  refuse,
} from '#kernel/net'
import { type Bridge, type BridgePort, bridgeOf, portOf } from './bridge.ts'
import { changePort, portData } from './options.ts'
import {
  addBridgeVlan,
  addPortVlan,
  deleteBridgeVlan,
  deletePortVlan,
  VLAN_BRENTRY,
  VLAN_MASTER,
  VLAN_PVID,
  VLAN_UNTAGGED,
  type VlanGroup,
} from './vlan.ts'

const BRIDGE_FLAGS_MASTER = 1
const BRIDGE_FLAGS_SELF = 2
const FORWARDING = 3

function vlanInfos(group: VlanGroup): BridgeVlanInfo[] {
  return group.list
    .filter((vlan) => vlan.use)
    .map((vlan) => ({
      vid: vlan.vid,
      flags: (group.pvid === vlan.vid ? VLAN_PVID : 0) | (vlan.untagged ? VLAN_UNTAGGED : 0),
      state: FORWARDING,
      ...vlan.stats,
    }))
}

function messageOf(device: NetDevice, withVlans: boolean): BridgeLinkMessage | undefined {
  const port = portOf(device)
  const bridge = bridgeOf(device)
  if (port === undefined && (bridge === undefined || !withVlans)) return undefined
  const message: BridgeLinkMessage = {
    type: 'RTM_NEWLINK',
    family: 'AF_BRIDGE',
    ifindex: device.ifindex,
    name: device.name,
    flags: device.shownFlags,
    mtu: device.mtu,
    operstate: device.shownOperstate,
  }
  if (device.link !== undefined && device.iflink !== device.ifindex) message.link = device.iflink
  if (port !== undefined) {
    message.master = port.bridge.device.ifindex
    message.port = portData(port)
  }
  if (withVlans) message.vlans = vlanInfos((port ?? bridge)!.vlans)
  return message
}

/** rtnl_bridge_getlink(): always a dump. */
export function getBridgeLinks(host: Host, message: unknown): NetlinkAnswer {
  const { withVlans = false, ifindex } = message as BridgeLinkRequest
  const all = devices(host).filter((device) => ifindex === undefined || device.ifindex === ifindex)
  return { ok: true, messages: all.map((device) => messageOf(device, withVlans)).filter((each) => each !== undefined) }
}

interface Place {
  bridge: Bridge
  port: BridgePort | undefined
}

/** Which bridge a request is for: the device's master, or the device itself. */
function place(host: Host, request: BridgeLinkRequest): Place | Refusal {
  const device = deviceByIndex(host, request.ifindex ?? 0)
  if (device === undefined) return refuse('ENODEV', 'unknown ifindex')
  const flags = request.bridgeFlags ?? 0
  const own = bridgeOf(device)
  const port = portOf(device)
  if (flags === 0 || flags & BRIDGE_FLAGS_MASTER) {
    return port === undefined ? refuse('EOPNOTSUPP') : { bridge: port.bridge, port }
  }
  if (flags & BRIDGE_FLAGS_SELF && own !== undefined) return { bridge: own, port: undefined }
  return refuse('EOPNOTSUPP')
}

/** All VLANs of a range, until one is refused. br_process_vlan_info() */
function eachVlan(
  infos: BridgeVlanInfo[],
  act: (vid: number, flags: number) => Refusal | undefined,
): Refusal | undefined {
  for (const { vid, end = vid, flags } of infos) {
    if (vid === 0 || vid >= 4095) return refuse('EINVAL', 'bridge: Vlan id is invalid')
    if (end !== vid) {
      if (end >= 4095) return refuse('EINVAL', 'bridge: Vlan id is invalid')
      if (flags & VLAN_PVID) return refuse('EINVAL', "bridge: Pvid isn't allowed in a range")
      if (end <= vid) return refuse('EINVAL', 'bridge: End vlan id is less than or equal to start vlan id')
    }
    for (let each = vid; each <= end; each++) {
      const refusal = act(each, flags)
      if (refusal !== undefined) return refusal
    }
  }
  return undefined
}

const refused = (errno: 'EINVAL' | undefined) => (errno === undefined ? undefined : refuse(errno))

/** br_setlink() */
export function setBridgeLink(host: Host, message: unknown): NetlinkAnswer {
  const request = message as BridgeLinkRequest
  const where = place(host, request)
  if ('errno' in where) return where
  const { bridge, port } = where
  if (port !== undefined && request.port !== undefined) {
    const refusal = changePort(port, request.port)
    if (refusal !== undefined) return refusal
  }
  const refusal = eachVlan(request.vlans ?? [], (vid, flags) =>
    refused(port === undefined ? addBridgeVlan(bridge, vid, flags | VLAN_BRENTRY) : addPortVlan(port, vid, flags)),
  )
  return refusal ?? NO_MESSAGES
}

/** br_dellink(): what isn't there is no mistake. */
export function deleteBridgeLink(host: Host, message: unknown): NetlinkAnswer {
  const request = message as BridgeLinkRequest
  const where = place(host, request)
  if ('errno' in where) return where
  const { bridge, port } = where
  const refusal = eachVlan(request.vlans ?? [], (vid, flags) => {
    if (port !== undefined) deletePortVlan(port, vid)
    if (port === undefined || flags & VLAN_MASTER) deleteBridgeVlan(bridge, vid)
    return undefined
  })
  return refusal ?? NO_MESSAGES
}

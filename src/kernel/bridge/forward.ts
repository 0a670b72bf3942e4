/**
 * A frame's way through a bridge: in by a port or from the bridge's own device, learned from, out by one port or by all,
 * up to the host or not.
 *
 * Linux 6.1 net/bridge/br_input.c, br_forward.c, br_device.c: br_dev_xmit().
 */
import { IFF_PROMISC, type NetDevice, PACKET_HOST, PACKET_LOOPBACK } from '#kernel/net'
import { frameLength, MAC_BROADCAST, type Packet } from '#wire/inet'
import { isGroupMac } from '#wire/link'
import { parseBpdu } from './bpdu.ts'
import {
  BR_BCAST_FLOOD,
  BR_FLOOD,
  BR_HAIRPIN_MODE,
  BR_ISOLATED,
  BR_LEARNING,
  BR_MCAST_FLOOD,
  BR_NEIGH_SUPPRESS,
  BR_PORT_LOCKED,
  BR_PROXYARP,
  BR_PROXYARP_WIFI,
  type Bridge,
  type BridgePort,
  DISABLED,
  FORWARDING,
  LEARNING,
  portOf,
} from './bridge.ts'
import { told } from './explain.ts'
import { suppressArp } from './neigh-suppress.ts'
import { guards, receiveConfig, receiveTcn } from './stp.ts'
import { egressVlan, ingressVlan, learnVlan } from './vlan.ts'

/** 01:80:c2:00:00:00 to 0f: for bridges themselves. */
const LINK_LOCAL = 0x0180c2000000
const PAUSE = LINK_LOCAL + 1
const VLAN_HLEN = 4

/** What is known of a frame on its way. Linux: struct br_input_skb_cb. */
interface Crossing {
  readonly bridge: Bridge
  /** Undefined: from the bridge's own device. */
  readonly from: BridgePort | undefined
  readonly vid: number
}

type Kind = 'unicast' | 'multicast' | 'broadcast'

/** The rx handler of a port's device: false if the frame is the host's, not the bridge's. br_handle_frame() */
export function receiveFrame(packet: Packet, device: NetDevice): boolean {
  const port = portOf(device)
  if (port === undefined || packet.packetType === PACKET_LOOPBACK) return false
  const { macSrc, macDst } = packet
  if (macSrc === 0 || isGroupMac(macSrc)) return true // Nobody's address: dropped.
  const { bridge } = port
  if (macDst - LINK_LOCAL >= 0 && macDst - LINK_LOCAL < 16) {
    if (!forwardsReserved(port, macDst)) {
      if (macDst === PAUSE) return true
      learnReserved(port, packet)
      if (macDst === bridge.groupAddress) receiveBpdu(port, packet)
      return false
    }
  }
  if (port.state !== FORWARDING && port.state !== LEARNING) {
    told(device, packet, `${bridge.device.name}: port ${device.name} doesn't forward`)
    return true
  }
  if (macDst === bridge.device.address) packet.packetType = PACKET_HOST
  bridgeFrame(port, packet)
  return true
}

/** A reserved address is forwarded only if the mask says so; the spanning tree's own if there is no tree here. */
function forwardsReserved(port: BridgePort, macDst: number): boolean {
  const { bridge } = port
  const bit = 1 << (macDst - LINK_LOCAL)
  if (macDst === LINK_LOCAL) return !bridge.stp || (port.groupForwardMask & bit) !== 0
  if (macDst === PAUSE) return false
  return ((bridge.groupForwardMask | port.groupForwardMask) & bit) !== 0
}

/** __br_handle_local_finish() */
function learnReserved(port: BridgePort, packet: Packet): void {
  const { bridge } = port
  if (!(port.flags & BR_LEARNING) || bridge.noLinkLocalLearn) return
  if (port.state !== LEARNING && port.state !== FORWARDING) return
  const vid = learnVlan(bridge, port.vlans, packet)
  if (vid >= 0) bridge.fdb.learn(port, packet.macSrc, vid)
}

/** br_stp_rcv() */
function receiveBpdu(port: BridgePort, packet: Packet): void {
  const { bridge } = port
  if (!bridge.stp || !bridge.device.up || port.state === DISABLED) return
  const bpdu = parseBpdu(packet)
  if (bpdu === undefined || guards(port)) return
  if (bpdu === 'tcn') receiveTcn(port)
  else if (bpdu.messageAge <= bpdu.maxAge) receiveConfig(port, bpdu)
}

/** The bytes that the kernel counts: what is behind the Ethernet header. */
function payloadLength(packet: Packet): number {
  return frameLength(packet) - (packet.vlanTci < 0 ? 14 : 18)
}

/** br_handle_frame_finish() */
function bridgeFrame(port: BridgePort, packet: Packet): void {
  const { bridge } = port
  if (port.state === DISABLED) return
  let vid = 0
  if (bridge.vlanFiltering) {
    vid = ingressVlan(bridge, port.vlans, packet, payloadLength(packet))
    if (vid < 0) {
      told(port.device, packet, `${bridge.device.name}: port ${port.device.name} isn't in the frame's VLAN`)
      return
    }
  }
  const { fdb, device } = bridge
  if (port.flags & BR_PORT_LOCKED) {
    const source = fdb.find(packet.macSrc, vid)
    if (source === undefined || source.port !== port || source.local) {
      told(port.device, packet, `${device.name}: port ${port.device.name} is locked, and doesn't know the sender`)
      return
    }
  }
  if (port.flags & BR_LEARNING) fdb.learn(port, packet.macSrc, vid)
  const { macDst } = packet
  let up = (device.flags & IFF_PROMISC) !== 0
  let kind: Kind = 'unicast'
  if (isGroupMac(macDst)) {
    kind = macDst === MAC_BROADCAST ? 'broadcast' : 'multicast'
    up = true
    if (kind === 'multicast') device.stats.multicast++
  }
  if (port.state === LEARNING) return
  const crossing: Crossing = { bridge, from: port, vid }
  const suppressed = suppressArp(bridge, port, vid, packet)
  const target = kind === 'unicast' ? fdb.find(macDst, vid) : undefined
  if (target !== undefined) {
    if (target.local) {
      passUp(crossing, packet)
      return
    }
    target.used = fdb.now
    forwardTo(target.port!, packet, crossing, up)
  } else flood(packet, crossing, kind, up, suppressed)
  if (up) passUp(crossing, packet)
}

/** A copy that still belongs to the same connection: what a hook has found out isn't forgotten. */
function copyOf(packet: Packet): Packet {
  const copy = packet.clone()
  copy.ct = packet.ct
  copy.ctInfo = packet.ctInfo
  copy.socket = packet.socket
  copy.extra = packet.extra
  return copy
}

/** To the host, by the bridge's own device. br_pass_frame_up() */
function passUp({ bridge, vid }: Crossing, packet: Packet): void {
  const { device } = bridge
  device.countRx(payloadLength(packet))
  if (bridge.vlanFiltering && !egressVlan(bridge, bridge.vlans, packet, vid, payloadLength(packet))) {
    if (!(device.flags & IFF_PROMISC)) {
      told(device, packet, `${device.name}: the host isn't in VLAN ${vid}`)
      return
    }
  }
  if (device.up) device.deliver(packet)
}

/** should_deliver() */
function mayLeave(to: BridgePort, { bridge, from, vid }: Crossing): boolean {
  if (to === from && !(to.flags & BR_HAIRPIN_MODE)) return false
  if (to.state !== FORWARDING) return false
  if (bridge.vlanFiltering && to.vlans.usable(vid) === undefined) return false
  return !(from !== undefined && from.flags & BR_ISOLATED && to.flags & BR_ISOLATED)
}

/** br_forward() */
function forwardTo(target: BridgePort, packet: Packet, crossing: Crossing, keep: boolean): void {
  let to = target
  if (to.backup !== undefined && (!to.device.carrier || !to.device.running)) to = to.backup
  if (mayLeave(to, crossing)) leave(to, keep ? copyOf(packet) : packet, crossing)
  else if (!keep)
    told(crossing.bridge.device, packet, `${crossing.bridge.device.name}: may not leave by ${to.device.name}`)
}

/** __br_forward(), br_dev_queue_push_xmit(): the packet is given away. */
function leave(to: BridgePort, packet: Packet, { bridge, vid }: Crossing): void {
  if (bridge.vlanFiltering && !egressVlan(bridge, to.vlans, packet, vid, payloadLength(packet))) return
  const { device } = to
  if (frameLength(packet) > device.mtu + 14 + VLAN_HLEN && packet.gsoSize === 0) {
    told(device, packet, `${bridge.device.name}: too long for ${device.name}`)
    return
  }
  device.transmit(packet)
}

/** To all that may have it, the newest port first; the last gets the frame itself. br_flood() */
function flood(packet: Packet, crossing: Crossing, kind: Kind, keep: boolean, suppressed: boolean): void {
  const { bridge, from } = crossing
  let previous: BridgePort | undefined
  for (const port of bridge.ports) {
    const { flags } = port
    if (kind === 'unicast') {
      if (!(flags & BR_FLOOD)) continue
    } else if (from !== undefined && !(flags & (kind === 'multicast' ? BR_MCAST_FLOOD : BR_BCAST_FLOOD))) continue
    if (flags & BR_PROXYARP) continue
    if (suppressed && flags & (BR_PROXYARP_WIFI | BR_NEIGH_SUPPRESS)) continue
    if (!mayLeave(port, crossing)) continue
    if (previous !== undefined) leave(previous, copyOf(packet), crossing)
    previous = port
  }
  if (previous !== undefined) leave(previous, keep ? copyOf(packet) : packet, crossing)
}

/** The bridge's own device sends. br_dev_xmit() */
export function sendFrame(packet: Packet, bridge: Bridge): void {
  bridge.device.countTx(frameLength(packet))
  let vid = 0
  if (bridge.vlanFiltering) {
    vid = ingressVlan(bridge, bridge.vlans, packet, payloadLength(packet))
    if (vid < 0) {
      told(bridge.device, packet, `${bridge.device.name}: the host isn't in the frame's VLAN`)
      return
    }
  }
  const crossing: Crossing = { bridge, from: undefined, vid }
  const suppressed = suppressArp(bridge, undefined, vid, packet)
  const { macDst } = packet
  if (isGroupMac(macDst)) {
    flood(packet, crossing, macDst === MAC_BROADCAST ? 'broadcast' : 'multicast', false, suppressed)
    return
  }
  const target = bridge.fdb.find(macDst, vid)
  if (target === undefined) flood(packet, crossing, 'unicast', false, suppressed)
  else if (target.port !== undefined) forwardTo(target.port, packet, crossing, false)
}

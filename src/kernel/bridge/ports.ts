/**
 * A device becomes a bridge's port, changes, and is one no longer.
 *
 * Linux 6.1 net/bridge/br_if.c: br_add_if(), del_nbp(); br.c: br_device_event().
 */
import {
  addressChanged,
  IFF_LOOPBACK,
  linkSpeed,
  linkUpper,
  NET_ADDR_SET,
  type NetDevice,
  type NetdevEvent,
  type Refusal,
  refuse,
  setMtu,
  unlinkUpper,
} from '#kernel/net'
import { isGroupMac } from '#wire/link'
import { BR_ADMIN_COST, BR_PROMISC, type Bridge, BridgePort, bridgeOf, DISABLED, portOf } from './bridge.ts'
import { receiveFrame } from './forward.ts'
import { disablePort, enablePort, initPort, isLive, portTimer, recalculateId, setState } from './stp.ts'
import { addBridgeVlan, addPortVlan, deletePortVlan, VLAN_BRENTRY, VLAN_PVID, VLAN_UNTAGGED } from './vlan.ts'

/** What a link of that speed costs. br_if.c: port_cost() */
function pathCost(device: NetDevice): number {
  const costs: Record<number, number> = { 10000: 2, 5000: 3, 2500: 4, 1000: 5, 100: 19, 10: 100 }
  const speed = linkSpeed(device)
  return (speed === undefined ? undefined : costs[speed]) ?? (speed !== undefined && speed > 10000 ? 1 : 100)
}

function chosen(bridge: Bridge): boolean {
  return bridge.device.addressAssignType === NET_ADDR_SET
}

/** br_add_if() */
export function addPort(bridge: Bridge, device: NetDevice): Refusal | undefined {
  const { address } = device
  if (device.flags & IFF_LOOPBACK || device.looks.hardwareType !== 1 || address === 0 || isGroupMac(address)) {
    return refuse('EINVAL')
  }
  if (bridgeOf(device) !== undefined) return refuse('ELOOP', 'Can not enslave a bridge to a bridge')
  if (device.master !== undefined) return refuse('EBUSY')
  const number = freeNumber(bridge)
  const port = new BridgePort(bridge, device, number, pathCost(device), portTimer)
  initPort(port)
  setState(port, DISABLED)
  device.changeAllmulti(1)
  const refusal = linkUpper(device, bridge.device, true)
  if (refusal !== undefined) {
    device.changeAllmulti(-1)
    return refusal
  }
  device.port = port
  device.rxHandler = receiveFrame
  bridge.ports = [port, ...bridge.ports]
  managePromisc(bridge)
  bridge.fdb.addLocal(port, address, 0)
  if (bridge.defaultPvid !== 0) addPortVlan(port, bridge.defaultPvid, VLAN_PVID | VLAN_UNTAGGED)
  const changed = recalculateId(bridge, chosen(bridge))
  if (isLive(port) && bridge.device.up) enablePort(port)
  if (changed) addressChanged(bridge.device)
  adjustMtu(bridge)
  return undefined
}

/** find_portno() */
function freeNumber(bridge: Bridge): number {
  let number = 1
  while (bridge.port(number) !== undefined) number++
  return number
}

/** del_nbp(), br_del_if() */
export function removePort(port: BridgePort, bridgeStays = true): void {
  const { bridge, device } = port
  device.changeAllmulti(-1)
  if (port.flags & BR_PROMISC) device.changePromiscuity(-1)
  disablePort(port)
  bridge.ports = bridge.ports.filter((each) => each !== port)
  for (const vlan of port.vlans.list) deletePortVlan(port, vlan.vid)
  bridge.fdb.flushPort(port, true)
  for (const each of bridge.ports) if (each.backup === port) each.backup = undefined
  managePromisc(bridge)
  unlinkUpper(device, bridge.device)
  device.rxHandler = undefined
  device.port = undefined
  for (const timer of [port.forwardDelayTimer, port.messageAgeTimer, port.holdTimer]) timer.destroy()
  if (!bridgeStays) return
  adjustMtu(bridge)
  if (recalculateId(bridge, chosen(bridge))) addressChanged(bridge.device)
}

/** All ports hear everything, unless the VLANs say who has to. br_manage_promisc() */
export function managePromisc(bridge: Bridge): void {
  // A card of the lab and most virtual devices have no filter of their own (IFF_UNICAST_FLT), so that they stay promiscuous.
  for (const port of bridge.ports) {
    if (port.flags & BR_PROMISC) continue
    port.device.changePromiscuity(1)
    port.flags |= BR_PROMISC
  }
}

/** As small as the smallest port's, until somebody chooses another. br_mtu_auto_adjust() */
function adjustMtu(bridge: Bridge): void {
  if (bridge.mtuSetByUser) return
  const mtu = bridge.ports.reduce((least, { device }) => Math.min(least, device.mtu), Number.POSITIVE_INFINITY)
  setMtu(bridge.device, mtu === Number.POSITIVE_INFINITY ? 1500 : mtu)
  bridge.mtuSetByUser = false
}

/** br_device_event() */
export function bridgeNotifier(event: NetdevEvent, device: NetDevice): void {
  const own = bridgeOf(device)
  if (own !== undefined && event === 'REGISTER') {
    own.fdb.bridgeAddressChanged(device.address)
    if (own.defaultPvid !== 0) addBridgeVlan(own, own.defaultPvid, VLAN_PVID | VLAN_UNTAGGED | VLAN_BRENTRY)
    return
  }
  const port = portOf(device)
  if (port === undefined) return
  const { bridge } = port
  switch (event) {
    case 'CHANGEMTU':
      adjustMtu(bridge)
      break
    case 'CHANGEADDR':
      bridge.fdb.portAddressChanged(port, device.address)
      if (recalculateId(bridge, chosen(bridge))) addressChanged(bridge.device)
      break
    case 'CHANGE':
      checkCarrier(port)
      break
    case 'DOWN':
      if (bridge.device.up) disablePort(port)
      break
    case 'UP':
      if (bridge.device.running && isLive(port)) enablePort(port)
      break
    case 'UNREGISTER':
      removePort(port)
      break
  }
}

/** br_port_carrier_check() */
function checkCarrier(port: BridgePort): void {
  if (!(port.flags & BR_ADMIN_COST) && isLive(port)) port.pathCost = pathCost(port.device)
  if (!port.bridge.device.running) return
  if (isLive(port)) {
    if (port.state === DISABLED) enablePort(port)
  } else if (port.state !== DISABLED) disablePort(port)
}

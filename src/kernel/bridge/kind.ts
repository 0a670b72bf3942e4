/**
 * `ip link add type bridge`: the bridge's own device.
 *
 * Linux 6.1 net/bridge/br_device.c: br_dev_setup(); br_netlink.c: br_dev_newlink().
 */
import {
  type Driver,
  ETHERNET,
  type LinkKind,
  type Looks,
  linkSettings,
  NET_ADDR_RANDOM,
  type NetDevice,
  refuse,
  registerDevice,
} from '#kernel/net'
import { isGroupMac } from '#wire/link'
import { Bridge, bridgeOf, portOf } from './bridge.ts'
import { addEntry, deleteEntry, dumpEntries, getEntry } from './fdb-messages.ts'
import { sendFrame } from './forward.ts'
import { bridgeData, changeBridge, changePort, portData, validateBridgeData } from './options.ts'
import { addPort, removePort } from './ports.ts'
import { bridgeTimer, changeAddress, disableBridge, enableBridge } from './stp.ts'

const BRIDGE: Looks = {
  linkType: 'ether',
  hardwareType: 1,
  qdisc: 'noqueue',
  txqlen: 1000,
  mtu: 1500,
  minMtu: 68,
  maxMtu: 65535,
  flags: ETHERNET.flags,
  driver: 'bridge',
  gso: true,
  netnsLocal: true,
}

/** 224.0.0.106 and ff02::6a: where all bridges that snoop listen. RFC 4286. */
const SNOOPERS = [0x01005e00006a, 0x33330000006a]

const UNKNOWN_SPEED = -1
const PORT_OTHER = 0xff

const driver: Driver = {
  gso: true,
  xmit(packet, device) {
    sendFrame(packet, bridgeOf(device)!)
    device.net.refused = false // Whatever became of it.
  },
  open(device) {
    const bridge = bridgeOf(device)!
    enableBridge(bridge)
    if (bridge.multicastSnooping) device.multicastList = [...device.multicastList, ...SNOOPERS]
    return undefined
  },
  stop(device) {
    disableBridge(bridgeOf(device)!)
    device.multicastList = device.multicastList.filter((group) => !SNOOPERS.includes(group))
  },
  changeMtu(device) {
    bridgeOf(device)!.mtuSetByUser = true
    return undefined
  },
  setAddress(device, address) {
    if (address === 0 || isGroupMac(address)) return refuse('EADDRNOTAVAIL')
    if (address !== device.address) changeAddress(bridgeOf(device)!, address)
    return undefined
  },
  addSlave: (device, slave) => addPort(bridgeOf(device)!, slave),
  removeSlave(device, slave) {
    const port = portOf(slave)
    if (port === undefined || port.bridge.device !== device) return refuse('EINVAL')
    removePort(port)
    return undefined
  },
  fdbAdd: addEntry,
  fdbDelete: deleteEntry,
  fdbDump: dumpEntries,
  fdbGet: getEntry,
  ethtool: {
    info: { version: '2.3', firmwareVersion: 'N/A', busInfo: 'N/A' },
    link(device) {
      const speeds = bridgeOf(device)!.ports.map((port) =>
        port.device.running ? (linkSettings(port.device)?.speed ?? -1) : -1,
      )
      return { speed: Math.max(UNKNOWN_SPEED, ...speeds), duplex: 'unknown', port: PORT_OTHER }
    },
  },
  uninit(device) {
    const bridge = bridgeOf(device)!
    for (const timer of [bridge.helloTimer, bridge.tcnTimer, bridge.topologyChangeTimer, bridge.gcTimer])
      timer.destroy()
  },
}

/** eth_hw_addr_random() */
function randomAddress(device: NetDevice): void {
  const { host } = device
  const bytes = host.sim.random(`${(host.base ?? host).name}/hardware addresses`).bytes(6)
  bytes[0] = (bytes[0]! & 0xfe) | 0x02
  device.address = bytes.reduce((mac, byte) => mac * 256 + byte, 0)
  device.addressAssignType = NET_ADDR_RANDOM
}

export const bridgeKind: LinkKind = {
  kind: 'bridge',
  looks: BRIDGE,
  validate(request) {
    if (request.addressBytes !== undefined && request.addressBytes.length !== 6) return refuse('EINVAL')
    const { address } = request
    if (address !== undefined && (address === 0 || isGroupMac(address))) return refuse('EADDRNOTAVAIL')
    return validateBridgeData(request.data ?? {})
  },
  create(device, request) {
    const given = device.address
    if (given === 0) randomAddress(device)
    const bridge = new Bridge(device, bridgeTimer)
    device.priv = bridge
    device.driver = driver
    const refusal = registerDevice(device)
    if (refusal !== undefined) return refusal
    if (given !== 0) changeAddress(bridge, given)
    return changeBridge(bridge, request.data ?? {})
  },
  change: (device, data) => changeBridge(bridgeOf(device)!, data),
  fill: (device) => bridgeData(bridgeOf(device)!),
  remove(device) {
    for (const port of [...bridgeOf(device)!.ports]) removePort(port, false)
    return [device]
  },
  fillSlave(_master, slave) {
    const port = portOf(slave)
    return port && portData(port)
  },
  changeSlave(_master, slave, data) {
    return changePort(portOf(slave)!, data)
  },
}

/**
 * macvlan: several devices with addresses of their own on one card.
 *
 * In bridge mode they reach each other; private and vepa mode leave that to the network; passthru takes the card for one.
 * The card's own addresses reach none of them, whatever the mode.
 *
 * Linux 6.1 drivers/net/macvlan.c: macvlan_handle_frame(), macvlan_queue_xmit(), macvlan_common_newlink().
 */
import { NotModelled } from '#base/check'
import {
  carrierEvent,
  type Driver,
  deviceByIndex,
  ETHERNET,
  IFF_ALLMULTI,
  IFF_PROMISC,
  type LinkData,
  type LinkKind,
  type Looks,
  linkSettings,
  linkUpper,
  multicastAddresses,
  type NetDevice,
  type NetdevEvent,
  notifyPeers,
  PACKET_BROADCAST,
  PACKET_HOST,
  PACKET_MULTICAST,
  type Refusal,
  type RxHandler,
  refuse,
  registerDevice,
  scrubPacket,
  setMtu,
  unlinkUpper,
  unregisterDevices,
} from '#kernel/net'
import { frameLength, MAC_BROADCAST, type Packet } from '#wire/inet'
import { isGroupMac } from '#wire/link'
import { isCardAddress, randomAddress } from './mac.ts'
import { transferOperstate } from './stacked.ts'
import { validateAddress } from './validate.ts'

type Mode = 'private' | 'vepa' | 'bridge' | 'passthru' | 'source'

const DEFAULT_QUEUE = 1000
const NOPROMISC = 1

/** What a macvlan device keeps. Linux: struct macvlan_dev. */
class Macvlan {
  readonly device: NetDevice
  readonly port: MacvlanPort
  mode: Mode
  flags = 0
  broadcastQueue = DEFAULT_QUEUE

  constructor(device: NetDevice, port: MacvlanPort, mode: Mode) {
    this.device = device
    this.port = port
    this.mode = mode
  }

  get lower(): NetDevice {
    return this.port.lower
  }
}

/** What a card with macvlan devices keeps. Linux: struct macvlan_port. */
class MacvlanPort {
  readonly lower: NetDevice
  vlans: Macvlan[] = []
  /** Those that are up, by address. */
  readonly byAddress = new Map<number, Macvlan>()

  constructor(lower: NetDevice) {
    this.lower = lower
  }

  get passthru(): boolean {
    return this.vlans[0]?.mode === 'passthru'
  }
}

export function macvlanOf(device: NetDevice): Macvlan | undefined {
  return device.priv instanceof Macvlan ? device.priv : undefined
}

function portOf(device: NetDevice): MacvlanPort | undefined {
  return device.port instanceof MacvlanPort ? device.port : undefined
}

const MACVLAN: Looks = {
  linkType: 'ether',
  hardwareType: 1,
  qdisc: 'noqueue',
  txqlen: 1000,
  mtu: 1500,
  minMtu: 68,
  maxMtu: 65535,
  flags: ETHERNET.flags,
  driver: 'macvlan',
  gso: true,
}

/** macvlan_handle_frame() */
const receive: RxHandler = (packet, lower) => {
  const port = portOf(lower)!
  if (isGroupMac(packet.macDst)) {
    const source = port.byAddress.get(packet.macSrc)
    if (source !== undefined && source.mode !== 'vepa' && source.mode !== 'bridge') {
      broadcastTo(packet, source, false)
      return true
    }
    // What one of them has sent in bridge mode the others have had; in vepa mode the network sends it back.
    const modes: Mode[] =
      source === undefined
        ? ['private', 'vepa', 'passthru', 'bridge']
        : source.mode === 'vepa'
          ? ['vepa', 'bridge']
          : ['vepa']
    broadcast(packet, port, source?.device, modes, false)
    return false
  }
  const vlan = port.passthru ? port.vlans[0] : port.byAddress.get(packet.macDst)
  if (vlan === undefined || vlan.mode === 'source') return false
  if (!vlan.device.up) return true
  vlan.device.countRx(frameLength(packet))
  packet.packetType = PACKET_HOST
  vlan.device.deliver(packet)
  return true
}

function listens({ device }: Macvlan, group: number): boolean {
  return (
    group === MAC_BROADCAST ||
    (device.flags & (IFF_PROMISC | IFF_ALLMULTI)) !== 0 ||
    multicastAddresses(device).includes(group)
  )
}

/** macvlan_broadcast() */
function broadcast(
  packet: Packet,
  port: MacvlanPort,
  from: NetDevice | undefined,
  modes: Mode[],
  local: boolean,
): void {
  for (const vlan of port.byAddress.values()) {
    if (vlan.device === from || !modes.includes(vlan.mode) || !listens(vlan, packet.macDst)) continue
    broadcastTo(packet.clone(), vlan, local)
  }
}

/** macvlan_broadcast_one() */
function broadcastTo(packet: Packet, { device }: Macvlan, local: boolean): void {
  const length = frameLength(packet)
  if (local) {
    scrubPacket(packet, true)
    device.setPacketType(packet)
  } else packet.packetType = packet.macDst === MAC_BROADCAST ? PACKET_BROADCAST : PACKET_MULTICAST
  if (!device.up || !device.net.softnet.enqueue(device, packet)) return
  device.countRx(length)
  device.stats.multicast++
}

const driver: Driver = {
  /** macvlan_queue_xmit() */
  xmit(packet, device) {
    const vlan = macvlanOf(device)!
    const { port, lower } = vlan
    const length = frameLength(packet)
    if (vlan.mode === 'bridge') {
      if (isGroupMac(packet.macDst)) broadcast(packet, port, device, ['bridge'], true)
      else if (port.byAddress.get(packet.macDst)?.mode === 'bridge') {
        // To the card first, for its taps, as if it had come in by it.
        device.countTx(length)
        if (!lower.up) return
        scrubPacket(packet, lower.host !== device.host)
        lower.setPacketType(packet)
        lower.net.softnet.enqueue(lower, packet)
        return
      }
    }
    if (lower.active) device.countTx(length)
    else device.stats.txDropped++
    lower.transmit(packet)
  },
  open(device) {
    const vlan = macvlanOf(device)!
    const { lower, port } = vlan
    if (port.passthru) {
      if (!(vlan.flags & NOPROMISC)) lower.changePromiscuity(1)
    } else {
      if (port.byAddress.has(device.address) || lower.address === device.address) return refuse('EADDRINUSE')
      lower.addUnicast(device.address)
      if (device.flags & IFF_ALLMULTI) lower.changeAllmulti(1)
      if (device.flags & IFF_PROMISC) lower.changePromiscuity(1)
    }
    port.byAddress.set(device.address, vlan)
    return undefined
  },
  stop(device) {
    const vlan = macvlanOf(device)!
    const { lower, port } = vlan
    if (port.passthru) {
      if (!(vlan.flags & NOPROMISC)) lower.changePromiscuity(-1)
    } else {
      if (device.flags & IFF_ALLMULTI) lower.changeAllmulti(-1)
      if (device.flags & IFF_PROMISC) lower.changePromiscuity(-1)
      lower.removeUnicast(device.address)
    }
    if (port.byAddress.get(device.address) === vlan) port.byAddress.delete(device.address)
  },
  changeMtu: (device, mtu) => (mtu > macvlanOf(device)!.lower.mtu ? refuse('EINVAL') : undefined),
  setAddress(device, address) {
    if (!isCardAddress(address)) return refuse('EADDRNOTAVAIL')
    const vlan = macvlanOf(device)!
    const { lower, port } = vlan
    if (address === device.address) return undefined
    if (vlan.mode === 'passthru') throw new NotModelled('the address of a passthru macvlan device, which is its card’s')
    if (device.up) {
      if (port.byAddress.has(address) || lower.address === address) return refuse('EADDRINUSE')
      lower.addUnicast(address)
      lower.removeUnicast(device.address)
      port.byAddress.delete(device.address)
      port.byAddress.set(address, vlan)
    }
    device.address = address
    return undefined
  },
  changeRxFlags(device, changed) {
    if (!device.up) return
    const { lower } = macvlanOf(device)!
    if (changed & IFF_ALLMULTI) lower.changeAllmulti(device.flags & IFF_ALLMULTI ? 1 : -1)
    if (changed & IFF_PROMISC) lower.changePromiscuity(device.flags & IFF_PROMISC ? 1 : -1)
  },
  ethtool: { info: { version: '0.1' }, link: (device) => linkSettings(macvlanOf(device)!.lower) },
}

function change(vlan: Macvlan, data: LinkData): Refusal | undefined {
  const { mode } = data as { mode?: Mode }
  if (mode !== undefined && (mode === 'passthru') !== (vlan.mode === 'passthru')) return refuse('EINVAL')
  if (data.flags !== undefined) {
    const flags = Number(data.flags)
    if (vlan.port.passthru && (flags ^ vlan.flags) & NOPROMISC && vlan.device.up) {
      vlan.lower.changePromiscuity(flags & NOPROMISC ? -1 : 1)
    }
    vlan.flags = flags
  }
  if (data.bcqueuelen !== undefined) vlan.broadcastQueue = Number(data.bcqueuelen)
  if (mode !== undefined) vlan.mode = mode
  return undefined
}

export const macvlan: LinkKind = {
  kind: 'macvlan',
  looks: MACVLAN,
  validate(request) {
    if (request.data?.mode === 'source') throw new NotModelled('macvlan devices of mode source')
    return validateAddress(request)
  },
  create(device, request, from) {
    if (request.link === undefined) return refuse('EINVAL')
    const named = deviceByIndex(from, request.link)
    if (named === undefined) return refuse('ENODEV')
    const lower = macvlanOf(named)?.lower ?? named
    const data = request.data ?? {}
    if (!device.mtuGiven) device.mtu = lower.mtu
    else if (device.mtu > lower.mtu) return refuse('EINVAL')
    device.maxMtu = lower.maxMtu
    if (device.address === 0) randomAddress(device)
    if (lower.loops || lower.looks.hardwareType !== 1) return refuse('EINVAL')
    const present = portOf(lower)
    if (present === undefined && (lower.rxHandler !== undefined || lower.master !== undefined)) return refuse('EBUSY')
    const port = present ?? new MacvlanPort(lower)
    const mode = (data.mode as Mode | undefined) ?? 'vepa'
    if (port.passthru || (mode === 'passthru' && port.vlans.length > 0)) return refuse('EINVAL')
    if (mode === 'passthru') device.address = lower.address
    const vlan = new Macvlan(device, port, mode)
    device.priv = vlan
    device.driver = driver
    device.link = lower
    change(vlan, { ...data, mode: undefined })
    const refusal = registerDevice(device)
    if (refusal !== undefined) return refusal
    const stacked = linkUpper(lower, device, false)
    if (stacked !== undefined) {
      unregisterDevices([device])
      return stacked
    }
    port.vlans.push(vlan)
    lower.port = port
    lower.rxHandler = receive
    transferOperstate(lower, device)
    carrierEvent(device)
    return undefined
  },
  change: (device, data) => change(macvlanOf(device)!, data),
  fill(device) {
    const vlan = macvlanOf(device)!
    const used = vlan.port.vlans.reduce((most, each) => Math.max(most, each.broadcastQueue), 0)
    return { mode: vlan.mode, flags: vlan.flags, bcqueuelen: vlan.broadcastQueue, usedbcqueuelen: used }
  },
  linkNet: (device) => macvlanOf(device)!.lower.host,
  remove(device) {
    leave(macvlanOf(device)!)
    return [device]
  },
}

/** macvlan_dellink(); the card is a plain one again after the last. */
function leave(vlan: Macvlan): void {
  const { port, device, lower } = vlan
  if (!port.vlans.includes(vlan)) return
  unlinkUpper(lower, device)
  if (device.up) driver.stop!(device)
  device.running = false
  port.vlans = port.vlans.filter((each) => each !== vlan)
  if (port.vlans.length > 0) return
  lower.rxHandler = undefined
  lower.port = undefined
}

/** macvlan_device_event() */
export function macvlanNotifier(event: NetdevEvent, device: NetDevice): void {
  const port = portOf(device)
  if (port === undefined) return
  const all = port.vlans.map((vlan) => vlan.device)
  if (event === 'UP' || event === 'DOWN' || event === 'CHANGE') for (const each of all) transferOperstate(device, each)
  else if (event === 'CHANGEMTU') for (const each of all) if (each.mtu > device.mtu) setMtu(each, device.mtu)
  if (event === 'NOTIFY_PEERS') for (const each of all) notifyPeers(each)
  if (event === 'UNREGISTER' && !device.moving) {
    for (const vlan of [...port.vlans]) leave(vlan)
    unregisterDevices(all)
  }
}

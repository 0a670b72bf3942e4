/**
 * 802.1Q devices: what is sent by one leaves the card below with a tag, and what comes in with that tag comes in here.
 *
 * Linux 6.1 net/8021q/vlan_dev.c, vlan_core.c: vlan_do_receive(), vlan.c: vlan_device_event(), vlan_netlink.c.
 */
import { NotModelled } from '#base/check'
import {
  carrierEvent,
  type Driver,
  deviceByIndex,
  ETHERNET,
  IFF_ALLMULTI,
  IFF_MASTER,
  IFF_PROMISC,
  IFF_SLAVE,
  IFF_UP,
  type LinkData,
  type LinkKind,
  type Looks,
  linkSettings,
  linkUpper,
  NET_ADDR_STOLEN,
  type NetDevice,
  type NetdevEvent,
  notifyNetdev,
  notifyPeers,
  PACKET_HOST,
  PACKET_MULTICAST,
  PACKET_OTHERHOST,
  type Refusal,
  refuse,
  registerDevice,
  setDeviceUp,
  setMtu,
  unlinkUpper,
  unregisterDevices,
  type VlanReceiver,
} from '#kernel/net'
import { ETH_P_8021Q, emitFrame, frameLength, type Packet, parseFrame, RAW_ETHERNET_PAYLOAD } from '#wire/inet'
import { ETH_P_8021AD } from '#wire/link'
import { isCardAddress } from './mac.ts'
import { transferOperstate } from './stacked.ts'
import { validateAddress } from './validate.ts'

// VLAN_FLAG_*. Linux 6.1 include/uapi/linux/if_vlan.h.
export const REORDER_HDR = 0x1
const LOOSE_BINDING = 0x4
const FLAGS: [name: string, bit: number][] = [
  ['REORDER_HDR', REORDER_HDR],
  ['GVRP', 0x2],
  ['LOOSE_BINDING', LOOSE_BINDING],
  ['MVRP', 0x8],
  ['BRIDGE_BINDING', 0x10],
]

/** What a VLAN device keeps. Linux: struct vlan_dev_priv. */
export class Vlan {
  readonly id: number
  readonly device: NetDevice
  readonly lower: NetDevice
  /** Its tags are of 802.1ad. */
  readonly service: boolean
  flags = REORDER_HDR
  /** By the tag's priority, and by the packet's; in the order in which they were set. */
  readonly ingress = new Map<number, number>()
  readonly egress = new Map<number, number>()
  /** The lower device's address as it last was. */
  lowerAddress = 0

  constructor(device: NetDevice, lower: NetDevice, id: number, service: boolean) {
    this.device = device
    this.lower = lower
    this.id = id
    this.service = service
  }
}

/** Where 802.1ad's numbers begin among a device's VLANs. */
const SERVICE = 4096

/** The VLANs of one device, by their numbers. */
class VlanGroup implements VlanReceiver {
  readonly devices = new Map<number, NetDevice>()

  /** vlan_do_receive() */
  receive(packet: Packet, _device: NetDevice): boolean {
    const service = packet.vlanTci < 0 && packet.etherType === ETH_P_8021AD && packet.raw === RAW_ETHERNET_PAYLOAD
    if (packet.vlanTci < 0 && (!service || packet.length < 4)) return false
    const tci = service ? tagBehind(packet) : packet.vlanTci
    const device = this.devices.get((tci & 0xfff) + (service ? SERVICE : 0))
    if (device === undefined) return false
    if ((device.flags & IFF_UP) === 0) return true
    const inner = service ? withoutTag(packet) : untagged(packet)
    if (inner.packetType === PACKET_OTHERHOST && inner.macDst === device.address) inner.packetType = PACKET_HOST
    inner.priority = vlanOf(device)!.ingress.get(tci >>> 13) ?? 0
    device.countRx(frameLength(inner) - 14)
    if (inner.packetType === PACKET_MULTICAST) device.stats.multicast++
    device.deliver(inner)
    return true
  }
}

function tagBehind({ buffer, offset }: Packet): number {
  return (buffer[offset]! << 8) | buffer[offset + 1]!
}

/** An 802.1Q tag is taken off; a further one behind it comes to the front. Linux 6.1 net/core/skbuff.c: skb_vlan_untag(). */
function untagged(packet: Packet): Packet {
  packet.vlanTci = -1
  if (packet.etherType !== ETH_P_8021Q || packet.raw !== RAW_ETHERNET_PAYLOAD) return packet
  return reparsed(packet, emitFrame(packet))
}

/** An 802.1ad tag is taken off. */
function withoutTag(packet: Packet): Packet {
  const bytes = emitFrame(packet)
  const rest = new Uint8Array(bytes.length - 4)
  rest.set(bytes.subarray(0, 12))
  rest.set(bytes.subarray(16), 12)
  return reparsed(packet, rest)
}

/** The same packet with other bytes. */
function reparsed(packet: Packet, bytes: Uint8Array): Packet {
  const inner = parseFrame(bytes)
  inner.packetType = packet.packetType
  inner.iif = packet.iif
  inner.mark = packet.mark
  inner.priority = packet.priority
  inner.frame = packet.frame
  return inner
}

export function vlanOf(device: NetDevice): Vlan | undefined {
  return device.priv instanceof Vlan ? device.priv : undefined
}

const VLAN: Looks = {
  linkType: 'ether',
  hardwareType: 1,
  qdisc: 'noqueue',
  txqlen: 1000,
  mtu: 1500,
  minMtu: 0,
  maxMtu: 65535,
  flags: ETHERNET.flags,
  driver: '802.1Q VLAN Support',
  gso: true,
}

const driver: Driver = {
  xmit(packet, device) {
    const vlan = vlanOf(device)!
    const length = frameLength(packet)
    const tci = vlan.id | ((vlan.egress.get(packet.priority) ?? 0) << 13)
    const tagged = vlan.service ? pushServiceTag(packet, tci) : packet.vlanTci < 0 ? packet : pushTag(packet)
    if (!vlan.service) tagged.vlanTci = tci
    const { lower } = vlan
    if (!lower.active) device.stats.txDropped++
    else device.countTx(length)
    lower.transmit(tagged)
  },
  open(device) {
    const vlan = vlanOf(device)!
    const { lower } = vlan
    if (!lower.up && !(vlan.flags & LOOSE_BINDING)) return refuse('ENETDOWN')
    if (device.address !== lower.address && !inherit(device, lower)) lower.addUnicast(device.address)
    vlan.lowerAddress = lower.address
    if (lower.carrier) device.carrierChanged(true)
    return undefined
  },
  stop(device) {
    const { lower } = vlanOf(device)!
    if (device.address !== lower.address) lower.removeUnicast(device.address)
    device.carrierChanged(false)
  },
  changeMtu(device, mtu) {
    return mtu > vlanOf(device)!.lower.mtu ? refuse('ERANGE') : undefined
  },
  setAddress(device, address) {
    if (!isCardAddress(address)) return refuse('EADDRNOTAVAIL')
    const { lower } = vlanOf(device)!
    if (device.up) {
      if (address !== lower.address) lower.addUnicast(address)
      if (device.address !== lower.address) lower.removeUnicast(device.address)
    }
    device.address = address
    return undefined
  },
  changeRxFlags(device, changed) {
    const { lower } = vlanOf(device)!
    const by = (bit: number) => (device.flags & bit ? 1 : -1)
    if (!device.up) return
    if (changed & IFF_PROMISC) lower.changePromiscuity(by(IFF_PROMISC))
    if (changed & IFF_ALLMULTI) lower.changeAllmulti(by(IFF_ALLMULTI))
  },
  ethtool: { info: { version: '1.8', firmwareVersion: 'N/A' }, link: (device) => linkSettings(vlanOf(device)!.lower) },
}

/** A tag around one that is there: that moves into the payload. */
function pushTag(packet: Packet): Packet {
  return around(packet, ETH_P_8021Q, emitFrame(packet).subarray(14))
}

function pushServiceTag(packet: Packet, tci: number): Packet {
  const bytes = emitFrame(packet)
  const payload = new Uint8Array(bytes.length - 10)
  payload[0] = tci >>> 8
  payload[1] = tci
  payload.set(bytes.subarray(12), 2)
  return around(packet, ETH_P_8021AD, payload)
}

function around(packet: Packet, etherType: number, payload: Uint8Array): Packet {
  const outer = packet.clone()
  outer.etherType = etherType
  outer.raw = RAW_ETHERNET_PAYLOAD
  outer.buffer = payload
  outer.offset = 0
  outer.length = payload.length
  outer.trailer = undefined
  outer.vlanTci = -1
  return outer
}

/** One that nobody gave an address takes the lower's. vlan_dev_inherit_address() */
function inherit(device: NetDevice, lower: NetDevice): boolean {
  if (device.addressAssignType !== NET_ADDR_STOLEN) return false
  device.address = lower.address
  notifyNetdev('CHANGEADDR', device)
  return true
}

/** vlan_sync_address() */
function syncAddress(lower: NetDevice, device: NetDevice): void {
  const vlan = vlanOf(device)!
  const former = vlan.lowerAddress
  if (former !== lower.address && !inherit(device, lower)) {
    if (device.address !== former && device.address === lower.address) lower.removeUnicast(device.address)
    if (device.address === former && device.address !== lower.address) lower.addUnicast(device.address)
  }
  vlan.lowerAddress = lower.address
}

/** vlan_validate(), vlan_newlink() */
function validate(data: LinkData | undefined): Refusal | undefined {
  if (data === undefined) return refuse('EINVAL', '8021q: VLAN properties not specified')
  if (data.protocol !== undefined && data.protocol !== '802.1Q' && data.protocol !== '802.1ad') {
    return refuse('EPROTONOSUPPORT', '8021q: Invalid VLAN protocol')
  }
  if (Number(data.id ?? 0) >= 4095) return refuse('ERANGE', '8021q: Invalid VLAN id')
  return undefined
}

/** Flags and maps. vlan_changelink() */
function change(device: NetDevice, data: LinkData): Refusal | undefined {
  const vlan = vlanOf(device)!
  const { flags, mask } = data as { flags?: number; mask?: number }
  if (flags !== undefined && mask !== undefined) {
    if (mask & flags & ~(REORDER_HDR | LOOSE_BINDING)) throw new NotModelled('gvrp, mvrp and bridge_binding of VLANs')
    vlan.flags = (vlan.flags & ~mask) | (flags & mask)
  }
  for (const [from, to] of (data.ingress ?? []) as [number, number][]) vlan.ingress.set(from & 7, to)
  for (const [from, to] of (data.egress ?? []) as [number, number][]) vlan.egress.set(from, to & 7)
  return undefined
}

const pairs = (map: Map<number, number>) => [...map].filter(([, to]) => to !== 0)

export const vlan: LinkKind = {
  kind: 'vlan',
  looks: VLAN,
  validate(request) {
    return validateAddress(request) ?? (request.create || request.data ? validate(request.data) : undefined)
  },
  create(device, request, from) {
    const data = request.data!
    if (data.id === undefined) return refuse('EINVAL', '8021q: VLAN id not specified')
    if (request.link === undefined) return refuse('EINVAL', '8021q: link not specified')
    const lower = deviceByIndex(from, request.link)
    if (lower === undefined) return refuse('ENODEV', '8021q: link does not exist')
    const id = Number(data.id)
    if (lower.looks.hardwareType !== 1) {
      lower.host.log(6, `8021q: VLANs not supported on ${lower.name}`)
      return refuse('EOPNOTSUPP', '8021q: VLANs not supported on device')
    }
    const group = groupOf(lower)
    const service = data.protocol === '802.1ad'
    if (group.devices.has(keyOf(id, service))) return refuse('EEXIST', '8021q: VLAN device already exists')
    device.priv = new Vlan(device, lower, id, service)
    device.driver = driver
    device.link = lower
    if (!device.mtuGiven) device.mtu = lower.mtu
    else if (device.mtu > lower.mtu) return refuse('EINVAL')
    const inherited = lower.flags & ~(IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_MASTER | IFF_SLAVE)
    device.flags = inherited
    device.carrier = lower.carrier
    if (device.address === 0) {
      device.address = lower.address
      device.addressAssignType = NET_ADDR_STOLEN
    }
    const refusal = change(device, data) ?? registerDevice(device)
    if (refusal !== undefined) return refusal
    const stacked = linkUpper(lower, device, false)
    if (stacked !== undefined) {
      unregisterDevices([device])
      return stacked
    }
    transferOperstate(lower, device)
    carrierEvent(device)
    group.devices.set(keyOf(id, service), device)
    lower.vlans = group
    return undefined
  },
  change,
  fill(device) {
    const own = vlanOf(device)!
    const data: LinkData = {
      protocol: own.service ? '802.1ad' : '802.1Q',
      id: own.id,
      flags: FLAGS.filter(([, bit]) => own.flags & bit).map(([name]) => name),
    }
    if (pairs(own.ingress).length > 0) data.ingress = pairs(own.ingress).sort(([a], [b]) => a - b)
    if (pairs(own.egress).length > 0) data.egress = pairs(own.egress).sort(([a], [b]) => a - b)
    return data
  },
  linkNet: (device) => vlanOf(device)!.lower.host,
  remove(device) {
    leave(device)
    return [device]
  },
}

function keyOf(id: number, service: boolean): number {
  return service ? id + SERVICE : id
}

function groupOf(lower: NetDevice): VlanGroup {
  return lower.vlans instanceof VlanGroup ? lower.vlans : new VlanGroup()
}

/** unregister_vlan_dev() */
function leave(device: NetDevice): void {
  const { lower, id, service } = vlanOf(device)!
  const group = groupOf(lower)
  if (group.devices.get(keyOf(id, service)) !== device) return
  group.devices.delete(keyOf(id, service))
  if (group.devices.size === 0) lower.vlans = undefined
  unlinkUpper(lower, device)
}

/** What happens to a device happens to the VLANs on it. vlan_device_event() */
export function vlanNotifier(event: NetdevEvent, device: NetDevice): void {
  if (!(device.vlans instanceof VlanGroup)) return
  const all = [...device.vlans.devices.values()]
  switch (event) {
    case 'CHANGE':
      for (const each of all) transferOperstate(device, each)
      break
    case 'CHANGEADDR':
      for (const each of all) if (each.up) syncAddress(device, each)
      break
    case 'CHANGEMTU':
      for (const each of all) if (each.mtu > device.mtu) setMtu(each, device.mtu)
      break
    case 'DOWN':
      for (const each of all) {
        if (!each.up || vlanOf(each)!.flags & LOOSE_BINDING) continue
        setDeviceUp(each, false)
        transferOperstate(device, each)
      }
      break
    case 'UP':
      for (const each of all) {
        if (each.up) continue
        if (!(vlanOf(each)!.flags & LOOSE_BINDING)) setDeviceUp(each, true)
        transferOperstate(device, each)
      }
      break
    case 'UNREGISTER':
      if (device.moving) break
      for (const each of all) leave(each)
      unregisterDevices(all)
      break
    case 'NOTIFY_PEERS':
      for (const each of all) notifyPeers(each)
      break
  }
}

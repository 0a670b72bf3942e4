/**
 * A host's network: its devices, its taps, and what the parts of the kernel's network share.
 *
 *     const device = createEthernet(host, 'eth0', 0x020000000100)
 *     device.attach(cable.a)
 *     setDeviceUp(device, true)
 */
import { assert } from '#base/check'
import { defineState, type Host, type KernelImage, type State } from '#kernel/core'
import type { Packet } from '#wire/inet'
import { arpProtocol, arpReceive } from './arp.ts'
import { ETHERNET, IFF_UP, LOOPBACK, type Looks, loopbackDriver, NetDevice } from './device.ts'
import { CONF_ALL, CONF_DEFAULT, CONF_LOOPBACK, type InetConf, InetDevice } from './inetdev.ts'
import { rfc2863 } from './link-watch.ts'
import { NeighbourTable } from './neighbour.ts'
import { type NetdevNotifier, netdevNotifiers, notifyNetdev } from './notifiers.ts'
import { type Refusal, refuse } from './refusal.ts'
import { type Softnet, softnet } from './softnet.ts'

/** A packet socket, as devices see it. */
export interface Tap {
  /** Undefined: all devices. */
  readonly device: NetDevice | undefined
  /** An EtherType, or ETH_P_ALL, which sees what goes out as well. */
  readonly protocol: number
  /** The packet goes on its way afterwards: clone it, or take its bytes at once. packetType says where it was going. */
  receivePacket(packet: Packet, device: NetDevice): void
  /** Its device is no more. */
  deviceGone?(device: NetDevice): void
}

/** Who receives what, on all hosts of an image. */
export interface PacketTypes {
  ip(packet: Packet, device: NetDevice): void
  arp(packet: Packet, device: NetDevice): void
  /** Absent where no IPv6 is installed. */
  ip6?(packet: Packet, device: NetDevice): void
  /** A packet's next hop doesn't answer. Linux 6.1 net/ipv4/route.c: ipv4_link_failure(). */
  linkFailure(packet: Packet, device: NetDevice): void
}

/** An image's; the part of the kernel that knows IPv4 puts its functions in when it is installed. */
export function packetTypes(image: KernelImage): PacketTypes {
  return image.slot<PacketTypes>('kernel/net packet types', () => ({
    ip: () => {},
    arp: arpReceive,
    linkFailure: () => {},
  }))
}

export class NetState {
  readonly host: Host
  /** In order of ifindex. */
  devices: NetDevice[] = []
  readonly byName = new Map<string, NetDevice>()
  /** The last ifindex that was given. */
  lastIfindex = 0
  taps: Tap[] = []
  confAll: InetConf = CONF_ALL
  /** What a new device begins with. */
  confDefault: InetConf = CONF_DEFAULT
  readonly neighbours: NeighbourTable
  /**
   * Bumped by whatever may change how a packet is routed: addresses, devices, settings; routes and rules by their owners.
   * Linux: rt_genid_ipv4.
   */
  generation = 0
  /** What was sent last was dropped before the driver saw it: who sent it may be told (ENOBUFS). Linux: NET_XMIT_DROP. */
  refused = false
  readonly packetTypes: PacketTypes
  readonly notifiers: readonly NetdevNotifier[]
  /** What waits to be received; the machine's, for all its namespaces. */
  readonly softnet: Softnet
  /** Numbers by which this namespace knows others, as `ip netns list-id` shows them; undefined: none yet. */
  netnsIds: Map<Host, number> | undefined = undefined

  constructor(host: Host) {
    this.host = host
    this.packetTypes = packetTypes(host.image)
    this.notifiers = netdevNotifiers(host.image)
    this.softnet = softnet.of(host)
    this.neighbours = new NeighbourTable(this, arpProtocol)
  }

  /** netif_rx(): received when what is being sent has been sent; in order. */
  backlogReceive(device: NetDevice, packet: Packet): void {
    this.softnet.enqueue(device, packet)
  }

  /** The number by which this namespace knows another; made if it had none. Linux: peernet2id_alloc(). */
  netnsId(other: Host): number {
    this.netnsIds ??= new Map()
    let id = this.netnsIds.get(other)
    if (id === undefined) {
      const used = new Set(this.netnsIds.values())
      for (id = 0; used.has(id); ) id++
      this.netnsIds.set(other, id)
    }
    return id
  }
}

const states = defineState((host) => {
  const net = new NetState(host)
  const lo = new NetDevice(net, 'lo', LOOPBACK, 0)
  lo.driver = loopbackDriver
  lo.carrier = true
  enlist(lo)
  return net
})

/** A host's network; it has a loopback device from the first look on. */
export const netState: State<NetState> = {
  of(host) {
    const present = states.peek(host)
    if (present !== undefined) return present
    const net = states.of(host)
    // Whoever is told of the loopback device may ask for the network: it has to be there by now.
    notifyNetdev('REGISTER', net.devices[0]!)
    return net
  },
  peek: states.peek,
  drop: states.drop,
}

const IFNAMSIZ = 16

/** Linux 6.1 net/core/dev.c: dev_valid_name(). */
export function isValidDeviceName(name: string): boolean {
  return name !== '' && name.length < IFNAMSIZ && name !== '.' && name !== '..' && !/[/:\s]/.test(name)
}

/** A name that is free, of one that may have %d for a number. Linux: dev_get_valid_name(), __dev_alloc_name(). */
export function chooseDeviceName(net: NetState, name: string): string | Refusal {
  if (!isValidDeviceName(name)) return refuse('EINVAL')
  const at = name.indexOf('%')
  if (at < 0) return net.byName.has(name) ? refuse('EEXIST') : name
  if (name[at + 1] !== 'd' || name.includes('%', at + 2)) return refuse('EINVAL')
  for (let number = 0; ; number++) {
    const chosen = name.slice(0, at) + number + name.slice(at + 2)
    if (chosen.length >= IFNAMSIZ) return refuse('ENFILE')
    if (!net.byName.has(chosen)) return chosen
  }
}

/** Puts a device that was made into its host's list, and tells everybody. Linux: register_netdevice(). */
export function registerDevice(device: NetDevice): Refusal | undefined {
  const refusal = enlist(device)
  if (refusal === undefined) notifyNetdev('REGISTER', device)
  return refusal
}

function enlist(device: NetDevice): Refusal | undefined {
  const { net } = device
  const name = chooseDeviceName(net, device.name)
  if (typeof name !== 'string') return name
  if (device.ifindex !== 0 && indexTaken(net, device.ifindex)) return refuse('EBUSY')
  device.name = name
  if (device.ifindex === 0) device.ifindex = newIndex(net)
  if (!device.carrier || device.dormant) device.operstate = rfc2863(device)
  if (device.addressAssignType === 0) device.permanentAddress = device.address
  list(net, device)
  return undefined
}

function indexTaken(net: NetState, ifindex: number): boolean {
  return net.devices.some((device) => device.ifindex === ifindex)
}

/** Linux: dev_new_index(). */
function newIndex(net: NetState): number {
  do net.lastIfindex++
  while (indexTaken(net, net.lastIfindex))
  return net.lastIfindex
}

function list(net: NetState, device: NetDevice): void {
  let at = net.devices.length
  while (at > 0 && net.devices[at - 1]!.ifindex > device.ifindex) at--
  net.devices.splice(at, 0, device)
  net.byName.set(device.name, device)
  device.registered = true
  net.generation++
}

/** Takes it out of the list; what refers to it is the caller's matter. */
export function unlist(device: NetDevice): void {
  const { net } = device
  net.devices = net.devices.filter((other) => other !== device)
  net.byName.delete(device.name)
  device.registered = false
  net.generation++
}

/** It is another namespace's from now on; its addresses and neighbours are gone by now. */
export function relist(device: NetDevice, host: Host, name: string, ifindex: number): void {
  const net = netState.of(host)
  device.net = net
  device.host = host
  device.name = name
  device.ifindex = ifindex !== 0 ? ifindex : indexTaken(net, device.ifindex) ? newIndex(net) : device.ifindex
  device.everUp = false
  device.inet = new InetDevice(device, net.confDefault, net.neighbours.parms)
  if (device.loops) device.inet.conf = CONF_LOOPBACK
  list(net, device)
}

/** Adds a card: down, and without a cable, which its driver has told already. */
export function addDevice(host: Host, name: string, looks: Looks, address: number): NetDevice {
  const device = new NetDevice(netState.of(host), name, looks, address)
  const refusal = registerDevice(device)
  assert(refusal === undefined, `${host.name}: no device ${name} can be added: ${refusal?.errno}`)
  device.carrierDowns = 1
  return device
}

/** Adds a plain Ethernet card. */
export function createEthernet(host: Host, name: string, address: number): NetDevice {
  return addDevice(host, name, ETHERNET, address)
}

export function deviceByName(host: Host, name: string): NetDevice | undefined {
  return netState.of(host).byName.get(name)
}

export function deviceByIndex(host: Host, ifindex: number): NetDevice | undefined {
  const devices = netState.of(host).devices
  // Indexes are given in order and seldom given back: it is nearly always where its number says.
  const guess = devices[ifindex - 1]
  if (guess !== undefined && guess.ifindex === ifindex) return guess
  return devices.find((device) => device.ifindex === ifindex)
}

/** All devices, in order of ifindex. */
export function devices(host: Host): readonly NetDevice[] {
  return netState.of(host).devices
}

/** Another name, for the device and the labels of its addresses. Linux 6.1 net/ipv4/devinet.c: inetdev_changename(). */
export function renameDevice(device: NetDevice, name: string): void {
  const { byName } = device.net
  byName.delete(device.name)
  device.name = name
  byName.set(name, device)
  device.inet.addresses = device.inet.addresses.map((own, i) => ({ ...own, label: relabel(own.label, name, i) }))
}

/** The first address's label is the name; the others keep what stands behind the colon, or get a number. */
function relabel(label: string, name: string, position: number): string {
  if (position === 0) return name
  const colon = label.indexOf(':')
  const suffix = colon < 0 ? `:${position + 1}` : label.slice(colon)
  return name.slice(0, 15 - suffix.length) + suffix
}

/** The host's power is cut: its devices receive nothing more, and no timer of theirs fires. */
export function powerOff(host: Host): void {
  const net = netState.peek(host)
  if (net === undefined) return
  net.neighbours.powerOff()
  for (const device of net.devices) {
    device.flags &= ~IFF_UP
    device.active = false
    device.registered = false
  }
  net.taps = []
}

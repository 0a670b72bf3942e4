/**
 * A host's network: its devices, its taps, and what the parts of the kernel's network share.
 *
 *     const device = createEthernet(host, 'eth0', 0x020000000100)
 *     device.attach(cable.a)
 *     setDeviceUp(device, true)
 */
import { defineState, type Host, type KernelImage } from '#kernel/core'
import type { Packet } from '#wire/inet'
import { arpProtocol, arpReceive } from './arp.ts'
import { ETHERNET, IFF_UP, LOOPBACK, type Looks, NetDevice } from './device.ts'
import { CONF_ALL, CONF_DEFAULT, type InetConf } from './inetdev.ts'
import { NeighbourTable } from './neighbour.ts'

/** A packet socket, as devices see it. */
export interface Tap {
  /** Undefined: all devices. */
  readonly device: NetDevice | undefined
  /** An EtherType, or ETH_P_ALL, which sees what goes out as well. */
  readonly protocol: number
  /** The packet goes on its way afterwards: clone it, or take its bytes at once. packetType says where it was going. */
  receivePacket(packet: Packet, device: NetDevice): void
}

/** Who receives what, on all hosts of an image. */
export interface PacketTypes {
  ip(packet: Packet, device: NetDevice): void
  arp(packet: Packet, device: NetDevice): void
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
  nextIfindex = 1
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
  readonly packetTypes: PacketTypes
  #backlog: { device: NetDevice; packet: Packet }[] = []
  #draining = false

  constructor(host: Host) {
    this.host = host
    this.packetTypes = packetTypes(host.image)
    this.neighbours = new NeighbourTable(this, arpProtocol)
  }

  /** netif_rx(): received when what is being sent has been sent; in order. */
  backlogReceive(device: NetDevice, packet: Packet): void {
    this.#backlog.push({ device, packet })
    if (this.#draining) return
    this.#draining = true
    try {
      for (let i = 0; i < this.#backlog.length; i++) {
        const next = this.#backlog[i]!
        next.device.deliver(next.packet)
      }
    } finally {
      this.#backlog = []
      this.#draining = false
    }
  }
}

/** A host's network; it has a loopback device from the first look on. */
export const netState = defineState((host) => {
  const net = new NetState(host)
  registerDevice(net, 'lo', LOOPBACK, 0)
  return net
})

function registerDevice(net: NetState, name: string, looks: Looks, address: number): NetDevice {
  const device = new NetDevice(net, net.nextIfindex++, name, looks, address)
  net.devices.push(device)
  net.byName.set(name, device)
  if (device.loops) device.carrier = true
  else {
    // The driver takes the carrier away until the cable is in, which counts as a change.
    device.operstate = 'DOWN'
    device.carrierDowns = 1
  }
  net.generation++
  return device
}

/** Adds a device, down and without a cable. */
export function addDevice(host: Host, name: string, looks: Looks, address: number): NetDevice {
  return registerDevice(netState.of(host), name, looks, address)
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

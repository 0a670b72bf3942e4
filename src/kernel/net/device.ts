/**
 * A network device: what `ip link` shows, and the way of a packet from the cable to the protocols and back.
 *
 * It behaves as a tap device does: frames are neither padded nor filtered by their destination (what is for somebody else
 * reaches the taps as PACKET_OTHERHOST), counters count whole frames, and the carrier stays while the device is down.
 *
 * Linux 6.1 net/core/dev.c: __netif_receive_skb_core(), dev_queue_xmit(); net/ethernet/eth.c: eth_type_trans().
 */
import { Trace } from '#base/sim'
import type { Host } from '#kernel/core'
import { ETH_P_ALL, ETH_P_ARP, ETH_P_IP, frameLength, MAC_BROADCAST, type Packet, RAW_FRAME } from '#wire/inet'
import type { Attached, CableEnd } from './cable.ts'
import type { NetState } from './devices.ts'
import { CONF_LOOPBACK, InetDevice } from './inetdev.ts'
import { carrierEvent } from './link-watch.ts'
import type { LinkStats } from './netlink.ts'

// IFF_*. Linux 6.1 include/uapi/linux/if.h.
export const IFF_UP = 0x1
export const IFF_BROADCAST = 0x2
export const IFF_LOOPBACK = 0x8
export const IFF_POINTOPOINT = 0x10
export const IFF_RUNNING = 0x40
export const IFF_NOARP = 0x80
export const IFF_PROMISC = 0x100
export const IFF_ALLMULTI = 0x200
export const IFF_MULTICAST = 0x1000
export const IFF_LOWER_UP = 0x10000

export const PACKET_HOST = 0
export const PACKET_BROADCAST = 1
export const PACKET_MULTICAST = 2
export const PACKET_OTHERHOST = 3
export const PACKET_OUTGOING = 4

/** How a kind of device looks at first, to `ip -d link` and ethtool. */
export interface Looks {
  linkType: 'ether' | 'loopback'
  /** ARPHRD_*. */
  hardwareType: number
  qdisc: string
  txqlen: number
  mtu: number
  minMtu: number
  maxMtu: number
  flags: number
  driver: string
}

/** A plain Ethernet card, as the hosts of a lab have it. */
export const ETHERNET: Looks = {
  linkType: 'ether',
  hardwareType: 1,
  qdisc: 'fq_codel',
  txqlen: 1000,
  mtu: 1500,
  minMtu: 68,
  maxMtu: 65521,
  flags: IFF_BROADCAST | IFF_MULTICAST,
  driver: 'tun',
}

export const LOOPBACK: Looks = {
  linkType: 'loopback',
  hardwareType: 772,
  qdisc: 'noqueue',
  txqlen: 1000,
  mtu: 65536,
  minMtu: 0,
  maxMtu: 0,
  flags: IFF_LOOPBACK,
  driver: 'loopback',
}

/** What is told to those who listen to a device's traffic. */
export interface DeviceEvent {
  device: NetDevice
  direction: 'in' | 'out'
  /** Not the listener's: it is changed soon. Clone it, or emit its bytes at once. */
  packet: Packet
}

/** All packets into and out of all devices, for who draws or lists them. */
export const deviceTrace = new Trace<DeviceEvent>()

export class NetDevice implements Attached {
  readonly host: Host
  readonly net: NetState
  readonly ifindex: number
  readonly looks: Looks
  /** Whether what is sent comes back: the loopback device. */
  readonly loops: boolean
  name: string
  /** IFF_UP, and what was set by hand; what `ip link` shows has RUNNING and LOWER_UP as well: `shownFlags`. */
  flags: number
  mtu: number
  address: number
  broadcast: number
  txqlen: number
  readonly stats: LinkStats = {
    rxPackets: 0,
    txPackets: 0,
    rxBytes: 0,
    txBytes: 0,
    rxErrors: 0,
    txErrors: 0,
    rxDropped: 0,
    txDropped: 0,
    multicast: 0,
    collisions: 0,
    rxOverrun: 0,
    txCarrier: 0,
  }
  /** Whether the cable is in at both ends, as the driver has last said. */
  carrier = false
  /** Whether it is up and link_watch has acted on the carrier: packets pass only then. */
  active = false
  operstate: 'UNKNOWN' | 'UP' | 'DOWN' = 'UNKNOWN'
  carrierUps = 0
  carrierDowns = 0
  /** How many want all frames, and all multicast: packet sockets and `ip link set promisc on`. */
  promiscuity = 0
  allmulti = 0
  /** Whether it is still in the host's list. */
  registered = true
  /** IFF_PROMISC and IFF_ALLMULTI as `ip link set` set them: only these are shown among the flags. Linux: gflags. */
  givenFlags = 0
  alias = ''
  group = 0
  end: CableEnd | undefined = undefined
  readonly inet: InetDevice

  constructor(net: NetState, ifindex: number, name: string, looks: Looks, address: number) {
    this.net = net
    this.host = net.host
    this.ifindex = ifindex
    this.name = name
    this.looks = looks
    this.loops = looks.linkType === 'loopback'
    this.flags = looks.flags
    this.mtu = looks.mtu
    this.txqlen = looks.txqlen
    this.address = address
    this.broadcast = looks.linkType === 'ether' ? MAC_BROADCAST : 0
    this.inet = new InetDevice(this, net.confDefault, net.neighbours.parms)
    if (looks.linkType === 'loopback') this.inet.conf = CONF_LOOPBACK
  }

  get kind(): 'ether' | 'loopback' {
    return this.looks.linkType
  }

  get up(): boolean {
    return (this.flags & IFF_UP) !== 0
  }

  /** Flags as user space sees them. Linux 6.1 net/core/dev.c: dev_get_flags(). */
  get shownFlags(): number {
    let flags = (this.flags & ~(IFF_PROMISC | IFF_ALLMULTI)) | this.givenFlags
    if (flags & IFF_UP) {
      if (this.operstate !== 'DOWN') flags |= IFF_RUNNING
      if (this.carrier) flags |= IFF_LOWER_UP
    }
    return flags
  }

  /** What /sys and `ip` call its state: a device that is not up is DOWN. */
  get shownOperstate(): string {
    return this.up ? this.operstate : 'DOWN'
  }

  /** Whether it was ever up: until then it has no queue. */
  everUp = false

  /** The qdisc that `ip link` shows. */
  get qdisc(): string {
    return this.everUp ? this.looks.qdisc : 'noop'
  }

  /** One more, or one less, wants to see all frames. Linux 6.1 net/core/dev.c: __dev_set_promiscuity(). */
  changePromiscuity(by: 1 | -1): void {
    this.promiscuity += by
    const on = this.promiscuity > 0
    if (on === ((this.flags & IFF_PROMISC) !== 0)) return
    this.flags ^= IFF_PROMISC
    this.host.log(6, `device ${this.name} ${on ? 'entered' : 'left'} promiscuous mode`)
  }

  /** One more, or one less, wants to see all multicast. */
  changeAllmulti(by: 1 | -1): void {
    this.allmulti += by
    if (this.allmulti > 0) this.flags |= IFF_ALLMULTI
    else this.flags &= ~IFF_ALLMULTI
  }

  /** Plugs a cable in, or out. */
  attach(end: CableEnd | undefined): void {
    this.end = end
    this.carrierChanged(end?.carrier ?? false)
  }

  carrierChanged(on: boolean): void {
    if (on === this.carrier || !this.registered) return
    this.carrier = on
    if (on) this.carrierUps++
    else this.carrierDowns++
    carrierEvent(this)
  }

  /** A packet has come in by the cable. */
  receive(packet: Packet): void {
    if ((this.flags & IFF_UP) === 0 || packet.raw === RAW_FRAME) return
    const stats = this.stats
    stats.rxPackets++
    stats.rxBytes += frameLength(packet)
    const macDst = packet.macDst
    if (macDst === this.address) packet.packetType = PACKET_HOST
    else if (macDst === MAC_BROADCAST) packet.packetType = PACKET_BROADCAST
    else packet.packetType = isGroup(macDst) ? PACKET_MULTICAST : PACKET_OTHERHOST
    this.deliver(packet)
  }

  /** From the device to taps and protocols; the packet's type is set. */
  deliver(packet: Packet): void {
    packet.iif = this.ifindex
    if (deviceTrace.listeners !== 0) deviceTrace.emit({ device: this, direction: 'in', packet })
    const net = this.net
    let taken = false
    if (net.taps.length !== 0) taken = tapsReceive(net, this, packet, false)
    // A VLAN that no device here belongs to: nobody's packet, but for its taps. Priority tags (VLAN 0) mean nothing.
    if (packet.vlanTci >= 0 && (packet.vlanTci & 0xfff) !== 0) packet.packetType = PACKET_OTHERHOST
    if (packet.etherType === ETH_P_IP) net.packetTypes.ip(packet, this)
    else if (packet.etherType === ETH_P_ARP) net.packetTypes.arp(packet, this)
    else if (!taken) this.stats.rxDropped++
  }

  /** dev_queue_xmit(): the frame's addresses are set, and the packet is given away. */
  transmit(packet: Packet): void {
    if (!this.active) return // Down, or no carrier and link_watch has put the noop qdisc in.
    if (this.loops) {
      this.#loopBack(packet)
      return
    }
    if (deviceTrace.listeners !== 0) deviceTrace.emit({ device: this, direction: 'out', packet })
    if (this.net.taps.length !== 0) tapsTransmit(this.net, this, packet)
    const stats = this.stats
    stats.txPackets++
    stats.txBytes += frameLength(packet)
    packet.iif = 0
    packet.mark = 0
    packet.priority = 0
    packet.extra = undefined
    this.end!.transmit(packet)
  }

  /** Linux 6.1 drivers/net/loopback.c: loopback_xmit(). Its counters don't count the Ethernet header. */
  #loopBack(packet: Packet): void {
    if (deviceTrace.listeners !== 0) deviceTrace.emit({ device: this, direction: 'out', packet })
    if (this.net.taps.length !== 0) tapsTransmit(this.net, this, packet)
    const length = frameLength(packet) - 14
    const stats = this.stats
    stats.txPackets++
    stats.txBytes += length
    stats.rxPackets++
    stats.rxBytes += length
    if (packet.macDst === this.address) packet.packetType = PACKET_HOST
    else
      packet.packetType =
        packet.macDst === MAC_BROADCAST
          ? PACKET_BROADCAST
          : isGroup(packet.macDst)
            ? PACKET_MULTICAST
            : PACKET_OTHERHOST
    this.net.backlogReceive(this, packet)
  }
}

/** The group bit: multicast or broadcast. */
function isGroup(mac: number): boolean {
  return (Math.floor(mac / 0x100_0000_0000) & 1) === 1
}

/** Returns whether somebody took it. */
function tapsReceive(net: NetState, device: NetDevice, packet: Packet, outgoing: boolean): boolean {
  let taken = false
  for (const tap of net.taps) {
    if (tap.device !== undefined && tap.device !== device) continue
    if (tap.protocol !== ETH_P_ALL && (outgoing || tap.protocol !== packet.etherType)) continue
    tap.receivePacket(packet, device)
    taken = true
  }
  return taken
}

/** What goes out is shown only to taps for all protocols. Linux 6.1 net/core/dev.c: dev_queue_xmit_nit(). */
function tapsTransmit(net: NetState, device: NetDevice, packet: Packet): void {
  const type = packet.packetType
  packet.packetType = PACKET_OUTGOING
  tapsReceive(net, device, packet, true)
  packet.packetType = type
}

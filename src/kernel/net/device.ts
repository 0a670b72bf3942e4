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
import {
  ETH_P_ALL,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  frameLength,
  MAC_BROADCAST,
  type Packet,
  RAW_FRAME,
} from '#wire/inet'
import type { Attached, CableEnd } from './cable.ts'
import type { NetState } from './devices.ts'
import type { DriverEthtool } from './ethtool.ts'
import { cutSegment } from './gso.ts'
import { CONF_LOOPBACK, InetDevice } from './inetdev.ts'
import type { LinkKind } from './link-kinds.ts'
import { carrierEvent } from './link-watch.ts'
import type { LinkStats } from './netlink.ts'
import type { FdbMessage, FdbRequest } from './netlink-bridge.ts'
import type { Refusal } from './refusal.ts'

// IFF_*. Linux 6.1 include/uapi/linux/if.h.
export const IFF_UP = 0x1
export const IFF_BROADCAST = 0x2
export const IFF_LOOPBACK = 0x8
export const IFF_POINTOPOINT = 0x10
export const IFF_RUNNING = 0x40
export const IFF_NOARP = 0x80
export const IFF_PROMISC = 0x100
export const IFF_ALLMULTI = 0x200
export const IFF_MASTER = 0x400
export const IFF_SLAVE = 0x800
export const IFF_MULTICAST = 0x1000
export const IFF_LOWER_UP = 0x10000

export const PACKET_HOST = 0
export const PACKET_BROADCAST = 1
export const PACKET_MULTICAST = 2
export const PACKET_OTHERHOST = 3
export const PACKET_OUTGOING = 4
/** Looped back by the host itself. */
export const PACKET_LOOPBACK = 5

/** What follows `link/` in `ip link`: the hardware types' names. iproute2 6.1 lib/ll_types.c. */
export type LinkType = 'ether' | 'loopback' | 'ipip' | 'sit' | 'gre' | 'none' | 'tunnel6' | 'gre6'

/** How a kind of device looks at first, to `ip -d link` and ethtool. */
export interface Looks {
  linkType: LinkType
  /** ARPHRD_*. */
  hardwareType: number
  /** Bytes of its addresses: 6 if absent, 4 for IPv4 tunnels, 0 for none. */
  addressLength?: number
  /** 'noqueue' for what has none (IFF_NO_QUEUE). */
  qdisc: string
  txqlen: number
  mtu: number
  minMtu: number
  maxMtu: number
  flags: number
  driver: string
  /** Registered before it had an MTU that IPv6 could live with: IPv6 never saw it. */
  noInet6?: boolean
  /** Can't be moved to another namespace. NETIF_F_NETNS_LOCAL. */
  netnsLocal?: boolean
  /** It takes segments that are yet to be cut (NETIF_F_GSO_SOFTWARE). */
  gso?: boolean
  /** IFLA_TSO_MAX_SIZE; 65536 if absent. */
  tsoMaxSize?: number
  /** Its address can't be changed while it is up (no IFF_LIVE_ADDR_CHANGE). */
  fixedAddressWhileUp?: boolean
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
  gso: true,
  tsoMaxSize: 524280,
  netnsLocal: true,
}

/** What a device's driver does; a plain card has none, and puts packets on its cable. Linux: struct net_device_ops. */
export interface Driver {
  /** ndo_start_xmit: the packet is given away. It counts what it sends: `countTx`. */
  xmit(packet: Packet, device: NetDevice): void
  /** It takes packets of several TCP segments as they are (NETIF_F_GSO_SOFTWARE); absent: they are cut before. */
  readonly gso?: boolean
  open?(device: NetDevice): Refusal | undefined
  stop?(device: NetDevice): void
  /** May refuse; the caller then sets the MTU. */
  changeMtu?(device: NetDevice, mtu: number): Refusal | undefined
  /** Sets the address itself, or refuses. Absent: eth_mac_addr(). */
  setAddress?(device: NetDevice, address: number): Refusal | undefined
  /** `ip link set SLAVE master DEVICE`. Absent: it is no master. */
  addSlave?(device: NetDevice, slave: NetDevice): Refusal | undefined
  removeSlave?(device: NetDevice, slave: NetDevice): Refusal | undefined
  /** IFF_PROMISC or IFF_ALLMULTI has changed. */
  changeRxFlags?(device: NetDevice, changed: number): void
  /** `ip link set carrier on|off`; absent: refused. */
  changeCarrier?(device: NetDevice, on: boolean): void
  /** Entries of its forwarding database: a bridge's, a VXLAN device's. Absent: its lists of addresses. Linux: ndo_fdb_*. */
  fdbAdd?(request: FdbRequest, device: NetDevice, vid: number): Refusal | undefined
  fdbDelete?(request: FdbRequest, device: NetDevice, vid: number): Refusal | undefined
  /** @param port only what is behind that device; undefined: what belongs to none */
  fdbDump?(device: NetDevice, port: NetDevice | undefined): FdbMessage[]
  fdbGet?(device: NetDevice, address: number, vid: number): FdbMessage | undefined
  ethtool?: DriverEthtool
  /** It has left the list: the last word. */
  uninit?(device: NetDevice): void
}

/**
 * Takes packets away from a device before the protocols see them: a bridge, a bond, macvlan. true: taken; 'exact': only
 * for taps of this very device. Linux: rx_handler_func_t.
 */
export type RxHandler = (packet: Packet, device: NetDevice) => boolean | 'exact'

/** A socket that is told how much of what it sent still waits on this host. Linux: sk_wmem_alloc, tcp_wfree(). */
export interface QueueOwner {
  queued(bytes: number): void
  unqueued(bytes: number): void
}

/** What stands between `transmit` and the driver. */
export interface Qdisc {
  readonly kind: string
  /** Sends it later by `device.hardTransmit`, or drops it: 1. Linux: NET_XMIT_DROP. */
  enqueue(packet: Packet): number
}

/** The 802.1Q devices on a device: takes a tagged packet, or says that it has no tag, or that none is for it. */
export interface VlanReceiver {
  receive(packet: Packet, device: NetDevice): boolean
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

export type Operstate = 'UNKNOWN' | 'NOTPRESENT' | 'DOWN' | 'LOWERLAYERDOWN' | 'TESTING' | 'DORMANT' | 'UP'

// NET_ADDR_*: where the hardware address is from. Linux 6.1 include/uapi/linux/netdevice.h.
export const NET_ADDR_PERM = 0
export const NET_ADDR_RANDOM = 1
export const NET_ADDR_STOLEN = 2
export const NET_ADDR_SET = 3

export class NetDevice implements Attached {
  /** Its namespace; another after it was moved. */
  host: Host
  net: NetState
  /** 0 until it is registered. */
  ifindex = 0
  readonly looks: Looks
  /** Whether what is sent comes back: the loopback device. */
  readonly loops: boolean
  name: string
  /** IFF_UP, and what was set by hand; what `ip link` shows has RUNNING and LOWER_UP as well: `shownFlags`. */
  flags: number
  mtu: number
  /** Whether a request has chosen the MTU. */
  mtuGiven = false
  minMtu: number
  maxMtu: number
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
  /** Whether it is up, or on its way there. Linux: netif_running(). */
  running = false
  /** Whether it is up and link_watch has acted on the carrier: packets pass only then. */
  active = false
  operstate: Operstate = 'UNKNOWN'
  carrierUps = 0
  carrierDowns = 0
  /** How many want all frames, and all multicast: packet sockets and `ip link set promisc on`. */
  promiscuity = 0
  allmulti = 0
  /** Whether it is in its host's list. */
  registered = false
  /** It is only on its way to another namespace: what is stacked on it may stay. */
  moving = false
  /** IFF_PROMISC and IFF_ALLMULTI as `ip link set` set them: only these are shown among the flags. Linux: gflags. */
  givenFlags = 0
  alias = ''
  group = 0
  end: CableEnd | undefined = undefined
  inet: InetDevice
  /** What IPv6 keeps for it: kernel/ipv6's; undefined until it is there. */
  inet6: unknown = undefined
  /** Undefined: a plain card on a cable. */
  driver: Driver | undefined = undefined
  /** Undefined: what is sent goes to the driver at once. */
  qdisc: Qdisc | undefined = undefined
  /** Filters of what comes in and of what goes out (tc ingress, clsact): whether a packet goes on. Undefined: all do. */
  ingress: ((packet: Packet) => boolean) | undefined = undefined
  egress: ((packet: Packet) => boolean) | undefined = undefined
  rxHandler: RxHandler | undefined = undefined
  vlans: VlanReceiver | undefined = undefined
  /** `ip link add type KIND`; undefined for cards and lo. Linux: rtnl_link_ops. */
  linkKind: LinkKind | undefined = undefined
  /** What its driver keeps for it. Linux: netdev_priv(). */
  priv: unknown = undefined
  /** What its master keeps for it: a bridge's port, a bond's slave. Linux: rx_handler_data. */
  port: unknown = undefined
  master: NetDevice | undefined = undefined
  /** Those stacked on it, and those that it is stacked on; the master is an upper too. */
  uppers: readonly NetDevice[] = NO_DEVICES
  lowers: readonly NetDevice[] = NO_DEVICES
  /** IFLA_LINK: what a VLAN device or a tunnel is on, or a veth's peer; it may be in another namespace. Linux: ndo_get_iflink. */
  link: NetDevice | undefined = undefined
  /** IFLA_LINK of a tunnel: the ifindex that it is bound to, 0 for any. Undefined: it is none. */
  underlay: number | undefined = undefined
  addressAssignType = NET_ADDR_SET
  /** NET_NAME_*: 1 a number that the kernel chose, 3 whoever made it, 4 renamed; undefined for cards. */
  nameAssignType: number | undefined = undefined
  /** IFLA_PERM_ADDRESS; 0: none. */
  permanentAddress = 0
  /** Not ready for the protocols although it has a carrier. */
  dormant = false
  numTxQueues = 1
  numRxQueues = 1
  /** Further addresses that it receives: unicast ones, and groups; shown, not filtered by. Linux: dev->uc, dev->mc. */
  unicastList: readonly number[] = NO_ADDRESSES
  multicastList: readonly number[] = NO_ADDRESSES
  /** Of these and all others: those that somebody asked for by hand (dev_mc_add_global()). */
  multicastByHand: readonly number[] = NO_ADDRESSES

  /** Not in any list yet: `registerDevice`. */
  constructor(net: NetState, name: string, looks: Looks, address: number) {
    this.net = net
    this.host = net.host
    this.name = name
    this.looks = looks
    this.loops = looks.linkType === 'loopback'
    this.flags = looks.flags
    this.mtu = looks.mtu
    this.minMtu = looks.minMtu
    this.maxMtu = looks.maxMtu
    this.txqlen = looks.txqlen
    this.address = address
    this.broadcast = looks.linkType === 'ether' ? MAC_BROADCAST : 0
    this.inet = new InetDevice(this, net.confDefault, net.neighbours.parms)
    if (looks.linkType === 'loopback') this.inet.conf = CONF_LOOPBACK
  }

  get kind(): LinkType {
    return this.looks.linkType
  }

  /** `veth`, `bridge` ...; undefined for cards and lo. IFLA_INFO_KIND. */
  get type(): string | undefined {
    return this.linkKind?.kind
  }

  get addressLength(): number {
    return this.looks.addressLength ?? 6
  }

  /** What IFLA_LINK says; its own if it is stacked on nothing. Linux: dev_get_iflink(). */
  get iflink(): number {
    if (this.underlay !== undefined) return this.underlay
    return this.link === undefined ? this.ifindex : this.link.ifindex
  }

  get up(): boolean {
    return (this.flags & IFF_UP) !== 0
  }

  /** Flags as user space sees them. Linux 6.1 net/core/dev.c: dev_get_flags(). */
  get shownFlags(): number {
    let flags = (this.flags & ~(IFF_PROMISC | IFF_ALLMULTI)) | this.givenFlags
    if (flags & IFF_UP) {
      if (this.operstate === 'UP' || this.operstate === 'UNKNOWN') flags |= IFF_RUNNING
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
  get qdiscName(): string {
    if (this.qdisc !== undefined) return this.qdisc.kind
    return this.everUp ? this.looks.qdisc : 'noop'
  }

  /** One more, or one less, wants to see all frames. Linux 6.1 net/core/dev.c: __dev_set_promiscuity(). */
  changePromiscuity(by: 1 | -1): void {
    this.promiscuity += by
    const on = this.promiscuity > 0
    if (on === ((this.flags & IFF_PROMISC) !== 0)) return
    this.flags ^= IFF_PROMISC
    this.host.log(6, `device ${this.name} ${on ? 'entered' : 'left'} promiscuous mode`)
    this.driver?.changeRxFlags?.(this, IFF_PROMISC)
  }

  /** One more address of its own: a stacked device's. A card without a filter has to hear everything then. Linux: dev_uc_add(). */
  addUnicast(address: number): void {
    this.unicastList = [...this.unicastList, address]
    if (this.unicastList.length === 1) this.changePromiscuity(1)
  }

  /** One less. */
  removeUnicast(address: number): void {
    const at = this.unicastList.indexOf(address)
    if (at < 0) return
    this.unicastList = this.unicastList.toSpliced(at, 1)
    if (this.unicastList.length === 0) this.changePromiscuity(-1)
  }

  /** One more, or one less, wants to see all multicast. */
  changeAllmulti(by: 1 | -1): void {
    this.allmulti += by
    const on = this.allmulti > 0
    if (on === ((this.flags & IFF_ALLMULTI) !== 0)) return
    this.flags ^= IFF_ALLMULTI
    this.driver?.changeRxFlags?.(this, IFF_ALLMULTI)
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
    this.setPacketType(packet)
    const { softnet } = this.net
    softnet.depth++
    try {
      this.deliver(packet)
    } finally {
      softnet.depth--
    }
    if (softnet.waiting.length !== 0 && softnet.depth === 0) softnet.drain()
  }

  /** Whom a frame is for, by its destination. Linux 6.1 net/ethernet/eth.c: eth_type_trans(). */
  setPacketType(packet: Packet): void {
    const macDst = packet.macDst
    if (macDst === this.address) packet.packetType = PACKET_HOST
    else if (macDst === MAC_BROADCAST) packet.packetType = PACKET_BROADCAST
    else packet.packetType = isGroup(macDst) ? PACKET_MULTICAST : PACKET_OTHERHOST
  }

  /** From the device to taps, whoever takes its packets, and protocols; the packet's type is set. */
  deliver(packet: Packet): void {
    packet.iif = this.ifindex
    if (deviceTrace.listeners !== 0) deviceTrace.emit({ device: this, direction: 'in', packet })
    const net = this.net
    let taken = false
    if (net.taps.length !== 0) taken = tapsReceive(net, this, packet, true, false)
    if (this.ingress !== undefined && !this.ingress(packet)) return
    if (this.vlans !== undefined && this.vlans.receive(packet, this)) return
    let exact = false
    if (this.rxHandler !== undefined) {
      const verdict = this.rxHandler(packet, this)
      if (verdict === true) return
      exact = verdict === 'exact'
    }
    // A VLAN that no device here belongs to: nobody's packet, but for its taps. Priority tags (VLAN 0) mean nothing.
    if (packet.vlanTci >= 0 && (packet.vlanTci & 0xfff) !== 0) packet.packetType = PACKET_OTHERHOST
    if (net.taps.length !== 0 && tapsReceive(net, this, packet, false, exact)) taken = true
    if (exact) {
      if (!taken) this.stats.rxNohandler = (this.stats.rxNohandler ?? 0) + 1
    } else if (packet.etherType === ETH_P_IP) net.packetTypes.ip(packet, this)
    else if (packet.etherType === ETH_P_ARP) net.packetTypes.arp(packet, this)
    else if (packet.etherType === ETH_P_IPV6 && net.packetTypes.ip6 !== undefined) net.packetTypes.ip6(packet, this)
    else if (!taken) this.stats.rxDropped++
  }

  /** dev_queue_xmit(): the frame's addresses are set, and the packet is given away. */
  transmit(packet: Packet): void {
    if (!this.active) return // Down, or no carrier and link_watch has put the noop qdisc in.
    if (this.egress !== undefined && !this.egress(packet)) this.net.refused = true
    else if (this.qdisc !== undefined) this.net.refused = this.qdisc.enqueue(packet) === 1
    else this.hardTransmit(packet)
  }

  /** dev_hard_start_xmit(): past the queue, to the taps and the driver. */
  hardTransmit(packet: Packet): void {
    if (packet.gsoSize !== 0 && this.driver?.gso !== true) {
      while (packet.gsoSize !== 0) this.hardTransmit(cutSegment(packet))
    }
    if (deviceTrace.listeners !== 0) deviceTrace.emit({ device: this, direction: 'out', packet })
    if (this.net.taps.length !== 0) tapsTransmit(this.net, this, packet)
    const driver = this.driver
    if (driver !== undefined) {
      this.#driverTransmit(driver, packet)
      return
    }
    const stats = this.stats
    stats.txPackets++
    stats.txBytes += frameLength(packet)
    packet.iif = 0
    packet.mark = 0
    packet.priority = 0
    packet.ct = undefined
    packet.ctInfo = 0
    packet.socket = undefined
    packet.extra = undefined
    this.end!.transmit(packet)
  }

  /** What other devices are handed meanwhile is received when the outermost has sent all it has. */
  #driverTransmit(driver: Driver, packet: Packet): void {
    const { softnet } = this.net
    softnet.depth++
    try {
      driver.xmit(packet, this)
    } finally {
      softnet.depth--
    }
    if (softnet.waiting.length !== 0 && softnet.depth === 0) softnet.drain()
  }

  /** Counts a packet that the driver has sent. */
  countTx(length: number): void {
    this.stats.txPackets++
    this.stats.txBytes += length
  }

  countRx(length: number): void {
    this.stats.rxPackets++
    this.stats.rxBytes += length
  }
}

const NO_DEVICES: readonly NetDevice[] = []
const NO_ADDRESSES: readonly number[] = []

/**
 * Linux 6.1 drivers/net/loopback.c: loopback_xmit(). Its counters don't count the Ethernet header. The address is compared
 * before the group bit, as zero is its own.
 */
export const loopbackDriver: Driver = {
  gso: true,
  xmit(packet, device) {
    const length = frameLength(packet) - 14
    device.countTx(length)
    device.countRx(length)
    device.setPacketType(packet)
    device.net.backlogReceive(device, packet)
  },
}

/**
 * What a packet loses on its way to another device as if it had come by a cable; all that this host knew of it if that is
 * in another namespace. Linux 6.1 net/core/skbuff.c: skb_scrub_packet(); net/core/dev.c: __dev_forward_skb().
 */
export function scrubPacket(packet: Packet, crossing: boolean): void {
  packet.iif = 0
  packet.priority = 0
  packet.ct = undefined
  packet.ctInfo = 0
  packet.route = undefined
  packet.extra = undefined
  if (!crossing) return
  packet.mark = 0
  packet.socket = undefined
}

/** The group bit: multicast or broadcast. */
function isGroup(mac: number): boolean {
  return (Math.floor(mac / 0x100_0000_0000) & 1) === 1
}

/** Those for all protocols come first, and before whoever takes a device's packets. Returns whether somebody took it. */
function tapsReceive(net: NetState, device: NetDevice, packet: Packet, all: boolean, exact: boolean): boolean {
  let taken = false
  for (const tap of net.taps) {
    if (tap.device === undefined ? exact : tap.device !== device) continue
    if (all ? tap.protocol !== ETH_P_ALL : tap.protocol !== packet.etherType) continue
    tap.receivePacket(packet, device)
    taken = true
  }
  return taken
}

/** What goes out is shown only to taps for all protocols. Linux 6.1 net/core/dev.c: dev_queue_xmit_nit(). */
function tapsTransmit(net: NetState, device: NetDevice, packet: Packet): void {
  const type = packet.packetType
  packet.packetType = PACKET_OUTGOING
  tapsReceive(net, device, packet, true, false)
  packet.packetType = type
}

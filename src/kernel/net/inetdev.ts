/**
 * What IPv4 keeps for a device (struct in_device): its addresses, its settings, its neighbours.
 *
 * Settings are plain numbers on an object that all share until one is written: ten thousand idle hosts have one.
 *
 * Linux 6.1 include/linux/inetdevice.h; net/ipv4/devinet.c: ipv4_devconf_dflt, inetdev_init(), devinet_conf_proc().
 */
import type { NetDevice } from './device.ts'
import type { IgmpLink } from './igmp.ts'
import type { Neighbour, NeighbourParms } from './neighbour.ts'

/** Below it, IPv4 is off. Linux 6.1 include/linux/inetdevice.h: inetdev_valid_mtu(). */
export const IPV4_MIN_MTU = 68

/** net.ipv4.conf.NAME.*, in the kernel's order. */
export class InetConf {
  forwarding = 0
  mcForwarding = 0
  bcForwarding = 0
  acceptRedirects = 1
  secureRedirects = 1
  sharedMedia = 1
  rpFilter = 0
  sendRedirects = 1
  acceptSourceRoute = 1
  acceptLocal = 0
  srcValidMark = 0
  proxyArp = 0
  mediumId = 0
  bootpRelay = 0
  logMartians = 0
  tag = 0
  arpFilter = 0
  arpAnnounce = 0
  arpIgnore = 0
  arpAccept = 0
  arpNotify = 0
  arpEvictNocarrier = 1
  proxyArpPvlan = 0
  forceIgmpVersion = 0
  igmpv2UnsolicitedReportInterval = 10_000
  igmpv3UnsolicitedReportInterval = 1_000
  ignoreRoutesWithLinkdown = 0
  dropGratuitousArp = 0
  disableXfrm = 0
  disablePolicy = 0
  promoteSecondaries = 0
  routeLocalnet = 0
  dropUnicastInL2Multicast = 0
  /** What was written to this very object: a later write to `default` leaves it alone. Linux: ipv4_devconf.state. */
  written: ReadonlySet<ConfName> = NOTHING_WRITTEN

  copy(): InetConf {
    return Object.assign(new InetConf(), this)
  }

  /** A copy in which one value is another; the original is shared, and stays. */
  with(name: ConfName, value: number, mark: boolean): InetConf {
    const copy = this.copy()
    copy[name] = value
    if (mark) copy.written = new Set([...this.written, name])
    return copy
  }
}

const NOTHING_WRITTEN: ReadonlySet<ConfName> = new Set()

export type ConfName = Exclude<keyof InetConf, 'written' | 'copy' | 'with'>

/** What `default` says at boot, and with it every device; one object for all hosts. */
export const CONF_DEFAULT = new InetConf()
/** What `all` says at boot. accept_source_route is the only difference. Linux 6.1 net/ipv4/devinet.c: ipv4_devconf. */
export const CONF_ALL = CONF_DEFAULT.with('acceptSourceRoute', 0, false)

/** The loopback device's: no IPsec there. Linux 6.1 net/ipv4/devinet.c: inetdev_event(): NETDEV_REGISTER. */
export const CONF_LOOPBACK = CONF_DEFAULT.with('disableXfrm', 1, true).with('disablePolicy', 1, true)

// IFA_F_*. Linux 6.1 include/uapi/linux/if_addr.h.
export const IFA_F_SECONDARY = 0x01
export const IFA_F_PERMANENT = 0x80
export const IFA_F_NOPREFIXROUTE = 0x200
export const IFA_F_MCAUTOJOIN = 0x400
export const IFA_F_DEPRECATED = 0x20

// RT_SCOPE_*. Linux 6.1 include/uapi/linux/rtnetlink.h.
export const RT_SCOPE_UNIVERSE = 0
export const RT_SCOPE_SITE = 200
export const RT_SCOPE_LINK = 253
export const RT_SCOPE_HOST = 254
export const RT_SCOPE_NOWHERE = 255

export const INFINITE_S = 0xffffffff

/** One address of a device. Linux 6.1 include/linux/inetdevice.h: struct in_ifaddr. */
export interface InetAddress {
  readonly device: NetDevice
  /** The host's own address... */
  readonly local: number
  /** ...and the peer's on a point-to-point link, else the same. */
  readonly address: number
  readonly prefix: number
  /** The prefix as a mask, unsigned. */
  readonly mask: number
  /** 0: none. */
  readonly broadcast: number
  readonly label: string
  readonly scope: number
  /** IFA_F_*. */
  flags: number
  /** Seconds from `stampNs` on; INFINITE_S for ever. */
  validS: number
  preferredS: number
  /** IFA_RT_PRIORITY of its prefix route; 0: none. */
  metric: number
  /** When the lifetimes were set, and when the address was made: virtual ns. */
  stampNs: number
  createdNs: number
}

export class InetDevice {
  readonly device: NetDevice
  /** Shared until written; never change a field in place. */
  conf: InetConf
  /** Shared until written, as conf is. */
  parms: NeighbourParms
  /** The drawn reachable time, in jiffies, and in which of the table's drawings; -1: not drawn yet. */
  reachable = 0
  reachableDraw = -1
  /** In the kernel's order: primaries by scope, secondaries behind. */
  addresses: InetAddress[] = NO_ADDRESSES
  /** By address; made with the first neighbour. */
  neighbours: Map<number, Neighbour> | undefined = undefined
  /** The one that was used last, so that a packet after a packet costs no lookup. */
  lastNeighbour: Neighbour | undefined = undefined
  /** Multicast groups, from when the first was joined; 224.0.0.1 is always there. */
  igmp: IgmpLink | undefined = undefined
  /** Whether an address was ever added: from then on writes to `default` leave it alone. Linux: ipv4_devconf_setall(). */
  settled = false
  /** Packets of this device in the proxy queue. Linux: neigh_parms.qlen. */
  proxyQueued = 0

  constructor(device: NetDevice, conf: InetConf, parms: NeighbourParms) {
    this.device = device
    this.conf = conf
    this.parms = parms
  }

  // How `all` and the device's own value combine. Linux 6.1 include/linux/inetdevice.h: IN_DEV_*.

  /** IN_DEV_FORWARD: the device's own alone; a write to `all` sets every device's. */
  get forwarding(): boolean {
    return this.conf.forwarding !== 0
  }
  /** IN_DEV_RPFILTER: the larger. */
  get rpFilter(): number {
    return Math.max(this.device.net.confAll.rpFilter, this.conf.rpFilter)
  }
  get srcValidMark(): boolean {
    return (this.device.net.confAll.srcValidMark | this.conf.srcValidMark) !== 0
  }
  /** IN_DEV_SOURCE_ROUTE: both. */
  get acceptSourceRoute(): boolean {
    return this.device.net.confAll.acceptSourceRoute !== 0 && this.conf.acceptSourceRoute !== 0
  }
  get acceptLocal(): boolean {
    return (this.device.net.confAll.acceptLocal | this.conf.acceptLocal) !== 0
  }
  get routeLocalnet(): boolean {
    return (this.device.net.confAll.routeLocalnet | this.conf.routeLocalnet) !== 0
  }
  get bootpRelay(): boolean {
    return this.device.net.confAll.bootpRelay !== 0 && this.conf.bootpRelay !== 0
  }
  get bcForwarding(): boolean {
    return this.device.net.confAll.bcForwarding !== 0 && this.conf.bcForwarding !== 0
  }
  get logMartians(): boolean {
    return (this.device.net.confAll.logMartians | this.conf.logMartians) !== 0
  }
  get proxyArp(): boolean {
    return (this.device.net.confAll.proxyArp | this.conf.proxyArp) !== 0
  }
  get proxyArpPvlan(): boolean {
    return (this.device.net.confAll.proxyArpPvlan | this.conf.proxyArpPvlan) !== 0
  }
  get sharedMedia(): boolean {
    return (this.device.net.confAll.sharedMedia | this.conf.sharedMedia) !== 0
  }
  get sendRedirects(): boolean {
    return (this.device.net.confAll.sendRedirects | this.conf.sendRedirects) !== 0
  }
  get secureRedirects(): boolean {
    return (this.device.net.confAll.secureRedirects | this.conf.secureRedirects) !== 0
  }
  /** IN_DEV_RX_REDIRECTS: a router needs both, a host either. */
  get acceptRedirects(): boolean {
    const all = this.device.net.confAll.acceptRedirects
    return this.forwarding ? all !== 0 && this.conf.acceptRedirects !== 0 : (all | this.conf.acceptRedirects) !== 0
  }
  get ignoreRoutesWithLinkdown(): boolean {
    return (this.device.net.confAll.ignoreRoutesWithLinkdown | this.conf.ignoreRoutesWithLinkdown) !== 0
  }
  get promoteSecondaries(): boolean {
    return (this.device.net.confAll.promoteSecondaries | this.conf.promoteSecondaries) !== 0
  }
  get dropUnicastInL2Multicast(): boolean {
    return (this.device.net.confAll.dropUnicastInL2Multicast | this.conf.dropUnicastInL2Multicast) !== 0
  }
  get dropGratuitousArp(): boolean {
    return (this.device.net.confAll.dropGratuitousArp | this.conf.dropGratuitousArp) !== 0
  }
  get arpFilter(): boolean {
    return (this.device.net.confAll.arpFilter | this.conf.arpFilter) !== 0
  }
  get arpAccept(): number {
    return Math.max(this.device.net.confAll.arpAccept, this.conf.arpAccept)
  }
  get arpAnnounce(): number {
    return Math.max(this.device.net.confAll.arpAnnounce, this.conf.arpAnnounce)
  }
  get arpIgnore(): number {
    return Math.max(this.device.net.confAll.arpIgnore, this.conf.arpIgnore)
  }
  get arpNotify(): number {
    return Math.max(this.device.net.confAll.arpNotify, this.conf.arpNotify)
  }
  get arpEvictNocarrier(): boolean {
    return this.device.net.confAll.arpEvictNocarrier !== 0 && this.conf.arpEvictNocarrier !== 0
  }
}

const NO_ADDRESSES: InetAddress[] = []
Object.freeze(NO_ADDRESSES)

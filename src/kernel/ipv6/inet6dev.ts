/**
 * What IPv6 keeps for a device (struct inet6_dev), and an address of it (struct inet6_ifaddr).
 *
 * Linux 6.1 include/net/if_inet6.h.
 */
import type { Neighbour, NeighbourLink, NeighbourParms, NetDevice } from '#kernel/net'
import type { Ipv6Address } from '#wire/inet'
import type { Conf6 } from './conf.ts'
import type { Fib6Route } from './fib.ts'
import { answerQueries, reportChanges, reportInitial } from './mld.ts'
import type { State6 } from './state.ts'
import { Work } from './work.ts'

// IFA_F_*. Linux 6.1 include/uapi/linux/if_addr.h.
export const IFA_F_TEMPORARY = 0x01
export const IFA_F_NODAD = 0x02
export const IFA_F_OPTIMISTIC = 0x04
export const IFA_F_DADFAILED = 0x08
export const IFA_F_HOMEADDRESS = 0x10
export const IFA_F_DEPRECATED = 0x20
export const IFA_F_TENTATIVE = 0x40
export const IFA_F_PERMANENT = 0x80
export const IFA_F_MANAGETEMPADDR = 0x100
export const IFA_F_NOPREFIXROUTE = 0x200
export const IFA_F_MCAUTOJOIN = 0x400
export const IFA_F_STABLE_PRIVACY = 0x800

export const INFINITE_S = 0xffffffff

export class Address6 {
  readonly link: Link6
  readonly address: Ipv6Address
  /** The other end's on a point-to-point link. */
  peer: Ipv6Address | undefined
  prefix: number
  /** RT_SCOPE_*. */
  readonly scope: number
  flags: number
  validS = INFINITE_S
  preferredS = INFINITE_S
  /** When the lifetimes were set, and when it was made: virtual ns. */
  stampNs: number
  readonly createdNs: number
  /** IFA_RT_PRIORITY; 0: none. */
  metric = 0
  /** IFAPROT_*: shown by newer tools. */
  protocol = 0
  dadState: 'PREDAD' | 'DAD' | 'POSTDAD' | 'ERRDAD' | 'DEAD' = 'PREDAD'
  dadProbes = 0
  /** Six bytes of chance, by which one's own solicitation is known when it comes back. RFC 7527. */
  dadNonce: number | undefined = undefined
  readonly work: Work
  /** Its route in the local table, once it is there. */
  route: Fib6Route | undefined = undefined

  constructor(link: Link6, address: Ipv6Address, prefix: number, scope: number, flags: number) {
    this.link = link
    this.address = address
    this.prefix = prefix
    this.scope = scope
    this.flags = flags
    this.stampNs = this.createdNs = link.device.host.sim.nowNs
    this.work = new Work(link.device.host, 'duplicate address detection', () => link.state.dad.work(this))
  }

  get tentative(): boolean {
    return (this.flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) === IFA_F_TENTATIVE
  }
}

/** A multicast group that a device listens to. Linux: struct ifmcaddr6. */
export interface Group6 {
  readonly address: Ipv6Address
  users: number
  /** MAF_*: 1 timer running, 2 last reporter, 4 loaded, 8 no report, 0x10 getsrc. */
  flags: number
  /** How many reports of its change are still to be sent. */
  changes: number
  /** When a query about it is answered: ns; Infinity: nobody has asked. */
  answerNs: number
}

const NO_ADDRESSES: Address6[] = []
Object.freeze(NO_ADDRESSES)

export class Link6 implements NeighbourLink {
  readonly device: NetDevice
  readonly state: State6
  conf: Conf6
  parms: NeighbourParms
  reachable = 0
  reachableDraw = -1
  neighbours: Map<number, Neighbour> | undefined = undefined
  lastNeighbour: Neighbour | undefined = undefined
  proxyQueued = 0
  /** The widest scope first, the newest first. */
  addresses: Address6[] = NO_ADDRESSES
  /** The newest first. */
  groups: Group6[] = []
  /** Groups that were left, while reports of that are still to be sent. */
  left: Group6[] = []
  /** Subnet routers' anycast addresses. */
  anycasts: { address: Ipv6Address; users: number; route: Fib6Route | undefined }[] = []
  /** IF_READY: the link was up once, and addresses were made. */
  ready = false
  /** IF_RA_MANAGED, IF_RA_OTHERCONF, IF_RA_RCVD, IF_RS_SENT. */
  raManaged = false
  raOther = false
  raReceived = false
  rsSent = false
  rsProbes = 0
  /** Jiffies. */
  rsInterval = 0
  readonly rsTimer: Work
  /** What `ip token` set, or undefined. */
  token: Ipv6Address | undefined = undefined
  /** The MTU that IPv6 has here; an advertisement may have said a smaller one. */
  mtu6: number
  raMtu = 0
  /** Multicast listener discovery: robustness, and what is still to be sent. */
  mldRobustness = 2
  mldChanges = 0
  mldInitial = 0
  readonly mldChange: Work
  readonly mldInitialWork: Work
  readonly mldAnswer: Work
  /** When a general query is answered; Infinity: nobody has asked. */
  mldAnswerNs = Number.POSITIVE_INFINITY
  /** Until then a router speaks version 1. */
  mldV1UntilNs = 0

  constructor(device: NetDevice, state: State6) {
    this.device = device
    this.state = state
    this.conf = state.confDefault
    this.parms = state.nd.parms
    this.mtu6 = device.mtu
    const { host } = device
    this.rsTimer = new Work(host, 'router solicitation', () => state.dad.solicitAgain(this))
    this.mldChange = new Work(host, 'mld changes', () => reportChanges(this))
    this.mldInitialWork = new Work(host, 'mld after dad', () => reportInitial(this))
    this.mldAnswer = new Work(host, 'mld answer', () => answerQueries(this))
  }
}

/** What IPv6 keeps for a device; undefined if it isn't there. */
export function link6(device: NetDevice): Link6 | undefined {
  return device.inet6 as Link6 | undefined
}

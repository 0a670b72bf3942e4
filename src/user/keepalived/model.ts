/** What keepalived keeps: the configuration of the whole, and virtual routers with their state. keepalived 2.2.7 include/vrrp.h */
import { formatIpv4, formatIpv6, type Ipv6Address, parseIpv4, parseIpv6 } from '#wire/inet'
import type { Nic } from './interfaces.ts'
import { SECOND_US } from './numbers.ts'
import type { Script } from './scripts.ts'

/** An IPv4 or an IPv6 address. */
export type Address = number | Ipv6Address

export function isIpv6(address: Address): address is Ipv6Address {
  return typeof address !== 'number'
}

export function parseAddressOf(text: string): Address | undefined {
  return parseIpv4(text) ?? parseIpv6(text)
}

export function showAddress(address: Address): string {
  return isIpv6(address) ? formatIpv6(address) : formatIpv4(address)
}

/** global_defs, and what stands outside all blocks. */
export class GlobalConfig {
  routerId: string | undefined
  dynamicInterfaces = false
  instanceName: string | undefined
  defaultInterface: string | undefined
  mcast4 = 0xe000_0012
  mcast6 = parseIpv6('ff02::12')!
  garpRepeat = 5
  garpRefreshS = 0
  garpRefreshRepeat = 1
  garpDelayUs = 5 * SECOND_US
  garpLowerDelayUs: number | undefined
  garpLowerRepeat: number | undefined
  garpIntervalUs = 0
  gnaIntervalUs = 0
  downTimerAdverts = 3
  lowerPrioNoAdvert = false
  higherPrioSendAdvert = false
  version = 2
  checkUnicastSource = false
  skipCheckAdvertAddress = false
  strict = false
  startupDelayUs = 0
  logUnknownVrids = false
  notifyPriorityChanges = false
  maxAutoPriority = 0
  scriptSecurity = false
  scriptUser: { known: boolean } | undefined
  processName: string | undefined
  vrrpProcessName: string | undefined
  checkerProcessName: string | undefined
  emails: string[] = []
  emailFrom: string | undefined
  smtpServer: string | undefined
  smtpAlert: boolean | undefined
  smtpAlertVrrp: boolean | undefined
  smtpAlertChecker: boolean | undefined
  noEmailFaults = false
  noCheckerEmails = false
  checkerLogAllFailures = false
  notifyFifo: { name?: string; script?: Script | undefined } = {}
  vrrpNotifyFifo: { name?: string; script?: Script | undefined } = {}
  lvsNotifyFifo: { name?: string; script?: Script | undefined } = {}
  startupScript: Script | undefined
  shutdownScript: Script | undefined
  childWaitS = 5
  lvsTimeouts: { tcp: number; fin: number; udp: number } | undefined
  lvsFlush = false
  lvsFlushOnStop: 'no' | 'full' | 'vs' = 'no'
  lvsSync: LvsSync | undefined
  rsInitNotifies = false
  haveVrrp = false
  haveChecker = false
}

/** lvs_sync_daemon. */
export interface LvsSync {
  interface: string
  instance?: string
  id?: number
  maxLength?: number
  port?: number
  ttl?: number
  group?: Address
}

/** An address to put on an interface. */
export interface VirtualAddress {
  address: Address
  prefix: number
  nic: Nic | undefined
  scope: number
  broadcast: number
  label: string | undefined
  peer: Address | undefined
  /** IFA_F_*, and which of them were said. */
  flags: number
  noDad: boolean
  dontTrack: boolean
  preferredS: number
  /** keepalived has put it there. */
  set: boolean
  /** A gratuitous ARP waits for its turn. */
  pending: boolean
}

export interface VirtualRoute {
  dst: Address
  prefix: number
  gateway: Address | undefined
  source: Address | undefined
  nic: Nic | undefined
  metric: number | undefined
  table: number | undefined
  scope: number | undefined
  dontTrack: boolean
  set: boolean
  text: string
}

export type State = 'INIT' | 'BACKUP' | 'MASTER' | 'FAULT' | 'STOP' | 'DELETED'

/** vrrp_script. */
export interface VrrpScript {
  name: string
  script: Script | undefined
  intervalUs: number
  timeoutUs: number
  weight: number
  reverse: boolean
  rise: number
  fall: number
  insecure: boolean
  /** How its result is to be taken while it hasn't ended yet. */
  init: 'INIT' | 'INIT_RELOAD' | 'FAILED' | 'DONE'
  running: 'IDLE' | 'RUNNING' | 'TERM' | 'KILL'
  result: number
  lastStatus: number
  tracking: TrackedBy[]
}

/** Who looks at an interface or a script. A weight of 0 takes the router down. */
export interface TrackedBy {
  router: VirtualRouter
  weight: number
  /** 1, or -1 for `reverse`. */
  multiplier: number
  /** Only there so that the interface counts as looked at. */
  ignored?: boolean
}

export interface TrackedInterface {
  nic: Nic
  weight: number
  reverse: boolean
}

export interface TrackedScript {
  script: VrrpScript
  weight: number
  reverse: boolean
}

export interface NotifyScripts {
  backup?: Script | undefined
  master?: Script | undefined
  fault?: Script | undefined
  stop?: Script | undefined
  deleted?: Script | undefined
  masterRxLowerPri?: Script | undefined
  any?: Script | undefined
}

export interface SyncGroup {
  name: string
  /** Names, until they are looked up. */
  named: string[] | undefined
  members: VirtualRouter[]
  state: State
  faulty: number
  starting: number
  trackingWeight: boolean
  interfaces: TrackedInterface[]
  scripts: TrackedScript[]
  notify: NotifyScripts
  smtpAlert: boolean | undefined
  notifyPriorityChanges: boolean | undefined
  sameAtReload: boolean
}

export interface UnicastPeer {
  address: Address
  leastTtl: number
  mostTtl: number
}

/** A vrrp_instance. */
export class VirtualRouter {
  readonly name: string
  family: 4 | 6 | undefined
  version = 0
  nic: Nic | undefined
  sync: SyncGroup | undefined
  strict: boolean | undefined
  noPreempt = false
  unicastConfigured = false
  unicast = false
  unicastFaultNoPeer = false
  checkUnicastSource = false
  skipCheckAdvertAddress: boolean
  dontTrackPrimary = false
  trackSource = false
  sourceConfigured = false
  promoteSecondaries = false
  duplicateVrid = false
  interfaces: TrackedInterface[] = []
  scripts: TrackedScript[] = []
  peers: UnicastPeer[] = []
  source: Address | undefined
  group: Address | undefined
  ttl = -1
  authType: 'NONE' | 'PASS' | 'AH' = 'NONE'
  authData = new Uint8Array(8)
  vrid = 0
  basePriority = 0
  effectivePriority = 0
  totalPriority = 0
  advertUs = 0
  masterAdvertUs = 0
  accept: boolean | undefined
  preemptDelayUs = 0
  debug = 0
  garpDelayUs: number
  garpRefreshS: number
  garpRepeat: number
  garpRefreshRepeat: number
  garpLowerDelayUs: number | undefined
  garpLowerRepeat: number | undefined
  downTimerAdverts: number
  lowerPrioNoAdvert: boolean | undefined
  higherPrioSendAdvert: boolean | undefined
  addresses: VirtualAddress[] = []
  excluded: VirtualAddress[] = []
  routes: VirtualRoute[] = []
  notify: NotifyScripts = {}
  notifyDeleted = false
  smtpAlert: boolean | undefined
  notifyPriorityChanges: boolean | undefined
  kernelRxBuffer = 0

  // State.
  wanted: State = 'INIT'
  configuredState: State = 'INIT'
  state: State = 'INIT'
  configFaults = 0
  faults = 0
  startingScripts = 0
  notified = false
  addressesSet = false
  reloadMaster = false
  downUs = 0
  /** When its timer fires, on the monotonic clock; Infinity: never. */
  dueNs = Number.POSITIVE_INFINITY
  preemptNs = 0
  refreshNs = 0
  garpPending = false
  gnaPending = false
  masterSource: Address | undefined
  masterPriority = 0
  packetSource: Address | undefined
  packetTtl = -1
  packetMulticast = false
  lastTransition = { s: 0, ns: 0 }
  ipId = 0
  stats = {
    advertsReceived: 0,
    advertsSent: 0,
    becomeMaster: 0,
    releaseMaster: 0,
    lengthErrors: 0,
    intervalErrors: 0,
    ttlErrors: 0,
    typeErrors: 0,
    addressErrors: 0,
    authInvalid: 0,
    authMismatch: 0,
    authFailure: 0,
    zeroReceived: 0,
    zeroSent: 0,
  }

  constructor(name: string, global: GlobalConfig) {
    this.name = name
    this.garpDelayUs = global.garpDelayUs
    this.garpRefreshS = global.garpRefreshS
    this.garpRepeat = global.garpRepeat
    this.garpRefreshRepeat = global.garpRefreshRepeat
    this.downTimerAdverts = global.downTimerAdverts
    this.skipCheckAdvertAddress = global.skipCheckAdvertAddress
  }

  /** How much later than the others it takes over. RFC 3768 section 6.1; RFC 5798 section 6.1 */
  skewOf(steps: number): number {
    if (this.version === 3) return Math.floor((steps * Math.floor(this.masterAdvertUs / 10_000) * 625) / 16)
    return Math.floor((steps * SECOND_US) / 256)
  }

  get skewUs(): number {
    return this.skewOf(256 - this.effectivePriority)
  }

  /** How long nothing has to be heard of a master until he is taken for dead. */
  get masterDownUs(): number {
    return this.downTimerAdverts * this.masterAdvertUs + this.skewUs
  }
}

/** What the VRRP process reads. */
export class VrrpConfig {
  routers: VirtualRouter[] = []
  groups: SyncGroup[] = []
  scripts: VrrpScript[] = []
  staticAddresses: VirtualAddress[] = []
  staticRoutes: VirtualRoute[] = []
}

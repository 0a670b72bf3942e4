/**
 * A bridge and its ports: what they keep. What they do is in `input.ts` and `output.ts` (frames), `stp.ts` (which ports may
 * forward), `fdb.ts` (who is where) and `vlan.ts`.
 *
 * Linux 6.1 net/bridge/br_private.h: struct net_bridge, struct net_bridge_port.
 */
import { HZ, type NetDevice, WheelTimer } from '#kernel/net'
import { Fdb } from './fdb.ts'
import { VlanGroup } from './vlan.ts'

// BR_STATE_*. Linux 6.1 include/uapi/linux/if_bridge.h.
export const DISABLED = 0
export const LISTENING = 1
export const LEARNING = 2
export const FORWARDING = 3
export const BLOCKING = 4
export const STATE_NAMES = ['disabled', 'listening', 'learning', 'forwarding', 'blocking']

// Flags of a port. Linux 6.1 include/linux/if_bridge.h: BR_*.
export const BR_HAIRPIN_MODE = 1 << 0
export const BR_BPDU_GUARD = 1 << 1
export const BR_ROOT_BLOCK = 1 << 2
export const BR_MULTICAST_FAST_LEAVE = 1 << 3
export const BR_ADMIN_COST = 1 << 4
export const BR_LEARNING = 1 << 5
export const BR_FLOOD = 1 << 6
export const BR_PROMISC = 1 << 7
export const BR_PROXYARP = 1 << 8
export const BR_PROXYARP_WIFI = 1 << 10
export const BR_MCAST_FLOOD = 1 << 11
export const BR_MULTICAST_TO_UNICAST = 1 << 12
export const BR_VLAN_TUNNEL = 1 << 13
export const BR_BCAST_FLOOD = 1 << 14
export const BR_NEIGH_SUPPRESS = 1 << 15
export const BR_ISOLATED = 1 << 16
export const BR_PORT_LOCKED = 1 << 17

/** 01:80:c2:00:00:00, where BPDUs go. */
export const GROUP_ADDRESS = 0x0180c2000000

/** Who a bridge is to the others: the smaller is the better. IEEE 802.1D. */
export interface BridgeId {
  readonly priority: number
  readonly mac: number
}

/** Below 0 if `a` is the better. */
export function compareIds(a: BridgeId, b: BridgeId): number {
  return a.priority - b.priority || a.mac - b.mac
}

/** `8000.020000000100`, as sysfs and `ip` write it. */
export function formatBridgeId({ priority, mac }: BridgeId): string {
  return `${priority.toString(16).padStart(4, '0')}.${mac.toString(16).padStart(12, '0')}`
}

export class BridgePort {
  readonly bridge: Bridge
  readonly device: NetDevice
  readonly number: number
  flags = BR_LEARNING | BR_FLOOD | BR_MCAST_FLOOD | BR_BCAST_FLOOD
  state = DISABLED
  /** 0 to 63. */
  priority = 0x8000 >> 10
  pathCost: number
  portId: number
  /** What is known of the segment's designated bridge. */
  designatedRoot: BridgeId
  designatedCost = 0
  designatedBridge: BridgeId
  designatedPort = 0
  /** Jiffies at which what is known of the root was new. */
  designatedAge = 0
  topologyChangeAck = false
  configPending = false
  groupForwardMask = 0
  multicastRouter = 1
  readonly forwardDelayTimer: WheelTimer
  readonly messageAgeTimer: WheelTimer
  readonly holdTimer: WheelTimer
  readonly vlans = new VlanGroup()
  /** Where frames for it go while it has no carrier. */
  backup: BridgePort | undefined = undefined

  constructor(
    bridge: Bridge,
    device: NetDevice,
    number: number,
    pathCost: number,
    fire: (port: BridgePort, timer: 'forwardDelay' | 'messageAge' | 'hold') => void,
  ) {
    this.bridge = bridge
    this.device = device
    this.number = number
    this.pathCost = pathCost
    this.portId = portId(this.priority, number)
    this.designatedRoot = bridge.designatedRoot
    this.designatedBridge = bridge.id
    const name = `${device.host.name}: ${device.name}`
    this.forwardDelayTimer = new WheelTimer(device.host, `${name}: forward delay`, () => fire(this, 'forwardDelay'))
    this.messageAgeTimer = new WheelTimer(device.host, `${name}: message age`, () => fire(this, 'messageAge'))
    this.holdTimer = new WheelTimer(device.host, `${name}: hold`, () => fire(this, 'hold'))
  }
}

/** Six bits of priority, ten of the number. br_make_port_id() */
export function portId(priority: number, number: number): number {
  return ((priority << 10) | (number & 0x3ff)) & 0xffff
}

export class Bridge {
  readonly device: NetDevice
  /** The newest first, which is the order of flooding. */
  ports: BridgePort[] = []
  readonly fdb: Fdb
  readonly vlans = new VlanGroup()
  id: BridgeId
  designatedRoot: BridgeId
  rootPathCost = 0
  /** The root port's number; 0: it is the root itself. */
  rootPort = 0
  stp = false
  groupAddress = GROUP_ADDRESS
  groupAddressSet = false
  groupForwardMask = 0
  /** What counts now, in jiffies; the root's values if that is another. */
  maxAge = 20 * HZ
  helloTime = 2 * HZ
  forwardDelay = 15 * HZ
  ageingTime = 300 * HZ
  bridgeMaxAge = 20 * HZ
  bridgeHelloTime = 2 * HZ
  bridgeForwardDelay = 15 * HZ
  bridgeAgeingTime = 300 * HZ
  topologyChange = false
  topologyChangeDetected = false
  readonly helloTimer: WheelTimer
  readonly tcnTimer: WheelTimer
  readonly topologyChangeTimer: WheelTimer
  readonly gcTimer: WheelTimer
  vlanFiltering = false
  vlanStats = false
  vlanStatsPerPort = false
  defaultPvid = 1
  noLinkLocalLearn = false
  mtuSetByUser = false
  multicastSnooping = true
  multicastRouter = 1
  multicastQuerier = false
  multicastQueryUseIfaddr = false
  multicastStats = false
  igmpVersion = 2
  mldVersion = 1
  hashMax = 4096
  /** Counts and, in hundredths of a second, intervals of the querier; shown, not used. */
  readonly multicast: Record<string, number> = {
    lastMemberCount: 2,
    startupQueryCount: 2,
    lastMemberInterval: 100,
    membershipInterval: 26000,
    querierInterval: 25500,
    queryInterval: 12500,
    queryResponseInterval: 1000,
    startupQueryInterval: 3125,
  }
  nfCallIptables = false
  nfCallIp6tables = false
  nfCallArptables = false

  constructor(device: NetDevice, fire: (bridge: Bridge, timer: 'hello' | 'tcn' | 'topologyChange') => void) {
    this.device = device
    this.id = { priority: 0x8000, mac: 0 }
    this.designatedRoot = this.id
    this.fdb = new Fdb(this)
    const { host } = device
    this.helloTimer = new WheelTimer(host, `${host.name}: hello`, () => fire(this, 'hello'))
    this.tcnTimer = new WheelTimer(host, `${host.name}: tcn`, () => fire(this, 'tcn'))
    this.topologyChangeTimer = new WheelTimer(host, `${host.name}: topology change`, () => fire(this, 'topologyChange'))
    this.gcTimer = new WheelTimer(host, `${host.name}: bridge fdb cleanup`, () => this.fdb.cleanup())
  }

  get isRoot(): boolean {
    return compareIds(this.id, this.designatedRoot) === 0
  }

  /** How long a learned address is kept: shorter while the topology changes. hold_time() */
  get holdTime(): number {
    return this.topologyChange ? this.forwardDelay : this.ageingTime
  }

  port(number: number): BridgePort | undefined {
    return this.ports.find((port) => port.number === number)
  }

  log(level: number, text: string): void {
    this.device.host.log(level, `${this.device.name}: ${text}`)
  }
}

/** The bridge of a device that is one. */
export function bridgeOf(device: NetDevice): Bridge | undefined {
  return device.priv instanceof Bridge ? device.priv : undefined
}

/** The port that a device is. */
export function portOf(device: NetDevice): BridgePort | undefined {
  return device.port instanceof BridgePort ? device.port : undefined
}

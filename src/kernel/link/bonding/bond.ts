/**
 * A bond: several devices that look like one. What it and its slaves keep, and which slave sends what.
 *
 * Linux 6.1 drivers/net/bonding/bond_main.c: bond_start_xmit(), bond_xmit_hash(); include/net/bonding.h: struct bonding.
 */
import { IFF_UP, jiffiesOf, type NetDevice, WheelTimer } from '#kernel/net'
import { frameLength, type Packet } from '#wire/inet'
import { xmitHash } from './hash.ts'
import type { LacpPort, LacpState } from './lacp.ts'

export const MODES = [
  'balance-rr',
  'active-backup',
  'balance-xor',
  'broadcast',
  '802.3ad',
  'balance-tlb',
  'balance-alb',
] as const
export type Mode = (typeof MODES)[number]

export const POLICIES = ['layer2', 'layer3+4', 'layer2+3', 'encap2+3', 'encap3+4', 'vlan+srcmac'] as const
export type Policy = (typeof POLICIES)[number]

/** BOND_LINK_*. */
export type LinkState = 'up' | 'fail' | 'down' | 'back'

export class Slave {
  readonly bond: Bond
  readonly device: NetDevice
  link: LinkState = 'down'
  /** What the monitor has found and not yet acted on. */
  proposed: LinkState | undefined = undefined
  /** Not a backup. */
  active = false
  /** What it receives is nobody's. */
  inactive = false
  /** Rounds that the link state still waits. */
  delay = 0
  failures = 0
  readonly permanentAddress: number
  readonly originalMtu: number
  speed = -1
  duplex: 'full' | 'half' | 'unknown' = 'unknown'
  queueId = 0
  priority = 0
  /** Jiffies. */
  lastLinkUp = 0
  lastRx = 0
  lastTx = 0
  lacp: LacpPort | undefined = undefined

  constructor(bond: Bond, device: NetDevice) {
    this.bond = bond
    this.device = device
    this.permanentAddress = device.address
    this.originalMtu = device.mtu
  }

  /** bond_slave_is_up() */
  get isUp(): boolean {
    return this.device.running && this.device.carrier
  }

  /** bond_slave_can_tx() */
  get canTransmit(): boolean {
    return this.isUp && this.link === 'up' && this.active
  }

  /** Lines of the kernel's log that are about this slave. */
  log(level: number, text: string): void {
    this.bond.log(level, `(slave ${this.device.name}): ${text}`)
  }
}

export class Bond {
  readonly device: NetDevice
  slaves: Slave[] = []
  mode: Mode = 'balance-rr'
  /** Milliseconds. */
  miimon = 0
  /** In rounds of miimon. */
  updelay = 0
  downdelay = 0
  peerNotifyDelay = 0
  useCarrier = 1
  arpInterval = 0
  arpMissedMax = 2
  arpTargets: number[] = []
  arpAllTargets: 'any' | 'all' = 'any'
  /** Shown as given. */
  primaryName = ''
  primary: Slave | undefined = undefined
  forcePrimary = false
  primaryReselect: 'always' | 'better' | 'failure' = 'always'
  failOverMac: 'none' | 'active' | 'follow' = 'none'
  policy: Policy = 'layer2'
  resendIgmp = 1
  peerNotifications = 1
  allSlavesActive = 0
  minLinks = 0
  lpInterval = 1
  packetsPerSlave = 1
  lacpActive = true
  lacpFast = false
  adSelect: 'stable' | 'bandwidth' | 'count' = 'stable'
  adActorSystemPriority = 65535
  adUserPortKey = 0
  adActorSystem = 0
  tlbDynamic = 1
  current: Slave | undefined = undefined
  /** The one that the ARP monitor tries while none is active. */
  arpCandidate: Slave | undefined = undefined
  /** Gratuitous ARPs still to be sent. */
  notificationsLeft = 0
  lacp: LacpState | undefined = undefined
  #counter = 0
  readonly miiTimer: WheelTimer
  readonly arpTimer: WheelTimer
  readonly adTimer: WheelTimer
  unregistering = false

  constructor(device: NetDevice, fire: (bond: Bond, timer: 'mii' | 'arp' | 'ad') => void) {
    this.device = device
    const { host } = device
    this.miiTimer = new WheelTimer(host, `${host.name}: bond mii monitor`, () => fire(this, 'mii'))
    this.arpTimer = new WheelTimer(host, `${host.name}: bond arp monitor`, () => fire(this, 'arp'))
    this.adTimer = new WheelTimer(host, `${host.name}: bond lacp`, () => fire(this, 'ad'))
  }

  get now(): number {
    return jiffiesOf(this.device.host)
  }

  get up(): boolean {
    return (this.device.flags & IFF_UP) !== 0
  }

  get usesPrimary(): boolean {
    return this.mode === 'active-backup' || this.mode === 'balance-tlb' || this.mode === 'balance-alb'
  }

  get usesHash(): boolean {
    return this.mode === 'balance-xor' || this.mode === '802.3ad'
  }

  log(level: number, text: string): void {
    const state = this.unregistering ? ' (unregistering)' : this.device.registered ? '' : ' (uninitialized)'
    this.device.host.log(level, `${this.device.name}${state}: ${text}`)
  }

  /** Those that a frame may leave by in the modes that hash. bond_update_slave_arr() */
  get usable(): Slave[] {
    const able = this.slaves.filter((slave) => slave.canTransmit)
    if (this.mode !== '802.3ad') return able
    return able.filter((slave) => slave.lacp?.aggregator?.active === true)
  }

  /** Whether the active aggregator has links enough. bond_3ad_set_carrier() */
  get aggregates(): boolean {
    const active = this.slaves.find(({ lacp }) => lacp?.own.active)?.lacp?.own
    return active !== undefined && active.enabledPorts >= this.minLinks
  }

  /** bond_start_xmit() */
  transmit(packet: Packet): void {
    const slave = this.#choose(packet)
    if (this.mode === 'broadcast') this.#broadcast(packet)
    else if (slave === undefined) this.device.stats.txDropped++
    else this.send(slave, packet)
  }

  send(slave: Slave, packet: Packet): void {
    this.device.countTx(frameLength(packet))
    slave.device.transmit(packet)
  }

  #choose(packet: Packet): Slave | undefined {
    switch (this.mode) {
      case 'active-backup':
        return this.current
      case 'balance-rr':
        return this.#roundRobin()
      case 'broadcast':
        return undefined
      default: {
        const { usable } = this
        return usable.length === 0 ? undefined : usable[xmitHash(packet, this.policy) % usable.length]
      }
    }
  }

  /** bond_xmit_roundrobin_slave_get(), bond_get_slave_by_id() */
  #roundRobin(): Slave | undefined {
    const { length } = this.slaves
    if (length === 0) return undefined
    const turn = ++this.#counter
    const each = this.packetsPerSlave
    const first = (each === 0 ? this.device.host.sim.random('bonding').below(length) : Math.floor(turn / each)) % length
    for (let i = 0; i < length; i++) {
      const slave = this.slaves[(first + i) % length]!
      if (slave.canTransmit) return slave
    }
    return undefined
  }

  /** bond_xmit_broadcast() */
  #broadcast(packet: Packet): void {
    const able = this.slaves.filter((slave) => slave.isUp && slave.link === 'up')
    if (able.length === 0) this.device.stats.txDropped++
    able.forEach((slave, i) => {
      this.send(slave, i === able.length - 1 ? packet : packet.clone())
    })
  }
}

export function bondOf(device: NetDevice): Bond | undefined {
  return device.priv instanceof Bond ? device.priv : undefined
}

export function slaveOf(device: NetDevice): Slave | undefined {
  return device.port instanceof Slave ? device.port : undefined
}

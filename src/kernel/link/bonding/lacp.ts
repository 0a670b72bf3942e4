/**
 * The Link Aggregation Control Protocol: both ends of each link say who they are, and links to the same partner become one.
 *
 * Linux 6.1 drivers/net/bonding/bond_3ad.c; IEEE 802.3-2008, 43.4. The state machines run every 100 ms, each port's in turn.
 */
import { Packet, RAW_ETHERNET_PAYLOAD } from '#wire/inet'
import { setActive, setCarrier, setInactive } from './active.ts'
import type { Bond, Slave } from './bond.ts'
import { ETH_P_SLOW, emitLacpdu, type Lacpdu, parseLacpdu, SLOW_PROTOCOLS } from './lacpdu.ts'

const ACTIVITY = 1
const TIMEOUT = 2
const AGGREGATION = 4
const SYNCHRONIZATION = 8
const COLLECTING = 16
const DISTRIBUTING = 32
const DEFAULTED = 64
const EXPIRED = 128

const TICKS_PER_SECOND = 10
const FAST_PERIODIC = TICKS_PER_SECOND
const SLOW_PERIODIC = 30 * TICKS_PER_SECOND
const SHORT_TIMEOUT = 3 * TICKS_PER_SECOND
const LONG_TIMEOUT = 90 * TICKS_PER_SECOND
const AGGREGATE_WAIT = 2 * TICKS_PER_SECOND
const CHURN_DETECTION = 60 * TICKS_PER_SECOND
/** Three frames a second at most. */
const TRANSMIT_TICKS = 3
const SELECTION_SECONDS = 8

/** Ticks of the bond's timer. Linux: ad_delta_in_ticks. */
export const AD_JIFFIES = 25

const SPEED_CODES = [1, 10, 100, 1000, 2500, 5000, 10_000, 14_000, 20_000, 25_000, 40_000, 50_000, 56_000, 100_000]

/** Who a partner is, as it says. */
interface Partner {
  systemPriority: number
  system: number
  key: number
  portPriority: number
  port: number
  state: number
}

const NOBODY: Partner = { systemPriority: 0xffff, system: 0, key: 1, portPriority: 0xff, port: 1, state: 0 }

export class Aggregator {
  readonly id: number
  active = false
  individual = false
  actorKey = 0
  partner = 0
  partnerPriority = 0
  partnerKey = 0
  /** The one that joined last comes first. */
  ports: LacpPort[] = []

  constructor(id: number) {
    this.id = id
  }

  get hasPartner(): boolean {
    return this.partner !== 0
  }

  get enabledPorts(): number {
    return this.ports.filter((port) => port.enabled).length
  }

  get bandwidth(): number {
    const code = this.ports[0] === undefined ? 0 : speedCode(this.ports[0].slave)
    return this.enabledPorts * (SPEED_CODES[code - 1] ?? 0)
  }

  get up(): boolean {
    return this.ports.some((port) => port.slave.isUp)
  }

  /** ad_clear_agg() */
  clear(): void {
    this.active = false
    this.individual = false
    this.actorKey = 0
    this.partner = 0
    this.partnerPriority = 0
    this.partnerKey = 0
    this.ports = []
  }
}

export class LacpPort {
  readonly slave: Slave
  readonly number: number
  /** The aggregator that comes with the port; others may be in it. */
  readonly own: Aggregator
  aggregator: Aggregator | undefined = undefined
  enabled = true
  key = 0
  readonly priority = 0xff
  state = AGGREGATION
  partner: Partner = { ...NOBODY }
  begin = true
  lacpEnabled = true
  selected = false
  matched = false
  readyToAttach = false
  churned = false
  receive: 'disabled' | 'expired' | 'defaulted' | 'current' | 'lacp disabled' | 'none' = 'none'
  receiveTimer = 0
  periodic: 'none' | 'fast' | 'slow' | 'transmit' = 'none'
  periodicTimer = 0
  mux: 'none' | 'detached' | 'waiting' | 'attached' | 'working' = 'none'
  muxTimer = 0
  /** Something is to be said. */
  pending = false
  transmitTimer = TRANSMIT_TICKS
  actorChurn: 'monitoring' | 'churned' | 'none' = 'monitoring'
  partnerChurn: 'monitoring' | 'churned' | 'none' = 'monitoring'
  actorChurnTimer = 0
  partnerChurnTimer = 0
  actorChurns = 0
  partnerChurns = 0

  constructor(slave: Slave, number: number, own: Aggregator) {
    this.slave = slave
    this.number = number
    this.own = own
    if (slave.bond.lacpActive) this.state |= ACTIVITY
    if (slave.bond.lacpFast) this.state |= TIMEOUT
  }

  set(bits: number): void {
    this.state |= bits
  }

  unset(bits: number): void {
    this.state &= ~bits
  }

  /** __enable_port() */
  enable(): void {
    if (this.slave.link === 'up' && this.slave.isUp) setActive(this.slave)
  }

  disable(): void {
    setInactive(this.slave)
  }
}

export class LacpState {
  systemPriority: number
  system: number
  lastAggregator = 0
  /** Ticks until the active aggregator is chosen for the first time. */
  selectionTimer = SELECTION_SECONDS * TICKS_PER_SECOND

  constructor(bond: Bond) {
    this.systemPriority = bond.adActorSystemPriority
    this.system = bond.adActorSystem || bond.device.address
  }
}

function ports(bond: Bond): LacpPort[] {
  return bond.slaves.flatMap(({ lacp }) => (lacp === undefined ? [] : [lacp]))
}

function activeOwn(bond: Bond): Aggregator | undefined {
  return ports(bond).find(({ own }) => own.active)?.own
}

/** The aggregator that frames leave by. __bond_3ad_get_active_agg_info() */
export function activeAggregator(bond: Bond): Aggregator | undefined {
  return ports(bond).find(({ aggregator }) => aggregator?.active)?.aggregator
}

function speedCode(slave: Slave): number {
  return slave.link === 'up' ? SPEED_CODES.indexOf(slave.speed) + 1 : 0
}

/** ad_update_actor_keys() */
function updateKey(port: LacpPort, reset: boolean): void {
  const { slave } = port
  const former = port.key
  const speed = reset ? 0 : speedCode(slave)
  const duplex = !reset && slave.link === 'up' && slave.duplex === 'full' ? 1 : 0
  port.key = (slave.bond.adUserPortKey << 6) | (speed << 1) | duplex
  if (port.key === former) return
  port.lacpEnabled = duplex === 1
  if (reset) return
  if (speed === 0) slave.log(3, `speed changed to 0 on port ${port.number}`)
  else if (duplex && (former & 0x3e) >> 1 !== speed) port.begin = true
}

/** bond_3ad_bind_slave() */
export function bindLacp(bond: Bond, slave: Slave): void {
  const before = bond.slaves.at(-2)?.lacp
  if (before === undefined || bond.lacp === undefined) bond.lacp = new LacpState(bond)
  const port = new LacpPort(slave, (before?.number ?? 0) + 1, new Aggregator(++bond.lacp.lastAggregator))
  slave.lacp = port
  updateKey(port, false)
  port.disable()
}

/** A slave goes: it says so, and its aggregator's other ports move to another. bond_3ad_unbind_slave() */
export function unbindLacp(slave: Slave): void {
  const { bond, lacp: port } = slave
  if (port === undefined) return
  port.unset(SYNCHRONIZATION | COLLECTING | DISTRIBUTING | AGGREGATION)
  send(port)
  const { own } = port
  const others = own.ports.filter((each) => each !== port)
  const removing = () => slave.log(6, 'Removing an active aggregator')
  let choose = false
  if (others.length > 0) {
    const free = ports(bond).find((each) => each !== port && each.own.ports.every((inside) => inside === port))?.own
    if (free !== undefined) {
      Object.assign(free, { ...own, id: free.id, ports: own.ports })
      for (const each of own.ports) each.aggregator = free
      own.clear()
    }
  } else if (own.ports.length > 0) {
    choose = own.active
    own.clear()
    if (choose) removing()
  }
  slave.lacp = undefined
  for (const { own: left } of ports(bond)) {
    if (!left.ports.includes(port)) continue
    left.ports = left.ports.filter((each) => each !== port)
    if (left.enabledPorts > 0) continue
    const wasActive = left.active
    if (left.ports.length === 0) left.clear()
    if (wasActive) {
      choose = true
      removing()
    }
  }
  if (choose) selectAggregator(bond)
}

/** bond_3ad_handle_link_change() */
export function lacpLinkChange(slave: Slave, up: boolean): void {
  const port = slave.lacp
  if (port === undefined) return
  port.enabled = up
  updateKey(port, !up)
  selectAggregator(slave.bond)
}

/** ad_agg_selection_test() */
function better(best: Aggregator | undefined, next: Aggregator, select: Bond['adSelect']): Aggregator {
  if (best === undefined) return next
  if (next.individual !== best.individual) return next.individual ? best : next
  if (next.hasPartner !== best.hasPartner) return next.hasPartner ? next : best
  if (select === 'count' && next.enabledPorts !== best.enabledPorts) {
    return next.enabledPorts > best.enabledPorts ? next : best
  }
  return next.bandwidth > best.bandwidth ? next : best
}

/** ad_agg_selection_logic() */
function selectAggregator(bond: Bond): void {
  const active = activeOwn(bond)
  let best = active?.up ? active : undefined
  for (const { own } of ports(bond)) {
    own.active = false
    if (own.enabledPorts > 0 && own.up) best = better(best, own, bond.adSelect)
  }
  if (best !== undefined && active !== undefined) {
    const stays =
      bond.adSelect === 'stable' &&
      active.enabledPorts > 0 &&
      (active.hasPartner || !best.hasPartner) &&
      (active.actorKey !== 0 || best.actorKey === 0)
    if (stays || best === active) {
      best = undefined
      active.active = true
    }
  }
  if (best !== undefined) {
    if (best.individual) {
      bond.log(4, 'Warning: No 802.3ad response from the link partner for any adapters in the bond')
    }
    best.active = true
    for (const port of active?.ports ?? []) port.disable()
  }
  const now = activeOwn(bond)
  if (now !== undefined && !now.hasPartner) for (const port of now.ports) port.enable()
  setCarrier(bond)
}

/** What both ends say about the port that received the frame agrees. __choose_matched(), __update_ntt() */
function knowsUs(port: LacpPort, pdu: Lacpdu, bits: number): boolean {
  const { partner } = pdu
  const lacp = port.slave.bond.lacp!
  return (
    partner.port === port.number &&
    partner.portPriority === port.priority &&
    partner.system === lacp.system &&
    partner.systemPriority === lacp.systemPriority &&
    partner.key === port.key &&
    (partner.state & bits) === (port.state & bits)
  )
}

function same(a: Partner, b: Partner): boolean {
  return (
    a.port === b.port &&
    a.portPriority === b.portPriority &&
    a.system === b.system &&
    a.systemPriority === b.systemPriority &&
    a.key === b.key &&
    (a.state & AGGREGATION) === (b.state & AGGREGATION)
  )
}

function recordDefault(port: LacpPort): void {
  port.partner = { ...NOBODY }
  port.set(DEFAULTED)
}

/** ad_rx_machine(), a frame's part. */
function hear(port: LacpPort, pdu: Lacpdu): void {
  const { slave } = port
  if (port.begin || !port.enabled || port.receive === 'none' || port.receive === 'disabled') {
    receiveTick(port)
    return
  }
  if (port.receive === 'lacp disabled') return
  if (port.receive !== 'current') port.churned = true
  port.receiveTimer = 0
  port.receive = 'current'
  if (pdu.actor.system === slave.bond.lacp!.system) {
    slave.log(3, 'An illegal loopback occurred on slave')
    slave.bond.log(
      3,
      'Check the configuration to verify that all adapters are connected to 802.3ad compliant switch ports',
    )
    return
  }
  if (!same(pdu.actor, port.partner)) port.selected = false
  if (!knowsUs(port, pdu, ACTIVITY | TIMEOUT | SYNCHRONIZATION | AGGREGATION)) port.pending = true
  port.matched = knowsUs(port, pdu, AGGREGATION) || (pdu.actor.state & AGGREGATION) === 0
  port.partner = { ...pdu.actor }
  if (!port.matched) port.partner.state &= ~SYNCHRONIZATION
  port.unset(DEFAULTED)
  port.receiveTimer = port.state & TIMEOUT ? SHORT_TIMEOUT : LONG_TIMEOUT
  port.unset(EXPIRED)
}

/** ad_rx_machine() */
function receiveTick(port: LacpPort): void {
  const former = port.receive
  if (port.begin) {
    port.churned = true
    port.lacpEnabled = (port.key & 1) === 1
    port.selected = false
    recordDefault(port)
    port.unset(EXPIRED)
    port.receive = 'disabled'
    disabled(port)
    return
  }
  if (!port.enabled) port.receive = 'disabled'
  else if (port.receiveTimer !== 0 && --port.receiveTimer === 0) {
    if (port.receive === 'expired') port.receive = 'defaulted'
    else if (port.receive === 'current') port.receive = 'expired'
  } else if (port.receive === 'disabled') port.receive = port.lacpEnabled ? 'expired' : 'lacp disabled'
  if (port.receive === former) return
  switch (port.receive) {
    case 'disabled':
      disabled(port)
      break
    case 'lacp disabled':
      port.selected = false
      recordDefault(port)
      port.partner.state &= ~AGGREGATION
      port.matched = true
      port.unset(EXPIRED)
      break
    case 'expired':
      disabled(port)
      port.partner.state |= TIMEOUT
      port.receiveTimer = SHORT_TIMEOUT
      port.set(EXPIRED)
      port.churned = true
      break
    case 'defaulted':
      if (!same(NOBODY, port.partner)) port.selected = false
      recordDefault(port)
      port.matched = true
      port.unset(EXPIRED)
  }
}

function disabled(port: LacpPort): void {
  port.matched = false
  port.partner.state &= ~SYNCHRONIZATION
}

/** ad_periodic_machine() */
function periodicTick(port: LacpPort): void {
  const former = port.periodic
  const fast = (port.partner.state & TIMEOUT) !== 0
  const active = ((port.state | port.partner.state) & ACTIVITY) !== 0
  if (port.begin || !port.lacpEnabled || !port.enabled || !active) port.periodic = 'none'
  else if (port.periodicTimer !== 0) {
    if (--port.periodicTimer === 0) port.periodic = 'transmit'
    else if (port.periodic === 'fast' && !fast) port.periodic = 'slow'
    else if (port.periodic === 'slow' && fast) {
      port.periodicTimer = 0
      port.periodic = 'transmit'
    }
  } else if (port.periodic === 'none') port.periodic = 'fast'
  else if (port.periodic === 'transmit') port.periodic = fast ? 'fast' : 'slow'
  if (port.periodic === former) return
  if (port.periodic === 'transmit') port.pending = true
  else port.periodicTimer = { none: 0, fast: FAST_PERIODIC - 1, slow: SLOW_PERIODIC - 1 }[port.periodic]
}

/** ad_port_selection_logic() */
function chooseAggregator(port: LacpPort): void {
  if (port.selected) return
  const { bond } = port.slave
  const former = port.aggregator
  if (former !== undefined) {
    former.ports = former.ports.filter((each) => each !== port)
    if (former.ports.length === 0) former.clear()
    port.aggregator = undefined
  }
  const { partner } = port
  const all = ports(bond).map(({ own }) => own)
  const fits = (own: Aggregator) =>
    own.ports.length > 0 &&
    own.hasPartner &&
    !own.individual &&
    own.actorKey === port.key &&
    own.partner === partner.system &&
    own.partnerPriority === partner.systemPriority &&
    own.partnerKey === partner.key
  let chosen = all.find(fits)
  if (chosen !== undefined) chosen.ports.unshift(port)
  else {
    chosen = all.find((own) => own.ports.length === 0)
    if (chosen === undefined) {
      port.slave.log(3, `Port ${port.number} did not find a suitable aggregator`)
      return
    }
    chosen.individual = (port.key & 1) === 0
    chosen.actorKey = port.key
    chosen.partner = partner.system
    chosen.partnerPriority = partner.systemPriority
    chosen.partnerKey = partner.key
    chosen.ports = [port]
  }
  port.aggregator = chosen
  port.selected = true
  selectAggregator(bond)
  if (!chosen.active) port.unset(SYNCHRONIZATION)
}

/** ad_mux_machine() */
function muxTick(port: LacpPort): void {
  const former = port.mux
  const { aggregator } = port
  const inStep = (port.partner.state & SYNCHRONIZATION) !== 0
  if (port.begin || port.mux === 'none') port.mux = 'detached'
  else {
    switch (port.mux) {
      case 'detached':
        if (port.selected) port.mux = 'waiting'
        break
      case 'waiting':
        if (!port.selected) {
          port.readyToAttach = false
          port.mux = 'detached'
          break
        }
        if (port.muxTimer !== 0 && --port.muxTimer === 0) port.readyToAttach = true
        if (port.muxTimer === 0 && aggregator?.ports.every((each) => each.readyToAttach)) port.mux = 'attached'
        break
      case 'attached':
        if (port.selected && inStep && port.slave.bond.lacp!.selectionTimer === 0) {
          if (aggregator?.active) port.mux = 'working'
        } else if (!port.selected) {
          port.readyToAttach = false
          port.mux = 'detached'
        } else if (aggregator?.active) port.set(SYNCHRONIZATION)
        break
      case 'working':
        if (!port.selected || !inStep || (port.state & SYNCHRONIZATION) === 0) port.mux = 'attached'
        else if (aggregator?.active && !port.slave.active) port.enable()
    }
  }
  if (port.mux === former) return
  switch (port.mux) {
    case 'waiting':
      port.muxTimer = AGGREGATE_WAIT
      break
    case 'working':
      port.set(COLLECTING | DISTRIBUTING | SYNCHRONIZATION)
      if (aggregator?.active) port.enable()
      port.pending = true
      break
    default:
      port.unset(SYNCHRONIZATION | COLLECTING | DISTRIBUTING)
      if (port.mux === 'attached' && aggregator?.active) port.set(SYNCHRONIZATION)
      if (aggregator?.hasPartner) port.disable()
      port.pending = true
  }
}

/** ad_tx_machine() */
function transmitTick(port: LacpPort): void {
  if (--port.transmitTimer !== 0) return
  port.transmitTimer = TRANSMIT_TICKS
  if (!port.pending || !port.lacpEnabled) return
  send(port)
  port.pending = false
}

function send(port: LacpPort): void {
  const { slave } = port
  const { bond } = slave
  const { system, systemPriority } = bond.lacp!
  const actor = {
    systemPriority,
    system,
    key: port.key,
    portPriority: port.priority,
    port: port.number,
    state: port.state,
  }
  const bytes = emitLacpdu({ actor, partner: port.partner })
  const packet = new Packet()
  packet.etherType = ETH_P_SLOW
  packet.macDst = SLOW_PROTOCOLS
  packet.macSrc = slave.permanentAddress
  packet.raw = RAW_ETHERNET_PAYLOAD
  packet.buffer = bytes
  packet.offset = 0
  packet.length = bytes.length
  packet.priority = 7
  bond.send(slave, packet)
}

/** ad_churn_machine() */
function churnTick(port: LacpPort): void {
  if (port.churned) {
    port.churned = false
    port.actorChurn = 'monitoring'
    port.partnerChurn = 'monitoring'
    port.actorChurnTimer = CHURN_DETECTION
    port.partnerChurnTimer = CHURN_DETECTION
    return
  }
  if (port.actorChurnTimer !== 0 && --port.actorChurnTimer === 0 && port.actorChurn === 'monitoring') {
    port.actorChurn = port.state & SYNCHRONIZATION ? 'none' : 'churned'
    if (port.actorChurn === 'churned') port.actorChurns++
  }
  if (port.partnerChurnTimer !== 0 && --port.partnerChurnTimer === 0 && port.partnerChurn === 'monitoring') {
    port.partnerChurn = port.partner.state & SYNCHRONIZATION ? 'none' : 'churned'
    if (port.partnerChurn === 'churned') port.partnerChurns++
  }
}

/** The bond is set up: the aggregator is chosen at once. */
export function openLacp(bond: Bond): void {
  if (bond.lacp !== undefined) bond.lacp.selectionTimer = 1
  bond.adTimer.after(0)
}

/** bond_3ad_state_machine_handler() */
export function lacpTick(bond: Bond): void {
  const { lacp } = bond
  if (lacp !== undefined && bond.slaves.length > 0) {
    if (lacp.selectionTimer !== 0 && --lacp.selectionTimer === 0) {
      selectAggregator(bond)
      setCarrier(bond)
    }
    for (const port of ports(bond)) {
      receiveTick(port)
      periodicTick(port)
      chooseAggregator(port)
      muxTick(port)
      transmitTick(port)
      churnTick(port)
      port.begin = false
    }
  }
  bond.adTimer.after(AD_JIFFIES)
}

/** Whether the frame was one of the protocol's. bond_3ad_lacpdu_recv() */
export function receiveLacp(slave: Slave, packet: Packet): boolean {
  if (packet.etherType !== ETH_P_SLOW || packet.macDst !== SLOW_PROTOCOLS || packet.raw !== RAW_ETHERNET_PAYLOAD)
    return false
  const pdu = parseLacpdu(packet.buffer.subarray(packet.offset, packet.offset + packet.length))
  if (pdu === undefined || slave.lacp === undefined) return false
  hear(slave.lacp, pdu)
  return true
}

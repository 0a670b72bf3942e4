/**
 * The spanning tree: which port leads to the root, which ports are designated, and which keep silent; BPDUs, topology
 * changes, and the timers. Without it ports go straight from blocking to forwarding.
 *
 * IEEE 802.1D-1998 clause 8. Linux 6.1 net/bridge/br_stp.c, br_stp_if.c, br_stp_timer.c.
 */
import { HZ, IFF_UP, jiffiesOf } from '#kernel/net'
import { type Bpdu, sendConfig, sendTcn } from './bpdu.ts'
import {
  BLOCKING,
  BR_ADMIN_COST,
  BR_BPDU_GUARD,
  BR_ROOT_BLOCK,
  type Bridge,
  type BridgeId,
  type BridgePort,
  compareIds,
  DISABLED,
  FORWARDING,
  formatBridgeId,
  LEARNING,
  LISTENING,
  portId,
  STATE_NAMES,
} from './bridge.ts'

/** A configuration BPDU is never sent sooner after another. Linux 6.1 net/bridge/br_private_stp.h. */
const HOLD_TIME = HZ
/** What a bridge adds to the age of what it passes on. */
const MESSAGE_AGE_INCREMENT = 1

const MIN_HELLO = HZ
const MAX_HELLO = 10 * HZ
const MIN_MAX_AGE = 6 * HZ
const MAX_MAX_AGE = 40 * HZ
const MIN_FORWARD_DELAY = 2 * HZ
const MAX_FORWARD_DELAY = 30 * HZ

function isDesignated(port: BridgePort): boolean {
  return compareIds(port.designatedBridge, port.bridge.id) === 0 && port.designatedPort === port.portId
}

/** br_set_state() */
export function setState(port: BridgePort, state: number): void {
  port.state = state
  port.bridge.log(6, `port ${port.number}(${port.device.name}) entered ${STATE_NAMES[state]} state`)
}

/** Compares lists of numbers; below 0 if the first is the better. */
function compare(...pairs: number[]): number {
  return pairs.find((difference) => difference !== 0) ?? 0
}

function shouldBecomeRoot(port: BridgePort, root: BridgePort | undefined): boolean {
  if (port.state === DISABLED || isDesignated(port)) return false
  if (compareIds(port.bridge.id, port.designatedRoot) <= 0) return false
  if (root === undefined) return true
  return (
    compare(
      compareIds(port.designatedRoot, root.designatedRoot),
      port.designatedCost + port.pathCost - (root.designatedCost + root.pathCost),
      compareIds(port.designatedBridge, root.designatedBridge),
      port.designatedPort - root.designatedPort,
      port.portId - root.portId,
    ) < 0
  )
}

function selectRoot(bridge: Bridge): void {
  let root: BridgePort | undefined
  for (const port of bridge.ports) {
    if (!shouldBecomeRoot(port, root)) continue
    if (port.flags & BR_ROOT_BLOCK) {
      bridge.log(5, `port ${port.number}(${port.device.name}) tried to become root port (blocked)`)
      setState(port, LISTENING)
      if (bridge.forwardDelay > 0) port.forwardDelayTimer.after(bridge.forwardDelay)
    } else root = port
  }
  bridge.rootPort = root?.number ?? 0
  bridge.designatedRoot = root?.designatedRoot ?? bridge.id
  bridge.rootPathCost = root === undefined ? 0 : root.designatedCost + root.pathCost
}

function shouldBecomeDesignated(port: BridgePort): boolean {
  const { bridge } = port
  if (isDesignated(port) || compareIds(port.designatedRoot, bridge.designatedRoot) !== 0) return true
  return (
    compare(
      bridge.rootPathCost - port.designatedCost,
      compareIds(bridge.id, port.designatedBridge),
      port.portId - port.designatedPort,
    ) < 0
  )
}

function becomeDesignated(port: BridgePort): void {
  const { bridge } = port
  port.designatedRoot = bridge.designatedRoot
  port.designatedCost = bridge.rootPathCost
  port.designatedBridge = bridge.id
  port.designatedPort = port.portId
}

/** br_configuration_update() */
function update(bridge: Bridge): void {
  selectRoot(bridge)
  for (const port of bridge.ports) {
    if (port.state !== DISABLED && shouldBecomeDesignated(port)) becomeDesignated(port)
  }
}

function isUp(bridge: Bridge): boolean {
  return (bridge.device.flags & IFF_UP) !== 0
}

/** br_become_root_bridge() */
function becomeRoot(bridge: Bridge): void {
  bridge.maxAge = bridge.bridgeMaxAge
  bridge.helloTime = bridge.bridgeHelloTime
  bridge.forwardDelay = bridge.bridgeForwardDelay
  topologyChanged(bridge)
  bridge.tcnTimer.cancel()
  if (!isUp(bridge)) return
  generateConfigs(bridge)
  bridge.helloTimer.after(bridge.helloTime)
}

/** Looks again at everything after `change`; a bridge that is the root now says so. */
function reconsider(bridge: Bridge, change: () => void): void {
  const wasRoot = bridge.isRoot
  change()
  update(bridge)
  selectStates(bridge)
  if (bridge.isRoot && !wasRoot) becomeRoot(bridge)
}

/** br_transmit_config() */
function transmitConfig(port: BridgePort): void {
  if (port.holdTimer.pending) {
    port.configPending = true
    return
  }
  const { bridge } = port
  const now = jiffiesOf(bridge.device.host)
  const root = bridge.isRoot ? undefined : bridge.port(bridge.rootPort)
  const messageAge = root === undefined ? 0 : now - root.designatedAge + MESSAGE_AGE_INCREMENT
  if (messageAge >= bridge.maxAge) return
  if (bridge.stp) {
    sendConfig(port, {
      topologyChange: bridge.topologyChange,
      topologyChangeAck: port.topologyChangeAck,
      root: bridge.designatedRoot,
      rootPathCost: bridge.rootPathCost,
      bridge: bridge.id,
      port: port.portId,
      messageAge,
      maxAge: bridge.maxAge,
      helloTime: bridge.helloTime,
      forwardDelay: bridge.forwardDelay,
    })
  }
  port.topologyChangeAck = false
  port.configPending = false
  if (bridge.stp) port.holdTimer.afterRounded(HOLD_TIME)
}

function generateConfigs(bridge: Bridge): void {
  for (const port of bridge.ports) if (port.state !== DISABLED && isDesignated(port)) transmitConfig(port)
}

function transmitTcn(bridge: Bridge): void {
  const port = bridge.port(bridge.rootPort)
  if (port === undefined) bridge.log(5, `root port ${bridge.rootPort} not found for topology notice`)
  else if (bridge.stp) sendTcn(port)
}

/** br_topology_change_detection() */
function topologyChanged(bridge: Bridge): void {
  if (!bridge.stp || !isUp(bridge)) return
  const { isRoot } = bridge
  bridge.log(6, `topology change detected, ${isRoot ? 'propagating' : 'sending tcn bpdu'}`)
  if (isRoot) {
    setTopologyChange(bridge, true)
    bridge.topologyChangeTimer.after(bridge.bridgeForwardDelay + bridge.bridgeMaxAge)
  } else if (!bridge.topologyChangeDetected) {
    transmitTcn(bridge)
    bridge.tcnTimer.after(bridge.bridgeHelloTime)
  }
  bridge.topologyChangeDetected = true
}

/** While it lasts, addresses are forgotten sooner. __br_set_topology_change() */
function setTopologyChange(bridge: Bridge, on: boolean): void {
  if (bridge.stp && bridge.topologyChange !== on) {
    bridge.ageingTime = on ? 2 * bridge.forwardDelay : bridge.bridgeAgeingTime
  }
  bridge.topologyChange = on
}

function makeBlocking(port: BridgePort): void {
  if (port.state === DISABLED || port.state === BLOCKING) return
  if (port.state === FORWARDING || port.state === LEARNING) topologyChanged(port.bridge)
  setState(port, BLOCKING)
  port.forwardDelayTimer.cancel()
}

function makeForwarding(port: BridgePort): void {
  const { bridge } = port
  if (port.state !== BLOCKING) return
  if (!bridge.stp || bridge.forwardDelay === 0) {
    setState(port, FORWARDING)
    topologyChanged(bridge)
    port.forwardDelayTimer.cancel()
  } else setState(port, LISTENING)
  if (bridge.forwardDelay !== 0) port.forwardDelayTimer.after(bridge.forwardDelay)
}

/** The bridge's device has a carrier while any port forwards. br_port_state_selection() */
export function selectStates(bridge: Bridge): void {
  let live = false
  for (const port of bridge.ports) {
    if (port.state === DISABLED) continue
    if (port.number === bridge.rootPort) {
      port.configPending = false
      port.topologyChangeAck = false
      makeForwarding(port)
    } else if (isDesignated(port)) {
      port.messageAgeTimer.cancel()
      makeForwarding(port)
    } else {
      port.configPending = false
      port.topologyChangeAck = false
      makeBlocking(port)
    }
    if (port.state === FORWARDING) live = true
  }
  bridge.device.carrierChanged(live)
}

/** Is what a BPDU says better than what is known of that segment? br_supersedes_port_info() */
function supersedes(port: BridgePort, bpdu: Bpdu): boolean {
  const better = compare(
    compareIds(bpdu.root, port.designatedRoot),
    bpdu.rootPathCost - port.designatedCost,
    compareIds(bpdu.bridge, port.designatedBridge),
  )
  if (better !== 0) return better < 0
  return compareIds(bpdu.bridge, port.bridge.id) !== 0 || bpdu.port <= port.designatedPort
}

/** br_received_config_bpdu() */
export function receiveConfig(port: BridgePort, bpdu: Bpdu): void {
  const { bridge } = port
  if (!supersedes(port, bpdu)) {
    if (isDesignated(port)) transmitConfig(port)
    return
  }
  const wasRoot = bridge.isRoot
  port.designatedRoot = bpdu.root
  port.designatedCost = bpdu.rootPathCost
  port.designatedBridge = bpdu.bridge
  port.designatedPort = bpdu.port
  port.designatedAge = jiffiesOf(bridge.device.host) - bpdu.messageAge
  port.messageAgeTimer.after(bpdu.maxAge - bpdu.messageAge)
  update(bridge)
  selectStates(bridge)
  if (wasRoot && !bridge.isRoot) {
    bridge.helloTimer.cancel()
    if (bridge.topologyChangeDetected) {
      bridge.topologyChangeTimer.cancel()
      transmitTcn(bridge)
      bridge.tcnTimer.after(bridge.bridgeHelloTime)
    }
  }
  if (port.number !== bridge.rootPort) return
  bridge.maxAge = bpdu.maxAge
  bridge.helloTime = bpdu.helloTime
  bridge.forwardDelay = bpdu.forwardDelay
  setTopologyChange(bridge, bpdu.topologyChange)
  generateConfigs(bridge)
  if (bpdu.topologyChangeAck) {
    bridge.topologyChangeDetected = false
    bridge.tcnTimer.cancel()
  }
}

/** br_received_tcn_bpdu() */
export function receiveTcn(port: BridgePort): void {
  if (!isDesignated(port)) return
  const { bridge } = port
  bridge.log(6, `port ${port.number}(${port.device.name}) received tcn bpdu`)
  topologyChanged(bridge)
  port.topologyChangeAck = true
  transmitConfig(port)
}

/** Whether BPDUs may come in by a port; one that may not is shut. br_stp_rcv() */
export function guards(port: BridgePort): boolean {
  if (!(port.flags & BR_BPDU_GUARD)) return false
  port.bridge.log(5, `BPDU received on blocked port ${port.number}(${port.device.name})`)
  disablePort(port)
  return true
}

/** br_init_port() */
export function initPort(port: BridgePort): void {
  port.portId = portId(port.priority, port.number)
  becomeDesignated(port)
  setState(port, BLOCKING)
  port.topologyChangeAck = false
  port.configPending = false
}

/** Its device is up and has a carrier. br_stp_enable_port() */
export function enablePort(port: BridgePort): void {
  initPort(port)
  selectStates(port.bridge)
}

/** br_stp_disable_port() */
export function disablePort(port: BridgePort): void {
  const { bridge } = port
  reconsider(bridge, () => {
    becomeDesignated(port)
    setState(port, DISABLED)
    port.topologyChangeAck = false
    port.configPending = false
    port.messageAgeTimer.cancel()
    port.forwardDelayTimer.cancel()
    port.holdTimer.cancel()
    if (port.backup === undefined) bridge.fdb.flushPort(port, false)
  })
}

/** Whether a port's device could carry frames. */
export function isLive(port: BridgePort): boolean {
  const { device } = port
  return device.running && (device.operstate === 'UP' || device.operstate === 'UNKNOWN')
}

/** The bridge's device is set up. br_stp_enable_bridge() */
export function enableBridge(bridge: Bridge): void {
  if (bridge.stp) bridge.helloTimer.after(bridge.helloTime)
  bridge.gcTimer.after(HZ / 10)
  generateConfigs(bridge)
  for (const port of bridge.ports) if (isLive(port)) enablePort(port)
}

/** br_stp_disable_bridge() */
export function disableBridge(bridge: Bridge): void {
  for (const port of bridge.ports) if (port.state !== DISABLED) disablePort(port)
  setTopologyChange(bridge, false)
  bridge.topologyChangeDetected = false
  for (const timer of [bridge.helloTimer, bridge.topologyChangeTimer, bridge.tcnTimer, bridge.gcTimer]) timer.cancel()
}

/** `ip link set br0 type bridge stp_state 1`. br_stp_start(), br_stp_stop() */
export function setStp(bridge: Bridge, on: boolean): void {
  if (on === bridge.stp) return
  if (!on) {
    bridge.stp = false
    return
  }
  setForwardDelay(bridge, Math.min(Math.max(bridge.bridgeForwardDelay, MIN_FORWARD_DELAY), MAX_FORWARD_DELAY))
  bridge.stp = true
  if (isUp(bridge)) bridge.helloTimer.after(bridge.helloTime)
  selectStates(bridge)
}

/** The bridge's address is another: and with it its name in the tree. br_stp_change_bridge_id() */
export function changeAddress(bridge: Bridge, mac: number): void {
  const former = bridge.id.mac
  reconsider(bridge, () => {
    bridge.fdb.bridgeAddressChanged(mac)
    const moved = (id: BridgeId): BridgeId => (id.mac === former ? { priority: id.priority, mac } : id)
    if (bridge.rootPort === 0) bridge.designatedRoot = moved(bridge.designatedRoot)
    bridge.id = { priority: bridge.id.priority, mac }
    bridge.device.address = mac
    for (const port of bridge.ports) {
      port.designatedBridge = moved(port.designatedBridge)
      port.designatedRoot = moved(port.designatedRoot)
    }
  })
}

/** Unless somebody chose one, a bridge has the smallest address of its ports. br_stp_recalculate_bridge_id() */
export function recalculateId(bridge: Bridge, chosen: boolean): boolean {
  if (chosen) return false
  const mac = bridge.ports.reduce(
    (least, { device }) => (least === 0 ? device.address : Math.min(least, device.address)),
    0,
  )
  if (mac === bridge.id.mac) return false
  changeAddress(bridge, mac)
  return true
}

/** br_stp_set_bridge_priority() */
export function setPriority(bridge: Bridge, priority: number): void {
  reconsider(bridge, () => {
    const id = { priority, mac: bridge.id.mac }
    for (const port of bridge.ports) if (port.state !== DISABLED && isDesignated(port)) port.designatedBridge = id
    bridge.id = id
  })
}

/** 0 to 63. br_stp_set_port_priority() */
export function setPortPriority(port: BridgePort, priority: number): 'ERANGE' | undefined {
  if (priority < 0 || priority > 63) return 'ERANGE'
  const id = portId(priority, port.number)
  if (isDesignated(port)) port.designatedPort = id
  port.portId = id
  port.priority = priority
  if (compareIds(port.bridge.id, port.designatedBridge) === 0 && port.portId < port.designatedPort) {
    becomeDesignated(port)
    selectStates(port.bridge)
  }
  return undefined
}

/** br_stp_set_path_cost() */
export function setPathCost(port: BridgePort, cost: number): 'ERANGE' | undefined {
  if (cost < 1 || cost > 65535) return 'ERANGE'
  port.flags |= BR_ADMIN_COST
  port.pathCost = cost
  update(port.bridge)
  selectStates(port.bridge)
  return undefined
}

/** The three times that a root tells everybody; in jiffies. */
export function setHelloTime(bridge: Bridge, jiffies: number): 'ERANGE' | undefined {
  if (jiffies < MIN_HELLO || jiffies > MAX_HELLO) return 'ERANGE'
  bridge.bridgeHelloTime = jiffies
  if (bridge.isRoot) bridge.helloTime = jiffies
  return undefined
}

export function setMaxAge(bridge: Bridge, jiffies: number): 'ERANGE' | undefined {
  if (jiffies < MIN_MAX_AGE || jiffies > MAX_MAX_AGE) return 'ERANGE'
  bridge.bridgeMaxAge = jiffies
  if (bridge.isRoot) bridge.maxAge = jiffies
  return undefined
}

/** Without a spanning tree any delay will do. br_set_forward_delay() */
export function setForwardDelay(bridge: Bridge, jiffies: number): 'ERANGE' | undefined {
  if (bridge.stp && (jiffies < MIN_FORWARD_DELAY || jiffies > MAX_FORWARD_DELAY)) return 'ERANGE'
  bridge.bridgeForwardDelay = jiffies
  if (bridge.isRoot) bridge.forwardDelay = jiffies
  return undefined
}

/** A timer of the bridge's has fired. */
export function bridgeTimer(bridge: Bridge, timer: 'hello' | 'tcn' | 'topologyChange'): void {
  if (timer === 'hello') {
    if (!isUp(bridge)) return
    generateConfigs(bridge)
    if (bridge.stp) bridge.helloTimer.afterRounded(bridge.helloTime)
  } else if (timer === 'tcn') {
    if (bridge.isRoot || !isUp(bridge)) return
    transmitTcn(bridge)
    bridge.tcnTimer.after(bridge.bridgeHelloTime)
  } else {
    bridge.topologyChangeDetected = false
    setTopologyChange(bridge, false)
  }
}

/** A timer of a port's has fired. */
export function portTimer(port: BridgePort, timer: 'forwardDelay' | 'messageAge' | 'hold'): void {
  const { bridge } = port
  if (timer === 'hold') {
    if (port.configPending) transmitConfig(port)
  } else if (timer === 'messageAge') {
    if (port.state === DISABLED) return
    const lost = formatNeighbour(port.designatedBridge)
    bridge.log(6, `port ${port.number}(${port.device.name}) neighbor ${lost} lost`)
    reconsider(bridge, () => becomeDesignated(port))
  } else if (port.state === LISTENING) {
    setState(port, LEARNING)
    port.forwardDelayTimer.after(bridge.forwardDelay)
  } else if (port.state === LEARNING) {
    setState(port, FORWARDING)
    const designatedSomewhere = bridge.ports.some(
      (each) => each.state !== DISABLED && compareIds(each.designatedBridge, bridge.id) === 0,
    )
    if (designatedSomewhere) topologyChanged(bridge)
    bridge.device.carrierChanged(true)
  }
}

/** As the log writes it: `8000.02:00:00:00:01:00`. */
function formatNeighbour(id: BridgeId): string {
  const [priority, mac] = formatBridgeId(id).split('.') as [string, string]
  return `${priority}.${mac.match(/../g)!.join(':')}`
}

/**
 * What `ip -d link` shows of a bridge and of a port, and what can be set: by the names that `ip -j` prints.
 *
 * Linux 6.1 net/bridge/br_netlink.c: br_fill_info(), br_changelink(), br_port_fill_attrs(), br_setport().
 */
import { NotModelled } from '#base/check'
import { clockOf, deviceByIndex, jiffiesOfClock, type LinkData, type Refusal, refuse } from '#kernel/net'
import {
  BLOCKING,
  BR_BCAST_FLOOD,
  BR_BPDU_GUARD,
  BR_FLOOD,
  BR_HAIRPIN_MODE,
  BR_ISOLATED,
  BR_LEARNING,
  BR_MCAST_FLOOD,
  BR_MULTICAST_FAST_LEAVE,
  BR_MULTICAST_TO_UNICAST,
  BR_NEIGH_SUPPRESS,
  BR_PORT_LOCKED,
  BR_PROXYARP,
  BR_PROXYARP_WIFI,
  BR_ROOT_BLOCK,
  BR_VLAN_TUNNEL,
  type Bridge,
  type BridgeId,
  type BridgePort,
  DISABLED,
  portOf,
} from './bridge.ts'
import {
  isLive,
  selectStates,
  setForwardDelay,
  setHelloTime,
  setMaxAge,
  setPathCost,
  setPortPriority,
  setPriority,
  setState,
  setStp,
} from './stp.ts'
import { setDefaultPvid } from './vlan.ts'

/** 802.3x pause, slow protocols (LACP) and 802.1X may not be forwarded by a whole bridge. br_private.h */
const GROUP_FORWARD_RESTRICTED = 0x0007
const GROUP_FORWARD_PAUSE = 0x0002

/** As iproute2 writes it: no leading zeros. */
function idText({ priority, mac }: BridgeId): string {
  const hex = mac.toString(16).padStart(12, '0').match(/../g)!
  return `${priority.toString(16).padStart(4, '0')}.${hex.map((byte) => Number.parseInt(byte, 16).toString(16)).join(':')}`
}

const bit = (on: boolean) => (on ? 1 : 0)

/** A bridge's counts and intervals of multicast: their names for user space. */
const MULTICAST: [key: string, own: string][] = [
  ['mcast_last_member_cnt', 'lastMemberCount'],
  ['mcast_startup_query_cnt', 'startupQueryCount'],
  ['mcast_last_member_intvl', 'lastMemberInterval'],
  ['mcast_membership_intvl', 'membershipInterval'],
  ['mcast_querier_intvl', 'querierInterval'],
  ['mcast_query_intvl', 'queryInterval'],
  ['mcast_query_response_intvl', 'queryResponseInterval'],
  ['mcast_startup_query_intvl', 'startupQueryInterval'],
]

/** br_fill_info() */
export function bridgeData(bridge: Bridge): LinkData {
  const data: LinkData = {
    forward_delay: clockOf(bridge.forwardDelay),
    hello_time: clockOf(bridge.helloTime),
    max_age: clockOf(bridge.maxAge),
    ageing_time: clockOf(bridge.ageingTime),
    stp_state: bit(bridge.stp),
    priority: bridge.id.priority,
    vlan_filtering: bit(bridge.vlanFiltering),
    vlan_protocol: '802.1Q',
    bridge_id: idText(bridge.id),
    root_id: idText(bridge.designatedRoot),
    root_port: bridge.rootPort,
    root_path_cost: bridge.rootPathCost,
    topology_change: bit(bridge.topologyChange),
    topology_change_detected: bit(bridge.topologyChangeDetected),
    hello_timer: bridge.helloTimer.left,
    tcn_timer: bridge.tcnTimer.left,
    topology_change_timer: bridge.topologyChangeTimer.left,
    gc_timer: bridge.gcTimer.left,
    vlan_default_pvid: bridge.defaultPvid,
    vlan_stats_enabled: bit(bridge.vlanStats),
    vlan_stats_per_port: bit(bridge.vlanStatsPerPort),
    group_fwd_mask: bridge.groupForwardMask,
    group_addr: bridge.groupAddress,
    mcast_snooping: bit(bridge.multicastSnooping),
    no_linklocal_learn: bit(bridge.noLinkLocalLearn),
    mcast_vlan_snooping: 0,
    mcast_router: bridge.multicastRouter,
    mcast_query_use_ifaddr: bit(bridge.multicastQueryUseIfaddr),
    mcast_querier: bit(bridge.multicastQuerier),
    mcast_hash_elasticity: 16,
    mcast_hash_max: bridge.hashMax,
  }
  for (const [key, own] of MULTICAST) {
    const value = bridge.multicast[own]!
    data[key] = key.endsWith('_intvl') ? clockOf(jiffiesOfClock(value)) : value
  }
  data.mcast_stats_enabled = bit(bridge.multicastStats)
  data.mcast_igmp_version = bridge.igmpVersion
  data.mcast_mld_version = bridge.mldVersion
  data.nf_call_iptables = bit(bridge.nfCallIptables)
  data.nf_call_ip6tables = bit(bridge.nfCallIp6tables)
  data.nf_call_arptables = bit(bridge.nfCallArptables)
  return data
}

const failed = (errno: 'ERANGE' | 'EINVAL' | undefined): Refusal | undefined =>
  errno === undefined ? undefined : refuse(errno)

type Setter = (bridge: Bridge, value: number) => Refusal | undefined | void

/** In the kernel's order, whatever the request's. */
const SETTERS: Record<string, Setter> = {
  forward_delay: (bridge, value) => failed(setForwardDelay(bridge, jiffiesOfClock(value))),
  hello_time: (bridge, value) => failed(setHelloTime(bridge, jiffiesOfClock(value))),
  max_age: (bridge, value) => failed(setMaxAge(bridge, jiffiesOfClock(value))),
  ageing_time(bridge, value) {
    bridge.bridgeAgeingTime = jiffiesOfClock(value)
    bridge.ageingTime = bridge.bridgeAgeingTime
    bridge.fdb.cleanup()
  },
  stp_state: (bridge, value) => setStp(bridge, value !== 0),
  priority: (bridge, value) => setPriority(bridge, value),
  vlan_filtering(bridge, value) {
    bridge.vlanFiltering = value !== 0
  },
  vlan_default_pvid(bridge, value) {
    if (value !== bridge.defaultPvid) setDefaultPvid(bridge, value)
  },
  vlan_stats_enabled: (bridge, value) => toggle(value, (on) => (bridge.vlanStats = on)),
  vlan_stats_per_port(bridge, value) {
    if (value > 1) return refuse('EINVAL')
    // Not while any port has VLANs.
    if (bridge.ports.some((port) => port.vlans.size > 0)) return refuse('EBUSY')
    bridge.vlanStatsPerPort = value === 1
  },
  group_fwd_mask(bridge, value) {
    if (value & GROUP_FORWARD_RESTRICTED) return refuse('EINVAL')
    bridge.groupForwardMask = value
  },
  group_addr(bridge, value) {
    const last = value - 0x0180c2000000
    if (!(last >= 0 && last < 16) || (last >= 1 && last <= 3)) return refuse('EINVAL')
    bridge.groupAddress = value
    bridge.groupAddressSet = true
  },
  fdb_flush: (bridge) => bridge.fdb.flush(),
  mcast_router(bridge, value) {
    if (value > 2) return refuse('EINVAL')
    bridge.multicastRouter = value
  },
  mcast_snooping(bridge, value) {
    bridge.multicastSnooping = value !== 0
  },
  mcast_query_use_ifaddr(bridge, value) {
    bridge.multicastQueryUseIfaddr = value !== 0
  },
  mcast_querier(_bridge, value) {
    if (value !== 0) throw new NotModelled('a bridge that asks for multicast groups (mcast_querier 1)')
  },
  mcast_hash_elasticity(bridge) {
    bridge.log(4, 'the hash_elasticity option has been deprecated and is always 16')
  },
  mcast_hash_max(bridge, value) {
    bridge.hashMax = value
  },
  ...Object.fromEntries(
    MULTICAST.map(([key, own]): [string, Setter] => [key, (bridge, value) => void (bridge.multicast[own] = value)]),
  ),
  mcast_stats_enabled(bridge, value) {
    bridge.multicastStats = value !== 0
  },
  mcast_igmp_version(bridge, value) {
    if (value !== 2 && value !== 3) return refuse('EINVAL')
    bridge.igmpVersion = value
  },
  mcast_mld_version(bridge, value) {
    if (value !== 1 && value !== 2) return refuse('EINVAL')
    bridge.mldVersion = value
  },
  nf_call_iptables(bridge, value) {
    bridge.nfCallIptables = value !== 0
  },
  nf_call_ip6tables(bridge, value) {
    bridge.nfCallIp6tables = value !== 0
  },
  nf_call_arptables(bridge, value) {
    bridge.nfCallArptables = value !== 0
  },
  no_linklocal_learn(bridge, value) {
    bridge.noLinkLocalLearn = value !== 0
  },
  mcast_vlan_snooping(_bridge, value) {
    if (value !== 0) throw new NotModelled('multicast snooping by VLAN (mcast_vlan_snooping 1)')
  },
}

function toggle(value: number, set: (on: boolean) => void): Refusal | undefined {
  if (value > 1) return refuse('EINVAL')
  set(value === 1)
  return undefined
}

/** br_validate() */
export function validateBridgeData(data: LinkData): Refusal | undefined {
  if (data.vlan_protocol !== undefined && data.vlan_protocol !== '802.1Q') {
    if (data.vlan_protocol === '802.1ad') throw new NotModelled('a bridge that filters by 802.1ad tags')
    return refuse('EPROTONOSUPPORT')
  }
  return Number(data.vlan_default_pvid ?? 0) >= 4095 ? refuse('EINVAL') : undefined
}

/** br_changelink() */
export function changeBridge(bridge: Bridge, data: LinkData): Refusal | undefined {
  for (const [key, set] of Object.entries(SETTERS)) {
    if (data[key] === undefined) continue
    const refusal = set(bridge, Number(data[key]))
    if (refusal) return refusal
  }
  return undefined
}

/** One value, as sysfs sets it. */
export function setBridgeOption(bridge: Bridge, key: string, value: number): Refusal | undefined {
  return SETTERS[key]!(bridge, value) || undefined
}

/** A port's flags by their names; how the same is called in sysfs is in `sysfs.ts`. */
export const PORT_FLAGS: [key: string, flag: number][] = [
  ['hairpin', BR_HAIRPIN_MODE],
  ['guard', BR_BPDU_GUARD],
  ['root_block', BR_ROOT_BLOCK],
  ['fastleave', BR_MULTICAST_FAST_LEAVE],
  ['learning', BR_LEARNING],
  ['flood', BR_FLOOD],
  ['proxy_arp', BR_PROXYARP],
  ['proxy_arp_wifi', BR_PROXYARP_WIFI],
  ['mcast_flood', BR_MCAST_FLOOD],
  ['bcast_flood', BR_BCAST_FLOOD],
  ['mcast_to_unicast', BR_MULTICAST_TO_UNICAST],
  ['neigh_suppress', BR_NEIGH_SUPPRESS],
  ['vlan_tunnel', BR_VLAN_TUNNEL],
  ['isolated', BR_ISOLATED],
  ['locked', BR_PORT_LOCKED],
]

/** br_port_fill_attrs() */
export function portData(port: BridgePort): LinkData {
  const data: LinkData = {
    state: port.state,
    priority: port.priority,
    cost: port.pathCost,
    id: port.portId,
    no: port.number,
    designated_port: port.designatedPort,
    designated_cost: port.designatedCost,
    bridge_id: idText(port.designatedBridge),
    root_id: idText(port.designatedRoot),
    hold_timer: port.holdTimer.left,
    message_age_timer: port.messageAgeTimer.left,
    forward_delay_timer: port.forwardDelayTimer.left,
    topology_change_ack: bit(port.topologyChangeAck),
    config_pending: bit(port.configPending),
    multicast_router: port.multicastRouter,
    group_fwd_mask: port.groupForwardMask,
  }
  for (const [key, flag] of PORT_FLAGS) data[key] = (port.flags & flag) !== 0
  if (port.backup !== undefined) data.backup_port = port.backup.device.ifindex
  return data
}

/** br_setport() */
export function changePort(port: BridgePort, data: LinkData): Refusal | undefined {
  for (const [key, flag] of PORT_FLAGS) {
    const value = data[key]
    if (value === undefined) continue
    if (key === 'vlan_tunnel' && value) throw new NotModelled('VLANs of tunnels (vlan_tunnel on)')
    port.flags = value ? port.flags | flag : port.flags & ~flag
  }
  if (data.cost !== undefined) {
    const refusal = failed(setPathCost(port, Number(data.cost)))
    if (refusal) return refusal
  }
  if (data.priority !== undefined) {
    const refusal = failed(setPortPriority(port, Number(data.priority)))
    if (refusal) return refusal
  }
  if (data.state !== undefined) {
    const refusal = setPortState(port, Number(data.state))
    if (refusal) return refusal
  }
  if (data.fdb_flush) port.bridge.fdb.flushPort(port, false)
  if (data.multicast_router !== undefined) {
    const router = Number(data.multicast_router)
    if (router > 3) return refuse('EINVAL')
    port.multicastRouter = router
  }
  if (data.group_fwd_mask !== undefined) {
    const mask = Number(data.group_fwd_mask)
    if (mask & GROUP_FORWARD_PAUSE) return refuse('EINVAL')
    port.groupForwardMask = mask
  }
  return data.backup_port === undefined ? undefined : setBackup(port, Number(data.backup_port))
}

/** br_set_port_state() */
function setPortState(port: BridgePort, state: number): Refusal | undefined {
  if (state > BLOCKING) return refuse('EINVAL')
  if (port.bridge.stp) return refuse('EBUSY')
  if (!port.device.running || (!isLive(port) && state !== DISABLED)) return refuse('ENETDOWN')
  setState(port, state)
  selectStates(port.bridge)
  return undefined
}

/** nbp_backup_change() */
function setBackup(port: BridgePort, ifindex: number): Refusal | undefined {
  if (ifindex === 0) {
    port.backup = undefined
    return undefined
  }
  const device = deviceByIndex(port.device.host, ifindex)
  const backup = device && portOf(device)
  if (backup === undefined) return refuse('ENOENT')
  if (backup.bridge !== port.bridge || backup === port) return refuse('EINVAL')
  port.backup = backup
  return undefined
}

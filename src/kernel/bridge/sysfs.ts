/**
 * /sys/class/net/br0/bridge, brif, and a port's brport.
 *
 * Linux 6.1 net/bridge/br_sysfs_br.c, br_sysfs_if.c.
 */
import {
  fail,
  type KernelImage,
  OK,
  type PseudoDirectory,
  type PseudoFile,
  type PseudoNode,
  parseIntegers,
} from '#kernel/core'
import { type NetDevice, type Refusal, sysfsGroups } from '#kernel/net'
import { formatMac } from '#wire/link'
import { type Bridge, type BridgePort, bridgeOf, formatBridgeId, portOf } from './bridge.ts'
import { bridgeData, changePort, PORT_FLAGS, portData, setBridgeOption } from './options.ts'

/** Attributes whose names differ from rtnetlink's. */
const BRIDGE_NAMES: Record<string, string> = {
  default_pvid: 'vlan_default_pvid',
  hash_elasticity: 'mcast_hash_elasticity',
  hash_max: 'mcast_hash_max',
  multicast_igmp_version: 'mcast_igmp_version',
  multicast_last_member_count: 'mcast_last_member_cnt',
  multicast_last_member_interval: 'mcast_last_member_intvl',
  multicast_membership_interval: 'mcast_membership_intvl',
  multicast_mld_version: 'mcast_mld_version',
  multicast_querier: 'mcast_querier',
  multicast_querier_interval: 'mcast_querier_intvl',
  multicast_query_interval: 'mcast_query_intvl',
  multicast_query_response_interval: 'mcast_query_response_intvl',
  multicast_query_use_ifaddr: 'mcast_query_use_ifaddr',
  multicast_router: 'mcast_router',
  multicast_snooping: 'mcast_snooping',
  multicast_startup_query_count: 'mcast_startup_query_cnt',
  multicast_startup_query_interval: 'mcast_startup_query_intvl',
  multicast_stats_enabled: 'mcast_stats_enabled',
}

const SAME_NAMES = [
  'ageing_time',
  'forward_delay',
  'hello_time',
  'max_age',
  'nf_call_arptables',
  'nf_call_ip6tables',
  'nf_call_iptables',
  'no_linklocal_learn',
  'priority',
  'stp_state',
  'vlan_filtering',
  'vlan_stats_enabled',
  'vlan_stats_per_port',
]

const READ_ONLY = [
  'gc_timer',
  'hello_timer',
  'root_path_cost',
  'root_port',
  'tcn_timer',
  'topology_change',
  'topology_change_detected',
  'topology_change_timer',
]

type Files = Record<string, PseudoFile>

function stored(store: (value: number) => Refusal | undefined): NonNullable<PseudoFile['write']> {
  return (_host, text) => {
    const parsed = parseIntegers(text, 1)
    if (!parsed.ok) return parsed
    const refusal = store(parsed.value[0]!)
    return refusal === undefined ? OK : fail(refusal.errno)
  }
}

function bridgeFiles(bridge: Bridge): Files {
  const show = (key: string) => () => `${bridgeData(bridge)[key]}\n`
  const files: Files = {
    bridge_id: { read: () => `${formatBridgeId(bridge.id)}\n` },
    root_id: { read: () => `${formatBridgeId(bridge.designatedRoot)}\n` },
    group_addr: { read: () => `${formatMac(bridge.groupAddress)}\n` },
    group_fwd_mask: {
      read: () => `0x${bridge.groupForwardMask.toString(16)}\n`,
      write: stored((value) => setBridgeOption(bridge, 'group_fwd_mask', value)),
    },
    flush: { mode: 0o200, write: stored(() => setBridgeOption(bridge, 'fdb_flush', 1)) },
    vlan_protocol: { read: () => '0x8100\n' },
  }
  for (const key of READ_ONLY) files[key] = { read: show(key) }
  for (const [name, key] of [...SAME_NAMES.map((same) => [same, same] as const), ...Object.entries(BRIDGE_NAMES)]) {
    files[name] = { read: show(key), write: stored((value) => setBridgeOption(bridge, key, value)) }
  }
  return files
}

const PORT_NAMES: Record<string, string> = {
  bpdu_guard: 'guard',
  broadcast_flood: 'bcast_flood',
  hairpin_mode: 'hairpin',
  isolated: 'isolated',
  learning: 'learning',
  multicast_fast_leave: 'fastleave',
  multicast_flood: 'mcast_flood',
  multicast_to_unicast: 'mcast_to_unicast',
  neigh_suppress: 'neigh_suppress',
  proxyarp: 'proxy_arp',
  proxyarp_wifi: 'proxy_arp_wifi',
  root_block: 'root_block',
  unicast_flood: 'flood',
}

function portFiles(port: BridgePort): Files {
  const value = (key: string) => portData(port)[key]
  const hex = (key: string) => () => `0x${Number(value(key)).toString(16)}\n`
  const plain = (key: string): PseudoFile => ({ read: () => `${value(key)}\n` })
  const set = (key: string) => stored((number) => changePort(port, { [key]: number }))
  const files: Files = {
    backup_port: { read: () => `${port.backup?.device.name ?? ''}\n` },
    change_ack: plain('topology_change_ack'),
    config_pending: plain('config_pending'),
    designated_bridge: { read: () => `${formatBridgeId(port.designatedBridge)}\n` },
    designated_cost: plain('designated_cost'),
    designated_port: plain('designated_port'),
    designated_root: { read: () => `${formatBridgeId(port.designatedRoot)}\n` },
    flush: { mode: 0o200, write: set('fdb_flush') },
    forward_delay_timer: plain('forward_delay_timer'),
    group_fwd_mask: { read: hex('group_fwd_mask'), write: set('group_fwd_mask') },
    hold_timer: plain('hold_timer'),
    message_age_timer: plain('message_age_timer'),
    multicast_router: { ...plain('multicast_router'), write: set('multicast_router') },
    path_cost: { ...plain('cost'), write: set('cost') },
    port_id: { read: hex('id') },
    port_no: { read: hex('no') },
    priority: { ...plain('priority'), write: set('priority') },
    state: plain('state'),
  }
  for (const [name, key] of Object.entries(PORT_NAMES)) {
    if (!PORT_FLAGS.some(([flag]) => flag === key)) continue
    files[name] = { read: () => `${value(key) ? 1 : 0}\n`, write: set(key) }
  }
  return files
}

function directory(entries: () => Record<string, PseudoNode>): PseudoNode {
  const made: PseudoDirectory = {
    list: () => Object.keys(entries()).sort(),
    lookup(_host, name) {
      const all = entries()
      return Object.hasOwn(all, name) ? all[name] : undefined
    },
  }
  return { kind: 'directory', directory: made }
}

const asNodes = (files: Files): Record<string, PseudoNode> =>
  Object.fromEntries(Object.entries(files).map(([name, file]) => [name, { kind: 'file', file }]))

function group(device: NetDevice): Record<string, PseudoNode> {
  const bridge = bridgeOf(device)
  const port = portOf(device)
  const nodes: Record<string, PseudoNode> = {}
  if (bridge !== undefined) {
    nodes.bridge = directory(() => asNodes(bridgeFiles(bridge)))
    nodes.brif = directory(() =>
      Object.fromEntries(
        bridge.ports.map((each) => [each.device.name, { kind: 'symlink', target: `../../${each.device.name}/brport` }]),
      ),
    )
  }
  if (port !== undefined) {
    nodes.brport = directory(() => ({
      ...asNodes(portFiles(port)),
      bridge: { kind: 'symlink', target: `../../${port.bridge.device.name}` },
    }))
  }
  return nodes
}

/** Installs them. */
export function installBridgeSysfs(image: KernelImage): void {
  sysfsGroups(image).push(group)
}

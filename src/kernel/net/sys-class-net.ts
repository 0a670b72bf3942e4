/**
 * /sys/class/net: a device's attributes as files.
 *
 * Linux 6.1 net/core/net-sysfs.c. What asks the driver (carrier, speed, duplex) can't be read while the device is down.
 */
import {
  fail,
  type Host,
  type KernelImage,
  OK,
  type PseudoDirectory,
  type PseudoFile,
  type PseudoNode,
  parseIntegers,
} from '#kernel/core'
import { formatMac } from '#wire/link'
import type { NetDevice } from './device.ts'
import { deviceByName, devices } from './devices.ts'
import { linkSettings } from './ethtool.ts'
import type { LinkStats } from './netlink.ts'
import { type Refusal, setFlags, setMtu } from './netlink-link.ts'

const VIRTUAL = '/sys/devices/virtual/net'

/** Undefined: reading it is an error, EINVAL. */
type Show = (device: NetDevice) => string | number | undefined

/**
 * What else stands in a device's directory: files, directories and links of those who know more of it (a bridge's
 * `bridge` and `brif`, a port's `brport`). By an image's rooms.
 */
export type SysfsGroup = (device: NetDevice) => Record<string, PseudoNode>

/** An image's groups. */
export function sysfsGroups(image: KernelImage): SysfsGroup[] {
  return image.slot<SysfsGroup[]>('kernel/net sysfs groups', () => [])
}

const hex = (value: number) => `0x${value.toString(16)}`
const whileUp =
  (show: Show): Show =>
  (device) =>
    device.up ? show(device) : undefined

const ATTRIBUTES: Record<string, Show> = {
  addr_assign_type: (device) => (device.loops ? 0 : device.addressAssignType),
  addr_len: (device) => device.addressLength,
  address: (device) => formatMac(device.address),
  broadcast: (device) => formatMac(device.broadcast),
  carrier: whileUp((device) => (device.carrier ? 1 : 0)),
  carrier_changes: (device) => device.carrierUps + device.carrierDowns,
  carrier_down_count: (device) => device.carrierDowns,
  carrier_up_count: (device) => device.carrierUps,
  dev_id: () => '0x0',
  dev_port: () => 0,
  dormant: whileUp(() => 0),
  duplex: whileUp((device) => linkSettings(device)?.duplex),
  flags: (device) => hex(device.flags & 0xffff),
  gro_flush_timeout: () => 0,
  ifalias: (device) => device.alias,
  ifindex: (device) => device.ifindex,
  iflink: (device) => device.iflink,
  link_mode: () => 0,
  mtu: (device) => device.mtu,
  name_assign_type: (device) => (device.loops ? 2 : device.nameAssignType),
  napi_defer_hard_irqs: () => 0,
  netdev_group: (device) => device.group,
  operstate: (device) => device.shownOperstate.toLowerCase(),
  proto_down: () => 0,
  speed: whileUp((device) => linkSettings(device)?.speed),
  testing: whileUp(() => 0),
  threaded: () => 0,
  tx_queue_len: (device) => device.txqlen,
  type: (device) => device.looks.hardwareType,
  uevent: (device) => `INTERFACE=${device.name}\nIFINDEX=${device.ifindex}`,
}

type Store = (device: NetDevice, value: number) => Refusal | undefined

const STORES: Record<string, Store> = {
  flags: setFlags,
  mtu: setMtu,
  netdev_group: (device, value) => {
    device.group = value
    return undefined
  },
  tx_queue_len: (device, value) => {
    device.txqlen = value
    return undefined
  },
}

const STATISTICS: Record<string, (stats: LinkStats) => number> = {
  collisions: (stats) => stats.collisions,
  multicast: (stats) => stats.multicast,
  rx_bytes: (stats) => stats.rxBytes,
  rx_compressed: () => 0,
  rx_crc_errors: () => 0,
  rx_dropped: (stats) => stats.rxDropped,
  rx_errors: (stats) => stats.rxErrors,
  rx_fifo_errors: () => 0,
  rx_frame_errors: () => 0,
  rx_length_errors: () => 0,
  rx_missed_errors: () => 0,
  rx_nohandler: () => 0,
  rx_over_errors: (stats) => stats.rxOverrun,
  rx_packets: (stats) => stats.rxPackets,
  tx_aborted_errors: () => 0,
  tx_bytes: (stats) => stats.txBytes,
  tx_carrier_errors: (stats) => stats.txCarrier,
  tx_compressed: () => 0,
  tx_dropped: (stats) => stats.txDropped,
  tx_errors: (stats) => stats.txErrors,
  tx_fifo_errors: () => 0,
  tx_heartbeat_errors: () => 0,
  tx_packets: (stats) => stats.txPackets,
  tx_window_errors: () => 0,
}

/** A file that may vanish with its device. */
function attribute(device: NetDevice, name: string): PseudoFile {
  const value = ATTRIBUTES[name]!(device)
  const file: PseudoFile = {}
  if (value !== undefined) file.read = () => `${ATTRIBUTES[name]!(device)}\n`
  // An empty alias is an empty file.
  if (name === 'ifalias') file.read = () => (device.alias === '' ? '' : `${device.alias}\n`)
  const store = Object.hasOwn(STORES, name) ? STORES[name] : undefined
  file.mode = store ? 0o644 : 0o444
  if (store !== undefined) {
    file.write = (_host, text) => {
      const parsed = parseIntegers(text, 1)
      if (!parsed.ok) return parsed
      const refusal = store(device, parsed.value[0]!)
      return refusal === undefined ? OK : fail(refusal.errno)
    }
  }
  return file
}

function statistics(device: NetDevice): PseudoDirectory {
  return {
    list: () => Object.keys(STATISTICS),
    lookup: (_host, name) => {
      const count = Object.hasOwn(STATISTICS, name) ? STATISTICS[name]! : undefined
      return count === undefined ? undefined : { kind: 'file', file: { read: () => `${count(device.stats)}\n` } }
    },
  }
}

function deviceDirectory(device: NetDevice): PseudoDirectory {
  const further = () =>
    Object.assign({}, stacking(device), ...sysfsGroups(device.host.image).map((group) => group(device)))
  return {
    list: () => [...Object.keys(ATTRIBUTES), 'statistics', 'subsystem', ...Object.keys(further())].sort(),
    lookup(_host, name) {
      if (name === 'statistics') return { kind: 'directory', directory: statistics(device) }
      if (name === 'subsystem') return { kind: 'symlink', target: '../../../../class/net' }
      if (Object.hasOwn(ATTRIBUTES, name)) return { kind: 'file', file: attribute(device, name) }
      const more: Record<string, PseudoNode> = further()
      return Object.hasOwn(more, name) ? more[name] : undefined
    },
  }
}

/** Links to what is stacked on it, and what it is stacked on. Linux 6.1 net/core/dev.c: netdev_adjacent_sysfs_add(). */
function stacking(device: NetDevice): Record<string, PseudoNode> {
  const links: Record<string, PseudoNode> = {}
  const link = (other: NetDevice): PseudoNode => ({ kind: 'symlink', target: `../${other.name}` })
  for (const lower of device.lowers) links[`lower_${lower.name}`] = link(lower)
  for (const upper of device.uppers) links[`upper_${upper.name}`] = link(upper)
  if (device.master !== undefined) links.master = link(device.master)
  return links
}

function names(host: Host): string[] {
  return devices(host).map((device) => device.name)
}

/** A file that stands among the devices while `present` says so: `bonding_masters`, from its module's loading on. */
export interface ClassFile extends PseudoFile {
  present(host: Host): boolean
}

export function sysClassNetFiles(image: KernelImage): Map<string, ClassFile> {
  return image.slot<Map<string, ClassFile>>('kernel/net class files', () => new Map())
}

export function installSysClassNet(image: KernelImage): void {
  const files = sysClassNetFiles(image)
  image.procDirectory(VIRTUAL, {
    list: names,
    lookup: (host, name) => {
      const device = deviceByName(host, name)
      return device && { kind: 'directory', directory: deviceDirectory(device) }
    },
  })
  image.procDirectory('/sys/class/net', {
    list: (host) => [...names(host), ...[...files.keys()].filter((name) => files.get(name)!.present(host))],
    lookup(host, name) {
      const file = files.get(name)
      if (file?.present(host)) return { kind: 'file', file }
      return deviceByName(host, name) && { kind: 'symlink', target: `../../devices/virtual/net/${name}` }
    },
  })
}

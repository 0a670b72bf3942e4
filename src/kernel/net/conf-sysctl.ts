/**
 * net.ipv4.conf.* and net.ipv4.neigh.*: what may be written, and what a write does besides.
 *
 * A write to `all` is combined with a device's own value where it is read (see inetdev.ts), but for forwarding, which it
 * sets everywhere. A write to `default` reaches devices too, those that have no address yet and on which nobody wrote the
 * same; for most settings, not for all.
 *
 * Linux 6.1 net/ipv4/devinet.c: devinet_conf_proc(), devinet_sysctl_forward(), ipv4_doint_and_flush(),
 * inet_forward_change(); net/core/neighbour.c: neigh_sysctl_template.
 */
import { fail, type Host, type KernelImage, OK, parseIntegers, type Sysctl, type SysResult } from '#kernel/core'
import { deviceByName, devices, type NetState, netState } from './devices.ts'
import type { ConfName, InetConf } from './inetdev.ts'
import { HZ } from './jiffies.ts'
import type { NeighbourLink, NeighbourParms, ParmName } from './neighbour-parms.ts'
import { reachableJiffies } from './neighbour-parms.ts'
import type { NeighbourTable } from './neighbour-table.ts'

/** What a write does besides. 'plain': `default` reaches devices; 'flush': it doesn't, and routes are looked up anew. */
type Manner = 'plain' | 'flush' | 'forward' | 'read-only'

const CONF: [file: string, name: ConfName, manner: Manner][] = [
  ['accept_local', 'acceptLocal', 'plain'],
  ['accept_redirects', 'acceptRedirects', 'plain'],
  ['accept_source_route', 'acceptSourceRoute', 'plain'],
  ['arp_accept', 'arpAccept', 'plain'],
  ['arp_announce', 'arpAnnounce', 'plain'],
  ['arp_evict_nocarrier', 'arpEvictNocarrier', 'plain'],
  ['arp_filter', 'arpFilter', 'plain'],
  ['arp_ignore', 'arpIgnore', 'plain'],
  ['arp_notify', 'arpNotify', 'plain'],
  ['bc_forwarding', 'bcForwarding', 'plain'],
  ['bootp_relay', 'bootpRelay', 'plain'],
  ['disable_policy', 'disablePolicy', 'flush'],
  ['disable_xfrm', 'disableXfrm', 'flush'],
  ['drop_gratuitous_arp', 'dropGratuitousArp', 'plain'],
  ['drop_unicast_in_l2_multicast', 'dropUnicastInL2Multicast', 'flush'],
  ['force_igmp_version', 'forceIgmpVersion', 'plain'],
  ['forwarding', 'forwarding', 'forward'],
  ['igmpv2_unsolicited_report_interval', 'igmpv2UnsolicitedReportInterval', 'plain'],
  ['igmpv3_unsolicited_report_interval', 'igmpv3UnsolicitedReportInterval', 'plain'],
  ['ignore_routes_with_linkdown', 'ignoreRoutesWithLinkdown', 'plain'],
  ['log_martians', 'logMartians', 'plain'],
  ['mc_forwarding', 'mcForwarding', 'read-only'],
  ['medium_id', 'mediumId', 'plain'],
  ['promote_secondaries', 'promoteSecondaries', 'flush'],
  ['proxy_arp', 'proxyArp', 'plain'],
  ['proxy_arp_pvlan', 'proxyArpPvlan', 'plain'],
  ['route_localnet', 'routeLocalnet', 'flush'],
  ['rp_filter', 'rpFilter', 'plain'],
  ['secure_redirects', 'secureRedirects', 'plain'],
  ['send_redirects', 'sendRedirects', 'plain'],
  ['shared_media', 'sharedMedia', 'plain'],
  ['src_valid_mark', 'srcValidMark', 'plain'],
  ['tag', 'tag', 'plain'],
]

function confOf(host: Host, instance: string): InetConf {
  const net = netState.of(host)
  if (instance === 'all') return net.confAll
  if (instance === 'default') return net.confDefault
  return deviceByName(host, instance)!.inet.conf
}

/** Sets one value as a write to /proc/sys/net/ipv4/conf/INSTANCE does. */
export function setConf(host: Host, instance: string, name: ConfName, value: number, manner: Manner): void {
  const net = netState.of(host)
  // Routes that are kept were looked up with the old value; looking them up anew is never wrong.
  net.generation++
  if (manner === 'forward') {
    setForwarding(net, instance, value)
    return
  }
  const mark = manner === 'plain'
  if (instance === 'all') net.confAll = net.confAll.with(name, value, mark)
  else if (instance === 'default') setDefault(net, name, value, mark)
  else {
    const { inet } = deviceByName(host, instance)!
    inet.conf = inet.conf.with(name, value, mark)
  }
}

function setDefault(net: NetState, name: ConfName, value: number, reachesDevices: boolean): void {
  const former = net.confDefault
  net.confDefault = former.with(name, value, reachesDevices)
  if (!reachesDevices) return
  // Those that share the old default go on sharing one object.
  const shared = former.with(name, value, false)
  for (const { inet } of net.devices) {
    if (inet.settled || inet.conf.written.has(name)) continue
    inet.conf = inet.conf === former ? shared : inet.conf.with(name, value, false)
  }
}

/** net.ipv4.ip_forward is `all`'s: it sets `default` and every device, and redirects follow. Linux: inet_forward_change(). */
function setForwarding(net: NetState, instance: string, value: number): void {
  if (instance === 'default') {
    net.confDefault = net.confDefault.with('forwarding', value, false)
    return
  }
  if (instance !== 'all') {
    const { inet } = deviceByName(net.host, instance)!
    inet.conf = inet.conf.with('forwarding', value, false)
    return
  }
  if (net.confAll.forwarding === value) return
  const accept = value === 0 ? 1 : 0
  net.confAll = net.confAll.with('forwarding', value, false).with('acceptRedirects', accept, false)
  const former = net.confDefault
  net.confDefault = former.with('forwarding', value, false)
  for (const { inet } of net.devices) {
    if (inet.conf === former) inet.conf = net.confDefault
    else inet.conf = inet.conf.with('forwarding', value, true)
  }
}

/** net.ipv4.ip_forward, for whoever shows it under that name. */
export function ipForward(host: Host): number {
  return netState.of(host).confAll.forwarding
}

export function setIpForward(host: Host, value: number): void {
  setConf(host, 'all', 'forwarding', value, 'forward')
}

/** `all`, `default` and the devices; /proc/sys sorts by name. */
function confNames(host: Host): string[] {
  return ['all', 'default', ...deviceNames(host)].sort()
}

function deviceNames(host: Host): string[] {
  return devices(host)
    .map((device) => device.name)
    .sort()
}

function installConf(image: KernelImage): void {
  for (const [file, name, manner] of CONF) {
    const get = (host: Host, instance: string) => String(confOf(host, instance)[name])
    const set = (host: Host, instance: string, text: string): SysResult<void> => {
      const parsed = parseIntegers(text, 1)
      if (!parsed.ok) return parsed
      setConf(host, instance, name, parsed.value[0]!, manner)
      return OK
    }
    const sysctl = { name: `net.ipv4.conf.*.${file}`, list: confNames, get }
    image.sysctl(manner === 'read-only' ? sysctl : { ...sysctl, set })
  }
}

/** How a number of jiffies or bytes is written. Linux: NEIGH_SYSCTL_*_ENTRY. */
interface Unit {
  show(value: number): number
  /** Undefined if it can't be. */
  take(shown: number): number | undefined
}

const INT_MAX = 2 ** 31 - 1
/** The packet that unres_qlen counts: SKB_TRUESIZE(ETH_FRAME_LEN). */
const QUEUED_BYTES = 1514 + 256 + 320
const USER_HZ = 100

const COUNT: Unit = { show: (value) => value, take: (shown) => (shown >= 0 ? shown : undefined) }
const SECONDS: Unit = {
  show: (jiffies) => Math.floor(jiffies / HZ),
  take: (shown) => (Math.abs(shown) <= Math.floor(INT_MAX / HZ) ? shown * HZ : undefined),
}
const MILLISECONDS: Unit = {
  show: (jiffies) => Math.floor((jiffies * 1000) / HZ),
  take: (shown) => (shown >= 0 ? Math.ceil((shown * HZ) / 1000) : undefined),
}
const POSITIVE_MILLISECONDS: Unit = {
  ...MILLISECONDS,
  take: (shown) => (shown >= 1 ? MILLISECONDS.take(shown) : undefined),
}
const HUNDREDTHS: Unit = {
  show: (jiffies) => Math.floor((jiffies * USER_HZ) / HZ),
  take: (shown) => (shown >= 0 ? Math.floor((shown * HZ) / USER_HZ) : undefined),
}
const PACKETS: Unit = {
  show: (bytes) => Math.floor(bytes / QUEUED_BYTES),
  take: (shown) => (shown >= 0 && shown <= Math.floor(INT_MAX / QUEUED_BYTES) ? shown * QUEUED_BYTES : undefined),
}

const PARMS: [file: string, name: ParmName, unit: Unit][] = [
  ['anycast_delay', 'anycastDelay', HUNDREDTHS],
  ['app_solicit', 'appProbes', COUNT],
  ['base_reachable_time', 'baseReachable', SECONDS],
  ['base_reachable_time_ms', 'baseReachable', MILLISECONDS],
  ['delay_first_probe_time', 'delayProbe', SECONDS],
  ['gc_stale_time', 'gcStale', SECONDS],
  ['interval_probe_time_ms', 'intervalProbe', POSITIVE_MILLISECONDS],
  ['locktime', 'locktime', HUNDREDTHS],
  ['mcast_resolicit', 'mcastReprobes', COUNT],
  ['mcast_solicit', 'mcastProbes', COUNT],
  ['proxy_delay', 'proxyDelay', HUNDREDTHS],
  ['proxy_qlen', 'proxyQlen', COUNT],
  ['retrans_time', 'retransTime', HUNDREDTHS],
  ['retrans_time_ms', 'retransTime', MILLISECONDS],
  ['ucast_solicit', 'ucastProbes', COUNT],
  ['unres_qlen', 'queueLenBytes', PACKETS],
  ['unres_qlen_bytes', 'queueLenBytes', COUNT],
]

/** Whose neighbours the files are about: a family's table, and what it keeps for devices. */
export interface NeighSysctlSource {
  table(host: Host): NeighbourTable
  link(host: Host, name: string): NeighbourLink | undefined
  links(host: Host): NeighbourLink[]
  names(host: Host): string[]
}

const ARP: NeighSysctlSource = {
  table: (host) => netState.of(host).neighbours,
  link: (host, name) => deviceByName(host, name)?.inet,
  links: (host) => netState.of(host).devices.map((device) => device.inet),
  names: deviceNames,
}

function parmsOf(host: Host, instance: string, source: NeighSysctlSource): NeighbourParms {
  return instance === 'default' ? source.table(host).parms : source.link(host, instance)!.parms
}

/** Whether a write to `default` leaves a device's settings alone. */
function isSettled(link: NeighbourLink): boolean {
  return (link as { settled?: boolean }).settled === true
}

/** Sets one value as a write to /proc/sys/net/ipv4/neigh/INSTANCE does; times in jiffies. */
export function setParm(host: Host, instance: string, name: ParmName, value: number, source = ARP): void {
  const table = source.table(host)
  if (instance !== 'default') {
    const link = source.link(host, instance)!
    link.parms = link.parms.with(name, value, true)
    if (name === 'baseReachable') link.reachableDraw = -1 // Drawn anew, at once.
    return
  }
  const links = source.links(host)
  if (name === 'baseReachable') {
    // Devices take over the base, but keep what they drew until the next drawing.
    table.gc.settle()
    for (const link of links) reachableJiffies(link, table)
  }
  const former = table.parms
  table.parms = former.with(name, value, false)
  for (const link of links) {
    if (isSettled(link) || link.parms.written.has(name)) continue
    link.parms = link.parms === former ? table.parms : link.parms.with(name, value, false)
  }
}

/** net.FAMILY.neigh.*. */
export function installNeighSysctls(image: KernelImage, family: 'ipv4' | 'ipv6', source: NeighSysctlSource): void {
  // `default` has more files than the devices, and so a directory of its own.
  for (const each of ['default', '*']) {
    for (const [file, name, unit] of PARMS) {
      const nameOf = (instance: string) => (each === '*' ? instance : each)
      const sysctl: Sysctl = {
        name: `net.${family}.neigh.${each}.${file}`,
        get: (host, instance) => String(unit.show(parmsOf(host, nameOf(instance), source)[name])),
        set: (host, instance, text) => {
          const parsed = parseIntegers(text, 1)
          if (!parsed.ok) return parsed
          const value = unit.take(parsed.value[0]!)
          if (value === undefined) return fail('EINVAL')
          setParm(host, nameOf(instance), name, value, source)
          return OK
        },
      }
      if (each === '*') sysctl.list = source.names
      image.sysctl(sysctl)
    }
  }
  installThresholds(image, family, source)
}

/** The table's own settings, which stand beside `default` only. */
function installThresholds(image: KernelImage, family: string, source: NeighSysctlSource): void {
  const tables: [file: string, name: 'gcInterval' | 'gcThresh1' | 'gcThresh2' | 'gcThresh3', unit: Unit][] = [
    ['gc_interval', 'gcInterval', SECONDS],
    ['gc_thresh1', 'gcThresh1', COUNT],
    ['gc_thresh2', 'gcThresh2', COUNT],
    ['gc_thresh3', 'gcThresh3', COUNT],
  ]
  for (const [file, name, unit] of tables) {
    image.sysctl({
      name: `net.${family}.neigh.default.${file}`,
      get: (host) => String(unit.show(source.table(host)[name])),
      set: (host, _instance, text) => {
        const parsed = parseIntegers(text, 1)
        if (!parsed.ok) return parsed
        const value = unit.take(parsed.value[0]!)
        if (value === undefined) return fail('EINVAL')
        const table = source.table(host)
        table[name] = value
        table.gc.entriesChanged()
        return OK
      },
    })
  }
}

export function installConfSysctls(image: KernelImage): void {
  installConf(image)
  installNeighSysctls(image, 'ipv4', ARP)
}

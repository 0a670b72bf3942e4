/**
 * net.ipv4.* and net.ipv4.route.* with the kernel's ranges. Linux 6.1 net/ipv4/sysctl_net_ipv4.c, route.c, ip_fragment.c.
 */
import { NotModelled } from '#base/check'
import { fail, type Host, type KernelImage, OK, type SysResult } from '#kernel/core'
import { ipForward, setIpForward } from './conf-sysctl.ts'
import { type IpSysctls, inetState } from './ip-state.ts'
import { HZ } from './jiffies.ts'

type NumberField = { [K in keyof IpSysctls]: IpSysctls[K] extends number ? K : never }[keyof IpSysctls]

/** How a value is written: an integer with bounds, a number of jiffies shown in seconds or milliseconds. */
interface NumberSysctl {
  name: string
  field: NumberField
  low?: number
  high?: number
  unit?: 'seconds' | 'milliseconds'
}

const INT_MAX = 2147483647
const U8 = { low: 0, high: 255 }
const BOOLEAN = { low: 0, high: 1 }

const NUMBERS: NumberSysctl[] = [
  { name: 'net.ipv4.ip_default_ttl', field: 'defaultTtl', low: 1, high: 255 },
  { name: 'net.ipv4.ip_no_pmtu_disc', field: 'noPmtuDisc', ...U8 },
  { name: 'net.ipv4.ip_forward_use_pmtu', field: 'forwardUsePmtu', ...U8 },
  { name: 'net.ipv4.ip_forward_update_priority', field: 'forwardUpdatePriority', ...BOOLEAN },
  { name: 'net.ipv4.ip_nonlocal_bind', field: 'nonlocalBind', ...U8 },
  { name: 'net.ipv4.ip_early_demux', field: 'earlyDemux', ...U8 },
  { name: 'net.ipv4.ip_autobind_reuse', field: 'autobindReuse', ...BOOLEAN },
  { name: 'net.ipv4.ip_dynaddr', field: 'dynaddr', ...U8 },
  { name: 'net.ipv4.igmp_link_local_mcast_reports', field: 'igmpLinkLocalReports', ...U8 },
  { name: 'net.ipv4.igmp_max_memberships', field: 'igmpMaxMemberships' },
  { name: 'net.ipv4.igmp_max_msf', field: 'igmpMaxSources' },
  { name: 'net.ipv4.igmp_qrv', field: 'igmpQrv', low: 1, high: INT_MAX },
  { name: 'net.ipv4.fwmark_reflect', field: 'fwmarkReflect', ...U8 },
  { name: 'net.ipv4.icmp_echo_ignore_all', field: 'echoIgnoreAll', ...BOOLEAN },
  { name: 'net.ipv4.icmp_echo_ignore_broadcasts', field: 'echoIgnoreBroadcasts', ...BOOLEAN },
  { name: 'net.ipv4.icmp_echo_enable_probe', field: 'echoEnableProbe', ...BOOLEAN },
  { name: 'net.ipv4.icmp_ignore_bogus_error_responses', field: 'ignoreBogusErrors', ...BOOLEAN },
  { name: 'net.ipv4.icmp_errors_use_inbound_ifaddr', field: 'errorsUseInboundAddress', ...BOOLEAN },
  { name: 'net.ipv4.icmp_ratelimit', field: 'icmpRatelimit', unit: 'milliseconds' },
  { name: 'net.ipv4.icmp_ratemask', field: 'icmpRatemask' },
  { name: 'net.ipv4.icmp_msgs_per_sec', field: 'icmpPerSecond', low: 0, high: INT_MAX },
  { name: 'net.ipv4.icmp_msgs_burst', field: 'icmpBurst', low: 0, high: INT_MAX },
  { name: 'net.ipv4.ip_unprivileged_port_start', field: 'unprivilegedPortStart', low: 0, high: 65535 },
  { name: 'net.ipv4.fib_multipath_use_neigh', field: 'multipathUseNeighbour', ...BOOLEAN },
  { name: 'net.ipv4.fib_multipath_hash_policy', field: 'multipathHashPolicy', low: 0, high: 3 },
  { name: 'net.ipv4.ipfrag_time', field: 'fragmentTimeout', unit: 'seconds' },
  { name: 'net.ipv4.ipfrag_max_dist', field: 'fragmentMaxDistance', low: 0, high: INT_MAX },
  { name: 'net.ipv4.route.error_burst', field: 'errorBurst' },
  { name: 'net.ipv4.route.error_cost', field: 'errorCost' },
  { name: 'net.ipv4.route.gc_timeout', field: 'gcTimeout', unit: 'seconds' },
  { name: 'net.ipv4.route.min_adv_mss', field: 'minAdvmss' },
  { name: 'net.ipv4.route.min_pmtu', field: 'minPmtu', low: 68, high: INT_MAX },
  { name: 'net.ipv4.route.mtu_expires', field: 'mtuExpires', unit: 'seconds' },
  { name: 'net.ipv4.route.redirect_load', field: 'redirectLoad' },
  { name: 'net.ipv4.route.redirect_number', field: 'redirectNumber' },
  { name: 'net.ipv4.route.redirect_silence', field: 'redirectSilence' },
  { name: 'net.core.rmem_default', field: 'rmemDefault', low: 2304, high: INT_MAX },
  { name: 'net.core.rmem_max', field: 'rmemMax', low: 2304, high: INT_MAX },
  { name: 'net.core.wmem_default', field: 'wmemDefault', low: 4608, high: INT_MAX },
  { name: 'net.core.wmem_max', field: 'wmemMax', low: 4608, high: INT_MAX },
]

/** An integer as the kernel reads one from /proc/sys: decimal, 0x or octal. */
function parseInteger(text: string): number | undefined {
  const word = text.trim()
  if (!/^-?(0x[0-9a-f]+|\d+)$/i.test(word)) return undefined
  const digits = word.replace('-', '')
  const octal = /^0[0-7]+$/.test(digits)
  const value = Number(octal ? `0o${digits.slice(1)}` : digits)
  return word.startsWith('-') ? -value : value
}

/** Several integers in one file; undefined if there are not exactly as many. */
function parseIntegers(text: string, count: number): number[] | undefined {
  const words = text.trim().split(/\s+/)
  const values = words.map(parseInteger)
  return words.length === count && values.every((value) => value !== undefined) ? (values as number[]) : undefined
}

function shown(sysctl: NumberSysctl, value: number): number {
  if (sysctl.unit === 'seconds') return Math.trunc(value / HZ)
  return sysctl.unit === 'milliseconds' ? (value * 1000) / HZ : value
}

function install(image: KernelImage, sysctl: NumberSysctl): void {
  const { field, low = -INT_MAX - 1, high = INT_MAX } = sysctl
  image.sysctl({
    name: sysctl.name,
    get: (host) => String(shown(sysctl, inetState.of(host).sysctls[field])),
    set(host, _instance, text) {
      const value = parseInteger(text)
      if (value === undefined || value < low || value > high) return fail('EINVAL')
      if (field === 'echoEnableProbe' && value !== 0) throw new NotModelled('ICMP extended echo (RFC 8335)')
      const jiffies =
        sysctl.unit === 'seconds' ? value * HZ : sysctl.unit === 'milliseconds' ? Math.ceil((value * HZ) / 1000) : value
      const state = inetState.of(host)
      state.writableSysctls()[field] = jiffies
      state.net.generation++
      return OK
    },
  })
}

/** Ranges that one file shows as two numbers. */
function installPair(
  image: KernelImage,
  name: string,
  low: NumberField,
  high: NumberField,
  check: (values: [number, number], sysctls: Readonly<IpSysctls>) => [number, number] | undefined,
): void {
  image.sysctl({
    name,
    get(host) {
      const { sysctls } = inetState.of(host)
      return `${sysctls[low]}\t${sysctls[high]}`
    },
    set(host, _instance, text): SysResult<void> {
      const values = parseIntegers(text, 2)
      const state = inetState.of(host)
      const checked = values && check(values as [number, number], state.sysctls)
      if (!checked) return fail('EINVAL')
      const sysctls = state.writableSysctls()
      sysctls[low] = checked[0]
      sysctls[high] = checked[1]
      return OK
    },
  })
}

function installThreshold(image: KernelImage, name: string, field: 'fragmentHigh' | 'fragmentLow'): void {
  image.sysctl({
    name,
    get: (host) => String(inetState.of(host).sysctls[field]),
    set(host, _instance, text) {
      const value = parseInteger(text)
      const state = inetState.of(host)
      const { fragmentHigh, fragmentLow } = state.sysctls
      if (value === undefined || value < 0) return fail('EINVAL')
      if (field === 'fragmentHigh' ? value < fragmentLow : value > fragmentHigh) return fail('EINVAL')
      state.writableSysctls()[field] = value
      return OK
    },
  })
}

/** `8080,9148-9150` in order, joined where ranges touch. proc_do_large_bitmap(). */
function parsePorts(text: string): string | undefined {
  const ranges: [number, number][] = []
  for (const word of text.trim() === '' ? [] : text.trim().split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(word.trim())
    if (!match) return undefined
    const low = Number(match[1])
    const high = Number(match[2] ?? match[1])
    if (low > high || high > 65535) return undefined
    ranges.push([low, high])
  }
  ranges.sort((a, b) => a[0] - b[0])
  const joined: [number, number][] = []
  for (const [low, high] of ranges) {
    const last = joined[joined.length - 1]
    if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high)
    else joined.push([low, high])
  }
  return joined.map(([low, high]) => (low === high ? `${low}` : `${low}-${high}`)).join(',')
}

/** Forgets what redirects and path MTUs taught. ipv4_sysctl_rtcache_flush(). */
function flush(host: Host): SysResult<void> {
  const state = inetState.of(host)
  state.net.generation++
  state.exceptionGeneration++
  return OK
}

/** Installs them. */
export function installIpSysctls(image: KernelImage): void {
  image.sysctl({
    name: 'net.ipv4.ip_forward',
    get: (host) => String(ipForward(host)),
    set(host, _instance, text) {
      const value = parseInteger(text)
      if (value === undefined) return fail('EINVAL')
      setIpForward(host, value)
      return OK
    },
  })
  for (const sysctl of NUMBERS) install(image, sysctl)
  installPair(image, 'net.ipv4.ip_local_port_range', 'portLow', 'portHigh', ([low, high], sysctls) => {
    const bad = low < 1 || high > 65535 || low > 65535 || high < low || low < sysctls.unprivilegedPortStart
    return bad ? undefined : [low, high]
  })
  installPair(image, 'net.ipv4.ping_group_range', 'pingGroupLow', 'pingGroupHigh', ([low, high]) => {
    if (low < 0 || high < 0 || low > INT_MAX || high > INT_MAX) return undefined
    return high < low ? [1, 0] : [low, high]
  })
  installThreshold(image, 'net.ipv4.ipfrag_high_thresh', 'fragmentHigh')
  installThreshold(image, 'net.ipv4.ipfrag_low_thresh', 'fragmentLow')
  image.sysctl({
    name: 'net.ipv4.ip_local_reserved_ports',
    get: (host) => inetState.of(host).sysctls.reservedPorts,
    set(host, _instance, text) {
      const ports = parsePorts(text)
      if (ports === undefined) return fail('EINVAL')
      inetState.of(host).writableSysctls().reservedPorts = ports
      return OK
    },
  })
  image.sysctl({ name: 'net.ipv4.route.flush', get: () => '', set: (host) => flush(host), mode: 0o200 })
}

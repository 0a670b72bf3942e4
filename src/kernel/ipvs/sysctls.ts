/** The files of net.ipv4.vs.*. Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c: vs_vars[], proc_do_defense_mode(), proc_do_sync_threshold(). */
import { fail, type Host, type KernelImage, OK, parseIntegers, type Sysctl } from '#kernel/core'
import { HZ } from '#kernel/net'
import { IpvsSettings } from './settings.ts'
import { type Ipvs, ipvsState } from './state.ts'

/** What hosts have on which nothing was set. */
const DEFAULTS = new IpvsSettings()

type NumberKey = { [K in keyof IpvsSettings]: IpvsSettings[K] extends number ? K : never }[keyof IpvsSettings]

function read(host: Host): IpvsSettings {
  return ipvsState.peek(host)?.settings ?? DEFAULTS
}

interface Limits {
  min?: number
  max?: number
  unit?: number
  /** What else a value must be. */
  valid?(value: number): boolean
  before?(ipvs: Ipvs): void
  after?(ipvs: Ipvs): void
}

function number(name: string, key: NumberKey, limits: Limits = {}): Sysctl {
  const { min, max, unit = 1, valid, before, after } = limits
  return {
    name: `net.ipv4.vs.${name}`,
    get: (host) => String(Math.trunc(read(host)[key] / unit)),
    set(host, _instance, text) {
      const bounds: { min?: number; max?: number } = {}
      if (min !== undefined) bounds.min = min
      if (max !== undefined) bounds.max = max
      const parsed = parseIntegers(text, 1, bounds)
      if (!parsed.ok) return parsed
      const value = parsed.value[0]!
      if (valid !== undefined && !valid(value)) return fail('EINVAL')
      const ipvs = ipvsState.of(host)
      before?.(ipvs)
      ipvs.settings[key] = value * unit
      after?.(ipvs)
      return OK
    },
  }
}

/** A mode of defence: what it means shows at once. */
const MODE: Limits = { valid: (value) => value >= 0 && value <= 3, after: (ipvs) => ipvs.defence.update() }

/** Packets before a connection is told to a backup, and until it is told again. */
const THRESHOLD: Sysctl = {
  name: 'net.ipv4.vs.sync_threshold',
  get: (host) => read(host).syncThreshold.join('\t'),
  set(host, _instance, text) {
    const parsed = parseIntegers(text, 2)
    if (!parsed.ok) return parsed
    const { settings } = ipvsState.of(host)
    const [first = 0, period = settings.syncThreshold[1]] = parsed.value
    if (first < 0 || period < 0 || (first >= period && period !== 0)) return fail('EINVAL')
    settings.syncThreshold = [first, period]
    return OK
  },
}

/** Installs them, in the kernel's order. */
export function installIpvsSysctls(image: KernelImage): void {
  const add = (name: string, key: NumberKey, limits?: Limits) => image.sysctl(number(name, key, limits))
  add('amemthresh', 'amemthresh')
  add('am_droprate', 'amDroprate')
  add('drop_entry', 'dropEntry', MODE)
  add('drop_packet', 'dropPacket', MODE)
  add('conntrack', 'conntrack')
  add('secure_tcp', 'secureTcp', MODE)
  add('snat_reroute', 'snatReroute')
  add('sync_version', 'syncVersion', { min: 0, max: 1 })
  add('sync_ports', 'syncPorts', { valid: (value) => value >= 1 && Math.log2(value) % 1 === 0 })
  add('sync_persist_mode', 'syncPersistMode')
  add('sync_qlen_max', 'syncQlenMax', { min: 0 })
  add('sync_sock_size', 'syncSockSize')
  add('cache_bypass', 'cacheBypass')
  add('expire_nodest_conn', 'expireNodestConn')
  add('sloppy_tcp', 'sloppyTcp')
  add('sloppy_sctp', 'sloppySctp')
  add('expire_quiescent_template', 'expireQuiescentTemplate')
  image.sysctl(THRESHOLD)
  const most = Math.floor((2 ** 31 - 1) / HZ)
  add('sync_refresh_period', 'syncRefreshPeriod', { unit: HZ, min: -most, max: most })
  add('sync_retries', 'syncRetries', { min: 0, max: 3 })
  add('nat_icmp_send', 'natIcmpSend')
  add('pmtu_disc', 'pmtuDisc')
  add('backup_only', 'backupOnly')
  add('conn_reuse_mode', 'connReuseMode')
  add('schedule_icmp', 'scheduleIcmp')
  add('ignore_tunneled', 'ignoreTunneled')
  add('run_estimation', 'runEstimation', { before: (ipvs) => ipvs.settleStats() })
}

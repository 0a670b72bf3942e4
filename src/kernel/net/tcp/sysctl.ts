/** net.ipv4.tcp_* and net.core.somaxconn as files, with the kernel's ranges. Linux 6.1 net/ipv4/sysctl_net_ipv4.c. */
import { fail, type Host, type KernelImage, OK, type SysResult } from '#kernel/core'
import { HZ } from '../jiffies.ts'
import { congestionControls } from './congestion-controls.ts'
import { tcpState } from './host.ts'
import { TCP_DEFAULTS, type TcpSysctls } from './sysctls.ts'

type NumberField = { [K in keyof TcpSysctls]: TcpSysctls[K] extends number ? K : never }[keyof TcpSysctls]

/** How a value is kept: as it is, or in jiffies. */
type Unit = 'seconds' | 'milliseconds' | undefined

const INT_MAX = 2147483647
const INT_MIN = -2147483648

/** Name behind `tcp_`, field, least and most. */
const NUMBERS: [name: string, field: NumberField, low: number, high: number, unit?: Unit][] = [
  ['abort_on_overflow', 'abortOnOverflow', 0, 255],
  ['adv_win_scale', 'advWinScale', -31, 31],
  ['app_win', 'appWin', 0, 31],
  ['autocorking', 'autocorking', 0, 255],
  ['base_mss', 'baseMss', INT_MIN, INT_MAX],
  ['challenge_ack_limit', 'challengeAckLimit', INT_MIN, INT_MAX],
  ['child_ehash_entries', 'childEhashEntries', 0, 16777216],
  ['comp_sack_delay_ns', 'compSackDelayNs', 0, INT_MAX],
  ['comp_sack_nr', 'compSackNr', 0, 255],
  ['comp_sack_slack_ns', 'compSackSlackNs', 0, INT_MAX],
  ['dsack', 'dsack', 0, 255],
  ['early_demux', 'earlyDemux', 0, 255],
  ['early_retrans', 'earlyRetrans', 0, 4],
  ['ecn', 'ecn', 0, 2],
  ['ecn_fallback', 'ecnFallback', 0, 1],
  ['fack', 'fack', 0, 255],
  ['fastopen', 'fastopen', INT_MIN, INT_MAX],
  ['fastopen_blackhole_timeout_sec', 'fastopenBlackhole', 0, INT_MAX],
  ['fin_timeout', 'finTimeout', INT_MIN / HZ, INT_MAX / HZ, 'seconds'],
  ['frto', 'frto', 0, 255],
  ['fwmark_accept', 'fwmarkAccept', 0, 255],
  ['invalid_ratelimit', 'invalidRatelimit', INT_MIN, INT_MAX, 'milliseconds'],
  ['keepalive_intvl', 'keepaliveIntvl', INT_MIN, INT_MAX, 'seconds'],
  ['keepalive_probes', 'keepaliveProbes', 0, 255],
  ['keepalive_time', 'keepaliveTime', INT_MIN, INT_MAX, 'seconds'],
  ['l3mdev_accept', 'l3mdevAccept', 0, 1],
  ['limit_output_bytes', 'limitOutputBytes', INT_MIN, INT_MAX],
  ['max_reordering', 'maxReordering', INT_MIN, INT_MAX],
  ['max_syn_backlog', 'maxSynBacklog', INT_MIN, INT_MAX],
  ['max_tw_buckets', 'maxTwBuckets', INT_MIN, INT_MAX],
  ['migrate_req', 'migrateReq', 0, 1],
  ['min_rtt_wlen', 'minRttWlen', 0, 86400],
  ['min_snd_mss', 'minSndMss', 48, 65535],
  ['min_tso_segs', 'minTsoSegs', 1, 255],
  ['moderate_rcvbuf', 'moderateRcvbuf', 0, 255],
  ['mtu_probe_floor', 'mtuProbeFloor', 48, 65535],
  ['mtu_probing', 'mtuProbing', 0, 255],
  ['no_metrics_save', 'noMetricsSave', 0, 255],
  ['no_ssthresh_metrics_save', 'noSsthreshMetricsSave', 0, 1],
  ['notsent_lowat', 'notsentLowat', 0, 4294967295],
  ['orphan_retries', 'orphanRetries', 0, 255],
  ['pacing_ca_ratio', 'pacingCaRatio', 0, 1000],
  ['pacing_ss_ratio', 'pacingSsRatio', 0, 1000],
  ['probe_interval', 'probeInterval', 0, 4294967295],
  ['probe_threshold', 'probeThreshold', INT_MIN, INT_MAX],
  ['recovery', 'recovery', 0, 255],
  ['reflect_tos', 'reflectTos', 0, 1],
  ['reordering', 'reordering', INT_MIN, INT_MAX],
  ['retrans_collapse', 'retransCollapse', 0, 255],
  ['retries1', 'retries1', 0, 255],
  ['retries2', 'retries2', 0, 255],
  ['rfc1337', 'rfc1337', 0, 255],
  ['sack', 'sack', 0, 255],
  ['shrink_window', 'shrinkWindow', 0, 1],
  ['slow_start_after_idle', 'slowStartAfterIdle', 0, 255],
  ['stdurg', 'stdurg', 0, 255],
  ['syn_retries', 'synRetries', 1, 127],
  ['synack_retries', 'synackRetries', 0, 255],
  ['syncookies', 'syncookies', 0, 255],
  ['thin_linear_timeouts', 'thinLinearTimeouts', 0, 255],
  ['timestamps', 'timestamps', 0, 255],
  ['tso_rtt_log', 'tsoRttLog', 0, 255],
  ['tso_win_divisor', 'tsoWinDivisor', 0, 255],
  ['tw_reuse', 'twReuse', 0, 2],
  ['window_scaling', 'windowScaling', 0, 255],
  ['workaround_signed_windows', 'workaroundSignedWindows', 0, 255],
]

/** An integer as the kernel reads one from /proc/sys: decimal, 0x or octal. */
function parseInteger(text: string): number | undefined {
  if (!/^-?(0x[0-9a-f]+|\d+)$/i.test(text)) return undefined
  const digits = text.replace('-', '')
  const value = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits)
  return text.startsWith('-') ? -value : value
}

function settings(host: Host): Readonly<TcpSysctls> {
  return tcpState.peek(host)?.sysctls ?? TCP_DEFAULTS
}

function installNumber(
  image: KernelImage,
  name: string,
  field: NumberField,
  low: number,
  high: number,
  unit?: Unit,
): void {
  const scale = unit === 'seconds' ? HZ : unit === 'milliseconds' ? HZ / 1000 : 1
  image.sysctl({
    name,
    get: (host) => String(settings(host)[field] / scale),
    set(host, _instance, text): SysResult<void> {
      const value = parseInteger(text.trim())
      if (value === undefined || value < low || value > high) return fail('EINVAL')
      tcpState.of(host).writableSysctls()[field] = Math.ceil(value * scale)
      return OK
    },
  })
}

/** Three numbers in one file. */
function installThree(image: KernelImage, name: string, fields: [NumberField, NumberField, NumberField]): void {
  image.sysctl({
    name,
    get: (host) => fields.map((field) => settings(host)[field]).join('\t'),
    set(host, _instance, text): SysResult<void> {
      const values = text.trim().split(/\s+/).map(parseInteger)
      if (values.length > 3 || values.some((value) => value === undefined || value < 1 || value > INT_MAX)) {
        return fail('EINVAL')
      }
      const sysctls = tcpState.of(host).writableSysctls()
      for (const [i, value] of values.entries()) sysctls[fields[i]!] = value!
      return OK
    },
  })
}

/** Installs them. */
export function installTcpSysctls(image: KernelImage): void {
  for (const [name, field, low, high, unit] of NUMBERS) {
    installNumber(image, `net.ipv4.tcp_${name}`, field, low, high, unit)
  }
  installNumber(image, 'net.core.somaxconn', 'somaxconn', 0, INT_MAX)
  installThree(image, 'net.ipv4.tcp_rmem', ['rmem0', 'rmem1', 'rmem2'])
  installThree(image, 'net.ipv4.tcp_wmem', ['wmem0', 'wmem1', 'wmem2'])
  const known = Object.keys(congestionControls).join(' ')
  image.sysctl({ name: 'net.ipv4.tcp_available_congestion_control', get: () => known })
  image.sysctl({
    name: 'net.ipv4.tcp_allowed_congestion_control',
    get: (host) => settings(host).allowedCongestionControl,
    set(host, _instance, text): SysResult<void> {
      const names = text.trim().split(/\s+/)
      if (names.some((name) => !(name in congestionControls))) return fail('ENOENT')
      tcpState.of(host).writableSysctls().allowedCongestionControl = names.join(' ')
      return OK
    },
  })
  image.sysctl({
    name: 'net.ipv4.tcp_congestion_control',
    get: (host) => settings(host).congestionControl,
    set(host, _instance, text): SysResult<void> {
      const name = text.trim()
      if (!Object.hasOwn(congestionControls, name)) return fail('ENOENT')
      tcpState.of(host).writableSysctls().congestionControl = name
      return OK
    },
  })
  image.sysctl({
    name: 'net.ipv4.tcp_fastopen_key',
    get: () => '00000000-00000000-00000000-00000000',
    mode: 0o600,
  })
  // Hosts have tables of their own only where the kernel's command line says so: a shared one is shown as negative.
  image.sysctl({ name: 'net.ipv4.tcp_ehash_entries', get: () => '-16384' })
}

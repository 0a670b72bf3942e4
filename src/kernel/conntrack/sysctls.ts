/** net.netfilter.nf_conntrack_*. Linux 6.1 net/netfilter/nf_conntrack_standalone.c: nf_ct_sysctl_table[]. */
import { fail, type Host, type KernelImage, OK, parseIntegers, type Sysctl } from '#kernel/core'
import { HZ } from '#kernel/net'
import { type ConntrackLimits, ConntrackSettings, TCP_TIMEOUT_RETRANS, TCP_TIMEOUT_UNACK } from './settings.ts'
import { conntrackLimits, conntrackState } from './state.ts'

/** What hosts have on which nothing was set. */
const DEFAULTS = new ConntrackSettings()

const INT_MAX = 2 ** 31 - 1

function read(host: Host): ConntrackSettings {
  return conntrackState.peek(host)?.settings ?? DEFAULTS
}

interface Access {
  get(settings: ConntrackSettings): number
  set(settings: ConntrackSettings, value: number): void
}

type NumberKey = {
  [K in keyof ConntrackSettings]: ConntrackSettings[K] extends number ? K : never
}[keyof ConntrackSettings]

function plain(key: NumberKey): Access {
  return {
    get: (settings) => settings[key],
    set(settings, value) {
      settings[key] = value
    },
  }
}

function member(key: 'tcp' | 'sctp' | 'kept', index: number): Access {
  return {
    get: (settings) => settings[key][index]!,
    set(settings, value) {
      settings[key][index] = value
    },
  }
}

function sysctl(name: string, access: Access, min: number, max: number, unit: number): Sysctl {
  return {
    name: `net.netfilter.${name}`,
    get: (host) => String(Math.trunc(access.get(read(host)) / unit)),
    set(host, _instance, text) {
      const parsed = parseIntegers(text, 1, { min, max })
      if (!parsed.ok) return parsed
      access.set(conntrackState.of(host).settings, parsed.value[0]! * unit)
      return OK
    },
  }
}

/** What only the machine's initial namespace may set. */
function limit(name: string, key: keyof ConntrackLimits, min: number): Sysctl {
  return {
    name: `net.netfilter.${name}`,
    get: (host) => String(conntrackLimits.of(host)[key]),
    set(host, _instance, text) {
      if (host.base !== undefined) return fail('EACCES')
      const parsed = parseIntegers(text, 1, { min, max: INT_MAX })
      if (!parsed.ok) return parsed
      conntrackLimits.of(host)[key] = parsed.value[0]!
      return OK
    },
  }
}

/** Seconds, kept in jiffies. proc_dointvec_jiffies(). */
function seconds(image: KernelImage, name: string, access: Access): void {
  const most = Math.floor(INT_MAX / HZ)
  image.sysctl(sysctl(name, access, -most, most, HZ))
}

const TCP_TIMEOUTS: [string, number][] = [
  ['syn_sent', 1],
  ['syn_recv', 2],
  ['established', 3],
  ['fin_wait', 4],
  ['close_wait', 5],
  ['last_ack', 6],
  ['time_wait', 7],
  ['close', 8],
  ['max_retrans', TCP_TIMEOUT_RETRANS],
  ['unacknowledged', TCP_TIMEOUT_UNACK],
]

const SCTP_TIMEOUTS = [
  'closed',
  'cookie_wait',
  'cookie_echoed',
  'established',
  'shutdown_sent',
  'shutdown_recd',
  'shutdown_ack_sent',
  'heartbeat_sent',
]

/** Those of protocols that are tracked by a timer alone here, and of flow tables: kept, and without effect. Seconds. */
const KEPT: string[] = [
  'nf_conntrack_dccp_timeout_request',
  'nf_conntrack_dccp_timeout_respond',
  'nf_conntrack_dccp_timeout_partopen',
  'nf_conntrack_dccp_timeout_open',
  'nf_conntrack_dccp_timeout_closereq',
  'nf_conntrack_dccp_timeout_closing',
  'nf_conntrack_dccp_timeout_timewait',
  'nf_flowtable_tcp_timeout',
  'nf_flowtable_udp_timeout',
]

/** Installs them. */
export function installConntrackSysctls(image: KernelImage): void {
  const max = limit('nf_conntrack_max', 'max', 0)
  image.sysctl(max)
  image.sysctl({ ...max, name: 'net.nf_conntrack_max' })
  image.sysctl({
    name: 'net.netfilter.nf_conntrack_count',
    get: (host) => String(conntrackState.peek(host)?.count ?? 0),
  })
  image.sysctl(limit('nf_conntrack_buckets', 'buckets', 1))
  image.sysctl(limit('nf_conntrack_expect_max', 'expectMax', 1))
  image.sysctl(sysctl('nf_conntrack_checksum', plain('checksum'), 0, 1, 1))
  image.sysctl(sysctl('nf_conntrack_log_invalid', plain('logInvalid'), 0, 255, 1))
  image.sysctl(sysctl('nf_conntrack_acct', plain('acct'), 0, 1, 1))
  image.sysctl(sysctl('nf_conntrack_events', plain('events'), 0, 2, 1))
  image.sysctl(sysctl('nf_conntrack_timestamp', plain('timestamp'), 0, 1, 1))
  image.sysctl(sysctl('nf_conntrack_tcp_loose', plain('tcpLoose'), 0, 1, 1))
  image.sysctl(sysctl('nf_conntrack_tcp_be_liberal', plain('tcpBeLiberal'), 0, 1, 1))
  image.sysctl(sysctl('nf_conntrack_tcp_ignore_invalid_rst', plain('tcpIgnoreInvalidRst'), 0, 1, 1))
  image.sysctl(sysctl('nf_conntrack_tcp_max_retrans', plain('tcpMaxRetrans'), 0, 255, 1))
  image.sysctl(sysctl('nf_conntrack_dccp_loose', plain('dccpLoose'), 0, 1, 1))
  seconds(image, 'nf_conntrack_generic_timeout', plain('generic'))
  seconds(image, 'nf_conntrack_udp_timeout', plain('udp'))
  seconds(image, 'nf_conntrack_udp_timeout_stream', plain('udpStream'))
  seconds(image, 'nf_conntrack_icmp_timeout', plain('icmp'))
  seconds(image, 'nf_conntrack_icmpv6_timeout', plain('icmpv6'))
  seconds(image, 'nf_conntrack_gre_timeout', plain('gre'))
  seconds(image, 'nf_conntrack_gre_timeout_stream', plain('greStream'))
  for (const [name, index] of TCP_TIMEOUTS) seconds(image, `nf_conntrack_tcp_timeout_${name}`, member('tcp', index))
  SCTP_TIMEOUTS.forEach((name, i) => {
    seconds(image, `nf_conntrack_sctp_timeout_${name}`, member('sctp', i + 1))
  })
  // Lightweight tunnels have no hooks here, and IPv6's fragments are told of by other files.
  image.sysctl(sysctl('nf_hooks_lwtunnel', plain('hooksLwtunnel'), 0, 1, 1))
  image.sysctl(sysctl('nf_conntrack_frag6_high_thresh', plain('frag6High'), 0, INT_MAX, 1))
  image.sysctl(sysctl('nf_conntrack_frag6_low_thresh', plain('frag6Low'), 0, INT_MAX, 1))
  seconds(image, 'nf_conntrack_frag6_timeout', plain('frag6Timeout'))
  KEPT.forEach((name, i) => {
    seconds(image, name, member('kept', i))
  })
}

/** Services and servers as a table, or as rules that -R reads. */
import type { Body } from '#kernel/core'
import type { DestMessage, ServiceMessage, StatsMessage } from '#kernel/ipvs'
import { formatIpv4 } from '#wire/inet'
import { type Format, formatCounter, type Names } from './format.ts'
import {
  AF_INET6,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_LOCALNODE,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  IP_VS_SVC_F_SCHED3,
  SCHED_FLAGS,
} from './request.ts'
import { TUNNELS } from './rules.ts'
import { protocolWord } from './values.ts'

const SERVER = '  -> RemoteAddress:Port'
const SERVICE = 'Prot LocalAddress:Port'
/** How much of an IPv4 service's and server's name there is room for. */
const SERVICE_WIDTH = 33
const SERVER_WIDTH = 28

function heading(columns: string[], widths: number[]): string {
  return `${SERVICE.padEnd(SERVICE_WIDTH)}${columns.map((name, i) => ` ${name.padEnd(widths[i]!)}`).join('')}\n${SERVER}\n`
}

const counterHeading = (...columns: string[]) =>
  `${SERVICE.padEnd(SERVICE_WIDTH)}${columns.map((name) => ` ${name.padStart(8)}`).join('')}\n${SERVER}\n`

const TITLES: Record<Format['columns'], string> = {
  usual: `${SERVICE} Scheduler Flags\n${SERVER.padEnd(33)} Forward Weight ActiveConn InActConn\n`,
  'tun-info': `${SERVICE} Scheduler Flags\n${SERVER.padEnd(33)} Forward TunnelInfo    Weight ActiveConn InActConn\n`,
  stats: counterHeading('Conns', 'InPkts', 'OutPkts', 'InBytes', 'OutBytes'),
  rate: counterHeading('CPS', 'InPPS', 'OutPPS', 'InBPS', 'OutBPS'),
  thresholds: heading(['Uthreshold', 'Lthreshold', 'ActiveConn', 'InActConn'], [10, 10, 10, 10]),
  'persistent-conn': heading(['Weight', 'PersistConn', 'ActiveConn', 'InActConn'], [9, 11, 10, 10]),
}

/** What stands above a table; nothing above rules. */
export function title(format: Format): string {
  return format.rules ? '' : TITLES[format.columns]
}

const SERVICE_OPTIONS: Record<string, string> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' }

/** A service with its servers. */
export function* formatService(
  service: ServiceMessage,
  dests: readonly DestMessage[],
  format: Format,
  names: Names,
): Body<string> {
  const name = yield* serviceLabel(service, format, names)
  let text = `${format.rules ? serviceRule(service, name) : serviceLine(service, name, format)}\n`
  for (const dest of dests) {
    // Of a mark's packets no protocol is known, so that their ports have no names.
    const protocol = service.fwmark !== 0 ? 0 : service.protocol
    const whole = yield* names.of(dest.af, dest.addr, dest.port, protocol)
    if (format.rules) {
      text += `-a ${name} -r ${whole} ${FORWARD[dest.fwdMethod]?.option} -w ${dest.weight}${tunnelRule(dest)}\n`
      continue
    }
    const shown = dest.af === AF_INET6 ? whole : whole.slice(0, SERVER_WIDTH)
    text += `  -> ${shown.padEnd(SERVER_WIDTH)}${destColumns(dest, format)}\n`
  }
  return text
}

/** How a service is named, in a table or on a command line. */
function* serviceLabel(service: ServiceMessage, format: Format, names: Names): Body<string> {
  const v6 = service.af === AF_INET6
  if (service.fwmark !== 0) {
    // As %d has it.
    const mark = service.fwmark | 0
    return format.rules ? `-f ${mark}${v6 ? ' -6' : ''}` : `FWM  ${mark}${v6 ? ' IPv6' : ''}`
  }
  const name = yield* names.of(service.af, service.addr, service.port, service.protocol)
  const word = protocolWord(service.protocol)
  if (format.rules) return `${word === undefined ? '--xxx-service' : SERVICE_OPTIONS[word]} ${name}`
  const label = `${(word?.toUpperCase() ?? '?').padEnd(4)} ${name}`
  return v6 ? label : label.slice(0, SERVICE_WIDTH)
}

function serviceRule(service: ServiceMessage, name: string): string {
  let text = `-A ${name} -s ${service.schedName}`
  if (service.flags & IP_VS_SVC_F_PERSISTENT) {
    text += ` -p ${service.timeout}`
    const mask = netmask(service)
    if (mask !== undefined) text += ` -M ${mask}`
  }
  if (service.peName) text += ` --pe ${service.peName}`
  if (service.flags & IP_VS_SVC_F_ONEPACKET) text += ' -o'
  if (service.flags & SCHED_FLAGS) text += ` -b ${schedFlags(service)}`
  return text
}

function serviceLine(service: ServiceMessage, name: string, format: Format): string {
  if (format.columns === 'stats' || format.columns === 'rate')
    return `${name.padEnd(SERVICE_WIDTH)}${counters(service.stats, format)}`
  let text = `${name} ${service.schedName}`
  if (service.flags & SCHED_FLAGS) text += ` (${schedFlags(service)})`
  if (service.flags & IP_VS_SVC_F_PERSISTENT) {
    text += ` persistent ${service.timeout}`
    const mask = netmask(service)
    if (mask !== undefined) text += ` mask ${mask}`
    if (service.peName) text += ` pe ${service.peName}`
  }
  if (service.flags & IP_VS_SVC_F_ONEPACKET) text += ' ops'
  return text
}

/** Unless it is a whole address. */
function netmask(service: ServiceMessage): string | undefined {
  if (service.af === AF_INET6) return service.netmask === 128 ? undefined : String(service.netmask)
  return service.netmask >>> 0 === 0xffffffff ? undefined : formatIpv4(service.netmask >>> 0)
}

const FLAGS: [flag: number, bySchedulers: Record<string, string | undefined>, usual: string][] = [
  [IP_VS_SVC_F_SCHED1, { sh: 'sh-fallback', mh: 'mh-fallback' }, 'flag-1'],
  [IP_VS_SVC_F_SCHED2, { sh: 'sh-port', mh: 'mh-port' }, 'flag-2'],
  [IP_VS_SVC_F_SCHED3, { sh: '', mh: '' }, 'flag-3'],
]

function schedFlags(service: ServiceMessage): string {
  return FLAGS.filter(([flag]) => service.flags & flag)
    .map(([, names, usual]) => (Object.hasOwn(names, service.schedName) ? names[service.schedName] : usual))
    .filter((name) => name !== '')
    .join(',')
}

const FORWARD: Record<number, { word: string; option: string }> = {
  [IP_VS_CONN_F_MASQ]: { word: 'Masq', option: '-m' },
  [IP_VS_CONN_F_LOCALNODE]: { word: 'Local', option: '-g' },
  [IP_VS_CONN_F_TUNNEL]: { word: 'Tunnel', option: '-i' },
  [IP_VS_CONN_F_DROUTE]: { word: 'Route', option: '-g' },
}

/** By a tunnel's flags. */
const CHECKSUMS = [
  { sign: '-c', option: '--tun-nocsum' },
  { sign: '+c', option: '--tun-csum' },
  { sign: 'r+c', option: '--tun-remcsum' },
]

function tunnelRule(dest: DestMessage): string {
  if (dest.fwdMethod !== IP_VS_CONN_F_TUNNEL) return ''
  const type = TUNNELS[dest.tunType]!
  const checksum = CHECKSUMS[dest.tunFlags]?.option
  if (type === 'gue') return ` --tun-type gue --tun-port ${dest.tunPort} ${checksum}`
  return type === 'gre' ? ` --tun-type gre ${checksum}` : ` --tun-type ${type}`
}

function tunnelInfo(dest: DestMessage): string {
  if (dest.fwdMethod !== IP_VS_CONN_F_TUNNEL) return 'n/a'
  const type = TUNNELS[dest.tunType]!
  const checksum = CHECKSUMS[dest.tunFlags]?.sign
  const text = type === 'gue' ? `gue:${dest.tunPort}:${checksum}` : type === 'gre' ? `gre:${checksum}` : type
  return text.slice(0, 15)
}

function destColumns(dest: DestMessage, format: Format): string {
  const column = (value: number | string, width: number) => ` ${String(value).padEnd(width)}`
  const connections = column(dest.activeConns, 10) + column(dest.inactConns, 10)
  const forward = column(FORWARD[dest.fwdMethod]?.word ?? '(null)', 7)
  switch (format.columns) {
    case 'stats':
      return counters(dest.stats, format)
    case 'rate': {
      const { cps, inPps, outPps, inBps, outBps } = dest.stats
      const packets = [cps, inPps, outPps].map((value) => ` ${String(value).padStart(8)}`).join('')
      return packets + formatCounter(inBps, format.exact) + formatCounter(outBps, format.exact)
    }
    case 'thresholds':
      return column(dest.uThresh, 10) + column(dest.lThresh, 10) + connections
    case 'persistent-conn':
      return column(dest.weight, 9) + column(dest.persistConns, 11) + connections
    case 'tun-info':
      return forward + column(tunnelInfo(dest), 13) + column(dest.weight, 6) + connections
    default:
      return forward + column(dest.weight, 6) + connections
  }
}

function counters(stats: StatsMessage, { columns, exact }: Format): string {
  const values =
    columns === 'stats'
      ? [stats.conns, stats.inPkts, stats.outPkts, stats.inBytes, stats.outBytes]
      : [stats.cps, stats.inPps, stats.outPps, stats.inBps, stats.outBps]
  return values.map((value) => formatCounter(value, exact)).join('')
}

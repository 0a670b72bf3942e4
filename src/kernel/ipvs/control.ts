/**
 * What programs ask of IPVS: the family "IPVS" of generic netlink, as objects with the kernel's names. One request, its
 * answers: a NEW, SET, DEL, ZERO or FLUSH request is answered by an empty list, a GET by messages, a mistake by the
 * kernel's errno.
 *
 *     sys.netlink({ type: 'IPVS_CMD_NEW_SERVICE', service: { af: AF_INET, protocol: 6, addr, port: 80 }, schedName: 'rr',
 *       flags: 0, flagsMask: 0xffffffff, timeout: 0, netmask: 0xffffffff })
 *     sys.netlink({ type: 'IPVS_CMD_GET_SERVICE' }) // All of them.
 *
 * The first request loads the module, as the kernel does by the family's alias.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_genl_set_cmd(), ip_vs_genl_get_cmd(), ip_vs_genl_dump_*();
 * include/uapi/linux/ip_vs.h.
 */
import type { Errno, Host, KernelImage, NetlinkAnswer } from '#kernel/core'
import { HZ } from '#kernel/net'
import { IPPROTO_TCP, IPPROTO_UDP } from '#wire/inet'
import { CONN_TABLE_SIZE } from './conn-table.ts'
import type { Dest } from './dest.ts'
import { addDest, deleteDest, editDest } from './edit-dest.ts'
import { addService, deleteService, editService, flushServices, zeroService } from './edit-service.ts'
import { loadIpvs } from './module.ts'
import type { Service } from './service.ts'
import { type Ipvs, ipvsState } from './state.ts'
import type { StatsMessage } from './stats.ts'
import { startSyncThread, stopSyncThread, syncDaemons } from './sync.ts'
import {
  AF_INET,
  AF_INET6,
  type Family,
  type InetAddr,
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_STATE_NONE,
  IP_VS_TCP_S_ESTABLISHED,
  IP_VS_TCP_S_FIN_WAIT,
  IP_VS_UDP_S_NORMAL,
  IP_VS_VERSION_CODE,
} from './uapi.ts'

/** Which service: by a firewall mark, or by protocol, address and port. */
export interface ServiceKey {
  af: Family
  fwmark?: number
  protocol?: number
  addr?: InetAddr
  port?: number
}

/** What a service is to be. All but the engine must be there. */
export interface ServiceFields {
  /** "none": no scheduler. */
  schedName: string
  /** The persistence engine: "sip". */
  peName?: string
  /** IP_VS_SVC_F_*: the bits among those of `flagsMask`; the others stay. */
  flags: number
  flagsMask: number
  /** Of templates, in seconds. */
  timeout: number
  /** A mask; for IPv6 the length of a prefix. */
  netmask: number
}

export interface DestKey {
  /** Absent: the service's. */
  af?: Family
  addr: InetAddr
  port: number
}

export interface DestFields {
  /** IP_VS_CONN_F_MASQ, _LOCALNODE, _TUNNEL or _DROUTE. */
  fwdMethod: number
  weight: number
  uThresh: number
  lThresh: number
  tunType?: number
  tunPort?: number
  tunFlags?: number
}

/** A synchronisation daemon; what is absent or 0 gets its default when it starts. */
export interface DaemonMessage {
  type?: 'IPVS_CMD_NEW_DAEMON'
  /** IP_VS_STATE_MASTER or _BACKUP. */
  state: number
  mcastIfn: string
  syncId: number
  syncMaxlen?: number
  mcastGroup?: InetAddr
  mcastPort?: number
  mcastTtl?: number
}

export interface ServiceMessage {
  type: 'IPVS_CMD_NEW_SERVICE'
  af: Family
  /** 0 if there is none; else `protocol`, `addr` and `port` say nothing. */
  fwmark: number
  protocol: number
  addr: InetAddr
  port: number
  schedName: string
  peName?: string
  flags: number
  timeout: number
  netmask: number
  stats: StatsMessage
}

export interface DestMessage {
  type: 'IPVS_CMD_NEW_DEST'
  af: Family
  addr: InetAddr
  port: number
  fwdMethod: number
  weight: number
  tunType: number
  tunPort: number
  tunFlags: number
  uThresh: number
  lThresh: number
  activeConns: number
  inactConns: number
  persistConns: number
  stats: StatsMessage
}

/** Seconds. */
export interface ConfigMessage {
  type: 'IPVS_CMD_SET_CONFIG'
  timeoutTcp: number
  timeoutTcpFin: number
  timeoutUdp: number
}

export interface InfoMessage {
  type: 'IPVS_CMD_SET_INFO'
  /** IP_VS_VERSION_CODE. */
  version: number
  connTabSize: number
}

export type IpvsRequest =
  | ({ type: 'IPVS_CMD_NEW_SERVICE' | 'IPVS_CMD_SET_SERVICE'; service: ServiceKey } & ServiceFields)
  | { type: 'IPVS_CMD_DEL_SERVICE'; service: ServiceKey }
  /** Without a service: all. */
  | { type: 'IPVS_CMD_GET_SERVICE'; service?: ServiceKey }
  | ({ type: 'IPVS_CMD_NEW_DEST' | 'IPVS_CMD_SET_DEST'; service: ServiceKey; dest: DestKey } & DestFields)
  | { type: 'IPVS_CMD_DEL_DEST'; service: ServiceKey; dest: DestKey }
  /** All of a service; none if there is no such service. */
  | { type: 'IPVS_CMD_GET_DEST'; service: ServiceKey }
  | { type: 'IPVS_CMD_NEW_DAEMON'; daemon: DaemonMessage }
  | { type: 'IPVS_CMD_DEL_DAEMON'; state: number }
  | { type: 'IPVS_CMD_GET_DAEMON' }
  /** Seconds; absent or 0: as it was. */
  | { type: 'IPVS_CMD_SET_CONFIG'; timeoutTcp?: number; timeoutTcpFin?: number; timeoutUdp?: number }
  | { type: 'IPVS_CMD_GET_CONFIG' }
  | { type: 'IPVS_CMD_GET_INFO' }
  /** Without a service: all. */
  | { type: 'IPVS_CMD_ZERO'; service?: ServiceKey }
  | { type: 'IPVS_CMD_FLUSH' }

export type IpvsMessage = ServiceMessage | DestMessage | DaemonMessage | ConfigMessage | InfoMessage

const MOST_SECONDS = Math.floor((2 ** 31 - 1) / HZ)

function failed(errno: Errno): NetlinkAnswer {
  return { ok: false, errno }
}

function ended(errno: Errno | undefined): NetlinkAnswer {
  return errno === undefined ? { ok: true, messages: [] } : failed(errno)
}

function answers(messages: IpvsMessage[]): NetlinkAnswer {
  return { ok: true, messages }
}

/** ip_vs_is_af_valid(). */
function isFamily(af: number): boolean {
  return af === AF_INET || af === AF_INET6
}

/** Exactly the one that was named. ip_vs_genl_parse_service(). */
function findService(ipvs: Ipvs, key: ServiceKey): Service | undefined {
  if (key.fwmark) return ipvs.services.byMark(key.af, key.fwmark)
  return ipvs.services.byAddress(key.af, key.protocol ?? IPPROTO_TCP, key.addr ?? 0, key.port ?? 0)
}

/** ip_vs_genl_fill_service(). */
function serviceMessage(svc: Service): ServiceMessage {
  return {
    type: 'IPVS_CMD_NEW_SERVICE',
    af: svc.af,
    fwmark: svc.fwmark,
    protocol: svc.protocol,
    addr: svc.addr,
    port: svc.port,
    schedName: svc.scheduler?.name ?? 'none',
    ...(svc.engine ? { peName: svc.engine.name } : {}),
    flags: svc.flags,
    timeout: Math.floor(svc.timeout / HZ),
    netmask: svc.netmask,
    stats: svc.stats.show(),
  }
}

/** ip_vs_genl_fill_dest(). */
function destMessage(dest: Dest): DestMessage {
  return {
    type: 'IPVS_CMD_NEW_DEST',
    af: dest.af,
    addr: dest.addr,
    port: dest.port,
    fwdMethod: dest.method,
    weight: dest.weight,
    tunType: dest.tunType,
    tunPort: dest.tunPort,
    tunFlags: dest.tunFlags,
    uThresh: dest.uThreshold,
    lThresh: dest.lThreshold,
    activeConns: dest.activeConns,
    inactConns: dest.inactConns,
    persistConns: dest.persistConns,
    stats: dest.stats.show(),
  }
}

/** NEW, SET and DEL of a destination. */
function changeDest(
  ipvs: Ipvs,
  svc: Service,
  request: Extract<IpvsRequest, { type: 'IPVS_CMD_NEW_DEST' | 'IPVS_CMD_SET_DEST' | 'IPVS_CMD_DEL_DEST' }>,
): Errno | undefined {
  const { addr, port } = request.dest
  const af = request.dest.af ?? svc.af
  if (!isFamily(af)) return 'EAFNOSUPPORT'
  if (request.type === 'IPVS_CMD_DEL_DEST') return deleteDest(ipvs, svc, af, addr, port)
  const method = request.fwdMethod & IP_VS_CONN_F_FWD_MASK
  if (af !== svc.af && (ipvs.syncState !== IP_VS_STATE_NONE || method !== IP_VS_CONN_F_TUNNEL)) return 'EINVAL'
  const fields = { ...request, fwdMethod: method }
  if (request.type === 'IPVS_CMD_NEW_DEST') return addDest(ipvs, svc, af, addr, port, fields)
  return editDest(ipvs, svc, af, addr, port, fields)
}

/** ip_vs_genl_new_daemon(). */
function newDaemon(ipvs: Ipvs, daemon: DaemonMessage): Errno | undefined {
  const { mcastGroup } = daemon
  if (typeof mcastGroup === 'number') {
    if (mcastGroup >>> 28 !== 0xe) return 'EINVAL'
  } else if (mcastGroup !== undefined && mcastGroup.w0 >>> 24 !== 0xff) return 'EINVAL'
  if (ipvs.mixedAddressFamilyDests > 0) return 'EINVAL'
  return startSyncThread(ipvs, daemon)
}

/** ip_vs_set_timeout(). */
function setConfig(
  ipvs: Ipvs,
  request: { timeoutTcp?: number; timeoutTcpFin?: number; timeoutUdp?: number },
): Errno | undefined {
  const wrong = (s: number | undefined) => s !== undefined && (s < 0 || s > MOST_SECONDS)
  if (wrong(request.timeoutTcp) || wrong(request.timeoutTcpFin) || wrong(request.timeoutUdp)) return 'EINVAL'
  const tcp = ipvs.protocol(IPPROTO_TCP)!.timeouts
  if (request.timeoutTcp) tcp[IP_VS_TCP_S_ESTABLISHED] = request.timeoutTcp * HZ
  if (request.timeoutTcpFin) tcp[IP_VS_TCP_S_FIN_WAIT] = request.timeoutTcpFin * HZ
  if (request.timeoutUdp) ipvs.protocol(IPPROTO_UDP)!.timeouts[IP_VS_UDP_S_NORMAL] = request.timeoutUdp * HZ
  return undefined
}

function config(ipvs: Ipvs): ConfigMessage {
  const seconds = (protocol: number, state: number) => Math.floor(ipvs.protocol(protocol)!.timeouts[state]! / HZ)
  return {
    type: 'IPVS_CMD_SET_CONFIG',
    timeoutTcp: seconds(IPPROTO_TCP, IP_VS_TCP_S_ESTABLISHED),
    timeoutTcpFin: seconds(IPPROTO_TCP, IP_VS_TCP_S_FIN_WAIT),
    timeoutUdp: seconds(IPPROTO_UDP, IP_VS_UDP_S_NORMAL),
  }
}

/** Answers a request on a host. */
export function ipvsRequest(host: Host, request: IpvsRequest): NetlinkAnswer {
  loadIpvs(host)
  const ipvs = ipvsState.of(host)
  switch (request.type) {
    case 'IPVS_CMD_FLUSH':
      flushServices(ipvs)
      return ended(undefined)
    case 'IPVS_CMD_SET_CONFIG':
      return ended(setConfig(ipvs, request))
    case 'IPVS_CMD_GET_CONFIG':
      return answers([config(ipvs)])
    case 'IPVS_CMD_GET_INFO':
      return answers([{ type: 'IPVS_CMD_SET_INFO', version: IP_VS_VERSION_CODE, connTabSize: CONN_TABLE_SIZE }])
    case 'IPVS_CMD_NEW_DAEMON':
      return ended(newDaemon(ipvs, request.daemon))
    case 'IPVS_CMD_DEL_DAEMON':
      return ended(stopSyncThread(ipvs, request.state))
    case 'IPVS_CMD_GET_DAEMON':
      return answers(syncDaemons(ipvs))
  }
  if (request.service === undefined) {
    if (request.type === 'IPVS_CMD_GET_SERVICE') return answers(ipvs.services.list().map(serviceMessage))
    ipvs.zeroAll()
    return ended(undefined)
  }
  if (!isFamily(request.service.af)) {
    return request.type === 'IPVS_CMD_GET_DEST' ? answers([]) : failed('EAFNOSUPPORT')
  }
  const svc = findService(ipvs, request.service)
  if (request.type === 'IPVS_CMD_NEW_SERVICE') {
    return svc === undefined ? ended(addService(ipvs, request.service, request)) : failed('EEXIST')
  }
  if (request.type === 'IPVS_CMD_GET_DEST') return answers(svc ? svc.destinations.map(destMessage) : [])
  if (svc === undefined) return failed('ESRCH')
  switch (request.type) {
    case 'IPVS_CMD_GET_SERVICE':
      return answers([serviceMessage(svc)])
    case 'IPVS_CMD_SET_SERVICE':
      return ended(editService(ipvs, svc, request))
    case 'IPVS_CMD_DEL_SERVICE':
      deleteService(ipvs, svc)
      return ended(undefined)
    case 'IPVS_CMD_ZERO':
      zeroService(svc)
      return ended(undefined)
    case 'IPVS_CMD_NEW_DEST':
    case 'IPVS_CMD_SET_DEST':
    case 'IPVS_CMD_DEL_DEST':
      return ended(changeDest(ipvs, svc, request))
  }
}

const TYPES: IpvsRequest['type'][] = [
  'IPVS_CMD_NEW_SERVICE',
  'IPVS_CMD_SET_SERVICE',
  'IPVS_CMD_DEL_SERVICE',
  'IPVS_CMD_GET_SERVICE',
  'IPVS_CMD_NEW_DEST',
  'IPVS_CMD_SET_DEST',
  'IPVS_CMD_DEL_DEST',
  'IPVS_CMD_GET_DEST',
  'IPVS_CMD_NEW_DAEMON',
  'IPVS_CMD_DEL_DAEMON',
  'IPVS_CMD_GET_DAEMON',
  'IPVS_CMD_SET_CONFIG',
  'IPVS_CMD_GET_CONFIG',
  'IPVS_CMD_GET_INFO',
  'IPVS_CMD_ZERO',
  'IPVS_CMD_FLUSH',
]

/** Installs the answers. */
export function installControl(image: KernelImage): void {
  for (const type of TYPES) image.netlink(type, (host, request) => ipvsRequest(host, request as IpvsRequest))
}

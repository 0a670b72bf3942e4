/** Virtual servers, real servers and what checks them. keepalived 2.2.7 include/check_data.h, include/check_api.h */
import { type Address, isIpv6, showAddress } from './model.ts'
import { SECOND_US } from './numbers.ts'
import type { Script } from './scripts.ts'

export const IPPROTO_TCP = 6
export const IPPROTO_UDP = 17
export const IPPROTO_SCTP = 132
export const WEIGHT_MOST = 0x7fff_ffff
/** A service that remembers its clients does so for so long, unless told otherwise. */
export const PERSISTENCE_DEFAULT_S = 360

export interface Endpoint {
  address: Address
  port: number
}

export interface Tunnel {
  /** IP_VS_CONN_F_TUNNEL_TYPE_*: 0 ipip, 1 gue, 2 gre. */
  type: number
  port: number
  flags: number
}

/** IP_VS_CONN_F_*: MASQ 0, TUNNEL 2, DROUTE 3. Undefined: not said yet. */
export type Method = 0 | 2 | 3 | undefined

export class RealServer {
  endpoint: Endpoint
  method: Method
  tunnel: Tunnel
  /** As configured; and what the checks make of it. */
  weight: number | undefined
  effectiveWeight = 1
  upper = 0
  lower = 0
  inhibit: boolean | undefined
  alpha: boolean | undefined
  connectUs: number | undefined
  delayUs: number | undefined
  warmupUs: number | undefined
  retry: number | undefined
  retryDelayUs: number | undefined
  smtpAlert: boolean | undefined
  virtualHost: string | undefined
  notifyUp: Script | undefined
  notifyDown: Script | undefined
  alive = false
  /** The kernel has it. */
  set = false
  failedCheckers = 0
  reloaded = false
  previousWeight = 0

  constructor(endpoint: Endpoint, method: Method, tunnel: Tunnel) {
    this.endpoint = endpoint
    this.method = method
    this.tunnel = { ...tunnel }
  }
}

/** One line of a virtual_server_group. */
export type GroupEntry = { mark: number; family: 4 | 6 | undefined } | { from: Address; to: Address; port: number }

export interface ServerGroup {
  name: string
  entries: GroupEntry[]
}

export class VirtualServer {
  /** Exactly one of the three. */
  groupName: string | undefined
  /** Which of those of its group it is. */
  groupNumber = 0
  mark: number | undefined
  endpoint: Endpoint | undefined
  group: ServerGroup | undefined
  family: 4 | 6 | undefined
  protocol = 0
  scheduler: string | undefined
  flags = 0
  persistenceS = 0
  granularity = 0xffff_ffff
  engine: string | undefined
  method: Method
  tunnel: Tunnel = { type: 0, port: 0, flags: 0 }
  weight = 1
  virtualHost: string | undefined
  alpha = false
  omega = false
  inhibit = false
  haSuspend = false
  /** How many of its addresses the host has, if it is suspended without. */
  addresses = 0
  quorum = 1
  hysteresis = 0
  quorumUp = true
  notifyQuorumUp: Script | undefined
  notifyQuorumDown: Script | undefined
  connectUs = 5 * SECOND_US
  delayUs = 60 * SECOND_US
  warmupUs: number | undefined
  retry: number | undefined
  retryDelayUs: number | undefined
  smtpAlert: boolean | undefined
  servers: RealServer[] = []
  sorry: RealServer | undefined
  sorryIsReal = false
  alive = false
  reloaded = false
}

/** Where a check connects to, and from where. */
export interface ConnectOptions {
  to: Endpoint
  from: Endpoint | undefined
  fromPort: number
  device: string | undefined
  timeoutUs: number | undefined
  mark: number
}

export interface HttpUrl {
  path: string | undefined
  digest: string | undefined
  status: Set<number>
  virtualHost: string | undefined
  /** How much longer the body was said to be than it was, when last told. */
  mismatch: number
}

/** 1.0C: 1.0 with `Connection: close`. */
export type HttpVersion = '1.0' | '1.1' | '1.0C'

export type Kind =
  | { type: 'TCP' }
  | { type: 'HTTP'; virtualHost: string | undefined; version: HttpVersion; urls: HttpUrl[]; fast: boolean }
  | {
      type: 'MISC'
      script: Script | undefined
      timeoutUs: number
      dynamic: boolean
      userKnown: boolean
      lastExit: number
    }
  | { type: 'PING' }

export class Checker {
  readonly server: VirtualServer
  readonly real: RealServer
  readonly kind: Kind
  connect: ConnectOptions | undefined
  enabled = true
  alpha: boolean | undefined
  delayUs: number | undefined
  warmupUs: number | undefined
  retry: number | undefined
  retryDelayUs: number | undefined
  defaultRetry = 1
  defaultRetryDelayUs = SECOND_US
  logAll = false
  up = true
  hasRun = false
  tries = 0
  /** What it adds to its server's weight. */
  weight = 0

  constructor(server: VirtualServer, real: RealServer, kind: Kind, connects: boolean) {
    this.server = server
    this.real = real
    this.kind = kind
    if (connects)
      this.connect = {
        to: { ...real.endpoint },
        from: undefined,
        fromPort: 0,
        device: undefined,
        timeoutUs: undefined,
        mark: 0,
      }
  }
}

export class CheckConfig {
  groups: ServerGroup[] = []
  servers: VirtualServer[] = []
  checkers: Checker[] = []
}

const NAMES: Record<number, string> = { 0: 'none', [IPPROTO_TCP]: 'tcp', [IPPROTO_UDP]: 'udp', [IPPROTO_SCTP]: 'sctp' }

function showEndpoint({ address, port }: Endpoint, protocol: number): string {
  return `[${showAddress(address)}]:${NAMES[protocol] ?? '?'}:${port}`
}

/** As the log has a virtual server. */
export function showServer(server: VirtualServer): string {
  if (server.groupName !== undefined) return `[${server.groupName}]:${server.groupNumber}`
  if (server.mark !== undefined) return `FWM ${server.mark}`
  return showEndpoint(server.endpoint!, server.protocol)
}

/** And one of its real servers. */
export function showReal(real: RealServer, server: VirtualServer): string {
  return showEndpoint(real.endpoint, server.protocol)
}

export function sameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return one.address === other.address && one.port === other.port
}

/** A weight that the kernel takes. */
export function realWeight(weight: number): number {
  return Math.max(0, Math.min(WEIGHT_MOST, weight))
}

export function familyOf(address: Address): 4 | 6 {
  return isIpv6(address) ? 6 : 4
}

/** How a page is asked for. check/check_http.c: request_template */
export function requestText(path: string, version: HttpVersion, host: string | undefined, to: Endpoint): string {
  const address = isIpv6(to.address) ? `[${showAddress(to.address)}]` : showAddress(to.address)
  const close = version === '1.0' ? '' : 'Connection: close\r\n'
  const number = version === '1.1' ? '1.1' : '1.0'
  return `GET ${path} HTTP/${number}\r\nUser-Agent: KeepAliveClient\r\n${close}Host: ${host ?? `${address}:${to.port}`}\r\n\r\n`
}

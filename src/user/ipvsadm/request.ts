/** What a command line asks for. */
import type { Ipv6Address } from '#wire/inet'
import type { Command, OptionName } from './rules.ts'

export const AF_INET = 2
export const AF_INET6 = 10
export type Address = number | Ipv6Address

/** Linux 6.1 include/uapi/linux/ip_vs.h */
export const IP_VS_SVC_F_PERSISTENT = 0x0001
export const IP_VS_SVC_F_ONEPACKET = 0x0004
export const IP_VS_SVC_F_SCHED1 = 0x0008
export const IP_VS_SVC_F_SCHED2 = 0x0010
export const IP_VS_SVC_F_SCHED3 = 0x0020
export const SCHED_FLAGS = IP_VS_SVC_F_SCHED1 | IP_VS_SVC_F_SCHED2 | IP_VS_SVC_F_SCHED3

export const IP_VS_CONN_F_MASQ = 0
export const IP_VS_CONN_F_LOCALNODE = 1
export const IP_VS_CONN_F_TUNNEL = 2
export const IP_VS_CONN_F_DROUTE = 3

export const IP_VS_STATE_MASTER = 1
export const IP_VS_STATE_BACKUP = 2

/** A virtual service as options describe it. */
export interface ServiceSpec {
  /** 0: not known yet. */
  af: number
  protocol: number
  addr: Address
  port: number
  fwmark: number
  schedName: string
  peName: string
  flags: number
  timeout: number
  /** A mask, or for IPv6 a prefix's length. */
  netmask: number
}

export interface DestSpec {
  af: number
  addr: Address
  port: number
  connFlags: number
  weight: number
  uThreshold: number
  lThreshold: number
  tunType: number
  tunPort: number
  tunFlags: number
}

export interface DaemonSpec {
  state: number
  mcastIfn: string
  syncid: number
  syncMaxlen: number
  mcastPort: number
  mcastTtl: number
  /** AF_INET, AF_INET6, or 0: the default group. */
  mcastAf: number
  mcastGroup: Address
}

export interface Request {
  command: Command
  given: Set<OptionName>
  svc: ServiceSpec
  dest: DestSpec
  daemon: DaemonSpec
  /** Of --set: TCP, TCP after a FIN, UDP. */
  timeouts: [number, number, number]
}

/** A request as it is before any option. */
export function emptyRequest(command: Command): Request {
  return {
    command,
    given: new Set(),
    svc: {
      af: 0,
      protocol: 0,
      addr: 0,
      port: 0,
      fwmark: 0,
      schedName: '',
      peName: '',
      flags: 0,
      timeout: 0,
      netmask: 0xffffffff,
    },
    dest: {
      af: 0,
      addr: 0,
      port: 0,
      connFlags: IP_VS_CONN_F_DROUTE,
      weight: 1,
      uThreshold: 0,
      lThreshold: 0,
      tunType: 0,
      tunPort: 0,
      tunFlags: 0,
    },
    daemon: {
      state: 0,
      mcastIfn: '',
      syncid: 0,
      syncMaxlen: 0,
      mcastPort: 0,
      mcastTtl: 0,
      mcastAf: 0,
      mcastGroup: 0,
    },
    timeouts: [0, 0, 0],
  }
}

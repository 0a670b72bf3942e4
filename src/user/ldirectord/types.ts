/** A configuration that has been read, and what is remembered of each server while the daemon runs. */

export type Family = 'AF_INET' | 'AF_INET6'
export type Protocol = 'tcp' | 'udp' | 'fwm'
export type Forward = 'gate' | 'masq' | 'ipip'
export type YesNo = 'yes' | 'no'

/** The four states in which a daemon may send mail; a set of them is a sum. */
export const STATUS = { starting: 1, running: 2, stopping: 4, reloading: 8 } as const
export const STATUS_ALL = 15

/** What `real=` says. Numbers are kept as they were written: ipvsadm gets them so. */
export interface Real {
  server: string
  port: string
  forward: Forward
  weight: string
  request?: string
  receive?: string
  lower?: string
  upper?: string
  /** Where an HTTP check goes. */
  url: string
  /** Consecutive failures; since the last success. */
  failures: number
  /** Connects since the last negotiation, with a numeric checktype; -1 otherwise. */
  connects: number
  /** The virtual services in which it is up. */
  upIn: Set<string>
}

/** A fallback server. Without a port it takes the virtual service's. */
export interface Fallback {
  server: string
  port: string | undefined
  forward: Forward
}

/** What `virtual=` and the lines below it say. */
export interface Virtual {
  family: Family
  /** Undefined if it is a firewall mark. */
  server?: string
  mark?: string
  port: string
  protocol: Protocol
  checktype: string
  service: string
  scheduler: string
  checkcommand: string
  request: string
  receive: string
  login: string
  passwd: string
  database: string
  secret: string
  httpmethod: string
  ops: YesNo
  /** After so many connects comes a negotiation. */
  connectsBetween: number
  checktimeout: number
  negotiatetimeout: number
  checkcount: number
  failurecount: number
  reals: Real[]
  checkinterval?: number
  checkport?: string
  load?: string
  persistent?: string
  schedflags?: string
  netmask?: string
  virtualhost?: string
  fallback?: Fallback
  fallbackcommand?: string
  quiescent?: YesNo
  emailalert?: string
  emailalertfreq?: number
  emailalertstatus?: number
  monitorfile?: string
  cleanstop?: YesNo
  smtp?: string
  servicename?: string
  comment?: string
  /** What ipvsadm gets for it, after -A or -E. */
  flags: string
  /** Real servers that are up, by their ids; undefined rather than empty. */
  realUp: Set<string> | undefined
  fallbackUp: Set<string> | undefined
  /** How the fallback command was last called. */
  fallbackCommand?: 'start' | 'stop'
}

/** What stands outside of virtual services. */
export interface Globals {
  autoreload: YesNo
  callback: string | undefined
  checkcount: number
  checkinterval: number
  checktimeout: number
  cleanstop: YesNo
  emailalert: string
  emailalertfreq: number
  emailalertfrom: string | undefined
  emailalertstatus: number
  failurecount: number
  /** By family: for TCP and for UDP, whose service names may have other ports. */
  fallback: Partial<Record<Family, { tcp: Fallback; udp: Fallback }>>
  fallbackcommand: string | undefined
  fork: YesNo
  logfile: string
  maintenancedir: string | undefined
  negotiatetimeout: number
  quiescent: YesNo
  readdquiescent: YesNo
  smtp: string | undefined
  supervised: YesNo
}

/** What holds before a line is read. The manual says that quiescent is yes; the program says no. */
export function defaultGlobals(): Globals {
  return {
    autoreload: 'no',
    callback: undefined,
    checkcount: 1,
    checkinterval: 10,
    checktimeout: -1,
    cleanstop: 'yes',
    emailalert: '',
    emailalertfreq: 0,
    emailalertfrom: undefined,
    emailalertstatus: STATUS_ALL,
    failurecount: 1,
    fallback: {},
    fallbackcommand: undefined,
    fork: 'no',
    logfile: '/var/log/ldirectord.log',
    maintenancedir: undefined,
    negotiatetimeout: -1,
    quiescent: 'no',
    readdquiescent: 'no',
    smtp: undefined,
    supervised: 'no',
  }
}

export interface Configuration {
  globals: Globals
  virtuals: Virtual[]
  /** Other configurations to start a daemon for. */
  instances: string[]
  /** By a real server's id, the virtual services that share its check. */
  sharedBy: Map<string, string[]>
}

/**
 * Requests and answers of rtnetlink about traffic control, as objects. A handle is a number of 32 bits, 1:10 is 0x10010.
 *
 * Linux 6.1 include/uapi/linux/rtnetlink.h: struct tcmsg; pkt_sched.h, pkt_cls.h.
 */
import type { Counters, Data } from './sch.ts'

export interface QueueStats {
  qlen: number
  backlog: number
  drops: number
  overlimits: number
  requeues: number
}

export interface QdiscMessage {
  type: 'RTM_NEWQDISC'
  ifindex: number
  handle: number
  /** 0xffffffff: root. */
  parent: number
  kind: string
  /** Only the root's is shown. */
  refcnt: number
  options: Data
  counters: Counters
  queue: QueueStats
  xstats?: Data
}

export interface TrafficClassMessage {
  type: 'RTM_NEWTCLASS'
  ifindex: number
  kind: string
  classid: number
  parent: number
  /** The discipline below; 0: none that shows. */
  leaf: number
  options?: Data
  counters?: Counters
  queue?: QueueStats
  xstats?: Data
}

export interface FilterMessage {
  type: 'RTM_NEWTFILTER'
  ifindex: number
  parent: number
  kind: string
  preference: number
  /** An EtherType. */
  protocol: number
  handle: number
  classid?: number
  /** Absent for the line that stands for a whole preference. */
  options?: Data
  actions?: ActionMessage[]
}

export interface ActionMessage {
  kind: 'gact' | 'police'
  index: number
  options: Data
  installedNs: number
  usedNs: number
  firstUsedNs: number
  nowNs: number
  bytes: number
  packets: number
  drops: number
  overlimits: number
}

interface Flags {
  create?: boolean
  exclusive?: boolean
  replace?: boolean
}

export type QdiscRequest =
  | { type: 'RTM_GETQDISC'; ifindex?: number }
  | ({
      type: 'RTM_NEWQDISC'
      ifindex: number
      handle: number
      /** 0: none was given. */
      parent: number
      kind?: string
      options?: Data
    } & Flags)
  | { type: 'RTM_DELQDISC'; ifindex: number; handle: number; parent: number; kind?: string }

export type ClassRequest =
  | { type: 'RTM_GETTCLASS'; ifindex: number; parent?: number }
  | ({
      type: 'RTM_NEWTCLASS'
      ifindex: number
      classid: number
      parent: number
      kind?: string
      options?: Data
    } & Flags)
  | { type: 'RTM_DELTCLASS'; ifindex: number; classid: number; parent: number }

export type FilterRequest =
  | { type: 'RTM_GETTFILTER'; ifindex: number; parent?: number; preference?: number; protocol?: number }
  | ({
      type: 'RTM_NEWTFILTER'
      ifindex: number
      parent: number
      preference: number
      protocol: number
      handle: number
      kind?: string
      options?: Data
    } & Flags)
  | {
      type: 'RTM_DELTFILTER'
      ifindex: number
      parent: number
      preference: number
      protocol: number
      handle: number
      kind?: string
    }

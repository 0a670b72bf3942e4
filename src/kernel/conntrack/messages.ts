/**
 * Connections as netlink tells of them, and what may be asked. Linux 6.1 include/uapi/linux/netfilter/nfnetlink_conntrack.h;
 * net/netfilter/nf_conntrack_netlink.c.
 */
import type { InetAddr } from './conn.ts'

export interface TupleMessage {
  src: InetAddr
  dst: InetAddr
  /** Ports; an echo's identifier and type * 256 + code. */
  srcPort: number
  dstPort: number
  protocol: number
}

export interface ConnMessage {
  family: 2 | 10
  original: TupleMessage
  reply: TupleMessage
  /** IPS_*. */
  status: number
  /** Seconds; absent in the event of its end, if time has run out. */
  timeout?: number
  mark?: number
  zone: number
  /** Absent in events. */
  use?: number
  id: number
  /** TCP's state. */
  tcpState?: number
  packets?: [number, number]
  bytes?: [number, number]
  /** Nanoseconds since the lab began. */
  startNs?: number
  stopNs?: number
  helper?: string
}

export interface ExpectMessage {
  timeout: number
  master: TupleMessage
  tuple: TupleMessage
  /** Whether any source, any source port will do. */
  anySource: boolean
  anyPort: boolean
  zone: number
  flags: number
  helper: string
  class: number
  id: number
}

/** A program's port id: by default its process id. */
export interface CtRequestBase {
  portId: number
}

export type CtRequest = CtRequestBase &
  (
    | { type: 'CTNL_DUMP'; family: 0 | 2 | 10; table: 'conntrack' | 'dying' | 'unconfirmed'; zero: boolean }
    | { type: 'CTNL_GET'; tuple: TupleMessage; zone: number }
    | { type: 'CTNL_CREATE'; create: CreateRequest }
    | { type: 'CTNL_UPDATE'; id: number; change: UpdateRequest }
    | { type: 'CTNL_DELETE'; id: number }
    | { type: 'CTNL_FLUSH'; family: 0 | 2 | 10 }
    | { type: 'CTNL_STATS' }
    | { type: 'CTNL_EXPECT_DUMP' }
    | { type: 'CTNL_EXPECT_FLUSH' }
  )

export interface CreateRequest {
  tuple: TupleMessage
  reply: TupleMessage
  timeoutS: number
  status: number
  mark: number
  zone: number
  tcpState?: number
  snat?: { address: InetAddr; port?: number }
  dnat?: { address: InetAddr; port?: number }
}

export interface UpdateRequest {
  timeoutS?: number
  mark?: number
  status?: number
}

export interface CtEventMessage {
  kind: 'NEW' | 'UPDATE' | 'DESTROY'
  conn: ConnMessage
  portId: number
}

export interface ExpectEventMessage {
  kind: 'NEW' | 'DESTROY'
  expect: ExpectMessage
}

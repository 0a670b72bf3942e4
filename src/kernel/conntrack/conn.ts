/**
 * A tracked connection: its two tuples, its status and what its protocol remembers.
 *
 * A tuple's keys are 32-bit integers, so that finding a connection compares numbers and makes nothing: an IPv4 address is
 * its own key, an IPv6 address has its `id`.
 *
 * Linux 6.1 include/net/netfilter/nf_conntrack.h: struct nf_conn; include/uapi/linux/netfilter/nf_conntrack_common.h.
 */
import type { Ipv6Address } from '#wire/inet'
import type { TcpTrack } from './tcp-state.ts'

/** An address of either family. */
export type InetAddr = number | Ipv6Address

// enum ip_conntrack_info: what a packet is to its connection (Packet.ctInfo). Without a connection 0 means INVALID.
export const IP_CT_ESTABLISHED = 0
export const IP_CT_RELATED = 1
export const IP_CT_NEW = 2
export const IP_CT_IS_REPLY = 3
export const IP_CT_ESTABLISHED_REPLY = 3
export const IP_CT_RELATED_REPLY = 4
export const IP_CT_UNTRACKED = 7

export type Direction = 0 | 1
export const IP_CT_DIR_ORIGINAL = 0
export const IP_CT_DIR_REPLY = 1

// enum ip_conntrack_status.
export const IPS_EXPECTED = 1
export const IPS_SEEN_REPLY = 2
export const IPS_ASSURED = 4
export const IPS_CONFIRMED = 8
export const IPS_SRC_NAT = 0x10
export const IPS_DST_NAT = 0x20
export const IPS_NAT_MASK = IPS_SRC_NAT | IPS_DST_NAT
export const IPS_SEQ_ADJUST = 0x40
export const IPS_SRC_NAT_DONE = 0x80
export const IPS_DST_NAT_DONE = 0x100
export const IPS_NAT_DONE_MASK = IPS_SRC_NAT_DONE | IPS_DST_NAT_DONE
export const IPS_DYING = 0x200
export const IPS_FIXED_TIMEOUT = 0x400
export const IPS_TEMPLATE = 0x800
export const IPS_HELPER = 0x2000

// enum ip_conntrack_events, as bits.
export const IPCT_NEW = 1
export const IPCT_RELATED = 2
export const IPCT_DESTROY = 4
export const IPCT_REPLY = 8
export const IPCT_ASSURED = 0x10
export const IPCT_PROTOINFO = 0x20
export const IPCT_HELPER = 0x40
export const IPCT_MARK = 0x80
export const IPCT_SEQADJ = 0x100
export const IPCT_LABEL = 0x400

/** The direction of a packet in its connection. CTINFO2DIR(). */
export function ctDirection(ctInfo: number): Direction {
  return ctInfo >= IP_CT_IS_REPLY ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL
}

/** An address's key. */
export function addressKey(address: InetAddr): number {
  return typeof address === 'number' ? address | 0 : address.id
}

/** A connection as one side sends: source, destination, and what the protocol tells connections apart by. */
export class Tuple {
  src: InetAddr
  dst: InetAddr
  /** The source port, or an echo's identifier. */
  srcPort: number
  /** The destination port, or an ICMP type * 256 + code. */
  dstPort: number
  readonly protocol: number
  readonly direction: Direction
  readonly conn: Conn
  // What is compared: see `keyOf`.
  srcKey = 0
  dstKey = 0
  ports = 0
  readonly kind: number
  // Its place in the table.
  hash = 0
  next: Tuple | undefined = undefined

  constructor(
    conn: Conn,
    direction: Direction,
    src: InetAddr,
    dst: InetAddr,
    srcPort: number,
    dstPort: number,
    protocol: number,
    zone: number,
  ) {
    this.conn = conn
    this.direction = direction
    this.src = src
    this.dst = dst
    this.srcPort = srcPort
    this.dstPort = dstPort
    this.protocol = protocol
    this.kind = kindOf(protocol, typeof src !== 'number', zone)
    this.rekey()
  }

  /** After a change of its fields. */
  rekey(): void {
    this.srcKey = addressKey(this.src)
    this.dstKey = addressKey(this.dst)
    this.ports = (this.srcPort << 16) | this.dstPort
    this.hash = hashTuple(this.srcKey, this.dstKey, this.ports, this.kind)
  }
}

/** Protocol, family and zone in one integer. */
export function kindOf(protocol: number, ipv6: boolean, zone: number): number {
  return protocol | (ipv6 ? 256 : 0) | (zone << 9)
}

/** The hash of a tuple's keys, as a signed integer. */
export function hashTuple(srcKey: number, dstKey: number, ports: number, kind: number): number {
  let h = Math.imul(srcKey ^ 0x9e3779b9, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15) ^ dstKey, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 13) ^ ports, 0x27d4eb2f)
  h = Math.imul(h ^ (h >>> 16) ^ kind, 0x165667b1)
  return h ^ (h >>> 15)
}

/** Packets and bytes, by direction; there if net.netfilter.nf_conntrack_acct was on when it began. */
export interface Accounting {
  packets: [number, number]
  bytes: [number, number]
}

/** What a helper does with the packets of a connection; see helper.ts. */
export interface HelperRef {
  readonly name: string
}

export class Conn {
  readonly original: Tuple
  readonly reply: Tuple
  /** IPS_*. */
  status = 0
  /** Jiffies at which it ends; before it is confirmed, how many it will have. */
  timeout = 0
  mark = 0
  readonly zone: number
  /** Numbers the connections of a host. */
  readonly number: number
  tcp: TcpTrack | undefined = undefined
  /** UDP: jiffies after which it counts as a stream. */
  streamJiffies = 0
  /** SCTP's state. */
  state = 0
  accounting: Accounting | undefined = undefined
  /** net.netfilter.nf_conntrack_timestamp: when it was confirmed and when it ended, lab's ns; -1: not yet. */
  startNs = -1
  stopNs = -1
  /** Which events somebody may want of it; 0: it began when nobody listened. */
  eventMask = 0
  /** Events that wait for the packet to pass the last hook. */
  events = 0
  master: Conn | undefined = undefined
  /** How many connections and expectations name it as their master. */
  children = 0
  helper: HelperRef | undefined = undefined
  /** What the helper remembers. */
  helperData: unknown = undefined
  /** The device that it is masqueraded on; 0: none. */
  masqueradeIndex = 0
  /** Sequence numbers moved by a helper: by direction, from `pos` on by `after`, before by `before`. */
  sequence: [SequenceShift, SequenceShift] | undefined = undefined
  /** A template of the CT target carries what new connections get: a helper, a zone, events. */
  readonly template: boolean

  constructor(
    number: number,
    src: InetAddr,
    dst: InetAddr,
    srcPort: number,
    dstPort: number,
    replySrcPort: number,
    replyDstPort: number,
    protocol: number,
    zone: number,
    template: boolean,
  ) {
    this.number = number
    this.zone = zone
    this.template = template
    this.original = new Tuple(this, IP_CT_DIR_ORIGINAL, src, dst, srcPort, dstPort, protocol, zone)
    this.reply = new Tuple(this, IP_CT_DIR_REPLY, dst, src, replySrcPort, replyDstPort, protocol, zone)
  }

  get protocol(): number {
    return this.original.protocol
  }

  get confirmed(): boolean {
    return (this.status & IPS_CONFIRMED) !== 0
  }

  /** The tuple of a direction. */
  tuple(direction: Direction): Tuple {
    return direction === IP_CT_DIR_ORIGINAL ? this.original : this.reply
  }
}

/** struct nf_ct_seqadj. */
export interface SequenceShift {
  position: number
  before: number
  after: number
}

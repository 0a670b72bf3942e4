/**
 * What NAT decides for a new connection: the tuple that its reply will have, chosen so that no other connection has it.
 *
 *     natSetup(state, conn, { min: address, max: address }, 'SRC')
 *
 * Linux 6.1 net/netfilter/nf_nat_core.c: nf_nat_setup_info(), get_unique_tuple().
 */
import { NF_ACCEPT, NF_DROP } from '#kernel/net'
import { IPPROTO_ICMP } from '#wire/inet'
import {
  type Conn,
  type InetAddr,
  IPS_CONFIRMED,
  IPS_DST_NAT,
  IPS_DST_NAT_DONE,
  IPS_SRC_NAT,
  IPS_SRC_NAT_DONE,
} from './conn.ts'
import { jhash2, scale, swab32 } from './jhash.ts'
import { type ConntrackState, sourceHash } from './state.ts'
import { Flow, hasPorts, IPPROTO_GRE, IPPROTO_ICMPV6, invert } from './tuple.ts'

export type Manip = 'SRC' | 'DST'

/** What a rule allows. struct nf_nat_range2. */
export interface NatRange {
  /** Addresses, both ends; undefined: the address stays. */
  min?: InetAddr
  max?: InetAddr
  /** Ports (or echo identifiers), both ends. */
  minPort?: number
  maxPort?: number
  /** --random: the first port that is tried is drawn. */
  random?: boolean
  /** --random-fully. The same here, where there is no race that it would win. */
  randomFully?: boolean
  /** --persistent: a client gets the same address for all destinations. */
  persistent?: boolean
  /** DNAT --to A-B/BASE: ports are moved by their distance from this. */
  basePort?: number
}

/** How many ports are tried at first. */
const MOST_ATTEMPTS = 128

const current = new Flow()
const tried = new Flow()
const reply = new Flow()

function copy(from: Flow, to: Flow): void {
  to.src = from.src
  to.dst = from.dst
  to.srcPort = from.srcPort
  to.dstPort = from.dstPort
  to.protocol = from.protocol
}

/** Whether a connection that goes out as `flow` would be answered by a tuple that another one has. nf_nat_used_tuple(). */
function used(state: ConntrackState, flow: Flow, conn: Conn): boolean {
  copy(flow, reply)
  if (!invert(reply, conn.zone)) return false
  return state.taken(reply.srcKey, reply.dstKey, reply.ports, reply.kind, conn)
}

/** l4proto_in_range(). */
function portInRange(flow: Flow, manip: Manip, range: NatRange): boolean {
  const { protocol } = flow
  let port: number
  if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) port = flow.srcPort
  else if (hasPorts(protocol) || protocol === IPPROTO_GRE) port = manip === 'SRC' ? flow.srcPort : flow.dstPort
  else return true
  return port >= range.minPort! && port <= range.maxPort!
}

function between(address: InetAddr, range: NatRange): boolean {
  if (typeof address === 'number') return address >= (range.min as number) && address <= (range.max as number)
  return compare(address, range.min!) >= 0 && compare(address, range.max!) <= 0
}

function compare(a: InetAddr, b: InetAddr): number {
  if (typeof a === 'number' || typeof b === 'number') return 0
  return a.w0 - b.w0 || a.w1 - b.w1 || a.w2 - b.w2 || a.w3 - b.w3
}

/** Whether a source fits the range already. nf_in_range(). */
function inRange(flow: Flow, range: NatRange): boolean {
  if (range.min !== undefined && !between(flow.src, range)) return false
  return range.minPort === undefined || portInRange(flow, 'SRC', range)
}

/** The mapping that this source already has, if it fits: into `tried`. find_appropriate_src(). */
function knownSource(state: ConntrackState, conn: Conn, range: NatRange): boolean {
  const { original } = conn
  const list = state.bySource?.get(sourceHash(original.srcKey, original.srcPort, original.kind))
  if (!list) return false
  for (const other of list) {
    const one = other.original
    if (one.kind !== original.kind || one.srcKey !== original.srcKey || one.srcPort !== original.srcPort) continue
    copy(current, tried)
    tried.src = other.reply.dst
    tried.srcPort = tried.protocol === IPPROTO_ICMP ? other.reply.srcPort : other.reply.dstPort
    if (inRange(tried, range)) return true
  }
  return false
}

/** An address of the range: the same for the same source and destination. find_best_ips_proto(). */
function chooseAddress(flow: Flow, range: NatRange, manip: Manip, zone: number): void {
  const { min, max } = range
  if (min === undefined || max === undefined) return
  let chosen: InetAddr = min
  if (min !== max && typeof min === 'number' && typeof max === 'number') {
    const src = swab32(flow.src as number)
    const seed = range.persistent ? 0 : swab32(flow.dst as number) ^ zone
    chosen = (min + scale(jhash2([src, 0, 0, 0], seed), max - min + 1)) >>> 0
  }
  if (manip === 'SRC') flow.src = chosen
  else flow.dst = chosen
}

/** Tries ports, or identifiers, until nobody has the tuple. nf_nat_l4proto_unique_tuple(). */
function choosePort(state: ConntrackState, flow: Flow, range: NatRange, manip: Manip, conn: Conn): void {
  const { protocol } = flow
  const given = range.minPort !== undefined
  let low: number
  let size: number
  let source = manip === 'SRC'
  if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) {
    source = true
    low = given ? range.minPort! : 0
    size = given ? range.maxPort! - low + 1 : 65536
  } else if (!hasPorts(protocol)) return
  else if (given) {
    low = Math.min(range.minPort!, range.maxPort!)
    size = Math.max(range.minPort!, range.maxPort!) - low + 1
  } else {
    if (!source) return // A destination's port changes only if a rule says so.
    const port = flow.srcPort
    // Ports keep their class: below 512, below 1024, or above.
    if (port < 512) [low, size] = [1, 511]
    else if (port < 1024) [low, size] = [600, 424]
    else [low, size] = [1024, 64512]
  }
  const random = state.host.sim.random(`${state.host.name}/nat`)
  const key = source ? flow.srcPort : flow.dstPort
  let offset = range.basePort === undefined ? random.below(65536) : (key - range.basePort) & 0xffff
  let attempts = Math.min(size, MOST_ATTEMPTS)
  for (;;) {
    for (let i = 0; i < attempts; i++) {
      const port = low + (offset % size)
      offset = (offset + 1) & 0xffff
      if (source) flow.srcPort = port
      else flow.dstPort = port
      if (!used(state, flow, conn)) return
    }
    if (attempts >= size || attempts < 16) return
    attempts = Math.floor(attempts / 2)
    offset = random.below(65536)
  }
}

/** What a connection is to go out as, into `tried`. get_unique_tuple(). */
function uniqueTuple(state: ConntrackState, conn: Conn, range: NatRange, manip: Manip): void {
  const random = range.random === true || range.randomFully === true
  if (manip === 'SRC' && !random) {
    if (inRange(current, range)) {
      if (!used(state, current, conn)) {
        copy(current, tried)
        return
      }
    } else if (knownSource(state, conn, range) && !used(state, tried, conn)) return
  }
  copy(current, tried)
  chooseAddress(tried, range, manip, conn.zone)
  if (!random) {
    if (range.minPort !== undefined) {
      const fits = range.basePort === undefined && portInRange(tried, manip, range)
      if (fits && (range.minPort === range.maxPort || !used(state, tried, conn))) return
    } else if (!used(state, tried, conn)) return
  }
  choosePort(state, tried, range, manip, conn)
}

/** Settles one side of a new connection, for good. NF_ACCEPT, or NF_DROP. */
export function natSetup(state: ConntrackState, conn: Conn, range: NatRange, manip: Manip): number {
  if (conn.status & IPS_CONFIRMED) return NF_ACCEPT
  const done = manip === 'SRC' ? IPS_SRC_NAT_DONE : IPS_DST_NAT_DONE
  if (conn.status & done) return NF_DROP
  const { reply: answer } = conn
  current.src = answer.src
  current.dst = answer.dst
  current.srcPort = answer.srcPort
  current.dstPort = answer.dstPort
  current.protocol = answer.protocol
  if (!invert(current, conn.zone)) return NF_DROP
  uniqueTuple(state, conn, range, manip)
  const same =
    tried.src === current.src &&
    tried.dst === current.dst &&
    tried.srcPort === current.srcPort &&
    tried.dstPort === current.dstPort
  if (!same) {
    invert(tried, conn.zone)
    answer.src = tried.src
    answer.dst = tried.dst
    answer.srcPort = tried.srcPort
    answer.dstPort = tried.dstPort
    answer.rekey()
    conn.status |= manip === 'SRC' ? IPS_SRC_NAT : IPS_DST_NAT
  }
  conn.status |= done
  return NF_ACCEPT
}

/** Keeps the addresses, but not a port that another connection needs. nf_nat_alloc_null_binding(). */
export function natNull(state: ConntrackState, conn: Conn, manip: Manip): number {
  const address = manip === 'SRC' ? conn.reply.dst : conn.reply.src
  return natSetup(state, conn, { min: address, max: address }, manip)
}

/** Whether a side of the connection is settled. nf_nat_initialized(). */
export function natDone(conn: Conn, manip: Manip): boolean {
  return (conn.status & (manip === 'SRC' ? IPS_SRC_NAT_DONE : IPS_DST_NAT_DONE)) !== 0
}

/**
 * Tracking: at the beginning of PRE_ROUTING and LOCAL_OUT each packet is given its connection, and at the end of LOCAL_IN
 * and POST_ROUTING a new connection is confirmed, that is put into the table.
 *
 * Linux 6.1 net/netfilter/nf_conntrack_core.c: nf_conntrack_in(), resolve_normal_ct(), init_conntrack(),
 * __nf_conntrack_confirm(); nf_conntrack_proto.c: nf_confirm().
 */
import type { Host } from '#kernel/core'
import { type HookContext, NF_ACCEPT, NF_DROP } from '#kernel/net'
import {
  checksumGood,
  fragmentOf,
  IP_MF,
  IP_OFFSET,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  isIcmpError,
  type Packet,
  RAW_NONE,
} from '#wire/inet'
import {
  type Conn,
  IP_CT_DIR_ORIGINAL,
  IP_CT_DIR_REPLY,
  IP_CT_ESTABLISHED,
  IP_CT_ESTABLISHED_REPLY,
  IP_CT_NEW,
  IP_CT_RELATED,
  IP_CT_RELATED_REPLY,
  IP_CT_UNTRACKED,
  IPCT_HELPER,
  IPCT_NEW,
  IPCT_RELATED,
  IPCT_REPLY,
  IPS_CONFIRMED,
  IPS_DYING,
  IPS_EXPECTED,
  IPS_NAT_DONE_MASK,
  IPS_SEEN_REPLY,
  type Tuple,
} from './conn.ts'
import { expectedBy } from './expect.ts'
import { describeConn, describeInfo } from './explain.ts'
import { assignHelper, runHelper, shiftSequence } from './helper.ts'
import { logInvalid } from './log-invalid.ts'
import { genericPacket, grePacket, icmp6Packet, icmpPacket, udpPacket } from './protocols.ts'
import { account, INVALID, REPEAT } from './refresh.ts'
import { type ConntrackState, conntrackState, sameTuple } from './state.ts'
import { tcpPacket } from './tcp.ts'
import { Flow, IPPROTO_GRE, IPPROTO_ICMPV6, invert, readInner, readInner6, readTuple } from './tuple.ts'

const flow = new Flow()
const inner = new Flow()

/** Gives a packet its connection. nf_conntrack_in(). */
export function trackIn(state: ConntrackState, context: HookContext): number {
  const { packet } = context
  let template: Conn | undefined
  if (packet.ct !== undefined || packet.ctInfo === IP_CT_UNTRACKED) {
    const known = packet.ct as Conn | undefined
    if (known === undefined || !known.template) return NF_ACCEPT // Looped back, or not to be tracked.
    template = known
    packet.ct = undefined
    packet.ctInfo = 0
  }
  const later = packet.src6 === undefined ? (packet.fragment & IP_OFFSET) !== 0 : isLaterFragment(packet)
  if (later) {
    state.counters.invalid++
    return NF_ACCEPT
  }
  if (packet.protocol === IPPROTO_ICMP || packet.protocol === IPPROTO_ICMPV6) {
    const verdict =
      packet.src6 === undefined ? icmpError(state, context, template) : icmp6Error(state, context, template)
    if (verdict !== undefined) return verdict
  }
  const zone = template === undefined ? 0 : template.zone
  for (;;) {
    if (!resolve(state, packet, template, zone)) return NF_DROP
    const conn = packet.ct as Conn | undefined
    if (conn === undefined) {
      state.counters.invalid++
      return NF_ACCEPT
    }
    const { protocol } = conn.original
    let verdict: number
    if (protocol === IPPROTO_TCP) verdict = tcpPacket(state, conn, context)
    else if (protocol === IPPROTO_UDP) verdict = udpPacket(state, conn, context)
    else if (protocol === IPPROTO_ICMP) verdict = icmpPacket(state, conn, packet)
    else if (protocol === IPPROTO_ICMPV6) verdict = icmp6Packet(state, conn, packet)
    else if (protocol === IPPROTO_GRE) verdict = grePacket(state, conn, packet)
    else verdict = genericPacket(state, conn, packet)
    if (verdict <= 0) {
      packet.ct = undefined
      packet.ctInfo = 0
      if (verdict === REPEAT) continue
      state.counters.invalid++
      if (verdict === NF_DROP) state.counters.drop++
      return verdict === INVALID ? NF_ACCEPT : NF_DROP
    }
    if (packet.ctInfo === IP_CT_ESTABLISHED_REPLY && (conn.status & IPS_SEEN_REPLY) === 0) {
      conn.status |= IPS_SEEN_REPLY
      state.cache(conn, IPCT_REPLY)
    }
    if (state.watched) state.tell(packet, describeInfo(packet), describeConn(state, conn))
    return NF_ACCEPT
  }
}

/** Finds a packet's connection, or makes one; false if there is no room. resolve_normal_ct(). */
function resolve(state: ConntrackState, packet: Packet, template: Conn | undefined, zone: number): boolean {
  let found: Tuple | undefined
  const { protocol } = packet
  if ((protocol === IPPROTO_TCP || protocol === IPPROTO_UDP) && packet.raw === RAW_NONE && packet.src6 === undefined) {
    // Most packets, by the shortest way.
    const ports = (packet.srcPort << 16) | packet.dstPort
    found = state.find(packet.src | 0, packet.dst | 0, ports, protocol | (zone << 9))
  }
  if (found === undefined) {
    if (!readTuple(packet, flow, zone)) return true
    found = state.find(flow.srcKey, flow.dstKey, flow.ports, flow.kind)
    if (found === undefined) return begin(state, packet, template, zone)
  }
  const { conn } = found
  packet.ct = conn
  if (found.direction === IP_CT_DIR_REPLY) packet.ctInfo = IP_CT_ESTABLISHED_REPLY
  else if ((conn.status & IPS_SEEN_REPLY) !== 0) packet.ctInfo = IP_CT_ESTABLISHED
  else packet.ctInfo = (conn.status & IPS_EXPECTED) !== 0 ? IP_CT_RELATED : IP_CT_NEW
  return true
}

/** A new connection. init_conntrack(). */
function begin(state: ConntrackState, packet: Packet, template: Conn | undefined, zone: number): boolean {
  const { src, dst, srcPort, dstPort, protocol } = flow
  if (!invert(flow, zone)) return true // Nothing answers it: it can't begin a connection.
  const conn = state.create(src, dst, srcPort, dstPort, flow.srcPort, flow.dstPort, protocol, zone)
  if (conn === undefined) {
    state.counters.drop++
    return false
  }
  const { settings } = state
  if (settings.acct !== 0) conn.accounting = { packets: [0, 0], bytes: [0, 0] }
  if (settings.timestamp !== 0) conn.startNs = 0
  if (settings.events === 1 || (settings.events === 2 && state.listeners.length > 0)) conn.eventMask = -1
  if (template !== undefined && template.eventMask !== 0) conn.eventMask = template.eventMask
  const expectation = state.expectations.length === 0 ? undefined : expectedBy(state, conn)
  packet.ct = conn
  packet.ctInfo = IP_CT_NEW
  if (expectation !== undefined) {
    conn.status |= IPS_EXPECTED
    conn.master = expectation.master
    conn.mark = expectation.master.mark
    packet.ctInfo = IP_CT_RELATED
    state.counters.expectNew++
    expectation.arrived?.(state, conn)
  } else assignHelper(state, conn, template)
  return true
}

/**
 * An ICMP error belongs to the connection of the packet that it quotes. The verdict, or undefined if the message is to be
 * tracked for itself. nf_conntrack_icmpv4_error(), nf_conntrack_inet_error().
 */
function icmpError(state: ConntrackState, context: HookContext, template: Conn | undefined): number | undefined {
  const { packet } = context
  const { counters } = state
  const wrong = (text: string): number => {
    logInvalid(state, context, IPPROTO_ICMP, text)
    counters.error++
    return NF_ACCEPT
  }
  if (packet.raw !== RAW_NONE) return wrong('short packet')
  const checked = packet.checksum >= 0 && context.hook === 'PRE_ROUTING' && state.settings.checksum !== 0
  if (checked && !checksumGood(packet)) return wrong('bad hw icmp checksum')
  if (packet.icmpType > 18) return wrong('invalid icmp type')
  if (!isIcmpError(packet.icmpType)) return undefined
  const zone = template === undefined ? 0 : template.zone
  if (!readInner(packet.buffer, packet.offset, packet.length, inner, zone) || !invert(inner, zone)) {
    counters.error++
    return NF_ACCEPT
  }
  const found = state.find(inner.srcKey, inner.dstKey, inner.ports, inner.kind)
  if (found === undefined) {
    counters.error++
    return NF_ACCEPT
  }
  if (found.dst !== packet.dst) return wrong('outer daddr is not that of the connection')
  packet.ct = found.conn
  packet.ctInfo = found.direction === IP_CT_DIR_REPLY ? IP_CT_RELATED_REPLY : IP_CT_RELATED
  if (state.watched) state.tell(packet, 'related', describeConn(state, found.conn))
  return NF_ACCEPT
}

/** A fragment of IPv6 that doesn't begin with a transport header. */
function isLaterFragment(packet: Packet): boolean {
  const chain = packet.ipOptions
  if (chain === undefined || packet.raw === RAW_NONE) return false
  const at = fragmentOf(packet)?.at
  return at !== undefined && ((chain[at + 2]! << 8) | (chain[at + 3]! & 0xf8)) !== 0
}

/** What neighbours and routers say to one another belongs to no connection. noct_valid_new[]. */
const UNTRACKED6 = new Set([130, 131, 132, 133, 134, 135, 136, 137, 143])

/** nf_conntrack_icmpv6_error(). */
function icmp6Error(state: ConntrackState, context: HookContext, template: Conn | undefined): number | undefined {
  const { packet } = context
  const { counters } = state
  const wrong = (text: string): number => {
    logInvalid(state, context, IPPROTO_ICMPV6, text)
    counters.error++
    return NF_ACCEPT
  }
  if (packet.raw !== RAW_NONE) return wrong('short packet')
  const checked = packet.checksum >= 0 && context.hook === 'PRE_ROUTING' && state.settings.checksum !== 0
  if (checked && !checksumGood(packet)) return wrong('ICMPv6 checksum failed')
  const type = packet.icmpType
  if (UNTRACKED6.has(type)) {
    packet.ctInfo = IP_CT_UNTRACKED
    return NF_ACCEPT
  }
  if (type >= 128) return undefined
  const zone = template === undefined ? 0 : template.zone
  const found =
    readInner6(packet.buffer, packet.offset, packet.length, inner, zone) && invert(inner, zone)
      ? state.find(inner.srcKey, inner.dstKey, inner.ports, inner.kind)
      : undefined
  if (found === undefined) {
    counters.error++
    return NF_ACCEPT
  }
  if (found.dst !== packet.dst6) return wrong('outer daddr is not that of the connection')
  packet.ct = found.conn
  packet.ctInfo = found.direction === IP_CT_DIR_REPLY ? IP_CT_RELATED_REPLY : IP_CT_RELATED
  if (state.watched) state.tell(packet, 'related', describeConn(state, found.conn))
  return NF_ACCEPT
}

/** What a host sends in pieces by IP_NODEFRAG isn't tracked. ipv4_conntrack_local(). */
export function trackOut(state: ConntrackState, context: HookContext): number {
  const { packet } = context
  if (packet.src6 === undefined && (packet.fragment & (IP_MF | IP_OFFSET)) !== 0) {
    if ((packet.ct as Conn | undefined)?.template) {
      packet.ct = undefined
      packet.ctInfo = 0
    }
    return NF_ACCEPT
  }
  return trackIn(state, context)
}

/** The last hook: helpers look at the packet, and a new connection is confirmed. ipv4_confirm(). */
export function confirmHook(state: ConntrackState, context: HookContext): number {
  const { packet } = context
  const conn = packet.ct as Conn | undefined
  if (conn === undefined) return NF_ACCEPT
  if (packet.ctInfo !== IP_CT_RELATED_REPLY) {
    if (conn.helper !== undefined) {
      const verdict = runHelper(state, conn, packet)
      if (verdict !== NF_ACCEPT) return verdict
    }
    if (conn.sequence !== undefined) shiftSequence(conn, packet, context)
  }
  if ((conn.status & IPS_CONFIRMED) === 0) {
    if (conn.template) return NF_ACCEPT
    const verdict = confirm(state, conn, packet)
    if (verdict !== NF_ACCEPT) return verdict
  }
  if (conn.events !== 0) state.deliver(packet.ct as Conn)
  return NF_ACCEPT
}

/** Confirms a packet's connection, if it is a new one: for who takes the packet out of the hooks. nf_conntrack_confirm(). */
export function confirmPacket(host: Host, packet: Packet): number {
  const conn = packet.ct as Conn | undefined
  if (conn === undefined) return NF_ACCEPT
  const state = conntrackState.of(host)
  if ((conn.status & IPS_CONFIRMED) === 0) {
    const verdict = confirm(state, conn, packet)
    if (verdict !== NF_ACCEPT) return verdict
  }
  if (conn.events !== 0) state.deliver(packet.ct as Conn)
  return NF_ACCEPT
}

/** Puts a connection into the table, unless one is there that it would be mistaken for. __nf_conntrack_confirm(). */
function confirm(state: ConntrackState, conn: Conn, packet: Packet): number {
  // Answers of rules (REJECT) belong to it, but only its own first packet confirms it.
  if (packet.ctInfo >= IP_CT_ESTABLISHED_REPLY && packet.ctInfo !== IP_CT_UNTRACKED) return NF_ACCEPT
  const { counters } = state
  if (conn.status & IPS_DYING) {
    counters.insertFailed++
    return NF_DROP
  }
  const clash = lookup(state, conn.original) ?? lookup(state, conn.reply)
  if (clash !== undefined) return resolveClash(state, conn, clash, packet)
  const now = state.jiffies
  conn.timeout += now
  if (conn.startNs === 0) conn.startNs = state.host.sim.nowNs
  state.insert(conn)
  if (conn.helper !== undefined) state.cache(conn, IPCT_HELPER)
  state.cache(conn, conn.master ? IPCT_RELATED : IPCT_NEW)
  if (state.watched) state.tell(packet, 'confirmed', describeConn(state, conn))
  return NF_ACCEPT
}

function lookup(state: ConntrackState, tuple: Tuple): Tuple | undefined {
  return state.find(tuple.srcKey, tuple.dstKey, tuple.ports, tuple.kind)
}

/** Two packets of one flow that were both the first: the later takes the earlier's connection. nf_ct_resolve_clash(). */
function resolveClash(state: ConntrackState, conn: Conn, winner: Tuple, packet: Packet): number {
  const other = winner.conn
  const clashes = conn.original.protocol !== IPPROTO_TCP && conn.original.protocol !== IPPROTO_ICMP
  const same = sameTuple(other.original, conn.original) && sameTuple(other.reply, conn.reply)
  if (clashes && winner.direction === IP_CT_DIR_ORIGINAL && ((other.status & IPS_NAT_DONE_MASK) === 0 || same)) {
    packet.ct = other
    account(other, packet)
    state.counters.clashResolve++
    return NF_ACCEPT
  }
  state.counters.insertFailed++
  state.counters.drop++
  return NF_DROP
}

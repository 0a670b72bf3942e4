/** What netlink answers about connections. Linux 6.1 net/netfilter/nf_conntrack_netlink.c. */
import type { Host, KernelImage, NetlinkAnswer } from '#kernel/core'
import { HZ } from '#kernel/net'
import { IPPROTO_TCP } from '#wire/inet'
import {
  addressKey,
  type Conn,
  IPCT_ASSURED,
  IPCT_DESTROY,
  IPCT_HELPER,
  IPCT_MARK,
  IPCT_NEW,
  IPCT_PROTOINFO,
  IPCT_REPLY,
  IPCT_SEQADJ,
  IPS_ASSURED,
  IPS_CONFIRMED,
  IPS_SEEN_REPLY,
  kindOf,
  type Tuple,
} from './conn.ts'
import { type Expectation, listExpectations } from './expect.ts'
import type { ConnMessage, CreateRequest, CtRequest, ExpectMessage, TupleMessage, UpdateRequest } from './messages.ts'
import { natNull, natSetup } from './nat.ts'
import { type ConntrackEvent, type ConntrackState, conntrackState, expiresJiffies } from './state.ts'
import { TcpTrack } from './tcp-state.ts'

/** What a message from a program changes, in events. */
const BY_USER = IPCT_REPLY | IPCT_ASSURED | IPCT_HELPER | IPCT_PROTOINFO | IPCT_SEQADJ | IPCT_MARK

function tupleMessage({ src, dst, srcPort, dstPort, protocol }: Tuple): TupleMessage {
  return { src, dst, srcPort, dstPort, protocol }
}

/** A connection as a listing shows it. ctnetlink_fill_info(). */
export function connMessage(state: ConntrackState, conn: Conn): ConnMessage {
  const message: ConnMessage = {
    family: typeof conn.original.src === 'number' ? 2 : 10,
    original: tupleMessage(conn.original),
    reply: tupleMessage(conn.reply),
    status: conn.status,
    timeout: Math.floor(expiresJiffies(state, conn) / HZ),
    mark: conn.mark,
    zone: conn.zone,
    use: 1 + conn.children,
    id: state.idOf(conn),
  }
  if (conn.tcp) message.tcpState = conn.tcp.state
  if (conn.accounting) {
    message.packets = [...conn.accounting.packets]
    message.bytes = [...conn.accounting.bytes]
  }
  if (conn.startNs >= 0) message.startNs = conn.startNs
  if (conn.stopNs >= 0) message.stopNs = conn.stopNs
  if (conn.helper) message.helper = conn.helper.name
  return message
}

/** A connection as an event shows it: only what has happened to it. ctnetlink_conntrack_event(). */
export function eventMessage(state: ConntrackState, { conn, events }: ConntrackEvent): ConnMessage {
  const message = connMessage(state, conn)
  delete message.use
  if (events & IPCT_DESTROY) {
    if (message.timeout === 0) delete message.timeout
  } else {
    delete message.packets
    delete message.bytes
    delete message.startNs
    if (!(events & IPCT_PROTOINFO)) delete message.tcpState
  }
  delete message.helper
  if (conn.helper && !(events & IPCT_DESTROY)) message.helper = conn.helper.name
  if (conn.mark === 0 && !(events & IPCT_MARK)) delete message.mark
  return message
}

export function expectMessage(state: ConntrackState, one: Expectation): ExpectMessage {
  return {
    timeout: Math.max(0, Math.floor((one.timeout - state.jiffies) / HZ)),
    master: tupleMessage(one.master.original),
    tuple: { src: one.src ?? 0, dst: one.dst, srcPort: one.srcPort, dstPort: one.dstPort, protocol: one.protocol },
    anySource: one.src === undefined,
    anyPort: one.srcPort === 0,
    zone: one.master.zone,
    flags: one.flags,
    helper: one.helper,
    class: 0,
    id: one.number,
  }
}

function findTuple(state: ConntrackState, tuple: TupleMessage, zone: number): Conn | undefined {
  const kind = kindOf(tuple.protocol, typeof tuple.src !== 'number', zone)
  const ports = (tuple.srcPort << 16) | tuple.dstPort
  return state.find(addressKey(tuple.src), addressKey(tuple.dst), ports, kind)?.conn
}

const done: NetlinkAnswer = { ok: true, messages: [] }

/** ctnetlink_create_conntrack(). */
function create(state: ConntrackState, request: CreateRequest, portId: number): NetlinkAnswer {
  const { tuple, reply } = request
  if (findTuple(state, tuple, request.zone) || findTuple(state, reply, request.zone)) {
    return { ok: false, errno: 'EEXIST' }
  }
  const conn = state.create(
    tuple.src,
    tuple.dst,
    tuple.srcPort,
    tuple.dstPort,
    reply.srcPort,
    reply.dstPort,
    tuple.protocol,
    request.zone,
  )
  if (conn === undefined) return { ok: false, errno: 'ENOMEM' }
  conn.reply.src = reply.src
  conn.reply.dst = reply.dst
  conn.reply.rekey()
  const nat = (manip: 'SRC' | 'DST', given: CreateRequest['snat']) => {
    if (given === undefined) natNull(state, conn, manip)
    else {
      const range = { min: given.address, max: given.address }
      natSetup(
        state,
        conn,
        given.port === undefined ? range : { ...range, minPort: given.port, maxPort: given.port },
        manip,
      )
    }
  }
  if (request.snat || request.dnat) {
    nat('DST', request.dnat)
    nat('SRC', request.snat)
  }
  conn.status |= request.status & (IPS_SEEN_REPLY | IPS_ASSURED)
  conn.mark = request.mark
  conn.timeout = state.jiffies + request.timeoutS * HZ
  if (tuple.protocol === IPPROTO_TCP) {
    conn.tcp = new TcpTrack()
    conn.tcp.state = request.tcpState ?? 0
  }
  if (state.settings.acct !== 0) conn.accounting = { packets: [0, 0], bytes: [0, 0] }
  if (state.settings.timestamp !== 0) conn.startNs = state.host.sim.nowNs
  if (state.settings.events === 1 || state.listeners.length > 0) conn.eventMask = -1
  state.insert(conn)
  state.counters.insert++
  state.report(conn, IPCT_NEW | BY_USER, portId)
  return done
}

/** ctnetlink_change_conntrack(). */
function update(state: ConntrackState, conn: Conn, change: UpdateRequest, portId: number): NetlinkAnswer {
  if (change.status !== undefined) {
    const given = change.status | IPS_CONFIRMED
    // What was seen can't be unseen. ctnetlink_change_status().
    if (conn.status & IPS_SEEN_REPLY && !(given & IPS_SEEN_REPLY)) return { ok: false, errno: 'EBUSY' }
    if (conn.status & IPS_ASSURED && !(given & IPS_ASSURED)) return { ok: false, errno: 'EBUSY' }
    conn.status |= given & (IPS_SEEN_REPLY | IPS_ASSURED)
  }
  if (change.timeoutS !== undefined) conn.timeout = state.jiffies + change.timeoutS * HZ
  if (change.mark !== undefined) conn.mark = change.mark
  state.report(conn, BY_USER, portId)
  return { ok: true, messages: [{ ...connMessage(state, conn), use: 2 + conn.children }] }
}

function answer(host: Host, request: CtRequest): NetlinkAnswer {
  const state = conntrackState.of(host)
  const { portId } = request
  const byId = (id: number) => state.list().find((conn) => state.idOf(conn) === id)
  switch (request.type) {
    case 'CTNL_DUMP': {
      if (request.table !== 'conntrack') return done // Nothing is between two states here.
      const conns = state.list().filter((conn) => request.family === 0 || familyOf(conn) === request.family)
      const messages = conns.map((conn) => connMessage(state, conn))
      if (request.zero) {
        for (const { accounting } of conns) {
          accounting?.packets.fill(0)
          accounting?.bytes.fill(0)
        }
      }
      return { ok: true, messages }
    }
    case 'CTNL_GET': {
      const conn = findTuple(state, request.tuple, request.zone)
      if (conn === undefined) return { ok: false, errno: 'ENOENT' }
      return { ok: true, messages: [{ ...connMessage(state, conn), use: 2 + conn.children }] }
    }
    case 'CTNL_CREATE':
      return create(state, request.create, portId)
    case 'CTNL_UPDATE': {
      const conn = byId(request.id)
      return conn ? update(state, conn, request.change, portId) : { ok: false, errno: 'ENOENT' }
    }
    case 'CTNL_DELETE': {
      const conn = byId(request.id)
      if (conn === undefined) return { ok: false, errno: 'ENOENT' }
      state.kill(conn, portId)
      return done
    }
    case 'CTNL_FLUSH':
      state.cleanup((conn) => request.family === 0 || familyOf(conn) === request.family, portId)
      return done
    case 'CTNL_STATS':
      return { ok: true, messages: [{ ...state.counters, count: state.count }] }
    case 'CTNL_EXPECT_DUMP':
      return { ok: true, messages: listExpectations(state).map((one) => expectMessage(state, one)) }
    case 'CTNL_EXPECT_FLUSH':
      for (const one of state.expectations.slice()) one.remove(state)
      return done
  }
}

function familyOf(conn: Conn): 2 | 10 {
  return typeof conn.original.src === 'number' ? 2 : 10
}

const TYPES: CtRequest['type'][] = [
  'CTNL_DUMP',
  'CTNL_GET',
  'CTNL_CREATE',
  'CTNL_UPDATE',
  'CTNL_DELETE',
  'CTNL_FLUSH',
  'CTNL_STATS',
  'CTNL_EXPECT_DUMP',
  'CTNL_EXPECT_FLUSH',
]

/** Installs the answers. */
export function installConntrackNetlink(image: KernelImage): void {
  for (const type of TYPES) image.netlink(type, (host, message) => answer(host, message as CtRequest))
}

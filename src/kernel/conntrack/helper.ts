/**
 * Helpers read what a connection says, and expect others because of it. None is attached by itself: a rule of the raw
 * table assigns one (-j CT --helper), or the automatic assignment by port is switched on (nf_conntrack_helper, which 6.1
 * no longer has).
 *
 * Linux 6.1 net/netfilter/nf_conntrack_helper.c, nf_conntrack_seqadj.c.
 */
import { type HookContext, NF_ACCEPT } from '#kernel/net'
import { IPPROTO_TCP, type Packet, RAW_NONE, TCP_ACK } from '#wire/inet'
import { type Conn, ctDirection, type HelperRef, IPS_HELPER, IPS_SEQ_ADJUST } from './conn.ts'
import { ftp } from './ftp.ts'
import type { ConntrackState } from './state.ts'
import { after, before, sequenceOffset } from './tcp-window.ts'

export interface Helper extends HelperRef {
  readonly protocol: number
  /** Looks at a packet that is about to leave: a verdict. */
  help(state: ConntrackState, conn: Conn, packet: Packet): number
}

/** Those that there are, by name and protocol. */
export const helpers: readonly Helper[] = [ftp]

/** A helper by the name that a rule gives it. */
export function findHelper(name: string, protocol: number): Helper | undefined {
  return helpers.find((one) => one.name === name && one.protocol === protocol)
}

/** A new connection gets its template's helper, if it is of the helper's protocol. __nf_ct_try_assign_helper(). */
export function assignHelper(_state: ConntrackState, conn: Conn, template: Conn | undefined): void {
  const helper = template?.helper as Helper | undefined
  if (helper === undefined || helper.protocol !== conn.protocol) return
  conn.helper = helper
  conn.status |= IPS_HELPER
}

export function runHelper(state: ConntrackState, conn: Conn, packet: Packet): number {
  const helper = conn.helper as Helper
  return helper.help === undefined ? NF_ACCEPT : helper.help(state, conn, packet)
}

/** A helper has made a segment longer or shorter: what follows is moved by so many bytes. nf_ct_seqadj_set(). */
export function moveSequence(conn: Conn, packet: Packet, by: number): void {
  if (by === 0) return
  conn.status |= IPS_SEQ_ADJUST
  conn.sequence ??= [
    { position: 0, before: 0, after: 0 },
    { position: 0, before: 0, after: 0 },
  ]
  const way = conn.sequence[ctDirection(packet.ctInfo)]
  if (way.before !== way.after && !before(way.position, packet.seq)) return
  way.position = packet.seq
  way.before = way.after
  way.after += by
}

/** Sequence and acknowledgement numbers of a segment as the other side counts. nf_ct_seq_adjust(). */
export function shiftSequence(conn: Conn, packet: Packet, context: HookContext): void {
  if (packet.protocol !== IPPROTO_TCP || packet.raw !== RAW_NONE || !conn.sequence) return
  if ((context.in ?? context.out)?.loops) return
  const direction = ctDirection(packet.ctInfo)
  const there = conn.sequence[direction]
  const back = conn.sequence[direction === 0 ? 1 : 0]
  packet.seq = (packet.seq + sequenceOffset(there, packet.seq)) >>> 0
  if (!(packet.tcpFlags & TCP_ACK)) return
  const unmoved = (number: number): number => {
    const offset = after((number - back.before) >>> 0, back.position) ? back.after : back.before
    return (number - offset) >>> 0
  }
  packet.ack = unmoved(packet.ack)
  const options = packet.tcpOptions
  if (options === undefined) return
  const moved = options.slice()
  const view = new DataView(moved.buffer)
  for (let at = 0; at < moved.length; ) {
    const kind = moved[at]!
    if (kind === 0) break
    if (kind === 1) {
      at++
      continue
    }
    const size = moved[at + 1] ?? 0
    if (size < 2 || at + size > moved.length) break
    if (kind === 5 && size >= 10 && (size - 2) % 8 === 0) {
      for (let i = at + 2; i < at + size; i += 4) view.setUint32(i, unmoved(view.getUint32(i)))
    }
    at += size
  }
  packet.tcpOptions = moved
}

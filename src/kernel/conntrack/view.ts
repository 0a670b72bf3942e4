/** Connections for who draws them: pages, the terminal's pictures. */
import type { Host } from '#kernel/core'
import { HZ } from '#kernel/net'
import { type Conn, IPS_ASSURED, IPS_SEEN_REPLY } from './conn.ts'
import { conntrackState, expiresJiffies } from './state.ts'
import { TCP_STATES } from './tcp-state.ts'
import { formatAddr, protocolName } from './text.ts'

export interface ConnectionView {
  id: number
  protocol: string
  /** TCP's state; empty for other protocols. */
  state: string
  original: { src: string; dst: string; srcPort: number; dstPort: number }
  reply: { src: string; dst: string; srcPort: number; dstPort: number }
  replied: boolean
  assured: boolean
  mark: number
  expiresS: number
  packets: [number, number] | undefined
  bytes: [number, number] | undefined
}

function side(conn: Conn, direction: 0 | 1) {
  const { src, dst, srcPort, dstPort } = conn.tuple(direction)
  return { src: formatAddr(src), dst: formatAddr(dst), srcPort, dstPort }
}

/**
 * The connections of a host, the oldest first; none if nothing is tracked there. Unlike netlink's dump it throws away
 * nothing that has expired: whether somebody watches mustn't change what happens.
 */
export function connections(host: Host): ConnectionView[] {
  const state = conntrackState.peek(host)
  if (state === undefined) return []
  const now = state.jiffies
  const standing = state.all().filter(({ timeout }) => timeout > now)
  return standing.map((conn) => ({
    id: state.idOf(conn),
    protocol: protocolName(conn.protocol),
    state: conn.tcp ? TCP_STATES[conn.tcp.state]! : '',
    original: side(conn, 0),
    reply: side(conn, 1),
    replied: (conn.status & IPS_SEEN_REPLY) !== 0,
    assured: (conn.status & IPS_ASSURED) !== 0,
    mark: conn.mark,
    expiresS: Math.floor(expiresJiffies(state, conn) / HZ),
    packets: conn.accounting && [...conn.accounting.packets],
    bytes: conn.accounting && [...conn.accounting.bytes],
  }))
}

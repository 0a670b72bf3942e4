/** Timeouts and accounting of a packet that belongs to a connection. nf_conntrack_core.c: __nf_ct_refresh_acct(). */
import { ipLength, type Packet } from '#wire/inet'
import { type Conn, ctDirection, IPS_CONFIRMED, IPS_FIXED_TIMEOUT } from './conn.ts'
import type { ConntrackState } from './state.ts'

/** The packet isn't part of the connection: it goes on, untracked. -NF_ACCEPT. */
export const INVALID = -1
/** The connection has gone; look again. -NF_REPEAT. */
export const REPEAT = -4

/** Counts a packet, if this connection is accounted. */
export function account(conn: Conn, packet: Packet): void {
  if (conn.accounting === undefined) return
  const direction = ctDirection(packet.ctInfo)
  conn.accounting.packets[direction]++
  conn.accounting.bytes[direction] += ipLength(packet)
}

/** Gives a connection so many jiffies more. */
export function refresh(state: ConntrackState, conn: Conn, packet: Packet, jiffies: number): void {
  const { status } = conn
  if ((status & IPS_FIXED_TIMEOUT) === 0) {
    conn.timeout = (status & IPS_CONFIRMED) !== 0 ? state.jiffies + jiffies : jiffies
  }
  if (conn.accounting !== undefined) account(conn, packet)
}

/** Which connections are about to end anyway, and may go when room is wanted. Linux 6.1: the trackers' can_early_drop. */
import { IPPROTO_TCP } from '#wire/inet'
import type { Conn } from './conn.ts'
import { TCP_CLOSE, TCP_FIN_WAIT } from './tcp-state.ts'

/** tcp_can_early_drop(): from FIN_WAIT to CLOSE. */
export function canEarlyDrop(conn: Conn): boolean {
  if (conn.protocol !== IPPROTO_TCP || !conn.tcp) return false
  return conn.tcp.state >= TCP_FIN_WAIT && conn.tcp.state <= TCP_CLOSE
}

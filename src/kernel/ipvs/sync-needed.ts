/** Whether a backup is to be told of a connection, after so many packets. Linux 6.1 net/netfilter/ipvs/ip_vs_sync.c: ip_vs_sync_conn_needed(). */
import { HZ } from '#kernel/net'
import { IPPROTO_TCP } from '#wire/inet'
import type { Conn } from './conn.ts'
import {
  IP_VS_SCTP_S_CLOSED,
  IP_VS_SCTP_S_ESTABLISHED,
  IP_VS_SCTP_S_SHUTDOWN_ACK_SENT,
  IP_VS_SCTP_S_SHUTDOWN_RECEIVED,
  IP_VS_SCTP_S_SHUTDOWN_SENT,
  IP_VS_TCP_S_CLOSE,
  IP_VS_TCP_S_CLOSE_WAIT,
  IP_VS_TCP_S_ESTABLISHED,
  IP_VS_TCP_S_FIN_WAIT,
  IP_VS_TCP_S_TIME_WAIT,
  IPPROTO_SCTP,
} from './uapi.ts'

/** The states that are told, and the one of them whose beginning still waits for its number of packets. */
interface Told {
  states: ReadonlySet<number>
  established: number
}

const TOLD: Record<number, Told> = {
  [IPPROTO_TCP]: {
    states: new Set([
      IP_VS_TCP_S_ESTABLISHED,
      IP_VS_TCP_S_FIN_WAIT,
      IP_VS_TCP_S_CLOSE,
      IP_VS_TCP_S_CLOSE_WAIT,
      IP_VS_TCP_S_TIME_WAIT,
    ]),
    established: IP_VS_TCP_S_ESTABLISHED,
  },
  [IPPROTO_SCTP]: {
    states: new Set([
      IP_VS_SCTP_S_ESTABLISHED,
      IP_VS_SCTP_S_SHUTDOWN_SENT,
      IP_VS_SCTP_S_SHUTDOWN_RECEIVED,
      IP_VS_SCTP_S_SHUTDOWN_ACK_SENT,
      IP_VS_SCTP_S_CLOSED,
    ]),
    established: IP_VS_SCTP_S_ESTABLISHED,
  },
}

/** Whether it hangs on a template, at whatever remove. in_persistence(). */
function isPersistent(cp: Conn): boolean {
  for (let control = cp.control; control !== undefined; control = control.control) {
    if (control.isTemplate) return true
  }
  return false
}

/** Decides, and remembers what was told: state, and until when that holds. */
export function syncNeeded(cp: Conn, pkts: number): boolean {
  const { settings, jiffies: now } = cp.ipvs
  const until = now + cp.timeout
  // The lowest two bits count how often it was told again.
  let endtime = until - (until % 4)
  if (!cp.isTemplate) {
    if (settings.syncPersistMode !== 0 && isPersistent(cp)) return false
    const told = TOLD[cp.protocol]
    if (told) {
      if (!told.states.has(cp.state)) return false
      if (cp.state !== cp.oldState && cp.state !== told.established) return remember(cp, endtime)
    }
  }
  const refresh = settings.syncRefreshPeriod
  if (refresh > 0) {
    const before = cp.syncEndtime
    const least = Math.min(refresh, Math.max(Math.floor(cp.timeout / 2), 10 * HZ))
    if (Math.abs(endtime - before) < least) {
      const retries = before % 4
      if (retries >= settings.syncRetries) return false
      if (now < before - cp.timeout + Math.floor(refresh / 8)) return false
      endtime += retries + 1
    }
  }
  const [threshold, period] = settings.syncThreshold
  if (period > 0) {
    if (!cp.isTemplate && pkts % period !== threshold) return false
  } else if (refresh === 0 && pkts !== threshold) return false
  return remember(cp, endtime)
}

function remember(cp: Conn, endtime: number): true {
  cp.oldState = cp.state
  cp.syncEndtime = endtime
  return true
}

/** What is wrong with a header that couldn't be read into fields, in the kernel's order of checks. ip_rcv_core(). */
import { internetChecksum } from '#base/bytes'
import type { Packet } from '#wire/inet'
import type { InetState } from './ip-state.ts'
import { drop } from './ip-trace.ts'

/** Counts what is wrong, and drops the packet. */
export function headerFault(state: InetState, packet: Packet): void {
  const counters = state.count()
  const { buffer, offset, length } = packet
  const first = buffer[offset] ?? 0
  const headerLength = (first & 15) * 4
  if (length < 20 || headerLength < 20 || first >>> 4 !== 4) {
    counters.inHdrErrors++
    drop(state, packet, 'IP_INHDR')
    return
  }
  const ecn = buffer[offset + 1]! & 3
  if (ecn === 0) counters.inNoEctPkts++
  else if (ecn === 1) counters.inEct1Pkts++
  else if (ecn === 2) counters.inEct0Pkts++
  else counters.inCePkts++
  if (length < headerLength) {
    counters.inHdrErrors++
    drop(state, packet, 'IP_INHDR')
  } else if (internetChecksum(buffer, offset, headerLength) !== 0) {
    counters.inCsumErrors++
    counters.inHdrErrors++
    drop(state, packet, 'IP_CSUM')
  } else if (length < (buffer[offset + 2]! << 8) + buffer[offset + 3]!) {
    counters.inTruncatedPkts++
    drop(state, packet, 'PKT_TOO_SMALL')
  } else {
    counters.inHdrErrors++
    drop(state, packet, 'IP_INHDR')
  }
}

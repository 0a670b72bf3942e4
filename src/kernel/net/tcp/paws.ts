/**
 * Which segments are too old or out of place, and how often that is answered. RFC 7323 section 5, RFC 5961.
 * Linux 6.1 include/net/tcp.h: tcp_paws_check(), tcp_paws_reject(); net/ipv4/tcp_input.c: tcp_in_window(), tcp_oow_rate_limited().
 */
import type { Host } from '#kernel/core'
import type { Packet } from '#wire/inet'
import { SYN } from './constants.ts'
import type { TcpCounters } from './counters.ts'
import type { TcpHost } from './host.ts'
import { after, before } from './sequence.ts'

/** ktime_get_seconds(). One more, so that 0 can mean never. */
export function seconds(host: Host): number {
  return Math.floor((host.sim.nowNs - host.bootedNs) / 1e9) + 1
}

/** What remembers the peer's timestamps. */
export interface Timestamps {
  sawTstamp: boolean
  rcvTsval: number
  rcvTsecr: number
  tsRecent: number
  tsRecentStamp: number
}

/** After 24 days without a segment the memory is worthless. TCP_PAWS_24DAYS. */
const PAWS_24DAYS = 60 * 60 * 24 * 24
/** TCP_PAWS_MSL. */
const PAWS_MSL = 60

/** Whether a timestamp is new enough, give or take `window`. tcp_paws_check(). */
export function pawsCheck(one: Timestamps, window: number, host: Host): boolean {
  if (((one.tsRecent - one.rcvTsval) | 0) <= window) return true
  if (seconds(host) > one.tsRecentStamp + PAWS_24DAYS) return true
  return one.tsRecent === 0
}

/** tcp_paws_reject(). */
export function pawsReject(one: Timestamps, reset: boolean, host: Host): boolean {
  if (pawsCheck(one, 0, host)) return false
  return !(reset && seconds(host) > one.tsRecentStamp + PAWS_MSL)
}

/** tcp_in_window(). */
export function inWindow(seq: number, endSeq: number, start: number, end: number): boolean {
  if (seq === start) return true
  if (after(endSeq, start) && before(seq, end)) return true
  return seq === end && seq === endSeq
}

export type SkippedCounter = keyof Pick<
  TcpCounters,
  | 'TCPACKSkippedSynRecv'
  | 'TCPACKSkippedPAWS'
  | 'TCPACKSkippedSeq'
  | 'TCPACKSkippedFinWait2'
  | 'TCPACKSkippedTimeWait'
  | 'TCPACKSkippedChallenge'
>

/** Whether an answer to a segment out of the window must wait. Segments with data but no SYN always are answered. */
export function oowRateLimited(
  one: { lastOowAck: number },
  packet: Packet,
  seq: number,
  endSeq: number,
  counter: SkippedCounter,
  tcp: TcpHost,
): boolean {
  if (seq !== endSeq && (packet.tcpFlags & SYN) === 0) return false
  return rateLimited(one, counter, tcp)
}

/** __tcp_oow_rate_limited(). */
export function rateLimited(one: { lastOowAck: number }, counter: SkippedCounter, tcp: TcpHost): boolean {
  const now = tcp.jiffies
  if (one.lastOowAck !== 0 && now - one.lastOowAck < tcp.sysctls.invalidRatelimit) {
    tcp.counters[counter]++
    return true
  }
  one.lastOowAck = now
  return false
}

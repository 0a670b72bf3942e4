/**
 * What is left of a connection in TIME-WAIT, or of an orphan in FIN-WAIT-2: its numbers and a timer.
 * Linux 6.1 net/ipv4/tcp_minisocks.c: tcp_time_wait(), tcp_timewait_state_process(); RFC 1337, RFC 6191.
 */
import type { Packet } from '#wire/inet'
import { HZ } from '../jiffies.ts'
import { ACK, FIN, RST, SYN, TCP_FIN_WAIT2, TCP_TIME_WAIT, TIMEWAIT_LEN } from './constants.ts'
import type { Waiting } from './deadlines.ts'
import { done } from './done.ts'
import { Endpoint } from './endpoint.ts'
import type { TcpHost } from './host.ts'
import { saveMetrics } from './metrics.ts'
import { parseOptions } from './options.ts'
import { inWindow, oowRateLimited, pawsReject, seconds } from './paws.ts'
import type { Bind } from './ports.ts'
import { after, before } from './sequence.ts'
import type { TcpSock } from './sock.ts'

export class TimeWait extends Endpoint implements Waiting {
  readonly tcp: TcpHost
  readonly af: TcpSock['af']
  readonly domain: TcpSock['domain']
  /** TCP_TIME_WAIT, or TCP_FIN_WAIT2 while the peer's FIN hasn't come. */
  substate: number
  bind: Bind | undefined = undefined
  bindNext: TcpSock | TimeWait | undefined = undefined
  bindPrevious: TcpSock | TimeWait | undefined = undefined
  reuseAddress: boolean
  reusePort: boolean
  rcvNxt: number
  sndNxt: number
  rcvWnd: number
  rcvWscale: number
  tsRecent: number
  tsRecentStamp: number
  tsOffset: number
  mark: number
  tos: number
  lastOowAck = 0
  /** When its time is over, in ticks; the wheel may take longer. */
  expires = 0
  /** What a segment's options said. */
  sawTstamp = false
  rcvTsval = 0
  rcvTsecr = 0
  deadlineNs = 0
  earlier: Waiting | undefined = undefined
  later: Waiting | undefined = undefined
  waiting = false

  constructor(socket: TcpSock, substate: number) {
    super(TCP_TIME_WAIT, socket.local, socket.localPort, socket.remote, socket.remotePort, socket.boundDevice)
    this.tcp = socket.tcp
    this.af = socket.af
    this.domain = socket.domain
    this.substate = substate
    this.reuseAddress = socket.reuseAddress
    this.reusePort = socket.reusePort
    this.rcvNxt = socket.rcvNxt
    this.sndNxt = socket.sndNxt
    this.rcvWnd = socket.receiveWindow
    this.rcvWscale = socket.rcvWscale
    this.tsRecent = socket.tsRecent
    this.tsRecentStamp = socket.tsRecentStamp
    this.tsOffset = socket.tsOffset
    this.mark = socket.mark
    this.tos = socket.tos
  }

  /** Its time begins anew. In jiffies. */
  schedule(jiffies: number): void {
    this.expires = this.tcp.jiffies + jiffies
    this.tcp.timeWaits.set(this, this.tcp.wheelNs(this.tcp.jiffies, this.expires))
  }

  /** It is gone. inet_twsk_kill(). */
  kill(): void {
    this.tcp.timeWaits.remove(this)
    this.tcp.connections.remove(this)
    this.tcp.ports.release(this)
  }
}

/** Its time is over. tw_timer_handler(). */
export function timeWaitExpired(one: TimeWait): void {
  one.kill()
}

/** A connection gives way to its TIME-WAIT, and is done. */
export function enterTimeWait(socket: TcpSock, state: number, jiffies: number): void {
  const { tcp } = socket
  if (tcp.timeWaits.size < tcp.sysctls.maxTwBuckets) {
    const one = new TimeWait(socket, state)
    const rto = socket.rto * 4 - (socket.rto >> 1)
    const { bind } = socket
    tcp.connections.remove(socket)
    if (bind) tcp.ports.own(one, bind)
    tcp.connections.add(one)
    const length = state === TCP_TIME_WAIT ? TIMEWAIT_LEN : Math.max(jiffies, rto)
    // __inet_twsk_schedule() counts it here, by how long it is to last.
    if (length <= 4 * HZ) tcp.counters.TWKilled++
    else tcp.counters.TW++
    one.schedule(length)
  } else tcp.counters.TCPTimeWaitOverflow++
  saveMetrics(socket)
  done(socket)
}

/** Whether connect(2) may take the numbers of a connection in TIME-WAIT. tcp_twsk_unique(). */
export function mayReuse(socket: TcpSock, one: TimeWait, chosenPort: boolean): boolean {
  let reuse = socket.tcp.sysctls.twReuse
  if (one.substate === TCP_FIN_WAIT2) reuse = 0
  if (reuse === 2 && !isLoopback(one)) reuse = 0
  const now = seconds(socket.tcp.host)
  if (one.tsRecentStamp === 0 || !(chosenPort || (reuse !== 0 && now > one.tsRecentStamp))) return false
  socket.writeSeq = (one.sndNxt + 65535 + 2) | 0
  if (socket.writeSeq === 0) socket.writeSeq = 1
  socket.tsRecent = one.tsRecent
  socket.tsRecentStamp = one.tsRecentStamp
  return true
}

function isLoopback(one: TimeWait): boolean {
  if (one.boundDevice === 1) return true
  const loops = (address: typeof one.local) =>
    typeof address === 'number'
      ? address >>> 24 === 127
      : address.w0 === 0 && address.w1 === 0 && address.w2 === 0 && address.w3 === 1
  return loops(one.local) || loops(one.remote)
}

/** What becomes of a segment: nothing, an acknowledgement, a reset, or a new connection in its place. */
export type TimeWaitVerdict = 'nothing' | 'ack' | 'reset' | 'syn'

/** A segment for it. `seq` and `endSeq`: what it takes. */
export function timeWaitReceive(one: TimeWait, packet: Packet, seq: number, endSeq: number): TimeWaitVerdict {
  const { counters, sysctls } = one.tcp
  const flags = packet.tcpFlags
  const reset = (flags & RST) !== 0
  let paws = false
  one.sawTstamp = false
  if (one.tsRecentStamp !== 0) {
    parseOptions(one, packet, sysctls.timestamps !== 0)
    if (one.sawTstamp) {
      if (one.rcvTsecr !== 0) one.rcvTsecr = (one.rcvTsecr - one.tsOffset) | 0
      paws = pawsReject(one, reset, one.tcp.host)
    }
  }
  if (one.substate === TCP_FIN_WAIT2) {
    if (paws || !inWindow(seq, endSeq, one.rcvNxt, (one.rcvNxt + one.rcvWnd) | 0)) {
      return oowRateLimited(one, packet, seq, endSeq, 'TCPACKSkippedFinWait2', one.tcp) ? 'nothing' : 'ack'
    }
    if (reset) {
      one.kill()
      return 'nothing'
    }
    if (flags & SYN && !before(seq, one.rcvNxt)) return 'reset'
    if (!(flags & ACK) || !after(endSeq, one.rcvNxt) || endSeq === seq) return 'nothing'
    if (!(flags & FIN) || endSeq !== ((one.rcvNxt + 1) | 0)) return 'reset'
    one.substate = TCP_TIME_WAIT
    one.rcvNxt = endSeq
    rememberTimestamp(one)
    one.schedule(TIMEWAIT_LEN)
    return 'ack'
  }
  if (!paws && seq === one.rcvNxt && (seq === endSeq || reset)) {
    if (!reset) one.schedule(TIMEWAIT_LEN)
    else if (sysctls.rfc1337 === 0) {
      one.kill()
      return 'nothing'
    }
    rememberTimestamp(one)
    return 'nothing'
  }
  const newer = one.sawTstamp && ((one.tsRecent - one.rcvTsval) | 0) < 0
  if (flags & SYN && !reset && !(flags & ACK) && !paws && (after(seq, one.rcvNxt) || newer)) return 'syn'
  if (paws) counters.PAWSEstab++
  if (reset) return 'nothing'
  if (paws || flags & ACK) one.schedule(TIMEWAIT_LEN)
  return oowRateLimited(one, packet, seq, endSeq, 'TCPACKSkippedTimeWait', one.tcp) ? 'nothing' : 'ack'
}

function rememberTimestamp(one: TimeWait): void {
  if (!one.sawTstamp) return
  one.tsRecent = one.rcvTsval
  one.tsRecentStamp = seconds(one.tcp.host)
}

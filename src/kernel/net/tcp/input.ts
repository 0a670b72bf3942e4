/**
 * A segment for a socket that isn't listening. Linux 6.1 net/ipv4/tcp_input.c: tcp_rcv_established(),
 * tcp_rcv_state_process(), tcp_rcv_synsent_state_process(), tcp_validate_incoming(). RFC 9293 section 3.10.7.
 */
import type { Packet } from '#wire/inet'
import { HZ } from '../jiffies.ts'
import { receiveAck, storeTsRecent } from './ack.ts'
import { sendChallengeAck } from './challenge.ts'
import { shutdownSend } from './close.ts'
import {
  ACK,
  ACK_NOW,
  ACK_PUSHED,
  ACK_SCHED,
  ACK_TIMER,
  CWR,
  DELACK_MAX,
  DELACK_MIN,
  ECE,
  F_NO_CHALLENGE_ACK,
  F_SLOWPATH,
  F_UPDATE_TS_RECENT,
  FASTRETRANS_THRESH,
  FIN,
  MAX_QUICKACKS,
  PSH,
  RCV_SHUTDOWN,
  RST,
  RTO_MAX,
  SEND_SHUTDOWN,
  SYN,
  states,
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_FIN_WAIT2,
  TCP_LAST_ACK,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
  TIMEOUT_MIN,
  TIMER_RETRANS,
  TIMESTAMPS_ALIGNED,
  TIMEWAIT_LEN,
} from './constants.ts'
import { initialCwnd } from './cwnd.ts'
import {
  dataReady,
  dataReceived,
  endOf,
  enterQuickAck,
  queueData,
  queueReceived,
  receivedTruesize,
  scheduleAck,
  sendDuplicateAck,
} from './data.ts'
import { done, doneWithError, setState } from './done.ts'
import { initMetrics, saveMetrics } from './metrics.ts'
import { mssToMtu, syncMss } from './mss.ts'
import { parseOptions, sackBlocks } from './options.ts'
import { pushPendingFrames, sendAck, transmitSegment } from './output.ts'
import { oowRateLimited, pawsCheck, pawsReject } from './paws.ts'
import { updatePacingRate, updateRtt, usecsToJiffies } from './rtt.ts'
import { after, before, between } from './sequence.ts'
import type { TcpSock } from './sock.ts'
import { finTime, keepaliveTime, resetXmitTimer } from './timers.ts'
import { enterTimeWait } from './timewait.ts'
import { takeUrgent } from './urgent.ts'
import {
  expandSendBuffer,
  fastPathCheck,
  initBufferSpace,
  initRcvMss,
  measureRcvRttByEcho,
  offerableWindow,
} from './window.ts'

/** Whether the sender of the segment is to be sent a reset. */
export type Verdict = boolean

const AFTER_PEERS_FIN = states(TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_CLOSING)

// Acknowledging what came.

/** tcp_send_delayed_ack(). */
function sendDelayedAck(socket: TcpSock): void {
  let ato = socket.ackAto
  if (ato > DELACK_MIN) {
    let most = HZ / 2
    if (socket.pingpong || socket.ackPending & ACK_PUSHED) most = DELACK_MAX
    if (socket.srttUs !== 0) most = Math.min(most, Math.max(usecsToJiffies(socket.srttUs >> 3), DELACK_MIN))
    ato = Math.min(ato, most)
  }
  ato = Math.min(ato, DELACK_MAX)
  const now = socket.jiffies
  let timeout = now + ato
  if (socket.ackPending & ACK_TIMER) {
    if (socket.ackTimeout <= now + (ato >> 2)) {
      sendAck(socket)
      return
    }
    if (timeout >= socket.ackTimeout) timeout = socket.ackTimeout
  }
  socket.ackPending |= ACK_SCHED | ACK_TIMER
  socket.ackTimeout = timeout
  socket.setDelackTimer(timeout)
}

/** tcp_in_quickack_mode(). */
function inQuickAck(socket: TcpSock): boolean {
  if (socket.path && socket.af.metric(socket.path, 'quickack') !== 0) return true
  return socket.ackQuick !== 0 && !socket.pingpong
}

/** __tcp_ack_snd_check(): now, later, or together with others of its kind. */
function ackCheck(socket: TcpSock, outOfOrder: boolean): void {
  const full = ((socket.rcvNxt - socket.rcvWup) | 0) >>> 0 > socket.rcvMss
  if (
    (full && (socket.unread < socket.receiveLowat || offerableWindow(socket) >= socket.rcvWnd)) ||
    inQuickAck(socket) ||
    socket.ackPending & ACK_NOW
  ) {
    sendAck(socket)
    return
  }
  if (!outOfOrder || socket.outOfOrder.length === 0) {
    sendDelayedAck(socket)
    return
  }
  const { compSackNr, compSackDelayNs } = socket.sysctls
  if (!socket.sackOk || socket.compressedAck >= compSackNr) {
    sendAck(socket)
    return
  }
  if (socket.compressedAckRcvNxt !== socket.rcvNxt) {
    socket.compressedAckRcvNxt = socket.rcvNxt
    socket.dupAckCounter = 0
  }
  if (socket.dupAckCounter < FASTRETRANS_THRESH) {
    socket.dupAckCounter++
    sendAck(socket)
    return
  }
  socket.compressedAck++
  if (socket.compressedNs !== Number.POSITIVE_INFINITY) return
  let rtt = socket.rcvRttUs
  if (socket.srttUs !== 0 && socket.srttUs < rtt) rtt = socket.srttUs
  const delay = Math.min(compSackDelayNs, Math.floor((rtt * 125) / 20))
  socket.setCompressedTimer(socket.host.sim.nowNs + delay)
}

/** tcp_ack_snd_check(). */
function ackSendCheck(socket: TcpSock): void {
  if (socket.ackPending & ACK_SCHED) ackCheck(socket, true)
}

/** What is to be sent, and whoever waits for room to write. tcp_data_snd_check(). */
export function dataSendCheck(socket: TcpSock): void {
  pushPendingFrames(socket)
  if (socket.noSpace) newSpace(socket)
}

/** tcp_new_space(). */
function newSpace(socket: TcpSock): void {
  if (!socket.sendBufferLocked && socket.packetsInFlight < socket.sndCwnd) {
    expandSendBuffer(socket)
    socket.sndCwndStamp = socket.jiffies
  }
  if (writeable(socket)) {
    socket.noSpace = false
    socket.queue.wake()
  }
}

/** A third of the buffer is free. sk_stream_is_writeable(). */
export function writeable(socket: TcpSock): boolean {
  return socket.sendBuffer - socket.wmemQueued >= socket.wmemQueued >> 1 && belowLowat(socket)
}

/** tcp_stream_memory_free()'s part: not too much that was never sent. */
export function belowLowat(socket: TcpSock): boolean {
  const lowat = socket.notsentLowat || socket.sysctls.notsentLowat
  return lowat >= 4294967295 || ((socket.writeSeq - socket.sndNxt) | 0) < lowat
}

/** Something was acknowledged by what another part received: room may have come. */
export function checkSpace(socket: TcpSock): void {
  if (socket.noSpace) newSpace(socket)
}

// Connections.

/** A reset that counts. tcp_reset(). */
export function reset(socket: TcpSock): void {
  if (socket.state === TCP_CLOSE) return
  if (socket.state === TCP_SYN_SENT) doneWithError(socket, 'ECONNREFUSED')
  else if (socket.state === TCP_CLOSE_WAIT) doneWithError(socket, 'EPIPE')
  else doneWithError(socket, 'ECONNRESET')
}

/** tcp_init_transfer(). */
function initTransfer(socket: TcpSock): void {
  initMtuProbing(socket)
  socket.af.path(socket)
  initMetrics(socket)
  if (socket.totalRetrans > 1 && socket.undoMarker !== 0) socket.sndCwnd = 1
  else socket.sndCwnd = initialCwnd(socket)
  socket.sndCwndStamp = socket.jiffies
  socket.congestion.init?.(socket)
  initBufferSpace(socket)
}

/** tcp_mtup_init(). */
export function initMtuProbing(socket: TcpSock): void {
  socket.mtuProbing = socket.sysctls.mtuProbing > 1
  socket.searchHigh = socket.mssClamp + 20 + socket.af.headerLength
  socket.searchLow = mssToMtu(socket, socket.sysctls.baseMss)
}

/** tcp_finish_connect(). */
function finishConnect(socket: TcpSock): void {
  setState(socket, TCP_ESTABLISHED)
  socket.lrcvtime = socket.jiffies
  initTransfer(socket)
  socket.lsndtime = socket.jiffies
  if (socket.keepAlive) socket.setKeepaliveTimer(socket.jiffies + keepaliveTime(socket))
  socket.fastPath = socket.sndWscale === 0
}

/** The SYN or SYN-ACK that timed out was only late. tcp_try_undo_spurious_syn(). */
function undoSpuriousSyn(socket: TcpSock): void {
  const stamp = socket.retransStamp
  if (socket.undoMarker !== 0 && stamp !== 0 && socket.sawTstamp && stamp === socket.rcvTsecr) socket.undoMarker = 0
}

/** What a SYN's options said is forgotten again. */
function forgetOptions(socket: TcpSock, mssClamp: number): void {
  socket.sackOk = false
  socket.wscaleOk = false
  socket.sndWscale = 0
  socket.tstampOk = false
  socket.mssClamp = mssClamp
}

/** An answer to a SYN. 'data': go on with what is to be sent. */
function synSentProcess(socket: TcpSock, packet: Packet): 'reset' | 'drop' | 'data' {
  const { mssClamp } = socket
  const flags = packet.tcpFlags
  const seq = packet.seq | 0
  const ack = packet.ack | 0
  parseOptions(socket, packet, socket.sysctls.timestamps !== 0, socket, socket.sysctls)
  if (socket.sawTstamp && socket.rcvTsecr !== 0) socket.rcvTsecr = (socket.rcvTsecr - socket.tsOffset) | 0
  if (flags & ACK) {
    if (!after(ack, socket.sndUna) || after(ack, socket.sndNxt)) {
      if (socket.retransmits === 0) resetXmitTimer(socket, TIMER_RETRANS, TIMEOUT_MIN, RTO_MAX)
      forgetOptions(socket, mssClamp)
      return 'reset'
    }
    if (socket.sawTstamp && socket.rcvTsecr !== 0 && !between(socket.rcvTsecr, socket.retransStamp, socket.timeStamp)) {
      socket.tcp.counters.PAWSActive++
      forgetOptions(socket, mssClamp)
      return 'reset'
    }
    if (flags & RST) {
      reset(socket)
      return 'drop'
    }
    if (!(flags & SYN)) {
      forgetOptions(socket, mssClamp)
      return 'drop'
    }
    socket.ecnOk = socket.ecnOk && (flags & (ECE | CWR)) === ECE
    socket.sndWl1 = seq
    undoSpuriousSyn(socket)
    receiveAck(socket, packet, seq, endOf(packet), F_SLOWPATH)
    socket.rcvNxt = (seq + 1) | 0
    socket.rcvWup = socket.rcvNxt
    socket.sndWnd = packet.window
    if (!socket.wscaleOk) {
      socket.sndWscale = 0
      socket.rcvWscale = 0
      socket.windowClamp = Math.min(socket.windowClamp, 65535)
    }
    if (socket.sawTstamp) {
      socket.tstampOk = true
      socket.headerLength = 32
      socket.advmss -= TIMESTAMPS_ALIGNED
      storeTsRecent(socket)
    } else socket.headerLength = 20
    syncMss(socket, socket.pmtuCookie)
    initRcvMss(socket)
    socket.copiedSeq = socket.rcvNxt
    finishConnect(socket)
    if (!socket.orphan) socket.queue.wake()
    if (socket.writePending || socket.deferAccept !== 0 || socket.pingpong) {
      scheduleAck(socket)
      enterQuickAck(socket, MAX_QUICKACKS)
      socket.ackPending |= ACK_TIMER
      socket.ackTimeout = socket.jiffies + DELACK_MAX
      socket.setDelackTimer(socket.ackTimeout)
      return 'drop'
    }
    sendAck(socket)
    return 'data'
  }
  if (flags & RST) {
    forgetOptions(socket, mssClamp)
    return 'drop'
  }
  if (socket.tsRecentStamp !== 0 && socket.sawTstamp && pawsReject(socket, false, socket.host)) {
    forgetOptions(socket, mssClamp)
    return 'drop'
  }
  if (!(flags & SYN)) {
    forgetOptions(socket, mssClamp)
    return 'drop'
  }
  // Two SYNs have crossed.
  setState(socket, TCP_SYN_RECV)
  if (socket.sawTstamp) {
    socket.tstampOk = true
    storeTsRecent(socket)
    socket.headerLength = 32
  } else socket.headerLength = 20
  socket.rcvNxt = (seq + 1) | 0
  socket.copiedSeq = socket.rcvNxt
  socket.rcvWup = socket.rcvNxt
  socket.sndWnd = packet.window
  socket.sndWl1 = seq
  socket.maxWindow = socket.sndWnd
  if (!socket.wscaleOk) {
    socket.sndWscale = 0
    socket.rcvWscale = 0
    socket.windowClamp = Math.min(socket.windowClamp, 65535)
  }
  initMtuProbing(socket)
  syncMss(socket, socket.pmtuCookie)
  initRcvMss(socket)
  const head = socket.sent.head
  if (head) {
    head.flags |= ACK
    transmitSegment(socket, head)
  }
  return 'drop'
}

/** Checks numbers, resets and SYNs; answers what is out of place. Whether to go on. tcp_validate_incoming(). */
function validate(socket: TcpSock, packet: Packet, seq: number, end: number, established: boolean): boolean {
  const flags = packet.tcpFlags
  const { counters } = socket.tcp
  parseOptions(socket, packet, socket.tstampOk)
  if (socket.sawTstamp) {
    if (socket.rcvTsecr !== 0) socket.rcvTsecr = (socket.rcvTsecr - socket.tsOffset) | 0
    if (!pawsCheck(socket, 1, socket.host) && !disorderedAck(socket, packet, seq, end) && !(flags & RST)) {
      counters.PAWSEstab++
      if (!oowRateLimited(socket, packet, seq, end, 'TCPACKSkippedPAWS', socket.tcp)) {
        sendDuplicateAck(socket, seq, end)
      }
      return false
    }
  }
  const finReset = seq === ((socket.rcvNxt - 1) | 0) && ((1 << socket.state) & AFTER_PEERS_FIN) !== 0
  const inside = !before(end, socket.rcvWup) && !after(seq, (socket.rcvNxt + socket.receiveWindow) | 0)
  if (!inside) {
    if (!(flags & RST)) {
      if (flags & SYN) return synChallenge(socket, established)
      if (!oowRateLimited(socket, packet, seq, end, 'TCPACKSkippedSeq', socket.tcp)) sendDuplicateAck(socket, seq, end)
    } else if (finReset) reset(socket)
    return false
  }
  if (flags & RST) {
    if (seq === socket.rcvNxt || finReset || seq === highestReceived(socket)) reset(socket)
    else sendChallengeAck(socket)
    return false
  }
  if (flags & SYN) {
    const crossed =
      socket.state === TCP_SYN_RECV &&
      socket.attached &&
      flags & ACK &&
      ((seq + 1) | 0) === end &&
      end === socket.rcvNxt &&
      (packet.ack | 0) === socket.sndNxt
    if (!crossed) return synChallenge(socket, established)
  }
  return true
}

function synChallenge(socket: TcpSock, established: boolean): false {
  if (established) socket.tcp.counters.InErrs++
  socket.tcp.counters.TCPSYNChallenge++
  sendChallengeAck(socket)
  return false
}

/** The end of what was sacked highest, where a reset counts too; undefined without SACKs. */
function highestReceived(socket: TcpSock): number | undefined {
  if (!socket.sackOk || socket.sacks.length === 0) return undefined
  let highest = socket.sacks[1]!
  for (let i = 3; i < socket.sacks.length; i += 2) if (after(socket.sacks[i]!, highest)) highest = socket.sacks[i]!
  return highest
}

/** A pure acknowledgement that was overtaken is no reason to complain. tcp_disordered_ack(). */
function disorderedAck(socket: TcpSock, packet: Packet, seq: number, end: number): boolean {
  if (!(packet.tcpFlags & ACK) || seq !== end || seq !== socket.rcvNxt) return false
  const ack = packet.ack | 0
  if (ack !== socket.sndUna) return false
  const window = packet.window << socket.sndWscale
  const changes = after(seq, socket.sndWl1) || (seq === socket.sndWl1 && window > socket.sndWnd)
  if (changes) return false
  const replay = Math.min(Math.max((socket.rto * 1000) / HZ, 1), 1000)
  return ((socket.tsRecent - socket.rcvTsval) | 0) <= replay
}

/** A segment for an established connection. tcp_rcv_established(). */
export function receiveEstablished(socket: TcpSock, packet: Packet): void {
  socket.refresh()
  socket.sawTstamp = false
  const flags = packet.tcpFlags
  const seq = packet.seq | 0
  const ack = packet.ack | 0
  if (
    socket.fastPath &&
    (flags & ~PSH) === ACK &&
    seq === socket.rcvNxt &&
    packet.tcpOptions === undefined &&
    packet.tcpTimestamps === socket.tstampOk &&
    packet.window << socket.sndWscale === socket.sndWnd &&
    between(ack, socket.sndUna, socket.sndNxt)
  ) {
    let old = false
    if (socket.tstampOk) {
      socket.sawTstamp = true
      socket.rcvTsval = packet.tsVal | 0
      socket.rcvTsecr = packet.tsEcr === 0 ? 0 : (packet.tsEcr - socket.tsOffset) | 0
      old = ((socket.rcvTsval - socket.tsRecent) | 0) < 0
    }
    // Who wants for memory goes the slow way, where a closed window takes nothing and an old DSACK is forgotten.
    const quick = packet.length === 0 || (socket.receiveWindow > 0 && !socket.dsack)
    if (!old && (quick || receivedTruesize(packet) <= socket.forwardAlloc)) {
      sackBlocks.count = 0
      const { length } = packet
      if (socket.tstampOk && socket.rcvNxt === socket.rcvWup) storeTsRecent(socket)
      if (length === 0) {
        receiveAck(socket, packet, seq, seq, 0)
        dataSendCheck(socket)
        socket.rcvRttLastTsecr = socket.rcvTsecr
        return
      }
      if (socket.tstampOk) measureRcvRttByEcho(socket, length)
      socket.tcp.counters.TCPHPHits++
      const truesize = receivedTruesize(packet)
      queueReceived(socket, packet, truesize)
      dataReceived(socket, packet, truesize)
      let owes = true
      if (ack !== socket.sndUna) {
        receiveAck(socket, packet, seq, (seq + length) | 0, 1)
        dataSendCheck(socket)
        owes = (socket.ackPending & ACK_SCHED) !== 0
      } else socket.sndWl1 = seq
      if (owes) ackCheck(socket, false)
      dataReady(socket)
      return
    }
  }
  if (!(flags & (ACK | RST | SYN))) return
  const end = endOf(packet)
  if (!validate(socket, packet, seq, end, true)) return
  if (receiveAck(socket, packet, seq, end, F_SLOWPATH | F_UPDATE_TS_RECENT) < 0) return
  if (socket.sawTstamp) measureRcvRttByEcho(socket, (end - seq) | 0)
  takeUrgent(socket, packet)
  queueData(socket, packet)
  dataSendCheck(socket)
  ackSendCheck(socket)
}

/** A segment in any state but LISTEN and ESTABLISHED. True: its sender is to be sent a reset. */
export function stateProcess(socket: TcpSock, packet: Packet): Verdict {
  const flags = packet.tcpFlags
  if (socket.state === TCP_CLOSE) return false
  socket.refresh()
  socket.sawTstamp = false
  if (socket.state === TCP_SYN_SENT) {
    const answer = synSentProcess(socket, packet)
    if (answer === 'data') dataSendCheck(socket)
    return answer === 'reset'
  }
  if (!(flags & (ACK | RST | SYN))) return false
  const seq = packet.seq | 0
  const end = endOf(packet)
  if (!validate(socket, packet, seq, end, false)) return false
  const taken = receiveAck(socket, packet, seq, end, F_SLOWPATH | F_UPDATE_TS_RECENT | F_NO_CHALLENGE_ACK)
  if (taken <= 0) {
    if (socket.state === TCP_SYN_RECV) return true
    if (taken < 0) {
      sendChallengeAck(socket)
      return false
    }
  }
  const beyondFin = end !== seq && after((end - (flags & FIN ? 1 : 0)) | 0, socket.rcvNxt)
  switch (socket.state) {
    case TCP_SYN_RECV:
      becomeEstablished(socket, packet, seq)
      break
    case TCP_FIN_WAIT1: {
      if (socket.sndUna !== socket.writeSeq) break
      setState(socket, TCP_FIN_WAIT2)
      socket.shutdown |= SEND_SHUTDOWN
      socket.confirmPending = true
      if (!socket.orphan) {
        socket.queue.wake()
        break
      }
      if (socket.linger2 < 0 || beyondFin) {
        done(socket)
        socket.tcp.counters.TCPAbortOnData++
        return true
      }
      const wait = finTime(socket)
      if (wait > TIMEWAIT_LEN) socket.setKeepaliveTimer(socket.jiffies + wait - TIMEWAIT_LEN)
      else if (flags & FIN) socket.setKeepaliveTimer(socket.jiffies + wait)
      else {
        enterTimeWait(socket, TCP_FIN_WAIT2, wait)
        return false
      }
      break
    }
    case TCP_CLOSING:
      if (socket.sndUna === socket.writeSeq) {
        enterTimeWait(socket, TCP_TIME_WAIT, 0)
        return false
      }
      break
    case TCP_LAST_ACK:
      if (socket.sndUna === socket.writeSeq) {
        saveMetrics(socket)
        done(socket)
        return false
      }
      break
    default:
      break
  }
  takeUrgent(socket, packet)
  switch (socket.state as number) {
    case TCP_CLOSE_WAIT:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
      if (before(seq, socket.rcvNxt)) queueData(socket, packet)
      break
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
      if (socket.shutdown & RCV_SHUTDOWN && beyondFin) {
        socket.tcp.counters.TCPAbortOnData++
        reset(socket)
        return true
      }
      queueData(socket, packet)
      break
    case TCP_ESTABLISHED:
      queueData(socket, packet)
      break
    default:
      break
  }
  if ((socket.state as number) !== TCP_CLOSE) {
    dataSendCheck(socket)
    ackSendCheck(socket)
  }
  return false
}

/** The handshake is complete. */
function becomeEstablished(socket: TcpSock, packet: Packet, seq: number): void {
  socket.delivered++
  if (socket.srttUs === 0) {
    updateRtt(socket, 0x10, -1, -1, -1, { rttUs: -1 })
  }
  if (socket.tstampOk) socket.advmss -= TIMESTAMPS_ALIGNED
  undoSpuriousSyn(socket)
  socket.retransStamp = 0
  initTransfer(socket)
  socket.copiedSeq = socket.rcvNxt
  setState(socket, TCP_ESTABLISHED)
  socket.queue.wake()
  socket.sndUna = packet.ack | 0
  socket.sendUrgent = socket.sndUna
  socket.sndWnd = packet.window << socket.sndWscale
  socket.sndWl1 = seq
  updatePacingRate(socket)
  socket.lsndtime = socket.jiffies
  initRcvMss(socket)
  fastPathCheck(socket)
  if (socket.shutdown & SEND_SHUTDOWN) shutdownSend(socket)
}

/**
 * Connections that others ask for: SYNs, the SYN-ACKs that answer them, and what the last acknowledgement makes of it.
 * Linux 6.1 net/ipv4/tcp_input.c: tcp_conn_request(); net/ipv4/tcp_minisocks.c: tcp_check_req(), tcp_create_openreq_child();
 * net/ipv4/inet_connection_sock.c: reqsk_timer_handler(), inet_csk_listen_stop().
 */
import type { Packet } from '#wire/inet'
import type { NetDevice } from '../device.ts'
import { ifindexOf } from '../sockets/raw.ts'
import type { AddressFamily } from './address-family.ts'
import { forgetChild } from './close.ts'
import {
  ACK,
  CWR,
  ECE,
  MSS_DEFAULT,
  RST,
  RTO_MAX,
  SYN,
  TCP_LISTEN,
  TCP_SYN_RECV,
  TIMEOUT_INIT,
  TIMESTAMPS_ALIGNED,
} from './constants.ts'
import { countSegments, endOf } from './data.ts'
import { stateProcess } from './input.ts'
import { isProven } from './metrics.ts'
import { syncMss } from './mss.ts'
import { emitSynOptions, parseOptions, type SynOptions } from './options.ts'
import { inWindow, oowRateLimited, pawsReject, seconds } from './paws.ts'
import { replyAck, replyReset } from './reply.ts'
import { Request } from './request.ts'
import { resetMin, updateRtt } from './rtt.ts'
import { after } from './sequence.ts'
import { TcpSock } from './sock.ts'
import { COOKIE_VALID, checkCookie, cookieSequence, cookieTimestamp, decodeTimestamp } from './syncookies.ts'
import { keepaliveTime } from './timers.ts'
import { initialWindow, initRcvMss } from './window.ts'

/** What a SYN said; one serves all. */
const said: SynOptions & { tsRecent: number; tsRecentStamp: number } = {
  sawTstamp: false,
  rcvTsval: 0,
  rcvTsecr: 0,
  mssClamp: MSS_DEFAULT,
  userMss: 0,
  wscaleOk: false,
  sackOk: false,
  tstampOk: false,
  sndWscale: 0,
  tsRecent: 0,
  tsRecentStamp: 0,
}

function readSyn(listener: TcpSock, packet: Packet): void {
  said.mssClamp = MSS_DEFAULT
  said.userMss = listener.userMss
  said.wscaleOk = false
  said.sackOk = false
  said.sndWscale = 0
  parseOptions(said, packet, listener.sysctls.timestamps !== 0, said, listener.sysctls)
}

/** tcp_mss_clamp(). */
function clampMss(socket: TcpSock, mss: number): number {
  return socket.userMss !== 0 && socket.userMss < mss ? socket.userMss : mss
}

/** The queue is full; whether a cookie will do. tcp_syn_flood_action(). */
function floodAction(listener: TcpSock): boolean {
  const { counters, sysctls, host } = listener.tcp
  const cookies = sysctls.syncookies
  if (cookies !== 0) counters.TCPReqQFullDoCookies++
  else counters.TCPReqQFullDrop++
  const queue = listener.accepts!
  if (!queue.synFloodWarned && cookies !== 2) {
    queue.synFloodWarned = true
    const what = cookies !== 0 ? 'Sending cookies' : 'Dropping request'
    const name = listener.domain === 'AF_INET6' ? 'request_sock_TCPv6' : 'request_sock_TCP'
    host.log(6, `TCP: ${name}: Possible SYN flooding on port ${listener.localPort}. ${what}.  Check SNMP counters.`)
  }
  return cookies !== 0
}

/** A SYN for a listening socket. `isn`: what it is to be answered with, if a TIME-WAIT says so. */
export function connectionRequest(
  listener: TcpSock,
  af: AddressFamily,
  packet: Packet,
  device: NetDevice,
  isn = 0,
): void {
  const { tcp } = listener
  const { counters, sysctls } = tcp
  const queue = listener.accepts!
  let cookie = false
  if ((sysctls.syncookies === 2 || queue.requestsFull) && isn === 0) {
    cookie = floodAction(listener)
    if (!cookie) {
      counters.ListenDrops++
      return
    }
  }
  if (queue.full) {
    counters.ListenOverflows++
    counters.ListenDrops++
    return
  }
  readSyn(listener, packet)
  if (cookie && !said.sawTstamp) {
    said.sackOk = false
    said.wscaleOk = false
    said.sndWscale = 0
  }
  const request = new Request(
    listener,
    af.destination(packet),
    packet.dstPort,
    af.source(packet),
    packet.srcPort,
    listener.boundDevice || (sysctls.l3mdevAccept !== 0 ? ifindexOf(packet, device) : 0),
  )
  request.af = af
  request.rcvIsn = packet.seq | 0
  request.rcvNxt = (packet.seq + 1) | 0
  request.mss = said.mssClamp
  request.tsRecent = said.sawTstamp ? said.rcvTsval : 0
  request.tstampOk = said.sawTstamp
  request.sackOk = said.sackOk
  request.wscaleOk = said.wscaleOk
  request.sndWscale = said.sndWscale
  request.cookie = cookie
  request.mark = sysctls.fwmarkAccept !== 0 ? packet.mark : listener.mark
  request.synTos = packet.tos
  request.tos = sysctls.reflectTos !== 0 ? (packet.tos & ~3) | (listener.tos & 3) : listener.tos
  const path = af.requestPath(listener, request)
  if (!path) {
    counters.ListenDrops++
    return
  }
  request.path = path
  if (request.tstampOk) request.tsOffset = tcp.timestampOffset(request.local, request.remote)
  if (!cookie && isn === 0) {
    const most = sysctls.maxSynBacklog
    if (
      sysctls.syncookies === 0 &&
      most - queue.requests < most >> 2 &&
      !isProven(tcp.metrics, request.local, request.remote)
    ) {
      counters.ListenDrops++
      return
    }
    isn = tcp.initialSequence(request.local, request.localPort, request.remote, request.remotePort)
  }
  const asksEcn = (packet.tcpFlags & (ECE | CWR)) === (ECE | CWR)
  request.ecnOk = asksEcn && sysctls.ecn !== 0 && (!cookie || request.tstampOk)
  if (cookie) {
    isn = cookieSequence(tcp, request)
    queue.overflowAt = tcp.jiffies
  }
  request.sntIsn = isn
  openWindow(listener, request)
  if (!cookie) {
    request.timeout = TIMEOUT_INIT
    tcp.connections.add(request)
    queue.requests++
    queue.young++
    armRequest(request, request.timeout)
  }
  sendSynAck(listener, request)
}

/** tcp_openreq_init_rwin(). */
function openWindow(listener: TcpSock, request: Request, known = 0): void {
  const { af } = request
  const path = request.path!
  const mss = clampMss(listener, af.advmss(path))
  const full = listener.fullSpace
  let clamp = listener.windowClamp || af.metric(path, 'window')
  if (listener.receiveBufferLocked && (clamp > full || clamp === 0)) clamp = full
  const opened = initialWindow(
    full,
    known || mss - (request.tstampOk ? TIMESTAMPS_ALIGNED : 0),
    clamp,
    request.wscaleOk,
    af.metric(path, 'initrwnd'),
    listener.sysctls,
    listener.tcp.inet.sysctls.rmemMax,
  )
  request.rcvWnd = opened.window
  request.windowClamp = opened.clamp
  request.rcvWscale = opened.wscale
}

/** tcp_make_synack(), and off it goes. */
function sendSynAck(listener: TcpSock, request: Request): void {
  const { af } = request
  const { tcp } = listener
  if (!request.path || !af.pathIsValid(request.path)) {
    request.path = af.requestPath(listener, request)
    if (!request.path) return
  }
  const nowUs = Math.floor((tcp.host.sim.nowNs - tcp.host.bootedNs) / 1000)
  if (request.synAckUs === 0) request.synAckUs = nowUs
  const nowMs = Math.floor(nowUs / 1000)
  const stamp = request.cookie && request.tstampOk ? cookieTimestamp(request, nowMs) : nowMs
  const segment = af.newPacket(request.local, request.remote)
  segment.srcPort = request.localPort
  segment.dstPort = request.remotePort
  segment.seq = request.sntIsn >>> 0
  segment.ack = request.rcvNxt >>> 0
  segment.tcpFlags = SYN | ACK | (request.ecnOk ? ECE : 0)
  segment.window = Math.min(request.rcvWnd, 65535)
  segment.tcpOptions = emitSynOptions({
    mss: clampMss(listener, af.advmss(request.path)),
    wscale: request.wscaleOk ? request.rcvWscale : -1,
    sack: request.sackOk,
    timestamps: request.tstampOk,
    tsVal: (stamp + request.tsOffset) | 0,
    tsEcr: request.tsRecent,
  })
  tcp.counters.OutSegs++
  af.transmitSynAck(listener, request, segment)
}

/** inet_rtx_syn_ack(). */
function sendSynAckAgain(listener: TcpSock, request: Request): void {
  request.retransmitted++
  listener.tcp.counters.RetransSegs++
  listener.tcp.counters.TCPSynRetrans++
  listener.totalRetrans++
  sendSynAck(listener, request)
}

/** Its timer is due in so many ticks. */
function armRequest(request: Request, ticks: number): void {
  const { tcp } = request.listener
  request.expires = tcp.jiffies + ticks
  tcp.requests.set(request, tcp.wheelNs(tcp.jiffies, request.expires))
}

/** In jiffies. reqsk_timeout(). */
function requestTimeout(request: Request): number {
  return Math.min(request.timeout * 2 ** request.timeouts, RTO_MAX)
}

/** It waits no longer. */
export function dropRequest(request: Request): void {
  const { tcp } = request.listener
  if (!request.hashed) return
  tcp.connections.remove(request)
  tcp.requests.remove(request)
  const queue = request.listener.accepts
  if (!queue) return
  queue.requests--
  if (request.timeouts === 0) queue.young--
}

/** No acknowledgement has come in time. */
export function requestTimer(request: Request): void {
  const { listener } = request
  const queue = listener.accepts
  if (listener.state !== TCP_LISTEN || !queue) {
    dropRequest(request)
    return
  }
  const { tcp } = listener
  let retries = listener.synRetries || tcp.sysctls.synackRetries
  if (queue.requests << 1 > Math.max(8, queue.backlog)) {
    let young = queue.young << 1
    while (retries > 2 && queue.requests >= young) {
      retries--
      young <<= 1
    }
  }
  const defer = listener.deferAccept
  let expired = request.timeouts >= retries
  let resend = true
  if (defer !== 0) {
    expired = expired && (!request.acked || request.timeouts >= defer)
    resend = !request.acked || request.timeouts >= defer - 1
  }
  tcp.counters.TCPTimeouts++
  if (expired) {
    dropRequest(request)
    return
  }
  if (request.timeouts++ === 0) queue.young--
  armRequest(request, requestTimeout(request))
  if (resend) sendSynAckAgain(listener, request)
}

/** What a segment for a request makes of it: a connection, the listener's own affair, or nothing. tcp_check_req(). */
export function checkRequest(
  listener: TcpSock,
  request: Request,
  packet: Packet,
  device: NetDevice,
): TcpSock | undefined {
  const { tcp } = listener
  const { counters } = tcp
  const seq = packet.seq | 0
  const end = endOf(packet)
  let flags = packet.tcpFlags & (RST | SYN | ACK)
  const reset = (flags & RST) !== 0
  let paws = false
  parseOptions(said, packet, tcp.sysctls.timestamps !== 0)
  if (said.sawTstamp) {
    said.tsRecent = request.tsRecent
    if (said.rcvTsecr !== 0) said.rcvTsecr = (said.rcvTsecr - request.tsOffset) | 0
    said.tsRecentStamp = seconds(tcp.host) - Math.floor(requestTimeout(request) / 250)
    paws = pawsReject(said, reset, tcp.host)
  }
  const skipped = 'TCPACKSkippedSynRecv'
  if (seq === request.rcvIsn && flags === SYN && !paws) {
    if (!oowRateLimited(request, packet, seq, end, skipped, tcp)) {
      sendSynAckAgain(listener, request)
      armRequest(request, requestTimeout(request))
    }
    return undefined
  }
  if (flags & ACK && !reset && (packet.ack | 0) !== ((request.sntIsn + 1) | 0)) return listener
  if (paws || !inWindow(seq, end, request.rcvNxt, (request.rcvNxt + request.rcvWnd) | 0)) {
    if (!reset && !oowRateLimited(request, packet, seq, end, skipped, tcp)) requestAck(request, packet, device)
    if (paws) counters.PAWSEstab++
    return undefined
  }
  if (seq === request.rcvIsn) flags &= ~SYN
  if (reset && seq !== request.rcvNxt) {
    if (!oowRateLimited(request, packet, seq, end, skipped, tcp)) {
      counters.TCPChallengeACK++
      requestAck(request, packet, device)
    }
    return undefined
  }
  if (flags & (RST | SYN)) {
    counters.AttemptFails++
    embryonicReset(request, packet, device)
    return undefined
  }
  if (!(flags & ACK)) return undefined
  if (request.timeouts < listener.deferAccept && end === ((request.rcvIsn + 1) | 0)) {
    request.acked = true
    counters.TCPDeferAcceptDrop++
    return undefined
  }
  const child = createChild(listener, request, packet)
  if (!child) {
    if (tcp.sysctls.abortOnOverflow !== 0) embryonicReset(request, packet, device)
    else request.acked = true
    return undefined
  }
  if (said.sawTstamp && !after(seq, request.rcvNxt)) child.tsRecent = said.rcvTsval
  let rtt = -1
  if (request.retransmitted === 0 && request.synAckUs !== 0) {
    child.refresh()
    rtt = child.mstampUs - request.synAckUs
  }
  child.sawTstamp = said.sawTstamp
  child.rcvTsecr = said.rcvTsecr
  updateRtt(child, 0x10, rtt, -1, rtt, { rttUs: -1 })
  dropRequest(request)
  tcp.connections.add(child)
  listener.accepts!.push(child)
  child.parent = listener
  return child
}

function embryonicReset(request: Request, packet: Packet, device: NetDevice): void {
  if (!(packet.tcpFlags & RST)) replyReset(request.listener.tcp, request.af, packet, device, request.listener)
  if (request.hashed) request.listener.tcp.counters.EmbryonicRsts++
  dropRequest(request)
}

/** tcp_v4_reqsk_send_ack(). */
function requestAck(request: Request, packet: Packet, device: NetDevice): void {
  const { tcp } = request.listener
  const nowMs = Math.floor((tcp.host.sim.nowNs - tcp.host.bootedNs) / 1e6)
  replyAck(tcp, request.af, packet, device, {
    seq: (request.sntIsn + 1) | 0,
    ack: request.rcvNxt,
    window: request.rcvWnd >> request.rcvWscale,
    timestamps: request.tstampOk,
    tsVal: (nowMs + request.tsOffset) | 0,
    tsEcr: request.tsRecent,
    tos: packet.tos & ~3,
    mark: request.mark,
    boundDevice: request.boundDevice,
  })
}

/** A socket for a request that was acknowledged. tcp_v4_syn_recv_sock(), tcp_create_openreq_child(). */
function createChild(listener: TcpSock, request: Request, packet: Packet): TcpSock | undefined {
  const { tcp } = listener
  const { counters } = tcp
  if (listener.accepts!.full) {
    counters.ListenOverflows++
    counters.ListenDrops++
    return undefined
  }
  const { af } = request
  if (!request.path || !af.pathIsValid(request.path)) {
    request.path = af.requestPath(listener, request)
    if (!request.path) {
      counters.ListenDrops++
      return undefined
    }
  }
  const child = new TcpSock(tcp, af)
  tcp.allocated++
  inherit(child, listener)
  child.state = TCP_SYN_RECV
  child.local = request.local
  child.sourceAddress = request.local
  child.remote = request.remote
  child.remotePort = request.remotePort
  child.boundDevice = request.boundDevice
  child.mark = request.mark
  child.tos = tcp.sysctls.reflectTos !== 0 ? request.synTos & ~3 : listener.tos
  child.family = request.family ?? listener.family
  child.path = request.path
  child.ipId = tcp.ipIds.below(65536)
  child.refresh()
  const rcv = (request.rcvIsn + 1) | 0
  child.rcvWup = rcv
  child.copiedSeq = rcv
  child.rcvNxt = rcv
  child.segsIn = 1
  const snd = (request.sntIsn + 1) | 0
  child.sndSml = snd
  child.sndUna = snd
  child.sendUrgent = snd
  child.sndNxt = snd
  child.writeSeq = snd
  child.pushedSeq = snd
  child.sndWl1 = request.rcvIsn
  const now = child.jiffies
  resetMin(child, now, 0xffffffff)
  child.lrcvtime = now
  child.lsndtime = now
  child.totalRetrans = request.retransmitted
  if (child.keepAlive) child.setKeepaliveTimer(now + keepaliveTime(child))
  child.tstampOk = request.tstampOk
  child.sackOk = request.sackOk
  child.wscaleOk = request.wscaleOk
  child.windowClamp = request.windowClamp
  child.rcvSsthresh = request.rcvWnd
  child.rcvWnd = request.rcvWnd
  if (child.wscaleOk) {
    child.sndWscale = request.sndWscale
    child.rcvWscale = request.rcvWscale
  } else child.windowClamp = Math.min(child.windowClamp, 65535)
  child.sndWnd = packet.window << child.sndWscale
  child.maxWindow = child.sndWnd
  if (child.tstampOk) {
    child.tsRecent = request.tsRecent
    child.tsRecentStamp = seconds(tcp.host)
    child.headerLength = 32
  }
  if (request.timeouts !== 0) {
    child.undoMarker = request.sntIsn
    child.retransStamp = Math.floor(request.synAckUs / 1000) | 0
  }
  child.tsOffset = request.tsOffset
  if (packet.length >= MSS_DEFAULT) child.lastSegSize = packet.length
  child.mssClamp = request.mss
  child.ecnOk = request.ecnOk
  syncMss(child, af.mtu(child.path))
  child.advmss = clampMss(listener, af.advmss(child.path))
  initRcvMss(child)
  const bind = listener.bind
  if (bind) tcp.ports.own(child, bind)
  else child.localPort = request.localPort
  counters.PassiveOpens++
  return child
}

/** What an accepted socket has of the listening one. inet_csk_clone_lock(). */
function inherit(child: TcpSock, listener: TcpSock): void {
  child.domain = listener.domain
  child.reuseAddress = listener.reuseAddress
  child.reusePort = listener.reusePort
  child.keepAlive = listener.keepAlive
  child.linger = listener.linger
  child.oobInline = listener.oobInline
  child.priority = listener.priority
  child.ttl = listener.ttl
  child.minTtl = listener.minTtl
  child.pmtuDiscover = listener.pmtuDiscover
  child.freebind = listener.freebind
  child.receiveErrors = listener.receiveErrors
  child.dontRoute = listener.dontRoute
  child.timestamp = listener.timestamp
  child.receiveLowat = listener.receiveLowat
  child.sendBuffer = listener.sendBuffer
  child.receiveBuffer = listener.receiveBuffer
  child.sendBufferLocked = listener.sendBufferLocked
  child.receiveBufferLocked = listener.receiveBufferLocked
  child.nonagle = listener.nonagle
  child.keepaliveTime = listener.keepaliveTime
  child.keepaliveIntvl = listener.keepaliveIntvl
  child.keepaliveProbes = listener.keepaliveProbes
  child.synRetries = listener.synRetries
  child.linger2 = listener.linger2
  child.userTimeout = listener.userTimeout
  child.userMss = listener.userMss
  child.notsentLowat = listener.notsentLowat
  child.thinLinear = listener.thinLinear
  child.congestion = listener.congestion
  child.ackPingpong = listener.ackPingpong
  child.maxPacingRate = listener.maxPacingRate
}

/** The first segment of a connection that has just been made, or the acknowledgement of a cookie. True: reset its sender. */
export function processChild(listener: TcpSock, child: TcpSock, packet: Packet): boolean {
  const { state } = child
  countSegments(child, packet)
  const reset = stateProcess(child, packet)
  if (state === TCP_SYN_RECV && child.state !== state) listener.queue.wake()
  return reset
}

/** Whether an acknowledgement to a listening socket answers a cookie. cookie_v4_check(). */
export function cookieCheck(listener: TcpSock, af: AddressFamily, packet: Packet): TcpSock | 'not' | undefined {
  const { tcp } = listener
  const { counters, sysctls } = tcp
  const flags = packet.tcpFlags
  if (flags & (SYN | RST) || !(flags & ACK) || sysctls.syncookies === 0) return 'not'
  const queue = listener.accepts!
  if (queue.overflowAt === 0 || tcp.jiffies - queue.overflowAt > COOKIE_VALID) return 'not'
  const local = af.destination(packet)
  const remote = af.source(packet)
  const mss = checkCookie(tcp, packet, remote, local)
  if (mss === 0) {
    counters.SyncookiesFailed++
    return 'not'
  }
  counters.SyncookiesRecv++
  parseOptions(said, packet, sysctls.timestamps !== 0)
  const request = new Request(listener, local, packet.dstPort, remote, packet.srcPort, listener.boundDevice)
  request.af = af
  request.cookie = true
  request.rcvIsn = (packet.seq - 1) | 0
  request.rcvNxt = packet.seq | 0
  request.sntIsn = (packet.ack - 1) | 0
  request.mss = mss
  request.mark = listener.mark
  request.tos = listener.tos
  if (said.sawTstamp && said.rcvTsecr !== 0) {
    request.tsOffset = tcp.timestampOffset(local, remote)
    request.tstampOk = true
    request.tsRecent = said.rcvTsval
    decodeTimestamp(request, (said.rcvTsecr - request.tsOffset) | 0)
  }
  request.path = af.requestPath(listener, request)
  if (!request.path) return undefined
  openWindow(listener, request, mss)
  const child = createChild(listener, request, packet)
  if (!child) return undefined
  tcp.connections.add(child)
  queue.push(child)
  child.parent = listener
  return child
}

/** It listens no longer: connections that nobody accepted are cut off; requests go when they are next looked at. */
export function stopListening(listener: TcpSock): void {
  const queue = listener.accepts
  if (!queue) return
  for (let child = queue.shift(); child !== undefined; child = queue.shift()) forgetChild(child)
  listener.accepts = undefined
}

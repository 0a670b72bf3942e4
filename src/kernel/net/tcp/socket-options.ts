/** setsockopt(2) and getsockopt(2) of TCP's sockets. Linux 6.1 net/ipv4/tcp.c: do_tcp_setsockopt(); net/core/sock.c; net/ipv4/ip_sockglue.c. */
import { NotModelled } from '#base/check'
import { fail, OK, ok, type SysResult } from '#kernel/core'
import { deviceByIndex, deviceByName } from '../devices.ts'
import { socketOptions } from '../ip-options.ts'
import { HZ } from '../jiffies.ts'
import { congestionControls } from './congestion-controls.ts'
import {
  ACK_SCHED,
  MIN_MSS,
  NAGLE_CORK,
  NAGLE_OFF,
  NAGLE_PUSH,
  states,
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_ESTABLISHED,
  TCP_LISTEN,
  TIMEOUT_INIT,
} from './constants.ts'
import { tcpInfo } from './info.ts'
import { pushPendingFrames, sendAck } from './output.ts'
import type { TcpSock } from './sock.ts'
import { keepaliveTime } from './timers.ts'

const OPEN = states(TCP_ESTABLISHED, TCP_CLOSE_WAIT)
const MAX_KEEPIDLE = 32767
const PRIORITIES = [0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4]

/** What SO_LINGER takes and gives. struct linger. */
export interface Linger {
  on: boolean
  seconds: number
}

/** Options that are a flag of the socket's, and where it is kept. */
const FLAGS = {
  SO_REUSEADDR: 'reuseAddress',
  SO_REUSEPORT: 'reusePort',
  SO_OOBINLINE: 'oobInline',
  SO_DONTROUTE: 'dontRoute',
  SO_TIMESTAMP: 'timestamp',
  SO_TIMESTAMPNS: 'timestamp',
  IP_FREEBIND: 'freebind',
  IP_TRANSPARENT: 'freebind',
  IP_RECVERR: 'receiveErrors',
  TCP_THIN_LINEAR_TIMEOUTS: 'thinLinear',
} as const

/** In retransmissions, as long as so many seconds. secs_to_retrans(). */
function secondsToRetransmissions(seconds: number): number {
  if (seconds <= 0) return 0
  let period = TIMEOUT_INIT / HZ
  let count = 1
  let timeout = period
  while (seconds > period && count < 255) {
    count++
    timeout = Math.min(timeout * 2, 120)
    period += timeout
  }
  return count
}

function retransmissionsToSeconds(count: number): number {
  let period = 0
  let timeout = TIMEOUT_INIT / HZ
  for (let i = 0; i < count; i++) {
    period += timeout
    timeout = Math.min(timeout * 2, 120)
  }
  return period
}

export function setOption(socket: TcpSock, level: string, name: string, value: unknown): SysResult<void> {
  const number = Number(value)
  const flag = FLAGS[name as keyof typeof FLAGS]
  if (flag) {
    socket[flag] = Boolean(value)
    return OK
  }
  switch (name) {
    case 'SO_KEEPALIVE':
      setKeepAlive(socket, Boolean(value))
      return OK
    case 'SO_LINGER': {
      const { on, seconds } = value as Linger
      socket.linger = on ? seconds : -1
      return OK
    }
    case 'SO_RCVBUF':
    case 'SO_RCVBUFFORCE': {
      const most = name === 'SO_RCVBUF' ? socket.tcp.inet.sysctls.rmemMax : 2 ** 30
      socket.receiveBuffer = Math.max(2 * Math.min(number, most), 2304)
      socket.receiveBufferLocked = true
      return OK
    }
    case 'SO_SNDBUF':
    case 'SO_SNDBUFFORCE': {
      const most = name === 'SO_SNDBUF' ? socket.tcp.inet.sysctls.wmemMax : 2 ** 30
      socket.sendBuffer = Math.max(2 * Math.min(number, most), 4608)
      socket.sendBufferLocked = true
      return OK
    }
    case 'SO_RCVLOWAT':
      if (number < 0) return fail('EINVAL')
      socket.receiveLowat = number || 1
      return OK
    case 'SO_MARK':
      socket.mark = number >>> 0
      socket.path = undefined
      return OK
    case 'SO_PRIORITY':
      socket.priority = number
      return OK
    case 'SO_MAX_PACING_RATE':
      socket.maxPacingRate = number
      return OK
    case 'SO_BROADCAST':
      return OK
    case 'SO_BINDTODEVICE': {
      const wanted = String(value ?? '').replace(/\0.*$/s, '')
      const device = wanted === '' ? undefined : deviceByName(socket.host, wanted)
      if (wanted !== '' && !device) return fail('ENODEV')
      socket.boundDevice = device?.ifindex ?? 0
      socket.path = undefined
      return OK
    }
    case 'IP_TOS':
      if (!(number >= 0 && number <= 255)) return fail('EINVAL')
      // The two lowest bits are ECN's, which a stream socket doesn't give away.
      socket.tos = (number & ~3) | (socket.tos & 3)
      socket.priority = PRIORITIES[(socket.tos & 0x1e) >> 1]!
      socket.path = undefined
      return OK
    case 'IP_TTL':
      if (number !== -1 && !(number >= 1 && number <= 255)) return fail('EINVAL')
      socket.ttl = number
      return OK
    case 'IP_MINTTL':
      if (!(number >= 0 && number <= 255)) return fail('EINVAL')
      socket.minTtl = number
      return OK
    case 'IP_MTU_DISCOVER':
      if (!(number >= 0 && number <= 5)) return fail('EINVAL')
      socket.pmtuDiscover = number
      return OK
    case 'IP_OPTIONS': {
      const bytes = value as Uint8Array
      if (bytes.length > 40) return fail('EINVAL')
      const options = bytes.length === 0 ? undefined : socketOptions(bytes)
      if (bytes.length > 0 && !options) return fail('EINVAL')
      socket.ipOptions = options
      socket.extHeaderLength = options?.bytes.length ?? 0
      return OK
    }
    default:
      return setTcpOption(socket, level, name, number, value)
  }
}

function setTcpOption(socket: TcpSock, level: string, name: string, number: number, value: unknown): SysResult<void> {
  const between = (low: number, high: number) => number >= low && number <= high
  switch (name) {
    case 'TCP_NODELAY':
      if (number !== 0) {
        socket.nonagle |= NAGLE_OFF | NAGLE_PUSH
        pushPendingFrames(socket)
      } else socket.nonagle &= ~NAGLE_OFF
      return OK
    case 'TCP_CORK':
      if (number !== 0) socket.nonagle |= NAGLE_CORK
      else {
        socket.nonagle &= ~NAGLE_CORK
        if (socket.nonagle & NAGLE_OFF) socket.nonagle |= NAGLE_PUSH
        pushPendingFrames(socket)
      }
      return OK
    case 'TCP_MAXSEG':
      if (number !== 0 && !between(MIN_MSS, 32767)) return fail('EINVAL')
      socket.userMss = number
      return OK
    case 'TCP_KEEPIDLE': {
      if (!between(1, MAX_KEEPIDLE)) return fail('EINVAL')
      socket.keepaliveTime = number * HZ
      if (socket.keepAlive && socket.state !== TCP_CLOSE && socket.state !== TCP_LISTEN) {
        const now = socket.jiffies
        const elapsed = Math.min(now - socket.lrcvtime, now - socket.rcvTstamp)
        socket.setKeepaliveTimer(now + Math.max(socket.keepaliveTime - elapsed, 0))
      }
      return OK
    }
    case 'TCP_KEEPINTVL':
      if (!between(1, MAX_KEEPIDLE)) return fail('EINVAL')
      socket.keepaliveIntvl = number * HZ
      return OK
    case 'TCP_KEEPCNT':
      if (!between(1, 127)) return fail('EINVAL')
      socket.keepaliveProbes = number
      return OK
    case 'TCP_SYNCNT':
      if (!between(1, 127)) return fail('EINVAL')
      socket.synRetries = number
      return OK
    case 'TCP_LINGER2':
      socket.linger2 = number < 0 ? -1 : number > 120 ? 120 * HZ : number * HZ
      return OK
    case 'TCP_DEFER_ACCEPT':
      socket.deferAccept = secondsToRetransmissions(number)
      return OK
    case 'TCP_WINDOW_CLAMP':
      if (number === 0) {
        if (socket.state !== TCP_CLOSE) return fail('EINVAL')
        socket.windowClamp = 0
      } else {
        socket.windowClamp = Math.max(number, 1152)
        if (socket.windowClamp < socket.rcvSsthresh || socket.windowClamp > socket.rcvSsthresh) {
          socket.rcvSsthresh = Math.min(socket.rcvWnd, socket.windowClamp)
        }
      }
      return OK
    case 'TCP_QUICKACK':
      if (number === 0) socket.ackPingpong = 3
      else {
        socket.ackPingpong = 0
        if ((1 << socket.state) & OPEN && socket.ackPending & ACK_SCHED) {
          socket.refresh()
          sendAck(socket)
          if (!(number & 1)) socket.ackPingpong = 3
        }
      }
      return OK
    case 'TCP_USER_TIMEOUT':
      if (number < 0) return fail('EINVAL')
      socket.userTimeout = number
      return OK
    case 'TCP_NOTSENT_LOWAT':
      socket.notsentLowat = number >>> 0
      return OK
    case 'TCP_CONGESTION': {
      const control = congestionControls[String(value)]
      if (!control) return fail('ENOENT')
      socket.congestion = control
      if (socket.state !== TCP_CLOSE && socket.state !== TCP_LISTEN) control.init?.(socket)
      return OK
    }
    default:
      if (level === 'IPPROTO_TCP' || level === 'SOL_TCP' || level === 'SOL_SOCKET' || level === 'IPPROTO_IP') {
        throw new NotModelled(`setsockopt(${level}, ${name}) of a TCP socket`)
      }
      return fail('ENOPROTOOPT')
  }
}

/** tcp_set_keepalive(). */
function setKeepAlive(socket: TcpSock, on: boolean): void {
  const timed = socket.state !== TCP_CLOSE && socket.state !== TCP_LISTEN
  if (on && !socket.keepAlive && timed) socket.setKeepaliveTimer(socket.jiffies + keepaliveTime(socket))
  else if (!on) socket.keepaliveAt = -1
  socket.keepAlive = on
}

export function getOption(socket: TcpSock, level: string, name: string): SysResult<unknown> {
  const flag = FLAGS[name as keyof typeof FLAGS]
  if (flag) return ok(socket[flag] ? 1 : 0)
  const { sysctls } = socket
  switch (name) {
    case 'SO_KEEPALIVE':
      return ok(socket.keepAlive ? 1 : 0)
    case 'SO_LINGER':
      return ok({ on: socket.linger >= 0, seconds: Math.max(socket.linger, 0) })
    case 'SO_RCVBUF':
      return ok(socket.receiveBuffer)
    case 'SO_SNDBUF':
      return ok(socket.sendBuffer)
    case 'SO_RCVLOWAT':
      return ok(socket.receiveLowat)
    case 'SO_MARK':
      return ok(socket.mark)
    case 'SO_PRIORITY':
      return ok(socket.priority)
    case 'SO_TYPE':
      return ok('SOCK_STREAM')
    case 'SO_PROTOCOL':
      return ok(6)
    case 'SO_DOMAIN':
      return ok(socket.domain)
    case 'SO_ACCEPTCONN':
      return ok(socket.state === TCP_LISTEN ? 1 : 0)
    case 'SO_BINDTODEVICE':
      return ok(deviceByIndex(socket.host, socket.boundDevice)?.name ?? '')
    case 'IP_TOS':
      return ok(socket.tos)
    case 'IP_TTL':
      return ok(socket.ttl < 0 ? socket.tcp.inet.sysctls.defaultTtl : socket.ttl)
    case 'IP_MINTTL':
      return ok(socket.minTtl)
    case 'IP_MTU_DISCOVER':
      return ok(socket.pmtuDiscover)
    case 'IP_MTU': {
      const path = socket.state === TCP_CLOSE ? undefined : socket.af.path(socket)
      return path ? ok(socket.af.mtu(path)) : fail('ENOTCONN')
    }
    case 'IP_OPTIONS':
      return ok(socket.ipOptions?.bytes ?? new Uint8Array(0))
    case 'TCP_NODELAY':
      return ok(socket.nonagle & NAGLE_OFF ? 1 : 0)
    case 'TCP_CORK':
      return ok(socket.nonagle & NAGLE_CORK ? 1 : 0)
    case 'TCP_MAXSEG':
      if (socket.userMss !== 0 && (socket.state === TCP_CLOSE || socket.state === TCP_LISTEN)) return ok(socket.userMss)
      return ok(socket.mssCache)
    case 'TCP_KEEPIDLE':
      return ok(keepaliveTime(socket) / HZ)
    case 'TCP_KEEPINTVL':
      return ok((socket.keepaliveIntvl || sysctls.keepaliveIntvl) / HZ)
    case 'TCP_KEEPCNT':
      return ok(socket.keepaliveProbes || sysctls.keepaliveProbes)
    case 'TCP_SYNCNT':
      return ok(socket.synRetries || sysctls.synRetries)
    case 'TCP_LINGER2':
      return ok(socket.linger2 < 0 ? -1 : (socket.linger2 || sysctls.finTimeout) / HZ)
    case 'TCP_DEFER_ACCEPT':
      return ok(retransmissionsToSeconds(socket.deferAccept))
    case 'TCP_WINDOW_CLAMP':
      return ok(socket.windowClamp)
    case 'TCP_QUICKACK':
      return ok(socket.pingpong ? 0 : 1)
    case 'TCP_USER_TIMEOUT':
      return ok(socket.userTimeout)
    case 'TCP_NOTSENT_LOWAT':
      return ok(socket.notsentLowat)
    case 'TCP_CONGESTION':
      return ok(socket.congestion.name)
    // What is received and unread, and its bound; allocated to send; its bound; fwd_alloc; queued to send ... sk_get_meminfo().
    case 'SO_MEMINFO':
      return ok([...[socket.rmemAlloc, socket.receiveBuffer, 0, socket.sendBuffer, 0, socket.wmemQueued, 0, 0, 0]])
    case 'TCP_INFO':
      return ok(tcpInfo(socket))
    default:
      throw new NotModelled(`getsockopt(${level}, ${name}) of a TCP socket`)
  }
}

/**
 * TCP's sockets as programs have them. Linux 6.1 net/ipv4/af_inet.c: inet_stream_ops; net/ipv4/tcp.c: tcp_sendmsg(),
 * tcp_recvmsg(), tcp_poll().
 */
import {
  type Errno,
  fail,
  type Host,
  type MessageFlags,
  OK,
  type OpenFile,
  ok,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
  type Received,
  type SockAddr,
  type SysResult,
  type WaitQueue,
} from '#kernel/core'
import { deviceIoctl } from '../ioctl.ts'
import { type KernelSocket, SocketFile } from '../sockets/file.ts'
import { socketTables } from '../sockets/tables.ts'
import { AcceptQueue } from './accept-queue.ts'
import type { AddressFamily } from './address-family.ts'
import { closeSocket, disconnect, shutdownSend } from './close.ts'
import { connect } from './connect.ts'
import {
  ACK_PUSHED,
  ACK_PUSHED2,
  ACK_SCHED,
  RCV_SHUTDOWN,
  SEND_SHUTDOWN,
  SHUTDOWN_MASK,
  states,
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_ESTABLISHED,
  TCP_LISTEN,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
} from './constants.ts'
import { type TcpHost, tcpState } from './host.ts'
import { writeable } from './input.ts'
import { sendAck } from './output.ts'
import { leave } from './receive.ts'
import { sendBytes } from './send.ts'
import { TcpSock } from './sock.ts'
import { getOption, setOption } from './socket-options.ts'
import { atUrgent, bytesAheadOfUrgent, hasUrgent, passUrgent, receiveUrgent } from './urgent.ts'
import { adjustReceiveSpace, fastPathCheck, offerableWindow } from './window.ts'

const CONNECTING = states(TCP_SYN_SENT, TCP_SYN_RECV)
const NO_BYTES = new Uint8Array(0)

/** A socket's file: readable and writable when the connection is. */
export class TcpFile extends SocketFile {
  override poll(): number {
    return this.socket.poll()
  }

  override read(length: number): SysResult<Uint8Array> {
    return (this.socket as TcpSocket).read(length, false)
  }
}

export class TcpSocket implements KernelSocket {
  readonly type = 'SOCK_STREAM'
  readonly protocol = 6
  readonly sock: TcpSock
  /** sock->state: 0 unconnected, 1 connecting, 2 connected. */
  #progress: 0 | 1 | 2

  constructor(sock: TcpSock, connected = false) {
    this.sock = sock
    this.#progress = connected ? 2 : 0
    sock.attached = true
    sock.inode = socketTables(sock.tcp.inet).nextInode++
  }

  get domain(): string {
    return this.sock.domain
  }

  get host(): Host {
    return this.sock.host
  }

  get inode(): number {
    return this.sock.inode
  }

  get queue(): WaitQueue {
    return this.sock.queue
  }

  // Names.

  bind(address: SockAddr): SysResult<void> {
    const { sock } = this
    const named = sock.af.fromSockAddr(address)
    if (!named.ok) return named
    const wrong = sock.af.mayBind(sock, named.value.address)
    if (wrong !== undefined) return fail(wrong)
    if (sock.state !== TCP_CLOSE || sock.localPort !== 0) return fail('EINVAL')
    sock.local = named.value.address
    sock.sourceAddress = named.value.address
    if (!sock.tcp.ports.take(sock, named.value.port)) {
      sock.local = sock.af.any
      sock.sourceAddress = sock.af.any
      return fail('EADDRINUSE')
    }
    sock.addressLocked = named.value.address !== sock.af.any
    sock.portLocked = named.value.port !== 0
    sock.path = undefined
    return OK
  }

  localName(): SysResult<SockAddr> {
    const { sock } = this
    const address = sock.local === sock.af.any ? sock.sourceAddress : sock.local
    return ok(sock.af.toSockAddr(sock, address, sock.localPort))
  }

  peerName(): SysResult<SockAddr> {
    const { sock } = this
    if (sock.remotePort === 0 || sock.state === TCP_CLOSE || sock.state === TCP_SYN_SENT) return fail('ENOTCONN')
    return ok(sock.af.toSockAddr(sock, sock.remote, sock.remotePort))
  }

  // Connections.

  /** __inet_stream_connect(). */
  connect(address: SockAddr): SysResult<void> {
    const { sock } = this
    if (address.family === 'AF_UNSPEC') {
      sock.busy = true
      disconnect(sock)
      leave(sock)
      this.#progress = 0
      return OK
    }
    if (this.#progress === 2) return fail('EISCONN')
    if (this.#progress === 1) {
      if ((1 << sock.state) & CONNECTING) return fail('EALREADY')
      return this.#connected()
    }
    if (sock.state !== TCP_CLOSE) return fail('EISCONN')
    const named = sock.af.fromSockAddr(address)
    if (!named.ok) return named
    sock.busy = true
    const failed = connect(sock, named.value.address, named.value.port)
    if (failed !== undefined) {
      leave(sock)
      return fail(failed)
    }
    this.#progress = 1
    leave(sock)
    return fail('EINPROGRESS')
  }

  /** The end of connecting: as it turned out. */
  #connected(): SysResult<void> {
    const { sock } = this
    if (sock.state === TCP_CLOSE) {
      const error = takeError(sock) ?? 'ECONNABORTED'
      this.#progress = 0
      disconnect(sock)
      return fail(error)
    }
    this.#progress = 2
    return OK
  }

  /** inet_listen(), inet_csk_listen_start(). */
  listen(backlog: number): SysResult<void> {
    const { sock } = this
    if (this.#progress !== 0 || (sock.state !== TCP_CLOSE && sock.state !== TCP_LISTEN)) return fail('EINVAL')
    const most = sock.sysctls.somaxconn
    const length = Math.min(backlog < 0 ? most : backlog, most)
    if (sock.accepts) {
      sock.accepts.backlog = length
      return OK
    }
    sock.ackPending = 0
    sock.ackQuick = 0
    sock.ackPingpong = 0
    sock.ackAto = 0
    sock.state = TCP_LISTEN
    if (!sock.tcp.ports.take(sock, sock.localPort)) {
      sock.state = TCP_CLOSE
      return fail('EADDRINUSE')
    }
    sock.accepts = new AcceptQueue(length)
    sock.path = undefined
    const list = sock.tcp.listeners.get(sock.localPort)
    if (list) list.unshift(sock)
    else sock.tcp.listeners.set(sock.localPort, [sock])
    return OK
  }

  accept(): SysResult<{ file: OpenFile; from: SockAddr }> {
    const { sock } = this
    if (sock.state !== TCP_LISTEN) return fail('EINVAL')
    const child = sock.accepts!.shift()
    if (!child) return fail('EAGAIN')
    child.parent = undefined
    const socket = new TcpSocket(child, true)
    return ok({ file: new TcpFile(socket), from: child.af.toSockAddr(child, child.remote, child.remotePort) })
  }

  // Data.

  sendTo(bytes: Uint8Array, _to: SockAddr | undefined, flags: MessageFlags): SysResult<number> {
    const { sock } = this
    this.#settle()
    if ((1 << sock.state) & CONNECTING) {
      // A writer who waits here has his data ride on the handshake's last segment.
      sock.writePending = flags.dontWait !== true
      return fail('EAGAIN')
    }
    sock.writePending = false
    if (sock.error !== undefined || sock.shutdown & SEND_SHUTDOWN) return fail(takeError(sock) ?? 'EPIPE')
    if (sock.state !== TCP_ESTABLISHED && sock.state !== TCP_CLOSE_WAIT) return fail('EPIPE')
    if (bytes.length === 0) return ok(0)
    sock.busy = true
    const taken = sendBytes(sock, bytes, flags.more === true, flags.oob === true)
    leave(sock)
    return taken === 0 ? fail('EAGAIN') : ok(taken)
  }

  receive(length: number, flags: MessageFlags): SysResult<Received> {
    if (flags.errorQueue) return fail('EAGAIN')
    const { sock } = this
    if (flags.trunc) return this.#discard(length)
    const got = flags.oob ? this.#urgent(length, flags.peek === true) : this.read(length, flags.peek === true)
    if (!got.ok) return got
    return ok({
      bytes: got.value,
      length: got.value.length,
      from: { family: 'AF_UNSPEC' },
      timeNs: sock.host.sim.nowNs,
      control: {},
    })
  }

  #urgent(length: number, peek: boolean): SysResult<Uint8Array> {
    this.#settle()
    if (this.sock.state === TCP_LISTEN) return fail('ENOTCONN')
    return receiveUrgent(this.sock, length, peek)
  }

  /** MSG_TRUNC: so much is thrown away. */
  #discard(length: number): SysResult<Received> {
    const { sock } = this
    const available = Math.min(length, availableBytes(sock))
    if (available === 0) {
      const got = this.read(length, false)
      if (!got.ok) return got
    } else {
      sock.busy = true
      take(sock, sock.copiedSeq, available, false, undefined)
      passUrgent(sock)
      cleanup(sock, available)
      leave(sock)
    }
    const from = { family: 'AF_UNSPEC' } as const
    return ok({ bytes: NO_BYTES, length: available, from, timeNs: sock.host.sim.nowNs, control: {} })
  }

  /** tcp_recvmsg(). */
  read(length: number, peek: boolean): SysResult<Uint8Array> {
    const { sock } = this
    this.#settle()
    if (sock.state === TCP_LISTEN) return fail('ENOTCONN')
    let from = sock.copiedSeq
    let available = availableBytes(sock)
    if (sock.urgentData !== 0) ({ from, available } = this.#readable(peek))
    if (available === 0) {
      if (sock.done) return ok(NO_BYTES)
      const error = takeError(sock)
      if (error !== undefined) return fail(error)
      if (sock.shutdown & RCV_SHUTDOWN) return ok(NO_BYTES)
      if (sock.state === TCP_CLOSE) return fail('ENOTCONN')
      sock.busy = true
      cleanup(sock, 0)
      leave(sock)
      return fail('EAGAIN')
    }
    if (length === 0) return ok(NO_BYTES)
    sock.busy = true
    const bytes = new Uint8Array(Math.min(length, available))
    take(sock, from, bytes.length, peek, bytes)
    if (!peek) passUrgent(sock)
    cleanup(sock, bytes.length)
    leave(sock)
    return ok(bytes)
  }

  /** Where reading begins and how far it goes: up to an urgent byte, which itself is left out. */
  #readable(peek: boolean): { from: number; available: number } {
    const { sock } = this
    if ((1 << sock.state) & CONNECTING) return { from: sock.copiedSeq, available: 0 }
    const available = sock.unread - (sock.done && sock.unread > 0 ? 1 : 0)
    const ahead = bytesAheadOfUrgent(sock)
    if (ahead === undefined || (ahead === 0 && sock.oobInline)) return { from: sock.copiedSeq, available }
    if (ahead > 0) return { from: sock.copiedSeq, available: Math.min(available, ahead) }
    const from = (sock.copiedSeq + 1) | 0
    if (!peek && available === 1) {
      sock.copiedSeq = from
      passUrgent(sock)
    }
    return { from, available: available - 1 }
  }

  /** inet_shutdown(). */
  shutdown(how: 'RD' | 'WR' | 'RDWR'): SysResult<void> {
    const { sock } = this
    this.#settle()
    const mask = how === 'RD' ? RCV_SHUTDOWN : how === 'WR' ? SEND_SHUTDOWN : SHUTDOWN_MASK
    if (sock.state === TCP_CLOSE) return fail('ENOTCONN')
    sock.busy = true
    if (sock.state === TCP_LISTEN) {
      if (mask & RCV_SHUTDOWN) disconnect(sock)
    } else if (sock.state === TCP_SYN_SENT) {
      disconnect(sock)
      this.#progress = 0
    } else {
      sock.shutdown |= mask
      if (mask & SEND_SHUTDOWN) shutdownSend(sock)
    }
    sock.queue.wake()
    leave(sock)
    return OK
  }

  /** close(2), the last of it. */
  release(): void {
    const { sock } = this
    if (sock.destroyed) return
    sock.busy = true
    closeSocket(sock)
    leave(sock)
  }

  /** A connection that has been made or failed since is noticed. */
  #settle(): void {
    if (this.#progress !== 1 || (1 << this.sock.state) & CONNECTING) return
    if (this.sock.state !== TCP_CLOSE) this.#progress = 2
  }

  /** tcp_poll(). */
  poll(): number {
    const { sock } = this
    if (sock.state === TCP_LISTEN) return sock.accepts!.length > 0 ? POLLIN : 0
    let events = 0
    if (sock.shutdown === SHUTDOWN_MASK || sock.state === TCP_CLOSE) events |= POLLHUP
    if (sock.shutdown & RCV_SHUTDOWN) events |= POLLIN | POLLRDHUP
    if (!((1 << sock.state) & CONNECTING)) {
      // An urgent byte alone isn't there to be read.
      const least = atUrgent(sock) && !sock.oobInline ? sock.receiveLowat + 1 : sock.receiveLowat
      if (sock.unread >= least) events |= POLLIN
      if (sock.shutdown & SEND_SHUTDOWN) events |= POLLOUT
      else if (writeable(sock)) events |= POLLOUT
      else sock.noSpace = true
      if (hasUrgent(sock)) events |= POLLPRI
    }
    if (sock.error !== undefined) events |= POLLERR
    return events
  }

  ioctl(request: string, argument: unknown): SysResult<unknown> {
    const { sock } = this
    if (request === 'FIONREAD' || request === 'SIOCINQ') {
      return sock.state === TCP_LISTEN ? fail('EINVAL') : ok(availableBytes(sock))
    }
    if (request === 'TIOCOUTQ' || request === 'SIOCOUTQ') {
      return sock.state === TCP_LISTEN ? fail('EINVAL') : ok((sock.writeSeq - sock.sndUna) | 0)
    }
    if (request === 'SIOCOUTQNSD') return ok((sock.writeSeq - sock.sndNxt) | 0)
    return deviceIoctl(sock.host, request, argument)
  }

  setOption(level: string, name: string, value: unknown): SysResult<void> {
    const { sock } = this
    sock.busy = true
    const set = setOption(sock, level, name, value)
    leave(sock)
    return set
  }

  getOption(level: string, name: string): SysResult<unknown> {
    if (name === 'SO_ERROR') return ok(takeError(this.sock))
    return getOption(this.sock, level, name)
  }
}

/** sk_err, which is told once. sock_error(). */
function takeError(sock: TcpSock): Errno | undefined {
  const { error } = sock
  sock.error = undefined
  return error
}

/** What can be read at once. tcp_inq(). */
export function availableBytes(sock: TcpSock): number {
  if ((1 << sock.state) & CONNECTING) return 0
  const ahead = sock.oobInline ? undefined : bytesAheadOfUrgent(sock)
  if (ahead !== undefined) return ahead
  const bytes = sock.unread
  // The FIN has a number too, but nothing is read there.
  return sock.done && bytes > 0 ? bytes - 1 : bytes
}

/** Copies so many bytes out, which are there; without a place for them they are thrown away. */
function take(sock: TcpSock, from: number, length: number, peek: boolean, into: Uint8Array | undefined): void {
  let at = 0
  let seq = from
  const { received } = sock
  let index = 0
  while (at < length) {
    const packet = received.at(index)
    const skip = (seq - (packet.seq | 0)) | 0
    const used = Math.min(packet.length - skip, length - at)
    if (used > 0) {
      const start = packet.offset + skip
      if (into === undefined) {
        // Nobody wants them.
      } else if (start === 0 && used === packet.buffer.length) into.set(packet.buffer, at)
      else into.set(packet.buffer.subarray(start, start + used), at)
      at += used
      seq = (seq + used) | 0
      if (!peek) {
        sock.copiedSeq = seq
        // Once for each head, as the kernel has them joined.
        if (at === length || (skip + used === packet.length && received.sizeAt(index) !== 0)) adjustReceiveSpace(sock)
      }
    }
    if (skip + used >= packet.length) {
      if (peek) index++
      else sock.unchargeMemory(received.shift())
    }
  }
}

/** After reading: an acknowledgement, if the window has opened or one is owed. tcp_cleanup_rbuf(). */
function cleanup(sock: TcpSock, copied: number): void {
  let due = false
  if (sock.ackPending & ACK_SCHED) {
    const pushed = sock.ackPending & ACK_PUSHED2 || (sock.ackPending & ACK_PUSHED && !sock.pingpong)
    due =
      ((sock.rcvNxt - sock.rcvWup) | 0) >>> 0 > sock.rcvMss ||
      (copied > 0 && pushed !== 0 && pushed !== false && sock.rmemAlloc === 0)
  }
  if (copied > 0 && !due && !(sock.shutdown & RCV_SHUTDOWN)) {
    const now = sock.receiveWindow
    if (2 * now <= sock.windowClamp) {
      const opened = offerableWindow(sock)
      due = opened !== 0 && opened >= 2 * now
    }
  }
  if (copied > 0) fastPathCheck(sock)
  if (due) {
    sock.refresh()
    sendAck(sock)
  }
}

/** A new socket of a family. */
export function createTcpSocket(host: Host, af: AddressFamily, domain: 'AF_INET' | 'AF_INET6'): TcpFile {
  const tcp: TcpHost = tcpState.of(host)
  const sock = new TcpSock(tcp, af)
  tcp.allocated++
  sock.domain = domain
  if (tcp.inet.sysctls.noPmtuDisc !== 0) sock.pmtuDiscover = 0
  return new TcpFile(new TcpSocket(sock))
}

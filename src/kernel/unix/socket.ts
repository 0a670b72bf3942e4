/**
 * A socket of AF_UNIX: stream, datagram or seqpacket. Bytes go straight into the peer's receive queue, and count against
 * the sender's buffer until they are read. Linux 6.1 net/unix/af_unix.c.
 */
import {
  type Caller,
  type Errno,
  fail,
  findSocketNode,
  type Host,
  type MessageFlags,
  makeSocketNode,
  OK,
  type OpenFile,
  ok,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  type Received,
  type SockAddr,
  type Socket,
  type SysResult,
  WaitQueue,
} from '#kernel/core'
import { truesizeOf, UnixFile } from './file.ts'
import { unixState } from './state.ts'

/** sun_path's length. */
const PATH_MAX = 108
const SOCK_MIN_BUFFER = 4608
/** What of a stream goes into one buffer: SKB_MAX_HEAD(0) and UNIX_SKB_FRAGS_SZ. */
const STREAM_CHUNK_MAX = 3776 + 32_768
/** SCM_MAX_FD. */
const FILES_MAX = 253

export type UnixType = 'SOCK_STREAM' | 'SOCK_DGRAM' | 'SOCK_SEQPACKET'
export type UnixSocketState = 'UNCONN' | 'LISTEN' | 'ESTAB'

/** One buffer of a receive queue. */
interface Message {
  bytes: Uint8Array
  /** How much a stream's reader has taken. */
  taken: number
  size: number
  sender: UnixSocket
  from: SockAddr
  timeNs: number
  files: OpenFile[] | undefined
  pid: number
}

export class UnixSocket implements Socket {
  readonly domain = 'AF_UNIX'
  readonly type: UnixType
  readonly host: Host
  readonly inode: number
  readonly queue = new WaitQueue()
  file: UnixFile | undefined
  state: UnixSocketState = 'UNCONN'
  /** As bound: a path, or an abstract name with its leading NUL. */
  name: string | undefined
  peer: UnixSocket | undefined
  /** Datagram sockets whose peer is this one: they hear when it closes. */
  readonly #admirers = new Set<UnixSocket>()
  readonly received: Message[] = []
  receivedMemory = 0
  sentMemory = 0
  receiveBuffer: number
  sendBuffer: number
  /** A listener's queue of sockets that connect(2) made, and its limit; a datagram socket's limit too. */
  readonly accepting: UnixSocket[] = []
  backlog: number
  peerPid = 0
  passCredentials = false
  error: Errno | undefined = undefined
  released = false
  receiveShut = false
  sendShut = false
  /** Those that found this one full. */
  readonly #waiting = new Set<UnixSocket>()
  /** The node of the path that it is bound to. */
  node: object | undefined

  constructor(host: Host, type: UnixType) {
    const state = unixState.of(host)
    this.host = host
    this.type = type
    this.inode = state.nextInode++
    this.backlog = state.maxDgramQueue
    this.receiveBuffer = 212_992
    this.sendBuffer = 212_992
    state.sockets.add(this)
  }

  address(): SockAddr {
    return { family: 'AF_UNIX', path: this.name ?? '' }
  }

  poll(): number {
    let events = 0
    if (this.error !== undefined) events |= POLLERR
    if (this.receiveShut && this.sendShut) events |= POLLHUP
    if (this.type !== 'SOCK_DGRAM' && this.state === 'UNCONN') events |= POLLHUP
    if (this.receiveShut || this.received.length > 0 || this.accepting.length > 0) events |= POLLIN
    if (this.sentMemory << 2 <= this.sendBuffer && this.state !== 'LISTEN') {
      if (this.type !== 'SOCK_DGRAM' || !this.peer || !this.peer.#full() || this.peer.peer === this) events |= POLLOUT
    }
    return events
  }

  bind(address: SockAddr, caller: Caller): SysResult<void> {
    if (address.family !== 'AF_UNIX') return fail('EINVAL')
    const { path } = address
    if (path.length > PATH_MAX) return fail('EINVAL')
    if (path === '') return this.#autobind()
    if (this.name !== undefined) return fail('EINVAL')
    if (path.startsWith('\0')) {
      const { abstract } = unixState.of(this.host)
      if (abstract.has(path)) return fail('EADDRINUSE')
      abstract.set(path, this)
    } else {
      const made = makeSocketNode(caller, path)
      if (!made.ok) return made
      this.node = made.value
      unixState.of(caller.machine.host).bound.set(made.value, this)
    }
    this.name = path
    return OK
  }

  #autobind(): SysResult<void> {
    if (this.name !== undefined) return OK
    const { abstract } = unixState.of(this.host)
    const random = this.host.sim.random(`${this.host.name}/unix autobind`)
    for (let tries = 0; tries < 0x100000; tries++) {
      const path = `\0${random.below(0x100000).toString(16).padStart(5, '0')}`
      if (abstract.has(path)) continue
      abstract.set(path, this)
      this.name = path
      return OK
    }
    return fail('ENOSPC')
  }

  listen(backlog: number, caller?: Caller): SysResult<void> {
    if (this.type === 'SOCK_DGRAM') return fail('EOPNOTSUPP')
    if (this.name === undefined) return fail('EINVAL')
    if (this.state === 'ESTAB') return fail('EINVAL')
    const most = unixState.of(this.host).somaxconn
    // A negative one is as good as the most; __sys_listen() compares without a sign.
    this.backlog = backlog < 0 || backlog > most ? most : backlog
    this.state = 'LISTEN'
    this.peerPid = caller?.pid ?? 0
    this.#wakeWaiting()
    return OK
  }

  /** Who has a name, and whether one may speak to it as this type. */
  #find(address: SockAddr, caller: Caller): SysResult<UnixSocket> {
    if (address.family !== 'AF_UNIX') return fail('EINVAL')
    const { path } = address
    if (path === '' || path.length > PATH_MAX) return fail('EINVAL')
    let other: UnixSocket | undefined
    if (path.startsWith('\0')) other = unixState.of(this.host).abstract.get(path)
    else {
      const node = findSocketNode(caller, path)
      if (!node.ok) return node
      other = unixState.of(caller.machine.host).bound.get(node.value)
    }
    if (!other) return fail('ECONNREFUSED')
    return other.type === this.type ? ok(other) : fail('EPROTOTYPE')
  }

  connect(address: SockAddr, caller: Caller): SysResult<void> {
    if (this.type === 'SOCK_DGRAM') return this.#connectDatagram(address, caller)
    const found = this.#find(address, caller)
    if (!found.ok) return found
    const listener = found.value
    if (listener.released || listener.state !== 'LISTEN' || listener.receiveShut) return fail('ECONNREFUSED')
    if (listener.accepting.length > listener.backlog) {
      listener.#waiting.add(this)
      return fail('EAGAIN')
    }
    if (this.state === 'LISTEN') return fail('EINVAL')
    if (this.state === 'ESTAB') return fail('EISCONN')
    const child = new UnixSocket(listener.host, this.type)
    child.name = listener.name
    child.state = 'ESTAB'
    child.peer = this
    child.peerPid = caller.pid
    this.peer = child
    this.state = 'ESTAB'
    this.peerPid = listener.peerPid
    listener.accepting.push(child)
    listener.queue.wake()
    return OK
  }

  #connectDatagram(address: SockAddr, caller: Caller): SysResult<void> {
    let other: UnixSocket | undefined
    if (address.family !== 'AF_UNSPEC') {
      const found = this.#find(address, caller)
      if (!found.ok) return found
      other = found.value
      if (!other.#hears(this)) return fail('EPERM')
    }
    if (this.peer && this.peer !== other) {
      this.peer.#admirers.delete(this)
      // What the old peer sent is gone, and it may hear of that.
      if (this.received.length > 0 || !other) this.#purge()
      if (!other || this.peer.peer === this) this.peer.#fail('ECONNRESET')
    }
    this.peer = other
    this.state = other ? 'ESTAB' : 'UNCONN'
    if (other) other.#admirers.add(this)
    return OK
  }

  pair(other: UnixSocket, caller: Caller): SysResult<void> {
    for (const [one, its] of [
      [this, other],
      [other, this],
    ] as const) {
      one.peer = its
      one.peerPid = caller.pid
      one.state = 'ESTAB'
      if (one.type === 'SOCK_DGRAM') its.#admirers.add(one)
    }
    return OK
  }

  accept(): SysResult<{ file: OpenFile; from: SockAddr }> {
    if (this.type === 'SOCK_DGRAM') return fail('EOPNOTSUPP')
    if (this.state !== 'LISTEN') return fail('EINVAL')
    const child = this.accepting.shift()
    if (!child) return this.receiveShut ? fail('EINVAL') : fail('EAGAIN')
    this.#wakeWaiting()
    return ok({ file: new UnixFile(child), from: child.peer?.address() ?? { family: 'AF_UNIX', path: '' } })
  }

  /** Whether a datagram socket takes what that one sends: one that is connected takes only its peer's. */
  #hears(sender: UnixSocket): boolean {
    return !this.peer || this.peer === sender || this.type !== 'SOCK_DGRAM'
  }

  #full(): boolean {
    return this.received.length > this.backlog
  }

  sendTo(
    bytes: Uint8Array,
    to: SockAddr | undefined,
    flags: MessageFlags,
    caller: Caller | undefined,
  ): SysResult<number> {
    const sent = this.#send(bytes, to, flags, caller)
    // Files go with the first buffer, or come back if none went.
    if (!sent.ok && sent.errno !== 'EAGAIN') for (const file of flags.files ?? []) file.references--
    return sent
  }

  #send(
    bytes: Uint8Array,
    to: SockAddr | undefined,
    flags: MessageFlags,
    caller: Caller | undefined,
  ): SysResult<number> {
    if ((flags.files?.length ?? 0) > FILES_MAX) return fail('EINVAL')
    if (this.type === 'SOCK_STREAM') {
      if (to && to.family !== 'AF_UNSPEC') return fail(this.state === 'ESTAB' ? 'EISCONN' : 'EOPNOTSUPP')
      if (!this.peer) return fail('ENOTCONN')
      if (this.sendShut) return fail('EPIPE')
      return this.#sendStream(bytes, flags, caller)
    }
    const error = this.takeError()
    if (error) return fail(error)
    if (this.type === 'SOCK_SEQPACKET' && this.state !== 'ESTAB') return fail('ENOTCONN')
    let other = this.peer
    if (to && to.family !== 'AF_UNSPEC' && this.type === 'SOCK_DGRAM') {
      if (!caller) return fail('EINVAL')
      const found = this.#find(to, caller)
      if (!found.ok) return found
      other = found.value
    }
    if (!other) return fail('ENOTCONN')
    if (bytes.length > this.sendBuffer - 32) return fail('EMSGSIZE')
    if (this.sentMemory >= this.sendBuffer) return fail('EAGAIN')
    if (other.released) {
      if (other === this.peer && this.type === 'SOCK_DGRAM') {
        this.peer = undefined
        this.state = 'UNCONN'
        this.queue.wake()
        return fail('ECONNREFUSED')
      }
      return fail(this.type === 'SOCK_SEQPACKET' ? 'EPIPE' : 'ECONNREFUSED')
    }
    if (!other.#hears(this)) return fail('EPERM')
    if (this.sendShut) return fail('EPIPE')
    if (other.receiveShut) return fail('EPIPE')
    if (other !== this && other.peer !== this && other.#full()) {
      other.#waiting.add(this)
      return fail('EAGAIN')
    }
    other.#take(this, bytes.slice(), flags, caller)
    return ok(bytes.length)
  }

  #sendStream(bytes: Uint8Array, flags: MessageFlags, caller: Caller | undefined): SysResult<number> {
    const peer = this.peer!
    if (peer.released || peer.receiveShut) return fail('EPIPE')
    if (bytes.length === 0) return ok(0)
    let sent = 0
    while (sent < bytes.length) {
      if (this.sentMemory >= this.sendBuffer) break
      const size = Math.min(bytes.length - sent, (this.sendBuffer >> 1) - 64, STREAM_CHUNK_MAX)
      peer.#take(this, bytes.slice(sent, sent + size), sent === 0 ? flags : {}, caller)
      sent += size
    }
    return sent > 0 ? ok(sent) : fail('EAGAIN')
  }

  #take(sender: UnixSocket, bytes: Uint8Array, flags: MessageFlags, caller: Caller | undefined): void {
    const size = truesizeOf(bytes.length)
    this.received.push({
      bytes,
      taken: 0,
      size,
      sender,
      from: sender.address(),
      timeNs: this.host.sim.nowNs,
      files: flags.files,
      pid: caller?.pid ?? sender.peer?.peerPid ?? 0,
    })
    this.receivedMemory += size
    sender.sentMemory += size
    this.queue.wake()
  }

  receive(length: number, flags: MessageFlags): SysResult<Received> {
    if (flags.errorQueue) return fail('EAGAIN')
    if (this.type === 'SOCK_STREAM') return this.#receiveStream(length, flags)
    if (this.type === 'SOCK_SEQPACKET' && this.state !== 'ESTAB') return fail('ENOTCONN')
    const message = this.received[0]
    if (!message) {
      const error = this.takeError()
      if (error) return fail(error)
      if (this.receiveShut) return ok(this.#nothing())
      return fail('EAGAIN')
    }
    const received: Received = {
      bytes: message.bytes.length > length ? message.bytes.subarray(0, length) : message.bytes,
      length: message.bytes.length,
      from: message.from,
      timeNs: message.timeNs,
      control: this.#control(message, flags),
    }
    if (!flags.peek) this.#consume(message)
    return ok(received)
  }

  #receiveStream(length: number, flags: MessageFlags): SysResult<Received> {
    if (this.state !== 'ESTAB') return fail('EINVAL')
    const first = this.received[0]
    if (!first) {
      const error = this.takeError()
      if (error) return fail(error)
      return this.receiveShut ? ok(this.#nothing()) : fail('EAGAIN')
    }
    const control = this.#control(first, flags)
    const parts: Uint8Array[] = []
    let total = 0
    for (let at = 0; at < this.received.length && total < length; ) {
      const message = this.received[at]!
      // What came with files, or from another process where that is asked for, is not run together.
      if (message !== first && (message.files || (this.passCredentials && message.pid !== first.pid))) break
      const part = message.bytes.subarray(message.taken, message.taken + length - total)
      parts.push(part)
      total += part.length
      if (flags.peek) {
        at++
        continue
      }
      message.taken += part.length
      if (message.taken < message.bytes.length) break
      this.#consume(message)
      if (message.files) break
    }
    let bytes = parts[0]!
    if (parts.length > 1) {
      bytes = new Uint8Array(total)
      let at = 0
      for (const part of parts) {
        bytes.set(part, at)
        at += part.length
      }
    }
    return ok({
      bytes,
      length: bytes.length,
      from: this.peer?.address() ?? this.#nothing().from,
      timeNs: first.timeNs,
      control,
    })
  }

  #nothing(): Received {
    return { bytes: new Uint8Array(0), length: 0, from: { family: 'AF_UNIX', path: '' }, timeNs: 0, control: {} }
  }

  #control(message: Message, flags: MessageFlags): Record<string, unknown> {
    const control: Record<string, unknown> = {}
    if (this.passCredentials) control['SCM_CREDENTIALS'] = { pid: message.pid, uid: 0, gid: 0 }
    if (message.files) {
      control['SCM_RIGHTS'] = [...message.files]
      if (flags.peek) for (const file of message.files) file.references++
      else message.files = undefined // The receiver's now.
    }
    return control
  }

  #consume(message: Message): void {
    this.received.splice(this.received.indexOf(message), 1)
    this.receivedMemory -= message.size
    const { sender } = message
    sender.sentMemory -= message.size
    if (sender.sentMemory << 2 <= sender.sendBuffer) sender.queue.wake()
    this.#wakeWaiting()
  }

  #wakeWaiting(): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const one of waiting) one.queue.wake()
  }

  #purge(): void {
    for (const message of [...this.received]) {
      for (const file of message.files ?? []) if (--file.references === 0) file.release?.()
      this.#consume(message)
    }
  }

  #fail(errno: Errno): void {
    if (this.released) return
    this.error = errno
    this.queue.wake()
  }

  shutdown(how: 'RD' | 'WR' | 'RDWR'): SysResult<void> {
    const read = how !== 'WR'
    const write = how !== 'RD'
    if (read) this.receiveShut = true
    if (write) this.sendShut = true
    const { peer } = this
    if (peer && this.type !== 'SOCK_DGRAM') {
      if (read) peer.sendShut = true
      if (write) peer.receiveShut = true
      peer.queue.wake()
    }
    this.queue.wake()
    this.#wakeWaiting()
    return OK
  }

  localName(): SysResult<SockAddr> {
    return ok(this.address())
  }

  peerName(): SysResult<SockAddr> {
    return this.peer ? ok(this.peer.address()) : fail('ENOTCONN')
  }

  takeError(): Errno | undefined {
    const { error } = this
    this.error = undefined
    return error
  }

  setOption(level: string, name: string, value: unknown): SysResult<void> {
    if (level !== 'SOL_SOCKET') return fail('EOPNOTSUPP')
    const number = Number(value)
    switch (name) {
      case 'SO_PASSCRED':
        this.passCredentials = number !== 0
        return OK
      case 'SO_SNDBUF':
        this.sendBuffer = Math.max(2 * Math.min(number, 212_992), SOCK_MIN_BUFFER)
        return OK
      case 'SO_RCVBUF':
        this.receiveBuffer = Math.max(2 * Math.min(number, 212_992), 2304)
        return OK
      case 'SO_REUSEADDR':
      case 'SO_REUSEPORT':
      case 'SO_KEEPALIVE':
      case 'SO_BROADCAST':
      case 'SO_LINGER':
        return name === 'SO_REUSEPORT' ? OK : OK // Kept by every socket, and without a meaning here.
      default:
        return fail('ENOPROTOOPT')
    }
  }

  getOption(level: string, name: string): SysResult<unknown> {
    if (level !== 'SOL_SOCKET') return fail('EOPNOTSUPP')
    switch (name) {
      case 'SO_ERROR':
        return ok(this.takeError())
      case 'SO_TYPE':
        return ok(this.type)
      case 'SO_DOMAIN':
        return ok(this.domain)
      case 'SO_ACCEPTCONN':
        return ok(this.state === 'LISTEN' ? 1 : 0)
      case 'SO_SNDBUF':
        return ok(this.sendBuffer)
      case 'SO_RCVBUF':
        return ok(this.receiveBuffer)
      case 'SO_PASSCRED':
        return ok(this.passCredentials ? 1 : 0)
      case 'SO_PEERCRED':
        return ok({ pid: this.peerPid, uid: 0, gid: 0 })
      default:
        return fail('ENOPROTOOPT')
    }
  }

  ioctl(request: string): SysResult<unknown> {
    if (request === 'SIOCOUTQ') return ok(this.sentMemory)
    if (request === 'SIOCINQ' || request === 'FIONREAD') {
      if (this.state === 'LISTEN') return fail('EINVAL')
      if (this.type === 'SOCK_DGRAM') return ok(this.received[0]?.bytes.length ?? 0)
      return ok(this.received.reduce((sum, { bytes, taken }) => sum + bytes.length - taken, 0))
    }
    return fail('ENOTTY')
  }

  /** The last descriptor was closed. unix_release_sock() */
  release(): void {
    if (this.released) return
    this.released = true
    const state = unixState.of(this.host)
    state.sockets.delete(this)
    if (this.name?.startsWith('\0') && state.abstract.get(this.name) === this) state.abstract.delete(this.name)
    const { peer } = this
    if (peer) {
      if (this.type === 'SOCK_DGRAM') peer.#admirers.delete(this)
      else if (!peer.released) {
        peer.receiveShut = true
        peer.sendShut = true
        // What was sent here and never read is an error to the sender, as with TCP.
        if (this.received.length > 0) peer.error = 'ECONNRESET'
        peer.queue.wake()
      }
    }
    for (const admirer of this.#admirers) admirer.queue.wake()
    for (const child of this.accepting.splice(0)) {
      // Nobody will accept them: to their peers that is a reset.
      if (child.peer && !child.peer.released) child.peer.error = 'ECONNRESET'
      child.release()
    }
    this.#purge()
    this.#wakeWaiting()
  }
}

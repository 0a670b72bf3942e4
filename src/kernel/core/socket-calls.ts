/** The system calls of sockets: the families answer EAGAIN, and here is the waiting. */
import type { Errno, SysResult } from './errno.ts'
import { fail, OK, ok } from './errno.ts'
import type { MessageFlags, OpenFile, Received, SockAddr, Socket } from './file.ts'
import { POLLERR, POLLHUP, POLLOUT } from './file.ts'
import { NamespaceCalls } from './namespace-calls.ts'
import { keepsNetns } from './netns.ts'
import { dropReference } from './process.ts'
import { O_NONBLOCK } from './sys.ts'
import type { Body } from './wait.ts'

export class SocketCalls extends NamespaceCalls {
  socket(domain: string, type: string, protocol: number): SysResult<number> {
    this.enter()
    const made = this.#make(domain, type, protocol)
    return made.ok ? this.install(made.value, 0, false) : made
  }

  socketpair(domain: string, type: string, protocol: number): SysResult<[number, number]> {
    this.enter()
    const one = this.#make(domain, type, protocol)
    if (!one.ok) return one
    const other = this.#make(domain, type, protocol)
    if (!other.ok) return other
    const joined = one.value.socket?.pair?.(other.value.socket!, this.process) ?? fail('EOPNOTSUPP')
    if (!joined.ok) {
      one.value.release?.()
      other.value.release?.()
      return joined
    }
    const first = this.install(one.value, 0, false)
    const second = this.install(other.value, 0, false)
    if (!first.ok) return first
    if (second.ok) return ok([first.value, second.value])
    this.process.closeDescriptor(first.value)
    return second
  }

  bind(fd: number, address: SockAddr): SysResult<void> {
    const socket = this.#socket(fd)
    return socket.ok ? socket.value.bind(address, this.process) : socket
  }

  *connect(fd: number, address: SockAddr): Body<SysResult<void>> {
    const socket = this.#socket(fd)
    if (!socket.ok) return socket
    yield* this.owed()
    const file = this.process.file(fd)!
    let begun = socket.value.connect(address, this.process)
    for (this.begin(); !begun.ok && begun.errno === 'EAGAIN' && (file.flags & O_NONBLOCK) === 0; ) {
      const waited = yield* this.waitFor(file, file.sendTimeoutNs)
      if (waited) return fail(waited)
      begun = socket.value.connect(address, this.process)
    }
    if (begun.ok || begun.errno !== 'EINPROGRESS' || (file.flags & O_NONBLOCK) !== 0) return begun
    this.begin()
    while ((file.poll() & (POLLOUT | POLLERR | POLLHUP)) === 0) {
      const waited = yield* this.waitFor(file, file.sendTimeoutNs)
      if (waited) return fail(waited === 'EAGAIN' ? 'EINPROGRESS' : waited)
    }
    const error = socket.value.getOption('SOL_SOCKET', 'SO_ERROR')
    return error.ok && typeof error.value === 'string' ? fail(error.value as Errno) : OK
  }

  listen(fd: number, backlog: number): SysResult<void> {
    const socket = this.#socket(fd)
    if (!socket.ok) return socket
    return socket.value.listen ? socket.value.listen(backlog, this.process) : fail('EOPNOTSUPP')
  }

  *accept(fd: number): Body<SysResult<{ fd: number; from: SockAddr }>> {
    const socket = this.#socket(fd)
    if (!socket.ok) return socket
    yield* this.owed()
    const file = this.process.file(fd)!
    this.begin()
    for (;;) {
      const got = socket.value.accept ? socket.value.accept() : fail('EOPNOTSUPP')
      if (got.ok) {
        if (file.netns) keepsNetns(got.value.file, file.netns)
        const installed = this.install(got.value.file, 0, false)
        return installed.ok ? ok({ fd: installed.value, from: got.value.from }) : installed
      }
      if (got.errno !== 'EAGAIN') return got
      const waited = yield* this.waitFor(file, file.receiveTimeoutNs)
      if (waited) return fail(waited)
    }
  }

  *sendTo(fd: number, bytes: Uint8Array, to?: SockAddr, flags: MessageFlags = {}): Body<SysResult<number>> {
    const socket = this.#socket(fd)
    if (!socket.ok) return socket
    yield* this.owed()
    const file = this.process.file(fd)!
    this.begin()
    const given = this.#rights(flags)
    if (!given.ok) return given
    let sent = 0
    for (;;) {
      const withFiles = sent === 0 ? given.value : flags
      const done = socket.value.sendTo(sent === 0 ? bytes : bytes.subarray(sent), to, withFiles, this.process)
      if (done.ok) {
        sent += done.value
        if (sent >= bytes.length || socket.value.type !== 'SOCK_STREAM') return ok(sent)
        continue
      }
      if (done.errno === 'EPIPE' && !flags.noSignal) this.sendSelf('SIGPIPE')
      if (done.errno !== 'EAGAIN' || flags.dontWait) return sent > 0 ? ok(sent) : done
      const waited = yield* this.waitFor(file, file.sendTimeoutNs, sent > 0)
      if (waited) return sent > 0 ? ok(sent) : fail(waited)
    }
  }

  *receive(fd: number, length: number, flags: MessageFlags = {}): Body<SysResult<Received>> {
    const socket = this.#socket(fd)
    if (!socket.ok) return socket
    yield* this.owed()
    const file = this.process.file(fd)!
    this.begin()
    for (;;) {
      const got = socket.value.receive(length, flags)
      // The error queue is never waited for; recvmsg(2).
      if (got.ok && Array.isArray(got.value.control['SCM_RIGHTS'])) this.#receiveRights(got.value)
      if (got.ok || got.errno !== 'EAGAIN' || flags.dontWait || flags.errorQueue) return got
      const waited = yield* this.waitFor(file, file.receiveTimeoutNs)
      if (waited) return fail(waited)
    }
  }

  shutdown(fd: number, how: 'RD' | 'WR' | 'RDWR'): SysResult<void> {
    const socket = this.#socket(fd)
    if (!socket.ok) return socket
    return socket.value.shutdown ? socket.value.shutdown(how) : fail('EOPNOTSUPP')
  }

  getsockname(fd: number): SysResult<SockAddr> {
    const socket = this.#socket(fd)
    return socket.ok ? socket.value.localName() : socket
  }

  getpeername(fd: number): SysResult<SockAddr> {
    const socket = this.#socket(fd)
    return socket.ok ? socket.value.peerName() : socket
  }

  setsockopt(fd: number, level: string, name: string, value: unknown): SysResult<void> {
    const socket = this.#socket(fd)
    if (!socket.ok) return socket
    if (level === 'SOL_SOCKET' && (name === 'SO_RCVTIMEO' || name === 'SO_SNDTIMEO')) {
      const file = this.process.file(fd)!
      const timeout = Number(value) > 0 ? Number(value) : undefined // 0: for ever.
      if (name === 'SO_RCVTIMEO') file.receiveTimeoutNs = timeout
      else file.sendTimeoutNs = timeout
      return OK
    }
    return socket.value.setOption(level, name, value)
  }

  getsockopt(fd: number, level: string, name: string): SysResult<unknown> {
    const socket = this.#socket(fd)
    if (!socket.ok) return socket
    const file = this.process.file(fd)!
    if (level === 'SOL_SOCKET' && name === 'SO_RCVTIMEO') return ok(file.receiveTimeoutNs ?? 0)
    if (level === 'SOL_SOCKET' && name === 'SO_SNDTIMEO') return ok(file.sendTimeoutNs ?? 0)
    return socket.value.getOption(level, name)
  }

  #make(domain: string, type: string, protocol: number): SysResult<OpenFile> {
    const family = this.host.image.families.get(domain)
    if (!family) return fail('EAFNOSUPPORT')
    const made = family(this.process.netns, type, protocol)
    if (made.ok) keepsNetns(made.value, this.process.netns)
    return made
  }

  /** SCM_RIGHTS on the way out: numbers become files, each held until it is received or lost. */
  #rights(flags: MessageFlags): SysResult<MessageFlags> {
    if (!flags.rights) return ok(flags)
    const files = flags.rights.map((fd) => this.process.file(fd))
    if (files.some((file) => !file)) return fail('EBADF')
    for (const file of files) file!.references++
    return ok({ ...flags, files: files as OpenFile[] })
  }

  /** And on the way in: files become the receiver's descriptors. */
  #receiveRights(received: Received): void {
    const files = received.control['SCM_RIGHTS'] as OpenFile[]
    received.control['SCM_RIGHTS'] = files.flatMap((file) => {
      const fd = this.install(file, 0, false)
      dropReference(file)
      return fd.ok ? [fd.value] : []
    })
  }

  #socket(fd: number): SysResult<Socket> {
    this.enter()
    const file = this.process.file(fd)
    if (!file) return fail('EBADF')
    return file.socket ? ok(file.socket) : fail('ENOTSOCK')
  }
}

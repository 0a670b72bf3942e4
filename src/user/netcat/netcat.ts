/** OpenBSD's netcat, Debian's 1.219-1: connections, listening, scanning. netcat.c: main(), remote_connect(), local_listen() */
import { type Body, type Errno, POLLOUT, type SockAddr, type Sys, strerror } from '#kernel/core'
import {
  addressOf,
  Exit,
  formatAddress,
  gaiStrerror,
  lookupHost,
  type NetAddress,
  nameInfo,
  parseAddress,
  Stdio,
  serviceName,
  servicePort,
  withPort,
} from '#user/libc'
import { type NcOptions, parseNcOptions } from './options.ts'
import { relay } from './relay.ts'

const PORT_MAX = 65535
const DATAGRAM_MAX = 65536

export function nc(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'nc', 'none')
  return io.run(new Netcat(sys, io).main(argv))
}

class Netcat {
  readonly #sys: Sys
  readonly #io: Stdio
  #o!: NcOptions
  /** A datagram client's own name, to be taken away at the end. */
  #ownPath: string | undefined

  constructor(sys: Sys, io: Stdio) {
    this.#sys = sys
    this.#io = io
  }

  *main(argv: string[]): Body<number> {
    this.#o = parseNcOptions(this.#io, argv)
    this.#sys.sigaction('SIGPIPE', 'ignore')
    try {
      if (this.#o.listen) return yield* this.#listen()
      return this.#o.unix ? yield* this.#unixClient() : yield* this.#client()
    } finally {
      if (this.#ownPath !== undefined) this.#sys.unlink(this.#ownPath)
    }
  }

  #die(text: string, errno?: Errno): never {
    this.#io.error(`nc: ${text}${errno ? `: ${strerror(errno)}` : ''}\n`)
    throw new Exit(1)
  }

  *#warn(text: string): Body<void> {
    this.#io.error(`nc: ${text}\n`)
    yield* this.#io.settle()
  }

  // Listening.

  *#listen(): Body<number> {
    const o = this.#o
    if (o.keep && o.udp) {
      const fd = yield* this.#listenSocket()
      yield* relay(this.#sys, fd, o)
      this.#sys.close(fd)
      return 0
    }
    let fd = -1
    for (;;) {
      if (fd < 0) fd = yield* this.#listenSocket()
      if (o.udp) {
        const first = yield* this.#sys.receive(fd, DATAGRAM_MAX, { peek: true })
        if (!first.ok) this.#die('recvfrom', first.errno)
        const connected = yield* this.#sys.connect(fd, first.value.from)
        // A datagram client without a name can't be answered, and is read all the same.
        if (!connected.ok && !o.unix) this.#die('connect', connected.errno)
        if (o.verbose) yield* this.#report('Connection received', first.value.from)
        yield* relay(this.#sys, fd, o)
        this.#sys.close(fd)
        return 0
      }
      const accepted = yield* this.#sys.accept(fd)
      if (!accepted.ok) {
        if (accepted.errno === 'EINTR' || accepted.errno === 'ECONNABORTED') continue
        this.#die('accept', accepted.errno)
      }
      if (o.verbose) yield* this.#report('Connection received', accepted.value.from)
      const end = yield* relay(this.#sys, accepted.value.fd, o)
      this.#sys.close(accepted.value.fd)
      if (!o.keep || end === 'quit') return 0
    }
  }

  *#listenSocket(): Body<number> {
    const o = this.#o
    const sys = this.#sys
    if (o.unix) {
      const fd = this.#socket('AF_UNIX', o.udp ? 'SOCK_DGRAM' : 'SOCK_STREAM')
      if (typeof fd !== 'number') this.#die('socket', fd.errno)
      const name: SockAddr = { family: 'AF_UNIX', path: o.host! }
      sys.unlink(o.host!)
      const bound = sys.bind(fd, name)
      if (!bound.ok) this.#die(strerror(bound.errno))
      if (!o.udp) {
        const listening = sys.listen(fd, 5)
        if (!listening.ok) this.#die('unix_listen', listening.errno)
      }
      if (o.verbose) yield* this.#report(o.udp ? 'Bound' : 'Listening', name)
      return fd
    }
    const port = yield* this.#port(o.ports!)
    let addresses: NetAddress[] = [{ family: 'AF_INET', address: 0 }]
    if (o.host !== undefined) {
      const found = yield* lookupHost(sys, o.host, { family: o.family, numeric: o.numeric })
      if (!found.ok) this.#die(`getaddrinfo: ${gaiStrerror(found.error)}`)
      addresses = found.value.addresses
    } else if (o.family === 'AF_INET6') addresses = [{ family: 'AF_INET6', address: new Uint8Array(16), scopeId: 0 }]
    let failed: Errno = 'EAFNOSUPPORT'
    for (const address of addresses) {
      const fd = this.#socket(address.family, o.udp ? 'SOCK_DGRAM' : 'SOCK_STREAM')
      if (typeof fd !== 'number') {
        failed = fd.errno
        continue
      }
      sys.setsockopt(fd, 'SOL_SOCKET', 'SO_REUSEADDR', 1)
      sys.setsockopt(fd, 'SOL_SOCKET', 'SO_REUSEPORT', 1)
      this.#options(fd)
      const bound = sys.bind(fd, withPort(address, port))
      if (!bound.ok) {
        failed = bound.errno
        sys.close(fd)
        continue
      }
      if (!o.udp) {
        const listening = sys.listen(fd, 1)
        if (!listening.ok) this.#die('listen', listening.errno)
      }
      const own = sys.getsockname(fd)
      if (o.verbose && own.ok) yield* this.#report(o.udp ? 'Bound' : 'Listening', own.value)
      return fd
    }
    this.#die(strerror(failed))
  }

  *#report(what: string, name: SockAddr): Body<void> {
    if (name.family === 'AF_UNIX') {
      this.#io.error(`${what} on ${name.path === '' ? this.#o.host : name.path}\n`)
    } else {
      const peer = addressOf(name)
      if (!peer) return
      const host = yield* nameInfo(this.#sys, peer.address, this.#o.numeric)
      if (!host.ok) return yield* this.#warn(`getnameinfo: ${gaiStrerror(host.error)}`)
      this.#io.error(`${what} on ${host.name} ${peer.port}\n`)
    }
    yield* this.#io.settle()
  }

  // Connecting.

  *#unixClient(): Body<number> {
    const o = this.#o
    const fd = this.#socket('AF_UNIX', o.udp ? 'SOCK_DGRAM' : 'SOCK_STREAM')
    if (typeof fd !== 'number') this.#die('socket', fd.errno)
    if (o.udp) {
      // mkdtemp(3): its answers need somewhere to go.
      const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
      const random = Array.from(this.#sys.getrandom(6), (byte: number) => letters[byte % 62]).join('')
      this.#sys.mkdir(`/tmp/nc-${random}`, 0o700)
      this.#ownPath = `/tmp/nc-${random}/recv.sock`
      this.#sys.bind(fd, { family: 'AF_UNIX', path: o.source ?? this.#ownPath })
    }
    const connected = yield* this.#sys.connect(fd, { family: 'AF_UNIX', path: o.host! })
    if (!connected.ok) this.#die(o.host!, connected.errno)
    if (!o.zero) yield* relay(this.#sys, fd, o)
    this.#sys.close(fd)
    return 0
  }

  *#client(): Body<number> {
    const o = this.#o
    const ports = yield* this.#ports()
    let status = 1
    let fd: number | undefined
    for (const port of ports) {
      if (fd !== undefined) this.#sys.close(fd)
      fd = yield* this.#connect(o.host!, port)
      if (fd === undefined) continue
      status = 0
      if (o.verbose || o.zero) {
        if (o.udp && !(yield* this.#udpTest(fd))) {
          status = 1
          continue
        }
        if (o.verbose) yield* this.#succeeded(fd, port)
      }
      if (o.zero) {
        if (o.intervalS > 0) yield* this.#sys.sleep(o.intervalS * 1e9)
        continue
      }
      if ((yield* relay(this.#sys, fd, o)) === 'quit') break
    }
    if (fd !== undefined) this.#sys.close(fd)
    return status
  }

  *#succeeded(fd: number, port: number): Body<void> {
    const o = this.#o
    const protocol = o.udp ? 'udp' : 'tcp'
    const service = o.numeric ? undefined : yield* serviceName(this.#sys, port, protocol)
    const peer = this.#sys.getpeername(fd)
    const address = peer.ok ? addressOf(peer.value) : undefined
    const number = address && !o.numeric && !parseAddress(o.host!) ? ` (${formatAddress(address.address)})` : ''
    this.#io.error(`Connection to ${o.host}${number} ${port} port [${protocol}/${service ?? '*'}] succeeded!\n`)
    yield* this.#io.settle()
  }

  *#connect(host: string, port: number): Body<number | undefined> {
    const o = this.#o
    const sys = this.#sys
    const found = yield* lookupHost(sys, host, { family: o.family, numeric: o.numeric })
    if (!found.ok) this.#die(`getaddrinfo for host "${host}" port ${port}: ${gaiStrerror(found.error)}`)
    for (const address of found.value.addresses) {
      const fd = this.#socket(address.family, o.udp ? 'SOCK_DGRAM' : 'SOCK_STREAM')
      if (typeof fd !== 'number') continue
      if (o.source !== undefined || o.localPort !== undefined) yield* this.#bindLocal(fd, address)
      this.#options(fd)
      const error = yield* this.#connectWithin(fd, withPort(address, port))
      if (error === undefined) return fd
      if (o.verbose) {
        const number = o.numeric || parseAddress(host) ? '' : ` (${formatAddress(address)})`
        const how = error === 'EINPROGRESS' ? 'timed out' : 'failed'
        yield* this.#warn(
          `connect to ${host}${number} port ${port} (${o.udp ? 'udp' : 'tcp'}) ${how}: ${strerror(error)}`,
        )
      }
      sys.close(fd)
    }
    return undefined
  }

  *#bindLocal(fd: number, to: NetAddress): Body<void> {
    const o = this.#o
    this.#sys.setsockopt(fd, 'SOL_SOCKET', 'SO_REUSEADDR', 1)
    this.#sys.setsockopt(fd, 'SOL_SOCKET', 'SO_REUSEPORT', 1)
    const port = o.localPort === undefined ? 0 : yield* this.#port(o.localPort)
    let source: NetAddress =
      to.family === 'AF_INET'
        ? { family: 'AF_INET', address: 0 }
        : { family: 'AF_INET6', address: new Uint8Array(16), scopeId: 0 }
    if (o.source !== undefined) {
      const found = yield* lookupHost(this.#sys, o.source, { family: to.family, numeric: o.numeric })
      if (!found.ok) this.#die(`getaddrinfo: ${gaiStrerror(found.error)}`)
      source = found.value.addresses[0]!
    }
    const bound = this.#sys.bind(fd, withPort(source, port))
    if (!bound.ok) this.#die('bind failed', bound.errno)
  }

  /** connect(2) with -w; EINPROGRESS if that was too long. connect_with_timeout() */
  *#connectWithin(fd: number, to: SockAddr): Body<Errno | undefined> {
    this.#sys.setNonBlocking(fd, true)
    const begun = yield* this.#sys.connect(fd, to)
    if (begun.ok) return undefined
    if (begun.errno !== 'EINPROGRESS') return begun.errno
    const limitNs = this.#o.timeoutS < 0 ? Number.POSITIVE_INFINITY : this.#o.timeoutS * 1e9
    const ready = yield* this.#sys.poll([{ fd, events: POLLOUT }], limitNs)
    if (!ready.ok) return ready.errno
    if (ready.value.length === 0) return 'EINPROGRESS'
    const error = this.#sys.getsockopt(fd, 'SOL_SOCKET', 'SO_ERROR')
    return error.ok ? (error.value as Errno | undefined) : error.errno
  }

  /** Whether something takes datagrams there: nothing says no within three seconds. udptest() */
  *#udpTest(fd: number): Body<boolean> {
    const probe = Uint8Array.of(0x58)
    const first = yield* this.#sys.write(fd, probe)
    if (!first.ok) return false
    for (let i = 0; i < 4; i++) {
      if (i > 0) yield* this.#sys.sleep(1e9)
      const wrote = yield* this.#sys.write(fd, probe)
      if (!wrote.ok) return false
    }
    return true
  }

  #socket(family: string, type: string): number | { errno: Errno } {
    const made = this.#sys.socket(family, type, 0)
    return made.ok ? made.value : { errno: made.errno }
  }

  #options(fd: number): void {
    const o = this.#o
    const set = (level: string, name: string, value: number) => {
      const done = this.#sys.setsockopt(fd, level, name, value)
      if (!done.ok) this.#die('setsockopt', done.errno)
    }
    if (o.broadcast) set('SOL_SOCKET', 'SO_BROADCAST', 1)
    if (o.tos >= 0) set('IPPROTO_IP', 'IP_TOS', o.tos)
    if (o.sendBuffer > 0) set('SOL_SOCKET', 'SO_SNDBUF', o.sendBuffer)
    if (o.receiveBuffer > 0) set('SOL_SOCKET', 'SO_RCVBUF', o.receiveBuffer)
    if (o.ttl >= 0) set('IPPROTO_IP', 'IP_TTL', o.ttl)
    if (o.minTtl >= 0) set('IPPROTO_IP', 'IP_MINTTL', o.minTtl)
  }

  // Ports.

  *#port(text: string): Body<number> {
    if (/^[-+]?\d+$/.test(text)) {
      const port = Number(text)
      if (port < 1) this.#die(`port number too small: ${text}`)
      if (port > PORT_MAX) this.#die(`port number too large: ${text}`)
      return port
    }
    if (this.#o.numeric) this.#die(`port number invalid: ${text}`)
    const port = yield* servicePort(this.#sys, text, this.#o.udp ? 'udp' : 'tcp')
    if (port === undefined) this.#die(`port number invalid: ${text}`)
    return port
  }

  *#ports(): Body<number[]> {
    const all: number[] = []
    for (const text of [this.#o.ports!, ...this.#o.morePorts]) all.push(...(yield* this.#range(text)))
    return all
  }

  /** 22, http, 20-25. build_ports() */
  *#range(text: string): Body<number[]> {
    const range = /^(.+?)-(.+)$/.exec(text)
    if (!range || (yield* servicePort(this.#sys, text, this.#o.udp ? 'udp' : 'tcp')) !== undefined) {
      return [yield* this.#port(text)]
    }
    let low = yield* this.#port(range[1]!)
    let high = yield* this.#port(range[2]!)
    if (high < low) [low, high] = [high, low]
    const ports = Array.from({ length: high - low + 1 }, (_, i) => low + i)
    if (!this.#o.random) return ports
    for (let i = ports.length - 1; i > 0; i--) {
      const bytes = this.#sys.getrandom(4)
      const j = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) % (i + 1)
      ;[ports[i], ports[j]] = [ports[j]!, ports[i]!]
    }
    return ports
  }
}

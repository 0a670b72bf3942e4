/** curl's connections: made within limits, kept for the next URL. curl 7.88.1 lib/connect.c, lib/conncache.c */
import { type Body, type Errno, POLLIN, POLLOUT, type SockAddr, type Sys, strerror } from '#kernel/core'
import { formatAddress, lookupHost, type NetAddress, parseAddress, withPort } from '#user/libc'

export interface Connection {
  fd: number
  number: number
  host: string
  port: number
  address: NetAddress | undefined
  localPort: number
  localIp: string
}

/** What went wrong: curl's number and its words. */
export class CurlError extends Error {
  override readonly name = 'CurlError'
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export interface ConnectOptions {
  host: string
  port: number
  family: 'AF_UNSPEC' | 'AF_INET' | 'AF_INET6'
  /** Addresses that --resolve gave. */
  known: NetAddress[] | undefined
  unixPath: string | undefined
  interface: string | undefined
  localPort: string | undefined
  /** When the whole transfer is too long, and when connecting is. */
  deadlineNs: number
  connectLimitNs: number
  startNs: number
  say(text: string): void
  settle(): Body<void>
  /** How long finding the address took is told to -w. */
  resolved(): void
}

function millis(sys: Sys, sinceNs: number): number {
  return Math.floor((sys.monotonicNs() - sinceNs) / 1e6)
}

export function* connect(sys: Sys, number: number, o: ConnectOptions): Body<Connection> {
  if (o.unixPath !== undefined) return yield* connectUnix(sys, number, o)
  let addresses = o.known
  if (!addresses) {
    const found = yield* lookupHost(sys, o.host, { family: o.family })
    if (!found.ok) {
      o.say(`* Could not resolve host: ${o.host}\n`)
      throw new CurlError(6, `Could not resolve host: ${o.host}`)
    }
    addresses = found.value.addresses
  }
  o.resolved()
  let failed: Errno | 'timeout' = 'ECONNREFUSED'
  for (const address of addresses) {
    const text = formatAddress(address)
    o.say(`*   Trying ${address.family === 'AF_INET6' ? `[${text}]` : text}:${o.port}...\n`)
    yield* o.settle()
    const made = sys.socket(address.family, 'SOCK_STREAM', 0)
    if (!made.ok) {
      failed = made.errno
      continue
    }
    const fd = made.value
    sys.setsockopt(fd, 'IPPROTO_TCP', 'TCP_NODELAY', 1)
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_KEEPALIVE', 1)
    sys.setsockopt(fd, 'IPPROTO_TCP', 'TCP_KEEPIDLE', 60)
    sys.setsockopt(fd, 'IPPROTO_TCP', 'TCP_KEEPINTVL', 60)
    yield* bindLocal(sys, fd, address, o)
    const error = yield* finish(sys, fd, withPort(address, o.port), o)
    if (error === undefined) {
      const own = sys.getsockname(fd)
      const local = own.ok && own.value.family === 'AF_INET' ? own.value : undefined
      o.say(`* Connected to ${o.host} (${text}) port ${o.port} (#${number})\n`)
      return {
        fd,
        number,
        host: o.host,
        port: o.port,
        address,
        localPort: local?.port ?? 0,
        localIp: local ? formatAddress({ family: 'AF_INET', address: local.address }) : '',
      }
    }
    sys.close(fd)
    failed = error
    if (error === 'timeout') {
      if (sys.monotonicNs() >= o.deadlineNs) {
        const text2 = `Connection timed out after ${millis(sys, o.startNs)} milliseconds`
        o.say(`* ${text2}\n`)
        throw new CurlError(28, text2)
      }
      o.say(
        `* ipv${address.family === 'AF_INET' ? 4 : 6} connect timeout after ${Math.round(o.connectLimitNs / 1e6)}ms, move on!\n`,
      )
    } else o.say(`* connect to ${text} port ${o.port} failed: ${strerror(error)}\n`)
  }
  const why = failed === 'timeout' || failed === 'ETIMEDOUT' ? 'Timeout was reached' : "Couldn't connect to server"
  const text = `Failed to connect to ${o.host} port ${o.port} after ${millis(sys, o.startNs)} ms: ${why}`
  o.say(`* ${text}\n`)
  throw new CurlError(failed === 'timeout' || failed === 'ETIMEDOUT' ? 28 : 7, text)
}

function* bindLocal(sys: Sys, fd: number, to: NetAddress, o: ConnectOptions): Body<void> {
  let source: NetAddress = { family: 'AF_INET', address: 0 }
  if (to.family === 'AF_INET6') source = { family: 'AF_INET6', address: new Uint8Array(16), scopeId: 0 }
  if (o.interface === undefined && o.localPort === undefined) return
  if (o.interface !== undefined) {
    const number = parseAddress(o.interface)
    if (!number) {
      const tied = sys.setsockopt(fd, 'SOL_SOCKET', 'SO_BINDTODEVICE', o.interface)
      if (!tied.ok) throw new CurlError(45, `Couldn't bind to '${o.interface}'`)
      if (o.localPort === undefined) return
    } else {
      const family = number.family === 'AF_INET' ? 2 : 10
      o.say(`* Name '${o.interface}' family ${family} resolved to '${formatAddress(number)}' family ${family}\n`)
      o.say(`* Local port: ${o.localPort ?? 0}\n`)
      source = number
    }
  }
  const range = /^(\d+)(?:-(\d+))?$/.exec(o.localPort ?? '0')
  if (!range) throw new CurlError(2, `option --local-port: is badly used here`)
  const low = Number(range[1])
  const high = Number(range[2] ?? range[1])
  let failed: Errno = 'EADDRINUSE'
  for (let port = low; port <= high; port++) {
    const bound = sys.bind(fd, withPort(source, port))
    if (bound.ok) {
      if (low !== 0 && o.interface !== undefined && parseAddress(o.interface)) o.say(`* Local port: ${port}\n`)
      return
    }
    failed = bound.errno
  }
  const number = { EADDRINUSE: 98, EADDRNOTAVAIL: 99, EACCES: 13 }[failed as string] ?? 22
  const text = `bind failed with errno ${number}: ${strerror(failed)}`
  o.say(`* ${text}\n`)
  throw new CurlError(45, text)
}

function* finish(sys: Sys, fd: number, to: SockAddr, o: ConnectOptions): Body<Errno | 'timeout' | undefined> {
  sys.setNonBlocking(fd, true)
  const begun = yield* sys.connect(fd, to)
  if (begun.ok) return undefined
  if (begun.errno !== 'EINPROGRESS') return begun.errno
  const untilNs = Math.min(o.deadlineNs, o.startNs + o.connectLimitNs + 1e6)
  const ready = yield* sys.poll([{ fd, events: POLLOUT }], Math.max(0, untilNs - sys.monotonicNs()))
  if (!ready.ok) return ready.errno
  if (ready.value.length === 0) return 'timeout'
  const error = sys.getsockopt(fd, 'SOL_SOCKET', 'SO_ERROR')
  return error.ok ? (error.value as Errno | undefined) : error.errno
}

function* connectUnix(sys: Sys, number: number, o: ConnectOptions): Body<Connection> {
  const made = sys.socket('AF_UNIX', 'SOCK_STREAM', 0)
  if (!made.ok) throw new CurlError(7, "Couldn't connect to server")
  o.resolved()
  o.say(`*   Trying ${o.unixPath}:0...\n`)
  const connected = yield* sys.connect(made.value, { family: 'AF_UNIX', path: o.unixPath! })
  if (!connected.ok) {
    o.say(`* connect to ${o.unixPath} port ${o.port} failed: ${strerror(connected.errno)}\n`)
    const text = `Failed to connect to ${o.host} port ${o.port} after ${millis(sys, o.startNs)} ms: Couldn't connect to server`
    o.say(`* ${text}\n`)
    throw new CurlError(7, text)
  }
  sys.setNonBlocking(made.value, true)
  o.say(`* Connected to ${o.host} (${o.unixPath}) port ${o.port} (#${number})\n`)
  return { fd: made.value, number, host: o.host, port: o.port, address: undefined, localPort: 0, localIp: '' }
}

/** Whether a kept connection is still good: nothing has come on it, not even its end. */
export function* isAlive(sys: Sys, connection: Connection): Body<boolean> {
  const ready = yield* sys.poll([{ fd: connection.fd, events: POLLIN }], 0)
  return ready.ok && ready.value.length === 0
}

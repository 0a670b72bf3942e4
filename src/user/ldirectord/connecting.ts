/** Connections of checks: made, read and written within a time, whatever signals come. */
import { type Body, type Errno, POLLIN, POLLOUT, type SockAddr, type Sys } from '#kernel/core'
import { formatAddress, lookupHost, parseAddress, withPort } from '#user/libc'

export type Opened = { fd: number } | { failed: Errno | 'timeout' | 'unknown' }

/** An address or a name with a port; brackets may be around an address of IPv6. */
export function* socketAddress(sys: Sys, host: string, port: number): Body<SockAddr | undefined> {
  const bare = host.replace(/[[\]]/g, '')
  const number = parseAddress(bare)
  if (number) return withPort(number, port)
  const found = yield* lookupHost(sys, bare)
  return found.ok ? withPort(found.value.addresses[0]!, port) : undefined
}

/** Waits until a descriptor is ready; false when time is up. */
export function* ready(sys: Sys, fd: number, events: number, untilNs: number): Body<boolean> {
  for (;;) {
    const polled = yield* sys.poll([{ fd, events }], Math.max(0, untilNs - sys.monotonicNs()))
    if (polled.ok) return polled.value.length > 0
    if (polled.errno !== 'EINTR') return false
  }
}

/** Connects before a moment. */
export function* connectUntil(
  sys: Sys,
  host: string,
  port: number,
  type: 'SOCK_STREAM' | 'SOCK_DGRAM',
  untilNs: number,
): Body<Opened> {
  const to = yield* socketAddress(sys, host, port)
  if (!to) return { failed: 'unknown' }
  const made = sys.socket(to.family, type, 0)
  if (!made.ok) return { failed: made.errno }
  const fd = made.value
  const error = yield* finish(sys, fd, to, untilNs)
  if (error === undefined) return { fd }
  sys.close(fd)
  return { failed: error }
}

function* finish(sys: Sys, fd: number, to: SockAddr, untilNs: number): Body<Errno | 'timeout' | undefined> {
  sys.setNonBlocking(fd, true)
  const begun = yield* sys.connect(fd, to)
  if (begun.ok) return undefined
  if (begun.errno !== 'EINPROGRESS') return begun.errno
  if (!(yield* ready(sys, fd, POLLOUT, untilNs))) return 'timeout'
  const error = sys.getsockopt(fd, 'SOL_SOCKET', 'SO_ERROR')
  return error.ok ? (error.value as Errno | undefined) : error.errno
}

/** What has come; nothing at the end; undefined if nothing does in time, or all is lost. */
export function* receiveUntil(
  sys: Sys,
  fd: number,
  length: number,
  untilNs: number,
): Body<{ bytes: Uint8Array } | { failed: Errno | 'timeout' }> {
  for (;;) {
    const got = yield* sys.receive(fd, length, { dontWait: true })
    if (got.ok) return { bytes: got.value.bytes }
    if (got.errno !== 'EAGAIN' && got.errno !== 'EINTR') return { failed: got.errno }
    if (!(yield* ready(sys, fd, POLLIN, untilNs))) return { failed: 'timeout' }
  }
}

/** Sends all of it; false if that fails. */
export function* sendUntil(sys: Sys, fd: number, bytes: Uint8Array, untilNs: number): Body<boolean> {
  let sent = 0
  while (sent < bytes.length) {
    const rest = sent === 0 ? bytes : bytes.subarray(sent)
    const done = yield* sys.sendTo(fd, rest, undefined, { dontWait: true, noSignal: true })
    if (done.ok) sent += done.value
    else if (done.errno === 'EAGAIN') {
      if (!(yield* ready(sys, fd, POLLOUT, untilNs))) return false
    } else if (done.errno !== 'EINTR') return false
  }
  return true
}

/** `10.0.0.1` and the port of a socket's own end. */
export function ownAddress(sys: Sys, fd: number): { address: string; port: number } | undefined {
  const name = sys.getsockname(fd)
  if (!name.ok) return undefined
  const own = name.value
  if (own.family === 'AF_INET') {
    return { address: formatAddress({ family: 'AF_INET', address: own.address }), port: own.port }
  }
  if (own.family !== 'AF_INET6') return undefined
  const address = formatAddress({ family: 'AF_INET6', address: own.address, scopeId: own.scopeId })
  return { address: `[${address}]`, port: own.port }
}

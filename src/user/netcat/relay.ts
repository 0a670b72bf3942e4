/**
 * Between standard input and output and a socket, until it is enough. What is read waits in one of two buffers of 16 kB;
 * who is asked by poll(2), and for what, follows from them. netcat.c: readwrite()
 */
import { type Body, POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, type Sys } from '#kernel/core'
import { joined } from '#user/libc'
import type { NcOptions } from './options.ts'

const BUFFER = 16384
const GONE = -1

/** What one side's bytes wait in. */
class Buffer {
  #pieces: Uint8Array[] = []
  length = 0

  get room(): number {
    return BUFFER - this.length
  }

  put(bytes: Uint8Array): void {
    this.#pieces.push(bytes)
    this.length += bytes.length
  }

  all(): Uint8Array {
    if (this.#pieces.length > 1) this.#pieces = [joined(this.#pieces)]
    return this.#pieces[0] ?? new Uint8Array(0)
  }

  drop(count: number): void {
    const rest = this.all().subarray(count)
    this.#pieces = rest.length > 0 ? [rest] : []
    this.length = rest.length
  }
}

/** How a relay ended: 'quit' means that the program does, too. */
export type RelayEnd = 'done' | 'quit'

export function* relay(sys: Sys, fd: number, o: NcOptions): Body<RelayEnd> {
  let stdin = o.detach ? GONE : 0
  let netOut = fd
  let netIn = fd
  let stdout = 1
  const outgoing = new Buffer()
  const incoming = new Buffer()
  let packets = 0
  /** -q: when all ends. */
  let quitNs = Number.POSITIVE_INFINITY
  sys.setNonBlocking(fd, true)
  for (;;) {
    if (stdin === GONE && netIn === GONE && outgoing.length === 0 && incoming.length === 0) return 'done'
    if (netOut === GONE && stdout === GONE) return 'done'
    if (o.listen && netIn === GONE && outgoing.length === 0 && incoming.length === 0) return 'done'
    if (o.intervalS > 0) yield* sys.sleep(o.intervalS * 1e9)

    const entries = [
      { fd: stdin, events: stdin !== GONE && outgoing.room > 0 ? POLLIN : 0 },
      { fd: netOut, events: outgoing.length > 0 ? POLLOUT : 0 },
      { fd: netIn, events: netIn !== GONE && incoming.room > 0 ? POLLIN : 0 },
      { fd: stdout, events: incoming.length > 0 ? POLLOUT : 0 },
    ]
    const limitNs = o.timeoutS < 0 ? Number.POSITIVE_INFINITY : o.timeoutS * 1e9
    const ready = yield* sys.poll(entries, Math.min(limitNs, Math.max(0, quitNs - sys.monotonicNs())))
    if (sys.monotonicNs() >= quitNs) return 'quit'
    if (!ready.ok) continue
    if (ready.value.length === 0) return 'done' // -w: nothing happened for so long.

    // Both halves of the socket have the same number: an answer belongs to the half that asked for it.
    const rest = [...ready.value]
    const eventsOf = (entry: { fd: number }): number => {
      const at = entry.fd === GONE ? -1 : rest.findIndex((one) => one.fd === entry.fd)
      return at < 0 ? 0 : rest.splice(at, 1)[0]!.revents
    }
    let [inEvents, netOutEvents, netInEvents, outEvents] = entries.map(eventsOf) as [number, number, number, number]
    if (netIn !== GONE && netOut !== GONE) {
      const both = netOutEvents | netInEvents
      netOutEvents = both & (entries[1]!.events | POLLERR | POLLHUP | POLLNVAL)
      netInEvents = both & (entries[2]!.events | POLLERR | POLLHUP | POLLNVAL)
    }
    if (inEvents & POLLNVAL) stdin = GONE
    if (outEvents & POLLNVAL) stdout = GONE
    if (netOutEvents & POLLERR) netOut = GONE
    if (netInEvents & POLLHUP && !(netInEvents & POLLIN) && incoming.room > 0) netInEvents |= POLLIN
    if (inEvents & POLLHUP && outgoing.room > 0) inEvents |= POLLIN
    if (netOutEvents & POLLHUP && o.shutdown && netOut !== GONE) sys.shutdown(netOut, 'WR')
    if (netOutEvents & POLLHUP) netOut = GONE
    if (outEvents & (POLLHUP | POLLERR)) stdout = GONE
    if (netOut === GONE) stdin = GONE
    if (stdout === GONE) {
      if (netIn !== GONE) sys.shutdown(netIn, 'RD')
      netIn = GONE
    }

    if (inEvents & POLLIN && stdin !== GONE && outgoing.room > 0) {
      const got = yield* sys.read(stdin, outgoing.room)
      if (!got.ok ? got.errno !== 'EAGAIN' && got.errno !== 'EINTR' : got.value.length === 0) {
        stdin = GONE
        if (o.quitS === 0) return 'quit'
        if (o.quitS > 0) quitNs = sys.monotonicNs() + o.quitS * 1e9
      } else if (got.ok) outgoing.put(got.value)
    }
    if (netOutEvents & POLLOUT && outgoing.length > 0 && netOut !== GONE) {
      const wrote = yield* writeOut(sys, netOut, outgoing, o)
      if (wrote === 'broken') netOut = GONE
    }
    if (netInEvents & (POLLIN | POLLERR) && netIn !== GONE && incoming.room > 0) {
      const got = yield* sys.read(netIn, incoming.room)
      if (!got.ok ? got.errno !== 'EAGAIN' && got.errno !== 'EINTR' : got.value.length === 0 && !o.udp) {
        sys.shutdown(netIn, 'RD')
        netIn = GONE
      } else if (got.ok) incoming.put(got.value)
      if (o.receiveLimit > 0 && ++packets >= o.receiveLimit) {
        if (netIn !== GONE) sys.shutdown(netIn, 'RD')
        netIn = GONE
      }
    }
    if (outEvents & POLLOUT && incoming.length > 0 && stdout !== GONE) {
      const wrote = yield* sys.write(stdout, incoming.all())
      if (wrote.ok) incoming.drop(wrote.value)
      else if (wrote.errno !== 'EAGAIN' && wrote.errno !== 'EINTR') stdout = GONE
    }
    // Standard input has ended and everything is sent: so says -N to the other side.
    if (stdin === GONE && outgoing.length === 0 && netOut !== GONE) {
      if (o.shutdown) sys.shutdown(netOut, 'WR')
      netOut = GONE
    }
    if (netIn === GONE && incoming.length === 0) stdout = GONE
  }
}

/** What one write takes; with -i a line at a time, with -C its end as CR LF. */
function* writeOut(sys: Sys, fd: number, buffer: Buffer, o: NcOptions): Body<'ok' | 'broken'> {
  const bytes = buffer.all()
  const newline = o.crlf || o.intervalS > 0 ? bytes.indexOf(10) : -1
  const length = newline < 0 ? bytes.length : newline + (o.crlf ? 0 : 1)
  if (length > 0) {
    const wrote = yield* sys.write(fd, bytes.subarray(0, length))
    if (!wrote.ok) return wrote.errno === 'EAGAIN' || wrote.errno === 'EINTR' ? 'ok' : 'broken'
    buffer.drop(wrote.value)
    if (wrote.value < length) return 'ok'
  }
  if (!o.crlf || newline < 0) return 'ok'
  const wrote = yield* sys.write(fd, Uint8Array.of(13, 10))
  if (wrote.ok) buffer.drop(1)
  return 'ok'
}

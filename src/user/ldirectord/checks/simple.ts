/** Text that is sent, and a pattern in a line of what comes back: simpletcp; and SIP's OPTIONS. */
import { decodeLatin1, encodeUtf8, formatHex } from '#base/bytes'
import type { Body } from '#kernel/core'
import { connectUntil, ownAddress, receiveUntil, sendUntil } from '../connecting.ts'
import { compilePattern } from '../perl.ts'
import { type Checking, diedAt } from './check.ts'

const SIMPLE = { failed: 3671, alarm: 3663 }
const SIP = { failed: 3579, alarm: 3571 }
const TEXT_MAX = 1 << 20

/** Connects, and says from where; undefined if that failed, and the server is down. */
function* begin(check: Checking, lines: { failed: number; alarm: number }, untilNs: number): Body<number | undefined> {
  const { virtual, real, sys, port } = check
  const type = virtual.protocol === 'udp' ? 'SOCK_DGRAM' : 'SOCK_STREAM'
  const opened = yield* connectUntil(sys, real.server, port, type, untilNs)
  if ('failed' in opened) {
    const timeout = opened.failed === 'timeout'
    yield* check.deactivated(
      timeout ? diedAt('Timeout Alarm', lines.alarm) : diedAt('Socket Connect Failed', lines.failed),
    )
    return undefined
  }
  const own = ownAddress(sys, opened.fd)
  yield* check.debug(3, `Connected from ${own?.address}:${own?.port} to ${real.server}:${port}`)
  return opened.fd
}

/** A server's lines, one by one. */
class Lines {
  readonly #check: Checking
  readonly #fd: number
  readonly #untilNs: number
  #held = ''
  #length = 0
  #ended = false
  /** Set when time is up. */
  late = false

  constructor(check: Checking, fd: number, untilNs: number) {
    this.#check = check
    this.#fd = fd
    this.#untilNs = untilNs
  }

  *next(): Body<string | undefined> {
    for (;;) {
      const end = this.#held.indexOf('\n')
      if (end >= 0 || (this.#ended && this.#held !== '')) {
        const line = end >= 0 ? this.#held.slice(0, end + 1) : this.#held
        this.#held = this.#held.slice(line.length)
        return line
      }
      if (this.#ended || this.#length > TEXT_MAX) return undefined
      const got = yield* receiveUntil(this.#check.sys, this.#fd, 8192, this.#untilNs)
      if ('failed' in got) {
        this.late = got.failed === 'timeout'
        this.#ended = true
        if (this.late) return undefined
        continue
      }
      this.#ended = got.bytes.length === 0
      this.#length += got.bytes.length
      this.#held += decodeLatin1(got.bytes)
    }
  }
}

export function* checkSimpleTcp(check: Checking): Body<boolean> {
  const { virtual, real, sys, port } = check
  const what = `Checking simpletcp server=${real.server} port=${port}`
  yield* check.debug(2, what)
  const untilNs = check.untilNs(virtual.negotiatetimeout)
  const fd = yield* begin(check, SIMPLE, untilNs)
  if (fd === undefined) return false
  const written = real.request!.slice(1)
  const request = written.replaceAll('\\n', '\n')
  yield* check.debug(2, `${what} request:\n${request}`)
  yield* sendUntil(sys, fd, encodeUtf8(request), untilNs)
  sys.shutdown(fd, 'WR')
  const receive = real.receive!
  // To Perl an empty pattern is the one that matched last, and that was the search for line ends in the request.
  const pattern = receive === '' && request !== written ? /\\n/ : compilePattern(receive)
  const lines = new Lines(check, fd, untilNs)
  let up = false
  for (let line = yield* lines.next(); line !== undefined && !up; line = up ? line : yield* lines.next()) {
    yield* check.debug(2, `${what} receive=${receive} got: ${line}\n`)
    up = pattern.test(line)
    if (up) break
  }
  sys.close(fd)
  if (up) return yield* check.activated()
  return yield* check.deactivated(lines.late ? diedAt('Timeout Alarm', SIMPLE.alarm) : 'No OK\n')
}

export function* checkSip(check: Checking): Body<boolean> {
  const { virtual, real, sys, port, output } = check
  yield* check.debug(2, `Checking SIP server=${real.server} port=${port}`)
  const untilNs = check.untilNs(virtual.negotiatetimeout)
  const fd = yield* begin(check, SIP, untilNs)
  if (fd === undefined) return false
  const own = ownAddress(sys, fd)
  const request = sipOptions(virtual.login, `${own?.address}:${own?.port}`, formatHex(sys.getrandom(8)))
  output.io.print(`Request:\n${request}`)
  yield* sendUntil(sys, fd, encodeUtf8(request), untilNs)
  const lines = new Lines(check, fd, untilNs)
  let status: string | undefined
  let reply = ''
  for (let line = yield* lines.next(); line !== undefined; line = yield* lines.next()) {
    const text = line.replace(/\n$/, '').replace(/\r$/, '')
    if (text === '') break
    if (status !== undefined) reply += `${text}\n`
    else {
      status = text
      if (!text.startsWith('SIP/2.0 200 OK')) break
    }
  }
  sys.close(fd)
  if (lines.late) return yield* check.deactivated(diedAt('Timeout Alarm', SIP.alarm))
  if (status === undefined) return yield* check.deactivated('No OK\n')
  if (!status.startsWith('SIP/2.0 200 OK')) return yield* check.deactivated(`${status}\n`)
  output.io.print(`Reply:\n${status}\n${reply}\n`)
  return yield* check.activated()
}

/** RFC 3261, section 11.1. */
function sipOptions(login: string, from: string, callId: string): string {
  return [
    `OPTIONS sip:${login} SIP/2.0`,
    `Via: SIP/2.0/UDP ${from};branch=z9hG4bKhjhs8ass877`,
    'Max-Forwards: 70',
    `To: <sip:${login}>`,
    `From: <sip:${login}>;tag=1928301774`,
    `Call-ID: ${callId}`,
    'CSeq: 63104 OPTIONS',
    `Contact: <sip:${login}>`,
    'Accept: application/sdp',
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n')
}

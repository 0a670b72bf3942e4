/** An ICMP echo request of 64 bytes, as often as checkcount says. Perl 5.36 Net::Ping: ping_icmp() */

import { internetChecksum } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, POLLIN } from '#kernel/core'
import { ready, socketAddress } from '../connecting.ts'
import type { Checking } from './check.ts'

const IPPROTO_ICMP = 1
const DATA_BYTES = 64
const ECHO_REPLY = 0
const UNREACHABLE = 3
const ECHO = 8
const TIME_EXCEEDED = 11

export function* checkPing(check: Checking): Body<boolean> {
  const { virtual, real } = check
  const { checkcount, checktimeout } = virtual
  yield* check.debug(
    2,
    `Checking ping: host="${real.server}" checktimeout="${checktimeout}" checkcount="${checkcount}"\n`,
  )
  for (let attempt = 1; attempt <= checkcount; attempt++) {
    if (yield* ping(check, attempt)) {
      yield* check.debug(2, `pong from ${real.server}\n`)
      return yield* check.set('up')
    }
    yield* check.debug(2, `ping to ${real.server} timed out (attempt ${attempt}/${checkcount})\n`)
  }
  return yield* check.setQuietly('down')
}

/** One request with a sequence number, and its answer. */
function* ping(check: Checking, sequence: number): Body<boolean> {
  const { sys, real, virtual } = check
  const to = yield* socketAddress(sys, real.server, 0)
  if (to?.family !== 'AF_INET') throw new NotModelled('ldirectord: a ping of an IPv6 address')
  const made = sys.socket('AF_INET', 'SOCK_RAW', IPPROTO_ICMP)
  if (!made.ok) return false
  const fd = made.value
  try {
    const identifier = sys.pid & 0xffff
    yield* sys.sendTo(fd, echoRequest(identifier, sequence), to)
    const untilNs = check.untilNs(virtual.checktimeout)
    for (;;) {
      const got = yield* sys.receive(fd, 1500, { dontWait: true })
      if (!got.ok) {
        if (got.errno !== 'EAGAIN' && got.errno !== 'EINTR') return false
        if (!(yield* ready(sys, fd, POLLIN, untilNs))) return false
        continue
      }
      const { bytes, from } = got.value
      const answer =
        from.family === 'AF_INET' && from.address === to.address ? judge(bytes, identifier, sequence) : undefined
      if (answer !== undefined) return answer
      if (sys.monotonicNs() >= untilNs) return false
    }
  } finally {
    sys.close(fd)
  }
}

function echoRequest(identifier: number, sequence: number): Uint8Array {
  const bytes = new Uint8Array(8 + DATA_BYTES)
  const view = new DataView(bytes.buffer)
  bytes[0] = ECHO
  view.setUint16(4, identifier)
  view.setUint16(6, sequence)
  for (let i = 0; i < DATA_BYTES; i++) bytes[8 + i] = i
  view.setUint16(2, internetChecksum(bytes))
  return bytes
}

/** Whether a packet answers the request, and how; undefined if it is about something else. An IPv4 header precedes it. */
function judge(bytes: Uint8Array, identifier: number, sequence: number): boolean | undefined {
  const type = bytes[20]
  const isReply = type === ECHO_REPLY
  // What an error is about is quoted behind its own header: another IPv4 header of 20 bytes.
  const at = 20 + (isReply ? 4 : 32)
  if (bytes.length < at + 4) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint16(at) !== identifier || view.getUint16(at + 2) !== sequence) return undefined
  if (isReply) return bytes.length === 28 + DATA_BYTES ? true : undefined
  return type === UNREACHABLE || type === TIME_EXCEEDED ? false : undefined
}

/** An opened address: where it is read and written, and how its writing ends. */
import type { Body, Errno, SockAddr, Sys, SysResult } from '#kernel/core'

export interface Channel {
  /** -1: not this way. */
  readFd: number
  writeFd: number
  kind: 'stdio' | 'file' | 'pipe' | 'stream' | 'datagram'
  /** Datagrams go here, unless the socket is connected. */
  to?: SockAddr
  /** What was read already: a first datagram, and then the end. */
  first?: Uint8Array
  /** One datagram is all. */
  single?: boolean
  /** Only from there. */
  onlyFrom?: SockAddr
  /** The program behind it. */
  pid?: number
  ignoreEof: boolean
  ended: boolean
  /** shut-none, shut-down, shut-close, shut-null. */
  shut: string | undefined
  crlf: boolean
  /** What unlinks at the end. */
  unlink?: string
}

export function channel(fields: Pick<Channel, 'readFd' | 'writeFd' | 'kind'> & Partial<Channel>): Channel {
  return { ignoreEof: false, ended: false, shut: undefined, crlf: false, ...fields }
}

export function* readFrom(sys: Sys, one: Channel, size: number): Body<SysResult<Uint8Array>> {
  if (one.first) {
    const { first } = one
    delete one.first
    return { ok: true, value: first }
  }
  if (one.kind !== 'datagram') return yield* sys.read(one.readFd, size)
  const got = yield* sys.receive(one.readFd, size, { dontWait: true })
  if (!got.ok) return got
  if (one.onlyFrom && JSON.stringify(one.onlyFrom) !== JSON.stringify(got.value.from)) {
    return { ok: false, errno: 'EAGAIN' }
  }
  return { ok: true, value: got.value.bytes }
}

export function* writeTo(sys: Sys, one: Channel, bytes: Uint8Array): Body<Errno | undefined> {
  const done =
    one.kind === 'datagram'
      ? yield* sys.sendTo(one.writeFd, bytes, one.to, { noSignal: true })
      : yield* sys.write(one.writeFd, bytes)
  return done.ok ? undefined : done.errno
}

/** Nothing more is written to it. xioshutdown() */
export function endWriting(sys: Sys, one: Channel): void {
  if (one.writeFd < 0) return
  if (one.shut === 'none' || one.shut === 'shut-none') return
  if (one.kind === 'stream') sys.shutdown(one.writeFd, 'WR')
  else if (one.kind === 'datagram' && one.shut === 'null') void 0
  else if (one.kind === 'pipe' && one.writeFd !== one.readFd) sys.close(one.writeFd)
  one.writeFd = -1
}

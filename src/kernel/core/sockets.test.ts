import { expect, test } from 'vitest'
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { SECOND } from '#base/sim'
import { fail, type OpenFile, ok, type Room, type Socket, type Stat, WaitQueue } from './index.ts'
import { answer, hostOf, imageWith, must, print, run } from './lab.cases.ts'

/** A family of one kind of socket, which gives back what it is sent; and wakes its readers for nothing every 0.4 s. */
const echo: Room = {
  name: 'test/echo',
  needs: [],
  install(image) {
    image.socketFamily('AF_ECHO', (host, type) => {
      const queue = new WaitQueue()
      const waiting: Uint8Array[] = []
      const socket: Socket = {
        domain: 'AF_ECHO',
        type,
        bind: () => ok(undefined),
        connect: () => fail('ECONNREFUSED'),
        sendTo(bytes) {
          waiting.push(bytes)
          queue.wake()
          return ok(bytes.length)
        },
        receive(length) {
          const bytes = waiting.shift()
          if (!bytes) return fail('EAGAIN')
          const from = { family: 'AF_UNSPEC' } as const
          return ok({ bytes: bytes.slice(0, length), length: bytes.length, from, timeNs: host.sim.nowNs, control: {} })
        },
        localName: () => ok({ family: 'AF_UNSPEC' }),
        peerName: () => fail('ENOTCONN'),
        setOption: () => fail('ENOPROTOOPT'),
        getOption: () => fail('ENOPROTOOPT'),
      }
      const tick = (n: number) => {
        queue.wake()
        if (n > 0) host.sim.after(0.4 * SECOND, 'noise', () => tick(n - 1))
      }
      tick(20)
      const file: OpenFile = {
        flags: 2,
        references: 0,
        queue,
        socket,
        description: 'socket:[1]',
        stat: (): Stat => ({ type: 'socket', mode: 0o777, size: 0, inode: 1, links: 1, uid: 0, gid: 0, mtimeNs: 0 }),
        read: () => fail('EAGAIN'),
        write: () => fail('EPIPE'),
        poll: () => (waiting.length > 0 ? 1 : 0),
      }
      return ok(file)
    })
  },
}

test('a family’s sockets: blocking, time-outs that no spurious wake prolongs, errors', async () => {
  const image = imageWith()
  image.install(echo)
  const ran = await run(function* (sys) {
    const out: unknown[] = [answer(sys.socket('AF_NONE', 'SOCK_RAW', 0)), answer(sys.bind(1, { family: 'AF_UNSPEC' }))]
    const fd = must(sys.socket('AF_ECHO', 'SOCK_DGRAM', 0))
    sys.fork(function* (child) {
      yield* child.sleep(SECOND)
      yield* child.sendTo(fd, encodeUtf8('hello'))
      return 0
    })
    out.push(decodeUtf8(must(yield* sys.receive(fd, 4)).bytes), Math.round(sys.monotonicNs() / SECOND))
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVTIMEO', 1.5 * SECOND)
    const before = sys.monotonicNs()
    out.push(answer(yield* sys.receive(fd, 4)), Math.round((sys.monotonicNs() - before) / (SECOND / 10)))
    out.push(
      answer(yield* sys.receive(fd, 4, { dontWait: true })),
      answer(yield* sys.connect(fd, { family: 'AF_UNSPEC' })),
    )
    out.push(
      answer(yield* sys.accept(fd)),
      answer(sys.listen(fd, 1)),
      answer(sys.netlink({ type: 'RTM_NONE' }) as never),
    )
    sys.sigaction('SIGPIPE', 'ignore')
    out.push(answer(yield* sys.write(fd, encodeUtf8('x'))))
    yield* print(sys, out.join(' '))
    return 0
  }, hostOf(image))
  expect(ran.output).toBe(
    'EAFNOSUPPORT ENOTSOCK hell 1 EAGAIN 15 EAGAIN ECONNREFUSED EOPNOTSUPP EOPNOTSUPP EOPNOTSUPP EPIPE',
  )
})

/** AF_UNIX's answers. What stands in the tables was given by a real kernel for the same calls. */
import { expect, test } from 'vitest'
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { drive, SECOND, Simulator } from '#base/sim'
import { type Body, createHost, EPOLLET, EPOLLIN, type Sys, type SysResult } from '#kernel/core'
import { createDebian12 } from '#lab/catalogue'

const image = createDebian12([])

/** Runs a program that notes what calls answer. */
async function noted(body: (sys: Sys, note: (name: string, got: SysResult<unknown>) => void) => Body<number>) {
  const host = createHost({ sim: new Simulator(1), image, name: 'a', number: 1, startS: 0 })
  const lines: string[] = []
  host.spawn({
    body: (sys) =>
      body(sys, (name, got) => {
        lines.push(`${name} ${got.ok ? show(got.value) : got.errno}`)
      }),
  })
  await drive(host.sim, 100 * SECOND)
  return lines
}

function show(value: unknown): string {
  const bytes = value instanceof Uint8Array ? value : (value as { bytes?: Uint8Array } | undefined)?.bytes
  if (bytes) return `"${decodeUtf8(bytes)}"`
  return typeof value === 'number' ? String(value) : 'ok'
}

const unix = (path: string) => ({ family: 'AF_UNIX', path }) as const
const X = encodeUtf8('x')
const NOW = { dontWait: true, noSignal: true }

function made(sys: Sys, type: string): number {
  const socket = sys.socket('AF_UNIX', type, 0)
  if (!socket.ok) throw new Error(socket.errno)
  sys.setNonBlocking(socket.value, true)
  return socket.value
}

test('streams: names, backlog, buffers, and how they end', async () => {
  const lines = await noted(function* (sys, note) {
    sys.chdir('/tmp')
    const listener = made(sys, 'SOCK_STREAM')
    note('listen unbound', sys.listen(listener, 1))
    note('bind', sys.bind(listener, unix('a.s')))
    note('bind again', sys.bind(listener, unix('b.s')))
    const one = made(sys, 'SOCK_STREAM')
    note('bind taken', sys.bind(one, unix('/tmp/a.s')))
    note('not listening', yield* sys.connect(one, unix('a.s')))
    note('none', yield* sys.connect(one, unix('none.s')))
    note('a file', yield* sys.connect(one, unix('/etc/hosts')))
    note('listen', sys.listen(listener, 1))
    note('a datagram socket', yield* sys.connect(made(sys, 'SOCK_DGRAM'), unix('a.s')))
    note('send unconnected', yield* sys.sendTo(one, X, undefined, NOW))
    note('receive unconnected', yield* sys.receive(one, 1, NOW))
    note('accept', yield* sys.accept(one))
    note('peer', sys.getpeername(one))
    note('send to', yield* sys.sendTo(one, X, unix('a.s'), NOW))
    note('connect', yield* sys.connect(one, unix('a.s')))
    note('again', yield* sys.connect(one, unix('a.s')))
    note('send to', yield* sys.sendTo(one, X, unix('a.s'), NOW))
    const two = made(sys, 'SOCK_STREAM')
    note('second', yield* sys.connect(two, unix('a.s')))
    const three = made(sys, 'SOCK_STREAM')
    note('third', yield* sys.connect(three, unix('a.s')))
    let sent = 0
    while ((yield* sys.sendTo(one, X, undefined, NOW)).ok) sent++
    note('small writes', { ok: true, value: sent })
    sent = 0
    const big = new Uint8Array(100_000)
    for (;;) {
      const done = yield* sys.write(two, big)
      if (!done.ok) break
      sent += done.value
    }
    note('big writes', { ok: true, value: sent })
    const accepted = yield* sys.accept(listener)
    if (!accepted.ok) return 1
    const peeked = yield* sys.receive(accepted.value.fd, 3, { peek: true })
    note('peek', peeked)
    const all = yield* sys.read(accepted.value.fd, 1000)
    note('all', all.ok ? { ok: true, value: all.value.length } : all)
    sys.close(accepted.value.fd)
    note('closed', yield* sys.receive(one, 10, NOW))
    note('send', yield* sys.sendTo(one, X, undefined, NOW))
    sys.close(listener)
    note('reset', yield* sys.receive(two, 10, NOW))
    note('then', yield* sys.receive(two, 10, NOW))
    note('refused', yield* sys.connect(three, unix('a.s')))
    return 0
  })
  expect(lines).toEqual([
    'listen unbound EINVAL',
    'bind ok',
    'bind again EINVAL',
    'bind taken EADDRINUSE',
    'not listening ECONNREFUSED',
    'none ENOENT',
    'a file ECONNREFUSED',
    'listen ok',
    'a datagram socket EPROTOTYPE',
    'send unconnected ENOTCONN',
    'receive unconnected EINVAL',
    'accept EINVAL',
    'peer ENOTCONN',
    'send to EOPNOTSUPP',
    'connect ok',
    'again EISCONN',
    'send to EISCONN',
    'second ok',
    'third EAGAIN',
    'small writes 278',
    'big writes 236544',
    'peek "xxx"',
    'all 278',
    'closed ""',
    'send EPIPE',
    'reset ECONNRESET',
    'then ""',
    'refused ECONNREFUSED',
  ])
})

test('datagrams and pairs', async () => {
  const lines = await noted(function* (sys, note) {
    sys.chdir('/tmp')
    const pair = sys.socketpair('AF_UNIX', 'SOCK_DGRAM', 0)
    if (!pair.ok) return 1
    let sent = 0
    while ((yield* sys.sendTo(pair.value[0], X, undefined, NOW)).ok) sent++
    note('pair', { ok: true, value: sent })
    const [one, two] = [made(sys, 'SOCK_DGRAM'), made(sys, 'SOCK_DGRAM')]
    note('bind', sys.bind(one, unix('d.s')))
    sent = 0
    while ((yield* sys.sendTo(two, X, unix('d.s'), NOW)).ok) sent++
    note('unread', { ok: true, value: sent })
    note('too long', yield* sys.sendTo(two, new Uint8Array(213_000), unix('d.s'), NOW))
    const three = made(sys, 'SOCK_DGRAM')
    note('bind', sys.bind(three, unix('e.s')))
    note('connect', yield* sys.connect(one, unix('e.s')))
    note('not its peer', yield* sys.sendTo(two, X, unix('d.s'), NOW))
    const four = made(sys, 'SOCK_DGRAM')
    note('connect', yield* sys.connect(four, unix('e.s')))
    sys.close(three)
    note('gone', yield* sys.sendTo(four, X, undefined, NOW))
    note('again', yield* sys.sendTo(four, X, undefined, NOW))
    const streams = sys.socketpair('AF_UNIX', 'SOCK_STREAM', 0)
    if (!streams.ok) return 1
    const [a, b] = streams.value
    note('shut', sys.shutdown(a, 'WR'))
    note('end', yield* sys.receive(b, 1))
    note('send', yield* sys.sendTo(a, X, undefined, NOW))
    note('the other half', yield* sys.sendTo(b, X))
    sys.close(a)
    note('unread', yield* sys.receive(b, 1))
    note('long', sys.bind(made(sys, 'SOCK_STREAM'), unix('x'.repeat(109))))
    note('abstract', sys.bind(made(sys, 'SOCK_STREAM'), unix('\0abc')))
    note('taken', sys.bind(made(sys, 'SOCK_STREAM'), unix('\0abc')))
    note('protocol', sys.socket('AF_UNIX', 'SOCK_STREAM', 5))
    return 0
  })
  expect(lines).toEqual([
    'pair 278',
    'bind ok',
    'unread 11',
    'too long EMSGSIZE',
    'bind ok',
    'connect ok',
    'not its peer EPERM',
    'connect ok',
    'gone ECONNREFUSED',
    'again ENOTCONN',
    'shut ok',
    'end ""',
    'send EPIPE',
    'the other half 1',
    'unread ECONNRESET',
    'long EINVAL',
    'abstract ok',
    'taken EADDRINUSE',
    'protocol EPROTONOSUPPORT',
  ])
})

test('files travel along, and credentials; a blocked writer goes on when it is read', async () => {
  const lines = await noted(function* (sys, note) {
    const pair = sys.socketpair('AF_UNIX', 'SOCK_STREAM', 0)
    if (!pair.ok) return 1
    const [a, b] = pair.value
    const file = yield* sys.open('/etc/hostname')
    if (!file.ok) return 1
    sys.setsockopt(b, 'SOL_SOCKET', 'SO_PASSCRED', 1)
    yield* sys.sendTo(a, X, undefined, { rights: [file.value] })
    sys.close(file.value)
    const got = yield* sys.receive(b, 10)
    if (!got.ok) return 1
    note('credentials', { ok: true, value: (got.value.control['SCM_CREDENTIALS'] as { pid: number }).pid - sys.pid })
    const [fd] = got.value.control['SCM_RIGHTS'] as number[]
    note('the file', yield* sys.read(fd!, 100))
    sys.fork(function* (child) {
      child.close(b)
      yield* child.write(a, new Uint8Array(1_000_000))
      return 0
    })
    sys.close(a)
    let total = 0
    for (;;) {
      const part = yield* sys.read(b, 65_536)
      if (!part.ok || part.value.length === 0) break
      total += part.value.length
    }
    note('read', { ok: true, value: total })
    return 0
  })
  expect(lines).toEqual(['credentials 0', 'the file "a\n"', 'read 1000000'])
})

test('epoll: level and edge, time-outs, files that go; eventfd and timerfd', async () => {
  const lines = await noted(function* (sys, note) {
    const pipe = sys.pipe()
    const level = sys.epollCreate()
    const edge = sys.epollCreate()
    const event = sys.eventfd(0)
    const timer = sys.timerfdCreate()
    if (!pipe.ok || !level.ok || !edge.ok || !event.ok || !timer.ok) return 1
    const { read, write } = pipe.value
    note('add', sys.epollCtl(level.value, 'ADD', read, EPOLLIN, 'pipe'))
    note('twice', sys.epollCtl(level.value, 'ADD', read, EPOLLIN))
    note('edge', sys.epollCtl(edge.value, 'ADD', read, EPOLLIN + EPOLLET))
    note('itself', sys.epollCtl(edge.value, 'ADD', edge.value, EPOLLIN))
    const plain = yield* sys.open('/etc/hosts')
    if (plain.ok) note('a file', sys.epollCtl(edge.value, 'ADD', plain.value, EPOLLIN))
    note('not there', sys.epollCtl(edge.value, 'DEL', write))
    const wait = function* (name: string, epoll: number, ns = 1e9) {
      const got = yield* sys.epollWait(epoll, 10, ns)
      note(name, got.ok ? { ok: true, value: got.value.length } : got)
    }
    yield* wait('nothing', level.value)
    yield* sys.write(write, X)
    yield* wait('level', level.value)
    yield* wait('level still', level.value)
    yield* wait('edge', edge.value)
    yield* wait('edge no more', edge.value)
    yield* sys.write(write, X)
    yield* wait('edge anew', edge.value)
    yield* sys.read(read, 10)
    yield* wait('read', level.value)
    sys.epollCtl(level.value, 'ADD', event.value, EPOLLIN)
    yield* sys.write(event.value, Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0))
    yield* wait('event', level.value)
    note('its count', yield* sys.read(event.value, 8))
    sys.epollCtl(level.value, 'ADD', timer.value, EPOLLIN)
    sys.timerfdSettime(timer.value, 5e8, 0)
    yield* wait('too early', level.value, 4e8)
    yield* wait('in time', level.value, 2e8)
    sys.close(timer.value)
    yield* wait('closed', level.value, 0)
    return 0
  })
  expect(lines).toEqual([
    'add ok',
    'twice EEXIST',
    'edge ok',
    'itself EINVAL',
    'a file EPERM',
    'not there ENOENT',
    'nothing 0',
    'level 1',
    'level still 1',
    'edge 1',
    'edge no more 0',
    'edge anew 1',
    'read 0',
    'event 1',
    'its count "\u0003\0\0\0\0\0\0\0"',
    'too early 0',
    'in time 1',
    'closed 0',
  ])
})

import { describe, expect, test } from 'vitest'
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { SECOND } from '#base/sim'
import {
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NONBLOCK,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  POLLIN,
  POLLOUT,
  type Sys,
} from './index.ts'
import { answer, hostOf, imageWith, must, print, readAll, run, writeAll } from './lab.cases.ts'

/** Runs calls on a new host and gives what each answered. */
async function answers(...calls: ((sys: Sys) => unknown)[]): Promise<unknown[]> {
  const out: unknown[] = []
  await run(function* (sys) {
    yield* sys.sleep(1)
    sys.mkdir('/t')
    sys.chdir('/t')
    yield* writeAll(sys, 'file', 'content')
    sys.mkdir('dir')
    yield* writeAll(sys, 'dir/inside', 'x')
    sys.symlink('file', 'link')
    sys.symlink('nowhere', 'dangling')
    sys.symlink('loop2', 'loop1')
    sys.symlink('loop1', 'loop2')
    sys.symlink('dir', 'dirlink')
    for (const call of calls) out.push(call(sys))
    return 0
  })
  return out
}

describe('names', () => {
  const cases: [string, (sys: Sys) => unknown, unknown][] = [
    ['stat follows a link', (sys) => must(sys.stat('link')).type, 'file'],
    ['lstat does not', (sys) => must(sys.lstat('link')).type, 'symlink'],
    ['a link in the middle', (sys) => must(sys.stat('dirlink/inside')).size, 1],
    ['a slash follows a link', (sys) => must(sys.lstat('dirlink/')).type, 'directory'],
    ['a slash after a file', (sys) => answer(sys.stat('file/')), 'ENOTDIR'],
    ['a file as a directory', (sys) => answer(sys.stat('file/x')), 'ENOTDIR'],
    ['dangling', (sys) => answer(sys.stat('dangling')), 'ENOENT'],
    ['a loop', (sys) => answer(sys.stat('loop1')), 'ELOOP'],
    ['no name', (sys) => answer(sys.stat('')), 'ENOENT'],
    ['dots', (sys) => answer(sys.realpath('./dir/../../t//link')), '/t/file'],
    ['above the root', (sys) => answer(sys.realpath('/../../t')), '/t'],
    ['a long name', (sys) => answer(sys.stat('x'.repeat(256))), 'ENAMETOOLONG'],
    ['a name just short enough', (sys) => answer(sys.stat('x'.repeat(255))), 'ENOENT'],
    ['a long path', (sys) => answer(sys.stat('./'.repeat(2048))), 'ENAMETOOLONG'],
    ['mkdir, there already', (sys) => answer(sys.mkdir('file')), 'EEXIST'],
    ['mkdir through a dangling link', (sys) => answer(sys.mkdir('dangling')), 'EEXIST'],
    ['mkdir with a slash', (sys) => answer(sys.mkdir('new/')), undefined],
    ['mkdir without a parent', (sys) => answer(sys.mkdir('a/b')), 'ENOENT'],
    ['mkdir in /proc', (sys) => answer(sys.mkdir('/proc/x')), 'ENOENT'],
    ['rmdir of what is not empty', (sys) => answer(sys.rmdir('dir')), 'ENOTEMPTY'],
    ['rmdir of a file', (sys) => answer(sys.rmdir('file')), 'ENOTDIR'],
    ['rmdir of .', (sys) => answer(sys.rmdir('dir/.')), 'EINVAL'],
    ['rmdir of a mount point', (sys) => answer(sys.rmdir('/proc')), 'EBUSY'],
    ['unlink of a directory', (sys) => answer(sys.unlink('dir')), 'EISDIR'],
    ['unlink of nothing', (sys) => answer(sys.unlink('none')), 'ENOENT'],
    [
      'unlink takes the link, not its target',
      (sys) => [answer(sys.unlink('link')), must(sys.stat('file')).size],
      [undefined, 7],
    ],
    [
      'link counts',
      (sys) => [answer(sys.link('file', 'hard')), must(sys.stat('file')).links, must(sys.stat('dir')).links],
      [undefined, 2, 2],
    ],
    ['link to a directory', (sys) => answer(sys.link('dir', 'hard')), 'EPERM'],
    ['link onto what is there', (sys) => answer(sys.link('file', 'dir')), 'EEXIST'],
    ['link across file systems', (sys) => answer(sys.link('file', '/run/x')), 'EXDEV'],
    [
      'rename over a file',
      (sys) => [answer(sys.rename('file', 'dir/inside')), must(sys.stat('dir/inside')).size],
      [undefined, 7],
    ],
    ['rename to itself', (sys) => [answer(sys.rename('file', 'file')), must(sys.stat('file')).links], [undefined, 1]],
    ['rename of a directory into itself', (sys) => answer(sys.rename('dir', 'dir/sub')), 'EINVAL'],
    ['rename of a file onto a directory', (sys) => answer(sys.rename('file', 'dir')), 'EISDIR'],
    ['rename of a directory onto a file', (sys) => answer(sys.rename('dir', 'file')), 'ENOTDIR'],
    ['rename of a directory onto its full parent', (sys) => answer(sys.rename('dir/inside', '/t')), 'ENOTEMPTY'],
    ['rename across file systems', (sys) => answer(sys.rename('file', '/run/file')), 'EXDEV'],
    [
      'two names of one file stay',
      (sys) => [must(sys.link('file', 'h')), answer(sys.rename('file', 'h')), answer(sys.access('file', 'exists'))],
      [undefined, undefined, undefined],
    ],
    ['readlink of a file', (sys) => answer(sys.readlink('file')), 'EINVAL'],
    ['readdir of a file', (sys) => answer(sys.readdir('file')), 'ENOTDIR'],
    ['chdir to a file', (sys) => answer(sys.chdir('file')), 'ENOTDIR'],
    [
      'a working directory follows its renaming',
      (sys) => [answer(sys.chdir('dir')), answer(sys.rename('/t/dir', '/t/other')), sys.getcwd()],
      [undefined, undefined, '/t/other'],
    ],
    [
      'in a directory that is gone',
      (sys) => [
        answer(sys.mkdir('gone')),
        answer(sys.chdir('gone')),
        answer(sys.rmdir('/t/gone')),
        answer(sys.mkdir('x')),
      ],
      [undefined, undefined, undefined, 'ENOENT'],
    ],
    ['umask', (sys) => [sys.umask(0o077), answer(sys.mkdir('m')), must(sys.stat('m')).mode], [0o022, undefined, 0o700]],
    [
      'chmod and x',
      (sys) => [answer(sys.access('file', 'x')), answer(sys.chmod('file', 0o755)), answer(sys.access('file', 'x'))],
      ['EACCES', undefined, undefined],
    ],
    ['/bin is /usr/bin', (sys) => answer(sys.realpath('/bin')), '/usr/bin'],
    ['a FIFO', (sys) => [answer(sys.mkfifo('fifo')), must(sys.stat('fifo')).type], [undefined, 'fifo']],
  ]
  test.each(cases)('%s', async (_name, call, expected) => {
    expect((await answers(call))[0]).toEqual(expected)
  })
})

test('open: what its flags ask for and refuse', async () => {
  const host = hostOf()
  const ran = await run(function* (sys) {
    yield* writeAll(sys, '/tmp/f', 'abc')
    sys.mkdir('/tmp/d')
    sys.symlink('/tmp/made', '/tmp/l')
    const out: unknown[] = []
    const tries: [string, number][] = [
      ['/tmp/none', 0],
      ['/tmp/f', O_CREAT | O_EXCL | O_WRONLY],
      ['/tmp/l', O_CREAT | O_EXCL | O_WRONLY],
      ['/tmp/l', O_CREAT | O_WRONLY],
      ['/tmp/d', O_WRONLY],
      ['/tmp/d', O_CREAT],
      ['/tmp/f', O_DIRECTORY],
      ['/tmp/new/', O_CREAT | O_WRONLY],
      ['/tmp/d', 0],
      ['/dev/tty', 0],
      ['/proc/version', O_WRONLY],
    ]
    for (const [path, flags] of tries) {
      const got = yield* sys.open(path, flags)
      out.push(got.ok ? 'ok' : got.errno)
      if (got.ok && flags === O_WRONLY) out.push(answer(yield* sys.write(got.value, encodeUtf8('x'))))
      if (got.ok) sys.close(got.value)
    }
    out.push(must(sys.stat('/tmp/made')).size)
    yield* print(sys, out.join(' '))
    return 0
  }, host)
  expect(ran.output).toBe('ENOENT EEXIST EEXIST ok EISDIR EISDIR ENOTDIR EISDIR ok ENXIO ok EIO 0')
})

test('files: offsets, append, truncate, holes; deleted ones live while they are open', async () => {
  const ran = await run(function* (sys) {
    const fd = must(yield* sys.open('/tmp/f', O_CREAT | O_RDWR))
    yield* sys.write(fd, encodeUtf8('hello world'))
    sys.seek(fd, -5, 'END')
    yield* print(sys, `${decodeUtf8(must(yield* sys.read(fd, 3)))} `)
    const append = must(yield* sys.open('/tmp/f', O_WRONLY | O_APPEND))
    yield* sys.write(append, encodeUtf8('!'))
    sys.truncate(fd, 5)
    yield* sys.write(append, encodeUtf8('?'))
    yield* print(sys, `${yield* readAll(sys, '/tmp/f')} `)
    sys.seek(fd, 8, 'SET')
    yield* sys.write(fd, encodeUtf8('end'))
    yield* print(sys, `${JSON.stringify(yield* readAll(sys, '/tmp/f'))} `)
    const used = sys.unlink('/tmp/f').ok
    sys.seek(fd, 0, 'SET')
    yield* print(sys, `${used} ${must(yield* sys.read(fd, 100)).length} ${must(sys.fstat(fd)).links} `)
    yield* print(
      sys,
      `${answer(yield* sys.read(append, 1))} ${answer(sys.seek(fd, -1, 'SET'))} ${answer(sys.close(99))}`,
    )
    return 0
  })
  expect(ran.output).toBe('wor hello? "hello?\\u0000\\u0000end" true 11 0 EBADF EINVAL EBADF')
  expect(ran.host.disk.usedBytes).toBe(0) // All descriptors are closed.
})

test('the disk is shared until it is written, and bounded', async () => {
  const image = imageWith()
  image.file('/etc/motd', 'welcome\n')
  const [a, b] = [hostOf(image, 'a'), hostOf(image, 'b')]
  await run(function* (sys) {
    yield* writeAll(sys, '/etc/motd', 'changed')
    sys.unlink('/etc/group')
    sys.rename('/etc/passwd', '/etc/users')
    return 0
  }, a)
  const ran = await run(function* (sys) {
    yield* print(sys, `${yield* readAll(sys, '/etc/motd')}${answer(sys.access('/etc/group', 'exists'))}`)
    yield* print(sys, ` ${must(sys.readdir('/etc')).includes('users')} ${yield* readAll(sys, '/etc/hostname')}`)
    const fd = must(yield* sys.open('/tmp/big', O_CREAT | O_WRONLY | O_TRUNC))
    const chunk = new Uint8Array(1 << 22)
    let last: unknown
    for (let i = 0; i < 20; i++) last = answer(yield* sys.write(fd, chunk))
    sys.seek(fd, 2 ** 50, 'SET')
    yield* print(sys, `${last} ${answer(yield* sys.write(fd, chunk))} ${answer(sys.truncate(fd, 2 ** 40))}`)
    return 0
  }, b)
  expect(ran.output).toBe('welcome\nundefined false b\nENOSPC ENOSPC ENOSPC')
  expect(decodeUtf8(a.readFile('/etc/motd')!)).toBe('changed')
  expect(a.readFile('/etc/group')).toBe(undefined)
})

describe('pipes and FIFOs', () => {
  test('a writer blocks at 64 kB; what is at most 4 kB is written whole or not at all', async () => {
    const ran = await run(function* (sys) {
      const { read, write } = must(sys.pipe())
      sys.setNonBlocking(write, true)
      const out: unknown[] = [answer(yield* sys.write(write, new Uint8Array(100_000)))]
      out.push(answer(yield* sys.write(write, new Uint8Array(1))))
      yield* sys.read(read, 100)
      out.push(
        answer(yield* sys.write(write, new Uint8Array(101))),
        answer(yield* sys.write(write, new Uint8Array(100))),
      )
      out.push(
        must(
          yield* sys.poll(
            [
              { fd: write, events: POLLOUT },
              { fd: read, events: POLLIN },
            ],
            0,
          ),
        ).length,
      )
      sys.close(write)
      let n = 0
      for (;;) {
        const got = must(yield* sys.read(read, 65536))
        if (got.length === 0) break
        n += got.length
      }
      out.push(n, answer(sys.seek(read, 0, 'SET')))
      yield* print(sys, out.join(' '))
      return 0
    })
    expect(ran.output).toBe('65536 EAGAIN EAGAIN 100 1 65536 ESPIPE')
  })

  test('opening a FIFO waits for the other end; the last writer’s close is its end', async () => {
    const ran = await run(function* (sys) {
      sys.mkfifo('/tmp/fifo')
      const nonBlocking = answer(yield* sys.open('/tmp/fifo', O_WRONLY | O_NONBLOCK))
      const pid = sys.fork(function* (child) {
        yield* child.sleep(SECOND)
        const fd = must(yield* child.open('/tmp/fifo', O_WRONLY))
        yield* child.write(fd, encodeUtf8('through'))
        return 0
      })
      const text = yield* readAll(sys, '/tmp/fifo')
      yield* print(sys, `${nonBlocking} ${text} ${Math.round(sys.monotonicNs() / SECOND)}`)
      yield* sys.waitpid(pid)
      return 0
    })
    expect(ran.output).toBe('ENXIO through 1')
  })

  test('poll: the time-out, the end of a pipe, a bad descriptor', async () => {
    const ran = await run(function* (sys) {
      const { read, write } = must(sys.pipe())
      const out: unknown[] = []
      const entries = [{ fd: read, events: POLLIN }]
      out.push(must(yield* sys.poll(entries, SECOND)).length, Math.round(sys.monotonicNs() / SECOND))
      sys.fork(function* (child) {
        yield* child.sleep(SECOND)
        yield* child.write(write, encodeUtf8('x'))
        return 0
      })
      out.push(JSON.stringify(must(yield* sys.poll(entries, Number.POSITIVE_INFINITY))))
      sys.close(write)
      yield* sys.read(read, 1)
      out.push(must(yield* sys.poll(entries, Number.POSITIVE_INFINITY))[0]!.revents)
      out.push(must(yield* sys.poll([{ fd: 77, events: POLLIN }], 0))[0]!.revents)
      yield* print(sys, out.join(' '))
      return 0
    })
    expect(ran.output).toBe('0 1 [{"fd":3,"revents":1}] 16 32')
  })
})

test('dup shares the offset; dup2 onto itself changes nothing; the lowest number is taken', async () => {
  const ran = await run(function* (sys) {
    yield* writeAll(sys, '/tmp/f', 'abcdef')
    const fd = must(yield* sys.open('/tmp/f'))
    const copy = must(sys.dup(fd))
    yield* sys.read(fd, 2)
    const text = decodeUtf8(must(yield* sys.read(copy, 2)))
    const high = must(sys.dupAbove(fd, 10))
    const out = [
      text,
      copy,
      high,
      answer(sys.dup2(fd, fd)),
      answer(sys.dup2(fd, 7)),
      answer(sys.dup2(99, 7)),
      answer(sys.dup2(fd, 5000)),
    ]
    sys.close(fd)
    out.push(must(yield* sys.open('/tmp/f')))
    for (;;) {
      const more = sys.dup(0)
      if (more.ok) continue
      out.push(more.errno)
      break
    }
    yield* print(sys, out.join(' '))
    return 0
  })
  expect(ran.output).toBe('cd 4 10 3 7 EBADF EBADF 3 EMFILE')
})

test('devices', async () => {
  const ran = await run(function* (sys) {
    const out: unknown[] = []
    for (const path of ['/dev/null', '/dev/zero', '/dev/full', '/dev/urandom']) {
      const fd = must(yield* sys.open(path, O_RDWR))
      out.push(must(yield* sys.read(fd, 4)).length, answer(yield* sys.write(fd, encodeUtf8('ab'))))
    }
    const { type, rdev } = must(sys.stat('/dev/null'))
    out.push(type, rdev)
    const self = must(yield* sys.open('/dev/stdout', O_WRONLY))
    yield* sys.write(self, encodeUtf8('through stdout '))
    yield* print(sys, out.join(' '))
    return 0
  })
  expect(ran.output).toBe('through stdout 0 2 4 2 4 ENOSPC 4 2 char 1,3')
})

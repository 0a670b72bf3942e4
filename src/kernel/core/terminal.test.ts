import { describe, expect, test } from 'vitest'
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { MILLISECOND, SECOND } from '#base/sim'
import { type Body, createTerminal, drive, RAW, type Sys, type Terminal } from './index.ts'
import { answer, hostOf, must, print } from './lab.cases.ts'

/** A terminal with one process, and what is typed when. */
async function session(
  body: (sys: Sys) => Body<number>,
  typed: [atMs: number, text: string | ((terminal: Terminal) => void)][],
): Promise<string> {
  const host = hostOf()
  let screen = ''
  const terminal = createTerminal(host, {
    onOutput(bytes) {
      screen += decodeUtf8(bytes)
    },
  })
  host.spawn({
    body,
    terminal,
    onExit(status) {
      screen += `<${status.signal ?? status.exit}>`
    },
  })
  for (const [atMs, text] of typed) {
    host.sim.at(atMs * MILLISECOND, 'typing', () => (typeof text === 'string' ? terminal.input(text) : text(terminal)))
  }
  await drive(host.sim, 100 * SECOND)
  return screen
}

/** Prints each line that it reads in brackets, until the end of the file. */
function* lines(sys: Sys): Body<number> {
  for (;;) {
    const got = yield* sys.read(0, 100)
    if (!got.ok) {
      yield* print(sys, `[${got.errno}]`)
      return 1
    }
    if (got.value.length === 0) return 0
    yield* print(sys, `[${decodeUtf8(got.value).replace('\n', '.')}]`)
  }
}

/** A process that sleeps in a group of its own, in the foreground, and what became of it. */
function* foreground(sys: Sys, body: (sys: Sys) => Body<number>): Body<number> {
  sys.sigaction('SIGTTOU', 'ignore')
  const pid = sys.fork(function* (child) {
    child.setpgid(0, 0)
    child.sigaction('SIGTTOU', 'ignore')
    child.tcsetpgrp(child.pid)
    child.sigaction('SIGTTOU', 'default')
    return yield* body(child)
  })
  sys.setpgid(pid, pid)
  const got = must(yield* sys.waitpid(pid, { untraced: true }))!
  sys.tcsetpgrp(sys.getpgid())
  yield* print(sys, `${got.signal ?? got.stopped ?? got.exit};`)
  if (got.stopped) {
    sys.kill(-pid, 'SIGKILL')
    yield* sys.waitpid(pid)
  }
  return 0
}

const sleeping = function* (sys: Sys): Body<number> {
  yield* sys.sleep(50 * SECOND)
  return 0
}

describe('line discipline', () => {
  const cases: [string, [number, string][], string][] = [
    [
      'a line is read when it is complete',
      [
        [1, 'ab'],
        [2, 'c\r'],
        [3, '\x04'],
      ],
      'abc\r\n[abc.]<0>',
    ],
    ['erase, and erase on nothing', [[1, 'ab\x7fc\x7f\x7f\x7fd\n\x04']], 'ab\b \bc\b \b\b \bd\r\n[d.]<0>'],
    [
      'erase of a wide character and of a control character',
      [[1, 'é\x7f\x01\x7fx\n\x04']],
      'é\b \b^A\b \b\b \bx\r\n[x.]<0>',
    ],
    [
      'kill and word erase',
      [[1, 'one two\x17x\x15y\n\x04']],
      'one two\b \b\b \b\b \bx\b \b\b \b\b \b\b \b\b \by\r\n[y.]<0>',
    ],
    [
      'Ctrl-D gives what was typed, then the end',
      [
        [1, 'ab\x04'],
        [2, '\x04'],
      ],
      'ab[ab]<0>',
    ],
    ['Ctrl-V takes the next as it is', [[1, '\x16\x03\n\x04']], '^\b^C\r\n[\x03.]<0>'],
    ['lines typed ahead are read one at a time', [[1, 'a\nb\n\x04']], 'a\r\nb\r\n[a.][b.]<0>'],
    ['a tab is erased whole', [[1, 'a\tb\x7f\x7fc\n\x04']], 'a\tb\b \b\b\b\b\b\b\b\bc\r\n[ac.]<0>'],
    ['Ctrl-R shows the line again', [[1, 'ab\x12c\n\x04']], 'ab^R\r\nabc\r\n[abc.]<0>'],
    ['Ctrl-C discards the line and ends the reader', [[1, 'abc\x03']], 'abc^C<SIGINT>'],
    ['Ctrl-\\', [[1, '\x1c']], '^\\<SIGQUIT>'],
    [
      'Ctrl-Z does not stop a group that nobody could continue',
      [
        [1, '\x1a'],
        [2, 'a\n\x04'],
      ],
      '^Za\r\n[a.]<0>',
    ],
  ]
  test.each(cases)('%s', async (_name, typed, screen) => {
    expect(await session(lines, typed)).toBe(screen)
  })

  test('raw: every byte at once, no echo, no signals, no \\r; back again', async () => {
    const screen = await session(
      function* (sys) {
        const cooked = must(sys.ioctl(0, 'TCGETS', undefined))
        sys.ioctl(0, 'TCSETS', RAW)
        for (let i = 0; i < 2; i++) {
          const got = must(yield* sys.read(0, 10))
          yield* print(sys, `${[...got].join(',')}\n`)
        }
        sys.ioctl(0, 'TCSETS', cooked)
        yield* print(sys, 'cooked\n')
        return 0
      },
      [
        [1, 'a'],
        [2, '\x03\x1b[A\r'],
      ],
    )
    expect(screen).toBe('97\n3,27,91,65,13\ncooked\r\n<0>')
  })

  test('Ctrl-S holds the output until Ctrl-Q', async () => {
    const screen = await session(
      function* (sys) {
        yield* sys.sleep(5 * MILLISECOND)
        yield* print(sys, 'held ')
        yield* print(sys, String(Math.round(sys.monotonicNs() / MILLISECOND)))
        return 0
      },
      [
        [1, '\x13'],
        [50, '\x11'],
      ],
    )
    expect(screen).toBe('held 50<0>')
  })

  test('the window: its size, SIGWINCH to the foreground, the hang-up', async () => {
    const screen = await session(
      function* (sys) {
        sys.sigaction('SIGWINCH', () => {})
        const before = sys.terminalSize(1)!
        const slept = answer(yield* sys.sleep(10 * SECOND))
        const after = sys.terminalSize(1)!
        yield* print(sys, `${before.columns}x${before.rows} ${slept} ${after.columns}x${after.rows} ${sys.isatty(0)}`)
        yield* print(sys, ` ${sys.readlink('/proc/self/fd/0').ok && must(sys.realpath('/dev/stdin'))}`)
        yield* sys.sleep(10 * SECOND)
        return 0
      },
      [
        [1, (terminal) => terminal.resize(80, 24)], // No change: no signal.
        [2, (terminal) => terminal.resize(132, 43)],
        [9, (terminal) => terminal.hangUp()],
      ],
    )
    expect(screen).toBe('80x24 EINTR 132x43 true /dev/pts/0<SIGHUP>')
  })
})

describe('job control', () => {
  test.each([
    ['\x03', 'SIGINT'],
    ['\x1a', 'SIGTSTP'],
    ['\x1c', 'SIGQUIT'],
  ])('%j goes to the foreground group alone', async (key, signal) => {
    const screen = await session((sys) => foreground(sys, sleeping), [[100, key]])
    expect(screen.slice(2)).toBe(`${signal};<0>`)
  })

  test('a background process that reads is stopped; it may write, unless TOSTOP', async () => {
    const screen = await session(function* (sys) {
      const pid = sys.fork(function* (child) {
        child.setpgid(0, 0)
        yield* child.sleep(SECOND)
        yield* print(child, 'written ')
        yield* child.read(0, 10)
        return 0
      })
      const one = must(yield* sys.waitpid(pid, { untraced: true }))!
      sys.ioctl(0, 'TCSETS', { TOSTOP: true })
      const second = sys.fork(function* (child) {
        child.setpgid(0, 0)
        yield* print(child, 'not this ')
        return 0
      })
      const two = must(yield* sys.waitpid(second, { untraced: true }))!
      yield* print(sys, `${one.stopped} ${two.stopped}`)
      sys.kill(-pid, 'SIGKILL')
      sys.kill(-second, 'SIGKILL')
      return 0
    }, [])
    expect(screen).toBe('written SIGTTIN SIGTTOU<0>')
  })

  test('one that ignores SIGTTIN gets EIO, and so does an orphaned group', async () => {
    const screen = await session(function* (sys) {
      const pid = sys.fork(function* (child) {
        child.setpgid(0, 0)
        child.sigaction('SIGTTIN', 'ignore')
        yield* print(child, `${answer(yield* child.read(0, 10))} `)
        return 0
      })
      yield* sys.waitpid(pid)
      const middle = sys.fork(function* (child) {
        child.setpgid(0, 0)
        child.fork(function* (orphan) {
          yield* orphan.sleep(SECOND)
          yield* print(orphan, `${answer(yield* orphan.read(0, 10))}`)
          return 0
        })
        yield* child.sleep(1)
        return 0
      })
      yield* sys.waitpid(middle)
      yield* sys.sleep(2 * SECOND)
      return 0
    }, [])
    expect(screen).toBe('EIO EIO<0>')
  })

  test('the leader’s end: SIGHUP to the foreground group, SIGHUP and SIGCONT to a stopped orphaned one', async () => {
    const screen = await session(function* (sys) {
      const stopped = sys.fork(function* (child) {
        child.setpgid(0, 0)
        child.sigaction('SIGHUP', () => {})
        child.kill(child.pid, 'SIGSTOP')
        yield* child.sleep(1)
        const file = must(yield* child.open('/tmp/woken', 0o101))
        child.close(file)
        return 0
      })
      yield* sys.waitpid(stopped, { untraced: true })
      sys.fork(sleeping) // In the leader's own group, the foreground.
      return 0
    }, [])
    expect(screen).toBe('<0>')
  })

  test('setsid and setpgid: what they refuse; /dev/tty', async () => {
    const screen = await session(function* (sys) {
      const out = [
        answer(sys.setsid()),
        answer(sys.setpgid(0, 0)),
        answer(sys.setpgid(1, 1)),
        answer(sys.setpgid(0, -1)),
      ]
      const tty = must(yield* sys.open('/dev/tty', 1))
      yield* sys.write(tty, encodeUtf8('via tty '))
      const pid = sys.fork(function* (child) {
        out.push(answer(child.setsid()) === child.pid ? 'new' : 'old')
        out.push(String(answer(yield* child.open('/dev/tty'))), String(answer(child.tcsetpgrp(child.pid))))
        return 0
      })
      yield* sys.waitpid(pid)
      out.push(answer(sys.setpgid(pid, pid)), answer(sys.tcsetpgrp(9999)))
      yield* print(sys, out.join(' '))
      return 0
    }, [])
    expect(screen).toBe('via tty EPERM EPERM ESRCH EINVAL new ENXIO ENOTTY ESRCH ESRCH<0>')
  })
})

import { describe, expect, test } from 'vitest'
import { encodeUtf8 } from '#base/bytes'
import { AssertionFailed, NotModelled } from '#base/check'
import { MILLISECOND, SECOND } from '#base/sim'
import { createTerminal, drive, type Program, type Signal, type Sys } from './index.ts'
import { answer, hostOf, imageWith, must, print, readAll, run, writeAll } from './lab.cases.ts'

const sleep: Program = {
  name: 'sleep',
  paths: ['/usr/bin/sleep'],
  *main(sys, argv) {
    yield* sys.sleep(Number(argv[1]) * SECOND)
    return 0
  },
}

const args: Program = {
  name: 'args',
  paths: ['/usr/bin/args'],
  *main(sys, argv) {
    yield* print(sys, `${argv.join('|')}\n`)
    return 0
  },
}

function* sleepLong(sys: Sys) {
  yield* sys.sleep(1000 * SECOND)
  return 0
}

describe('wait', () => {
  test('what a child did is told once, and to its parent only', async () => {
    const ran = await run(function* (sys) {
      const out: unknown[] = []
      out.push(answer(yield* sys.waitpid(-1)))
      const pid = sys.fork(function* (child) {
        yield* child.sleep(SECOND)
        return 258 // Only eight bits arrive.
      })
      out.push(answer(yield* sys.waitpid(pid, { noHang: true })))
      out.push(answer(yield* sys.waitpid(pid + 1)))
      out.push(answer(yield* sys.waitpid(pid)))
      out.push(answer(yield* sys.waitpid(pid)))
      yield* print(sys, JSON.stringify(out))
      return 0
    })
    expect(JSON.parse(ran.output)).toEqual(['ECHILD', null, 'ECHILD', { pid: 302, exit: 2 }, 'ECHILD'])
  })

  test('SIGCHLD ignored: no zombie stays, and wait answers ECHILD when all have ended', async () => {
    const ran = await run(function* (sys) {
      sys.sigaction('SIGCHLD', 'ignore')
      sys.fork(function* (child) {
        yield* child.sleep(SECOND)
        return 1
      })
      yield* print(sys, `${answer(yield* sys.waitpid(-1))} ${sys.monotonicNs() >= SECOND}`)
      return 0
    })
    expect(ran.output).toBe('ECHILD true')
  })

  test('orphans become children of init, which reaps them', async () => {
    const ran = await run(function* (sys) {
      const middle = sys.fork(function* (child) {
        child.fork(function* (grandchild) {
          yield* grandchild.sleep(SECOND)
          yield* print(grandchild, `ppid ${grandchild.ppid}`)
          return 0
        })
        return 0
      })
      yield* sys.waitpid(middle)
      yield* sys.sleep(2 * SECOND)
      yield* print(sys, `; ${answer(yield* sys.waitpid(-1))} ${sys.readdir('/proc').ok}`)
      return 0
    })
    expect(ran.output).toBe('ppid 1; ECHILD true')
    expect(ran.host.machine.processes.size).toBe(1)
  })

  test('stopped and continued children are told if asked for', async () => {
    const ran = await run(function* (sys) {
      const pid = sys.fork(sleepLong)
      const out: unknown[] = []
      yield* sys.sleep(SECOND)
      sys.kill(pid, 'SIGSTOP')
      out.push(answer(yield* sys.waitpid(pid, { untraced: true })))
      out.push(answer(yield* sys.waitpid(pid, { untraced: true, noHang: true })))
      sys.kill(pid, 'SIGCONT')
      out.push(answer(yield* sys.waitpid(pid, { continued: true })))
      sys.kill(pid, 'SIGSTOP')
      sys.kill(pid, 'SIGKILL') // Kills what is stopped, too.
      out.push(answer(yield* sys.waitpid(pid)))
      yield* print(sys, JSON.stringify(out))
      return 0
    })
    expect(JSON.parse(ran.output)).toEqual([
      { pid: 302, stopped: 'SIGSTOP' },
      null,
      { pid: 302, continued: true },
      { pid: 302, signal: 'SIGKILL' },
    ])
  })
})

describe('signals', () => {
  // What ends a process that does nothing about it, and what doesn't.
  const fates: [Signal, 'ends' | 'stops' | 'nothing'][] = [
    ['SIGHUP', 'ends'],
    ['SIGINT', 'ends'],
    ['SIGKILL', 'ends'],
    ['SIGPIPE', 'ends'],
    ['SIGALRM', 'ends'],
    ['SIGTERM', 'ends'],
    ['SIGUSR1', 'ends'],
    ['SIGCHLD', 'nothing'],
    ['SIGCONT', 'nothing'],
    ['SIGWINCH', 'nothing'],
    ['SIGURG', 'nothing'],
    ['SIGSTOP', 'stops'],
    ['SIGTSTP', 'stops'],
    ['SIGTTIN', 'stops'],
  ]
  test.each(fates)('%s by default: %s', async (signal, fate) => {
    const ran = await run(function* (sys) {
      const pid = sys.fork(sleepLong)
      sys.setpgid(pid, pid) // Not an orphaned group: its parent is another group's.
      yield* sys.sleep(SECOND)
      sys.kill(pid, signal)
      yield* sys.sleep(SECOND)
      const got = must(yield* sys.waitpid(pid, { noHang: true, untraced: true }))
      yield* print(sys, got?.signal === signal ? 'ends' : got?.stopped === signal ? 'stops' : got ? 'other' : 'nothing')
      sys.kill(pid, 'SIGKILL')
      return 0
    })
    expect(ran.output).toBe(fate)
  })

  test('ignored, handled and blocked ones; SIGKILL can be none of these', async () => {
    const ran = await run(function* (sys) {
      const seen: string[] = []
      sys.sigaction('SIGTERM', 'ignore')
      sys.kill(sys.pid, 'SIGTERM')
      sys.sigaction('SIGUSR1', () => seen.push('usr1'))
      sys.kill(sys.pid, 'SIGUSR1')
      seen.push('after')
      sys.sigprocmask('block', ['SIGUSR1'])
      sys.kill(sys.pid, 'SIGUSR1')
      sys.kill(sys.pid, 'SIGUSR1') // Pending once.
      seen.push('blocked')
      sys.sigprocmask('unblock', ['SIGUSR1'])
      seen.push(String(answer(sys.sigaction('SIGKILL', 'ignore'))), String(answer(sys.sigaction('SIGSTOP', () => {}))))
      yield* print(sys, seen.join(' '))
      sys.kill(sys.pid, 'SIGKILL')
      yield* print(sys, ' never')
      return 0
    })
    expect(ran.output).toBe('usr1 after blocked usr1 EINVAL EINVAL')
    expect(ran.status).toEqual({ pid: 301, signal: 'SIGKILL' })
  })

  test.each([
    [false, 'EINTR 1'],
    [true, 'data 1'],
  ])('a read that blocks; SA_RESTART %s: %s', async (restart, expected) => {
    const ran = await run(function* (sys) {
      const pipe = must(sys.pipe())
      let handled = 0
      sys.sigaction('SIGALRM', () => void handled++, { restart })
      sys.setitimer(SECOND, 0)
      sys.fork(function* (child) {
        yield* child.sleep(2 * SECOND)
        yield* child.write(pipe.write, encodeUtf8('data'))
        return 0
      })
      const got = yield* sys.read(pipe.read, 10)
      yield* print(sys, `${got.ok ? String.fromCharCode(...got.value) : got.errno} ${handled}`)
      return 0
    })
    expect(ran.output).toBe(expected)
  })

  test('sleep and poll end with EINTR whatever SA_RESTART says; a stop alone interrupts neither', async () => {
    const ran = await run(function* (sys) {
      sys.sigaction('SIGALRM', () => {}, { restart: true })
      sys.setitimer(SECOND, 2 * SECOND)
      const slept = answer(yield* sys.sleep(10 * SECOND))
      const polled = answer(yield* sys.poll([], 10 * SECOND))
      yield* print(sys, `${slept} ${polled} ${Math.round(sys.monotonicNs() / SECOND)}`)
      sys.setitimer(0, 0)
      const pid = sys.fork(function* (child) {
        const at = child.monotonicNs()
        const done = answer(yield* child.sleep(5 * SECOND))
        yield* print(child, ` ${done} ${Math.round((child.monotonicNs() - at) / SECOND)}`)
        return 0
      })
      yield* sys.sleep(SECOND)
      sys.kill(pid, 'SIGSTOP')
      yield* sys.sleep(SECOND)
      sys.kill(pid, 'SIGCONT')
      yield* sys.waitpid(pid)
      return 0
    })
    expect(ran.output).toBe('EINTR EINTR 3 undefined 5')
  })

  test('a killed process runs its finally blocks, and they cannot block', async () => {
    const seen: string[] = []
    const ran = await run(function* (sys) {
      const pid = sys.fork(function* (child) {
        try {
          try {
            yield* child.sleep(1000 * SECOND)
          } finally {
            seen.push('inner')
            yield* child.sleep(1000 * SECOND)
            seen.push('never')
          }
        } finally {
          seen.push('outer')
        }
        return 0
      })
      yield* sys.sleep(SECOND)
      sys.kill(pid, 'SIGTERM')
      yield* print(sys, JSON.stringify(must(yield* sys.waitpid(pid))))
      return 0
    })
    expect(seen).toEqual(['inner', 'outer'])
    expect(JSON.parse(ran.output)).toEqual({ pid: 302, signal: 'SIGTERM' })
    expect(ran.sim.nowNs).toBeLessThan(2 * SECOND)
  })

  test('kill: whom it reaches', async () => {
    const ran = await run(function* (sys) {
      const one = sys.fork(sleepLong)
      const two = sys.fork(sleepLong)
      sys.setpgid(one, one)
      sys.setpgid(two, one)
      const out = [answer(sys.kill(9999, 'SIGTERM')), answer(sys.kill(one, 0)), answer(sys.kill(1, 'SIGKILL'))]
      out.push(answer(sys.kill(-one, 'SIGTERM')))
      yield* sys.waitpid(-1)
      yield* sys.waitpid(-1)
      out.push(answer(sys.kill(-one, 0)), answer(sys.kill(1, 0)))
      yield* print(sys, out.join(' '))
      return 0
    })
    expect(ran.output).toBe('ESRCH    ESRCH ')
    expect(ran.status?.exit).toBe(0)
  })
})

describe('exec', () => {
  test('programs, links to them, copies, scripts; and what cannot be run', async () => {
    const host = hostOf(imageWith(sleep, args))
    host.writeFile('/root/script', '#!/usr/bin/args -x  y \nignored\n', 0o755)
    host.writeFile('/root/nested', '#!/root/script\n', 0o755)
    host.writeFile('/root/loop', '#!/root/loop\n', 0o755)
    host.writeFile('/root/plain', 'echo hello\n', 0o755)
    host.writeFile('/root/notexecutable', '#!/usr/bin/args\n', 0o644)
    host.writeFile('/root/copy', host.readFile('/usr/bin/args')!, 0o755)
    const ran = await run(
      function* (sys) {
        sys.symlink('/usr/bin/args', '/root/link')
        const paths = [
          '/bin/args',
          'link',
          'copy',
          './script',
          'nested',
          'loop',
          'plain',
          'notexecutable',
          '/root',
          'none',
        ]
        for (const path of paths) {
          const pid = sys.fork(function* (child) {
            const done = yield* child.exec(path, ['name', '1 2'])
            if (done.ok) return done.value
            yield* print(child, `${path}: ${done.errno}\n`)
            return 126
          })
          yield* sys.waitpid(pid)
        }
        return 0
      },
      host,
      undefined,
      { cwd: '/root' },
    )
    expect(ran.output.split('\n')).toEqual([
      'name|1 2',
      'name|1 2',
      'name|1 2',
      '/usr/bin/args|-x  y|./script|1 2',
      '/usr/bin/args|-x  y|/root/script|nested|1 2',
      'loop: ELOOP',
      'plain: ENOEXEC',
      'notexecutable: EACCES',
      '/root: EACCES',
      'none: ENOENT',
      '',
    ])
  })

  test('handlers become defaults, ignored signals stay ignored, close-on-exec closes', async () => {
    const status: Program = {
      name: 'showstatus',
      paths: ['/usr/bin/showstatus'],
      *main(sys) {
        const text = yield* readAll(sys, '/proc/self/status')
        yield* print(
          sys,
          text
            .split('\n')
            .filter((line) => /^Sig(Ign|Cgt)|^Name/.test(line))
            .join(' '),
        )
        yield* print(
          sys,
          ` ${must(sys.readdir('/proc/self/fd')).join(',')} ${yield* readAll(sys, '/proc/self/cmdline')}`,
        )
        return 0
      },
    }
    const ran = await run(
      function* (sys) {
        sys.sigaction('SIGINT', 'ignore')
        sys.sigaction('SIGTERM', () => {})
        yield* sys.open('/dev/zero')
        const second = must(yield* sys.open('/dev/null'))
        sys.setCloseOnExec(second, true)
        const done = yield* sys.exec('/usr/bin/showstatus', ['shows', 'a'])
        return done.ok ? done.value : 1
      },
      hostOf(imageWith(status)),
    )
    expect(ran.output).toBe('Name:\tshowstatus SigIgn:\t0000000000000002 SigCgt:\t0000000000000000 0,1,2,3 shows\0a\0')
  })
})

describe('CPU time', () => {
  test('computing takes virtual time, is accounted, and shares the one CPU', async () => {
    const ran = await run(function* (sys) {
      const begin = sys.monotonicNs()
      const pids = [0, 1].map(() =>
        sys.fork(function* (child) {
          yield* child.compute(50 * MILLISECOND)
          return 0
        }),
      )
      for (const pid of pids) yield* sys.waitpid(pid)
      const { childUser } = sys.times()
      yield* print(sys, `${childUser / MILLISECOND} ${Math.round((sys.monotonicNs() - begin) / MILLISECOND)}`)
      return 0
    })
    expect(ran.output).toMatch(/^100 10[0-3]$/)
  })

  test('an endless loop of calls lets time pass and others run', async () => {
    const ran = await run(function* (sys) {
      const pid = sys.fork(function* (child) {
        for (;;) yield* child.read(0, 1)
      })
      yield* sys.sleep(SECOND)
      sys.kill(pid, 'SIGKILL')
      yield* sys.waitpid(pid)
      yield* print(sys, String(Math.round(sys.times().childSystem / (100 * MILLISECOND))))
      return 0
    })
    expect(ran.output).toBe('10')
  })
})

describe('what stops a run', () => {
  test('NotModelled, and our own bugs, with host and process named; the rest of the host goes on', async () => {
    const host = hostOf()
    const stop = run(function* (sys) {
      sys.setName('prog', ['prog'])
      sys.fork(function* (child) {
        yield* child.sleep(SECOND)
        throw new NotModelled('IPv7')
      })
      const got = yield* sys.waitpid(-1)
      yield* print(sys, JSON.stringify(answer(got)))
      return 0
    }, host)
    await expect(stop).rejects.toThrow(NotModelled)
    await expect(stop).rejects.toThrow('a: prog[302]: IPv7')
    await drive(host.sim)
    expect(host.machine.processes.size).toBe(1)
    const bug = run(function* () {
      throw new AssertionFailed('impossible')
    })
    await expect(bug).rejects.toThrow(/a: process\[301\]: impossible \(seed 1, 0 ns\)/)
  })

  test('exit ends at once, from any depth, and finally blocks run', async () => {
    const seen: string[] = []
    const ran = await run(function* (sys) {
      try {
        yield* sys.sleep(1)
        sys.exit(7)
      } finally {
        seen.push('finally')
      }
      return 0
    })
    expect([ran.status, seen]).toEqual([{ pid: 301, exit: 7 }, ['finally']])
  })
})

test('a promise holds the clock: the process goes on at the same virtual time', async () => {
  const ran = await run(function* (sys) {
    let value = ''
    const promise = new Promise((resolve) => setTimeout(resolve, 5)).then(() => {
      value = 'computed'
    })
    const before = sys.monotonicNs()
    sys.fork(sleepLong)
    yield* sys.wait({ queues: [], untilNs: Number.POSITIVE_INFINITY, promise })
    yield* print(sys, `${value} ${sys.monotonicNs() - before < SECOND}`)
    return 0
  })
  expect(ran.output).toBe('computed true')
})

describe('power', () => {
  test('a terminal of before the cut reaches nobody afterwards', async () => {
    const host = hostOf()
    const terminal = createTerminal(host, { onOutput: () => {} })
    host.spawn({ body: sleepLong, terminal })
    await drive(host.sim, SECOND)
    host.powerOff()
    terminal.input('\x03')
    host.powerOn()
    const after = host.spawn({ body: sleepLong }) // Has the pid of the one before.
    terminal.input('\x03')
    await drive(host.sim, 2 * SECOND)
    expect([after.pid, after.state, terminal.hungUp]).toEqual([301, 'S', true])
  })

  test('processes and /run die with it, the disk and its hostname stay, the clock goes on', async () => {
    const host = hostOf()
    let exited = ''
    const ran = run(
      function* (sys) {
        yield* writeAll(sys, '/root/kept', 'kept')
        yield* writeAll(sys, '/run/lost', 'lost')
        yield* writeAll(sys, '/etc/hostname', 'renamed\n')
        try {
          yield* sys.sleep(1000 * SECOND)
        } finally {
          exited += 'finally'
        }
        return 0
      },
      host,
      5 * SECOND,
    )
    await ran
    host.powerOff()
    expect([host.sim.nextNs(), exited]).toEqual([Number.POSITIVE_INFINITY, ''])
    host.powerOn()
    const again = await run(function* (sys) {
      yield* print(sys, `${yield* readAll(sys, '/root/kept')} ${answer(sys.stat('/run/lost'))} ${sys.hostname}`)
      yield* print(
        sys,
        ` ${sys.pid} ${Math.floor(sys.realtime().s - 1_767_225_600)} ${yield* readAll(sys, '/proc/uptime')}`,
      )
      return 0
    }, host)
    expect(again.output).toBe('kept ENOENT renamed 301 5 0.00 0.00\n')
  })
})

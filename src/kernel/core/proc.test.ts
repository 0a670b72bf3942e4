import { describe, expect, test } from 'vitest'
import { MILLISECOND, SECOND } from '#base/sim'
import { integerSysctl, type KernelHost, OK, parseIntegers, type Sys } from './index.ts'
import { answer, hostOf, imageWith, must, print, readAll, run, writeAll } from './lab.cases.ts'

const read = async (path: string, host = hostOf()) =>
  (
    await run(function* (sys) {
      yield* sys.sleep(90 * SECOND + 57 * MILLISECOND)
      yield* print(sys, yield* readAll(sys, path))
      return 0
    }, host)
  ).output

describe('/proc', () => {
  test('uptime, version and the like, as ps, uptime and free read them', async () => {
    expect(await read('/proc/uptime')).toBe('90.05 90.05\n')
    expect(await read('/proc/version')).toMatch(
      /^Linux version 6\.1\.0-56-amd64 \(debian-kernel@lists\.debian\.org\) \(gcc-12 .*\) #1 SMP /,
    )
    expect(await read('/proc/loadavg')).toBe('0.00 0.00 0.00 1/2 301\n')
    expect(await read('/proc/stat')).toMatch(
      /^cpu {2}0 0 0 9005 0 0 0 0 0 0\ncpu0 .*\nintr .*\nctxt \d+\nbtime 1767225600\nprocesses 301\nprocs_running 1\n/s,
    )
    expect(await read('/proc/meminfo')).toMatch(/^MemTotal: {8}1000000 kB\nMemFree: /)
    expect(await read('/proc/modules')).toBe('')
    expect(await read('/proc/mounts')).toMatch(/^proc \/proc proc rw,nosuid,nodev,noexec,relatime 0 0$/m)
    expect(await read('/proc/self/mounts')).toBe(await read('/etc/mtab'))
  })

  test('load averages rise while something computes', async () => {
    const ran = await run(function* (sys) {
      yield* sys.compute(60 * SECOND)
      yield* print(sys, yield* readAll(sys, '/proc/loadavg'))
      return 0
    })
    expect(ran.output).toBe('0.63 0.18 0.06 1/2 301\n')
  })

  test('PID/stat and status: fields where their readers look for them', async () => {
    const ran = await run(function* (sys) {
      const pid = sys.fork(function* (child) {
        child.setName('a (strange) name', ['x', 'y z'])
        child.setpgid(0, 0)
        child.sigaction('SIGTERM', 'ignore')
        child.sigaction('SIGINT', () => {})
        yield* child.sleep(1000 * SECOND)
        return 0
      })
      yield* sys.sleep(SECOND)
      const line = yield* readAll(sys, `/proc/${pid}/stat`)
      const fields = line
        .slice(line.lastIndexOf(')') + 2)
        .trim()
        .split(' ')
      yield* print(
        sys,
        `${line.slice(0, line.lastIndexOf(')') + 1)} ${fields.length + 2} ${fields.slice(0, 6).join(' ')};`,
      )
      yield* print(sys, `${fields.slice(28, 32).join(' ')};`)
      yield* print(sys, (yield* readAll(sys, `/proc/${pid}/status`)).split('\n').slice(0, 7).join(' '))
      sys.kill(pid, 'SIGKILL')
      yield* sys.sleep(1)
      yield* print(
        sys,
        `;${(yield* readAll(sys, `/proc/${pid}/stat`)).split(') ').pop()![0]}${(yield* readAll(sys, `/proc/${pid}/cmdline`)).length}`,
      )
      yield* sys.waitpid(pid)
      yield* print(
        sys,
        `;${answer(sys.stat(`/proc/${pid}`))} ${answer(sys.readdir('/proc/0'))} ${answer(sys.stat('/proc/01'))}`,
      )
      return 0
    })
    expect(ran.output.split(';')).toEqual([
      '302 (a (strange) nam) 52 S 301 302 301 0 -1',
      '0 0 16384 2',
      'Name:\ta (strange) nam Umask:\t0022 State:\tS (sleeping) Tgid:\t302 Ngid:\t0 Pid:\t302 PPid:\t301',
      'Z0',
      'ENOENT ENOENT ENOENT',
    ])
  })

  test('PID/fd, cwd and comm', async () => {
    const ran = await run(function* (sys) {
      const pipe = must(sys.pipe())
      sys.chdir('/tmp')
      yield* writeAll(sys, '/proc/self/comm', 'renamed\n')
      const links = must(sys.readdir('/proc/self/fd')).map((fd) => must(sys.readlink(`/proc/self/fd/${fd}`)))
      yield* print(
        sys,
        `${links.join(' ')} ${must(sys.readlink('/proc/self/cwd'))} ${yield* readAll(sys, '/proc/self/comm')}`,
      )
      // A pipe is opened again by its link.
      const again = must(yield* sys.open(`/proc/self/fd/${pipe.write}`, 1))
      yield* sys.write(again, new Uint8Array(3))
      yield* print(
        sys,
        `${must(yield* sys.read(pipe.read, 9)).length} ${answer(sys.mkdir('/proc/x'))} ${answer(sys.unlink('/proc/version'))}`,
      )
      return 0
    })
    expect(ran.output).toBe('/dev/null /dev/pts/0 /dev/pts/0 pipe:[20000] pipe:[20000] /tmp renamed\n3 ENOENT EPERM')
  })
})

describe('sysctl', () => {
  const cases: [text: string, count: number, expected: unknown][] = [
    ['1', 1, [1]],
    [' 1 \n', 1, [1]],
    ['0x10', 1, [16]],
    ['010', 1, [8]],
    ['-1', 1, [-1]],
    ['1 2', 1, [1]],
    ['1 2', 2, [1, 2]],
    ['1\t2', 3, [1, 2]],
    ['', 1, 'EINVAL'],
    ['  ', 1, 'EINVAL'],
    ['x', 1, 'EINVAL'],
    ['1x', 1, 'EINVAL'],
    ['08', 1, 'EINVAL'],
    ['1.5', 1, 'EINVAL'],
    ['+1', 1, 'EINVAL'],
    ['2147483647', 1, [2147483647]],
    ['2147483648', 1, 'EINVAL'],
    ['-2147483648', 1, [-2147483648]],
    ['-2147483649', 1, 'EINVAL'],
    ['99999999999999999999999', 1, 'EINVAL'],
  ]
  test.each(cases)('%j as %i int', (text, count, expected) => {
    expect(answer(parseIntegers(text, count))).toEqual(expected)
  })

  /** net.x.conf.*.y for three devices, one of them with a dot in its name. */
  function families() {
    const image = imageWith()
    const values = new Map<string, number>()
    image.sysctl(
      integerSysctl(
        'net.x.conf.*.y',
        (_host, instance) => values.get(instance) ?? 0,
        (_host, instance, value) => void values.set(instance, value),
        { min: 0, max: 5, list: () => ['all', 'eth0', 'eth0.10'] },
      ),
    )
    image.sysctl({ name: 'net.x.conf.*.fixed', list: () => [], get: (_host, instance) => `of ${instance}` })
    image.sysctl({ name: 'net.x.plain', get: () => 'p', set: () => OK })
    return hostOf(image)
  }

  async function at(
    host: KernelHost,
    calls: (sys: Sys) => Generator<never, unknown, void> | unknown,
  ): Promise<unknown> {
    let result: unknown
    await run(function* (sys) {
      yield* sys.sleep(1)
      result = calls(sys)
      return 0
    }, host)
    return result
  }

  test('a family stands where its instances are, and only there', async () => {
    const host = families()
    const found = await at(host, (sys) => [
      answer(sys.readdir('/proc/sys/net/x')),
      answer(sys.readdir('/proc/sys/net/x/conf')),
      answer(sys.readdir('/proc/sys/net/x/conf/eth0.10')),
      answer(sys.stat('/proc/sys/net/x/conf/eth9')),
      answer(sys.stat('/proc/sys/net/x/conf/eth0/z')),
      must(sys.stat('/proc/sys/net/x/conf/eth0/y')).mode,
      must(sys.stat('/proc/sys/net/x/conf/eth0/fixed')).mode,
    ])
    expect(found).toEqual([
      ['conf', 'plain'],
      ['all', 'eth0', 'eth0.10'],
      ['y', 'fixed'],
      'ENOENT',
      'ENOENT',
      0o644,
      0o444,
    ])
  })

  test('written values are read back; wrong ones change nothing', async () => {
    const host = families()
    const ran = await run(function* (sys) {
      const path = '/proc/sys/net/x/conf/eth0.10/y'
      for (const text of ['3\n', '6', '-1', 'x', '', '2 9']) {
        yield* print(sys, `${yield* writeAll(sys, path, text)}:${(yield* readAll(sys, path)).trim()} `)
      }
      yield* print(sys, `${(yield* readAll(sys, '/proc/sys/net/x/conf/eth0/y')).trim()} `)
      yield* print(sys, `${(yield* readAll(sys, '/proc/sys/net/x/conf/all/fixed')).trim()} `)
      yield* print(sys, `${yield* writeAll(sys, '/proc/sys/net/x/conf/all/fixed', '1')}`)
      return 0
    }, host)
    expect(ran.output).toBe('2:3 EINVAL:3 EINVAL:3 EINVAL:3 0:3 3:2 0 of all EIO')
  })

  test('the kernel’s own: hostname, pid_max, printk', async () => {
    const ran = await run(function* (sys) {
      yield* writeAll(sys, '/proc/sys/kernel/hostname', 'renamed\n')
      yield* print(sys, `${sys.uname().nodename} ${(yield* readAll(sys, '/proc/sys/kernel/osrelease')).trim()} `)
      yield* writeAll(sys, '/proc/sys/kernel/printk', '7')
      yield* print(sys, (yield* readAll(sys, '/proc/sys/kernel/printk')).replace('\n', ' '))
      yield* print(sys, `${yield* writeAll(sys, '/proc/sys/kernel/pid_max', '300')} `)
      yield* writeAll(sys, '/proc/sys/kernel/pid_max', '303')
      for (let i = 0; i < 3; i++) {
        const pid = sys.fork(function* (child) {
          yield* child.sleep(1)
          return 0
        })
        yield* print(sys, `${pid} `)
        yield* sys.waitpid(pid)
      }
      const [one, two] = [
        yield* readAll(sys, '/proc/sys/kernel/random/boot_id'),
        yield* readAll(sys, '/proc/sys/kernel/random/boot_id'),
      ]
      yield* print(
        sys,
        `${one === two && /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$/.test(one)}`,
      )
      return 0
    })
    expect(ran.output).toBe('renamed 6.1.0-56-amd64 7\t4\t1\t7 EINVAL 302 302 302 true')
  })
})

test('the log: the banner, then lines with the time since the boot', async () => {
  const host = hostOf()
  host.sim.at(1500 * MILLISECOND, 'log', () => host.log(6, 'eth0: link up'))
  const ran = await run(function* (sys) {
    yield* sys.sleep(2 * SECOND)
    yield* print(sys, JSON.stringify(sys.klog().map(({ timeNs, level, text }) => [timeNs, level, text.slice(0, 13)])))
    return 0
  }, host)
  expect(JSON.parse(ran.output)).toEqual([
    [0, 5, 'Linux version'],
    [0, 5, 'Command line:'],
    [1500 * MILLISECOND, 6, 'eth0: link up'],
  ])
})

test('the clock: set, it goes on from there; virtual time does not move', async () => {
  const ran = await run(function* (sys) {
    yield* sys.sleep(SECOND)
    const before = sys.realtime()
    sys.clockSettime(1_000_000_000, 5)
    yield* sys.sleep(1500 * MILLISECOND)
    const after = sys.realtime()
    yield* print(
      sys,
      `${before.s - 1_767_225_600} ${after.s} ${Math.round(after.ns / MILLISECOND)} ${answer(sys.clockSettime(-1, 0))}`,
    )
    return 0
  })
  expect(ran.output).toBe('1 1000000001 500 EINVAL')
})

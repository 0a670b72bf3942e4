/** `Sys` for one process. What blocks tries, waits when it gets EAGAIN, and tries again. */
import { MILLISECOND, Timer } from '#base/sim'
import { DEBT_MAX_NS } from './calls.ts'
import { EXEC_NS, FORK_NS, YIELD } from './costs.ts'
import type { Errno, SysResult } from './errno.ts'
import { fail, OK, ok } from './errno.ts'
import { EventCalls } from './event-calls.ts'
import { execute } from './exec.ts'
import type { OpenFile, Stat } from './file.ts'
import { POLLERR, POLLHUP, POLLNVAL } from './file.ts'
import type { NetlinkAnswer } from './image.ts'
import { openPath } from './open.ts'
import { find } from './path.ts'
import * as paths from './path-calls.ts'
import { type Process, ProcessEnd, Session } from './process.ts'
import type { Signal } from './signal.ts'
import {
  O_CLOEXEC,
  O_NONBLOCK,
  type PollEntry,
  type SigactionOptions,
  type SpawnBody,
  type Sys,
  type TerminalSize,
  type WaitStatus,
} from './sys.ts'
import { TerminalFile } from './terminal.ts'
import { timeSlot } from './timekeeper.ts'
import { pollSlackNs, SLACK_NS, wakeNs } from './timing.ts'
import type { Body, Wait, WaitQueue } from './wait.ts'

/** How long a process computes before others get their turn. */
const SLICE_NS = 4 * MILLISECOND

export class SystemCalls extends EventCalls implements Sys {
  get pid(): number {
    return this.process.pid
  }

  get ppid(): number {
    return this.process.parent?.pid ?? 0
  }

  get env(): Map<string, string> {
    return this.process.env
  }

  get hostname(): string {
    return this.host.hostname
  }

  // Time.

  monotonicNs(): number {
    return this.host.sim.nowNs - this.host.bootedNs
  }

  realtime(): { s: number; ns: number } {
    return this.host.realtime()
  }

  labNs(): number {
    return this.host.sim.nowNs
  }

  clockSettime(s: number, ns: number): SysResult<void> {
    this.enter()
    if (!(s >= 0 && ns >= 0 && ns < 1e9)) return fail('EINVAL')
    this.host.setRealtime(s, ns)
    return OK
  }

  adjtimex(timex: object): SysResult<{ state: number; timex: object }> {
    this.enter()
    this.host.timekeeper ??= timeSlot(this.host.image).timekeeper?.(this.host)
    if (!this.host.timekeeper) return fail('ENOSYS')
    const done = this.host.timekeeper.adjust(timex)
    return done ? ok(done) : fail('EINVAL')
  }

  *sleep(ns: number): Body<SysResult<void>> {
    this.enter()
    const softNs = this.host.sim.nowNs + Math.max(0, Math.round(ns))
    const untilNs = wakeNs(this.host, softNs, SLACK_NS)
    this.begin()
    while (this.host.sim.nowNs < untilNs) {
      yield { queues: [], untilNs, softNs }
      if (this.interruption() !== 'no') return fail('EINTR') // Never restarted; signal(7).
    }
    return OK
  }

  *compute(ns: number): Body<void> {
    let left = ns
    while (left > SLICE_NS) {
      this.process.charge(SLICE_NS, true)
      left -= SLICE_NS
      yield YIELD
    }
    if (left > 0) this.process.charge(left, true)
    if (this.process.debtNs > DEBT_MAX_NS) yield YIELD
  }

  times(): { user: number; system: number; childUser: number; childSystem: number } {
    const { userNs, systemNs, childUserNs, childSystemNs } = this.process
    return { user: userNs, system: systemNs, childUser: childUserNs, childSystem: childSystemNs }
  }

  setitimer(valueNs: number, intervalNs: number): void {
    this.enter()
    const process = this.process
    process.alarmIntervalNs = intervalNs
    process.alarm ??= new Timer(this.host.sim, `${this.host.name}: itimer of ${process.pid}`, () => {
      if (process.alarmIntervalNs > 0) {
        process.alarmDueNs += process.alarmIntervalNs
        process.alarm?.armAt(wakeNs(this.host, process.alarmDueNs, 0))
      }
      process.send('SIGALRM')
    })
    process.alarmDueNs = this.host.sim.nowNs + valueNs
    if (valueNs > 0) process.alarm.armAt(wakeNs(this.host, process.alarmDueNs, 0))
    else process.alarm.cancel()
  }

  // Files.

  *open(path: string, flags = 0, mode = 0o666): Body<SysResult<number>> {
    this.enter()
    yield* this.owed()
    const process = this.process
    if (process.freeDescriptor() === undefined) return fail('EMFILE')
    const opened = yield* openPath(this, process, path, flags, mode & ~process.umask)
    if (!opened.ok) return opened
    return this.install(opened.value, 0, (flags & O_CLOEXEC) !== 0)
  }

  close(fd: number): SysResult<void> {
    this.enter()
    return this.process.closeDescriptor(fd) ? OK : fail('EBADF')
  }

  *read(fd: number, length: number): Body<SysResult<Uint8Array>> {
    this.enter()
    yield* this.owed()
    const file = this.process.file(fd)
    if (!file) return fail('EBADF')
    this.begin()
    for (;;) {
      if (file instanceof TerminalFile) {
        const refused = yield* this.#background(file, 'SIGTTIN')
        if (refused) return fail(refused)
      }
      const got = file.read(length)
      if (got.ok || got.errno !== 'EAGAIN') return got
      const waited = yield* this.waitFor(file, file.receiveTimeoutNs)
      if (waited) return fail(waited)
    }
  }

  *write(fd: number, bytes: Uint8Array): Body<SysResult<number>> {
    this.enter()
    yield* this.owed()
    const file = this.process.file(fd)
    if (!file) return fail('EBADF')
    this.begin()
    let written = 0
    for (;;) {
      if (file instanceof TerminalFile && file.terminal.termios.TOSTOP) {
        const refused = yield* this.#background(file, 'SIGTTOU')
        if (refused) return fail(refused)
      }
      const done = file.write(written === 0 ? bytes : bytes.subarray(written))
      if (done.ok) {
        written += done.value
        if (written >= bytes.length || done.value === 0) return ok(written)
        continue
      }
      if (done.errno === 'EPIPE') this.sendSelf('SIGPIPE')
      if (done.errno !== 'EAGAIN') return written > 0 ? ok(written) : done
      const waited = yield* this.waitFor(file, file.sendTimeoutNs, written > 0)
      if (waited) return written > 0 ? ok(written) : fail(waited)
    }
  }

  seek(fd: number, offset: number, whence: 'SET' | 'CUR' | 'END'): SysResult<number> {
    this.enter()
    const file = this.process.file(fd)
    if (!file) return fail('EBADF')
    return file.seek ? file.seek(offset, whence) : fail('ESPIPE')
  }

  truncate(fd: number, length: number): SysResult<void> {
    this.enter()
    const file = this.process.file(fd)
    if (!file) return fail('EBADF')
    return file.truncate ? file.truncate(length) : fail('EINVAL')
  }

  *poll(
    entries: PollEntry[],
    timeoutNs: number,
    slackNs = pollSlackNs(timeoutNs),
  ): Body<SysResult<{ fd: number; revents: number }[]>> {
    this.enter()
    yield* this.owed()
    const untilNs = wakeNs(this.host, this.host.sim.nowNs + Math.max(0, timeoutNs), slackNs)
    this.begin()
    for (;;) {
      const ready: { fd: number; revents: number }[] = []
      const queues = new Set<WaitQueue>()
      for (const { fd, events } of entries) {
        if (fd < 0) continue
        const file = this.process.file(fd)
        const revents = file ? file.poll() & (events | POLLERR | POLLHUP) : POLLNVAL
        if (revents !== 0) ready.push({ fd, revents })
        if (file) queues.add(file.queue)
      }
      if (ready.length > 0 || this.host.sim.nowNs >= untilNs) return ok(ready)
      yield { queues: [...queues], untilNs }
      if (this.interruption() !== 'no') return fail('EINTR') // Never restarted.
    }
  }

  dup(fd: number): SysResult<number> {
    return this.dupAbove(fd, 0)
  }

  dupAbove(fd: number, least: number): SysResult<number> {
    this.enter()
    const file = this.process.file(fd)
    return file ? this.install(file, least, false) : fail('EBADF')
  }

  dup2(fd: number, onto: number): SysResult<number> {
    this.enter()
    const file = this.process.file(fd)
    if (!file || !(onto >= 0 && onto < 1024)) return fail('EBADF')
    if (fd === onto) return ok(onto)
    file.references++ // Before the close, which may be the last of the same file.
    this.process.closeDescriptor(onto)
    this.process.install(onto, file)
    file.references--
    return ok(onto)
  }

  setCloseOnExec(fd: number, on: boolean): SysResult<void> {
    const descriptor = this.process.descriptors[fd]
    if (!descriptor) return fail('EBADF')
    descriptor.closeOnExec = on
    return OK
  }

  setNonBlocking(fd: number, on: boolean): SysResult<void> {
    const file = this.process.file(fd)
    if (!file) return fail('EBADF')
    file.flags = on ? file.flags | O_NONBLOCK : file.flags & ~O_NONBLOCK
    return OK
  }

  pipe(): SysResult<{ read: number; write: number }> {
    this.enter()
    const process = this.process
    const read = process.freeDescriptor()
    const write = read === undefined ? undefined : process.freeDescriptor(read + 1)
    if (read === undefined || write === undefined) return fail('EMFILE')
    const pipe = this.machine.newPipe()
    process.install(read, pipe.open(0, `pipe:[${pipe.inode}]`))
    process.install(write, pipe.open(1, `pipe:[${pipe.inode}]`))
    return ok({ read, write })
  }

  fstat(fd: number): SysResult<Stat> {
    const file = this.process.file(fd)
    return file ? ok(file.stat()) : fail('EBADF')
  }

  stat(path: string): SysResult<Stat> {
    return this.#stat(path, true)
  }

  lstat(path: string): SysResult<Stat> {
    return this.#stat(path, false)
  }

  readdir(path: string): SysResult<string[]> {
    this.enter()
    return paths.readdir(this.host, this.process.cwd, path)
  }

  readlink(path: string): SysResult<string> {
    this.enter()
    const place = this.#find(path, false)
    if (!place.ok) return place
    return place.value.node.type === 'symlink' ? ok(place.value.node.readlink(this.host)) : fail('EINVAL')
  }

  realpath(path: string): SysResult<string> {
    this.enter()
    const place = this.#find(path, true)
    return place.ok ? ok(place.value.path) : place
  }

  access(path: string, mode: 'r' | 'w' | 'x' | 'exists'): SysResult<void> {
    this.enter()
    const place = this.#find(path, true)
    if (!place.ok) return place
    const { node } = place.value
    // Root may read and write anything, and execute what anybody may.
    if (mode === 'x' && node.type !== 'directory' && (node.stat(this.host).mode & 0o111) === 0) return fail('EACCES')
    return OK
  }

  mkdir(path: string, mode = 0o777): SysResult<void> {
    return this.#make(path, 'directory', mode & ~this.process.umask)
  }

  rmdir(path: string): SysResult<void> {
    this.enter()
    return paths.rmdir(this.host, this.process.cwd, path)
  }

  unlink(path: string): SysResult<void> {
    this.enter()
    return paths.unlink(this.host, this.process.cwd, path)
  }

  rename(from: string, to: string): SysResult<void> {
    this.enter()
    return paths.rename(this.host, this.process.cwd, from, to)
  }

  link(from: string, to: string): SysResult<void> {
    this.enter()
    return paths.link(this.host, this.process.cwd, from, to)
  }

  symlink(target: string, path: string): SysResult<void> {
    if (target === '') return fail('ENOENT')
    return this.#make(path, 'symlink', 0o777, target)
  }

  mkfifo(path: string, mode = 0o666): SysResult<void> {
    return this.#make(path, 'fifo', mode & ~this.process.umask)
  }

  chmod(path: string, mode: number): SysResult<void> {
    this.enter()
    return paths.chmod(this.host, this.process.cwd, path, mode)
  }

  utimes(path: string, mtimeNs: number): SysResult<void> {
    this.enter()
    return paths.utimes(this.host, this.process.cwd, path, mtimeNs)
  }

  chdir(path: string): SysResult<void> {
    this.enter()
    const place = this.#find(path, true)
    if (!place.ok) return place
    if (place.value.node.type !== 'directory') return fail('ENOTDIR')
    this.process.cwd = place.value.path
    return OK
  }

  getcwd(): string {
    return this.process.cwd
  }

  umask(mask?: number): number {
    const old = this.process.umask
    if (mask !== undefined) this.process.umask = mask & 0o777
    return old
  }

  isatty(fd: number): boolean {
    return this.terminalSize(fd) !== undefined
  }

  terminalSize(fd: number): TerminalSize | undefined {
    const size = this.process.file(fd)?.ioctl?.('TIOCGWINSZ', undefined)
    return size?.ok ? (size.value as TerminalSize) : undefined
  }

  ioctl(fd: number, request: string, argument: unknown): SysResult<unknown> {
    this.enter()
    const file = this.process.file(fd)
    if (!file) return fail('EBADF')
    return file.ioctl ? file.ioctl(request, argument) : fail('ENOTTY')
  }

  descriptors(): { fd: number; file: OpenFile }[] {
    const list: { fd: number; file: OpenFile }[] = []
    this.process.descriptors.forEach((descriptor, fd) => {
      if (descriptor) list.push({ fd, file: descriptor.file })
    })
    return list
  }

  // Processes.

  fork(body: SpawnBody): number {
    this.process.charge(FORK_NS, false)
    return this.machine.fork(this.process, body).pid
  }

  *exec(path: string, argv: string[]): Body<SysResult<never> | { ok: true; value: number }> {
    this.process.charge(EXEC_NS, false)
    yield YIELD
    return yield* execute(this, this.process, path, argv)
  }

  exit(status: number): never {
    throw new ProcessEnd({ exit: status & 0xff })
  }

  *waitpid(
    pid: number,
    options: { noHang?: boolean; untraced?: boolean; continued?: boolean } = {},
  ): Body<SysResult<WaitStatus | undefined>> {
    this.enter()
    const process = this.process
    this.begin()
    for (;;) {
      let any = false
      for (const child of process.children) {
        const mine =
          pid === -1 ||
          child.pid === pid ||
          (pid < -1 && child.pgid === -pid) ||
          (pid === 0 && child.pgid === process.pgid)
        if (!mine) continue
        any = true
        if (child.ended) {
          this.machine.reap(child)
          return ok(child.ended)
        }
        if (options.untraced && child.news === 'stopped' && child.stopped) {
          child.news = undefined
          return ok({ pid: child.pid, stopped: child.stopped })
        }
        if (options.continued && child.news === 'continued') {
          child.news = undefined
          return ok({ pid: child.pid, continued: true })
        }
      }
      if (!any) return fail('ECHILD')
      if (options.noHang) return ok(undefined)
      yield { queues: [process.childQueue], untilNs: Number.POSITIVE_INFINITY }
      if (this.interruption() === 'yes' && !this.#childReady(pid)) return fail('EINTR')
    }
  }

  kill(pid: number, signal: Signal | 0): SysResult<void> {
    this.enter()
    const machine = this.machine
    let targets: Process[]
    if (pid > 0) {
      const target = machine.processes.get(pid)
      targets = target ? [target] : []
    } else if (pid === -1) {
      targets = [...machine.processes.values()].filter((process) => process.pid > 1 && process !== this.process)
    } else targets = machine.group(pid === 0 ? this.process.pgid : -pid)
    if (targets.length === 0) return fail('ESRCH')
    if (signal === 0) return OK
    for (const target of targets) if (target !== this.process) target.send(signal)
    if (targets.includes(this.process)) this.sendSelf(signal)
    return OK
  }

  sigaction(
    signal: Signal,
    action: 'default' | 'ignore' | (() => void),
    options: SigactionOptions = {},
  ): SysResult<void> {
    if (signal === 'SIGKILL' || signal === 'SIGSTOP') return fail('EINVAL')
    const { actions } = this.process
    if (action === 'default') actions.delete(signal)
    else if (action === 'ignore') {
      actions.set(signal, 'ignore')
      this.process.pending = this.process.pending.filter((other) => other !== signal)
    } else actions.set(signal, { run: action, restart: options.restart ?? false })
    return OK
  }

  sigprocmask(how: 'block' | 'unblock' | 'set', signals: Signal[]): Signal[] {
    const { blocked } = this.process
    const old = [...blocked]
    if (how === 'set') blocked.clear()
    for (const signal of signals) {
      if (how === 'unblock') blocked.delete(signal)
      else if (signal !== 'SIGKILL' && signal !== 'SIGSTOP') blocked.add(signal)
    }
    this.deliver()
    return old
  }

  getpgid(): number {
    return this.process.pgid
  }

  getsid(): number {
    return this.process.session.id
  }

  /** @see Linux 6.1 kernel/sys.c: setpgid() */
  setpgid(pid: number, pgid: number): SysResult<void> {
    this.enter()
    const process = this.process
    const target = pid === 0 || pid === process.pid ? process : this.machine.processes.get(pid)
    const group = pgid === 0 ? (target?.pid ?? 0) : pgid
    if (pgid < 0) return fail('EINVAL')
    if (!target || (target !== process && target.parent !== process)) return fail('ESRCH')
    if (target.session !== process.session) return fail('EPERM')
    if (target.session.id === target.pid) return fail('EPERM')
    if (group !== target.pid && !this.machine.group(group).some((member) => member.session === process.session)) {
      return fail('EPERM')
    }
    target.pgid = group
    return OK
  }

  setsid(): SysResult<number> {
    this.enter()
    const process = this.process
    if (this.machine.group(process.pid).length > 0) return fail('EPERM')
    process.session = new Session(process.pid)
    process.pgid = process.pid
    return ok(process.pid)
  }

  /** @see Linux 6.1 drivers/tty/tty_jobctrl.c: tiocspgrp() */
  tcsetpgrp(pgid: number): SysResult<void> {
    this.enter()
    const process = this.process
    const { terminal } = process.session
    if (!terminal) return fail('ENOTTY')
    if (terminal.foreground !== process.pgid && terminal.foreground !== 0) {
      const action = process.actions.get('SIGTTOU')
      if (action !== 'ignore' && !process.blocked.has('SIGTTOU')) {
        if (this.machine.isOrphaned(process.pgid)) return fail('EIO')
        this.machine.signalGroup(process.pgid, 'SIGTTOU')
        return fail('EINTR')
      }
    }
    const members = this.machine.group(pgid)
    if (members.length === 0) return fail('ESRCH')
    if (members.every((member) => member.session !== process.session)) return fail('EPERM')
    terminal.foreground = pgid
    return OK
  }

  tcgetpgrp(): number {
    return this.process.session.terminal?.foreground ?? -1
  }

  setName(name: string, argv: string[]): void {
    this.process.name = name.slice(0, 15)
    this.process.argv = argv
  }

  netlink(message: { type: string }): NetlinkAnswer {
    this.enter()
    const handler = this.host.image.netlinkHandlers.get(message.type)
    return handler ? handler(this.process.netns, message) : { ok: false, errno: 'EOPNOTSUPP' }
  }

  // The rest.

  *wait(wait: Wait): Body<'woken' | 'timeout' | 'signal'> {
    this.begin()
    yield wait
    if (this.interruption() !== 'no') return 'signal'
    return this.process.woken === 'timeout' ? 'timeout' : 'woken'
  }

  getrandom(length: number): Uint8Array {
    this.enter()
    return this.host.sim.random(`${this.host.name}/random`).bytes(length)
  }

  uname(): { sysname: string; nodename: string; release: string; version: string; machine: string } {
    const { release, version } = this.host.image
    return { sysname: 'Linux', nodename: this.host.hostname, release, version, machine: 'x86_64' }
  }

  sethostname(name: string): SysResult<void> {
    this.enter()
    if (name.length > 64) return fail('EINVAL')
    this.host.hostname = name
    return OK
  }

  klog(): { timeNs: number; level: number; text: string }[] {
    this.enter()
    return this.host.klog()
  }

  // Inside.

  /** Job control: a background process that touches its terminal. @see Linux 6.1 drivers/tty/tty_jobctrl.c: __tty_check_change() */
  *#background(file: TerminalFile, signal: Signal): Body<Errno | undefined> {
    const process = this.process
    const { terminal } = file
    for (;;) {
      if (process.session.terminal !== terminal || terminal.foreground === process.pgid || terminal.foreground === 0) {
        return undefined
      }
      const ignored = process.actions.get(signal) === 'ignore' || process.blocked.has(signal)
      if (ignored) return signal === 'SIGTTIN' ? 'EIO' : undefined
      if (this.machine.isOrphaned(process.pgid)) return 'EIO'
      this.machine.signalGroup(process.pgid, signal)
      yield YIELD
      if (this.interruption() === 'yes') return 'EINTR'
    }
  }

  #childReady(pid: number): boolean {
    for (const child of this.process.children) {
      if ((child.ended || child.news) && (pid === -1 || child.pid === pid || child.pgid === -pid)) return true
    }
    return false
  }

  #find(path: string, follow: boolean) {
    return find(this.host, this.process.cwd, path, follow)
  }

  #stat(path: string, follow: boolean): SysResult<Stat> {
    this.enter()
    const place = this.#find(path, follow)
    return place.ok ? ok(place.value.node.stat(this.host)) : place
  }

  #make(path: string, type: 'directory' | 'symlink' | 'fifo', mode: number, target?: string): SysResult<void> {
    this.enter()
    const made = paths.makeNode(this.host, this.process.cwd, path, type, mode, target)
    return made.ok ? OK : made
  }
}

/**
 * A kernel that runs: the processes of a host and the queue in which they take turns on its one CPU. Made when the first
 * process is, gone with the power.
 *
 * CPU time is a debt: a process does its work in no time, and what follows on this CPU waits until the debt has passed.
 */

import { encodeUtf8 } from '#base/bytes'
import { AssertionFailed, assert, BudgetExceeded, NotModelled } from '#base/check'
import { type Target, TIME_MAX_NS } from '#base/sim'
import { EXIT_NS } from './costs.ts'
import type { OpenFile } from './file.ts'
import { PLAIN_HARDWARE } from './hardware.ts'
import { type CpuObserver, interruptSlot } from './interrupt-slot.ts'
import type { KernelHost } from './kernel.ts'
import { LoadAverage } from './load.ts'
import { dropNetns, holdNetns } from './netns.ts'
import { Pipe } from './pipe.ts'
import { dropReference, Process, ProcessEnd } from './process.ts'
import type { Signal } from './signal.ts'
import type { SpawnBody, WaitStatus } from './sys.ts'
import { SystemCalls } from './system-calls.ts'
import type { Terminal } from './terminal.ts'
import type { Body, Wait } from './wait.ts'

/** Where pids begin: a booted Debian has used the ones below. */
const FIRST_PID = 301
/** /proc/sys/kernel/pid_max on 64 bits. */
export const PID_MAX = 4_194_304

/** As /proc/sys/kernel/threads-max: beyond it fork(2) answers EAGAIN, and here the run ends. */
const PROCESSES_MAX = 7797

/** How a program ends that met what isn't modelled: EX_SOFTWARE of sysexits(3). */
const NOT_MODELLED_STATUS = 70

/** What a process that is started from outside gets. */
export interface SpawnOptions {
  argv?: string[]
  /** The program's path; argv[0] looked up in PATH by default. Not needed with `body`. */
  path?: string
  /** Instead of a program. */
  body?: SpawnBody
  /** Descriptors 0, 1, 2 and on. By default the terminal, or /dev/null. */
  files?: OpenFile[]
  env?: Record<string, string>
  cwd?: string
  /** Its controlling terminal. */
  terminal?: Terminal
  onExit?: (status: WaitStatus) => void
}

export class Machine implements Target {
  readonly host: KernelHost
  readonly processes = new Map<number, Process>()
  readonly terminals = new Map<number, Terminal>()
  readonly init: Process
  /** The process that runs at this moment. */
  current: Process | undefined
  /** When the CPU has worked off what it was charged. */
  cpuFreeNs = 0
  busyNs = 0
  userNs = 0
  systemNs = 0
  switches = 0
  readonly load: LoadAverage
  /** Pipes of the FIFOs that are open, by inode. */
  readonly fifos = new Map<unknown, Pipe>()
  /** The jiffy in which the timer wheel last woke a process. */
  wheelRanAt = -1
  lastPid = FIRST_PID - 1
  pidMax = PID_MAX
  /** Who counts its interrupts; undefined on a plain host. */
  readonly observer: CpuObserver | undefined
  #nextInode = 20_000
  readonly #slot: number
  readonly #queue: Process[] = []
  /** A process of this machine awaits a promise. */
  #held = false
  #dead = false

  constructor(host: KernelHost) {
    this.host = host
    this.load = new LoadAverage(host.bootedNs)
    this.#slot = host.sim.slot(`${host.name}: processes`, this)
    this.init = new Process(this, 1, undefined, undefined)
    this.init.name = 'systemd'
    this.init.argv = ['/sbin/init']
    this.init.exe = '/usr/lib/systemd/systemd'
    this.processes.set(1, this.init)
    this.observer = host.hardware === PLAIN_HARDWARE ? undefined : interruptSlot(host.image).observer?.(host)
  }

  /** An inode number for a pipe or a socket. */
  newInode(): number {
    return this.#nextInode++
  }

  newPipe(): Pipe {
    return new Pipe(this.newInode())
  }

  // The run queue.

  makeRunnable(process: Process): void {
    if (process.queued || process.ended || this.#dead) return
    if (process.stopped) {
      process.held = true
      return
    }
    process.queued = true
    this.#queue.push(process)
    this.load.note(this.host.sim.nowNs, this.#queue.length, this.cpuFreeNs)
    if (!this.current) this.#arm()
  }

  #arm(): void {
    // Whoever awaits a promise is on the CPU still: what it costs isn't paid yet, so when the next may run isn't known.
    if (this.#held) return
    const { sim } = this.host
    if (this.#queue.length > 0 && sim.due(this.#slot) === Number.POSITIVE_INFINITY) {
      sim.arm(this.#slot, Math.max(sim.nowNs, this.cpuFreeNs))
    }
  }

  fire(): void {
    const process = this.#queue.shift()
    try {
      if (process) {
        process.queued = false
        this.#run(process)
      }
    } finally {
      if (!this.#dead) this.#arm() // The others go on, even after what stops the run.
    }
  }

  /** @param again it has waited for a promise, for which it doesn't leave the CPU: virtual time stood still */
  #run(process: Process, again = false): void {
    if (process.ended || !process.body) return
    this.current = process
    try {
      if (!again) {
        process.switches++
        this.switches++
      }
      const killed = process.takeSignals()
      if (killed) this.#finish(process, killed)
      else if (!process.stopped) {
        const step = process.body.next()
        if (step.done && !process.leaving) {
          // Taking a process down takes time, before its descriptors are closed and its parent is told.
          process.leaving = true
          process.body = leave(step.value)
          process.charge(EXIT_NS, false)
          this.#pay(process)
          this.makeRunnable(process)
          return
        }
        if (!step.done && step.value.promise) {
          this.#await(process, step.value.promise)
          return
        }
        this.#pay(process)
        if (step.done) this.#exit(process, { exit: step.value & 0xff })
        else this.#block(process, step.value)
      }
    } catch (thrown) {
      if (thrown instanceof ProcessEnd) this.#finish(process, thrown.status)
      else if (thrown instanceof RangeError && /call stack/i.test(thrown.message)) {
        // A program that calls itself without end runs off its stack here as there.
        this.#exit(process, { signal: 'SIGSEGV' })
      } else if (thrown instanceof NotModelled && this.host.onNotModelled) {
        // Said where the program says its own errors, and to whoever runs the lab; the host lives on.
        process.file(2)?.write(encodeUtf8(`${process.name}: not modelled: ${thrown.message}\n`))
        this.#exit(process, { exit: NOT_MODELLED_STATUS })
        this.host.onNotModelled(named(thrown, process) as NotModelled)
      } else {
        this.#exit(process, { signal: 'SIGABRT' })
        throw named(thrown, process)
      }
    } finally {
      this.current = undefined
    }
  }

  /** The clock stands still until a promise is settled; then the process goes on as if nothing had been. */
  #await(process: Process, promise: Promise<unknown>): void {
    const { sim } = this.host
    const { owner } = sim
    this.#held = true
    sim.hold(promise, () =>
      sim.as(owner, () => {
        this.#held = false
        try {
          this.#run(process, true)
        } finally {
          if (!this.#dead) this.#arm()
        }
      }),
    )
  }

  #pay(process: Process): void {
    const { sim } = this.host
    this.cpuFreeNs = Math.max(this.cpuFreeNs, sim.nowNs) + process.debtNs
    this.observer?.busy(process.name, process.pid, this.cpuFreeNs - process.debtNs, this.cpuFreeNs)
    this.busyNs += process.debtNs
    process.debtNs = 0
    this.load.note(sim.nowNs, this.#queue.length, this.cpuFreeNs)
  }

  #block(process: Process, wait: Wait): void {
    const { sim } = this.host
    process.woken = 'woken'
    if (wait.untilNs <= sim.nowNs || process.hasSignals) {
      process.woken = wait.untilNs <= sim.nowNs ? 'timeout' : 'signal'
      this.makeRunnable(process)
      return
    }
    process.waiting = wait
    for (const queue of wait.queues) queue.add(process)
    // What is due after the end of all labs never is.
    if (wait.untilNs <= TIME_MAX_NS) {
      if (process.slot < 0) process.slot = sim.slot(`${this.host.name}: ${process.name}[${process.pid}]`, process)
      sim.arm(process.slot, wait.untilNs)
    }
  }

  // Birth and death.

  #newPid(): number {
    do this.lastPid = this.lastPid + 1 >= this.pidMax ? FIRST_PID : this.lastPid + 1
    while (this.processes.has(this.lastPid))
    return this.lastPid
  }

  /** A process that isn't anybody's child but init's, in a session of its own. */
  spawn(options: SpawnOptions): Process {
    const process = new Process(this, this.#newPid(), this.init, undefined)
    this.init.children.add(process)
    this.processes.set(process.pid, process)
    for (const [name, value] of Object.entries(options.env ?? {})) process.env.set(name, value)
    process.cwd = options.cwd ?? '/'
    process.onExit = options.onExit
    if (options.terminal) {
      process.session.terminal = options.terminal
      options.terminal.session = process.session
      options.terminal.foreground = process.pgid
    }
    const files = options.files ?? defaultFiles(this.host, options.terminal)
    files.forEach((file, fd) => {
      process.install(fd, file)
    })
    const argv = options.argv ?? []
    process.argv = argv
    process.name = (argv[0] ?? 'process').replace(/^.*\//, '').slice(0, 15)
    this.#start(process, options.body ?? programBody(options))
    return process
  }

  /** fork(2): a child with copies of everything, which runs `body`. */
  fork(parent: Process, body: SpawnBody): Process {
    if (this.processes.size >= PROCESSES_MAX) {
      throw new BudgetExceeded('memory', `a host has ${PROCESSES_MAX} processes and no more`)
    }
    const child = new Process(this, this.#newPid(), parent, parent.session)
    parent.children.add(child)
    this.processes.set(child.pid, child)
    child.pgid = parent.pgid
    child.name = parent.name
    child.argv = parent.argv
    child.exe = parent.exe
    child.env = new Map(parent.env)
    child.cwd = parent.cwd
    child.umask = parent.umask
    child.netns = parent.netns
    holdNetns(child.netns)
    child.mounts = parent.mounts
    parent.descriptors.forEach((descriptor, fd) => {
      if (descriptor) child.install(fd, descriptor.file, descriptor.closeOnExec)
    })
    for (const [signal, action] of parent.actions) child.actions.set(signal, action)
    for (const signal of parent.blocked) child.blocked.add(signal)
    this.#start(child, body)
    return child
  }

  #start(process: Process, body: SpawnBody): void {
    process.body = body(new SystemCalls(process))
    this.makeRunnable(process)
  }

  /** Ends a process whose body has not ended: its finally blocks run, and can't block. */
  #finish(process: Process, status: Omit<WaitStatus, 'pid'>): void {
    const { body } = process
    try {
      for (let tries = 0; body && tries < 100; tries++) {
        if (body.return(0).done) break
      }
    } catch (thrown) {
      if (!(thrown instanceof ProcessEnd)) {
        this.#exit(process, status)
        throw named(thrown, process)
      }
    }
    this.#pay(process)
    this.#exit(process, status)
  }

  /** @see Linux 6.1 kernel/exit.c: do_exit(), exit_notify() */
  #exit(process: Process, status: Omit<WaitStatus, 'pid'>): void {
    const { sim } = this.host
    process.ended = { pid: process.pid, ...status }
    process.stopped = undefined
    if (process.waiting) for (const queue of process.waiting.queues) queue.remove(process)
    process.waiting = undefined
    if (process.slot >= 0) sim.release(process.slot)
    process.slot = -1
    process.alarm?.destroy()
    process.alarm = undefined
    const { netns } = process
    for (let fd = 0; fd < process.descriptors.length; fd++) process.closeDescriptor(fd)
    process.netns = this.host
    dropNetns(netns)
    const groups = new Set([process.pgid])
    for (const child of process.children) {
      child.parent = this.init
      groups.add(child.pgid)
      if (child.ended) this.reap(child)
      else this.init.children.add(child)
    }
    process.children.clear()
    this.#leaveSession(process)
    // A group that this leaves without anybody to continue it, and that is stopped, is told so.
    for (const pgid of groups) {
      const members = this.group(pgid)
      if (members.some((member) => member.stopped) && this.isOrphaned(pgid)) {
        this.signalGroup(pgid, 'SIGHUP')
        this.signalGroup(pgid, 'SIGCONT')
      }
    }
    const { parent } = process
    process.onExit?.(process.ended)
    if (!parent || parent === this.init || parent.actions.get('SIGCHLD') === 'ignore') this.reap(process)
    else parent.send('SIGCHLD')
    parent?.childQueue.wake()
  }

  /** A session's end: the leader's terminal is given up, and its foreground group is told. */
  #leaveSession(process: Process): void {
    const { session } = process
    if (session.id !== process.pid || !session.terminal) return
    const { terminal } = session
    const { foreground } = terminal
    if (foreground !== 0) {
      this.signalGroup(foreground, 'SIGHUP')
      this.signalGroup(foreground, 'SIGCONT')
    }
    terminal.disassociate()
    session.terminal = undefined
  }

  /** Takes a zombie away. */
  reap(process: Process): void {
    this.processes.delete(process.pid)
    const { parent } = process
    parent?.children.delete(process)
    if (parent) {
      parent.childUserNs += process.userNs + process.childUserNs
      parent.childSystemNs += process.systemNs + process.childSystemNs
    }
    process.parent = undefined
  }

  // Groups.

  group(pgid: number): Process[] {
    const members: Process[] = []
    for (const process of this.processes.values()) {
      if (process.pgid === pgid && !process.ended) members.push(process)
    }
    return members
  }

  signalGroup(pgid: number, signal: Signal): void {
    for (const process of this.group(pgid)) process.send(signal)
  }

  /** Whether no member has a parent in the same session but another group. @see Linux 6.1 kernel/exit.c: will_become_orphaned_pgrp() */
  isOrphaned(pgid: number): boolean {
    return !this.group(pgid).some(
      ({ parent, session }) => parent && parent !== this.init && parent.session === session && parent.pgid !== pgid,
    )
  }

  /** The power is gone: no body goes on, nothing is told. */
  powerCut(): void {
    this.#dead = true
    const { sim } = this.host
    for (const process of this.processes.values()) {
      if (process.waiting) for (const queue of process.waiting.queues) queue.remove(process)
      process.waiting = undefined
      if (process.slot >= 0) sim.release(process.slot)
      process.slot = -1
      process.alarm?.destroy()
      process.ended = { pid: process.pid, signal: 'SIGKILL' }
      for (const descriptor of process.descriptors) if (descriptor) dropReference(descriptor.file)
    }
    sim.release(this.#slot)
    for (const terminal of this.terminals.values()) terminal.powerCut()
    for (const process of this.processes.values()) {
      process.onExit?.(process.ended!)
    }
    this.processes.clear()
  }
}

function defaultFiles(host: KernelHost, terminal: Terminal | undefined): OpenFile[] {
  if (terminal) {
    const file = terminal.open(2)
    return [file, file, file]
  }
  const file = host.openPath('/dev/null', 2)
  assert(file, '/dev/null is there')
  return [file, file, file]
}

function programBody(options: SpawnOptions): SpawnBody {
  return function* (sys) {
    const argv = options.argv ?? []
    const name = argv[0] ?? ''
    const path = options.path ?? name
    const places = path.includes('/')
      ? [path]
      : (sys.env.get('PATH') ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
          .split(':')
          .map((directory) => `${directory}/${path}`)
    for (const place of places) {
      const done = yield* sys.exec(place, argv)
      if (done.ok) return done.value
    }
    return 127
  }
}

/** What is left of a body that has ended: its status. */
function* leave(status: number): Body<number> {
  return status
}

const NAMED = new WeakSet<object>()

/** An error that stops the run says whose it was. */
function named(thrown: unknown, process: Process): unknown {
  if (!(thrown instanceof Error) || NAMED.has(thrown)) return thrown
  NAMED.add(thrown)
  const { host } = process.machine
  const where = `${host.name}: ${process.name}[${process.pid}]`
  const when = `seed ${host.sim.seed}, ${host.sim.nowNs} ns`
  if (thrown instanceof NotModelled || thrown instanceof BudgetExceeded) thrown.message = `${where}: ${thrown.message}`
  else if (thrown instanceof AssertionFailed) thrown.message = `${where}: ${thrown.message} (${when})`
  else thrown.message = `${where}: ${thrown.message} (${when})`
  return thrown
}

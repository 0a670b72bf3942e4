/** What all system calls of a process share: what they cost, how they wait, what its own signals do to it. */
import { MILLISECOND } from '#base/sim'
import { SYSCALL_NS, YIELD } from './costs.ts'
import type { Errno, SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { OpenFile } from './file.ts'
import type { KernelHost } from './kernel.ts'
import type { Machine } from './machine.ts'
import { dropReference, type Process, ProcessEnd } from './process.ts'
import type { Signal } from './signal.ts'
import { O_NONBLOCK } from './sys.ts'
import { jiffiesOf, scheduleTimeoutNs } from './timing.ts'
import type { Body } from './wait.ts'

/** A debt beyond this is paid by the next call that may. */
export const DEBT_MAX_NS = MILLISECOND

export class Calls {
  protected readonly process: Process
  protected readonly machine: Machine
  protected readonly host: KernelHost

  constructor(process: Process) {
    this.process = process
    this.machine = process.machine
    this.host = process.machine.host
  }

  protected enter(): void {
    this.process.charge(SYSCALL_NS, false)
  }

  /** A call that may block begins: no handler has run yet, and its time-out counts from its first wait. */
  protected begin(): void {
    this.process.interrupted = 'no'
    this.process.deadlineNs = Number.POSITIVE_INFINITY
  }

  protected *owed(): Body<void> {
    if (this.process.debtNs > DEBT_MAX_NS) yield YIELD
  }

  /** Whether a handler ran while it was blocked. */
  protected interruption(): 'no' | 'restart' | 'yes' {
    return this.process.interrupted
  }

  /** Waits until a file may be ready. The error that the call answers, if it can't go on. */
  protected *waitFor(file: OpenFile, timeoutNs: number | undefined, partly = false): Body<Errno | undefined> {
    if ((file.flags & O_NONBLOCK) !== 0) return 'EAGAIN'
    const { process } = this
    if (timeoutNs !== undefined)
      process.deadlineNs = Math.min(
        process.deadlineNs,
        scheduleTimeoutNs(this.host, timeoutNs, this.machine.wheelRanAt),
      )
    yield { queues: [file.queue], untilNs: process.deadlineNs }
    const interruption = this.interruption()
    // A call that waits with a time-out isn't restarted; signal(7).
    if (interruption === 'yes' || (interruption === 'restart' && (partly || timeoutNs !== undefined))) return 'EINTR'
    if (process.woken !== 'timeout') return undefined
    this.machine.wheelRanAt = jiffiesOf(this.host)
    return 'EAGAIN'
  }

  protected sendSelf(signal: Signal): void {
    this.process.send(signal)
    this.deliver()
  }

  /** Acts on the process's own signals at once; one that stops it does so at the next yield. */
  protected deliver(): void {
    const process = this.process
    if (this.machine.current !== process) return
    if (process.pending.some((signal) => process.actionOf(signal) === 'stop')) return
    const ended = process.takeSignals()
    if (ended) throw new ProcessEnd(ended)
  }

  protected install(file: OpenFile, least: number, closeOnExec: boolean): SysResult<number> {
    const fd = least < 1024 ? this.process.freeDescriptor(least) : undefined
    if (fd === undefined) {
      file.references++
      dropReference(file)
      return fail(least < 1024 ? 'EMFILE' : 'EINVAL')
    }
    this.process.install(fd, file, closeOnExec)
    return ok(fd)
  }
}

/** Children, and the jobs that they are parts of. bash(1), "JOB CONTROL". */
import { SIGNALS, type Signal, type WaitStatus } from '#kernel/core'

export interface Job {
  number: number
  /** The process group's leader, or the first process. */
  pgid: number
  pids: number[]
  /** As it was typed, roughly. */
  text: string
  background: boolean
  stopped: Signal | undefined
  /** Whether its end was told to the user, or needn't be. */
  notified: boolean
}

/** signal(7)'s texts, as strsignal(3) has them. */
export const SIGNAL_TEXT: Record<string, string> = {
  SIGHUP: 'Hangup',
  SIGINT: 'Interrupt',
  SIGQUIT: 'Quit',
  SIGILL: 'Illegal instruction',
  SIGTRAP: 'Trace/breakpoint trap',
  SIGABRT: 'Aborted',
  SIGBUS: 'Bus error',
  SIGFPE: 'Floating point exception',
  SIGKILL: 'Killed',
  SIGUSR1: 'User defined signal 1',
  SIGSEGV: 'Segmentation fault',
  SIGUSR2: 'User defined signal 2',
  SIGPIPE: 'Broken pipe',
  SIGALRM: 'Alarm clock',
  SIGTERM: 'Terminated',
  SIGSTKFLT: 'Stack fault',
  SIGXCPU: 'CPU time limit exceeded',
  SIGXFSZ: 'File size limit exceeded',
  SIGVTALRM: 'Virtual timer expired',
  SIGPROF: 'Profiling timer expired',
  SIGIO: 'I/O possible',
  SIGPWR: 'Power failure',
  SIGSYS: 'Bad system call',
  SIGSTOP: 'Stopped (signal)',
  SIGTSTP: 'Stopped',
  SIGTTIN: 'Stopped (tty input)',
  SIGTTOU: 'Stopped (tty output)',
}

/** The exit status that a shell makes of what wait(2) says. */
export function statusOf(status: WaitStatus): number {
  if (status.signal) return 128 + SIGNALS[status.signal]
  if (status.stopped) return 128 + SIGNALS[status.stopped]
  return status.exit ?? 0
}

export class JobTable {
  readonly jobs: Job[] = []
  /** How children that have ended did. */
  readonly ended = new Map<number, WaitStatus>()
  /** Children that are still there. */
  readonly running = new Set<number>()
  /** The job that `%+` is, then `%-`: the most recently stopped or started in the background. */
  readonly #order: Job[] = []

  add(pgid: number, pids: number[], text: string, background: boolean): Job {
    const number = Math.max(0, ...this.jobs.map((job) => job.number)) + 1
    const job: Job = { number, pgid, pids, text, background, stopped: undefined, notified: false }
    this.jobs.push(job)
    if (background) this.makeCurrent(job)
    return job
  }

  makeCurrent(job: Job): void {
    const at = this.#order.indexOf(job)
    if (at >= 0) this.#order.splice(at, 1)
    this.#order.unshift(job)
  }

  remove(job: Job): void {
    for (const list of [this.jobs, this.#order]) {
      const at = list.indexOf(job)
      if (at >= 0) list.splice(at, 1)
    }
  }

  clear(): void {
    this.jobs.length = 0
    this.#order.length = 0
  }

  get current(): Job | undefined {
    return this.#order.find((job) => job.stopped) ?? this.#order[0]
  }

  get previous(): Job | undefined {
    const current = this.current
    return this.#order.find((job) => job !== current && job.stopped) ?? this.#order.find((job) => job !== current)
  }

  mark(job: Job): string {
    return job === this.current ? '+' : job === this.previous ? '-' : ' '
  }

  /** Takes what wait(2) said. */
  reap(status: WaitStatus): void {
    const job = this.jobs.find((candidate) => candidate.pids.includes(status.pid))
    if (status.stopped) {
      if (job) {
        job.stopped = status.stopped
        this.makeCurrent(job)
      }
      return
    }
    if (status.continued) {
      if (job) job.stopped = undefined
      return
    }
    this.ended.set(status.pid, status)
    this.running.delete(status.pid)
  }

  isDone(job: Job): boolean {
    return job.pids.every((pid) => this.ended.has(pid))
  }

  /** The status of its last process. */
  lastStatus(job: Job): WaitStatus {
    return this.ended.get(job.pids[job.pids.length - 1]!) ?? { pid: job.pgid, exit: 0 }
  }

  /** %1, %+, %%, %-, %text, %?text. Undefined: no such job; 'ambiguous': more than one. */
  find(spec: string): Job | undefined | 'ambiguous' {
    const text = spec.startsWith('%') ? spec.slice(1) : spec
    if (text === '' || text === '%' || text === '+') return this.current
    if (text === '-') return this.previous
    if (/^\d+$/.test(text)) return this.jobs.find((job) => job.number === Number(text))
    const matches = this.jobs.filter((job) =>
      text.startsWith('?') ? job.text.includes(text.slice(1)) : job.text.startsWith(text),
    )
    return matches.length > 1 ? 'ambiguous' : matches[0]
  }

  /** Running, Stopped, Done, Exit 3, Terminated ... */
  stateText(job: Job): string {
    if (!this.isDone(job))
      return job.stopped ? (job.stopped === 'SIGTSTP' ? 'Stopped' : (SIGNAL_TEXT[job.stopped] ?? 'Stopped')) : 'Running'
    const status = this.lastStatus(job)
    if (status.signal) return SIGNAL_TEXT[status.signal] ?? status.signal
    return status.exit ? `Exit ${status.exit}` : 'Done'
  }

  /** A line of `jobs`. The state's column is as wide as bash makes it. */
  describe(job: Job, withPids = false): string {
    const ampersand = job.background && !job.stopped && !this.isDone(job) ? ' &' : ''
    const pid = withPids ? `${job.pgid} ` : ''
    return `[${job.number}]${this.mark(job)}  ${pid}${this.stateText(job).padEnd(24)}${job.text}${ampersand}`
  }
}

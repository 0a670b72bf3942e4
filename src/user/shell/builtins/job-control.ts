/** jobs, fg, bg, wait, kill, disown, suspend. bash(1), "JOB CONTROL". */
import { type Body, SIGNALS, type Signal, strerror } from '#kernel/core'
import { foreground } from '../execute.ts'
import { type Job, statusOf } from '../jobs.ts'
import type { Shell } from '../shell.ts'
import { type Builtin, complain, readOptions } from './builtin.ts'
import { listSignals, trapName } from './control.ts'

function* findJob(shell: Shell, argv: readonly string[], spec: string): Body<Job | undefined> {
  const job = shell.jobs.find(spec)
  if (job === 'ambiguous') {
    yield* complain(shell, argv, `${spec}: ambiguous job spec`)
    return undefined
  }
  if (!job) yield* complain(shell, argv, `${spec === '' ? 'current' : spec}: no such job`)
  return job
}

/** Jobs that have ended are shown once, then forgotten. */
function forgetDone(shell: Shell, job: Job): void {
  if (!shell.jobs.isDone(job)) return
  shell.jobs.remove(job)
}

/** `fg` and `bg`. */
function resume(background: boolean): Builtin {
  return function* (shell, argv) {
    if (!shell.monitor) {
      yield* complain(shell, argv, 'no job control')
      return 1
    }
    yield* shell.reapChildren()
    const job = yield* findJob(shell, argv, argv[1] ?? '')
    if (!job) return 1
    if (shell.jobs.isDone(job)) {
      yield* complain(shell, argv, 'job has terminated')
      forgetDone(shell, job)
      return 1
    }
    if (background) {
      if (!job.stopped) {
        yield* complain(shell, argv, `job ${job.number} already in background`)
        return 0
      }
      yield* shell.print(`[${job.number}]${shell.jobs.mark(job)} ${job.text} &\n`)
      job.stopped = undefined
      job.background = true
      job.notified = false
      shell.sys.kill(-job.pgid, 'SIGCONT')
      return 0
    }
    yield* shell.print(`${job.text}\n`)
    if (shell.ownsTerminal) shell.sys.tcsetpgrp(job.pgid)
    job.background = false
    if (job.stopped) {
      job.stopped = undefined
      shell.sys.kill(-job.pgid, 'SIGCONT')
    }
    yield* foreground(shell, job.pids, job.text, job)
    return shell.status
  }
}

/** How a process that may have ended long ago did; undefined if it isn't this shell's. */
function* waitForPid(shell: Shell, pid: number): Body<number | undefined> {
  const { jobs } = shell
  const job = jobs.jobs.find((candidate) => candidate.pids.includes(pid))
  if (!jobs.ended.has(pid) && !jobs.running.has(pid)) return undefined
  while (!jobs.ended.has(pid)) {
    const status = yield* shell.sys.waitpid(-1, { untraced: true })
    if (!status.ok) {
      if (status.errno !== 'EINTR') return 127
      if (shell.interrupted) return 130
      const name = shell.pendingTraps[0]
      if (name !== undefined) return 128 + SIGNALS[name as Signal]
      continue
    }
    if (status.value) jobs.reap(status.value)
    if (job?.stopped) return 128 + SIGNALS[job.stopped]
  }
  return statusOf(jobs.ended.get(pid)!)
}

export const jobControl: Record<string, Builtin> = {
  *jobs(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'lnprsx', 'jobs [-lnprs] [jobspec ...] or jobs -x command [args]')
    if (!parsed) return 2
    yield* shell.reapChildren()
    const { options, operands } = parsed
    let list = [...shell.jobs.jobs]
    if (operands.length > 0) {
      list = []
      for (const spec of operands) {
        const job = yield* findJob(shell, argv, spec)
        if (!job) return 1
        list.push(job)
      }
    }
    if (options.has('r')) list = list.filter((job) => !job.stopped && !shell.jobs.isDone(job))
    if (options.has('s')) list = list.filter((job) => job.stopped)
    let text = ''
    for (const job of list)
      text += options.has('p') ? `${job.pgid}\n` : `${shell.jobs.describe(job, options.has('l'))}\n`
    yield* shell.print(text)
    for (const job of list) forgetDone(shell, job)
    return 0
  },
  fg: resume(false),
  bg: resume(true),
  *wait(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'fnp:', 'wait [-fn] [-p var] [id ...]')
    if (!parsed) return 2
    const { jobs } = shell
    if (parsed.options.has('n')) {
      const waitingFor = () => jobs.jobs.find((job) => jobs.isDone(job) && !job.notified)
      for (;;) {
        const done = waitingFor()
        if (done) {
          const status = statusOf(jobs.lastStatus(done))
          jobs.remove(done)
          if (parsed.options.has('p')) shell.assignElement(parsed.options.get('p')!, undefined, String(done.pgid))
          return status
        }
        const status = yield* shell.sys.waitpid(-1, {})
        if (!status.ok) {
          if (status.errno !== 'EINTR') return 127
          if (shell.pendingTraps.length > 0) return 128 + SIGNALS[shell.pendingTraps[0] as Signal]
          if (shell.interrupted) return 130
        } else if (status.value) jobs.reap(status.value)
      }
    }
    if (parsed.operands.length === 0) {
      for (const job of [...jobs.jobs]) {
        for (const pid of job.pids) {
          const status = yield* waitForPid(shell, pid)
          if (status !== undefined && (shell.pendingTraps.length > 0 || shell.interrupted) && !jobs.ended.has(pid))
            return status
        }
        if (!shell.notices) jobs.remove(job)
      }
      // Process substitutions and the like.
      for (const pid of [...jobs.running]) if (pid === shell.lastBackground) yield* waitForPid(shell, pid)
      return 0
    }
    let result = 0
    for (const operand of parsed.operands) {
      if (operand.startsWith('%')) {
        const job = yield* findJob(shell, argv, operand)
        if (!job) {
          result = 127
          continue
        }
        for (const pid of job.pids) result = (yield* waitForPid(shell, pid)) ?? 127
        if (!shell.notices) forgetDone(shell, job)
        continue
      }
      if (!/^\d+$/.test(operand)) {
        yield* complain(shell, argv, `\`${operand}': not a pid or valid job spec`)
        result = 2
        continue
      }
      const status = yield* waitForPid(shell, Number(operand))
      if (status === undefined) {
        yield* complain(shell, argv, `pid ${operand} is not a child of this shell`)
        result = 127
      } else {
        result = status
        const job = jobs.jobs.find((candidate) => candidate.pids.includes(Number(operand)))
        if (job && !shell.notices) forgetDone(shell, job)
      }
    }
    return result
  },
  *kill(shell, argv) {
    const usage = 'kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]'
    let signal: Signal | 0 | undefined = 'SIGTERM'
    let i = 1
    const first = argv[i]
    if (first === undefined) {
      yield* shell.print(`kill: usage: ${usage}\n`, 2)
      return 2
    }
    if (first === '-l' || first === '-L') {
      if (argv.length === 2) {
        yield* shell.print(listSignals())
        return 0
      }
      for (const word of argv.slice(2)) {
        const number = Number(word)
        const name = /^\d+$/.test(word) ? trapName(String(number > 128 ? number - 128 : number)) : trapName(word)
        if (!name) {
          yield* complain(shell, argv, `${word}: invalid signal specification`)
          return 1
        }
        yield* shell.print(`${/^\d+$/.test(word) ? name.replace(/^SIG/, '') : SIGNALS[name as Signal]}\n`)
      }
      return 0
    }
    let spec: string | undefined
    if (first === '-s' || first === '-n') {
      spec = argv[2]
      i = 3
      if (spec === undefined) {
        yield* complain(shell, argv, `${first}: option requires an argument`)
        return 1
      }
    } else if (first.length > 1 && first[0] === '-' && first !== '--') {
      spec = first.slice(1)
      i = 2
    }
    if (argv[i] === '--') i++
    if (spec !== undefined) {
      if (spec === '0') signal = 0
      else {
        const name = trapName(spec)
        signal = name && name in SIGNALS ? (name as Signal) : undefined
      }
      if (signal === undefined) {
        yield* complain(shell, argv, `${spec}: invalid signal specification`)
        return 1
      }
    }
    if (i >= argv.length) {
      yield* shell.print(`kill: usage: ${usage}\n`, 2)
      return 2
    }
    let status = 0
    for (const target of argv.slice(i)) {
      let pid: number
      if (target.startsWith('%')) {
        const job = yield* findJob(shell, argv, target)
        if (!job) {
          status = 1
          continue
        }
        pid = shell.monitor ? -job.pgid : job.pids[job.pids.length - 1]!
        if (job.stopped && (signal === 'SIGTERM' || signal === 'SIGHUP')) {
          shell.sys.kill(pid, signal)
          signal = 'SIGCONT'
        }
      } else if (/^-?\d+$/.test(target)) pid = Number(target)
      else {
        yield* complain(shell, argv, `${target}: arguments must be process or job IDs`)
        status = 1
        continue
      }
      const done = shell.sys.kill(pid, signal)
      if (!done.ok) {
        yield* complain(shell, argv, `(${target}) - ${strerror(done.errno)}`)
        status = 1
      }
    }
    return status
  },
  *disown(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'ahr', 'disown [-h] [-ar] [jobspec ... | pid ...]')
    if (!parsed) return 2
    if (parsed.options.has('a')) shell.jobs.clear()
    const specs = parsed.operands.length > 0 || parsed.options.size > 0 ? parsed.operands : ['']
    for (const spec of specs) {
      const byPid = /^\d+$/.test(spec) ? shell.jobs.jobs.find((job) => job.pids.includes(Number(spec))) : undefined
      const job = byPid ?? (yield* findJob(shell, argv, spec))
      if (!job) return 1
      if (!parsed.options.has('h')) shell.jobs.remove(job)
    }
    return 0
  },
  *suspend(shell) {
    shell.sys.kill(shell.sys.pid, 'SIGSTOP')
    return 0
  },
}

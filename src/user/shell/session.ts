/**
 * A shell that is given one command after another and says how each ended: how an article's console blocks are run. It
 * is an interactive shell as far as its wording goes, without a prompt, job notices and input.
 */
import { type Body, type KernelHost, type OpenFile, type Process, type Signal, type Sys, WaitQueue } from '#kernel/core'
import { ExitShell } from './errors.ts'
import { endStatus, handleInteractiveSignals, interpreter, runExitTrap, runSource } from './execute.ts'
import { Shell } from './shell.ts'

export interface ShellSession {
  /** Gives it a command, which may have several lines; one at a time. `exit` ends the shell, and the next command starts another. */
  execute(text: string, onEnd: (status: number) => void): void
  /** Ctrl-C, or another signal, to what runs in the foreground and to the shell's own loops. */
  interrupt(signal?: Signal): void
  /** Whether a command is running. */
  readonly busy: boolean
  /** The shell's process id, once it runs. */
  readonly pid: number | undefined
}

export interface ShellSessionOptions {
  /** Descriptors 0, 1 and 2. */
  files: OpenFile[]
  /** The controlling terminal, if it has one. */
  terminal?: Parameters<KernelHost['spawn']>[0]['terminal']
  env?: Record<string, string>
  cwd?: string
}

/** What a shell of root finds in its environment on Debian 12. */
export const DEFAULT_ENVIRONMENT: Record<string, string> = {
  HOME: '/root',
  USER: 'root',
  LOGNAME: 'root',
  SHELL: '/bin/bash',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  TERM: 'xterm',
}

interface Request {
  text: string
  onEnd(status: number): void
}

/** Starts a shell on a host, to be given commands from outside. */
export function createShellSession(host: KernelHost, options: ShellSessionOptions): ShellSession {
  const queue = new WaitQueue()
  let process: Process | undefined
  let shell: Shell | undefined
  let request: Request | undefined

  const body = function* (sys: Sys): Body<number> {
    const mine = new Shell(sys, interpreter, 'interactive', 'bash')
    shell = mine
    mine.monitor = true
    mine.options.add('history')
    mine.ownsTerminal = options.terminal !== undefined
    handleInteractiveSignals(mine, () => {
      mine.interrupted = true
    })
    for (;;) {
      while (!request) yield* sys.wait({ queues: [queue], untilNs: Number.POSITIVE_INFINITY })
      const { text } = request
      mine.history.push({ text })
      let exit: number | undefined
      try {
        mine.status = yield* runSource(mine, text)
      } catch (thrown) {
        if (thrown instanceof ExitShell) exit = thrown.status
        else mine.status = yield* endStatus(mine, thrown)
      }
      if (exit !== undefined) return yield* runExitTrap(mine, exit)
      yield* settle(mine)
      finish(mine.status)
    }
  }

  const finish = (status: number) => {
    const done = request
    request = undefined
    done?.onEnd(status)
  }

  const start = () => {
    process = host.spawn({
      argv: ['bash'],
      body,
      files: options.files,
      terminal: options.terminal,
      env: { ...DEFAULT_ENVIRONMENT, ...options.env },
      cwd: options.cwd ?? '/root',
      onExit(status) {
        process = undefined
        shell = undefined
        finish(status.exit ?? 128 + (status.signal ? 9 : 0))
      },
    })
  }

  return {
    get busy() {
      return request !== undefined
    },
    get pid() {
      return process?.pid
    },
    execute(text, onEnd) {
      if (request) throw new Error('a command is running')
      request = { text, onEnd }
      if (!process) start()
      else queue.wake()
    },
    interrupt(signal = 'SIGINT') {
      if (!process) return
      const job = shell?.foregroundJob
      if (job) process.machine.signalGroup(job.pgid, signal)
      // What has no group of its own, such as $(...), is in the shell's.
      if (!job || signal === 'SIGINT') process.machine.signalGroup(process.pgid, signal)
    },
  }
}

/** Between commands: children that ended are taken note of, silently; their statuses stay for `wait`. */
export function* settle(shell: Shell): Body<void> {
  shell.interrupted = false
  yield* shell.reapChildren()
  for (const job of [...shell.jobs.jobs]) if (shell.jobs.isDone(job)) shell.jobs.remove(job)
}

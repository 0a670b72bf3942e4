/** How a process that was killed is spoken of. cluster-glue 1.0.12 lib/clplumbing/proctrack.c: SignalTable */
import { SIGNALS, type Signal } from '#kernel/core'

const WORDS: Partial<Record<Signal, string>> = {
  SIGHUP: 'Hangup',
  SIGINT: 'Interrupt',
  SIGQUIT: 'Quit',
  SIGABRT: 'Abort',
  SIGKILL: 'Kill, unblockable',
  SIGUSR1: 'User-defined signal 1',
  SIGSEGV: 'Segmentation violation',
  SIGUSR2: 'User-defined signal 2',
  SIGPIPE: 'Broken pipe (POSIX)',
  SIGALRM: 'Alarm clock (POSIX)',
  SIGTERM: 'Termination (ANSI)',
}

/** `9 [SIGKILL - Kill, unblockable]`, or the number alone. */
export function signalWords(signal: Signal): string {
  const words = WORDS[signal]
  return words === undefined ? String(SIGNALS[signal]) : `${SIGNALS[signal]} [${signal} - ${words}]`
}

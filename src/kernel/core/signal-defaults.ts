/** What a signal does to a process that doesn't handle it. signal(7); Linux 6.1 include/linux/signal.h. */
import type { Signal } from './signal.ts'
import { SIGNALS } from './signal.ts'

export type DefaultAction = 'terminate' | 'stop' | 'continue' | 'ignore'

export function defaultAction(signal: Signal): DefaultAction {
  switch (signal) {
    case 'SIGCHLD':
    case 'SIGURG':
    case 'SIGWINCH':
      return 'ignore'
    case 'SIGCONT':
      return 'continue'
    case 'SIGSTOP':
    case 'SIGTSTP':
    case 'SIGTTIN':
    case 'SIGTTOU':
      return 'stop'
    default:
      return 'terminate'
  }
}

const BY_NUMBER = new Map(Object.entries(SIGNALS).map(([name, number]) => [number as number, name as Signal]))

/** The signal of a number, or undefined. */
export function signalByNumber(number: number): Signal | undefined {
  return BY_NUMBER.get(number)
}

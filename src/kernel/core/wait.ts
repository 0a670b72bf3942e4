/**
 * How a program blocks. A process's body is a generator; the only thing that it ever yields is a Wait: which queues may
 * wake it, and until when at the latest. The system calls of `Sys` that may block are generators around such a yield.
 */

/** What a process yields when it blocks. */
export interface Wait {
  /** Any of these wakes it. */
  readonly queues: readonly WaitQueue[]
  /** Wakes at this time at the latest; Infinity for never. */
  readonly untilNs: number
  /** From when on it may be woken for the time's sake, if that is earlier: the rest is slack. */
  readonly softNs?: number
  /** A promise of a library's that does no input or output; virtual time stands still until it is settled. */
  readonly promise?: Promise<unknown>
}

/** A program's body, or a part of it: give it on with `yield*`. */
export type Body<T> = Generator<Wait, T, void>

/** Something that a process can be woken by: a pipe's readers, a socket's receive queue. Linux 6.1 include/linux/wait.h. */
export class WaitQueue {
  #waiters: Waiter[] = []

  add(waiter: Waiter): void {
    this.#waiters.push(waiter)
  }

  remove(waiter: Waiter): void {
    const at = this.#waiters.indexOf(waiter)
    if (at >= 0) this.#waiters.splice(at, 1)
  }

  /** Wakes everyone who waits here. They look again at what they waited for, and may go back to sleep. */
  wake(): void {
    const count = this.#waiters.length
    if (count === 0) return
    if (count === 1) {
      this.#waiters[0]!.wake()
      return
    }
    for (const waiter of this.#waiters.slice()) waiter.wake()
  }

  get empty(): boolean {
    return this.#waiters.length === 0
  }
}

export interface Waiter {
  wake(): void
}

/** The queue of what is always ready: a regular file, /dev/null. Nobody waits there for long. */
export const NEVER_WOKEN = new WaitQueue()

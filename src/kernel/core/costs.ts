/** What system calls cost, and how a process pays. */
import type { Wait } from './wait.ts'

/** What fork(2) and execve(2) take, about. */
export const FORK_NS = 400_000
export const EXEC_NS = 600_000
/** What it takes to take a process down, about: exit_mmap() and what goes with it. */
export const EXIT_NS = 150_000
/** What any system call takes, about. */
export const SYSCALL_NS = 1_000
/** Gives the CPU up and goes on when it is its turn again. */
export const YIELD: Wait = { queues: [], untilNs: 0 }

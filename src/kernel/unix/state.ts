/** What AF_UNIX keeps for a host: its sockets and their names. Abstract ones are a network namespace's, paths the machine's. */
import { defineState } from '#kernel/core'
import type { UnixSocket } from './socket.ts'

export class UnixState {
  /** In the order of making. */
  readonly sockets = new Set<UnixSocket>()
  /** By name, with the leading NUL. */
  readonly abstract = new Map<string, UnixSocket>()
  /** By the node that a path leads to; who has been closed stays, so that connect is refused, until the node goes. */
  readonly bound = new WeakMap<object, UnixSocket>()
  nextInode = 40_000
  /** net.unix.max_dgram_qlen. */
  maxDgramQueue = 10
  somaxconn = 4096
}

export const unixState = defineState(() => new UnixState())

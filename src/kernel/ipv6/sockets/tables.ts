/** A host's AF_INET6 sockets but for TCP's, in the order in which the kernel's chains are walked: the youngest first. */
import { newInode } from '#kernel/net'
import type { State6 } from '../state.ts'
import type { Ping6Socket } from './ping.ts'
import type { Raw6Socket } from './raw.ts'
import type { Udp6Socket } from './udp.ts'

export class SocketTables6 {
  readonly raw: Raw6Socket[] = []
  /** By identifier. */
  readonly ping = new Map<number, Ping6Socket[]>()
  /** By local port. */
  readonly udp = new Map<number, Udp6Socket[]>()
  pingRover = 0
}

/** A host's tables, made when its first socket is. */
export function socketTables6(state: State6): SocketTables6 {
  state.sockets ??= new SocketTables6()
  return state.sockets
}

/** Sockets of all families are numbered in one row. */
export function inodeOf(state: State6): number {
  return newInode(state.host)
}

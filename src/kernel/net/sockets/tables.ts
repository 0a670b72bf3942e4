/** A host's sockets, by family and kind, in the order in which the kernel's chains are walked: the youngest first. */
import type { Host } from '#kernel/core'
import { type InetState, inetState } from '../ip-state.ts'
import type { PacketSocket } from './packet.ts'
import type { PingSocket } from './ping.ts'
import type { RawSocket } from './raw.ts'
import type { UdpSocket } from './udp.ts'

export class SocketTables {
  readonly raw: RawSocket[] = []
  /** By identifier. */
  readonly ping = new Map<number, PingSocket[]>()
  /** By local port. */
  readonly udp = new Map<number, UdpSocket[]>()
  readonly packet: PacketSocket[] = []
  pingRover = 0
  nextInode = 10_000
}

/** The next number for a socket. */
export function newInode(host: Host): number {
  return socketTables(inetState.of(host)).nextInode++
}

/** A host's tables, made when its first socket is. */
export function socketTables(state: InetState): SocketTables {
  state.sockets ??= new SocketTables()
  return state.sockets
}

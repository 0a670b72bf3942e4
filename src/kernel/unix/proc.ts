/** /proc/net/unix, and what `ss -x` asks. Linux 6.1 net/unix/af_unix.c: unix_seq_show(); net/unix/diag.c. */
import type { Host } from '#kernel/core'
import type { SocketMessage } from '#kernel/net'
import type { UnixSocket } from './socket.ts'
import { unixState } from './state.ts'

const TYPES = { SOCK_STREAM: 1, SOCK_DGRAM: 2, SOCK_SEQPACKET: 5 }
const NETIDS = { SOCK_STREAM: 'u_str', SOCK_DGRAM: 'u_dgr', SOCK_SEQPACKET: 'u_seq' }
/** SS_UNCONNECTED, SS_CONNECTING, SS_CONNECTED. */
const UNCONNECTED = 1
const CONNECTING = 2
const CONNECTED = 3
/** __SO_ACCEPTCON. */
const ACCEPTING = 0x10000

const hex = (value: number, width: number) => value.toString(16).toUpperCase().padStart(width, '0')

/** A name as it is printed: every NUL of an abstract one is an @. */
export function printedName(name: string): string {
  return name.replaceAll('\0', '@')
}

export function printUnixSockets(host: Host): string {
  let text = 'Num       RefCount Protocol Flags    Type St Inode Path\n'
  for (const socket of unixState.peek(host)?.sockets ?? []) {
    // The kernel prints a hash of the address, drawn anew at every boot; the inode tells as much.
    const number = (0x5bd1e995 * socket.inode) % 2 ** 32
    // The socket's own reference, and its peer's.
    const references = 1 + (socket.file ? 1 : 0) + (socket.peer && !socket.peer.released ? 1 : 0)
    const state = socket.file
      ? socket.state === 'ESTAB'
        ? CONNECTED
        : UNCONNECTED
      : socket.state === 'ESTAB'
        ? CONNECTING
        : 4
    text += `${number.toString(16).padStart(16, '0')}: ${hex(references, 8)} ${hex(0, 8)} `
    text += `${hex(socket.state === 'LISTEN' ? ACCEPTING : 0, 8)} ${hex(TYPES[socket.type], 4)} ${hex(state, 2)} `
    text += String(socket.inode).padStart(5)
    if (socket.name !== undefined) text += ` ${printedName(socket.name)}`
    text += '\n'
  }
  return text
}

export function dumpUnixSockets(host: Host): SocketMessage[] {
  return [...(unixState.peek(host)?.sockets ?? [])].map((socket) => messageOf(socket))
}

function messageOf(socket: UnixSocket): SocketMessage {
  const listening = socket.state === 'LISTEN'
  const pending = socket.received.reduce((sum, { bytes, taken }) => sum + bytes.length - taken, 0)
  const receiveQueue = socket.type === 'SOCK_DGRAM' ? (socket.received[0]?.bytes.length ?? 0) : pending
  return {
    type: 'INET_DIAG',
    family: 'AF_UNIX',
    netid: NETIDS[socket.type],
    state: socket.type === 'SOCK_DGRAM' && !socket.peer ? 'UNCONN' : socket.state,
    receiveQueue: listening ? socket.accepting.length : receiveQueue,
    sendQueue: listening ? socket.backlog : socket.sentMemory,
    local: socket.name === undefined ? '*' : printedName(socket.name),
    localPort: String(socket.inode),
    peer: socket.peer?.name === undefined ? '*' : printedName(socket.peer.name),
    peerPort: String(socket.peer && !socket.peer.released ? socket.peer.inode : 0),
    inode: socket.inode,
    ifindex: 0,
    uid: 0,
  }
}

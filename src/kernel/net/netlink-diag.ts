/** SOCK_DIAG: what `ss` lists. Linux 6.1 net/ipv4/inet_diag.c, udp_diag.c, raw_diag.c, net/packet/diag.c. */
import type { Host, KernelImage } from '#kernel/core'
import { formatIpv4 } from '#wire/inet'
import { deviceByIndex } from './devices.ts'
import { inetState } from './ip-state.ts'
import type { SocketMessage } from './netlink.ts'
import type { InetSocket } from './sockets/inet.ts'
import { dumpTcp } from './tcp/diag.ts'

function inetMessage(host: Host, socket: InetSocket, netid: string, port: string): SocketMessage {
  const device = socket.boundDevice === 0 ? undefined : deviceByIndex(host, socket.boundDevice)
  const address = (value: number) => (value === 0 ? '0.0.0.0' : formatIpv4(value))
  const suffix = device ? `%${device.name}` : ''
  return {
    type: 'INET_DIAG',
    family: 'AF_INET',
    netid,
    state: socket.connected ? 'ESTAB' : 'UNCONN',
    receiveQueue: socket.received.memory,
    sendQueue: 0,
    local: address(socket.receiveAddress) + suffix,
    localPort: port,
    peer: address(socket.peerAddress),
    peerPort: socket.peerPort === 0 ? '*' : String(socket.peerPort),
    inode: socket.inode,
    ifindex: socket.boundDevice,
    uid: 0,
  }
}

/** A host's sockets, TCP's apart. */
export function dumpSockets(host: Host): SocketMessage[] {
  const tables = inetState.of(host).sockets
  if (!tables) return []
  const messages: SocketMessage[] = []
  for (const socket of tables.packet) {
    const protocol = socket.protocol === 3 ? '*' : String(socket.protocol)
    messages.push({
      type: 'INET_DIAG',
      family: 'AF_PACKET',
      netid: socket.type === 'SOCK_RAW' ? 'p_raw' : 'p_dgr',
      state: 'UNCONN',
      receiveQueue: socket.received.memory,
      sendQueue: 0,
      local: protocol,
      localPort: socket.device?.name ?? '*',
      peer: '*',
      peerPort: '',
      inode: socket.inode,
      ifindex: socket.device?.ifindex ?? 0,
      uid: 0,
    })
  }
  for (const socket of tables.raw) messages.push(inetMessage(host, socket, 'raw', String(socket.number)))
  for (const list of tables.ping.values()) {
    for (const socket of list) messages.push(inetMessage(host, socket, 'icmp', String(socket.number)))
  }
  for (const list of tables.udp.values()) {
    for (const socket of list) {
      if (socket.insideOf === undefined) messages.push(inetMessage(host, socket, 'udp', String(socket.number)))
    }
  }
  return messages
}

/** Other families' sockets, by whoever has them. */
export function socketDumpers(image: KernelImage): ((host: Host) => SocketMessage[])[] {
  return image.slot('kernel/net: socket dumpers', () => [])
}

/** All sockets of a host, of every family. */
export function allSockets(host: Host): SocketMessage[] {
  const others = socketDumpers(host.image)
  return [...dumpSockets(host), ...dumpTcp(host), ...others.flatMap((dump) => dump(host))]
}

export function installSocketDiag(image: KernelImage): void {
  image.netlink('SOCK_DIAG', (host) => ({ ok: true, messages: allSockets(host) }))
}

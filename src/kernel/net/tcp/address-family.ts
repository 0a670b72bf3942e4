/**
 * What TCP leaves to IPv4 or IPv6: addresses, routes, headers. Linux 6.1 include/net/inet_connection_sock.h:
 * struct inet_connection_sock_af_ops.
 */
import type { Errno, SockAddr, SysResult } from '#kernel/core'
import type { Packet } from '#wire/inet'
import type { NetDevice } from '../device.ts'
import type { TcpHost } from './host.ts'
import type { Request } from './request.ts'
import type { Address, TcpSock } from './sock.ts'

/** The way to a peer (dst_entry); what is behind it is the family's. */
export interface Path {
  readonly device: NetDevice
}

/** What an answer without a socket of its own is made for, and how. */
export interface Reply {
  /** The segment that it answers. */
  to: Packet
  device: NetDevice
  /** Filled in but for the network's header. */
  segment: Packet
  tos: number
  mark: number
  /** SO_BINDTODEVICE of the socket that answers; 0: none. */
  boundDevice: number
  /** A reset, which isn't sent for what wasn't for this host's own address. */
  reset: boolean
}

export interface AddressFamily {
  readonly name: 'AF_INET' | 'AF_INET6'
  /** 20 or 40. */
  readonly headerLength: number
  /** The address that stands for all. */
  readonly any: Address
  source(packet: Packet): Address
  destination(packet: Packet): Address
  toSockAddr(socket: TcpSock, address: Address, port: number): SockAddr
  /** An address that a program names, for bind and connect. */
  fromSockAddr(address: SockAddr): SysResult<{ address: Address; port: number }>
  /** Whether a socket may be bound to it. */
  mayBind(socket: TcpSock, address: Address): Errno | undefined
  format(address: Address): string

  /** The way for connect(2): sets `path`, `remote` (where the address stood for another), and the source if there is none yet. */
  connectPath(socket: TcpSock, remote: Address, port: number): Errno | undefined
  /** Sees to it that `path` is valid; the source stays. inet_sk_rebuild_header(). */
  path(socket: TcpSock): Path | undefined
  pathIsValid(path: Path): boolean
  mtu(path: Path): number
  advmss(path: Path): number
  /** RTAX_*: 0 if it isn't set. */
  metric(path: Path, name: string): number
  /** The peer is there: its neighbour entry is confirmed. */
  confirm(path: Path, remote: Address): void

  /** A packet with the addresses in it. */
  newPacket(local: Address, remote: Address): Packet
  /** Sends a socket's segment; undefined: sent. ip_queue_xmit(). */
  transmit(socket: TcpSock, segment: Packet): Errno | undefined
  /** The way back to who asked for a connection. inet_csk_route_req(). */
  requestPath(listener: TcpSock, request: Request): Path | undefined
  /** ip_build_and_send_pkt(). */
  transmitSynAck(listener: TcpSock, request: Request, segment: Packet): void
  /** ip_send_unicast_reply(); whether it was sent. */
  reply(tcp: TcpHost, reply: Reply): boolean
  /** Whether a segment was sent to one host only (not looped from a broadcast). */
  forUnicast(packet: Packet): boolean
}

/** socket(2) for AF_INET and AF_PACKET. Linux 6.1 net/ipv4/af_inet.c: inet_create(); net/packet/af_packet.c: packet_create(). */
import { NotModelled } from '#base/check'
import { fail, type Host, type OpenFile, ok, type SysResult } from '#kernel/core'
import { inetState } from '../ip-state.ts'
import { createTcpSocket, ipv4 } from '../tcp/index.ts'
import { SocketFile } from './file.ts'
import { PacketSocket } from './packet.ts'
import { PingSocket } from './ping.ts'
import { RawSocket } from './raw.ts'
import { UdpSocket } from './udp.ts'

const IPPROTO_ICMP = 1
const IPPROTO_TCP = 6
const IPPROTO_UDP = 17

/** A socket of AF_INET. */
export function createInetSocket(host: Host, type: string, protocol: number): SysResult<OpenFile> {
  if (protocol < 0 || protocol > 262) return fail('EINVAL')
  if (type === 'SOCK_STREAM') {
    if (protocol !== 0 && protocol !== IPPROTO_TCP && protocol !== 262) return fail('EPROTONOSUPPORT')
    if (protocol === 262) throw new NotModelled('MPTCP')
    return ok(createTcpSocket(host, ipv4, 'AF_INET'))
  }
  if (type === 'SOCK_DGRAM') {
    if (protocol === 0 || protocol === IPPROTO_UDP) return ok(new SocketFile(new UdpSocket(host, IPPROTO_UDP)))
    if (protocol !== IPPROTO_ICMP) return fail('EPROTONOSUPPORT')
    const { pingGroupLow, pingGroupHigh } = inetState.of(host).sysctls
    // Everybody here is root, of group 0.
    if (pingGroupLow > 0 || pingGroupHigh < 0 || pingGroupLow > pingGroupHigh) return fail('EACCES')
    return ok(new SocketFile(new PingSocket(host, IPPROTO_ICMP)))
  }
  if (type === 'SOCK_RAW') {
    if (protocol === 0) return fail('EPROTONOSUPPORT')
    return ok(new SocketFile(new RawSocket(host, protocol)))
  }
  return fail('ESOCKTNOSUPPORT')
}

/** A socket of AF_PACKET. protocol: an EtherType; 0 takes nothing in. */
export function createPacketSocket(host: Host, type: string, protocol: number): SysResult<OpenFile> {
  if (type !== 'SOCK_RAW' && type !== 'SOCK_DGRAM') return fail('ESOCKTNOSUPPORT')
  return ok(new SocketFile(new PacketSocket(host, type, protocol)))
}

/** socket(2) for AF_INET6. Linux 6.1 net/ipv6/af_inet6.c: inet6_create(). */
import { fail, type Host, type OpenFile, ok, type SysResult } from '#kernel/core'
import { inetState, SocketFile } from '#kernel/net'
import { createTcp6Socket } from '../tcp.ts'
import { Ping6Socket } from './ping.ts'
import { Raw6Socket } from './raw.ts'
import { Udp6Socket } from './udp.ts'

/** A socket of AF_INET6. */
export function createInet6Socket(host: Host, type: string, protocol: number): SysResult<OpenFile> {
  if (protocol < 0 || protocol > 262) return fail('EINVAL')
  if (type === 'SOCK_STREAM') {
    if (protocol !== 0 && protocol !== 6) return fail('EPROTONOSUPPORT')
    return ok(createTcp6Socket(host))
  }
  if (type === 'SOCK_DGRAM') {
    if (protocol === 0 || protocol === 17) return ok(new SocketFile(new Udp6Socket(host, 17)))
    if (protocol !== 58) return fail('EPROTONOSUPPORT')
    const { pingGroupLow, pingGroupHigh } = inetState.of(host).sysctls
    if (pingGroupLow > 0 || pingGroupHigh < 0 || pingGroupLow > pingGroupHigh) return fail('EACCES')
    return ok(new SocketFile(new Ping6Socket(host, 58)))
  }
  if (type === 'SOCK_RAW') {
    if (protocol === 0) return fail('EPROTONOSUPPORT')
    return ok(new SocketFile(new Raw6Socket(host, protocol)))
  }
  return fail('ESOCKTNOSUPPORT')
}

/** Which transmitter a connection has. Linux 6.1 net/netfilter/ipvs/ip_vs_conn.c: ip_vs_bind_xmit(). */
import type { Conn } from './conn.ts'
import {
  AF_INET6,
  IP_VS_CONN_F_BYPASS,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_LOCALNODE,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
} from './uapi.ts'
import { bypassXmit, directXmit, natXmit, nullXmit } from './xmit.ts'
import { tunnelXmit, tunnelXmit6 } from './xmit-tunnel.ts'

export function bindXmit(cp: Conn): void {
  switch (cp.method) {
    case IP_VS_CONN_F_MASQ:
      cp.packetXmit = natXmit
      break
    case IP_VS_CONN_F_TUNNEL:
      cp.packetXmit = cp.daf === AF_INET6 ? tunnelXmit6 : tunnelXmit
      break
    case IP_VS_CONN_F_DROUTE:
      cp.packetXmit = directXmit
      break
    case IP_VS_CONN_F_LOCALNODE:
      cp.packetXmit = nullXmit
      break
    case IP_VS_CONN_F_BYPASS:
      cp.packetXmit = bypassXmit
      break
    default:
      cp.packetXmit = undefined
  }
}

/** Which helper a connection gets. Linux 6.1 net/netfilter/ipvs/ip_vs_proto_tcp.c: tcp_app_conn_bind(). */
import type { Conn } from './conn.ts'
import { IP_VS_CONN_F_MASQ } from './uapi.ts'

/** Only where addresses change. */
export function bindApp(cp: Conn): void {
  cp.app = undefined
  const apps = cp.ipvs.protocol(cp.protocol)?.apps
  if (apps === undefined || apps.length === 0 || cp.method !== IP_VS_CONN_F_MASQ || cp.isTemplate) return
  const app = apps.find(({ port }) => port === cp.vport)
  if (app === undefined) return
  cp.app = app
  app.bind(cp)
}

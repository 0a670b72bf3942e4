/** What IPVS does with a packet, in words, for who follows its way (`ipTrace`); nothing is said while nobody listens. */
import { inetState } from '#kernel/net'
import type { Packet } from '#wire/inet'
import type { Conn } from './conn.ts'
import type { Dest } from './dest.ts'
import { endText, protocolName, serviceText } from './names.ts'
import { stateName } from './proto.ts'
import type { Service } from './service.ts'
import type { Ipvs } from './state.ts'
import {
  IP_VS_CONN_F_BYPASS,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_LOCALNODE,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
} from './uapi.ts'

const METHODS: Record<number, string> = {
  [IP_VS_CONN_F_MASQ]: 'by NAT',
  [IP_VS_CONN_F_LOCALNODE]: 'to this host',
  [IP_VS_CONN_F_TUNNEL]: 'by a tunnel',
  [IP_VS_CONN_F_DROUTE]: 'by direct routing',
  [IP_VS_CONN_F_BYPASS]: 'past all servers',
}

/** A server was chosen. `by`: a template; undefined: the scheduler. */
export function tellScheduled(svc: Service, packet: Packet, dest: Dest, by: string | undefined): void {
  const { tell } = inetState.of(svc.ipvs.host)
  if (tell === undefined) return
  const name = svc.scheduler?.name ?? 'none'
  const why = by === undefined || by === 'a new template' ? `scheduler ${name}` : by
  const template = by === 'a new template' ? ', which a new template keeps' : ''
  const load = `weight ${dest.weight}, ${dest.activeConns} active and ${dest.inactConns} inactive connections`
  const text = `${serviceText(svc)}: ${why} chose ${endText(dest.addr, dest.port)} (${load})${template}`
  tell({ kind: 'ipvs', packet, text })
}

/** A packet of a connection goes on. */
export function tellForwarded(cp: Conn, packet: Packet): void {
  const { tell } = inetState.of(cp.ipvs.host)
  if (tell === undefined) return
  const way = METHODS[cp.method] ?? ''
  const to = cp.method === IP_VS_CONN_F_BYPASS ? '' : ` to ${endText(cp.daddr, cp.dport)}`
  const what = `${protocolName(cp.protocol)} ${endText(cp.caddr, cp.cport)} > ${endText(cp.vaddr, cp.vport)} ${stateName(cp)}`
  tell({ kind: 'ipvs', packet, text: `connection ${what}: forwarded ${way}${to}` })
}

/** A server's answer. */
export function tellAnswered(cp: Conn, packet: Packet): void {
  const { tell } = inetState.of(cp.ipvs.host)
  if (tell === undefined) return
  const source = cp.method === IP_VS_CONN_F_MASQ ? `, its source is now ${endText(cp.vaddr, cp.vport)}` : ''
  const from = endText(cp.daddr, cp.dport)
  tell({ kind: 'ipvs', packet, text: `answer of ${from} to ${endText(cp.caddr, cp.cport)} ${stateName(cp)}${source}` })
}

/** Anything else. */
export function tellText(ipvs: Ipvs, packet: Packet, text: string): void {
  inetState.of(ipvs.host).tell?.({ kind: 'ipvs', packet, text })
}

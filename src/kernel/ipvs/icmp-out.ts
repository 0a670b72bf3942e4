/**
 * ICMP errors from the servers' side, about what clients sent.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_core.c: ip_vs_out_icmp(), handle_response_icmp().
 */
import { type HookContext, NF_ACCEPT, NF_DROP, NF_STOLEN } from '#kernel/net'
import {
  checksumGood,
  ICMP_DEST_UNREACH,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  type Packet,
  RAW_NONE,
} from '#wire/inet'
import { countOut } from './count.ts'
import { tellText } from './explain.ts'
import { updateConntrack } from './nfct.ts'
import { gather, rerouted } from './out.ts'
import { setProperty } from './property.ts'
import { changeIcmp, quotedAt, quotedAt6 } from './quoted.ts'
import type { Ipvs } from './state.ts'
import { IP_VS_CONN_F_MASQ } from './uapi.ts'

/** Whether a message is an error that IPVS cares for. */
export function isError(packet: Packet): boolean {
  const type = packet.icmpType
  if (packet.src6 !== undefined) return type < 128
  return type === ICMP_DEST_UNREACH || type === ICMP_SOURCE_QUENCH || type === ICMP_TIME_EXCEEDED
}

/** A verdict; undefined: it is no error, and may be anything else. */
export function outIcmp(ipvs: Ipvs, context: HookContext): number | undefined {
  const { packet } = context
  if (!gather(ipvs, context)) return NF_STOLEN
  if (packet.raw !== RAW_NONE) return NF_DROP
  if (!isError(packet)) return undefined
  const quoted = packet.src6 === undefined ? quotedAt(packet, 0, true) : quotedAt6(packet, 0, true)
  if (quoted === undefined) return NF_ACCEPT
  const data = ipvs.protocol(quoted.iph.protocol)
  if (data === undefined || (quoted.iph.fragoffs !== 0 && !data.protocol.dontDefrag)) return NF_ACCEPT
  const cp = data.protocol.outGet(ipvs, quoted.iph)
  if (cp === undefined) return NF_ACCEPT
  if (cp.method === IP_VS_CONN_F_MASQ) {
    if (!checksumGood(packet)) return NF_DROP
    changeIcmp(packet, cp, true, quoted)
    if (!rerouted(ipvs, packet, context)) return NF_DROP
  }
  countOut(cp, packet)
  setProperty(packet)
  updateConntrack(packet, cp, false)
  tellText(ipvs, packet, 'an ICMP error about a packet of a connection, on its way to the client')
  return NF_ACCEPT
}

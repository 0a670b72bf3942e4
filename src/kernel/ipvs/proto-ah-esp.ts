/** AH and ESP go where the key exchange (ISAKMP, UDP port 500) of their two ends went. Linux 6.1 net/netfilter/ipvs/ip_vs_proto_ah_esp.c. */
import { NF_ACCEPT } from '#kernel/net'
import { IPPROTO_UDP } from '#wire/inet'
import type { Protocol } from './proto.ts'
import { IPPROTO_AH, IPPROTO_ESP } from './uapi.ts'

const PORT_ISAKMP = 500

function related(name: string, protocol: number): Protocol {
  return {
    name,
    protocol,
    dontDefrag: true,
    timeouts: [],
    mayBegin: () => NF_ACCEPT,
    inGet(ipvs, iph) {
      const [client, service] = iph.inverse ? [iph.daddr, iph.saddr] : [iph.saddr, iph.daddr]
      return ipvs.conns.inGet(iph.af, IPPROTO_UDP, client, PORT_ISAKMP, service, PORT_ISAKMP)
    },
    outGet(ipvs, iph) {
      const [server, client] = iph.inverse ? [iph.daddr, iph.saddr] : [iph.saddr, iph.daddr]
      return ipvs.conns.outGet(iph.af, IPPROTO_UDP, server, PORT_ISAKMP, client, PORT_ISAKMP)
    },
    isNew: () => false,
    isReset: () => false,
  }
}

export const ah = related('AH', IPPROTO_AH)
export const esp = related('ESP', IPPROTO_ESP)

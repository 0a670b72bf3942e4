/** UDP. Linux 6.1 net/netfilter/ipvs/ip_vs_proto_udp.c. */
import { HZ, NF_DROP } from '#kernel/net'
import { IPPROTO_UDP, RAW_NONE } from '#wire/inet'
import { changeDestination, changeSource } from './mangle.ts'
import type { Protocol } from './proto.ts'
import { inGetByPorts, outGetByPorts } from './proto-common.ts'
import { IP_VS_DIR_OUTPUT, IP_VS_UDP_S_NORMAL } from './uapi.ts'

const UDP_HEADER = 8

export const udp: Protocol = {
  name: 'UDP',
  protocol: IPPROTO_UDP,
  dontDefrag: false,
  timeouts: [5 * 60 * HZ, 2 * HZ],
  mayBegin(_ipvs, packet, iph) {
    if (iph.icmp) return iph.sport < 0 ? NF_DROP : 'try'
    return packet.raw === RAW_NONE || packet.length >= UDP_HEADER ? 'try' : NF_DROP
  },
  inGet: inGetByPorts,
  outGet: outGetByPorts,
  isNew: () => false,
  isReset: () => false,
  snat: (packet, cp) => changeSource(packet, cp.vaddr, cp.vport),
  dnat: (packet, cp) => changeDestination(packet, cp.daddr, cp.dport),
  transition(cp, direction, _packet, data) {
    cp.timeout = data.timeouts[IP_VS_UDP_S_NORMAL]!
    if (direction === IP_VS_DIR_OUTPUT) cp.assureTemplate()
  },
  stateName: (state) => (state === IP_VS_UDP_S_NORMAL ? 'UDP' : 'ERR!'),
}

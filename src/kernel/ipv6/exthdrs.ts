/**
 * Extension headers, as a host looks at them. RFC 8200 section 4.
 * Linux 6.1 net/ipv6/exthdrs.c: ip6_parse_tlv(), ipv6_parse_hopopts(), ipv6_destopt_rcv(), ipv6_rthdr_rcv().
 */
import type { NetDevice } from '#kernel/net'
import {
  type ExtensionHeader,
  extensionHeaders,
  ICMPV6_HDR_FIELD,
  ICMPV6_PARAMPROB,
  ICMPV6_UNK_OPTION,
  IPPROTO_DSTOPTS,
  IPPROTO_HOPOPTS,
  IPPROTO_ROUTING,
  isMulticastIpv6,
  type Packet,
} from '#wire/inet'
import { icmp6Error } from './icmp.ts'
import type { State6 } from './state.ts'
import { drop6 } from './trace.ts'

const ROUTER_ALERT = 5
const HEADER = 40

function refuse(state: State6, packet: Packet, device: NetDevice, code: number | undefined, pointer: number): false {
  state.counters.countIp('InHdrErrors')
  if (code !== undefined) icmp6Error(packet, device, ICMPV6_PARAMPROB, code, pointer)
  drop6(state, packet, 'IP_INHDR')
  return false
}

/** Whether all options of a header may be passed over. ip6_parse_tlv(). */
function optionsPass(state: State6, packet: Packet, device: NetDevice, header: ExtensionHeader, most: number): boolean {
  const chain = packet.ipOptions!
  const end = header.at + header.length
  let count = 0
  let padding = 0
  for (let at = header.at + 2; at < end; ) {
    const type = chain[at]!
    if (type === 0) {
      // Linux takes no more padding than a header could need.
      if (++padding > 7) return discard(state, packet)
      at++
      continue
    }
    if (at + 1 >= end) return discard(state, packet)
    const length = chain[at + 1]! + 2
    if (at + length > end) return discard(state, packet)
    if (type === 1) {
      padding += length
      if (padding > 7) return discard(state, packet)
      for (let i = at + 2; i < at + length; i++) if (chain[i] !== 0) return discard(state, packet)
      at += length
      continue
    }
    padding = 0
    if (++count > most) return discard(state, packet)
    const known = type === ROUTER_ALERT && header.type === IPPROTO_HOPOPTS
    if (known && length !== 4) return discard(state, packet)
    if (!known) {
      // The two highest bits say what who doesn't know it has to do. RFC 8200 section 4.2.
      const action = type >>> 6
      if (action === 1) return discard(state, packet)
      if (action === 3 && isMulticastIpv6(packet.dst6!)) return discard(state, packet)
      if (action >= 2) return refuse(state, packet, device, ICMPV6_UNK_OPTION, HEADER + at)
    }
    at += length
  }
  return true
}

function discard(state: State6, packet: Packet): false {
  state.counters.countIp('InHdrErrors')
  drop6(state, packet, 'IP_INHDR')
  return false
}

/** The hop-by-hop header, which every router looks at. */
export function hopByHopPass(state: State6, packet: Packet, device: NetDevice): boolean {
  const first = extensionHeaders(packet)[0]
  if (first?.type !== IPPROTO_HOPOPTS) return true
  return optionsPass(state, packet, device, first, state.sysctls.maxHbhOptsNumber)
}

/** Those that only the destination looks at. */
export function destinationHeadersPass(state: State6, packet: Packet, device: NetDevice): boolean {
  for (const header of extensionHeaders(packet)) {
    if (header.type === IPPROTO_DSTOPTS && !optionsPass(state, packet, device, header, state.sysctls.maxDstOptsNumber))
      return false
    if (header.type !== IPPROTO_ROUTING) continue
    const chain = packet.ipOptions!
    // What is left to visit: nobody here follows a source route (RFC 5095), and mobile nodes aren't modelled.
    if (chain[header.at + 3] !== 0) return refuse(state, packet, device, ICMPV6_HDR_FIELD, HEADER + header.at + 2)
  }
  return true
}

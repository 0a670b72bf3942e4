/**
 * Which flow a packet belongs to: a number that packets of the same addresses, ports and protocol share.
 * Linux 6.1 net/core/flow_dissector.c: skb_get_hash_perturb(), __skb_get_hash().
 */
import { ETH_P_IP, ETH_P_IPV6, IP_OFFSET, IPPROTO_TCP, IPPROTO_UDP, type Packet, RAW_NONE } from '#wire/inet'

/** 32 bits; `seed` stands for the kernel's secret. */
export function flowHash(packet: Packet, seed: number): number {
  let hash = seed >>> 0
  const mix = (value: number) => {
    hash = Math.imul(hash ^ value, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  mix(packet.etherType)
  if (packet.etherType === ETH_P_IP) {
    mix(packet.src)
    mix(packet.dst)
  } else if (packet.etherType === ETH_P_IPV6 && packet.src6 && packet.dst6) {
    for (const { w0, w1, w2, w3 } of [packet.src6, packet.dst6]) for (const word of [w0, w1, w2, w3]) mix(word)
    mix(packet.flowLabel)
  } else {
    mix(packet.macSrc % 2 ** 32)
    mix(packet.macDst % 2 ** 32)
  }
  mix(packet.protocol)
  const ported = packet.protocol === IPPROTO_TCP || packet.protocol === IPPROTO_UDP
  if (ported && packet.raw === RAW_NONE && (packet.fragment & IP_OFFSET) === 0)
    mix(packet.srcPort * 65536 + packet.dstPort)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}

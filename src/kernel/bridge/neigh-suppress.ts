/**
 * Ports that are spared questions for addresses that the bridge knows: proxy_arp, proxy_arp_wifi and neigh_suppress.
 *
 * Linux 6.1 net/bridge/br_arp_nd_proxy.c: br_do_proxy_suppress_arp(). IPv6's is not modelled.
 */
import { addressType, IFF_NOARP, NUD_VALID, neighbourLookup, PACKET_HOST } from '#kernel/net'
import { ETH_P_ARP, Packet, RAW_NONE } from '#wire/inet'
import { ARPOP_REPLY, ARPOP_REQUEST } from '#wire/link'
import { BR_NEIGH_SUPPRESS, BR_PROXYARP, BR_PROXYARP_WIFI, type Bridge, type BridgePort } from './bridge.ts'

const ANY = BR_PROXYARP | BR_PROXYARP_WIFI | BR_NEIGH_SUPPRESS

/** Whether such ports needn't hear a frame: it is no question, or the answer is known, and perhaps given here. */
export function suppressArp(bridge: Bridge, from: BridgePort | undefined, vid: number, packet: Packet): boolean {
  if (packet.etherType !== ETH_P_ARP || packet.raw !== RAW_NONE || vid !== 0) return false
  if (!bridge.ports.some((port) => port.flags & ANY)) return false
  const { device } = bridge
  const { arpSpa: sender, arpTpa: target } = packet
  if (device.flags & IFF_NOARP || target >>> 24 === 127 || target >>> 28 === 0xe) return false
  const suppresses = bridge.ports.some((port) => port.flags & BR_NEIGH_SUPPRESS)
  if (suppresses) {
    if (from !== undefined && from.flags & BR_NEIGH_SUPPRESS) return false
    if (packet.arpOp !== ARPOP_REQUEST && packet.arpOp !== ARPOP_REPLY && sender === target) return true
  }
  if (packet.arpOp !== ARPOP_REQUEST) return false
  if (suppresses && addressType(device.host, target) === 'local') return true
  const neighbour = neighbourLookup(device, target)
  if (neighbour === undefined || !(neighbour.state & NUD_VALID)) return false
  const entry = bridge.fdb.find(neighbour.address, 0)
  if (entry === undefined) return false
  const behind = entry.port?.flags ?? 0
  const replies = (from?.flags ?? 0) & BR_PROXYARP || behind & (BR_PROXYARP_WIFI | BR_NEIGH_SUPPRESS)
  if (replies) answer(bridge, from, packet, neighbour.address)
  return replies !== 0 || suppresses
}

/** br_arp_send() */
function answer(bridge: Bridge, from: BridgePort | undefined, question: Packet, address: number): void {
  const reply = new Packet()
  reply.etherType = ETH_P_ARP
  reply.macSrc = address
  reply.macDst = question.arpSha
  reply.arpOp = ARPOP_REPLY
  reply.arpSha = address
  reply.arpSpa = question.arpTpa
  reply.arpTha = question.arpSha
  reply.arpTpa = question.arpSpa
  if (from !== undefined) from.device.transmit(reply)
  else {
    reply.packetType = PACKET_HOST
    bridge.device.net.backlogReceive(bridge.device, reply)
  }
}

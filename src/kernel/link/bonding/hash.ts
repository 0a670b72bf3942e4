/**
 * Which slave a frame leaves by in balance-xor and 802.3ad: a hash of addresses and ports.
 *
 * Linux 6.1 drivers/net/bonding/bond_main.c: __bond_xmit_hash(), bond_eth_hash(), bond_ip_hash().
 */
import {
  ETH_P_IP,
  ETH_P_IPV6,
  IP_MF,
  IP_OFFSET,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type Packet,
  RAW_NONE,
} from '#wire/inet'
import type { Policy } from './bond.ts'

const IPPROTO_ICMPV6 = 58
const ECHO = new Set([0, 8, 128, 129])

/** The bytes of a word the other way round: the kernel's machine is little-endian. */
function swap(word: number): number {
  return (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0
}

function ethernetHash({ macSrc, macDst, etherType, vlanTci }: Packet): number {
  return ((macDst ^ macSrc) & 0xff) ^ (vlanTci < 0 ? etherType : 0x8100)
}

/** Ports, or what tells echoes apart. */
function transportHash(packet: Packet): number {
  const { protocol } = packet
  if (packet.raw !== RAW_NONE || packet.fragment & (IP_MF | IP_OFFSET)) return 0
  if ((protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) && ECHO.has(packet.icmpType)) {
    const id = packet.icmpRest >>> 16 || 1
    return (packet.icmpType | (packet.icmpCode << 8) | (id << 16)) >>> 0
  }
  if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) return 0
  return swap(((packet.srcPort << 16) | packet.dstPort) >>> 0)
}

function addressHash(packet: Packet): number {
  if (packet.etherType === ETH_P_IP) return swap((packet.src ^ packet.dst) >>> 0)
  const { src6, dst6 } = packet
  if (src6 === undefined || dst6 === undefined) return 0
  const fold = (a: typeof src6) => a.w0 ^ a.w1 ^ a.w2 ^ a.w3
  return swap((fold(src6) ^ fold(dst6)) >>> 0)
}

/** An unsigned number, to be taken modulo the number of slaves. */
export function xmitHash(packet: Packet, policy: Policy): number {
  if (policy === 'vlan+srcmac') {
    const { macSrc } = packet
    const vendor = Math.floor(macSrc / 0x1000000)
    return ((packet.vlanTci < 0 ? 0 : packet.vlanTci & 0xfff) ^ vendor ^ (macSrc & 0xffffff)) >>> 0
  }
  const isIp = packet.etherType === ETH_P_IP || packet.etherType === ETH_P_IPV6
  if (policy === 'layer2' || !isIp) return ethernetHash(packet)
  const byPorts = policy === 'layer3+4' || policy === 'encap3+4'
  let hash = ((byPorts ? transportHash(packet) : ethernetHash(packet)) ^ addressHash(packet)) >>> 0
  hash = (hash ^ (hash >>> 16)) >>> 0
  hash = (hash ^ (hash >>> 8)) >>> 0
  return byPorts ? hash >>> 1 : hash
}

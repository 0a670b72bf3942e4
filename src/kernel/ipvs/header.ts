/** What IPVS reads of a packet, or of one that an ICMP error quotes. Linux 6.1 include/net/ip_vs.h: struct ip_vs_iphdr. */
import { ETH_P_IPV6, IP_OFFSET, IPPROTO_TCP, IPPROTO_UDP, type Packet, RAW_IP_PAYLOAD, RAW_NONE } from '#wire/inet'
import { AF_INET, AF_INET6, type Family, type InetAddr, IPPROTO_SCTP } from './uapi.ts'

export class IpHeader {
  readonly af: Family
  readonly protocol: number
  readonly saddr: InetAddr
  readonly daddr: InetAddr
  /** The fragment's offset; not 0: there is no transport header. */
  readonly fragoffs: number
  /** The first two words behind the IP header; -1: there are none. */
  sport = -1
  dport = -1
  /** Quoted by an ICMP error. */
  icmp = false
  /** Source and destination are the other way round: an error about a packet that went out. */
  inverse = false

  constructor(af: Family, protocol: number, saddr: InetAddr, daddr: InetAddr, fragoffs: number) {
    this.af = af
    this.protocol = protocol
    this.saddr = saddr
    this.daddr = daddr
    this.fragoffs = fragoffs
  }

  /** Whether a transport header's beginning is there. */
  get hasPorts(): boolean {
    return this.sport >= 0
  }
}

/** Whether a protocol's first two words are ports, as far as IPVS cares. */
export function hasPorts(protocol: number): boolean {
  return protocol === IPPROTO_TCP || protocol === IPPROTO_UDP || protocol === IPPROTO_SCTP
}

/** A packet's. ip_vs_fill_iph_skb(). */
export function headerOf(packet: Packet): IpHeader {
  const v6 = packet.etherType === ETH_P_IPV6
  const header = new IpHeader(
    v6 ? AF_INET6 : AF_INET,
    packet.protocol,
    v6 ? packet.src6! : packet.src,
    v6 ? packet.dst6! : packet.dst,
    packet.fragment & IP_OFFSET,
  )
  if (header.fragoffs !== 0) return header
  if (packet.raw === RAW_NONE && (packet.protocol === IPPROTO_TCP || packet.protocol === IPPROTO_UDP)) {
    header.sport = packet.srcPort
    header.dport = packet.dstPort
  } else if (packet.raw === RAW_IP_PAYLOAD && packet.length >= 4) {
    const { buffer, offset } = packet
    header.sport = (buffer[offset]! << 8) | buffer[offset + 1]!
    header.dport = (buffer[offset + 2]! << 8) | buffer[offset + 3]!
  }
  return header
}

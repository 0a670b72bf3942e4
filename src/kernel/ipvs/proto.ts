/** The protocols that IPVS forwards. Linux 6.1 include/net/ip_vs.h: struct ip_vs_protocol; net/netfilter/ipvs/ip_vs_proto.c. */
import type { Packet } from '#wire/inet'
import type { App } from './app.ts'
import type { Conn } from './conn.ts'
import type { IpHeader } from './header.ts'
import { ah, esp } from './proto-ah-esp.ts'
import { sctp } from './proto-sctp.ts'
import { tcp } from './proto-tcp.ts'
import { udp } from './proto-udp.ts'
import type { Ipvs } from './state.ts'
import { IP_VS_CTPL_S_ASSURED, IP_VS_CTPL_S_NONE, IPPROTO_IP } from './uapi.ts'

export interface Protocol {
  readonly name: string
  readonly protocol: number
  /** Fragments may pass as they are. */
  readonly dontDefrag: boolean
  /** Jiffies by state. */
  readonly timeouts: readonly number[]
  /** A packet of no connection: a verdict, or 'try' a service. */
  mayBegin(ipvs: Ipvs, packet: Packet, iph: IpHeader): number | 'try'
  inGet(ipvs: Ipvs, iph: IpHeader): Conn | undefined
  outGet(ipvs: Ipvs, iph: IpHeader): Conn | undefined
  /** Whether a packet begins a connection anew. is_new_conn(). */
  isNew(packet: Packet): boolean
  /** Whether a packet is a refusal that nobody answers. */
  isReset(packet: Packet): boolean
  /** Changes a server's packet, or a client's: false if it is too short. */
  snat?(packet: Packet, cp: Conn, iph: IpHeader): boolean
  dnat?(packet: Packet, cp: Conn, iph: IpHeader): boolean
  /** @param direction IP_VS_DIR_INPUT or _OUTPUT */
  transition?(cp: Conn, direction: number, packet: Packet, data: ProtocolData): void
  stateName?(state: number): string
}

/** A host's own of a protocol. struct ip_vs_proto_data. */
export interface ProtocolData {
  readonly protocol: Protocol
  readonly timeouts: number[]
  /** TCP's table of states: the strict one while net.ipv4.vs.secure_tcp defends. */
  secure: boolean
  readonly apps: App[]
}

const PROTOCOLS: readonly Protocol[] = [tcp, udp, sctp, ah, esp]

/** As the log tells them when the module comes. */
export const PROTOCOL_NAMES = PROTOCOLS.map(({ name }) => name).join(', ')

export function createProtocols(): Map<number, ProtocolData> {
  return new Map(
    PROTOCOLS.map((protocol) => [
      protocol.protocol,
      { protocol, timeouts: [...protocol.timeouts], secure: false, apps: [] },
    ]),
  )
}

/** A connection's state, as it is shown. ip_vs_state_name(). */
export function stateName(cp: Conn): string {
  if (cp.isTemplate) {
    if (cp.state === IP_VS_CTPL_S_NONE) return 'NONE'
    return cp.state === IP_VS_CTPL_S_ASSURED ? 'ASSURED' : 'ERR!'
  }
  const name = cp.ipvs.protocol(cp.protocol)?.protocol.stateName
  if (name === undefined) return cp.protocol === IPPROTO_IP ? 'NONE' : 'ERR!'
  return name(cp.state)
}

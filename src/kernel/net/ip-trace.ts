/** The way that packets take through a host, told to whoever listens (`ipTrace`); free while nobody does. */
import type { Packet } from '#wire/inet'
import type { NetDevice } from './device.ts'
import type { InetState } from './ip-state.ts'
import type { Route } from './route.ts'

/** Why a packet was freed before its end. Linux 6.1 include/net/dropreason.h: enum skb_drop_reason. */
export type DropReason =
  | 'NOT_SPECIFIED'
  | 'NO_SOCKET'
  | 'PKT_TOO_SMALL'
  | 'SOCKET_FILTER'
  | 'UDP_CSUM'
  | 'ICMP_CSUM'
  | 'TCP_CSUM'
  | 'NETFILTER_DROP'
  | 'OTHERHOST'
  | 'IP_CSUM'
  | 'IP_INHDR'
  | 'IP_RPFILTER'
  | 'UNICAST_IN_L2_MULTICAST'
  | 'IP_NOPROTO'
  | 'SOCKET_RCVBUFF'
  | 'IP_INADDRERRORS'
  | 'IP_INNOROUTES'
  | 'IP_OUTNOROUTES'
  | 'PKT_TOO_BIG'
  | 'INVALID_PROTO'
  | 'UNHANDLED_PROTO'
  | 'NEIGH_FAILED'
  | 'QDISC_DROP'
  | 'TC_EGRESS'
  | 'TC_INGRESS'

/** One step of a packet's way. */
export type IpEvent =
  | { kind: 'receive'; packet: Packet; device: NetDevice }
  | { kind: 'hook'; hook: string; packet: Packet; verdict: string }
  /** What connection tracking or NAT made of it. */
  | { kind: 'conntrack'; packet: Packet; what: string; text: string }
  /** A rule of nf_tables was looked at: its place in the chain, its handle, how it is written, what it said. */
  | {
      kind: 'rule'
      packet: Packet
      family: string
      table: string
      chain: string
      number: number
      handle: number
      text: string
      verdict: string
    }
  /** What a bridge, a bond or another device that is stacked on others does with it. */
  | {
      kind: 'bridge' | 'bond' | 'vlan' | 'macvlan' | 'tunnel' | 'vxlan' | 'qdisc' | 'ipvs'
      packet: Packet
      text: string
    }
  | { kind: 'route'; packet: Packet; route: Route | undefined; error?: string }
  | { kind: 'forward'; packet: Packet; route: Route }
  | { kind: 'deliver'; packet: Packet }
  | { kind: 'output'; packet: Packet; route: Route }
  | { kind: 'drop'; packet: Packet; reason: DropReason }

/** A packet ends here. */
export function drop(state: InetState, packet: Packet, reason: DropReason): void {
  state.tell?.({ kind: 'drop', packet, reason })
}

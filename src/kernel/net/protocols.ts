/** What IPv4 delivers to, by protocol number. Linux 6.1 net/ipv4/protocol.c: inet_protos[]. */
import type { Packet } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { type IcmpErrorInfo, icmpReceive } from './icmp-receive.ts'
import { igmpReceive } from './igmp-receive.ts'
import type { InetState } from './ip-state.ts'
import { udpReceive } from './sockets/udp.ts'
import { tcpReceive } from './tcp/index.ts'

export type ProtocolHandler = (state: InetState, packet: Packet, device: NetDevice) => void

/** What a module adds to a namespace's IPv4 (`InetState.protocols`): who takes packets of a number, and ICMP's errors about them. */
export interface InetProtocol {
  receive: ProtocolHandler
  /** Linux: net_protocol.err_handler. */
  error?(state: InetState, error: IcmpErrorInfo): void
}

/** By number; other rooms may add theirs. */
export const protocolHandlers: (ProtocolHandler | undefined)[] = new Array(256).fill(undefined)
protocolHandlers[1] = (state, packet, device) => icmpReceive(state, packet, device)
protocolHandlers[2] = (state, packet, device) => igmpReceive(state, packet, device)
protocolHandlers[6] = (state, packet, device) => tcpReceive(state, packet, device)
protocolHandlers[17] = (state, packet, device) => udpReceive(state, packet, device)

/** What IPv6 delivers to, by protocol number. Linux 6.1 net/ipv6/protocol.c: inet6_protos[]. */
import type { NetDevice } from '#kernel/net'
import type { Packet } from '#wire/inet'
import { icmp6Receive } from './icmp-receive.ts'
import { udp6Receive } from './sockets/udp.ts'
import type { State6 } from './state.ts'
import { tcp6Receive } from './tcp.ts'

export type ProtocolHandler6 = (state: State6, packet: Packet, device: NetDevice) => void

/** By number; other rooms may add theirs. */
export const protocolHandlers6: (ProtocolHandler6 | undefined)[] = new Array(256).fill(undefined)
protocolHandlers6[6] = (state, packet, device) => tcp6Receive(state, packet, device)
protocolHandlers6[17] = (state, packet, device) => udp6Receive(state, packet, device)
protocolHandlers6[58] = (state, packet, device) => icmp6Receive(state, packet, device)

/** Who is told of errors about packets of other protocols than UDP and ICMPv6: TCP, tunnels. Linux: inet6_protocol.err_handler. */
import type { Icmp6ErrorInfo } from './icmp-receive.ts'
import type { State6 } from './state.ts'

export const errorHandlers6: (((state: State6, error: Icmp6ErrorInfo) => void) | undefined)[] = []

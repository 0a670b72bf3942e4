/** The way that IPv6 packets take through a host, told to whoever listens (`ip6Trace`); free while nobody does. */
import type { DropReason, NetDevice } from '#kernel/net'
import type { Packet } from '#wire/inet'
import type { Route6 } from './route.ts'
import type { State6 } from './state.ts'

export type Event6 =
  | { kind: 'receive'; packet: Packet; device: NetDevice }
  | { kind: 'hook'; hook: string; packet: Packet; verdict: string }
  | { kind: 'route'; packet: Packet; route: Route6 }
  | { kind: 'forward'; packet: Packet; route: Route6 }
  | { kind: 'deliver'; packet: Packet }
  | { kind: 'output'; packet: Packet; route: Route6 }
  | { kind: 'drop'; packet: Packet; reason: DropReason }

/** A packet ends here. */
export function drop6(state: State6, packet: Packet, reason: DropReason): void {
  const trace = state.trace
  if (trace !== undefined && trace.listeners !== 0) trace.emit({ kind: 'drop', packet, reason })
}

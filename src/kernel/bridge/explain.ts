/** What a bridge does with a frame, told to whoever follows packets (`ipTrace`). */
import { inetState, type NetDevice } from '#kernel/net'
import type { Packet } from '#wire/inet'

/** One step of a frame's way; costs a comparison while nobody listens. */
export function told(device: NetDevice, packet: Packet, text: string): void {
  const { tell } = inetState.of(device.host)
  tell?.({ kind: 'bridge', packet, text })
}

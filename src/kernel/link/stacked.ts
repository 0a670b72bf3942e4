/** What devices on a lower one share: its carrier and state, carried over. */
import type { NetDevice } from '#kernel/net'

/** Linux 6.1 net/core/dev.c: netif_stacked_transfer_operstate(). */
export function transferOperstate(lower: NetDevice, device: NetDevice): void {
  device.dormant = lower.operstate === 'DORMANT'
  device.carrierChanged(lower.carrier)
}

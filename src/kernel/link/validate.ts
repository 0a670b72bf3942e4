/** What nearly every Ethernet-like kind asks of a request: an address that a card could have. */
import type { NewLinkRequest } from '#kernel/net'
import { type Refusal, refuse } from '#kernel/net'
import { isCardAddress } from './mac.ts'

/** Linux 6.1 drivers/net/dummy.c: dummy_validate(), and the same in veth, VLAN, macvlan and bonding. */
export function validateAddress(request: Pick<NewLinkRequest, 'address' | 'addressBytes'>): Refusal | undefined {
  if (request.addressBytes !== undefined && request.addressBytes.length !== 6) return refuse('EINVAL')
  if (request.address !== undefined && !isCardAddress(request.address)) return refuse('EADDRNOTAVAIL')
  return undefined
}

/** Hardware addresses that nobody chose. Linux 6.1 include/linux/etherdevice.h: eth_random_addr(), eth_hw_addr_random(). */
import { NET_ADDR_RANDOM, type NetDevice } from '#kernel/net'

/** Gives a device an address by chance: unicast, locally administered. */
export function randomAddress(device: NetDevice): void {
  const { host } = device
  const bytes = host.sim.random(`${(host.base ?? host).name}/hardware addresses`).bytes(6)
  bytes[0] = (bytes[0]! & 0xfe) | 0x02
  device.address = bytes.reduce((mac, byte) => mac * 256 + byte, 0)
  device.addressAssignType = NET_ADDR_RANDOM
}

/** Whether an address can be a card's. include/linux/etherdevice.h: is_valid_ether_addr(). */
export function isCardAddress(address: number): boolean {
  return address !== 0 && (Math.floor(address / 0x100_0000_0000) & 1) === 0
}

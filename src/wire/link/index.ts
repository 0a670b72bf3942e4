/**
 * Ethernet, 802.1Q and ARP on the wire, and how MAC addresses are written.
 *
 *     formatMac(parseMac('02:00:00:00:01:00')!) === '02:00:00:00:01:00'
 */
export * from './arp.ts'
export * from './ethernet.ts'
export * from './mac.ts'

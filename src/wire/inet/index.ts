/**
 * The packet, and the headers of IPv4, IPv6, ICMP, UDP and TCP on the wire.
 *
 *     const packet = parseFrame(bytes) // Never throws; what is broken stays raw.
 *     packet.ttl--
 *     emitFrame(packet) // Exact bytes again: lengths and checksums made anew.
 */
export * from './address.ts'
export { dissect, type Field, type Layer } from './dissect.ts'
export * from './frame.ts'
export * from './icmp.ts'
export * from './icmpv6.ts'
export * from './ip-options.ts'
export * from './ipv6.ts'
export * from './ipv6-address.ts'
export * from './packet.ts'
export * from './parse.ts'
export { fillTransport, trimDatagram } from './reparse.ts'
export * from './tcp.ts'

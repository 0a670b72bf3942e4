/** The packet, and the headers of IPv4, ICMP, UDP and TCP on the wire. */
export * from './packet.ts'

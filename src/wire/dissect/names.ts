/** Numbers and the words that Wireshark has for them. */

export const ETHER_TYPES: Readonly<Record<number, string>> = {
  2048: 'IPv4',
  2054: 'ARP',
  32821: 'RARP',
  33024: '802.1Q Virtual LAN',
  34525: 'IPv6',
  34825: 'Slow Protocols',
  34984: '802.1ad Provider Bridge (Q-in-Q)',
  35020: '802.1 Link Layer Discovery Protocol (LLDP)',
}

export const IP_PROTOCOLS: Readonly<Record<number, string>> = {
  0: 'IPv6 Hop-by-Hop Option',
  1: 'ICMP',
  2: 'IGMP',
  4: 'IPIP',
  6: 'TCP',
  17: 'UDP',
  41: 'IPv6',
  43: 'Routing Header for IPv6',
  44: 'Fragment Header for IPv6',
  47: 'Generic Routing Encapsulation',
  50: 'Encap Security Payload',
  51: 'Authentication Header',
  58: 'ICMPv6',
  59: 'IPv6 No Next Header',
  60: 'Destination Options for IPv6',
  89: 'OSPF IGP',
  112: 'VRRP',
  132: 'SCTP',
}

export const DSCP_LONG: Readonly<Record<number, string>> = {
  0: 'Default',
  8: 'Class Selector 1',
  10: 'Assured Forwarding 11',
  12: 'Assured Forwarding 12',
  14: 'Assured Forwarding 13',
  16: 'Class Selector 2',
  18: 'Assured Forwarding 21',
  20: 'Assured Forwarding 22',
  22: 'Assured Forwarding 23',
  24: 'Class Selector 3',
  26: 'Assured Forwarding 31',
  28: 'Assured Forwarding 32',
  30: 'Assured Forwarding 33',
  32: 'Class Selector 4',
  34: 'Assured Forwarding 41',
  36: 'Assured Forwarding 42',
  38: 'Assured Forwarding 43',
  40: 'Class Selector 5',
  46: 'Expedited Forwarding',
  48: 'Class Selector 6',
  56: 'Class Selector 7',
}

export function dscpShort(dscp: number): string {
  const name = DSCP_LONG[dscp]
  if (name === undefined) return String(dscp)
  if (dscp === 0) return 'CS0'
  return name
    .replace('Class Selector ', 'CS')
    .replace('Assured Forwarding ', 'AF')
    .replace('Expedited Forwarding', 'EF')
}

export const ECN_SHORT = ['Not-ECT', 'ECT(1)', 'ECT(0)', 'CE']
export const ECN_LONG = [
  'Not ECN-Capable Transport',
  'ECN-Capable Transport codepoint 01',
  'ECN-Capable Transport codepoint 10',
  'Congestion Experienced',
]

export const ARP_OPERATIONS: Readonly<Record<number, string>> = {
  1: 'request',
  2: 'reply',
  3: 'reverse request',
  4: 'reverse reply',
}

export const VLAN_PRIORITIES = [
  'Best Effort (default)',
  'Background',
  'Excellent Effort',
  'Critical Applications',
  'Video, < 100ms latency and jitter',
  'Voice, < 10ms latency and jitter',
  'Internetwork Control',
  'Network Control',
]

export const DNS_TYPE_TEXTS: Readonly<Record<number, string>> = {
  1: 'A (Host Address)',
  2: 'NS (authoritative Name Server)',
  5: 'CNAME (Canonical NAME for an alias)',
  6: 'SOA (Start Of a zone of Authority)',
  12: 'PTR (domain name PoinTeR)',
  15: 'MX (Mail eXchange)',
  16: 'TXT (Text strings)',
  28: 'AAAA (IPv6 Address)',
  33: 'SRV (Server Selection)',
  41: 'OPT',
  255: '* (A request for all records the server/cache has available)',
}

export const DNS_RCODES = [
  'No error',
  'Format error',
  'Server failure',
  'No such name',
  'Not implemented',
  'Refused',
  'Name exists',
  'RRset exists',
  'RRset does not exist',
  'Not authoritative',
  'Name out of zone',
]

export const DNS_OPCODES: Readonly<Record<number, string>> = {
  0: 'Standard query',
  1: 'Inverse query',
  2: 'Server status request',
  4: 'Zone change notification',
  5: 'Dynamic update',
}

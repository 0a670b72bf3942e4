/** EtherTypes as tcpdump prints them. tcpdump 4.99.3 print-ether.c: ethertype_values */
export const ETHER_TYPES: Record<number, string> = {
  2048: 'IPv4',
  33024: '802.1Q',
  34984: '802.1Q-QinQ',
  37120: '802.1Q-9100',
  37376: '802.1Q-9200',
  34525: 'IPv6',
  34825: 'MPLS unicast',
  36864: 'Loopback',
  2054: 'ARP',
  32821: 'Reverse ARP',
}

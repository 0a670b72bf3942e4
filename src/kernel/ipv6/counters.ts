/** The counters of /proc/net/snmp6, and their names there. Linux 6.1 net/ipv6/proc.c: snmp6_ipstats_list[] and others. */

const IP_NAMES =
  `InReceives InHdrErrors InTooBigErrors InNoRoutes InAddrErrors InUnknownProtos InTruncatedPkts InDiscards InDelivers
OutForwDatagrams OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails
FragCreates InMcastPkts OutMcastPkts InOctets OutOctets InMcastOctets OutMcastOctets InBcastOctets OutBcastOctets
InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts`.split(/\s+/)
const ICMP_NAMES = ['InMsgs', 'InErrors', 'OutMsgs', 'OutErrors', 'InCsumErrors', 'OutRateLimitHost']
const ICMP_TYPES: [number, string][] = [
  [1, 'DestUnreachs'],
  [2, 'PktTooBigs'],
  [3, 'TimeExcds'],
  [4, 'ParmProblems'],
  [128, 'Echos'],
  [129, 'EchoReplies'],
  [130, 'GroupMembQueries'],
  [131, 'GroupMembResponses'],
  [132, 'GroupMembReductions'],
  [133, 'RouterSolicits'],
  [134, 'RouterAdvertisements'],
  [135, 'NeighborSolicits'],
  [136, 'NeighborAdvertisements'],
  [137, 'Redirects'],
  [143, 'MLDv2Reports'],
]
const UDP_NAMES = [
  'InDatagrams',
  'NoPorts',
  'InErrors',
  'OutDatagrams',
  'RcvbufErrors',
  'SndbufErrors',
  'InCsumErrors',
  'IgnoredMulti',
  'MemErrors',
]

/** By name, without the protocol's own: `ip.InReceives`; ICMP's messages by type. */
export class Counters6 {
  readonly ip: Record<string, number> = {}
  readonly icmp: Record<string, number> = {}
  readonly icmpIn: number[] = []
  readonly icmpOut: number[] = []
  readonly udp: Record<string, number> = {}

  countIp(name: string, by = 1): void {
    this.ip[name] = (this.ip[name] ?? 0) + by
  }

  countIcmp(name: string): void {
    this.icmp[name] = (this.icmp[name] ?? 0) + 1
  }

  countUdp(name: string): void {
    this.udp[name] = (this.udp[name] ?? 0) + 1
  }

  messageIn(type: number): void {
    this.icmpIn[type] = (this.icmpIn[type] ?? 0) + 1
  }

  messageOut(type: number): void {
    this.countIcmp('OutMsgs')
    this.icmpOut[type] = (this.icmpOut[type] ?? 0) + 1
  }
}

/** /proc/net/snmp6. */
export function formatSnmp6(counters: Counters6): string {
  const rows: [string, number][] = []
  for (const name of IP_NAMES) rows.push([`Ip6${name}`, counters.ip[name] ?? 0])
  for (const name of ICMP_NAMES) rows.push([`Icmp6${name}`, counters.icmp[name] ?? 0])
  for (const [type, name] of ICMP_TYPES) rows.push([`Icmp6In${name}`, counters.icmpIn[type] ?? 0])
  for (const [type, name] of ICMP_TYPES) rows.push([`Icmp6Out${name}`, counters.icmpOut[type] ?? 0])
  for (const [direction, types] of [
    ['In', counters.icmpIn],
    ['Out', counters.icmpOut],
  ] as const) {
    types.forEach((count, type) => {
      if (count > 0) rows.push([`Icmp6${direction}Type${type}`, count])
    })
  }
  for (const name of UDP_NAMES) rows.push([`Udp6${name}`, counters.udp[name] ?? 0])
  for (const name of UDP_NAMES) rows.push([`UdpLite6${name}`, 0])
  return rows.map(([name, value]) => `${name.padEnd(32)}\t${value}\n`).join('')
}

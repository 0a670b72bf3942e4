/**
 * The counters of /proc/net/snmp and /proc/net/netstat, as plain fields. Linux 6.1 net/ipv4/proc.c, include/uapi/linux/snmp.h.
 */
export class IpCounters {
  inReceives = 0
  inHdrErrors = 0
  inAddrErrors = 0
  forwDatagrams = 0
  inUnknownProtos = 0
  inDiscards = 0
  inDelivers = 0
  outRequests = 0
  outDiscards = 0
  outNoRoutes = 0
  reasmTimeout = 0
  reasmReqds = 0
  reasmOks = 0
  reasmFails = 0
  fragOks = 0
  fragFails = 0
  fragCreates = 0
  // IpExt.
  inNoRoutes = 0
  inTruncatedPkts = 0
  inMcastPkts = 0
  outMcastPkts = 0
  inBcastPkts = 0
  outBcastPkts = 0
  inOctets = 0
  outOctets = 0
  inMcastOctets = 0
  outMcastOctets = 0
  inBcastOctets = 0
  outBcastOctets = 0
  inCsumErrors = 0
  inNoEctPkts = 0
  inEct1Pkts = 0
  inEct0Pkts = 0
  inCePkts = 0
  reasmOverlaps = 0
  // TcpExt.
  ipReversePathFilter = 0
  arpFilter = 0
  // Icmp.
  icmpInMsgs = 0
  icmpInErrors = 0
  icmpInCsumErrors = 0
  icmpOutMsgs = 0
  icmpOutErrors = 0
  icmpRatelimitGlobal = 0
  icmpRatelimitHost = 0
  /** By ICMP type. */
  icmpIn: number[] = []
  icmpOut: number[] = []
  // Udp.
  udpInDatagrams = 0
  udpNoPorts = 0
  udpInErrors = 0
  udpOutDatagrams = 0
  udpRcvbufErrors = 0
  udpSndbufErrors = 0
  udpInCsumErrors = 0
  udpIgnoredMulti = 0
  udpMemErrors = 0
}

/** One more ICMP message of a type. */
export function countIcmp(types: number[], type: number): void {
  types[type] = (types[type] ?? 0) + 1
}

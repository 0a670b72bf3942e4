/** net.ipv4.vs.*: what can be set, with Linux's defaults. Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c: vs_vars[]. */

export class IpvsSettings {
  amemthresh = 1024
  amDroprate = 10
  dropEntry = 0
  dropPacket = 0
  conntrack = 0
  secureTcp = 0
  snatReroute = 1
  syncVersion = 1
  syncPorts = 1
  syncPersistMode = 0
  /** A thirty-second of the pages that buffers may take, of a machine with as much memory as the lab's. */
  syncQlenMax = 4778
  syncSockSize = 0
  cacheBypass = 0
  expireNodestConn = 0
  sloppyTcp = 0
  sloppySctp = 0
  expireQuiescentTemplate = 0
  /** Packets before the first message, and between messages. */
  syncThreshold: [number, number] = [3, 50]
  /** Jiffies. */
  syncRefreshPeriod = 0
  syncRetries = 0
  natIcmpSend = 0
  pmtuDisc = 1
  backupOnly = 0
  connReuseMode = 1
  scheduleIcmp = 0
  ignoreTunneled = 0
  runEstimation = 1
}

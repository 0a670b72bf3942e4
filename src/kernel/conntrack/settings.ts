/**
 * net.netfilter.nf_conntrack_*: what can be set, with Linux's defaults. Times in jiffies.
 * Linux 6.1 net/netfilter/nf_conntrack_standalone.c, nf_conntrack_proto_*.c.
 */
import { HZ } from '#kernel/net'

const MINUTE = 60 * HZ

/** TCP's timeouts have places of their own beyond those of the states. enum tcp_conntrack. */
export const TCP_TIMEOUT_RETRANS = 10
export const TCP_TIMEOUT_UNACK = 11

/** What all namespaces of a machine share, and only the initial one may set: those of a machine with as much memory as the lab's. */
export class ConntrackLimits {
  max = 5632
  buckets = 5632
  expectMax = 88
}

/** Each namespace's own. */
export class ConntrackSettings {
  checksum = 1
  logInvalid = 0
  acct = 0
  events = 2
  timestamp = 0
  dccpLoose = 1
  hooksLwtunnel = 0
  frag6High = 4 * 1024 * 1024
  frag6Low = 3 * 1024 * 1024
  frag6Timeout = MINUTE
  tcpLoose = 1
  tcpBeLiberal = 0
  tcpIgnoreInvalidRst = 0
  tcpMaxRetrans = 3
  /** By state; the first is what a connection has before it has one. */
  tcp: number[] = [
    2 * MINUTE,
    2 * MINUTE,
    MINUTE,
    5 * 24 * 60 * MINUTE,
    2 * MINUTE,
    MINUTE,
    30 * HZ,
    2 * MINUTE,
    10 * HZ,
    2 * MINUTE,
    5 * MINUTE,
    5 * MINUTE,
  ]
  udp = 30 * HZ
  udpStream = 2 * MINUTE
  icmp = 30 * HZ
  icmpv6 = 30 * HZ
  generic = 10 * MINUTE
  gre = 30 * HZ
  greStream = 3 * MINUTE
  /** By state. nf_conntrack_proto_sctp.c: sctp_timeouts[]. */
  sctp: number[] = [10, 10, 3, 3, 210, 3, 3, 3, 30].map((s) => s * HZ)
  /** DCCP's timeouts, then flow tables': see sysctls.ts. */
  kept: number[] = [240, 480, 480, 43200, 64, 64, 240, 30, 30].map((s) => s * HZ)
}

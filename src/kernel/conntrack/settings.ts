/**
 * net.netfilter.nf_conntrack_*: what can be set, with Linux's defaults. Times in jiffies.
 * Linux 6.1 net/netfilter/nf_conntrack_standalone.c, nf_conntrack_proto_*.c.
 */
import { HZ } from '#kernel/net'

const MINUTE = 60 * HZ

/** TCP's timeouts have places of their own beyond those of the states. enum tcp_conntrack. */
export const TCP_TIMEOUT_RETRANS = 10
export const TCP_TIMEOUT_UNACK = 11

export class ConntrackSettings {
  max = 7680
  buckets = 7680
  expectMax = 120
  checksum = 1
  logInvalid = 0
  acct = 0
  events = 2
  timestamp = 0
  helper = 0
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
  sctp: number[] = [3 * HZ, 10 * HZ, 3 * HZ, 3 * HZ, 210 * HZ, 3 * HZ, 3 * HZ, 3 * HZ, 30 * HZ]
}

/**
 * Requests and answers of rtnetlink, as objects with the kernel's names. `Sys.netlink` takes one request and gives its
 * answers; a NEW or DEL request is answered by an empty list, a GET by the messages of a dump.
 *
 * Linux 6.1 include/uapi/linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h, fib_rules.h.
 */
import type { BridgeLinkMessage, BridgeLinkRequest, FdbMessage, FdbQuery, FdbRequest } from './netlink-bridge.ts'

/** NLM_F_*: what a NEW request may do. A GET without an ifindex, name or address is a dump. */
export interface NewFlags {
  create?: boolean
  exclusive?: boolean
  replace?: boolean
  append?: boolean
}

/** 64-bit counters. if_link.h: struct rtnl_link_stats64; the detailed errors only where a device has any. */
export interface LinkStats {
  rxPackets: number
  txPackets: number
  rxBytes: number
  txBytes: number
  rxErrors: number
  txErrors: number
  rxDropped: number
  txDropped: number
  multicast: number
  collisions: number
  rxOverrun: number
  txCarrier: number
  rxMissed?: number
  rxLength?: number
  rxCrc?: number
  rxFrame?: number
  rxFifo?: number
  rxNohandler?: number
  rxOtherhostDropped?: number
  txAborted?: number
  txFifo?: number
  txWindow?: number
  txHeartbeat?: number
}

export interface LinkMessage {
  type: 'RTM_NEWLINK'
  ifindex: number
  name: string
  /** IFF_*: UP 1, BROADCAST 2, LOOPBACK 8, POINTOPOINT 0x10, NOARP 0x80, PROMISC 0x100, ALLMULTI 0x200, MULTICAST 0x1000, LOWER_UP 0x10000, RUNNING 0x40. */
  flags: number
  mtu: number
  minMtu: number
  maxMtu: number
  qdisc: string
  /** 'UP', 'DOWN', 'UNKNOWN', 'LOWERLAYERDOWN' ... */
  operstate: string
  /** IFLA_GROUP: a number, or the name that /etc/iproute2/group gives it. */
  group: string | number
  txqlen: number
  /** 'ether', 'loopback', 'ipip' ... (ARPHRD_*). */
  linkType: string
  address: number
  broadcast: number
  /** Bytes of the two: 6 if absent; 4 are an IPv4 address; 0: there is none. */
  addressLength?: number
  promiscuity: number
  carrierChanges: number
  allmulti?: number
  /** IFLA_LINKMODE: 'DEFAULT' (if absent) or 'DORMANT'. */
  linkMode?: string
  alias?: string
  /** IFLA_PERM_ADDRESS, if the device has one. */
  permanentAddress?: number
  /** IFLA_AF_SPEC's IFLA_INET6_ADDR_GEN_MODE, where IPv6 is there: 'eui64', 'none' ... */
  addrGenMode?: string
  numTxQueues?: number
  numRxQueues?: number
  gsoMaxSize?: number
  gsoMaxSegs?: number
  tsoMaxSize?: number
  tsoMaxSegs?: number
  groMaxSize?: number
  parentBus?: string
  parentDevice?: string
  /** IFLA_LINKINFO: kind and its data, for other kinds of devices; and what its master says of it. */
  kind?: string
  data?: Record<string, unknown>
  xstats?: Record<string, unknown>
  slaveKind?: string
  slaveData?: Record<string, unknown>
  /** IFLA_LINK, if stacked on another device; 0: on none, although its kind has one. */
  link?: number
  /** IFLA_LINK_NETNSID, if that is in another namespace. */
  linkNetnsId?: number
  /** IFLA_CARRIER. */
  carrier?: boolean
  master?: number
  stats: LinkStats
}

/** What a link is to be. */
export interface LinkFields {
  ifindex?: number
  name?: string
  /** The bits to set, among those of `change`. */
  flags?: number
  change?: number
  mtu?: number
  address?: number
  broadcast?: number
  /** IFLA_ADDRESS and IFLA_BROADCAST as given, if they aren't six bytes long. */
  addressBytes?: number[]
  broadcastBytes?: number[]
  txqlen?: number
  newName?: string
  /** 0: none. */
  master?: number
  alias?: string
  group?: number
  linkMode?: string
  carrier?: boolean
  operstate?: string
  numTxQueues?: number
  numRxQueues?: number
  gsoMaxSize?: number
  gsoMaxSegs?: number
  groMaxSize?: number
  protoDown?: boolean
  /** IFLA_LINK. */
  link?: number
  /** IFLA_LINK_NETNSID: the namespace where `link` is, as this one numbers it. */
  linkNetnsId?: number
  /** IFLA_NET_NS_FD and IFLA_NET_NS_PID: where it is to be made, or to go. */
  netnsFd?: number
  netnsPid?: number
  /** IFLA_INFO_KIND, _DATA, _SLAVE_KIND, _SLAVE_DATA. */
  kind?: string
  data?: Record<string, unknown>
  slaveKind?: string
  slaveData?: Record<string, unknown>
  /** IFLA_AF_SPEC's IFLA_INET6_ADDR_GEN_MODE. */
  addrGenMode?: string
}

export type LinkRequest =
  | { type: 'RTM_GETLINK'; ifindex?: number; name?: string }
  /** Finds the device by its ifindex, or by its name if there is none. */
  | ({ type: 'RTM_SETLINK' } & LinkFields)
  /** Changes a device that is there, or makes one. */
  | ({ type: 'RTM_NEWLINK' } & LinkFields & NewFlags)
  | { type: 'RTM_DELLINK'; ifindex?: number; name?: string; group?: number }

export interface AddressMessage {
  type: 'RTM_NEWADDR'
  family: 'AF_INET'
  ifindex: number
  /** IFA_LOCAL and IFA_ADDRESS; they differ on point-to-point links. */
  local: number
  address: number
  prefix: number
  broadcast?: number
  label: string
  /** RT_SCOPE_*: 0 global, 253 link, 254 host. */
  scope: number
  /** IFA_F_*: SECONDARY 1, PERMANENT 0x80, NOPREFIXROUTE 0x200. */
  flags: number
  /** Seconds; 0xffffffff for ever. */
  validS: number
  preferredS: number
  /** IFA_RT_PRIORITY, if given. */
  metric?: number
}

export type AddressRequest =
  | { type: 'RTM_GETADDR'; ifindex?: number; family?: 'AF_INET' | 'AF_INET6' }
  | ({
      type: 'RTM_NEWADDR'
      family: 'AF_INET'
      ifindex: number
      local: number
      address?: number
      prefix: number
      broadcast?: number
      label?: string
      scope?: number
      flags?: number
      validS?: number
      preferredS?: number
      metric?: number
    } & NewFlags)
  | {
      type: 'RTM_DELADDR'
      family: 'AF_INET'
      ifindex: number
      local: number
      /** IFA_ADDRESS: with it the prefix has to fit too; without it the first with this local address goes. */
      address?: number
      prefix?: number
      label?: string
    }

export interface NextHop {
  ifindex: number
  gateway?: number
  /** 1 by default. */
  weight: number
  /** RTNH_F_*: DEAD 1, ONLINK 4, LINKDOWN 16. */
  flags: number
}

/** RTN_*. */
export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'

export interface RouteMessage {
  type: 'RTM_NEWROUTE'
  family: 'AF_INET'
  dst: number
  prefix: number
  /** 254 main, 255 local, 253 default. */
  table: number
  /** RTPROT_*: kernel 2, boot 3, static 4, redirect 1, unspec 0. */
  protocol: number
  /** RT_SCOPE_*: 0 global, 253 link, 254 host, 255 nowhere. */
  scope: number
  routeType: RouteType
  tos: number
  metric: number
  prefSrc?: number
  nextHops: NextHop[]
  /** RTAX_*: mtu, advmss, window, rtt, initcwnd ... */
  metrics?: Record<string, number>
  /** Of those, the locked ones (RTAX_LOCK). */
  lockedMetrics?: string[]
  /** For an answer to `ip route get`: what was asked, the device in, the uid, and cache details. */
  src?: number
  iif?: number
  mark?: number
  uid?: number
  cache?: { expiresS?: number; flags: string[]; error?: number }
}

export type RouteRequest =
  | { type: 'RTM_GETROUTE'; table?: number; cached?: boolean }
  | {
      type: 'RTM_GETROUTE'
      get: true
      dst: number
      src?: number
      iif?: number
      oif?: number
      mark?: number
      tos?: number
      fibMatch?: boolean
      uid?: number
      ipProtocol?: number
      sourcePort?: number
      destinationPort?: number
    }
  | ({ type: 'RTM_NEWROUTE' } & RouteFields & NewFlags)
  | ({ type: 'RTM_DELROUTE' } & RouteFields)

export interface RouteFields {
  family: 'AF_INET'
  dst: number
  prefix: number
  table?: number
  protocol?: number
  scope?: number
  routeType?: RouteType
  tos?: number
  metric?: number
  prefSrc?: number
  nextHops?: { ifindex?: number; gateway?: number; weight?: number; flags?: number }[]
  /** In the kernel's units: rtt in eighths, rttvar in quarters of a millisecond. */
  metrics?: Record<string, number>
  lockedMetrics?: string[]
}

/** NUD_*: several names may be joined in a request for `ip neigh show nud`; a message has one. */
export type NeighbourState =
  | 'NONE'
  | 'INCOMPLETE'
  | 'REACHABLE'
  | 'STALE'
  | 'DELAY'
  | 'PROBE'
  | 'FAILED'
  | 'NOARP'
  | 'PERMANENT'

export interface NeighbourMessage {
  type: 'RTM_NEWNEIGH'
  family: 'AF_INET'
  ifindex: number
  dst: number
  /** Undefined if not known. */
  lladdr?: number
  state: NeighbourState
  /** NTF_*: PROXY 8, ROUTER 0x80, USE 1, EXT_LEARNED 0x10. */
  flags: number
  /** NDA_CACHEINFO, in seconds as `ip -s neigh` prints them, and NDA_PROBES. */
  confirmedS: number
  usedS: number
  updatedS: number
  references: number
  probes: number
  protocol?: number
}

export type NeighbourRequest =
  | { type: 'RTM_GETNEIGH'; ifindex?: number; proxy?: boolean; dst?: number; get?: boolean }
  | ({
      type: 'RTM_NEWNEIGH'
      family: 'AF_INET'
      ifindex: number
      dst: number
      lladdr?: number
      /** NDA_LLADDR as given, if it isn't six bytes long. */
      lladdrBytes?: number[]
      state: NeighbourState
      flags?: number
      protocol?: number
    } & NewFlags)
  | { type: 'RTM_DELNEIGH'; family: 'AF_INET'; ifindex: number; dst: number; flags?: number }

/** FR_ACT_*. */
export type RuleAction = 'table' | 'goto' | 'nop' | 'blackhole' | 'unreachable' | 'prohibit'

export interface RuleFields {
  family: 'AF_INET'
  priority?: number
  src?: number
  srcPrefix?: number
  dst?: number
  dstPrefix?: number
  tos?: number
  iif?: string
  oif?: string
  fwmark?: number
  fwmask?: number
  table?: number
  action?: RuleAction
  goto?: number
  invert?: boolean
  suppressPrefixLength?: number
  ipProtocol?: number
  sourcePorts?: [number, number]
  destinationPorts?: [number, number]
  uidRange?: [number, number]
  /** FRA_PROTOCOL: who made it; a request may leave it out. */
  protocol?: number
}

export interface RuleMessage extends RuleFields {
  type: 'RTM_NEWRULE'
  priority: number
  action: RuleAction
  /** FIB_RULE_*: iif or oif names a device that isn't there; goto's target is missing. */
  iifDetached?: boolean
  oifDetached?: boolean
  unresolved?: boolean
  protocol: number
}

export type RuleRequest =
  | { type: 'RTM_GETRULE' }
  | ({ type: 'RTM_NEWRULE' } & RuleFields & NewFlags)
  | ({ type: 'RTM_DELRULE' } & RuleFields)

/** One socket as sock_diag reports it. Linux 6.1 include/uapi/linux/inet_diag.h. */
export interface SocketMessage {
  type: 'INET_DIAG'
  family: 'AF_INET' | 'AF_INET6' | 'AF_PACKET' | 'AF_UNIX' | 'AF_NETLINK'
  /** 'tcp', 'udp', 'raw', 'icmp' (ping sockets), 'p_raw', 'p_dgr', 'u_str' ...: Netid as ss prints it. */
  netid: string
  /** 'LISTEN', 'ESTAB', 'UNCONN' ... as ss prints it. */
  state: string
  receiveQueue: number
  sendQueue: number
  local: string
  localPort: string
  peer: string
  peerPort: string
  inode: number
  ifindex: number
  uid: number
  /** The number that tells it from all others: `sk:` of ss -e, in hexadecimal. */
  cookie?: number
  /** INET_DIAG_SKMEMINFO, by the letters of ss -m. */
  memory?: Record<'r' | 'rb' | 't' | 'tb' | 'f' | 'w' | 'o' | 'bl' | 'd', number>
  /** tcp_info of a TCP socket: kernel/net's `TcpInfo`. */
  info?: Record<string, unknown>
  /** What it waits for: ss -o. */
  timer?: { kind: 'on' | 'keepalive' | 'timewait' | 'persist'; expiresMs: number; retransmits: number }
}

export interface SocketRequest {
  type: 'SOCK_DIAG'
}

/** RTM_NEWNSID and RTM_GETNSID: which namespace is known by which number. fd: of the calling process. */
export interface NetnsRequest {
  type: 'RTM_NEWNSID' | 'RTM_GETNSID'
  fd?: number
  pid?: number
  /** To be given: -1, or absent, for any that is free. */
  nsid?: number
  dump?: boolean
  /** As that namespace sees it. */
  targetNsid?: number
}

/** nsid: -1 if it has none. */
export interface NetnsMessage {
  type: 'RTM_NEWNSID'
  nsid: number
}

export type NetRequest =
  | NetnsRequest
  | FdbRequest
  | FdbQuery
  | BridgeLinkRequest
  | LinkRequest
  | AddressRequest
  | RouteRequest
  | NeighbourRequest
  | RuleRequest
  | SocketRequest
export type NetMessage =
  | NetnsMessage
  | FdbMessage
  | BridgeLinkMessage
  | LinkMessage
  | AddressMessage
  | RouteMessage
  | NeighbourMessage
  | RuleMessage
  | SocketMessage

/** ICMPv6's types, codes and neighbour discovery's options. RFC 4443, 4861, 3810; Linux 6.1 include/uapi/linux/icmpv6.h. */
import { type Ipv6Address, readIpv6 } from './ipv6-address.ts'

export const ICMPV6_DEST_UNREACH = 1
export const ICMPV6_PKT_TOOBIG = 2
export const ICMPV6_TIME_EXCEED = 3
export const ICMPV6_PARAMPROB = 4
export const ICMPV6_ECHO_REQUEST = 128
export const ICMPV6_ECHO_REPLY = 129
export const ICMPV6_MGM_QUERY = 130
export const ICMPV6_MGM_REPORT = 131
export const ICMPV6_MGM_REDUCTION = 132
export const NDISC_ROUTER_SOLICITATION = 133
export const NDISC_ROUTER_ADVERTISEMENT = 134
export const NDISC_NEIGHBOUR_SOLICITATION = 135
export const NDISC_NEIGHBOUR_ADVERTISEMENT = 136
export const NDISC_REDIRECT = 137
export const ICMPV6_MLD2_REPORT = 143

export const ICMPV6_NOROUTE = 0
export const ICMPV6_ADM_PROHIBITED = 1
export const ICMPV6_NOT_NEIGHBOUR = 2
export const ICMPV6_ADDR_UNREACH = 3
export const ICMPV6_PORT_UNREACH = 4
export const ICMPV6_POLICY_FAIL = 5
export const ICMPV6_REJECT_ROUTE = 6
export const ICMPV6_EXC_HOPLIMIT = 0
export const ICMPV6_EXC_FRAGTIME = 1
export const ICMPV6_HDR_FIELD = 0
export const ICMPV6_UNK_NEXTHDR = 1
export const ICMPV6_UNK_OPTION = 2

export const ND_OPT_SOURCE_LL_ADDR = 1
export const ND_OPT_TARGET_LL_ADDR = 2
export const ND_OPT_PREFIX_INFO = 3
export const ND_OPT_REDIRECT_HDR = 4
export const ND_OPT_MTU = 5
export const ND_OPT_NONCE = 14
export const ND_OPT_ROUTE_INFO = 24
export const ND_OPT_RDNSS = 25
export const ND_OPT_DNSSL = 31

/** What types are called, as Wireshark has it. */
export const ICMPV6_TYPE_NAMES: Readonly<Record<number, string>> = {
  1: 'Destination Unreachable',
  2: 'Packet Too Big',
  3: 'Time Exceeded',
  4: 'Parameter Problem',
  128: 'Echo (ping) request',
  129: 'Echo (ping) reply',
  130: 'Multicast Listener Query',
  131: 'Multicast Listener Report',
  132: 'Multicast Listener Done',
  133: 'Router Solicitation',
  134: 'Router Advertisement',
  135: 'Neighbor Solicitation',
  136: 'Neighbor Advertisement',
  137: 'Redirect',
  143: 'Multicast Listener Report Message v2',
}

/** What codes are called, by type. */
export const ICMPV6_CODE_NAMES: Readonly<Record<number, readonly string[]>> = {
  1: [
    'no route to destination',
    'Administratively prohibited',
    'Beyond scope of source address',
    'Address unreachable',
    'Port unreachable',
    'Source address failed ingress/egress policy',
    'Reject route to destination',
  ],
  3: ['hop limit exceeded in transit', 'fragment reassembly time exceeded'],
  4: ['erroneous header field encountered', 'unrecognized Next Header type encountered', 'unrecognized IPv6 option'],
}

/** What a type and a code are called. */
export function icmpv6Names(type: number, code: number): { type: string; code: string | undefined } {
  return { type: ICMPV6_TYPE_NAMES[type] ?? 'Unknown', code: ICMPV6_CODE_NAMES[type]?.[code] }
}

/** One option of neighbour discovery. */
export interface NdOption {
  type: number
  at: number
  length: number
}

/** Options in order; undefined if one has no length or reaches beyond the end. RFC 4861 section 4.6. */
export function parseNdOptions(bytes: Uint8Array, at: number, end: number): NdOption[] | undefined {
  const options: NdOption[] = []
  while (at < end) {
    if (end - at < 2) return undefined
    const length = bytes[at + 1]! * 8
    if (length === 0 || length > end - at) return undefined
    options.push({ type: bytes[at]!, at, length })
    at += length
  }
  return options
}

/** A group record of an MLDv2 report. RFC 3810 section 5.2. */
export interface MldRecord {
  /** 1 MODE_IS_INCLUDE, 2 MODE_IS_EXCLUDE, 3 CHANGE_TO_INCLUDE, 4 CHANGE_TO_EXCLUDE, 5 ALLOW_NEW, 6 BLOCK_OLD. */
  type: number
  group: Ipv6Address
  sources: Ipv6Address[]
}

/** The records of a report's payload behind its eight bytes; those that are there in full. */
export function parseMldRecords(bytes: Uint8Array, at: number, end: number, count: number): MldRecord[] {
  const records: MldRecord[] = []
  while (records.length < count && end - at >= 20) {
    const type = bytes[at]!
    const auxiliary = bytes[at + 1]! * 4
    const wanted = (bytes[at + 2]! << 8) | bytes[at + 3]!
    const group = readIpv6(bytes, at + 4)
    at += 20
    const sources: Ipv6Address[] = []
    while (sources.length < wanted && end - at >= 16) {
      sources.push(readIpv6(bytes, at))
      at += 16
    }
    at += auxiliary
    records.push({ type, group, sources })
  }
  return records
}

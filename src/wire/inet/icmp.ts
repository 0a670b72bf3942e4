/** ICMP's types and codes. RFC 792, 950, 1122, 1256, 1812; Linux 6.1 include/uapi/linux/icmp.h. */
export const ICMP_ECHOREPLY = 0
export const ICMP_DEST_UNREACH = 3
export const ICMP_SOURCE_QUENCH = 4
export const ICMP_REDIRECT = 5
export const ICMP_ECHO = 8
export const ICMP_ROUTER_ADVERT = 9
export const ICMP_ROUTER_SOLICIT = 10
export const ICMP_TIME_EXCEEDED = 11
export const ICMP_PARAMETERPROB = 12
export const ICMP_TIMESTAMP = 13
export const ICMP_TIMESTAMPREPLY = 14
export const ICMP_INFO_REQUEST = 15
export const ICMP_INFO_REPLY = 16
export const ICMP_ADDRESS = 17
export const ICMP_ADDRESSREPLY = 18

export const ICMP_NET_UNREACH = 0
export const ICMP_HOST_UNREACH = 1
export const ICMP_PROT_UNREACH = 2
export const ICMP_PORT_UNREACH = 3
export const ICMP_FRAG_NEEDED = 4
export const ICMP_SR_FAILED = 5
export const ICMP_NET_UNKNOWN = 6
export const ICMP_HOST_UNKNOWN = 7
export const ICMP_NET_ANO = 9
export const ICMP_HOST_ANO = 10
export const ICMP_NET_UNR_TOS = 11
export const ICMP_HOST_UNR_TOS = 12
export const ICMP_PKT_FILTERED = 13
export const ICMP_PREC_VIOLATION = 14
export const ICMP_PREC_CUTOFF = 15

export const ICMP_REDIR_NET = 0
export const ICMP_REDIR_HOST = 1
export const ICMP_REDIR_NETTOS = 2
export const ICMP_REDIR_HOSTTOS = 3

export const ICMP_EXC_TTL = 0
export const ICMP_EXC_FRAGTIME = 1

/** What types are called, as Wireshark has it. */
export const ICMP_TYPE_NAMES: Readonly<Record<number, string>> = {
  0: 'Echo (ping) reply',
  3: 'Destination unreachable',
  4: 'Source quench (flow control)',
  5: 'Redirect',
  8: 'Echo (ping) request',
  9: 'Router advertisement',
  10: 'Router solicitation',
  11: 'Time-to-live exceeded',
  12: 'Parameter problem',
  13: 'Timestamp request',
  14: 'Timestamp reply',
  15: 'Information request',
  16: 'Information reply',
  17: 'Address mask request',
  18: 'Address mask reply',
}

/** What codes are called, by type. */
export const ICMP_CODE_NAMES: Readonly<Record<number, readonly string[]>> = {
  3: [
    'Network unreachable',
    'Host unreachable',
    'Protocol unreachable',
    'Port unreachable',
    'Fragmentation needed',
    'Source route failed',
    'Destination network unknown',
    'Destination host unknown',
    'Source host isolated',
    'Network administratively prohibited',
    'Host administratively prohibited',
    'Network unreachable for TOS',
    'Host unreachable for TOS',
    'Communication administratively filtered',
    'Host precedence violation',
    'Precedence cutoff in effect',
  ],
  5: ['Redirect for network', 'Redirect for host', 'Redirect for TOS and network', 'Redirect for TOS and host'],
  11: ['Time to live exceeded in transit', 'Fragment reassembly time exceeded'],
  12: ['Pointer indicates the error', 'Required option missing', 'Bad length'],
}

/** What a type and a code are called. */
export function icmpNames(type: number, code: number): { type: string; code: string | undefined } {
  return { type: ICMP_TYPE_NAMES[type] ?? 'Unknown ICMP', code: ICMP_CODE_NAMES[type]?.[code] }
}

/** Whether a message tells of an error, and so quotes the packet that caused it. RFC 1122 section 3.2.2. */
export function isIcmpError(type: number): boolean {
  return (
    type === ICMP_DEST_UNREACH ||
    type === ICMP_SOURCE_QUENCH ||
    type === ICMP_REDIRECT ||
    type === ICMP_TIME_EXCEEDED ||
    type === ICMP_PARAMETERPROB
  )
}

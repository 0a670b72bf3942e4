/** What rules can speak of: headers and their fields, meta and ct keys. nftables 1.0.6 src/proto.c, meta.c, ct.c. */
import type { Base, Load } from '../expressions.ts'
import { type DataType, integerType, TYPES } from './types.ts'

export interface Field {
  name: string
  /** In bits. */
  offset: number
  bits: number
  type: DataType
}

export interface Header {
  name: string
  base: Base
  /** The protocol number that leads to it, above IP. */
  protocol?: number
  fields: Field[]
}

const field = (name: string, offset: number, bits: number, type?: string): Field => ({
  name,
  offset,
  bits,
  type:
    type === undefined
      ? integerType(bits)
      : { ...TYPES.get(type)!, bits: type === 'dscp' || type === 'ecn' ? bits : TYPES.get(type)!.bits },
})

export const HEADERS: Header[] = [
  {
    name: 'ether',
    base: 'll',
    fields: [
      field('daddr', 0, 48, 'ether_addr'),
      field('saddr', 48, 48, 'ether_addr'),
      field('type', 96, 16, 'ether_type'),
    ],
  },
  {
    name: 'ip',
    base: 'nh',
    fields: [
      field('version', 0, 4),
      field('hdrlength', 4, 4),
      field('dscp', 8, 6, 'dscp'),
      field('ecn', 14, 2, 'ecn'),
      field('length', 16, 16),
      field('id', 32, 16),
      field('frag-off', 48, 16),
      field('ttl', 64, 8),
      field('protocol', 72, 8, 'inet_proto'),
      field('checksum', 80, 16),
      field('saddr', 96, 32, 'ipv4_addr'),
      field('daddr', 128, 32, 'ipv4_addr'),
    ],
  },
  {
    name: 'ip6',
    base: 'nh',
    fields: [
      field('version', 0, 4),
      field('dscp', 4, 6, 'dscp'),
      field('ecn', 10, 2, 'ecn'),
      field('flowlabel', 12, 20),
      field('length', 32, 16),
      field('nexthdr', 48, 8, 'inet_proto'),
      field('hoplimit', 56, 8),
      field('saddr', 64, 128, 'ipv6_addr'),
      field('daddr', 192, 128, 'ipv6_addr'),
    ],
  },
  {
    name: 'icmp',
    base: 'th',
    protocol: 1,
    fields: [
      field('type', 0, 8, 'icmp_type'),
      field('code', 8, 8, 'icmp_code'),
      field('checksum', 16, 16),
      field('id', 32, 16),
      field('sequence', 48, 16),
      field('gateway', 32, 32),
      field('mtu', 48, 16),
    ],
  },
  {
    name: 'icmpv6',
    base: 'th',
    protocol: 58,
    fields: [
      field('type', 0, 8, 'icmpv6_type'),
      field('code', 8, 8),
      field('checksum', 16, 16),
      field('parameter-problem', 32, 32),
      field('packet-too-big', 32, 32),
      field('id', 32, 16),
      field('sequence', 48, 16),
    ],
  },
  {
    name: 'igmp',
    base: 'th',
    protocol: 2,
    fields: [
      field('type', 0, 8, 'igmp_type'),
      field('mrt', 8, 8),
      field('checksum', 16, 16),
      field('group', 32, 32, 'ipv4_addr'),
    ],
  },
  {
    name: 'tcp',
    base: 'th',
    protocol: 6,
    fields: [
      field('sport', 0, 16, 'inet_service'),
      field('dport', 16, 16, 'inet_service'),
      field('sequence', 32, 32),
      field('ackseq', 64, 32),
      field('doff', 96, 4),
      field('reserved', 100, 4),
      field('flags', 104, 8, 'tcp_flag'),
      field('window', 112, 16),
      field('checksum', 128, 16),
      field('urgptr', 144, 16),
    ],
  },
  {
    name: 'udp',
    base: 'th',
    protocol: 17,
    fields: [
      field('sport', 0, 16, 'inet_service'),
      field('dport', 16, 16, 'inet_service'),
      field('length', 32, 16),
      field('checksum', 48, 16),
    ],
  },
  {
    name: 'sctp',
    base: 'th',
    protocol: 132,
    fields: [field('sport', 0, 16, 'inet_service'), field('dport', 16, 16, 'inet_service'), field('vtag', 32, 32)],
  },
  { name: 'esp', base: 'th', protocol: 50, fields: [field('spi', 0, 32), field('sequence', 32, 32)] },
  {
    name: 'th',
    base: 'th',
    fields: [field('sport', 0, 16, 'inet_service'), field('dport', 16, 16, 'inet_service')],
  },
]

export const META: Record<string, DataType> = {
  length: integerType(32),
  protocol: TYPES.get('ether_type')!,
  nfproto: TYPES.get('nf_proto')!,
  l4proto: TYPES.get('inet_proto')!,
  priority: TYPES.get('classid')!,
  mark: TYPES.get('mark')!,
  iif: TYPES.get('iface_index')!,
  iifname: TYPES.get('ifname')!,
  iiftype: TYPES.get('iface_type')!,
  oif: TYPES.get('iface_index')!,
  oifname: TYPES.get('ifname')!,
  oiftype: TYPES.get('iface_type')!,
  skuid: TYPES.get('uid')!,
  skgid: TYPES.get('gid')!,
  nftrace: integerType(1),
  rtclassid: TYPES.get('realm')!,
  pkttype: TYPES.get('pkt_type')!,
  cpu: integerType(32),
  iifgroup: integerType(32),
  oifgroup: integerType(32),
  cgroup: integerType(32),
  random: integerType(32),
}
/** Keys that may stand without `meta`. */
export const BARE_META = [
  'mark',
  'iif',
  'iifname',
  'iiftype',
  'oif',
  'oifname',
  'oiftype',
  'skuid',
  'skgid',
  'nftrace',
  'rtclassid',
  'pkttype',
  'cpu',
  'iifgroup',
  'oifgroup',
  'cgroup',
]
/** Of those, the ones that are printed without it. */
export const UNQUALIFIED = ['iif', 'iifname', 'oif', 'oifname', 'iiftype', 'oiftype', 'iifgroup', 'oifgroup']

export const CT: Record<string, DataType> = {
  state: TYPES.get('ct_state')!,
  direction: TYPES.get('ct_dir')!,
  status: TYPES.get('ct_status')!,
  mark: TYPES.get('mark')!,
  expiration: TYPES.get('time')!,
  helper: TYPES.get('string')!,
  l3proto: TYPES.get('nf_proto')!,
  saddr: TYPES.get('ipv4_addr')!,
  daddr: TYPES.get('ipv4_addr')!,
  protocol: TYPES.get('inet_proto')!,
  'proto-src': TYPES.get('inet_service')!,
  'proto-dst': TYPES.get('inet_service')!,
  packets: integerType(64),
  bytes: integerType(64),
  zone: integerType(16),
}

/** ARP's header: in tables of its own family, which iptables' sister writes; its fields' names are two words. */
export const ARP_HEADER: Header = {
  name: 'arp',
  base: 'nh',
  fields: [
    field('htype', 0, 16),
    field('ptype', 16, 16, 'ether_type'),
    field('hlen', 32, 8),
    field('plen', 40, 8),
    field('operation', 48, 16, 'arp_op'),
    field('saddr ether', 64, 48, 'ether_addr'),
    field('saddr ip', 112, 32, 'ipv4_addr'),
    field('daddr ether', 144, 48, 'ether_addr'),
    field('daddr ip', 192, 32, 'ipv4_addr'),
  ],
}

/** The field of a header. */
export function findField(header: string, name: string): { header: Header; field: Field } | undefined {
  const found = HEADERS.find((one) => one.name === header)
  const inside = found?.fields.find((one) => one.name === name)
  return found && inside ? { header: found, field: inside } : undefined
}

/** How the kernel is asked for a field: whole bytes, and a mask and shift for what lies within one. */
export function loadOf(header: Header, one: Field): { load: Load; mask?: number; shift: number } {
  const first = Math.floor(one.offset / 8)
  const last = Math.ceil((one.offset + one.bits) / 8)
  const load: Load = { load: 'payload', base: header.base, offset: first, length: last - first }
  if (one.offset % 8 === 0 && one.bits % 8 === 0) return { load, shift: 0 }
  const shift = last * 8 - one.offset - one.bits
  return { load, mask: (2 ** one.bits - 1) * 2 ** shift, shift }
}

/** TCP options: numbers and the fields that can be asked for. */
export const TCP_OPTIONS: Record<string, { type: number; fields: Record<string, [offset: number, length: number]> }> = {
  maxseg: { type: 2, fields: { size: [2, 2], length: [1, 1] } },
  window: { type: 3, fields: { count: [2, 1], length: [1, 1] } },
  'sack-perm': { type: 4, fields: { length: [1, 1] } },
  timestamp: { type: 8, fields: { tsval: [2, 4], tsecr: [6, 4], length: [1, 1] } },
}

/** Names of priorities, by family ip. */
export const PRIORITIES: [string, number][] = [
  ['raw', -300],
  ['mangle', -150],
  ['dstnat', -100],
  ['filter', 0],
  ['security', 50],
  ['srcnat', 100],
]

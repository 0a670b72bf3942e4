/** What sets are made of: the parts of an element, by type. Linux 6.1 net/netfilter/ipset/ip_set_*.c. */
import { formatIpv4, ICMP_ECHO, ICMP_ECHOREPLY } from '#wire/inet'

export type PartKind = 'ip' | 'net' | 'port' | 'mac' | 'set' | 'bitmap port'

export interface SetType {
  name: string
  /** IPSET_TYPE_REV_MAX of Linux 6.1. */
  revision: number
  parts: PartKind[]
  method: 'hash' | 'bitmap' | 'list'
}

export const SET_TYPES: SetType[] = [
  { name: 'hash:ip', revision: 5, parts: ['ip'], method: 'hash' },
  { name: 'hash:net', revision: 7, parts: ['net'], method: 'hash' },
  { name: 'hash:ip,port', revision: 6, parts: ['ip', 'port'], method: 'hash' },
  { name: 'hash:net,port', revision: 8, parts: ['net', 'port'], method: 'hash' },
  { name: 'hash:ip,port,ip', revision: 6, parts: ['ip', 'port', 'ip'], method: 'hash' },
  { name: 'hash:ip,port,net', revision: 8, parts: ['ip', 'port', 'net'], method: 'hash' },
  { name: 'hash:net,net', revision: 3, parts: ['net', 'net'], method: 'hash' },
  { name: 'hash:mac', revision: 1, parts: ['mac'], method: 'hash' },
  { name: 'bitmap:ip', revision: 3, parts: ['ip'], method: 'bitmap' },
  { name: 'bitmap:port', revision: 3, parts: ['bitmap port'], method: 'bitmap' },
  { name: 'list:set', revision: 3, parts: ['set'], method: 'list' },
]

/** One part of an element. */
export type Part =
  | { kind: 'ip'; address: number; prefix: number }
  | { kind: 'port'; protocol: number; port: number }
  | { kind: 'mac'; mac: number }
  | { kind: 'set'; name: string }

const PROTOCOLS: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 132: 'sctp', 136: 'udplite', 58: 'icmpv6' }
export const PROTOCOL_NUMBERS: Record<string, number> = Object.fromEntries(
  Object.entries(PROTOCOLS).map(([number, name]) => [name, Number(number)]),
)

/** ICMP's type and code by name, where ipset has one. lib/icmp.c. */
export const ICMP_NAMES: [string, number, number][] = [
  ['echo-reply', ICMP_ECHOREPLY, 0],
  ['network-unreachable', 3, 0],
  ['host-unreachable', 3, 1],
  ['protocol-unreachable', 3, 2],
  ['port-unreachable', 3, 3],
  ['fragmentation-needed', 3, 4],
  ['source-quench', 4, 0],
  ['network-redirect', 5, 0],
  ['host-redirect', 5, 1],
  ['echo-request', ICMP_ECHO, 0],
  ['router-advertisement', 9, 0],
  ['router-solicitation', 10, 0],
  ['ttl-zero-during-transit', 11, 0],
  ['ttl-zero-during-reassembly', 11, 1],
  ['timestamp-request', 13, 0],
  ['timestamp-reply', 14, 0],
]

export function formatPart(part: Part, kind: PartKind): string {
  switch (part.kind) {
    case 'ip':
      return formatIpv4(part.address) + (kind === 'net' && part.prefix !== 32 ? `/${part.prefix}` : '')
    case 'port': {
      if (kind === 'bitmap port') return String(part.port)
      const protocol = PROTOCOLS[part.protocol] ?? String(part.protocol)
      if (part.protocol !== 1) return `${protocol}:${part.port}`
      const name = ICMP_NAMES.find(([, type, code]) => type * 256 + code === part.port)?.[0]
      return `icmp:${name ?? `${part.port >>> 8}/${part.port & 255}`}`
    }
    case 'mac':
      return part.mac
        .toString(16)
        .padStart(12, '0')
        .replace(/..(?=.)/g, '$&:')
        .toUpperCase()
    case 'set':
      return part.name
  }
}

/** What tells elements apart. */
export function keyOf(parts: readonly Part[]): string {
  return parts
    .map((part) =>
      part.kind === 'ip'
        ? `${part.address}/${part.prefix}`
        : part.kind === 'port'
          ? `${part.protocol}:${part.port}`
          : part.kind === 'mac'
            ? String(part.mac)
            : part.name,
    )
    .join(',')
}

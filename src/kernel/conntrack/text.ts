/** Names and addresses, as the kernel's files and `conntrack` print them. */
import { formatIpv4, formatIpv6 } from '#wire/inet'
import type { InetAddr } from './conn.ts'

const NAMES: Record<number, string> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  47: 'gre',
  58: 'icmpv6',
  132: 'sctp',
  136: 'udplite',
}

/** A protocol's name; 'unknown' for what has no tracker. */
export function protocolName(protocol: number): string {
  return NAMES[protocol] ?? 'unknown'
}

export function formatAddr(address: InetAddr): string {
  return typeof address === 'number' ? formatIpv4(address) : formatIpv6(address)
}

import type { Ipv6Address } from '#wire/inet'

/** What a filter asks of the host that it is compiled on: names of hosts, services, protocols, networks. */
export interface Names {
  host(name: string): number[]
  host6(name: string): Ipv6Address[]
  /** Of /etc/services: the ports of TCP and UDP. */
  port(name: string): { tcp?: number; udp?: number }
  /** Of /etc/protocols. */
  protocol(name: string): number | undefined
  /** Of /etc/networks. */
  network(name: string): number | undefined
}

export const NO_NAMES: Names = {
  host: () => [],
  host6: () => [],
  port: () => ({}),
  protocol: () => undefined,
  network: () => undefined,
}

/** EtherTypes by the names that `ether proto` takes. libpcap 1.10.3 nametoaddr.c: eproto_db. */
export const ETHER_PROTOCOLS: Record<string, number> = {
  aarp: 0x80f3,
  arp: 0x0806,
  atalk: 0x809b,
  decnet: 0x6003,
  ip: 0x0800,
  ip6: 0x86dd,
  lat: 0x6004,
  loopback: 0x9000,
  mopdl: 0x6001,
  moprc: 0x6002,
  rarp: 0x8035,
  sca: 0x6007,
}

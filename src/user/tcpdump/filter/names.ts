/** What a filter asks of the host that it is compiled on: names of hosts, services, protocols, networks. */
export interface Names {
  host(name: string): number[]
  /** Of /etc/services: the ports of TCP and UDP. */
  port(name: string): { tcp?: number; udp?: number }
  /** Of /etc/protocols. */
  protocol(name: string): number | undefined
  /** Of /etc/networks. */
  network(name: string): number | undefined
}

export const NO_NAMES: Names = {
  host: () => [],
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

/** IPv6 text as its 16 bytes. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const words = (half: string): number[] | undefined => {
    if (half === '') return []
    const out: number[] = []
    for (const part of half.split(':')) {
      if (part.includes('.')) {
        const bytes = part.split('.').map(Number)
        if (bytes.length !== 4 || bytes.some((byte) => !(byte <= 255))) return undefined
        out.push(bytes[0]! * 256 + bytes[1]!, bytes[2]! * 256 + bytes[3]!)
      } else if (/^[0-9a-f]{1,4}$/i.test(part)) out.push(Number.parseInt(part, 16))
      else return undefined
    }
    return out
  }
  const head = words(halves[0]!)
  const tail = halves.length === 2 ? words(halves[1]!) : []
  if (!head || !tail) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail]
  return Uint8Array.from(all.flatMap((word) => [word >>> 8, word & 255]))
}

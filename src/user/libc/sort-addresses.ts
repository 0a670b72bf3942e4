/** Which of a name's addresses is tried first, where it has some of both families. RFC 3484; glibc 2.36 getaddrinfo.c: rfc3484_sort(). */
import type { Body, Sys } from '#kernel/core'
import { type Ipv6Address, inPrefixIpv6, mappedIpv4, parseIpv6, readIpv6 } from '#wire/inet'
import { addressOf, type NetAddress, withPort } from './address.ts'

/** gai.conf(5)'s defaults. */
const POLICY = (
  [
    ['::1', 128, 0, 50],
    ['::ffff:0:0', 96, 4, 10],
    ['::', 96, 3, 20],
    ['2002::', 16, 2, 30],
    ['2001::', 32, 7, 40],
    ['fec0::', 10, 5, 40],
    ['fc00::', 7, 6, 40],
    ['::', 0, 1, 40],
  ] as const
).map(([text, length, label, precedence]) => ({ network: parseIpv6(text)!, length, label, precedence }))

interface Place {
  scope: number
  label: number
  precedence: number
}

function placeOf(address: NetAddress): Place {
  const six = address.family === 'AF_INET' ? mappedIpv4(address.address) : readIpv6(address.address, 0)
  const { label, precedence } = POLICY.find(({ network, length }) => inPrefixIpv6(six, network, length))!
  const scope = address.family === 'AF_INET' ? scopeOf4(address.address) : scopeOf6(six)
  return { scope, label, precedence }
}

const LINK_LOCAL = 2
const GLOBAL = 14

function scopeOf4(address: number): number {
  return address >>> 24 === 127 || address >>> 16 === 0xa9fe ? LINK_LOCAL : GLOBAL
}

function scopeOf6({ w0, w1, w2, w3 }: Ipv6Address): number {
  if (w0 >>> 24 === 0xff) return (w0 >>> 16) & 15
  if (w0 >>> 22 === 0x3fa || (w0 === 0 && w1 === 0 && w2 === 0 && w3 === 1)) return LINK_LOCAL
  return w0 >>> 22 === 0x3fb ? 5 : GLOBAL
}

/** The source that the kernel would send from; undefined if it has none. */
function* sourceFor(sys: Sys, address: NetAddress): Body<NetAddress | undefined> {
  const fd = sys.socket(address.family, 'SOCK_DGRAM', 17)
  if (!fd.ok) return undefined
  const connected = yield* sys.connect(fd.value, withPort(address, 0))
  const name = connected.ok ? sys.getsockname(fd.value) : undefined
  sys.close(fd.value)
  return name?.ok ? addressOf(name.value)?.address : undefined
}

export function* sortAddresses(sys: Sys, addresses: NetAddress[]): Body<NetAddress[]> {
  // Within a family, the order that they came in is kept.
  if (addresses.every(({ family }) => family === addresses[0]!.family)) return addresses
  const ranked: { address: NetAddress; ranks: number[] }[] = []
  for (const address of addresses) {
    const source = yield* sourceFor(sys, address)
    const to = placeOf(address)
    const from = source && placeOf(source)
    ranked.push({
      address,
      ranks: [
        from ? 0 : 1,
        from?.scope === to.scope ? 0 : 1,
        from?.label === to.label ? 0 : 1,
        -to.precedence,
        to.scope,
      ],
    })
  }
  const compare = (a: number[], b: number[]) => a.map((rank, i) => rank - b[i]!).find((rank) => rank !== 0) ?? 0
  return ranked.sort((a, b) => compare(a.ranks, b.ranks)).map(({ address }) => address)
}

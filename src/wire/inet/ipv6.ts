/**
 * IPv6's header and the extension headers behind it. RFC 8200.
 *
 * A packet carries the extension headers that are known (hop-by-hop, routing, fragment, destination options) as they are, in
 * `ipOptions`: each begins with the type of what follows it, so only the first one's own type needs a place, `ipId`. What
 * isn't known, or is cut short, begins the payload, and `protocol` is its type.
 */
import type { Ipv6Address } from './ipv6-address.ts'
import { IP_MF, IP_OFFSET, type Packet } from './packet.ts'

export const IPPROTO_HOPOPTS = 0
export const IPPROTO_ROUTING = 43
export const IPPROTO_FRAGMENT = 44
export const IPPROTO_NONE = 59
export const IPPROTO_DSTOPTS = 60

/** The sum of an address's words, for a checksum. */
export function addressSum(address: Ipv6Address): number {
  return address.w0 + address.w1 + address.w2 + address.w3
}

/** One extension header within a chain. */
export interface ExtensionHeader {
  type: number
  /** What follows it. */
  next: number
  /** Where it stands in the chain, and how long it is. */
  at: number
  length: number
}

function isExtension(type: number, first: boolean): boolean {
  return (
    type === IPPROTO_ROUTING ||
    type === IPPROTO_FRAGMENT ||
    type === IPPROTO_DSTOPTS ||
    (type === IPPROTO_HOPOPTS && first)
  )
}

/** Where the chain ends that begins here; `protocol`, `ipId` and `fragment` are set by it. */
export function chainEnd(packet: Packet, bytes: Uint8Array, at: number, end: number): number {
  const begin = at
  packet.ipId = 0
  let type = packet.protocol
  const firstType = type
  while (isExtension(type, at === begin)) {
    const fragment = type === IPPROTO_FRAGMENT
    const length = end - at < 8 ? 0 : fragment ? 8 : (bytes[at + 1]! + 1) * 8
    if (length === 0 || length > end - at) break
    type = bytes[at]!
    if (fragment) {
      const word = (bytes[at + 2]! << 8) | bytes[at + 3]!
      packet.fragment = ((word >>> 3) & IP_OFFSET) | (word & 1 ? IP_MF : 0)
      at += 8
      if (packet.fragment & IP_OFFSET) break // What follows is the middle of something.
      continue
    }
    at += length
  }
  packet.protocol = type
  if (at > begin) packet.ipId = firstType
  return at
}

/** The extension headers of a packet, in order. */
export function extensionHeaders(packet: Packet): ExtensionHeader[] {
  const chain = packet.ipOptions
  const headers: ExtensionHeader[] = []
  if (chain === undefined) return headers
  let type = packet.ipId
  for (let at = 0; at < chain.length; ) {
    const length = type === IPPROTO_FRAGMENT ? 8 : (chain[at + 1]! + 1) * 8
    const next = chain[at]!
    headers.push({ type, next, at, length })
    type = next
    at += length
  }
  return headers
}

/** What a fragment header says; undefined if there is none. */
export function fragmentOf(packet: Packet): { id: number; at: number; next: number } | undefined {
  const header = packet.ipOptions && extensionHeaders(packet).find(({ type }) => type === IPPROTO_FRAGMENT)
  if (!header) return undefined
  const chain = packet.ipOptions!
  const { at, next } = header
  const id = ((chain[at + 4]! << 24) | (chain[at + 5]! << 16) | (chain[at + 6]! << 8) | chain[at + 7]!) >>> 0
  return { id, at, next }
}

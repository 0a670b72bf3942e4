/** Addresses of either family, as programs write and give them. */
import type { SockAddr } from '#kernel/core'
import { formatDnsIpv6 } from '#wire/dns'
import { formatIpv4, parseIpv4, parseIpv4Loose } from '#wire/inet'

/** An address without a port. */
export type NetAddress =
  | { family: 'AF_INET'; address: number }
  | { family: 'AF_INET6'; address: Uint8Array; scopeId: number }

/** The 16 bytes of an IPv6 address, undefined if it is none; inet_pton(3). */
export function parseIpv6Bytes(text: string): Uint8Array | undefined {
  if (!/^[\da-fA-F:.]{2,45}$/.test(text)) return undefined
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const words = (half: string): number[] | undefined => {
    if (half === '') return []
    const parts = half.split(':')
    const out: number[] = []
    for (const [i, part] of parts.entries()) {
      if (part.includes('.')) {
        const v4 = i === parts.length - 1 ? parseIpv4(part) : undefined
        if (v4 === undefined) return undefined
        out.push(v4 >>> 16, v4 & 0xffff)
      } else if (/^[\da-fA-F]{1,4}$/.test(part)) out.push(Number.parseInt(part, 16))
      else return undefined
    }
    return out
  }
  const head = words(halves[0]!)
  const tail = halves.length === 2 ? words(halves[1]!) : []
  if (!head || !tail || (halves.length === 2 && halves[0]!.includes('.'))) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const bytes = new Uint8Array(16)
  ;[...head, ...new Array<number>(missing).fill(0), ...tail].forEach((word, i) => {
    bytes[2 * i] = word >> 8
    bytes[2 * i + 1] = word & 255
  })
  return bytes
}

/** A number as getaddrinfo(3) takes it: 10.0.0.1, 10.1, 0x7f000001, ::1. */
export function parseAddress(text: string): NetAddress | undefined {
  const v4 = parseIpv4Loose(text)
  if (v4 !== undefined) return { family: 'AF_INET', address: v4 }
  const v6 = parseIpv6Bytes(text.replace(/%.*/, ''))
  return v6 && { family: 'AF_INET6', address: v6, scopeId: 0 }
}

export function formatAddress(address: NetAddress): string {
  return address.family === 'AF_INET' ? formatIpv4(address.address) : formatDnsIpv6(address.address)
}

export function sameAddress(one: NetAddress, other: NetAddress): boolean {
  return formatAddress(one) === formatAddress(other)
}

/** With a port, for connect(2) and the like. */
export function withPort(address: NetAddress, port: number): SockAddr {
  return address.family === 'AF_INET'
    ? { family: 'AF_INET', address: address.address, port }
    : { family: 'AF_INET6', address: address.address, scopeId: address.scopeId, port }
}

/** The address and port of a socket's name; undefined for other families. */
export function addressOf(name: SockAddr): { address: NetAddress; port: number } | undefined {
  if (name.family === 'AF_INET') return { address: { family: 'AF_INET', address: name.address }, port: name.port }
  if (name.family !== 'AF_INET6') return undefined
  return { address: { family: 'AF_INET6', address: name.address, scopeId: name.scopeId }, port: name.port }
}

/**
 * IPv6 addresses: one object for each address, so that `===` compares and a packet holds a reference. RFC 4291; how they are
 * written, RFC 5952, as inet_pton(3) and inet_ntop(3) of glibc have it.
 *
 *     parseIpv6('2001:DB8::1') === parseIpv6('2001:db8:0:0:0:0:0:1')
 */
import { formatIpv4, parseIpv4 } from './address.ts'

export class Ipv6Address {
  /** Numbers the addresses in the order in which they were first met: a key for tables, never an order to show. */
  readonly id: number
  /** The four 32-bit words, unsigned, the first at the left. */
  readonly w0: number
  readonly w1: number
  readonly w2: number
  readonly w3: number
  /** The next one of the same hash. */
  #next: Ipv6Address | undefined = undefined

  constructor(id: number, w0: number, w1: number, w2: number, w3: number) {
    this.id = id
    this.w0 = w0
    this.w1 = w1
    this.w2 = w2
    this.w3 = w3
  }

  /** Finds an address in a chain of addresses. */
  static find(chain: Ipv6Address | undefined, w0: number, w1: number, w2: number, w3: number): Ipv6Address | undefined {
    for (let at = chain; at !== undefined; at = at.#next) {
      if (at.w3 === w3 && at.w0 === w0 && at.w1 === w1 && at.w2 === w2) return at
    }
    return undefined
  }

  static chain(address: Ipv6Address, next: Ipv6Address | undefined): Ipv6Address {
    address.#next = next
    return address
  }
}

const BUCKETS = 4096
/** As many addresses are kept for good; those beyond (a flood of invented senders) only while somebody holds them. */
const KEPT_MAX = 65_536

const buckets: (Ipv6Address | undefined)[] = new Array(BUCKETS).fill(undefined)
let kept = 0
let made = 0
const passing = new Map<string, WeakRef<Ipv6Address>>()
const gone = new FinalizationRegistry<string>((key) => {
  if (passing.get(key)?.deref() === undefined) passing.delete(key)
})

/** The one object of an address, by its words. */
export function ipv6(w0: number, w1: number, w2: number, w3: number): Ipv6Address {
  const mixed = Math.imul(w3 ^ Math.imul(w2, 0x9e3779b1), 0x85ebca6b) ^ w1 ^ Math.imul(w0, 0xc2b2ae35)
  const bucket = (mixed ^ (mixed >>> 15)) & (BUCKETS - 1)
  const found = Ipv6Address.find(buckets[bucket], w0, w1, w2, w3)
  if (found !== undefined) return found
  if (kept < KEPT_MAX) {
    kept++
    const address = Ipv6Address.chain(new Ipv6Address(++made, w0, w1, w2, w3), buckets[bucket])
    buckets[bucket] = address
    return address
  }
  const key = `${w0} ${w1} ${w2} ${w3}`
  const held = passing.get(key)?.deref()
  if (held !== undefined) return held
  const address = new Ipv6Address(++made, w0, w1, w2, w3)
  passing.set(key, new WeakRef(address))
  gone.register(address, key)
  return address
}

/** The address that stands in bytes; whoever calls has checked that 16 are there. */
export function readIpv6(bytes: Uint8Array, at: number): Ipv6Address {
  return ipv6(read32(bytes, at), read32(bytes, at + 4), read32(bytes, at + 8), read32(bytes, at + 12))
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/** Writes the 16 bytes of an address. */
export function writeIpv6(bytes: Uint8Array, at: number, address: Ipv6Address): void {
  for (const word of [address.w0, address.w1, address.w2, address.w3]) {
    bytes[at++] = word >>> 24
    bytes[at++] = word >>> 16
    bytes[at++] = word >>> 8
    bytes[at++] = word
  }
}

/** The 16 bytes of an address. */
export function ipv6Bytes(address: Ipv6Address): Uint8Array {
  const bytes = new Uint8Array(16)
  writeIpv6(bytes, 0, address)
  return bytes
}

/** ::, ::1, ff02::1, ff02::2, ff02::16. RFC 4291 section 2.5, 2.7; RFC 3810 section 5.2.14. */
export const IN6_ANY = ipv6(0, 0, 0, 0)
export const IN6_LOOPBACK = ipv6(0, 0, 0, 1)
export const IN6_ALL_NODES = ipv6(0xff020000, 0, 0, 1)
export const IN6_ALL_ROUTERS = ipv6(0xff020000, 0, 0, 2)
export const IN6_ALL_MLDV2_ROUTERS = ipv6(0xff020000, 0, 0, 0x16)

/** What inet_pton(3) takes: groups of up to four hexadecimal digits, one `::`, a dotted quad at the end. */
export function parseIpv6(text: string): Ipv6Address | undefined {
  if (text.length > 45 || !/^[0-9a-fA-F:.]+$/.test(text)) return undefined
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const before = groupsOf(halves[0]!, halves.length === 1)
  const after = halves.length === 2 ? groupsOf(halves[1]!, true) : []
  if (before === undefined || after === undefined) return undefined
  const missing = 8 - before.length - after.length
  // glibc takes a `::` that stands for no group at all for a mistake.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...before, ...new Array<number>(Math.max(0, missing)).fill(0), ...after]
  const word = (i: number) => groups[2 * i]! * 65536 + groups[2 * i + 1]!
  return ipv6(word(0), word(1), word(2), word(3))
}

function groupsOf(text: string, last: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!
    if (last && i === parts.length - 1 && part.includes('.')) {
      const quad = parseIpv4(part)
      if (quad === undefined) return undefined
      groups.push(quad >>> 16, quad & 0xffff)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16))
    else return undefined
  }
  return groups
}

/** The text of RFC 5952, an address with an IPv4 one inside as inet_ntop(3) writes it. */
export function formatIpv6(address: Ipv6Address): string {
  const { w0, w1, w2, w3 } = address
  const groups = [w0 >>> 16, w0 & 0xffff, w1 >>> 16, w1 & 0xffff, w2 >>> 16, w2 & 0xffff, w3 >>> 16, w3 & 0xffff]
  let best = -1
  let length = 1
  for (let i = 0; i < 8; i++) {
    let run = 0
    while (i + run < 8 && groups[i + run] === 0) run++
    if (run > length) {
      best = i
      length = run
    }
    if (run > 0) i += run - 1
  }
  if (best === 0 && (length === 6 || (length === 5 && groups[5] === 0xffff))) {
    return `::${length === 5 ? 'ffff:' : ''}${formatIpv4(w3)}`
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':')
  if (best < 0) return hex(groups)
  return `${hex(groups.slice(0, best))}::${hex(groups.slice(best + length))}`
}

/** ff00::/8. */
export function isMulticastIpv6(address: Ipv6Address): boolean {
  return address.w0 >>> 24 === 0xff
}

/** fe80::/10. */
export function isLinkLocalIpv6(address: Ipv6Address): boolean {
  return address.w0 >>> 22 === 0x3fa
}

/** ::ffff:0:0/96. RFC 4291 section 2.5.5.2. */
export function isMappedIpv4(address: Ipv6Address): boolean {
  return address.w0 === 0 && address.w1 === 0 && address.w2 === 0xffff
}

/** ::ffff:a.b.c.d. */
export function mappedIpv4(address: number): Ipv6Address {
  return ipv6(0, 0, 0xffff, address >>> 0)
}

/** An address of which only the first bits are left. */
export function prefixIpv6(address: Ipv6Address, length: number): Ipv6Address {
  return ipv6(
    maskWord(address.w0, length),
    maskWord(address.w1, length - 32),
    maskWord(address.w2, length - 64),
    maskWord(address.w3, length - 96),
  )
}

function maskWord(word: number, bits: number): number {
  return bits >= 32 ? word : bits <= 0 ? 0 : (word & (0xffffffff << (32 - bits))) >>> 0
}

/** How many bits at the begin two addresses have in common. */
export function commonBits(a: Ipv6Address, b: Ipv6Address): number {
  if (a.w0 !== b.w0) return Math.clz32(a.w0 ^ b.w0)
  if (a.w1 !== b.w1) return 32 + Math.clz32(a.w1 ^ b.w1)
  if (a.w2 !== b.w2) return 64 + Math.clz32(a.w2 ^ b.w2)
  return 96 + Math.clz32(a.w3 ^ b.w3)
}

/** Whether an address lies in a network. */
export function inPrefixIpv6(address: Ipv6Address, network: Ipv6Address, length: number): boolean {
  return length === 0 || commonBits(address, network) >= length
}

/** Whether a stands before b, bit by bit: negative, 0 or positive. */
export function compareIpv6(a: Ipv6Address, b: Ipv6Address): number {
  return a.w0 - b.w0 || a.w1 - b.w1 || a.w2 - b.w2 || a.w3 - b.w3
}

/** An address with a prefix's length: `2001:db8::1/64`; without one, 128. Undefined if anything else. */
export function parsePrefixIpv6(text: string): { address: Ipv6Address; prefix: number } | undefined {
  const slash = text.indexOf('/')
  const address = parseIpv6(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return undefined
  if (slash < 0) return { address, prefix: 128 }
  const digits = text.slice(slash + 1)
  if (!/^[0-9]{1,3}$/.test(digits) || Number(digits) > 128) return undefined
  return { address, prefix: Number(digits) }
}

/** The solicited-node group of an address. RFC 4291 section 2.7.1. */
export function solicitedNode(address: Ipv6Address): Ipv6Address {
  return ipv6(0xff020000, 0, 1, (0xff000000 | (address.w3 & 0xffffff)) >>> 0)
}

/** The low half of an address made from a MAC. RFC 4291 appendix A. */
export function eui64(mac: number): { w2: number; w3: number } {
  const high = Math.floor(mac / 0x1000000)
  const low = mac % 0x1000000
  return { w2: (((high ^ 0x020000) << 8) | 0xff) >>> 0, w3: (0xfe000000 | low) >>> 0 }
}

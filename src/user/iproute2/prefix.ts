/** Addresses and prefixes as iproute2 reads them: `10/8` is a prefix, `default` and `any` are words for all. */
import { IN6_ANY, type Ipv6Address, inPrefixIpv6, maskOf, parseIpv6 } from '#wire/inet'
import { parseUnsigned, Refusal } from './words.ts'

export type Family = 'any' | 'inet' | 'inet6' | 'link' | 'bridge' | 'mpls'

export interface Prefix {
  /** 'any' for the words `default`, `all`, `any` where no family was asked for. */
  family: Family
  /** IPv4's; 0 where it is one of IPv6. */
  address: number
  six?: Ipv6Address
  length: number
  /** Whether it was written, by a slash or as `default`. */
  lengthGiven: boolean
  /** False for `all` and `any` and for `default`: no address at all. */
  hasAddress: boolean
}

/** Four numbers or fewer between dots; what is missing is zero. iproute2 6.1 lib/utils.c: get_addr_ipv4() */
export function parseDotted(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length > 4) return undefined
  let address = 0
  for (let i = 0; i < 4; i++) {
    const part = parts[i]
    const value = part === undefined ? 0 : parseUnsigned(part, 255)
    if (value === undefined) return undefined
    address = address * 256 + value
  }
  return address
}

function parseAddress(text: string, family: Family): Prefix | undefined {
  if (text === 'default' || text === 'all' || text === 'any') {
    const lengthGiven = text === 'default'
    return { family, address: 0, length: -2, lengthGiven, hasAddress: false }
  }
  if (text.includes(':')) {
    const six = family === 'any' || family === 'inet6' ? parseIpv6(text) : undefined
    return six && { family: 'inet6', address: 0, six, length: -1, lengthGiven: false, hasAddress: true }
  }
  if (family !== 'any' && family !== 'inet') return undefined
  const address = parseDotted(text)
  return address === undefined
    ? undefined
    : { family: 'inet', address, length: -1, lengthGiven: false, hasAddress: true }
}

/** A prefix; undefined if the text isn't one. */
export function parsePrefix(text: string, family: Family): Prefix | undefined {
  const slash = text.indexOf('/')
  const prefix = parseAddress(slash < 0 ? text : text.slice(0, slash), family)
  if (!prefix) return undefined
  const most = prefix.six ? 128 : 32
  if (slash < 0) return { ...prefix, length: prefix.length === -2 ? 0 : most }
  if (prefix.length === -2) return undefined
  const length = parseNetmask(text.slice(slash + 1))
  if (length === undefined || length > most) return undefined
  return { ...prefix, length, lengthGiven: true }
}

/** A length, or a mask in dots whose ones come first. */
function parseNetmask(text: string): number | undefined {
  const length = parseUnsigned(text)
  if (length !== undefined) return length
  const mask = text.includes('.') ? parseDotted(text) : undefined
  if (mask === undefined) return undefined
  const host = 0xffffffff - mask
  return (host & (host + 1)) === 0 ? 32 - Math.round(Math.log2(host + 1)) : undefined
}

const familyWord = (family: Family) => (family === 'any' ? 'any valid' : family)

/** iproute2 6.1 lib/utils.c: get_prefix() */
export function prefix(text: string, family: Family): Prefix {
  if (family === 'link') {
    throw new Refusal(`Error: "${text}" may be inet prefix, but it is not allowed in this context.\n`, 1)
  }
  const parsed = parsePrefix(text, family)
  if (!parsed) throw new Refusal(`Error: ${familyWord(family)} prefix is expected rather than "${text}".\n`, 1)
  return parsed
}

/** iproute2 6.1 lib/utils.c: get_addr() */
export function address(text: string, family: Family): Prefix {
  const parsed = parseAddress(text, family)
  if (!parsed) throw new Refusal(`Error: ${familyWord(family)} address is expected rather than "${text}".\n`, 1)
  return parsed
}

/** An address of either family. */
export type IpAddress = number | Ipv6Address

/** A prefix's address, of whichever family; `default` and `any` are all zeros of the family that is asked for. */
export function addressOf(prefix: Prefix): IpAddress {
  return prefix.six ?? (prefix.family === 'inet6' ? IN6_ANY : prefix.address)
}

/** Whether an address lies in a prefix, of its first `length` bits. */
export function covers(prefix: Prefix, address: IpAddress, length = prefix.length): boolean {
  if (typeof address === 'number') return prefix.six === undefined && sameBits(address, prefix.address, length)
  return prefix.six === undefined ? !prefix.hasAddress : inPrefixIpv6(address, prefix.six, length)
}

/** Whether the first `length` bits of both are the same. */
export function sameBits(a: number, b: number, length: number): boolean {
  return ((a ^ b) & maskOf(length)) === 0
}

/** A link-layer address as a list of bytes: hexadecimal numbers between colons, as many as there are. */
export function parseLinkAddress(text: string): number[] | undefined {
  if (text.includes('.')) {
    const dotted = parseDotted(text)
    return dotted === undefined ? undefined : [24, 16, 8, 0].map((shift) => (dotted >>> shift) & 255)
  }
  const bytes: number[] = []
  for (const part of text.split(':')) {
    // sscanf's %x: it stops at the first letter that is no digit.
    const digits = /^\s*(?:0[xX])?([0-9a-fA-F]+)/.exec(part)?.[1]
    if (digits === undefined) return undefined
    const value = Number.parseInt(digits, 16)
    if (value > 255) return undefined
    bytes.push(value)
  }
  return bytes
}

/** Bytes of a link-layer address, or the refusal. */
export function linkAddress(text: string): number[] {
  const bytes = parseLinkAddress(text)
  if (!bytes) throw new Refusal(`"${text}" is invalid lladdr.\n`, 1)
  return bytes
}

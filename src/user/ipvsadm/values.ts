/** Numbers, addresses, names and flags as options take them. */
import type { Body, Sys } from '#kernel/core'
import { lookupHost, servicePort } from '#user/libc'
import { IPPROTO_TCP, IPPROTO_UDP, parseIpv4Loose, parseIpv6 } from '#wire/inet'
import { Fail } from './fail.ts'
import {
  type Address,
  AF_INET,
  AF_INET6,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  IP_VS_SVC_F_SCHED3,
} from './request.ts'

export const IPPROTO_SCTP = 132
/** The longest timeout: 31 days. */
const MAX_TIMEOUT = 86_400 * 31
/** A persistent service's, where none is said. */
const PERSISTENT_TIMEOUT = 360

/** strtol(3) of a whole text, undefined if that isn't all a number. */
function strtol(text: string): bigint | undefined {
  const match = /^[ \t\n\v\f\r]*([+-]?)(\d+)$/.exec(text)
  if (!match) return undefined
  const value = BigInt(match[2]!)
  return match[1] === '-' ? -value : value
}

/** A decimal number within limits, else undefined. */
export function parseNumber(text: string, least: number, most: number): number | undefined {
  const number = strtol(text)
  if (number === undefined || number < BigInt(least) || number > BigInt(most)) return undefined
  return Number(number)
}

/** Seconds; without a text, a persistent service's usual ones. */
export function parseTimeout(text: string | undefined, least: number): number {
  if (text === undefined) return PERSISTENT_TIMEOUT
  const number = parseNumber(text, least, MAX_TIMEOUT)
  if (number === undefined) throw new Fail(`invalid timeout value \`${text}' specified`)
  return number
}

export function parseFwmark(text: string): number {
  const number = strtol(text)
  if (number === undefined || number <= 0n || number > 0xffffffffn)
    throw new Fail(`invalid fwmark value \`${text}' specified`)
  return Number(number)
}

/** gethostbyname(3), its first IPv4 address. */
function* hostAddress(sys: Sys, name: string): Body<number | undefined> {
  const found = yield* lookupHost(sys, name, { family: 'AF_INET', single: true })
  const first = found.ok ? found.value.addresses[0] : undefined
  return first?.family === 'AF_INET' ? first.address : undefined
}

/** An IPv4 netmask, or a name that stands for one. */
export function* parseNetmask(sys: Sys, text: string): Body<number | undefined> {
  return parseIpv4Loose(text) ?? (yield* hostAddress(sys, text))
}

export interface ServiceAddress {
  af: number
  addr: Address
  /** undefined: none was written. */
  port: number | undefined
}

/** host, host:port, [IPv6]:port or an IPv6 address alone; names too. undefined: none of these. */
export function* parseServiceAddress(sys: Sys, text: string, protocol: number): Body<ServiceAddress | undefined> {
  if (/^\d*$/.test(text)) return undefined
  let host = text
  let port: string | undefined
  if (text.startsWith('[')) {
    const match = /^\[([^\]]*)\]:(.*)$/s.exec(text)
    if (!match) return undefined
    host = match[1]!
    port = match[2]!
  }
  const v6 = parseIpv6(host)
  let addr: Address | undefined = v6
  if (v6 === undefined) {
    // Brackets are for IPv6: what follows them doesn't count for anything else.
    const colon = host.lastIndexOf(':')
    port = colon < 0 ? undefined : host.slice(colon + 1)
    if (colon >= 0) host = host.slice(0, colon)
    addr = parseIpv4Loose(host) ?? (yield* hostAddress(sys, host))
  }
  if (addr === undefined) return undefined
  const af = v6 === undefined ? AF_INET : AF_INET6
  if (port === undefined) return { af, addr, port: undefined }
  const number = parseNumber(port, 0, 65_535) ?? (yield* namedPort(sys, port, protocol))
  return number === undefined ? undefined : { af, addr, port: number }
}

/** Protocols as /etc/services has them. */
export function protocolWord(protocol: number): string | undefined {
  if (protocol === IPPROTO_TCP) return 'tcp'
  if (protocol === IPPROTO_UDP) return 'udp'
  return protocol === IPPROTO_SCTP ? 'sctp' : undefined
}

function* namedPort(sys: Sys, name: string, protocol: number): Body<number | undefined> {
  const word = protocolWord(protocol)
  if (word === undefined || /^\d+$/.test(name)) return undefined
  return yield* servicePort(sys, name, word)
}

const SCHED_FLAG_NAMES: Record<string, { flag: number; scheduler?: string }> = {
  'flag-1': { flag: IP_VS_SVC_F_SCHED1 },
  'flag-2': { flag: IP_VS_SVC_F_SCHED2 },
  'flag-3': { flag: IP_VS_SVC_F_SCHED3 },
  'sh-fallback': { flag: IP_VS_SVC_F_SCHED1, scheduler: 'sh' },
  'sh-port': { flag: IP_VS_SVC_F_SCHED2, scheduler: 'sh' },
  'mh-fallback': { flag: IP_VS_SVC_F_SCHED1, scheduler: 'mh' },
  'mh-port': { flag: IP_VS_SVC_F_SCHED2, scheduler: 'mh' },
}

/** `sh-port,sh-fallback`: flags of a scheduler by its names for them. */
export function parseSchedFlags(scheduler: string, text: string): number {
  let flags = 0
  for (const name of text.split(',').filter((word) => word !== '')) {
    const known = Object.hasOwn(SCHED_FLAG_NAMES, name) ? SCHED_FLAG_NAMES[name] : undefined
    if (!known) throw new Fail(`invalid scheduler flag \`${name}'`)
    flags |= known.flag
    if (known.scheduler !== undefined && known.scheduler !== scheduler)
      throw new Fail(`incompatible scheduler flag \`${name}'`)
  }
  return flags
}

/**
 * IPv4 options as the kernel handles them: checked and filled in on arrival, followed (source routes), filled in again
 * on the way out, and turned round for answers. Linux 6.1 net/ipv4/ip_options.c.
 */
import { IPOPT_EOL, IPOPT_LSRR, IPOPT_NOP, IPOPT_RA, IPOPT_RR, IPOPT_SSRR, IPOPT_TS, type Packet } from '#wire/inet'
import { type NetDevice, PACKET_HOST } from './device.ts'
import { addressType } from './fib-lookup.ts'
import { type EchoedOptions, icmpError } from './icmp.ts'
import { millisecondsOfDay } from './icmp-receive.ts'
import { inetState } from './ip-state.ts'
import { type Route, recordedSource, routeInput, specificDestination } from './route.ts'

const HEADER = 20
const ICMP_PARAMETERPROB = 12
const TS_ONLY = 0
const TS_AND_ADDRESS = 1
const TS_PRESPECIFIED = 3
/** Options that are copied into every fragment. RFC 791. */
const COPIED = 0x80

/** Where the options are, counted from the IP header's begin; 0: not there. struct ip_options. */
export interface IpOptions {
  srr: number
  strict: boolean
  /** The next address of the source route was taken. */
  srrHit: boolean
  nextHop: number
  rr: number
  rrNeedsAddress: boolean
  ts: number
  tsNeedsTime: boolean
  tsNeedsAddress: boolean
  routerAlert: number
}

const compiled = new WeakMap<Packet, IpOptions>()

/** What was found when a packet's options were checked. */
export function optionsOf(packet: Packet): IpOptions | undefined {
  return compiled.get(packet)
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

function get32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

function emptyOptions(): IpOptions {
  return {
    srr: 0,
    strict: false,
    srrHit: false,
    nextHop: 0,
    rr: 0,
    rrNeedsAddress: false,
    ts: 0,
    tsNeedsTime: false,
    tsNeedsAddress: false,
    routerAlert: 0,
  }
}

/**
 * Checks a received packet's options and fills in this host's address and time; they are changed in place. Returns
 * where the first fault is, counted from the IP header's begin; undefined if all is well. __ip_options_compile().
 */
export function compileOptions(packet: Packet, route: Route, device: NetDevice): number | undefined {
  const bytes = packet.ipOptions!
  const host = device.host
  const options = emptyOptions()
  let own = 0
  const ownAddress = () => {
    own ||= specificDestination(packet, route, device)
    return own
  }
  const now = () => millisecondsOfDay(inetState.of(host))
  for (let at = 0; at < bytes.length; ) {
    const type = bytes[at]!
    if (type === IPOPT_EOL) {
      bytes.fill(IPOPT_EOL, at)
      break
    }
    if (type === IPOPT_NOP) {
      at++
      continue
    }
    const left = bytes.length - at
    if (left < 2) return HEADER + at
    const length = bytes[at + 1]!
    if (length < 2 || length > left) return HEADER + at
    const pointer = bytes[at + 2]!
    if (type === IPOPT_LSRR || type === IPOPT_SSRR) {
      if (length < 3) return HEADER + at + 1
      if (pointer < 4) return HEADER + at + 2
      if (options.srr) return HEADER + at
      options.strict = type === IPOPT_SSRR
      options.srr = HEADER + at
    } else if (type === IPOPT_RR) {
      if (options.rr) return HEADER + at
      if (length < 3) return HEADER + at + 1
      if (pointer < 4) return HEADER + at + 2
      if (pointer <= length) {
        if (pointer + 3 > length) return HEADER + at + 2
        put32(bytes, at + pointer - 1, ownAddress())
        bytes[at + 2] = pointer + 4
        options.rrNeedsAddress = true
      }
      options.rr = HEADER + at
    } else if (type === IPOPT_TS) {
      if (options.ts) return HEADER + at
      if (length < 4) return HEADER + at + 1
      if (pointer < 5) return HEADER + at + 2
      const kind = bytes[at + 3]! & 15
      if (pointer <= length) {
        if (pointer + 3 > length) return HEADER + at + 2
        if (kind === TS_ONLY) {
          put32(bytes, at + pointer - 1, now())
          options.tsNeedsTime = true
          bytes[at + 2] = pointer + 4
        } else if (kind === TS_AND_ADDRESS) {
          if (pointer + 7 > length) return HEADER + at + 2
          put32(bytes, at + pointer - 1, ownAddress())
          put32(bytes, at + pointer + 3, now())
          options.tsNeedsAddress = true
          options.tsNeedsTime = true
          bytes[at + 2] = pointer + 8
        } else if (kind === TS_PRESPECIFIED) {
          if (pointer + 7 > length) return HEADER + at + 2
          if (addressType(host, get32(bytes, at + pointer - 1)) !== 'unicast') {
            put32(bytes, at + pointer + 3, now())
            options.tsNeedsTime = true
            bytes[at + 2] = pointer + 8
          }
        }
      } else if (kind !== TS_PRESPECIFIED) {
        const overflow = bytes[at + 3]! >>> 4
        if (overflow === 15) return HEADER + at + 3
        bytes[at + 3] = kind | ((overflow + 1) << 4)
      }
      options.ts = HEADER + at
    } else if (type === IPOPT_RA) {
      if (length < 4) return HEADER + at + 1
      if (bytes[at + 2] === 0 && bytes[at + 3] === 0) options.routerAlert = HEADER + at
    }
    at += length
  }
  compiled.set(packet, options)
  return undefined
}

/** Goes to the next address of a source route, if the packet got to the last. ip_options_rcv_srr(). */
export function receiveSourceRoute(packet: Packet, device: NetDevice): boolean {
  const options = optionsOf(packet)!
  const bytes = packet.ipOptions!
  const at = options.srr - HEADER
  const route = packet.route as Route
  if (packet.packetType !== PACKET_HOST) return false
  if (route.type === 'unicast') {
    if (!options.strict) return true
    icmpError(packet, device, ICMP_PARAMETERPROB, 0, 16 * 2 ** 24)
    return false
  }
  if (route.type !== 'local') return false
  const space = bytes[at + 1]!
  let pointer = bytes[at + 2]!
  for (; pointer <= space; pointer += 4) {
    if (pointer + 3 > space) {
      icmpError(packet, device, ICMP_PARAMETERPROB, 0, (options.srr + 2) * 2 ** 24)
      return false
    }
    const next = get32(bytes, at + pointer - 1)
    const found = routeInput(device, next, packet.src, packet.tos, packet.mark, packet)
    if (typeof found === 'string' || (found.type !== 'unicast' && found.type !== 'local')) return false
    packet.route = found
    options.nextHop = next
    if (found.type !== 'local') break
    packet.dst = next // This host again: straight on.
  }
  if (pointer <= space) options.srrHit = true
  return true
}

/** Fills in what a router owes to options when it sends a packet on. ip_forward_options(). */
export function forwardOptions(packet: Packet, options: IpOptions, route: Route, device: NetDevice): void {
  const bytes = packet.ipOptions!
  if (options.rrNeedsAddress) {
    const at = options.rr - HEADER
    put32(bytes, at + bytes[at + 2]! - 5, recordedSource(packet, route, device))
  }
  if (!options.srrHit) return
  const at = options.srr - HEADER
  const space = bytes[at + 1]!
  let pointer = bytes[at + 2]!
  while (pointer + 3 <= space && get32(bytes, at + pointer - 1) !== options.nextHop) pointer += 4
  if (pointer + 3 <= space) {
    packet.dst = options.nextHop
    put32(bytes, at + pointer - 1, recordedSource(packet, route, device))
    bytes[at + 2] = pointer + 4
  }
  if (options.tsNeedsAddress) {
    const ts = options.ts - HEADER
    put32(bytes, ts + bytes[ts + 2]! - 9, recordedSource(packet, route, device))
  }
}

/** The options of an answer: routes recorded go on, source routes go back. __ip_options_echo(). */
export function echoOptions(packet: Packet, options: IpOptions): EchoedOptions | 'broken' {
  const from = packet.ipOptions!
  const host = (packet.route as Route).device.host
  const bytes = new Uint8Array(40)
  let length = 0
  let first = 0
  let rr = -1
  let ts = -1
  let srr = -1
  let tsTime = false
  let tsAddress = false
  if (options.rr) {
    const at = options.rr - HEADER
    const size = from[at + 1]!
    const pointer = from[at + 2]!
    bytes.set(from.subarray(at, at + size), length)
    if (options.rrNeedsAddress && pointer <= size) {
      if (pointer + 3 > size) return 'broken'
      bytes[length + 2] = pointer + 4
      rr = length
    }
    length += size
  }
  if (options.ts) {
    const at = options.ts - HEADER
    const size = from[at + 1]!
    let pointer = from[at + 2]!
    bytes.set(from.subarray(at, at + size), length)
    if (pointer <= size) {
      if (options.tsNeedsAddress) {
        if (pointer + 3 > size) return 'broken'
        tsAddress = true
        pointer += 4
      }
      if (options.tsNeedsTime) {
        if (pointer + 3 > size) return 'broken'
        if ((from[at + 3]! & 15) !== TS_PRESPECIFIED) {
          tsTime = true
          pointer += 4
        } else if (pointer + 7 <= size && addressType(host, get32(from, at + pointer - 1)) !== 'unicast') {
          tsTime = true
          pointer += 8
        }
      }
      bytes[length + 2] = pointer
      ts = length
    }
    length += size
  }
  if (options.srr) {
    const at = options.srr - HEADER
    const size = from[at + 1]!
    let pointer = Math.min(from[at + 2]!, size + 1) - 4
    let filled = 0
    let back = 0
    if (pointer > 3) {
      back = get32(from, at + pointer - 1)
      for (pointer -= 4, filled = 4; pointer > 3; pointer -= 4, filled += 4) {
        put32(bytes, length + filled - 1, get32(from, at + pointer - 1))
      }
      if (get32(from, at + pointer + 3) === packet.src) filled -= 4 // RFC 1812: an illegal route is put right.
    }
    if (filled > 3) {
      first = back
      bytes[length] = from[at]!
      bytes[length + 1] = filled + 3
      bytes[length + 2] = 4
      srr = length
      length += filled + 3
    }
  }
  while (length & 3) bytes[length++] = IPOPT_EOL
  const out = bytes.slice(0, length)
  return {
    bytes: out,
    first,
    build(answer, route) {
      buildOptions(answer, out, { rr, ts, srr, tsTime, tsAddress }, packet.src, route)
    },
  }
}

/** Where the options of a packet that is made here are; -1: not there, or nothing to fill in. */
export interface OptionPlaces {
  rr: number
  ts: number
  srr: number
  tsTime: boolean
  tsAddress: boolean
}

/** Fills in the last stop of a source route, and this host's address and time. ip_options_build(). */
export function buildOptions(packet: Packet, bytes: Uint8Array, at: OptionPlaces, last: number, route: Route): void {
  if (at.srr >= 0) put32(bytes, at.srr + bytes[at.srr + 1]! - 4, last)
  if (at.rr >= 0) put32(bytes, at.rr + bytes[at.rr + 2]! - 5, recordedSource(packet, route, undefined))
  if (at.ts >= 0 && at.tsAddress) put32(bytes, at.ts + bytes[at.ts + 2]! - 9, recordedSource(packet, route, undefined))
  if (at.ts >= 0 && at.tsTime) {
    put32(bytes, at.ts + bytes[at.ts + 2]! - 5, millisecondsOfDay(inetState.of(route.device.host)))
  }
}

/** What a socket's IP_OPTIONS become in its packets; undefined if they can't be. ip_options_get(). */
export function socketOptions(given: Uint8Array): { bytes: Uint8Array; first: number; at: OptionPlaces } | undefined {
  const bytes = new Uint8Array((given.length + 3) & ~3)
  bytes.set(given)
  const places: OptionPlaces = { rr: -1, ts: -1, srr: -1, tsTime: false, tsAddress: false }
  let first = 0
  for (let at = 0; at < bytes.length; ) {
    const type = bytes[at]!
    if (type === IPOPT_EOL) break
    if (type === IPOPT_NOP) {
      at++
      continue
    }
    const length = bytes[at + 1] ?? 0
    if (length < 2 || length > bytes.length - at) return undefined
    const pointer = bytes[at + 2]!
    if (type === IPOPT_LSRR || type === IPOPT_SSRR) {
      if (places.srr >= 0 || pointer !== 4 || length < 7 || ((length - 3) & 3) !== 0) return undefined
      first = get32(bytes, at + 3)
      bytes.copyWithin(at + 3, at + 7, at + length)
      places.srr = at
    } else if (type === IPOPT_RR) {
      if (places.rr >= 0 || length < 3 || pointer < 4) return undefined
      if (pointer <= length) {
        if (pointer + 3 > length) return undefined
        bytes[at + 2] = pointer + 4
        places.rr = at
      }
    } else if (type === IPOPT_TS) {
      if (places.ts >= 0 || length < 4 || pointer < 5) return undefined
      const kind = bytes[at + 3]! & 15
      if (pointer + 3 > length) return undefined
      places.ts = at
      if (kind === TS_ONLY) {
        places.tsTime = true
        bytes[at + 2] = pointer + 4
      } else {
        if (pointer + 7 > length) return undefined
        if (kind === TS_AND_ADDRESS) {
          places.tsAddress = true
          places.tsTime = true
          bytes[at + 2] = pointer + 8
        }
      }
    }
    at += length
  }
  return { bytes, first, at: places }
}

/** The options of all fragments but the first: those that aren't copied are blanked. ip_options_fragment(). */
export function fragmentOptions(options: Uint8Array): Uint8Array {
  const bytes = options.slice()
  for (let at = 0; at < bytes.length; ) {
    const type = bytes[at]!
    if (type === IPOPT_EOL) break
    if (type === IPOPT_NOP) {
      at++
      continue
    }
    const length = bytes[at + 1] ?? 0
    if (length < 2 || length > bytes.length - at) break
    if (!(type & COPIED)) bytes.fill(IPOPT_NOP, at, at + length)
    at += length
  }
  return bytes
}

/**
 * What rules load: of the packet's headers, of what the kernel knows about it, of chance. A load that can't be done answers
 * undefined, and the rule ends there (NFT_BREAK). Linux 6.1 net/netfilter/nft_payload.c, nft_meta.c, nft_numgen.c, nft_hash.c.
 */
import { NotModelled } from '#base/check'
import type { Host } from '#kernel/core'
import { addressType, type HookContext, type Route } from '#kernel/net'
import {
  ETH_P_IP,
  ETH_P_IPV6,
  emitIp,
  IP_OFFSET,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type Ipv6Address,
  ipLength,
  type Packet,
  RAW_IP_PAYLOAD,
  RAW_NONE,
} from '#wire/inet'
import { loadCt } from './ct.ts'
import type { Family, Load, Value } from './expressions.ts'
import { jhash } from './jhash.ts'
import type { ElementStore } from './objects.ts'

export type Loader = (context: HookContext) => Value | undefined

/** What compiling needs to know of a rule's surroundings. */
export interface Surroundings {
  readonly host: Host
  readonly family: Family
  set(name: string): { elements: ElementStore }
}

const POWERS = [1, 2 ** 8, 2 ** 16, 2 ** 24, 2 ** 32, 2 ** 40, 2 ** 48]

/** The number that so many bytes make; longer ones are hexadecimal. */
export function readValue(bytes: Uint8Array, at: number, length: number): Value | undefined {
  if (at + length > bytes.length) return undefined
  if (length > 6) {
    let text = ''
    for (let i = 0; i < length; i++) text += bytes[at + i]!.toString(16).padStart(2, '0')
    return text
  }
  let value = 0
  for (let i = 0; i < length; i++) value = value * 256 + bytes[at + i]!
  return value
}

/** The packet's bytes from its transport header on; undefined if it has none to look at. */
export function transportBytes(packet: Packet): Uint8Array | undefined {
  if ((packet.fragment & IP_OFFSET) !== 0) return undefined
  if (packet.raw === RAW_IP_PAYLOAD) return packet.buffer.subarray(packet.offset, packet.offset + packet.length)
  if (packet.raw !== RAW_NONE) return undefined
  return emitIp(packet).subarray((packet.etherType === ETH_P_IPV6 ? 40 : 20) + (packet.ipOptions?.length ?? 0))
}

function networkLoad(offset: number, length: number): Loader {
  switch (offset * 16 + length) {
    case 12 * 16 + 4:
      return ({ packet }) => packet.src
    case 16 * 16 + 4:
      return ({ packet }) => packet.dst
    case 12 * 16 + 1:
    case 12 * 16 + 2:
    case 12 * 16 + 3: {
      const shift = 32 - 8 * length
      return ({ packet }) => packet.src >>> shift
    }
    case 16 * 16 + 1:
    case 16 * 16 + 2:
    case 16 * 16 + 3: {
      const shift = 32 - 8 * length
      return ({ packet }) => packet.dst >>> shift
    }
    case 9 * 16 + 1:
      return ({ packet }) => packet.protocol
    case 8 * 16 + 1:
      return ({ packet }) => packet.ttl
    case 1 * 16 + 1:
      return ({ packet }) => packet.tos
    case 2 * 16 + 2:
      return ({ packet }) => ipLength(packet)
    case 4 * 16 + 2:
      return ({ packet }) => packet.ipId
    case 6 * 16 + 2:
      return ({ packet }) => packet.fragment
  }
  return ({ packet }) => readValue(emitIp(packet), offset, length)
}

/** ARP's header for Ethernet and IPv4, from its fields; RFC 826. */
function networkLoadArp(offset: number, length: number): Loader {
  const part = (read: (packet: Packet) => number, whole: number, start: number): Loader => {
    const divisor = 2 ** (8 * (whole - (offset - start) - length))
    const modulus = 2 ** (8 * length)
    return ({ packet }) => (packet.raw === RAW_NONE ? Math.floor(read(packet) / divisor) % modulus : undefined)
  }
  const within = (start: number, size: number) => offset >= start && offset + length <= start + size
  // Ethernet, IPv4, and the lengths of their addresses: whatever else came never got here.
  if (within(0, 6)) return part(() => 0x0001_0800_0604, 6, 0)
  if (within(6, 2)) return part((packet) => packet.arpOp, 2, 6)
  if (within(8, 6)) return part((packet) => packet.arpSha, 6, 8)
  if (within(14, 4)) return part((packet) => packet.arpSpa, 4, 14)
  if (within(18, 6)) return part((packet) => packet.arpTha, 6, 18)
  if (within(24, 4)) return part((packet) => packet.arpTpa, 4, 24)
  throw new NotModelled('nft: bytes across fields of ARP')
}

/** In a table of both families the packet says which header it is. */
function networkLoadOf(family: Family, offset: number, length: number): Loader {
  if (family === 'ip') return networkLoad(offset, length)
  if (family === 'arp') return networkLoadArp(offset, length)
  const six = networkLoad6(offset, length)
  if (family === 'ip6') return six
  const four = networkLoad(offset, length)
  return (context) => (context.packet.etherType === ETH_P_IPV6 ? six(context) : four(context))
}

/** IPv6's header: an address, or the bytes that a prefix begins with, as hexadecimal digits. */
function networkLoad6(offset: number, length: number): Loader {
  const within = (start: number) => offset === start && length <= 16
  if (within(8) || within(24)) {
    const source = offset === 8
    return ({ packet }) => {
      const address = source ? packet.src6 : packet.dst6
      if (address === undefined) return undefined
      const hex = hexOf(address).slice(0, 2 * length)
      return length > 6 ? hex : Number.parseInt(hex, 16)
    }
  }
  if (offset === 6 && length === 1) return ({ packet }) => packet.protocol
  if (offset === 7 && length === 1) return ({ packet }) => packet.ttl
  return ({ packet }) => readValue(emitIp(packet), offset, length)
}

const hexes = new WeakMap<Ipv6Address, string>()

/** An address as 32 digits; made once. */
function hexOf(address: Ipv6Address): string {
  let hex = hexes.get(address)
  if (hex === undefined) {
    hex = [address.w0, address.w1, address.w2, address.w3].map((word) => word.toString(16).padStart(8, '0')).join('')
    hexes.set(address, hex)
  }
  return hex
}

function transportLoad(offset: number, length: number): Loader {
  const generic: Loader = ({ packet }) => {
    const bytes = transportBytes(packet)
    return bytes && readValue(bytes, offset, length)
  }
  const ports = (read: (packet: Packet) => number): Loader => {
    return (context) => {
      const packet = context.packet
      if (packet.raw !== RAW_NONE || (packet.fragment & IP_OFFSET) !== 0) return generic(context)
      if (packet.protocol !== IPPROTO_TCP && packet.protocol !== IPPROTO_UDP) return generic(context)
      return read(packet)
    }
  }
  const icmp = (read: (packet: Packet) => number): Loader => {
    return (context) => {
      const packet = context.packet
      if (packet.raw !== RAW_NONE || packet.protocol !== IPPROTO_ICMP || (packet.fragment & IP_OFFSET) !== 0) {
        return generic(context)
      }
      return read(packet)
    }
  }
  if (length === 2 && offset === 0) return ports((packet) => packet.srcPort)
  if (length === 2 && offset === 2) return ports((packet) => packet.dstPort)
  if (length === 1 && offset === 0) return icmp((packet) => packet.icmpType)
  if (length === 1 && offset === 1) return icmp((packet) => packet.icmpCode)
  if (length === 1 && offset === 13) {
    return (context) => {
      const packet = context.packet
      if (packet.raw !== RAW_NONE || packet.protocol !== IPPROTO_TCP || (packet.fragment & IP_OFFSET) !== 0) {
        return generic(context)
      }
      return packet.tcpFlags & 0xff
    }
  }
  return generic
}

/** The Ethernet header is there behind a card's receiving, and nowhere else. */
function linkLoad(offset: number, length: number): Loader {
  return ({ packet, in: device }) => {
    if (!device) return undefined
    const bytes = new Uint8Array(14)
    for (let i = 0; i < 6; i++) {
      bytes[5 - i] = Math.floor(packet.macDst / POWERS[i]!) % 256
      bytes[11 - i] = Math.floor(packet.macSrc / POWERS[i]!) % 256
    }
    bytes[12] = packet.etherType >>> 8
    bytes[13] = packet.etherType & 0xff
    return readValue(bytes, offset, length)
  }
}

/** TCP options as they stand in the header. nft_exthdr_tcp_eval(). */
function tcpOptionLoad(type: number, offset: number, length: number, present: boolean): Loader {
  return ({ packet }) => {
    if (packet.protocol !== IPPROTO_TCP || packet.raw !== RAW_NONE) return undefined
    const bytes = transportBytes(packet)!
    const end = Math.min((bytes[12]! >>> 4) * 4, bytes.length)
    for (let at = 20; at < end; ) {
      const kind = bytes[at]!
      if (kind === 0) break
      const size = kind === 1 ? 1 : (bytes[at + 1] ?? 0)
      if (kind === type) return present ? 1 : readValue(bytes, at + offset, length)
      if (size === 0) break
      at += size
    }
    return present ? 0 : undefined
  }
}

/** IFNAMSIZ, and other words that the meta expression knows. */
function metaLoad(key: string, host: Host): Loader {
  switch (key) {
    case 'l4proto':
      return ({ packet }) => packet.protocol
    case 'nfproto':
      return ({ packet }) => (packet.etherType === ETH_P_IPV6 ? 10 : 2)
    case 'protocol':
      return ({ packet }) => packet.etherType
    case 'mark':
      return ({ packet }) => packet.mark
    case 'priority':
      return ({ packet }) => packet.priority
    case 'length':
      return ({ packet }) => ipLength(packet)
    case 'iif':
      return ({ in: device }) => device?.ifindex ?? 0
    case 'oif':
      return ({ out }) => out?.ifindex ?? 0
    case 'iifname':
      return ({ in: device }) => device?.name ?? ''
    case 'oifname':
      return ({ out }) => out?.name ?? ''
    case 'iiftype':
      return ({ in: device }) => device?.looks.hardwareType
    case 'oiftype':
      return ({ out }) => out?.looks.hardwareType
    case 'iifgroup':
      return ({ in: device }) => device?.group
    case 'oifgroup':
      return ({ out }) => out?.group
    case 'pkttype':
      return ({ packet, hook, in: device }) => packetType(packet, hook, device?.loops ?? false)
    case 'cpu':
    case 'cgroup':
      return () => 0
    case 'skuid':
    case 'skgid':
      return ({ packet }) => (packet.socket === undefined ? undefined : 0)
    case 'random':
      return () => host.sim.random(`${host.name}/nft random`).uint32()
  }
  throw new NotModelled(`nft: meta ${key}`)
}

/** What loops back looks like multicast or broadcast by its address. nft_meta_get_eval_pkttype_lo(). */
export function packetType(packet: Packet, hook: string, loops: boolean): number {
  if (hook !== 'LOCAL_OUT' && hook !== 'POST_ROUTING' && !loops) return packet.packetType
  if (packet.packetType !== 0 && packet.packetType !== 5) return packet.packetType
  if (packet.etherType === ETH_P_IP && packet.dst >>> 28 === 14) return 2
  return packet.packetType
}

/** RTN_* as `fib` and addrtype see them. */
export const ROUTE_TYPE_NUMBERS: Record<string, number> = {
  unspec: 0,
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
  nat: 10,
}

/** fib: a route's type, or the device that it leads to. Linux 6.1 net/ipv4/netfilter/nft_fib_ipv4.c. */
function fibLoad(load: Load & { load: 'fib' }, host: Host): Loader {
  if (load.result !== 'type') throw new NotModelled(`nft: fib ${load.result}`)
  const source = load.flags.includes('saddr')
  const withDevice = load.flags.includes('iif') || load.flags.includes('oif')
  return ({ packet, in: device, out }) => {
    const limited = withDevice ? (load.flags.includes('iif') ? device : out) : undefined
    return ROUTE_TYPE_NUMBERS[addressType(host, source ? packet.src : packet.dst, limited)]
  }
}

/** Compiles a load. */
export function compileLoad(load: Load, around: Surroundings): Loader {
  const { host } = around
  switch (load.load) {
    case 'payload':
      if (load.base === 'nh') return networkLoadOf(around.family, load.offset, load.length)
      if (load.base === 'th') return transportLoad(load.offset, load.length)
      return linkLoad(load.offset, load.length)
    case 'tcpopt':
      return tcpOptionLoad(load.type, load.offset, load.length, load.present ?? false)
    case 'meta':
      return metaLoad(load.key, host)
    case 'ct':
      return loadCt(load.key, load.direction, host, around.family)
    case 'fib':
      return fibLoad(load, host)
    case 'rt':
      return routeLoad(load.key)
    case 'numgen': {
      const { mod, offset } = load
      if (load.mode === 'random') return () => offset + host.sim.random(`${host.name}/nft numgen`).below(mod)
      let counter = mod - 1
      return () => {
        counter = counter + 1 >= mod ? 0 : counter + 1
        return offset + counter
      }
    }
    case 'hash':
      return hashLoad(load, around)
    case 'immediate': {
      const { value } = load
      return () => value
    }
    case 'bitwise': {
      const inner = compileLoad(load.of, around)
      const { mask, xor } = load
      return (context) => {
        const value = inner(context)
        if (value === undefined) return undefined
        if (typeof value === 'string') throw new NotModelled('nft: bits of a long value')
        return maskValue(value, mask, xor)
      }
    }
    case 'shift': {
      const inner = compileLoad(load.of, around)
      const factor = 2 ** load.bits
      const { left } = load
      return (context) => {
        const value = inner(context)
        if (typeof value !== 'number') return undefined
        return left ? (value * factor) % 2 ** 32 : Math.floor(value / factor)
      }
    }
    case 'map': {
      const key = compileKey(load.of, around)
      const { elements } = around.set(load.set)
      return (context) => {
        const found = key(context)
        if (found === undefined) return undefined
        const element = Array.isArray(found) ? elements.find(found) : elements.findOne(found as Value)
        return element?.data?.[0]
      }
    }
    case 'socket':
      throw new NotModelled(`nft: socket ${load.key}`)
  }
}

/** x & mask ^ xor on values of up to 48 bits. */
export function maskValue(value: number, mask: number, xor: number): number {
  if (value <= 0xffffffff && mask <= 0xffffffff && xor <= 0xffffffff) return ((value & mask) ^ xor) >>> 0
  const high = (Math.floor(value / 2 ** 32) & Math.floor(mask / 2 ** 32)) ^ Math.floor(xor / 2 ** 32)
  return (high >>> 0) * 2 ** 32 + (((value & mask) ^ xor) >>> 0)
}

/** One value, or several that make a concatenation. */
export function compileKey(of: Load[], around: Surroundings): (context: HookContext) => Value | Value[] | undefined {
  const loaders = of.map((load) => compileLoad(load, around))
  if (loaders.length === 1) return loaders[0]!
  return (context) => {
    const parts: Value[] = []
    for (const loader of loaders) {
      const part = loader(context)
      if (part === undefined) return undefined
      parts.push(part)
    }
    return parts
  }
}

function routeLoad(key: string): Loader {
  if (key === 'mtu') {
    return ({ packet }) => {
      const route = packet.route as Route | undefined
      return route === undefined ? undefined : Math.max(0, Math.min(route.mtu(false) - 40, 0xffff))
    }
  }
  if (key === 'classid') return () => 0
  throw new NotModelled(`nft: rt ${key}`)
}

function hashLoad(load: Load & { load: 'hash' }, around: Surroundings): Loader {
  if (load.type === 'symhash') throw new NotModelled('nft: symhash')
  const key = compileKey(load.of, around)
  const seed = load.seed ?? around.host.sim.random(`${around.host.name}/nft jhash`).uint32()
  return (context) => {
    const value = key(context)
    if (value === undefined) return undefined
    const parts = Array.isArray(value) ? value : [value]
    const bytes: number[] = []
    for (let i = 0; i < parts.length; i++) pushBytes(bytes, parts[i]!, loadLength(load.of[i]!))
    // reciprocal_scale().
    return load.offset + Math.floor((jhash(bytes, seed) * load.mod) / 2 ** 32)
  }
}

/** Each part of a key takes whole 32-bit registers. */
function pushBytes(bytes: number[], value: Value, length: number): void {
  const start = bytes.length
  if (typeof value === 'string') {
    if (/^[0-9a-f]{32}$/.test(value))
      for (let i = 0; i < 32; i += 2) bytes.push(Number.parseInt(value.slice(i, i + 2), 16))
    else for (let i = 0; i < 16; i++) bytes.push(value.charCodeAt(i) || 0)
  } else for (let i = length - 1; i >= 0; i--) bytes.push(Math.floor(value / 2 ** (8 * i)) % 256)
  while ((bytes.length - start) % 4 !== 0) bytes.push(0)
}

/** How many bytes a load gives. */
export function loadLength(load: Load): number {
  switch (load.load) {
    case 'payload':
    case 'tcpopt':
      return load.length
    case 'bitwise':
    case 'shift':
      return loadLength(load.of)
    case 'meta':
      if (load.key === 'l4proto' || load.key === 'nfproto' || load.key === 'pkttype') return 1
      if (load.key === 'protocol') return 2
      return load.key.endsWith('name') ? 16 : 4
    case 'ct':
      if (load.key === 'protocol' || load.key === 'l3proto' || load.key === 'direction') return 1
      return load.key === 'proto-src' || load.key === 'proto-dst' ? 2 : 4
    default:
      return 4
  }
}

/** What hping3 sends: IP packets written by hand, whole or cut into pieces of the virtual MTU. */
import { internetChecksum } from '#base/bytes'
import type { HpingOptions } from './options.ts'

const IP_DF = 0x4000
const IP_MF = 0x2000
const PROTOCOLS = { tcp: 6, udp: 17, icmp: 1 }
const DAY_MS = 86_400_000

/** What changes from packet to packet. */
export interface Draft {
  source: number
  destination: number
  sourcePort: number
  destinationPort: number
  ttl: number
  id: number
  /** Counts packets from 0. */
  number: number
  pid: number
  sequence: number
  acknowledgement: number
  /** For ICMP's timestamp: milliseconds since midnight UT. */
  midnightMs: number
  /** For TCP's: any clock. */
  clock: number
  data: Uint8Array
}

/** The IP packets to send for one request: one, or several fragments. */
export function buildPackets(options: HpingOptions, draft: Draft): Uint8Array[] {
  const payload = transport(options, draft)
  const protocol = options.mode === 'raw' ? options.ipProtocol : (PROTOCOLS[options.mode as 'tcp'] ?? PROTOCOLS.tcp)
  const ipOptions = optionBytes(options)
  const mtu = options.virtualMtu
  // What is longer than the virtual MTU is cut; one that can't hold 8 bytes cuts nothing.
  const cut = options.fragment && payload.length > mtu
  if (!cut) {
    const flags = (options.moreFragments ? IP_MF : 0) | (options.dontFragment ? IP_DF : 0)
    const offset = options.fragmentOffset >> 3
    return [ipPacket(options, draft, draft.id, protocol, ipOptions, flags | (offset & 0x1fff), payload)]
  }
  // All pieces share an identification, the process's if none was asked for.
  const id = options.id ?? draft.pid & 0xff
  const pieces: Uint8Array[] = []
  for (let at = 0; at < payload.length; at += mtu) {
    const more = at + mtu < payload.length ? IP_MF : 0
    const word = (more || (options.moreFragments ? IP_MF : 0)) | ((at >> 3) & 0x1fff)
    pieces.push(ipPacket(options, draft, id, protocol, ipOptions, word, payload.subarray(at, at + mtu)))
  }
  return pieces
}

function ipPacket(
  options: HpingOptions,
  draft: Draft,
  id: number,
  protocol: number,
  ipOptions: Uint8Array,
  fragment: number,
  payload: Uint8Array,
): Uint8Array {
  const headerLength = 20 + ipOptions.length
  const bytes = new Uint8Array(headerLength + payload.length)
  const view = new DataView(bytes.buffer)
  bytes[0] = 0x40 | (headerLength >> 2)
  bytes[1] = options.tos
  view.setUint16(2, bytes.length)
  view.setUint16(4, id)
  view.setUint16(6, fragment)
  bytes[8] = draft.ttl
  bytes[9] = protocol
  view.setUint32(12, draft.source)
  view.setUint32(16, draft.destination)
  bytes.set(ipOptions, 20)
  bytes.set(payload, headerLength)
  view.setUint16(10, internetChecksum(bytes, 0, headerLength))
  return bytes
}

/** Record route begins with an address of its own: 1.2.3.4. */
function optionBytes(options: HpingOptions): Uint8Array {
  if (options.recordRoute) {
    const bytes = new Uint8Array(40)
    bytes.set([7, 39, 8, 1, 2, 3, 4, 1])
    return bytes
  }
  const listed = options.looseRoute ?? options.strictRoute
  if (listed === undefined) return new Uint8Array(0)
  const hops = listed.split(/[\s,]+/).filter((hop) => /^\d+(\.\d+){3}$/.test(hop))
  const length = 3 + 4 * Math.min(9, hops.length)
  const bytes = new Uint8Array((length + 4) & ~3)
  bytes.set([1, options.looseRoute !== undefined ? 131 : 137, length, 4])
  hops.slice(0, 9).forEach((hop, i) => {
    bytes.set(hop.split('.').map(Number), 4 + 4 * i)
  })
  return bytes
}

function transport(options: HpingOptions, draft: Draft): Uint8Array {
  switch (options.mode) {
    case 'udp':
      return udp(options, draft)
    case 'icmp':
      return icmp(options, draft)
    case 'raw':
      return draft.data
    default:
      return tcp(options, draft)
  }
}

function tcp(options: HpingOptions, draft: Draft): Uint8Array {
  const mss = options.mss === undefined ? 0 : 4
  const stamps = options.timestamp ? 12 : 0
  const header = 20 + mss + stamps
  const bytes = new Uint8Array(header + draft.data.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, draft.sourcePort)
  view.setUint16(2, draft.destinationPort)
  view.setUint32(4, draft.sequence)
  view.setUint32(8, draft.acknowledgement)
  bytes[12] = (options.tcpOffset ?? header >> 2) << 4
  bytes[13] = options.flags
  view.setUint16(14, options.window)
  let at = 20
  if (options.mss !== undefined) {
    view.setUint32(at, 0x02040000 + options.mss)
    at += 4
  }
  if (options.timestamp) {
    view.setUint32(at, 0x0101080a)
    view.setUint32(at + 4, draft.clock)
  }
  bytes.set(draft.data, header)
  view.setUint16(16, badIf(options, pseudoChecksum(bytes, draft, PROTOCOLS.tcp)))
  return bytes
}

function udp(options: HpingOptions, draft: Draft): Uint8Array {
  const bytes = new Uint8Array(8 + draft.data.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, draft.sourcePort)
  view.setUint16(2, draft.destinationPort)
  view.setUint16(4, bytes.length)
  bytes.set(draft.data, 8)
  view.setUint16(6, badIf(options, pseudoChecksum(bytes, draft, PROTOCOLS.udp)))
  return bytes
}

function badIf(options: HpingOptions, checksum: number): number {
  return options.badChecksum ? checksum ^ 0x5555 : checksum
}

function pseudoChecksum(bytes: Uint8Array, draft: Draft, protocol: number): number {
  const { source, destination } = draft
  const sum =
    (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + bytes.length
  return internetChecksum(bytes, 0, bytes.length, sum)
}

/** Types whose message is a quoted packet. */
const QUOTING = new Set([3, 4, 5, 11, 12])
const TIMESTAMP = 13
const ADDRESS_MASK = 17

/** Whether it can send that type of message without being forced to. */
export function knownIcmpType(type: number): boolean {
  return QUOTING.has(type) || [0, 8, TIMESTAMP, 14, ADDRESS_MASK, 18].includes(type)
}

function icmp(options: HpingOptions, draft: Draft): Uint8Array {
  const { icmpType: type } = options
  const quotes = QUOTING.has(type) || !knownIcmpType(type)
  const stamps = type === TIMESTAMP || type === 14
  const extra = quotes ? 28 : stamps ? 12 : type === ADDRESS_MASK || type === 18 ? 4 : 0
  const bytes = new Uint8Array(8 + extra + draft.data.length)
  const view = new DataView(bytes.buffer)
  bytes[0] = type
  bytes[1] = options.icmpCode
  if (!quotes) {
    // The identifier and the sequence number are written in the order of the machine's own bytes.
    view.setUint16(4, draft.pid & 0xffff, true)
    view.setUint16(6, draft.number & 0xffff, true)
  } else if (type === 5) view.setUint32(4, options.icmpGateway)
  if (stamps) view.setUint32(8, draft.midnightMs % DAY_MS)
  bytes.set(draft.data, 8 + extra)
  if (quotes) quote(options, draft, bytes.subarray(8))
  view.setUint16(2, options.icmpChecksum ?? internetChecksum(bytes))
  return bytes
}

/** The header of a packet that was never sent, and eight bytes of what it would have carried. */
function quote(options: HpingOptions, draft: Draft, into: Uint8Array): void {
  const view = new DataView(into.buffer, into.byteOffset, into.length)
  into[0] = (options.quotedVersion << 4) | options.quotedHeaderWords
  view.setUint16(2, options.quotedLength ?? 28)
  // --icmp-ipid is read and not heeded: it writes its process's number.
  view.setUint16(4, draft.pid & 0xffff)
  into[8] = 64
  into[9] = options.quotedProtocol
  view.setUint32(12, options.quotedSource)
  view.setUint32(16, options.quotedDestination)
  view.setUint16(10, internetChecksum(into, 0, 20))
  view.setUint16(20, options.quotedSourcePort ?? 0)
  view.setUint16(22, options.quotedDestinationPort ?? 0)
  view.setUint16(24, 8)
  // Over a pseudo header with the whole packet's length.
  const { quotedSource: source, quotedDestination: destination, quotedProtocol } = options
  const pseudo =
    (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + quotedProtocol + 28
  view.setUint16(26, internetChecksum(into, 20, 6, pseudo))
}

/** The 20 bytes and more that a request's headers take, as its first line says. */
export function headersOf(options: HpingOptions): number {
  switch (options.mode) {
    case 'raw':
      return 20
    case 'icmp':
    case 'udp':
      return 28
    default:
      return 40
  }
}

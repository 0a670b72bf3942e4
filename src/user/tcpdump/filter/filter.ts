/**
 * A capture filter, compiled: a predicate on packets for the kernel's packet sockets, and on bytes for files. What is
 * in fields is decided by fields; everything else by the bytes that the BPF machine would see.
 */
import {
  ETH_P_ARP,
  ETH_P_IP,
  emitFrame,
  frameLength,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type Packet,
  RAW_FRAME,
  RAW_NONE,
} from '#wire/inet'
import { LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL2 } from '#wire/pcap'
import { cookedHeader } from '../cooked.ts'
import { type Block, isExact, Link } from './generate.ts'
import type { Frame } from './load.ts'
import { type Names, NO_NAMES } from './names.ts'
import { parse } from './parse.ts'
import { FilterError, scan } from './scan.ts'

export interface Filter {
  /** Whether a packet passes, as a packet socket of this link type sees it. */
  packet(packet: Packet, ifindex?: number): boolean
  /** Whether a frame of a file passes. */
  bytes(bytes: Uint8Array, length?: number): boolean
}

export interface FilterOptions {
  linkType?: number
  /** Compiled for an interface, not for a file. */
  live?: boolean
  /** The interface's, for `ip broadcast`. */
  netmask?: number
  names?: Names
}

export type Compiled = { ok: true; filter: Filter } | { ok: false; message: string }

/** Compiles a filter; a mistake is answered as libpcap words it. An empty one lets everything pass. */
export function compileFilter(text: string, options: FilterOptions = {}): Compiled {
  const linkType = options.linkType ?? LINKTYPE_ETHERNET
  try {
    const tokens = scan(text)
    if (tokens.length === 1) return { ok: true, filter: { packet: () => true, bytes: () => true } }
    const link = new Link(linkType, options.live ?? false, options.netmask ?? 0)
    return { ok: true, filter: build(parse(tokens, link, options.names ?? NO_NAMES), linkType) }
  } catch (error) {
    if (error instanceof FilterError) return { ok: false, message: error.message }
    throw error
  }
}

function build(block: Block, linkType: number): Filter {
  const { bytes: test, fields } = block
  let scratch = new Uint8Array(2048)
  const frame: Frame = { bytes: scratch, length: 0, vlanTci: -1, packetType: 0, ifindex: 0, beyond: false }
  return {
    packet(packet, ifindex = packet.iif) {
      if (fields !== undefined && isInFields(packet)) return fields(packet)
      frame.vlanTci = packet.vlanTci
      frame.packetType = packet.packetType
      frame.ifindex = ifindex
      if (linkType === LINKTYPE_LINUX_SLL2) {
        frame.bytes = cookedBytes(packet, ifindex)
      } else {
        const length = frameLength(packet)
        if (length > scratch.length) scratch = new Uint8Array(length)
        frame.bytes = untagged(packet, emitFrame(packet, scratch))
      }
      frame.length = frame.bytes.length
      return isExact(frame, test)
    },
    bytes(bytes, length = bytes.length) {
      frame.bytes = bytes
      frame.length = length
      frame.vlanTci = -1
      return isExact(frame, test)
    },
  }
}

function isInFields(packet: Packet): boolean {
  if (packet.raw !== RAW_NONE || packet.vlanTci >= 0) return false
  if (packet.etherType === ETH_P_ARP) return true
  const { protocol } = packet
  return (
    packet.etherType === ETH_P_IP && (protocol === IPPROTO_UDP || protocol === IPPROTO_TCP || protocol === IPPROTO_ICMP)
  )
}

/** The frame as the kernel holds it: a tag is beside it, not in it. */
function untagged(packet: Packet, bytes: Uint8Array): Uint8Array {
  if (packet.vlanTci < 0 || packet.raw === RAW_FRAME) return bytes
  bytes.copyWithin(4, 0, 12)
  return bytes.subarray(4)
}

function cookedBytes(packet: Packet, ifindex: number): Uint8Array {
  const frame = emitFrame(packet)
  const start = packet.raw === RAW_FRAME ? 0 : packet.vlanTci >= 0 ? 18 : 14
  const header = cookedHeader(packet.etherType, ifindex, packet.packetType, packet.macSrc)
  const bytes = new Uint8Array(header.length + frame.length - start)
  bytes.set(header)
  bytes.set(frame.subarray(start), header.length)
  return bytes
}

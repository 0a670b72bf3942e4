/**
 * Capturing: packet sockets, and libpcap's buffer in front of tcpdump. Unless in immediate mode, what arrives is handed
 * over when the ring's block is retired, 100 ms after the one before; what is in the block when a signal comes is lost.
 * tcpdump 4.99.3 tcpdump.c; libpcap 1.10.3 pcap-linux.c; Linux 6.1 net/packet/af_packet.c: prb_retire_rx_blk_timer_expired()
 */
import type { Body, Received, Sys } from '#kernel/core'
import { POLLIN, strerror } from '#kernel/core'
import type { LinkMessage } from '#kernel/net'
import type { Packet } from '#wire/inet'
import { LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL2 } from '#wire/pcap'
import { cookedHeader, SLL2_HLEN } from './cooked.ts'
import type { Filter } from './filter/filter.ts'
import type { Stamped } from './print/format.ts'

const ETH_P_ALL = 3
const PACKET_OUTGOING = 4
const BLOCK_NS = 100_000_000
const RING_BYTES = 2 * 1024 * 1024
const SECOND = 1_000_000_000

export interface CaptureOptions {
  /** Undefined: all interfaces, cooked. */
  link: LinkMessage | undefined
  links: readonly LinkMessage[]
  direction: 'in' | 'out' | 'inout'
  immediate: boolean
  promiscuous: boolean
  snapLength: number
}

export class LiveCapture {
  readonly #sys: Sys
  readonly #options: CaptureOptions
  readonly #loopbacks: Set<number>
  #fd = -1
  #openedNs = 0
  #filter: Filter | undefined
  /** Frames that the kernel took for us. */
  received = 0
  #dropped = 0
  /** What turns the kernel's stamps into CLOCK_MONOTONIC's; known with the first frame. */
  #bootNs: number | undefined
  #firstTakenNs = 0

  constructor(sys: Sys, options: CaptureOptions) {
    this.#sys = sys
    this.#options = options
    this.#loopbacks = new Set(options.links.filter((link) => link.linkType === 'loopback').map((link) => link.ifindex))
  }

  get linkType(): number {
    return this.#options.link ? LINKTYPE_ETHERNET : LINKTYPE_LINUX_SLL2
  }

  /** Opens the socket; a text if that fails. */
  open(): string | undefined {
    const { link, promiscuous } = this.#options
    const sys = this.#sys
    const opened = sys.socket('AF_PACKET', link ? 'SOCK_RAW' : 'SOCK_DGRAM', 0)
    if (!opened.ok) return `socket: ${strerror(opened.errno)}`
    this.#fd = opened.value
    sys.setsockopt(this.#fd, 'SOL_SOCKET', 'SO_RCVBUFFORCE', RING_BYTES)
    sys.setsockopt(this.#fd, 'SOL_PACKET', 'PACKET_AUXDATA', true)
    if (link && promiscuous)
      sys.setsockopt(this.#fd, 'SOL_PACKET', 'PACKET_ADD_MEMBERSHIP', {
        ifindex: link.ifindex,
        type: 'PACKET_MR_PROMISC',
      })
    return undefined
  }

  /** From here on frames are taken that pass the filter. */
  start(filter: Filter): string | undefined {
    const sys = this.#sys
    const { link, snapLength } = this.#options
    this.#filter = filter
    const take = (packet: Packet, device: { ifindex: number }): number => {
      if (!filter.packet(packet, device.ifindex)) return 0
      if (this.received++ === 0) this.#firstTakenNs = sys.monotonicNs()
      return this.linkType === LINKTYPE_LINUX_SLL2 ? Math.max(1, snapLength - SLL2_HLEN) : snapLength
    }
    sys.setsockopt(this.#fd, 'SOL_SOCKET', 'SO_ATTACH_FILTER', take)
    const address = new Uint8Array(0)
    const ifindex = link?.ifindex ?? 0
    const bound = sys.bind(this.#fd, {
      family: 'AF_PACKET',
      protocol: ETH_P_ALL,
      ifindex,
      hatype: 0,
      packetType: 0,
      address,
    })
    this.#openedNs = sys.monotonicNs()
    return bound.ok ? undefined : `bind: ${strerror(bound.errno)}`
  }

  /** Waits for frames; an empty list when a signal has come. A text when capturing can't go on. */
  *next(stopped: () => boolean): Body<Stamped[] | string> {
    const sys = this.#sys
    while (!stopped()) {
      const ready = yield* sys.poll([{ fd: this.#fd, events: POLLIN }], Number.POSITIVE_INFINITY)
      if (stopped() || !ready.ok) return []
      if (!this.#options.immediate) {
        const age = sys.monotonicNs() - this.#openedNs
        const left = BLOCK_NS - (age % BLOCK_NS)
        const slept = yield* sys.sleep(left)
        if (stopped() || !slept.ok) return []
      }
      const frames: Stamped[] = []
      for (;;) {
        const got = yield* sys.receive(this.#fd, 262144, { dontWait: true })
        if (!got.ok) {
          if (got.errno === 'EAGAIN') break
          if (got.errno === 'ENETDOWN') return 'The interface disappeared'
          return strerror(got.errno)
        }
        const frame = this.#frame(got.value)
        if (frame) frames.push(frame)
      }
      if (frames.length > 0) return frames
    }
    return []
  }

  statistics(): { received: number; dropped: number } {
    const answer = this.#sys.getsockopt(this.#fd, 'SOL_PACKET', 'PACKET_STATISTICS')
    if (answer.ok) this.#dropped += (answer.value as { drops: number }).drops
    return { received: this.#filter ? this.received : 0, dropped: this.#dropped }
  }

  close(): void {
    this.#sys.close(this.#fd)
  }

  /** Undefined if the direction isn't wanted. linux_check_direction(): what goes out of lo comes in again. */
  #frame(got: Received): Stamped | undefined {
    const { from } = got
    if (from.family !== 'AF_PACKET') return undefined
    const outgoing = from.packetType === PACKET_OUTGOING
    const { direction } = this.#options
    if (outgoing ? this.#loopbacks.has(from.ifindex) || direction === 'in' : direction === 'out') return undefined
    const tag = got.control['PACKET_AUXDATA'] as { vlanTci: number; vlanValid: boolean } | undefined
    const stamp = this.#stamp(got.timeNs)
    if (this.#options.link) {
      if (!tag?.vlanValid) return { ...stamp, bytes: got.bytes, length: got.length }
      return { ...stamp, bytes: tagged(got.bytes, tag.vlanTci), length: got.length + 4 }
    }
    const mac = from.address.reduce((value, byte) => value * 256 + byte, 0)
    const header = cookedHeader(from.protocol, from.ifindex, from.packetType, mac, from.hatype)
    const bytes = new Uint8Array(SLL2_HLEN + got.bytes.length)
    bytes.set(header)
    bytes.set(got.bytes, SLL2_HLEN)
    return { ...stamp, bytes, length: got.length + SLL2_HLEN }
  }

  /** The wall clock's time of a kernel's stamp: now, less the stamp's age. */
  #stamp(timeNs: number): { s: number; ns: number } {
    this.#bootNs ??= timeNs - this.#firstTakenNs
    const age = this.#sys.monotonicNs() + this.#bootNs - timeNs
    const now = this.#sys.realtime()
    const ns = now.ns - age
    const seconds = Math.floor(ns / SECOND)
    return { s: now.s + seconds, ns: ns - seconds * SECOND }
  }
}

/** Puts the tag back that the kernel took off. */
function tagged(bytes: Uint8Array, tci: number): Uint8Array {
  const out = new Uint8Array(bytes.length + 4)
  out.set(bytes.subarray(0, 12))
  out.set([0x81, 0, tci >>> 8, tci & 255], 12)
  out.set(bytes.subarray(12), 16)
  return out
}

/** hping3's two sockets: a raw one to send whole IP packets, and a tap on the interface, as libpcap opens it, to hear. */
import { type Body, POLLIN, type Sys, strerror } from '#kernel/core'
import type { Outgoing } from './target.ts'

const IPPROTO_RAW = 255
const ETH_P_ALL = 3
const PACKET_OUTGOING = 4
const SNAP_BYTES = 99_999

export class Wire {
  readonly #sys: Sys
  #raw = -1
  #tap = -1

  constructor(sys: Sys) {
    this.#sys = sys
  }

  /** Undefined, or what failed. */
  open(out: Outgoing): string | undefined {
    const sys = this.#sys
    const raw = sys.socket('AF_INET', 'SOCK_RAW', IPPROTO_RAW)
    if (!raw.ok) return `[open_sockraw] socket(): ${strerror(raw.errno)}\n[main] can't open raw socket\n`
    this.#raw = raw.value
    sys.setsockopt(this.#raw, 'SOL_SOCKET', 'SO_BROADCAST', 1)
    sys.setsockopt(this.#raw, 'SOL_IP', 'IP_HDRINCL', 1)
    const tap = sys.socket('AF_PACKET', 'SOCK_DGRAM', 0)
    if (!tap.ok) return `[main] open_pcap failed: ${strerror(tap.errno)}\n`
    this.#tap = tap.value
    const address = new Uint8Array(0)
    const { ifindex } = out
    const bound = sys.bind(this.#tap, {
      family: 'AF_PACKET',
      protocol: ETH_P_ALL,
      ifindex,
      hatype: 0,
      packetType: 0,
      address,
    })
    return bound.ok ? undefined : `[main] open_pcap failed: ${strerror(bound.errno)}\n`
  }

  /** Undefined, or the error's words. */
  *send(destination: number, packet: Uint8Array): Body<string | undefined> {
    const sent = yield* this.#sys.sendTo(this.#raw, packet, { family: 'AF_INET', address: destination, port: 0 })
    return sent.ok ? undefined : strerror(sent.errno)
  }

  /**
   * Waits for IP packets that came in, until a moment (nanoseconds since boot) at the latest; with the time at which each was
   * read. Empty on time-out or a signal.
   */
  *receive(untilNs: number, own = false): Body<{ bytes: Uint8Array; atNs: number }[]> {
    const sys = this.#sys
    const ready = yield* sys.poll([{ fd: this.#tap, events: POLLIN }], Math.max(0, untilNs - sys.monotonicNs()))
    if (!ready.ok || ready.value.length === 0) return []
    const found: { bytes: Uint8Array; atNs: number }[] = []
    for (;;) {
      const got = yield* sys.receive(this.#tap, SNAP_BYTES, { dontWait: true })
      if (!got.ok) return found
      const { from, bytes } = got.value
      if (from.family !== 'AF_PACKET' || from.protocol !== 0x0800) continue
      // On lo each packet is seen twice.
      if (from.packetType === PACKET_OUTGOING && !own) continue
      found.push({ bytes, atNs: sys.monotonicNs() })
    }
  }
}

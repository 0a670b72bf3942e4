/** One stream of a test: what it sends or receives, and what is counted of it. src/iperf_tcp.c, iperf_udp.c */
import type { Sys } from '#kernel/core'
import { receiveSome, sendWhole, type Task } from '#user/libc'

/** The TcpInfo that a test shows. */
export interface InfoLike {
  totalRetrans: number
  sndCwnd: number
  sndMss: number
  sndWnd: number
  rtt: number
  rttvar: number
  pmtu: number
}

export interface Interval {
  fromS: number
  toS: number
  bytes: number
  retransmits: number
  info: InfoLike | undefined
  packets: number
  lost: number
  jitterMs: number
}

export class Stream {
  readonly fd: number
  /** What the lines call it. */
  readonly id: number
  readonly sender: boolean
  readonly udp: boolean
  bytes = 0
  packets = 0
  lost = 0
  outOfOrder = 0
  /** Seconds. */
  jitter = 0
  #transit: number | undefined
  intervals: Interval[] = []
  #lastBytes = 0
  #lastPackets = 0
  #lastLost = 0
  #lastRetransmits = 0
  rtts: number[] = []
  maxCwnd = 0
  maxWnd = 0

  constructor(fd: number, id: number, sender: boolean, udp: boolean) {
    this.fd = fd
    this.id = id
    this.sender = sender
    this.udp = udp
  }

  info(sys: Sys): InfoLike | undefined {
    if (this.udp) return undefined
    const got = sys.getsockopt(this.fd, 'IPPROTO_TCP', 'TCP_INFO')
    return got.ok ? (got.value as InfoLike) : undefined
  }

  /** Ends an interval. */
  mark(sys: Sys, fromS: number, toS: number): Interval {
    const info = this.sender ? this.info(sys) : undefined
    const retransmits = info?.totalRetrans ?? 0
    const interval: Interval = {
      fromS,
      toS,
      bytes: this.bytes - this.#lastBytes,
      retransmits: retransmits - this.#lastRetransmits,
      info,
      packets: this.packets - this.#lastPackets,
      lost: this.lost - this.#lastLost,
      jitterMs: this.jitter * 1000,
    }
    if (info) {
      this.rtts.push(info.rtt)
      this.maxCwnd = Math.max(this.maxCwnd, info.sndCwnd * info.sndMss)
      this.maxWnd = Math.max(this.maxWnd, info.sndWnd)
    }
    this.#lastBytes = this.bytes
    this.#lastPackets = this.packets
    this.#lastLost = this.lost
    this.#lastRetransmits = retransmits
    this.intervals.push(interval)
    return interval
  }

  get retransmits(): number {
    return this.intervals.reduce((sum, one) => sum + one.retransmits, 0)
  }

  /** Takes a datagram's number and stamp in. */
  datagram(bytes: Uint8Array, nowS: number): void {
    if (bytes.length < 12) return
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    const sentS = view.getUint32(0) + view.getUint32(4) / 1e6
    const number = view.getUint32(8)
    if (number > this.packets) {
      if (number > this.packets + 1) this.lost += number - 1 - this.packets
      this.packets = number
    } else {
      this.outOfOrder++
      if (this.lost > 0) this.lost--
    }
    // RFC 1889 section 6.3.1
    const transit = nowS - sentS
    const difference = this.#transit === undefined ? 0 : Math.abs(transit - this.#transit)
    this.#transit = transit
    this.jitter += (difference - this.jitter) / 16
  }
}

export interface SendPlan {
  blockBytes: number
  /** Bits a second; 0: as fast as it goes. */
  rate: number
  pacingNs: number
  startNs: number
  /** Whether all is sent, or it is time. */
  done(): boolean
}

/** Sends until it is enough. */
export function* sendStream(sys: Sys, stream: Stream, plan: SendPlan): Task<void> {
  const block = new Uint8Array(plan.blockBytes)
  if (!stream.udp) block.set(sys.getrandom(Math.min(1024, plan.blockBytes)))
  while (!plan.done()) {
    if (plan.rate > 0) {
      const dueNs = plan.startNs + ((stream.bytes * 8) / plan.rate) * 1e9
      const now = sys.monotonicNs()
      if (dueNs > now) {
        // It looks again at its pacing timer's next tick.
        const tick = Math.ceil((dueNs - plan.startNs) / plan.pacingNs) * plan.pacingNs + plan.startNs
        yield { fd: -1, events: 0, untilNs: tick }
        continue
      }
    }
    if (stream.udp) {
      const { s, ns } = sys.realtime()
      const view = new DataView(block.buffer)
      view.setUint32(0, s >>> 0)
      view.setUint32(4, Math.floor(ns / 1000))
      view.setUint32(8, stream.packets + 1)
    }
    // A slice: the kernel may keep what it takes.
    if ((yield* sendWhole(sys, stream.fd, stream.udp ? block.slice() : block)) !== undefined) return
    stream.packets++
    stream.bytes += block.length
  }
}

/** Receives until the other side has no more, or the test is over. */
export function* receiveStream(sys: Sys, stream: Stream, over: () => boolean): Task<void> {
  const length = stream.udp ? 65_536 : 131_072
  for (;;) {
    const got = yield* receiveSome(sys, stream.fd, length)
    if (!(got instanceof Uint8Array) || over()) return
    if (got.length === 0 && !stream.udp) return
    stream.bytes += got.length
    if (stream.udp) {
      const { s, ns } = sys.realtime()
      stream.datagram(got, s + ns / 1e9)
    }
  }
}

/** Takes what is there already. */
export function* drainStream(sys: Sys, stream: Stream): Task<void> {
  for (;;) {
    const got = yield* sys.receive(stream.fd, 131_072, { dontWait: true })
    if (!got.ok || got.value.bytes.length === 0) return
    stream.bytes += got.value.bytes.length
    if (stream.udp) {
      const { s, ns } = sys.realtime()
      stream.datagram(got.value.bytes, s + ns / 1e9)
    }
  }
}

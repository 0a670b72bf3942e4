/** What is remembered from frame to frame. All of it is bounded: a capture may be long, or made to be. */

/** A datagram's pieces. */
export interface Fragments {
  pieces: { frame: number; offset: number; bytes: Uint8Array }[]
  end: number | undefined
}

/** One direction of a TCP connection. */
export interface TcpSide {
  baseSeq: number | undefined
  nextSeq: number | undefined
  /** The highest acknowledgement and window seen from this side. */
  lastAck: number | undefined
  window: number
  scale: number | undefined
  dupAcks: number
  lastTimeNs: number
  pushBytes: number
  /** Segments not acknowledged yet: when they ended, in which frame they were. */
  unacked: { end: number; frame: number; timeNs: number }[]
  /** What an application's message is being put together of. */
  pending: { frame: number; bytes: Uint8Array }[]
  pendingLength: number
  /** The sequence number that continues it. */
  pendingNext: number | undefined
  sawSyn: boolean
}

export interface TcpStream {
  index: number
  first: string
  sides: [TcpSide, TcpSide]
  firstNs: number
  lastNs: number
  completeness: number
  synNs: number | undefined
  synAckNs: number | undefined
  rttNs: number | undefined
  http: HttpState
}

export interface HttpState {
  requests: { frame: number; timeNs: number; uri: string; method: string }[]
  answered: number
}

const KEPT_MAX = 100_000
const FRAGMENTS_MAX = 1000

/** A map that forgets its oldest entries. */
export class Remembered<T> {
  readonly #map = new Map<string, T>()
  readonly #max: number

  constructor(max = KEPT_MAX) {
    this.#max = max
  }

  get(key: string): T | undefined {
    return this.#map.get(key)
  }

  set(key: string, value: T): void {
    this.#map.set(key, value)
    if (this.#map.size > this.#max) this.#map.delete(this.#map.keys().next().value!)
  }

  delete(key: string): void {
    this.#map.delete(key)
  }
}

const side = (): TcpSide => ({
  baseSeq: undefined,
  nextSeq: undefined,
  lastAck: undefined,
  window: 0,
  scale: undefined,
  dupAcks: 0,
  lastTimeNs: 0,
  pushBytes: 0,
  unacked: [],
  pending: [],
  pendingLength: 0,
  pendingNext: undefined,
  sawSyn: false,
})

export class Conversations {
  readonly fragments = new Remembered<Fragments>(FRAGMENTS_MAX)
  readonly echoes = new Remembered<{ frame: number; timeNs: number }>()
  readonly queries = new Remembered<{ frame: number; timeNs: number }>()
  readonly tcp = new Remembered<TcpStream>()
  readonly udp = new Remembered<{ index: number; firstNs: number; lastNs: number }>()
  #tcpStreams = 0
  #udpStreams = 0

  /** The stream between two ends, begun if there is none; a new SYN after an end begins another. */
  tcpStream(key: string, first: string, timeNs: number, anew: boolean): TcpStream {
    const known = this.tcp.get(key)
    if (known && !anew) return known
    const stream: TcpStream = {
      index: this.#tcpStreams++,
      first,
      sides: [side(), side()],
      firstNs: timeNs,
      lastNs: timeNs,
      completeness: 0,
      synNs: undefined,
      synAckNs: undefined,
      rttNs: undefined,
      http: { requests: [], answered: 0 },
    }
    this.tcp.set(key, stream)
    return stream
  }

  udpStream(key: string, timeNs: number): { index: number; firstNs: number; lastNs: number } {
    let stream = this.udp.get(key)
    if (!stream) {
      stream = { index: this.#udpStreams++, firstNs: timeNs, lastNs: timeNs }
      this.udp.set(key, stream)
    }
    return stream
  }
}

/** Writes pcap. https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ */
import { frameLength, type Packet, writeFrame } from '#wire/inet'
import { GrowingFile } from './growing.ts'
import { LINKTYPE_ETHERNET, SNAP_LENGTH_MAX } from './types.ts'

const MAGIC_MICROSECONDS = 0xa1b2c3d4
const MAGIC_NANOSECONDS = 0xa1b23c4d
const SECOND = 1_000_000_000

export interface PcapOptions {
  /** Seconds since the epoch at virtual time zero; 0 by default. */
  startS?: number
  linkType?: number
  /** Frames are cut to it. */
  snapLength?: number
  /** Nanosecond stamps, the default; or microseconds. */
  nanosecond?: boolean
}

export class PcapWriter {
  readonly #file = new GrowingFile()
  readonly #startS: number
  readonly #snapLength: number
  readonly #nanosecond: boolean
  /** How many frames were written. */
  frames = 0

  constructor(options: PcapOptions = {}) {
    this.#startS = options.startS ?? 0
    this.#snapLength = options.snapLength ?? SNAP_LENGTH_MAX
    this.#nanosecond = options.nanosecond ?? true
    const file = this.#file
    file.put32(this.#nanosecond ? MAGIC_NANOSECONDS : MAGIC_MICROSECONDS)
    file.put16(2)
    file.put16(4)
    file.put32(0)
    file.put32(0)
    file.put32(this.#snapLength)
    file.put32(options.linkType ?? LINKTYPE_ETHERNET)
  }

  /** Appends an Ethernet frame as it is now. @param timeNs virtual time */
  write(timeNs: number, packet: Packet): void {
    const length = frameLength(packet)
    const file = this.#file
    file.reserve(16 + length)
    const s = Math.floor(timeNs / SECOND)
    const fraction = timeNs - s * SECOND
    const kept = Math.min(length, this.#snapLength)
    const { view, at } = file
    view.setUint32(at, this.#startS + s, true)
    view.setUint32(at + 4, this.#nanosecond ? fraction : fraction / 1000, true)
    view.setUint32(at + 8, kept, true)
    view.setUint32(at + 12, length, true)
    writeFrame(packet, file.piece, at + 16, view)
    file.at = at + 16 + kept
    this.frames++
  }

  /** Appends bytes of any link type, stamped with wall-clock time. */
  writeBytes(s: number, ns: number, bytes: Uint8Array, originalLength = bytes.length): void {
    const kept = Math.min(bytes.length, this.#snapLength)
    this.#file.reserve(16 + kept)
    this.#header(s, ns, kept, originalLength)
    this.#file.putBytes(kept === bytes.length ? bytes : bytes.subarray(0, kept))
  }

  /** The whole file. */
  bytes(): Uint8Array {
    return this.#file.bytes()
  }

  /** What was written since the last drain, the file's header first: for writing to a file as it comes. */
  drain(): Uint8Array {
    return this.#file.drain()
  }

  get length(): number {
    return this.#file.length
  }

  #header(s: number, ns: number, kept: number, length: number): void {
    const file = this.#file
    file.put32(s)
    file.put32(this.#nanosecond ? ns : ns / 1000)
    file.put32(kept)
    file.put32(length)
    this.frames++
  }
}

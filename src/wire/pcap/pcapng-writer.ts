/** Writes pcapng, with a name for each interface. https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/ */
import { encodeUtf8 } from '#base/bytes'
import { assert } from '#base/check'
import { frameLength, type Packet, writeFrame } from '#wire/inet'
import { GrowingFile } from './growing.ts'
import { LINKTYPE_ETHERNET, SNAP_LENGTH_MAX } from './types.ts'

export interface PcapngInterface {
  name?: string
  description?: string
  comment?: string
  linkType?: number
  /** Frames are cut to it. */
  snapLength?: number
}

// Block types and option codes, sections 4.1 to 4.3 and 3.5.
const SECTION = 0x0a0d0d0a
const INTERFACE = 1
const ENHANCED_PACKET = 6
const ORDER = 0x1a2b3c4d
const OPT_COMMENT = 1
const SHB_USERAPPL = 4
const IF_NAME = 2
const IF_DESCRIPTION = 3
const IF_TSRESOL = 9

const SECOND = 1_000_000_000

export class PcapngWriter {
  readonly #file = new GrowingFile()
  readonly #startS: number
  readonly #snapLengths: number[] = []

  /** @param options startS: seconds since the epoch at virtual time zero, 0 by default */
  constructor(options: { startS?: number; application?: string; comment?: string } = {}) {
    this.#startS = options.startS ?? 0
    const texts: [number, string | undefined][] = [
      [OPT_COMMENT, options.comment],
      [SHB_USERAPPL, options.application],
    ]
    this.#block(SECTION, 16, texts, (file) => {
      file.put32(ORDER)
      file.put16(1)
      file.put16(0)
      file.put32(0xffffffff) // The section's length: not given.
      file.put32(0xffffffff)
    })
  }

  /** Describes an interface; the number that its frames are written with. */
  addInterface(description: PcapngInterface): number {
    const snapLength = description.snapLength ?? SNAP_LENGTH_MAX
    const texts: [number, string | undefined][] = [
      [OPT_COMMENT, description.comment],
      [IF_NAME, description.name],
      [IF_DESCRIPTION, description.description],
      [IF_TSRESOL, '\x09'], // Stamps count nanoseconds: 10^-9.
    ]
    this.#block(INTERFACE, 8, texts, (file) => {
      file.put16(description.linkType ?? LINKTYPE_ETHERNET)
      file.put16(0)
      file.put32(snapLength)
    })
    return this.#snapLengths.push(snapLength) - 1
  }

  /** Appends an Ethernet frame as it is now. @param timeNs virtual time */
  write(interfaceId: number, timeNs: number, packet: Packet, comment?: string): void {
    const length = frameLength(packet)
    const s = Math.floor(timeNs / SECOND)
    this.#packet(interfaceId, this.#startS + s, timeNs - s * SECOND, length, length, comment, (file) =>
      writeFrame(packet, file.piece, file.at),
    )
  }

  /** Appends bytes of the interface's link type, stamped with wall-clock time. */
  writeBytes(
    interfaceId: number,
    s: number,
    ns: number,
    bytes: Uint8Array,
    originalLength = bytes.length,
    comment?: string,
  ): void {
    this.#packet(interfaceId, s, ns, bytes.length, originalLength, comment, (file) => file.piece.set(bytes, file.at))
  }

  /** The whole file. */
  bytes(): Uint8Array {
    return this.#file.bytes()
  }

  /** What was written since the last drain. */
  drain(): Uint8Array {
    return this.#file.drain()
  }

  #packet(
    interfaceId: number,
    s: number,
    ns: number,
    available: number,
    originalLength: number,
    comment: string | undefined,
    put: (file: GrowingFile) => void,
  ): void {
    const snapLength = this.#snapLengths[interfaceId]
    assert(snapLength !== undefined, `pcapng: no interface ${interfaceId}`)
    const file = this.#file
    const kept = Math.min(available, snapLength)
    const padded = (kept + 3) & ~3
    const options = comment === undefined ? undefined : optionBytes([[OPT_COMMENT, comment]])
    const total = 32 + padded + (options?.length ?? 0)
    file.reserve(Math.max(total, 28 + available + 4))
    file.put32(ENHANCED_PACKET)
    file.put32(total)
    file.put32(interfaceId)
    // s * 10^9 + ns needs more than 53 bits: by halves.
    const upper = Math.floor(s / 65536) * SECOND
    let high = Math.floor(upper / 65536)
    let low = (upper % 65536) * 65536 + (s % 65536) * SECOND + ns
    high += Math.floor(low / 0x1_0000_0000)
    low %= 0x1_0000_0000
    file.put32(high)
    file.put32(low)
    file.put32(kept)
    file.put32(originalLength)
    put(file)
    file.piece.fill(0, file.at + kept, file.at + padded)
    file.at += padded
    if (options) file.putBytes(options)
    file.put32(total)
  }

  #block(
    type: number,
    bodyLength: number,
    texts: [number, string | undefined][],
    body: (file: GrowingFile) => void,
  ): void {
    const options = optionBytes(texts)
    const total = 12 + bodyLength + options.length
    const file = this.#file
    file.reserve(total)
    file.put32(type)
    file.put32(total)
    body(file)
    file.putBytes(options)
    file.put32(total)
  }
}

function optionBytes(texts: [number, string | undefined][]): Uint8Array {
  const bytes: number[] = []
  for (const [code, text] of texts) {
    if (text === undefined) continue
    const value = encodeUtf8(text).subarray(0, 0xffff)
    bytes.push(code & 255, code >>> 8, value.length & 255, value.length >>> 8, ...value)
    while (bytes.length % 4 !== 0) bytes.push(0)
  }
  if (bytes.length > 0) bytes.push(0, 0, 0, 0)
  return Uint8Array.from(bytes)
}

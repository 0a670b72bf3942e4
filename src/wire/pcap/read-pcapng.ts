/**
 * Reads pcapng: sections, interfaces, enhanced, simple and old packet blocks; blocks of other kinds are passed over.
 * https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/
 */
import { decodeUtf8 } from '#base/bytes'
import type { Capture, CaptureInterface } from './types.ts'
import { SNAP_LENGTH_MAX } from './types.ts'

const SECTION = 0x0a0d0d0a
const INTERFACE = 1
const OLD_PACKET = 2
const SIMPLE_PACKET = 3
const ENHANCED_PACKET = 6

const SECOND = 1_000_000_000
const NANOSECONDS = 1_000_000_000n

/** How an interface's stamps are turned into time: ticks a second, and seconds to add. */
interface Clock {
  ticks: bigint
  offsetS: number
}

interface Reader {
  bytes: Uint8Array
  view: DataView
  little: boolean
  capture: Capture
  /** Of the section that is being read: where its first interface stands in the capture's list. */
  base: number
  clocks: Clock[]
}

/** All that can be read; never throws. */
export function readPcapng(bytes: Uint8Array, view: DataView): Capture {
  const capture: Capture = { format: 'pcapng', nanosecond: false, littleEndian: true, interfaces: [], frames: [] }
  const reader: Reader = { bytes, view, little: true, capture, base: 0, clocks: [] }
  let at = 0
  while (at < bytes.length) {
    const fault = (what: string) => {
      capture.error = { offset: at, what }
      return capture
    }
    if (at + 12 > bytes.length)
      return fault(`truncated pcapng dump file; tried to read 12 bytes, only got ${bytes.length - at}`)
    const section = view.getUint32(at) === SECTION
    if (section) {
      const order = view.getUint32(at + 8)
      if (order !== 0x1a2b3c4d && order !== 0x4d3c2b1a) return fault('unknown pcapng byte order')
      reader.little = order === 0x4d3c2b1a
    }
    const type = view.getUint32(at, reader.little)
    const length = view.getUint32(at + 4, reader.little)
    if (length < (section ? 28 : 12) || length % 4 !== 0) return fault(`pcapng block length ${length} is invalid`)
    const end = at + length
    if (end > bytes.length)
      return fault(`truncated pcapng dump file; tried to read ${length} bytes, only got ${bytes.length - at}`)
    if (view.getUint32(end - 4, reader.little) !== length) return fault('pcapng block total lengths do not agree')
    const what = section ? readSection(reader, at, end - 4) : readBlock(reader, type, at + 8, end - 4)
    if (what !== undefined) return fault(what)
    at = end
  }
  return capture
}

function readSection(reader: Reader, at: number, end: number): string | undefined {
  const { view, little, capture } = reader
  const major = view.getUint16(at + 12, little)
  if (major !== 1) return `unsupported pcapng version ${major}.${view.getUint16(at + 14, little)}`
  if (at === 0) capture.littleEndian = little
  reader.base = capture.interfaces.length
  reader.clocks = []
  readOptions(reader, at + 24, end, (code, from, to) => {
    if (code === 1 && capture.comment === undefined) capture.comment = decodeUtf8(reader.bytes.subarray(from, to))
  })
  return undefined
}

function readBlock(reader: Reader, type: number, at: number, end: number): string | undefined {
  const { view, little } = reader
  const length = end - at
  if (type === INTERFACE) {
    if (length < 8) return 'pcapng interface block is too short'
    readInterface(reader, at, end)
  } else if (type === ENHANCED_PACKET || type === OLD_PACKET) {
    if (length < 20) return 'pcapng packet block is too short'
    const id = type === ENHANCED_PACKET ? view.getUint32(at, little) : view.getUint16(at, little)
    const ticks = (BigInt(view.getUint32(at + 4, little)) << 32n) | BigInt(view.getUint32(at + 8, little))
    const kept = view.getUint32(at + 12, little)
    return addFrame(reader, id, ticks, at + 20, kept, view.getUint32(at + 16, little), end)
  } else if (type === SIMPLE_PACKET) {
    if (length < 4) return 'pcapng packet block is too short'
    const original = view.getUint32(at, little)
    const snapLength = reader.capture.interfaces[reader.base]?.snapLength ?? SNAP_LENGTH_MAX
    return addFrame(reader, 0, 0n, at + 4, Math.min(original, snapLength), original, end)
  }
  return undefined
}

function readInterface(reader: Reader, at: number, end: number): void {
  const { view, little, bytes, capture } = reader
  const description: CaptureInterface = {
    linkType: view.getUint16(at, little),
    snapLength: view.getUint32(at + 4, little) || SNAP_LENGTH_MAX,
  }
  const clock: Clock = { ticks: 1_000_000n, offsetS: 0 }
  readOptions(reader, at + 8, end, (code, from, to) => {
    if (code === 1) description.comment ??= decodeUtf8(bytes.subarray(from, to))
    else if (code === 2) description.name ??= decodeUtf8(bytes.subarray(from, to))
    else if (code === 3) description.description ??= decodeUtf8(bytes.subarray(from, to))
    else if (code === 9 && to - from === 1) {
      const resolution = bytes[from]!
      // A power of 2 or of 10; what is finer than 2^63 ticks a second is nonsense, and left at microseconds.
      if (resolution & 0x80 && (resolution & 0x7f) < 64) clock.ticks = 1n << BigInt(resolution & 0x7f)
      else if (resolution < 20) clock.ticks = 10n ** BigInt(resolution)
    } else if (code === 14 && to - from === 8) {
      const offset = little ? view.getBigInt64(from, true) : view.getBigInt64(from)
      clock.offsetS = Number(offset)
    }
  })
  if (clock.ticks > 1_000_000n) capture.nanosecond = true
  capture.interfaces.push(description)
  reader.clocks.push(clock)
}

function addFrame(
  reader: Reader,
  id: number,
  ticks: bigint,
  from: number,
  kept: number,
  originalLength: number,
  end: number,
): string | undefined {
  const { capture, bytes, base, clocks } = reader
  const clock = clocks[id]
  if (clock === undefined)
    return `a packet arrived on interface ${id}, but there's no Interface Description Block for that interface`
  if (kept > SNAP_LENGTH_MAX) return `invalid packet capture length ${kept}, bigger than maximum of ${SNAP_LENGTH_MAX}`
  if (from + kept > end) return `pcapng packet of ${kept} bytes does not fit its block`
  let s = 0
  let ns = 0
  if (clock.ticks === NANOSECONDS) {
    s = Number(ticks / NANOSECONDS)
    ns = Number(ticks % NANOSECONDS)
  } else {
    s = Number(ticks / clock.ticks)
    ns = Number(((ticks % clock.ticks) * NANOSECONDS) / clock.ticks)
  }
  s += clock.offsetS
  if (!(s >= 0 && s < SECOND * 1000)) s = 0
  const frame: Capture['frames'][number] = {
    interface: base + id,
    s,
    ns,
    bytes: bytes.subarray(from, from + kept),
    originalLength,
  }
  const padded = from + ((kept + 3) & ~3)
  readOptions(reader, padded, end, (code, start, to) => {
    if (code === 1) frame.comment ??= decodeUtf8(bytes.subarray(start, to))
  })
  capture.frames.push(frame)
  return undefined
}

/** Options until the end of the block; a broken one ends them, since they are only remarks. */
function readOptions(
  reader: Reader,
  at: number,
  end: number,
  take: (code: number, from: number, to: number) => void,
): void {
  const { view, little } = reader
  while (at + 4 <= end) {
    const code = view.getUint16(at, little)
    const length = view.getUint16(at + 2, little)
    if (code === 0 || at + 4 + length > end) return
    take(code, at + 4, at + 4 + length)
    at += 4 + ((length + 3) & ~3)
  }
}

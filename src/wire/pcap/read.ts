/**
 * Reads capture files. They are hostile: every length is checked against what is there before it is used, nothing is
 * allocated by what a header claims, and what was read before a fault is kept. pcap's faults are worded as libpcap
 * words them, since `tcpdump -r` prints them.
 */
import { readPcapng } from './read-pcapng.ts'
import type { Capture, PcapError } from './types.ts'
import { SNAP_LENGTH_MAX } from './types.ts'

const FILE_HEADER = 24
const RECORD_HEADER = 16

/** All of a capture file that can be read; never throws. */
export function readCapture(bytes: Uint8Array): Capture {
  const none: Capture = { format: undefined, nanosecond: false, littleEndian: true, interfaces: [], frames: [] }
  if (bytes.length < 4) return { ...none, error: truncated(0, 4, bytes.length, 'file header') }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0) === 0x0a0d0d0a) return readPcapng(bytes, view)
  for (const littleEndian of [true, false]) {
    const magic = view.getUint32(0, littleEndian)
    if (magic === 0xa1b2c3d4 || magic === 0xa1b23c4d) return readPcap(bytes, view, littleEndian, magic === 0xa1b23c4d)
  }
  return { ...none, error: { offset: 0, what: 'unknown file format' } }
}

function readPcap(bytes: Uint8Array, view: DataView, littleEndian: boolean, nanosecond: boolean): Capture {
  const capture: Capture = { format: 'pcap', nanosecond, littleEndian, interfaces: [], frames: [] }
  if (bytes.length < FILE_HEADER) {
    capture.error = truncated(0, FILE_HEADER, bytes.length, 'file header')
    return capture
  }
  const major = view.getUint16(4, littleEndian)
  const minor = view.getUint16(6, littleEndian)
  if (major < 2) {
    capture.error = { offset: 4, what: 'archaic pcap savefile format' }
    return capture
  }
  if (major !== 2 || (minor !== 4 && minor !== 3 && minor !== 2)) {
    capture.error = { offset: 4, what: `unsupported pcap savefile version ${major}.${minor}` }
    return capture
  }
  // A length of 0 or beyond the greatest means the greatest: libpcap's pcap_adjust_snapshot().
  const claimed = view.getUint32(16, littleEndian)
  const snapLength = claimed === 0 || claimed > SNAP_LENGTH_MAX ? SNAP_LENGTH_MAX : claimed
  // The upper 6 bits tell of check sequences that follow the frames.
  capture.interfaces.push({ linkType: view.getUint32(20, littleEndian) & 0x03ffffff, snapLength })
  let at = FILE_HEADER
  while (at < bytes.length) {
    if (at + RECORD_HEADER > bytes.length) {
      capture.error = truncated(at, RECORD_HEADER, bytes.length - at, 'header')
      break
    }
    const s = view.getUint32(at, littleEndian)
    const fraction = view.getUint32(at + 4, littleEndian)
    const kept = view.getUint32(at + 8, littleEndian)
    const originalLength = view.getUint32(at + 12, littleEndian)
    if (kept > SNAP_LENGTH_MAX) {
      const what = `invalid packet capture length ${kept}, bigger than maximum of ${SNAP_LENGTH_MAX}`
      capture.error = { offset: at, what }
      break
    }
    const from = at + RECORD_HEADER
    if (from + kept > bytes.length) {
      capture.error = truncated(at, kept, bytes.length - from, 'captured')
      break
    }
    const ns = nanosecond ? fraction : fraction * 1000
    const end = from + Math.min(kept, snapLength)
    capture.frames.push({ interface: 0, s, ns, bytes: bytes.subarray(from, end), originalLength })
    at = from + kept
  }
  return capture
}

function truncated(offset: number, wanted: number, got: number, what: string): PcapError {
  return { offset, what: `truncated dump file; tried to read ${wanted} ${what} bytes, only got ${got}` }
}

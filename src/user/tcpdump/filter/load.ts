/**
 * What a compiled filter reads: a frame's bytes as the BPF machine sees them. A load beyond the end rejects the packet
 * whatever the rest of the expression would say; so it is noted here, and asked for once at the end.
 */
export interface Frame {
  bytes: Uint8Array
  /** The length on the wire. */
  length: number
  /** A tag that the kernel has taken off the frame; -1 for none. */
  vlanTci: number
  /** PACKET_OUTGOING and the like; only while capturing. */
  packetType: number
  ifindex: number
  /** Set when something beyond the end was asked for. */
  beyond: boolean
}

export type Test = (frame: Frame) => boolean
export type Load = (frame: Frame) => number

export function load8(frame: Frame, at: number): number {
  const { bytes } = frame
  if (at >= 0 && at < bytes.length) return bytes[at]!
  frame.beyond = true
  return 0
}

export function load16(frame: Frame, at: number): number {
  const { bytes } = frame
  if (at >= 0 && at + 1 < bytes.length) return (bytes[at]! << 8) | bytes[at + 1]!
  frame.beyond = true
  return 0
}

export function load32(frame: Frame, at: number): number {
  const { bytes } = frame
  if (at >= 0 && at + 3 < bytes.length)
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  frame.beyond = true
  return 0
}

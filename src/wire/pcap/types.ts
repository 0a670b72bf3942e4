/** What a capture file holds, whatever its format. */

/** LINKTYPE_*, https://www.tcpdump.org/linktypes.html. */
export const LINKTYPE_ETHERNET = 1
export const LINKTYPE_RAW = 101
export const LINKTYPE_LINUX_SLL = 113
export const LINKTYPE_LINUX_SLL2 = 276

/** The longest frame that libpcap reads or writes: MAXIMUM_SNAPLEN. */
export const SNAP_LENGTH_MAX = 262144

export interface CaptureInterface {
  linkType: number
  snapLength: number
  name?: string
  description?: string
  comment?: string
}

export interface CaptureFrame {
  /** An index into the capture's interfaces. */
  interface: number
  /** The time, as seconds since the epoch and nanoseconds. */
  s: number
  ns: number
  /** What was kept of it; a view of the file. */
  bytes: Uint8Array
  /** How long it was on the wire. */
  originalLength: number
  comment?: string
}

/** Why reading stopped, and where: the offset of the record or block that is at fault. Data, not thrown. */
export interface PcapError {
  offset: number
  what: string
}

export interface Capture {
  /** Undefined if the file's first bytes are no capture's. */
  format: 'pcap' | 'pcapng' | undefined
  /** Whether the stamps are finer than microseconds. */
  nanosecond: boolean
  littleEndian: boolean
  interfaces: CaptureInterface[]
  /** All that could be read before the error, if there is one. */
  frames: CaptureFrame[]
  comment?: string
  error?: PcapError
}

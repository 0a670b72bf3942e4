/** A LACPDU's bytes: who sends it, and whom it takes the other end for. IEEE 802.3-2008, 43.4.2.2. */

export const ETH_P_SLOW = 0x8809
/** 01:80:c2:00:00:02 */
export const SLOW_PROTOCOLS = 0x0180c2000002

const LENGTH = 110
const INFORMATION = 20

export interface LacpEnd {
  systemPriority: number
  system: number
  key: number
  portPriority: number
  port: number
  state: number
}

export interface Lacpdu {
  actor: LacpEnd
  partner: LacpEnd
}

function emitEnd(view: DataView, at: number, type: number, end: LacpEnd): void {
  view.setUint8(at, type)
  view.setUint8(at + 1, INFORMATION)
  view.setUint16(at + 2, end.systemPriority)
  view.setUint16(at + 4, Math.floor(end.system / 0x1_0000_0000))
  view.setUint32(at + 6, end.system % 0x1_0000_0000)
  view.setUint16(at + 10, end.key)
  view.setUint16(at + 12, end.portPriority)
  view.setUint16(at + 14, end.port)
  view.setUint8(at + 16, end.state)
}

function parseEnd(view: DataView, at: number): LacpEnd {
  return {
    systemPriority: view.getUint16(at + 2),
    system: view.getUint16(at + 4) * 0x1_0000_0000 + view.getUint32(at + 6),
    key: view.getUint16(at + 10),
    portPriority: view.getUint16(at + 12),
    port: view.getUint16(at + 14),
    state: view.getUint8(at + 16),
  }
}

/** The bytes behind the Ethernet header. */
export function emitLacpdu({ actor, partner }: Lacpdu): Uint8Array {
  const bytes = new Uint8Array(LENGTH)
  const view = new DataView(bytes.buffer)
  bytes[0] = 1
  bytes[1] = 1
  emitEnd(view, 2, 1, actor)
  emitEnd(view, 22, 2, partner)
  bytes[42] = 3 // The collector's: it waits for nothing.
  bytes[43] = 16
  return bytes
}

/** Undefined: too short, or another of the slow protocols. */
export function parseLacpdu(bytes: Uint8Array): Lacpdu | undefined {
  if (bytes.length < LENGTH || bytes[0] !== 1) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { actor: parseEnd(view, 2), partner: parseEnd(view, 22) }
}

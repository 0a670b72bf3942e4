/**
 * The states of a neighbour, what an update may do, and an entry's flags: bits, as the kernel's masks ask for them.
 */
import type { NeighbourState } from './netlink.ts'

// NUD_*. Linux 6.1 include/uapi/linux/neighbour.h, include/net/neighbour.h.
export const NUD_NONE = 0
export const NUD_INCOMPLETE = 0x01
export const NUD_REACHABLE = 0x02
export const NUD_STALE = 0x04
export const NUD_DELAY = 0x08
export const NUD_PROBE = 0x10
export const NUD_FAILED = 0x20
export const NUD_NOARP = 0x40
export const NUD_PERMANENT = 0x80
export const NUD_IN_TIMER = NUD_INCOMPLETE | NUD_REACHABLE | NUD_DELAY | NUD_PROBE
export const NUD_CONNECTED = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE
export const NUD_VALID = NUD_CONNECTED | NUD_STALE | NUD_DELAY | NUD_PROBE

// NEIGH_UPDATE_F_*: what an update may do.
export const UPDATE_OVERRIDE = 0x1
export const UPDATE_WEAK_OVERRIDE = 0x2
export const UPDATE_OVERRIDE_ISROUTER = 0x4
export const UPDATE_USE = 0x10
export const UPDATE_EXT_LEARNED = 0x20
export const UPDATE_ISROUTER = 0x40
export const UPDATE_ADMIN = 0x80

// NTF_*.
export const NTF_USE = 0x01
export const NTF_PROXY = 0x08
export const NTF_EXT_LEARNED = 0x10
export const NTF_ROUTER = 0x80

const STATE_NAMES: Record<number, NeighbourState> = {
  [NUD_NONE]: 'NONE',
  [NUD_INCOMPLETE]: 'INCOMPLETE',
  [NUD_REACHABLE]: 'REACHABLE',
  [NUD_STALE]: 'STALE',
  [NUD_DELAY]: 'DELAY',
  [NUD_PROBE]: 'PROBE',
  [NUD_FAILED]: 'FAILED',
  [NUD_NOARP]: 'NOARP',
  [NUD_PERMANENT]: 'PERMANENT',
}

const STATE_BITS = new Map(Object.entries(STATE_NAMES).map(([bits, name]) => [name, Number(bits)]))

export function stateName(bits: number): NeighbourState {
  return STATE_NAMES[bits] ?? 'NONE'
}

export function stateBits(name: NeighbourState): number {
  return STATE_BITS.get(name)!
}

/**
 * IPv4's options. RFC 791 section 3.1 (EOL, NOP, RR, LSRR, SSRR, timestamps), RFC 2113 (router alert).
 * Linux 6.1 include/uapi/linux/ip.h has the numbers: IPOPT_*.
 */
export const IPOPT_EOL = 0
export const IPOPT_NOP = 1
export const IPOPT_RR = 7
export const IPOPT_TS = 68
export const IPOPT_LSRR = 131
export const IPOPT_SSRR = 137
export const IPOPT_RA = 148

/** The timestamp option's flag: times only, addresses and times, addresses that are given. */
export const IPOPT_TS_TSONLY = 0
export const IPOPT_TS_TSANDADDR = 1
export const IPOPT_TS_PRESPEC = 3

export type IpOption =
  | { kind: 'EOL'; at: number; length: 1 }
  | { kind: 'NOP'; at: number; length: 1 }
  /** The pointer counts from 1, at the option's type; the addresses are all slots, filled or not. */
  | { kind: 'RR'; at: number; length: number; pointer: number; addresses: number[] }
  | { kind: 'LSRR'; at: number; length: number; pointer: number; addresses: number[] }
  | { kind: 'SSRR'; at: number; length: number; pointer: number; addresses: number[] }
  | { kind: 'TS'; at: number; length: number; pointer: number; overflow: number; flag: number; words: number[] }
  | { kind: 'RA'; at: number; length: 4; value: number }
  | { kind: 'unknown'; at: number; length: number; type: number; data: Uint8Array }
  /** A length that is below 2, beyond the header's end, or wrong for the type: nothing behind it can be read. */
  | { kind: 'broken'; at: number; length: number; type: number; data: Uint8Array }

const ROUTES = { [IPOPT_RR]: 'RR', [IPOPT_LSRR]: 'LSRR', [IPOPT_SSRR]: 'SSRR' } as const

/** Options in order; whatever the bytes, they are covered without a gap. `at` counts from the first option. */
export function parseIpOptions(bytes: Uint8Array): IpOption[] {
  const options: IpOption[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const words = (from: number, to: number) => {
    const list: number[] = []
    for (let at = from; at < to; at += 4) list.push(view.getUint32(at))
    return list
  }
  let at = 0
  while (at < bytes.length) {
    const type = bytes[at]!
    if (type === IPOPT_EOL || type === IPOPT_NOP) {
      options.push({ kind: type === IPOPT_EOL ? 'EOL' : 'NOP', at, length: 1 })
      at++
      continue
    }
    const length = at + 1 < bytes.length ? bytes[at + 1]! : 0
    const end = at + length
    if (length < 2 || end > bytes.length) {
      options.push({ kind: 'broken', at, length: bytes.length - at, type, data: bytes.slice(at + 1) })
      break
    }
    const route = ROUTES[type as keyof typeof ROUTES]
    if (route !== undefined && length >= 3 && length % 4 === 3)
      options.push({ kind: route, at, length, pointer: bytes[at + 2]!, addresses: words(at + 3, end) })
    else if (type === IPOPT_TS && length >= 4 && length % 4 === 0)
      options.push({
        kind: 'TS',
        at,
        length,
        pointer: bytes[at + 2]!,
        overflow: bytes[at + 3]! >>> 4,
        flag: bytes[at + 3]! & 15,
        words: words(at + 4, end),
      })
    else if (type === IPOPT_RA && length === 4)
      options.push({ kind: 'RA', at, length: 4, value: view.getUint16(at + 2) })
    else options.push({ kind: 'unknown', at, length, type, data: bytes.slice(at + 2, end) })
    at = end
  }
  return options
}

/** The options' bytes, not padded. */
export function emitIpOptions(options: readonly IpOption[]): Uint8Array {
  const bytes: number[] = []
  const put32 = (word: number) => bytes.push(word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255)
  for (const option of options) {
    if (option.kind === 'EOL' || option.kind === 'NOP') bytes.push(option.kind === 'EOL' ? IPOPT_EOL : IPOPT_NOP)
    else if (option.kind === 'RA') bytes.push(IPOPT_RA, 4, option.value >>> 8, option.value & 255)
    else if (option.kind === 'TS') {
      bytes.push(IPOPT_TS, 4 + 4 * option.words.length, option.pointer, (option.overflow << 4) | option.flag)
      option.words.forEach(put32)
    } else if (option.kind === 'unknown') bytes.push(option.type, 2 + option.data.length, ...option.data)
    else if (option.kind === 'broken') bytes.push(option.type, ...option.data)
    else {
      const type = option.kind === 'RR' ? IPOPT_RR : option.kind === 'LSRR' ? IPOPT_LSRR : IPOPT_SSRR
      bytes.push(type, 3 + 4 * option.addresses.length, option.pointer)
      option.addresses.forEach(put32)
    }
  }
  return Uint8Array.from(bytes)
}

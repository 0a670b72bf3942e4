/** What ping says of ICMP messages and of IP options. iputils 20221126 ping/ping.c: pr_icmph(), pr_options() */
import { formatIpv4 } from '#wire/inet'

/** RFC 792 and RFC 1122: Destination Unreachable, by code. */
const UNREACHABLE: Record<number, string> = {
  0: 'Destination Net Unreachable',
  1: 'Destination Host Unreachable',
  2: 'Destination Protocol Unreachable',
  3: 'Destination Port Unreachable',
  5: 'Source Route Failed',
  6: 'Destination Net Unknown',
  7: 'Destination Host Unknown',
  8: 'Source Host Isolated',
  9: 'Destination Net Prohibited',
  10: 'Destination Host Prohibited',
  11: 'Destination Net Unreachable for Type of Service',
  12: 'Destination Host Unreachable for Type of Service',
  13: 'Packet filtered',
  14: 'Precedence Violation',
  15: 'Precedence Cutoff',
}

const REDIRECT: Record<number, string> = {
  0: 'Redirect Network',
  1: 'Redirect Host',
  2: 'Redirect Type of Service and Network',
  3: 'Redirect Type of Service and Host',
}

const OTHERS: Record<number, string> = {
  0: 'Echo Reply',
  4: 'Source Quench',
  8: 'Echo Request',
  13: 'Timestamp',
  14: 'Timestamp Reply',
  15: 'Information Request',
  16: 'Information Reply',
  17: 'Address Mask Request',
  18: 'Address Mask Reply',
}

/** @param rest the second word of its header: an MTU, a gateway, a pointer in the highest byte */
export function describeIcmp(type: number, code: number, rest: number, nameOf: (address: number) => string): string {
  switch (type) {
    case 3:
      if (code === 4) return `Frag needed and DF set (mtu = ${rest})\n`
      return `${UNREACHABLE[code] ?? `Dest Unreachable, Bad Code: ${code}`}\n`
    case 5:
      return `${REDIRECT[code] ?? `Redirect, Bad Code: ${code}`}(New nexthop: ${nameOf(rest)})\n`
    case 11:
      if (code === 0) return 'Time to live exceeded\n'
      return code === 1 ? 'Frag reassembly time exceeded\n' : `Time exceeded, Bad Code: ${code}\n`
    case 12:
      return `Parameter problem: pointer = ${rest >>> 24}\n`
    default:
      return `${OTHERS[type] ?? `Bad ICMP type: ${type}`}\n`
  }
}

const UNREACHABLE6: Record<number, string> = {
  0: 'No route',
  1: 'Administratively prohibited',
  2: 'Beyond scope of source address',
  3: 'Address unreachable',
  4: 'Port unreachable',
}

/** ICMPv6's. iputils 20221126 ping/ping6_common.c: print_icmp() */
export function describeIcmp6(type: number, code: number, info: number): string {
  switch (type) {
    case 1:
      return `Destination unreachable: ${UNREACHABLE6[code] ?? `Unknown code ${code}`}`
    case 2:
      return `Packet too big: mtu=${info}${code ? `, code=${code}` : ''}`
    case 3:
      return `Time exceeded: ${code === 0 ? 'Hop limit' : code === 1 ? 'Defragmentation failure' : `code ${code}`}`
    case 4: {
      const what = ['Wrong header field ', 'Unknown header ', 'Unknown option '][code] ?? `code ${code} `
      return `Parameter problem: ${what}at ${info}`
    }
    default:
      return `unknown icmp type: ${type}`
  }
}

/** The IP header that an error carries, for -v. Its words are read as an x86 reads them, as the tool does. */
export function describeHeader(header: Uint8Array, nameOf: (address: number) => string): string {
  const hex = (value: number, width: number) => value.toString(16).padStart(width, '0')
  const word = (at: number) => (header[at + 1]! << 8) | header[at]!
  const view = new DataView(header.buffer, header.byteOffset, header.length)
  const length = header[0]! & 0xf
  const fragment = word(6)
  let text = 'Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src      Dst Data\n'
  text += ` ${hex(header[0]! >> 4, 1)}  ${hex(length, 1)}  ${hex(header[1]!, 2)} ${hex(word(2), 4)} ${hex(word(4), 4)}`
  text += `   ${hex((fragment & 0xe000) >> 13, 1)} ${hex(fragment & 0x1fff, 4)}`
  text += `  ${hex(header[8]!, 2)}  ${hex(header[9]!, 2)} ${hex(word(10), 4)}`
  text += ` ${formatIpv4(view.getUint32(12))}  ${formatIpv4(view.getUint32(16))} \n`
  return text + new OptionsPrinter(nameOf, false).describe(header.subarray(20, length * 4))
}

/** Remembers the last recorded route, to say `(same route)`. */
export class OptionsPrinter {
  readonly #nameOf: (address: number) => string
  readonly #flood: boolean
  #lastRoute: Uint8Array | undefined

  constructor(nameOf: (address: number) => string, flood: boolean) {
    this.#nameOf = nameOf
    this.#flood = flood
  }

  describe(options: Uint8Array): string {
    let text = ''
    for (let at = 0; at < options.length; ) {
      const type = options[at]!
      if (type === 0) break
      if (type === 1) {
        text += '\nNOP'
        at++
        continue
      }
      const length = options[at + 1] ?? 0
      if (length < 2 || length > options.length - at) break
      const option = options.subarray(at, at + length)
      if (type === 137 || type === 131) text += this.#sourceRoute(option)
      else if (type === 7) text += this.#recordedRoute(option)
      else if (type === 68) text += this.#timestamps(option)
      else text += `\nunknown option ${type.toString(16)}`
      at += length
    }
    return text
  }

  #host(option: Uint8Array, at: number): string {
    if (at + 4 > option.length) return ''
    const address = new DataView(option.buffer, option.byteOffset, option.length).getUint32(at)
    return `\t${address === 0 ? '0.0.0.0' : this.#nameOf(address)}`
  }

  #sourceRoute(option: Uint8Array): string {
    let text = `\n${option[0] === 137 ? 'S' : 'L'}SRR: `
    for (let at = 3; at + 4 <= option.length; at += 4) text += `${this.#host(option, at)}\n`
    return text
  }

  #recordedRoute(option: Uint8Array): string {
    const filled = Math.min(option[2]!, option[1]!) - 4
    if (filled <= 0) return ''
    // The pointer is compared along with the addresses, but for the last of their bytes.
    const route = option.slice(2, 2 + filled)
    const last = this.#lastRoute
    if (last && !this.#flood && last.length === route.length && last.every((byte, i) => byte === route[i])) {
      return '\t(same route)'
    }
    this.#lastRoute = route
    let text = '\nRR: '
    for (let at = 3; at < 3 + filled; at += 4) text += `${this.#host(option, at)}\n`
    return text
  }

  #timestamps(option: Uint8Array): string {
    const filled = Math.min(option[2]!, option[1]!) - 5
    if (filled <= 0) return ''
    const view = new DataView(option.buffer, option.byteOffset, option.length)
    const flags = option[3]!
    let text = '\nTS: '
    let standard = 0
    let other = 0
    for (let left = filled, at = 4; left > 0; left -= 4) {
      if ((flags & 0xf) !== 0) {
        text += this.#host(option, at)
        at += 4
        left -= 4
        if (left <= 0) break
      }
      if (at + 4 > option.length) break
      const value = view.getUint32(at)
      at += 4
      if (value >= 0x80000000) {
        const ms = value - 0x80000000
        text += other === 0 ? `\t${ms} absolute not-standard` : `\t${ms - other} not-standard`
        other = ms
      } else {
        text += standard === 0 ? `\t${value} absolute` : `\t${value - standard}`
        standard = value
      }
      text += '\n'
    }
    return flags >> 4 ? `${text}Unrecorded hops: ${flags >> 4}\n` : text
  }
}

/** What comes back: whether it is an answer to what was sent, and the lines that tell of it. */
import { formatHex } from '#base/bytes'
import { formatIpv4 } from '#wire/inet'
import type { HpingOptions } from './options.ts'

/** TCP's flags as hping3 writes them, in its order. */
const FLAG_LETTERS: [string, number][] = [
  ['R', 4],
  ['S', 2],
  ['A', 16],
  ['F', 1],
  ['P', 8],
  ['U', 32],
  ['X', 64],
  ['Y', 128],
]

export function flagText(flags: number): string {
  return FLAG_LETTERS.map(([letter, bit]) => (flags & bit ? letter : '')).join('')
}

/** An IP packet that was captured, with what is behind its header. */
export interface Reply {
  bytes: Uint8Array
  view: DataView
  source: number
  destination: number
  protocol: number
  headerLength: number
  ttl: number
  id: number
  dontFragment: boolean
}

/** Undefined if it isn't a whole IPv4 header. */
export function parseReply(bytes: Uint8Array): Reply | undefined {
  if (bytes.length < 20 || bytes[0]! >> 4 !== 4) return undefined
  const headerLength = (bytes[0]! & 15) * 4
  if (headerLength < 20 || headerLength > bytes.length) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return {
    bytes,
    view,
    source: view.getUint32(12),
    destination: view.getUint32(16),
    protocol: bytes[9]!,
    headerLength,
    ttl: bytes[8]!,
    id: view.getUint16(4),
    // It looks at the whole word: what is a fragment shows as DF, too.
    dontFragment: view.getUint16(6) !== 0,
  }
}

/** What hping3 calls ICMP errors, by type and code. */
const UNREACHABLE = [
  'Network Unreachable',
  'Host Unreachable',
  'Protocol Unreachable',
  'Port Unreachable',
  'Fragmentation Needed/DF set',
  'Source Route Failed',
  'Network Unknown',
  'Host Unknown',
  'Source Host Isolated',
  'Destination Network Prohibited',
  'Destination Host Prohibited',
  'Network Unreachable for TOS',
  'Host Unreachable for TOS',
  'Packet filtered',
  'Precedence violation',
  'precedence cut off',
]

/** How an error's line begins; undefined for what is no error. */
export function errorName(type: number, code: number): string | undefined {
  if (type === 3) return `ICMP ${UNREACHABLE[code] ?? `Unreachable type=${code}`}`
  if (type === 11) return code === 0 ? 'TTL 0 during transit' : 'TTL 0 during reassembly'
  if (type === 4) return 'ICMP Source Quench'
  if (type === 5) return `ICMP ${code === 0 ? 'Network' : 'Host'} Redirect`
  if (type === 12) return 'ICMP Parameter problem'
  return undefined
}

/** The lines of a record-route option, if the reply has one. */
export function routeLines(reply: Reply): string {
  const { bytes, view, headerLength } = reply
  let at = 20
  while (at < headerLength) {
    const type = bytes[at]!
    if (type === 0) break
    if (type === 1) {
      at++
      continue
    }
    const length = bytes[at + 1] ?? 0
    if (length < 2 || at + length > headerLength) break
    if (type === 7) {
      let text = 'RR: '
      const end = Math.min(length, (bytes[at + 2] ?? 4) - 1)
      for (let hop = 3; hop + 4 <= end; hop += 4) text += `\t${formatIpv4(view.getUint32(at + hop))}\n`
      return text
    }
    at += length
  }
  return ''
}

/** `-j` and `-J`. */
export function dumpLines(options: HpingOptions, bytes: Uint8Array): string {
  let text = ''
  if (options.dumpHex) {
    text += '\t\t'
    for (let i = 0; i < bytes.length; i += 2) {
      text += `${formatHex(bytes.subarray(i, i + 2))} `
      if ((i + 2) % 16 === 0) text += '\n\t\t'
    }
    text += '\n\n'
  }
  if (options.dumpText) {
    text += '\t\t'
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!
      text += byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.'
      if ((i + 1) % 32 === 0) text += '\n\t\t'
    }
    text += '\n\n'
  }
  return text
}

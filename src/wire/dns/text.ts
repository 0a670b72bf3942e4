/** Records as master files and dig write them. RFC 1035 section 5.1, RFC 3597 for types that have no form of their own. */
import { formatIpv4 } from '#wire/inet'
import type { DnsData } from './message.ts'

/** An IPv6 address in the form of RFC 5952. */
export function formatDnsIpv6(bytes: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!)
  let best = { from: -1, length: 1 }
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && words[i + length] === 0) length++
    if (length > best.length) best = { from: i, length }
  }
  const hex = (from: number, to: number) =>
    words
      .slice(from, to)
      .map((word) => word.toString(16))
      .join(':')
  return best.from < 0 ? hex(0, 8) : `${hex(0, best.from)}::${hex(best.from + best.length, 8)}`
}

function quoted(bytes: Uint8Array): string {
  let text = '"'
  for (const byte of bytes) {
    if (byte < 0x20 || byte >= 0x7f) text += `\\${String(byte).padStart(3, '0')}`
    else text += byte === 0x22 || byte === 0x5c ? `\\${String.fromCharCode(byte)}` : String.fromCharCode(byte)
  }
  return `${text}"`
}

export function formatDnsData(data: DnsData): string {
  switch (data.kind) {
    case 'a':
      return formatIpv4(data.address)
    case 'aaaa':
      return formatDnsIpv6(data.address)
    case 'name':
      return data.name
    case 'soa':
      return `${data.primary} ${data.mailbox} ${data.serial} ${data.refresh} ${data.retry} ${data.expire} ${data.minimum}`
    case 'mx':
      return `${data.preference} ${data.exchange}`
    case 'srv':
      return `${data.priority} ${data.weight} ${data.port} ${data.target}`
    case 'txt':
      return data.texts.map(quoted).join(' ')
    case 'caa':
      return `${data.flags} ${data.tag} ${quoted(data.value)}`
    case 'raw': {
      const hex = Array.from(data.bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('')
      return `\\# ${data.bytes.length}${hex === '' ? '' : ` ${hex.replace(/(.{56})(?=.)/g, '$1 ')}`}`
    }
  }
}

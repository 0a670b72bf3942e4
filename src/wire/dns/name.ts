/**
 * Domain names: labels of bytes on the wire, text with dots and escapes in programs. Text is absolute and ends in a dot.
 * RFC 1035 sections 3.1, 4.1.4, 5.1.
 */

/** Longest label and name. */
const LABEL_MAX = 63
const NAME_MAX = 255
/** A message has no more pointers in one name than it can have labels. */
const JUMPS_MAX = 128

/** A name at a place of a message, and where what follows it begins; undefined if it isn't well-formed. */
export function parseName(bytes: Uint8Array, at: number): { name: string; next: number } | undefined {
  let text = ''
  let length = 1
  let next = -1
  let jumps = 0
  let from = at
  for (;;) {
    const size = bytes[from]
    if (size === undefined) return undefined
    if (size >= 0xc0) {
      const low = bytes[from + 1]
      if (low === undefined || ++jumps > JUMPS_MAX) return undefined
      if (next < 0) next = from + 2
      const target = ((size & 0x3f) << 8) | low
      if (target >= from) return undefined // Only back, or it might never end.
      from = target
      continue
    }
    if (size > LABEL_MAX) return undefined
    if (size === 0) break
    length += size + 1
    if (length > NAME_MAX || from + 1 + size > bytes.length) return undefined
    text += `${labelText(bytes.subarray(from + 1, from + 1 + size))}.`
    from += size + 1
  }
  return { name: text === '' ? '.' : text, next: next < 0 ? from + 1 : next }
}

function labelText(label: Uint8Array): string {
  let text = ''
  for (const byte of label) {
    if (byte <= 0x20 || byte >= 0x7f) text += `\\${String(byte).padStart(3, '0')}`
    else if ('."$();@\\'.includes(String.fromCharCode(byte))) text += `\\${String.fromCharCode(byte)}`
    else text += String.fromCharCode(byte)
  }
  return text
}

/** The labels of a name; undefined if one is empty or too long, or all of them are. A name without a last dot is taken as absolute. */
export function labelsOf(name: string): Uint8Array[] | undefined {
  if (name === '.' || name === '') return []
  const labels: Uint8Array[] = []
  let bytes: number[] = []
  let length = 1
  const end = () => {
    if (bytes.length === 0 || bytes.length > LABEL_MAX) return false
    length += bytes.length + 1
    labels.push(Uint8Array.from(bytes))
    bytes = []
    return length <= NAME_MAX
  }
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i)
    if (code === 0x2e) {
      if (!end()) return undefined
      continue
    }
    if (code !== 0x5c) {
      if (code > 0xff) return undefined
      bytes.push(code)
      continue
    }
    const digits = /^\d{3}/.exec(name.slice(i + 1))
    if (digits) {
      if (Number(digits[0]) > 255) return undefined
      bytes.push(Number(digits[0]))
      i += 3
    } else {
      if (i + 1 >= name.length) return undefined
      bytes.push(name.charCodeAt(++i) & 0xff)
    }
  }
  if (bytes.length > 0 && !end()) return undefined
  return labels
}

/** The same name, for looking up: without case, with its last dot. */
export function canonicalName(name: string): string {
  const lower = name.toLowerCase()
  return lower.endsWith('.') ? lower : `${lower}.`
}

/** 10.0.0.1 as 1.0.0.10.in-addr.arpa. */
export function reverseName(address: number | Uint8Array): string {
  if (typeof address === 'number') {
    return `${address & 255}.${(address >>> 8) & 255}.${(address >>> 16) & 255}.${address >>> 24}.in-addr.arpa.`
  }
  let text = ''
  for (let i = address.length - 1; i >= 0; i--) {
    const byte = address[i]!
    text += `${(byte & 15).toString(16)}.${(byte >> 4).toString(16)}.`
  }
  return `${text}ip6.arpa.`
}

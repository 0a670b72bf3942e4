/** Vital product data: large and small resources, and keywords of two letters. PCI 3.0, appendix I. */
import { hex, type Look } from './space.ts'

type Kind = 'text' | 'bytes' | 'checksum' | 'free'

const KEYWORDS: Record<string, [kind: Kind, name: string]> = {
  CP: ['bytes', 'Extended capability'],
  EC: ['text', 'Engineering changes'],
  MN: ['text', 'Manufacture ID'],
  PN: ['text', 'Part number'],
  RV: ['checksum', 'Reserved'],
  RW: ['free', 'Read-write area'],
  SN: ['text', 'Serial number'],
  YA: ['text', 'Asset tag'],
  V: ['text', 'Vendor specific'],
  Y: ['text', 'System specific'],
  CC: ['text', 'CCIN'],
  FC: ['text', 'Feature code'],
  FN: ['text', 'FRU'],
  NA: ['text', 'Network address'],
  RM: ['text', 'Firmware version'],
  Z: ['text', 'Product specific'],
}

/** Printable, but that a last zero is left out. */
function text(bytes: Uint8Array): string {
  let out = ''
  for (const [i, byte] of bytes.entries()) {
    if (byte === 0x5c) out += '\\\\'
    else if (byte === 0 && i === bytes.length - 1) continue
    else out += byte < 32 || byte === 127 ? `\\x${hex(byte, 2)}` : String.fromCharCode(byte)
  }
  return out
}

export function showVpd({ space, verbose, print }: Look): undefined {
  print('Vital Product Data\n')
  if (verbose < 2) return
  const data = space.of.os?.vpd ?? new Uint8Array(0)
  let sum = 0
  /** What is read counts for the checksum, each time that it is. */
  const take = (at: number, length: number): Uint8Array | undefined => {
    if (at + length > data.length) return undefined
    const bytes = data.subarray(at, at + length)
    for (const byte of bytes) sum = (sum + byte) & 0xff
    return bytes
  }
  let at = 0
  while (at <= 0x7fff) {
    const first = take(at, 1)?.[0]
    if (first === undefined) break
    let tag = first
    let length: number
    if (tag & 0x80) {
      const size = at <= 0x7ffd ? take(at + 1, 2) : undefined
      if (!size) break
      length = size[0]! | (size[1]! << 8)
      at += 3
    } else {
      length = tag & 7
      tag >>= 3
      at++
    }
    if (length > 0x8000 - at) break
    if (tag === 0x0f) {
      print('\t\tEnd\n')
      return
    }
    if (tag === 0x82) {
      let name = ''
      for (let part = 0; part < length; part += 256) {
        const bytes = take(at + part, Math.min(256, length - part))
        if (!bytes) break
        name += text(bytes)
      }
      print(`\t\tProduct Name: ${name}\n`)
    } else if (tag === 0x90 || tag === 0x91) {
      print(`\t\t${tag === 0x90 ? 'Read-only' : 'Read/write'} fields:\n`)
      for (let part = 0; part + 3 <= length; ) {
        const head = take(at + part, 3)
        if (!head) break
        part += 3
        const size = head[2]!
        if (size > length - part) break
        const letters = String.fromCharCode(head[0]!, head[1]!)
        const [kind, name] = KEYWORDS[letters] ?? KEYWORDS[letters[0]!] ?? (['bytes', 'Unknown'] as const)
        const bytes = take(at + part, kind === 'checksum' ? 1 : size)
        if (!bytes) break
        let shown: string
        if (kind === 'text') shown = text(bytes)
        else if (kind === 'bytes') shown = [...bytes].map((byte) => hex(byte, 2)).join(' ')
        else if (kind === 'checksum') shown = `checksum ${sum ? 'bad' : 'good'}, ${size - 1} byte(s) reserved`
        else shown = `${size} byte(s) free`
        print(`\t\t\t[${text(head.subarray(0, 2))}] ${name}: ${shown}\n`)
        part += size
      }
    } else {
      const kind = tag & 0x80 ? 'large' : 'small'
      print(`\t\tUnknown ${kind} resource type ${hex(tag & 0x7f, 2)}, will not decode more.\n`)
      return
    }
    at += length
  }
  print(at === 0 ? '\t\tNot readable\n' : '\t\tNo end tag found\n')
}

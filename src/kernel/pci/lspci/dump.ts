/** Dumps as `lspci -x` prints them, read back: a line that begins with an address, then lines of bytes. */
import { Fatal, type PciFunction } from './space.ts'

const ADDRESS = /^(?:([0-9a-fA-F]{4,5}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-9a-fA-F]) /
const BYTES = /^([0-9a-fA-F]{2,8}): /

/** The functions of a dump, in its order. Everything else that stands in it (what `-v` prints) is passed over. */
export function parseDump(text: string): PciFunction[] {
  const functions: PciFunction[] = []
  let data: { bytes: Uint8Array; length: number } | undefined
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  else throw new Fatal('dump: line too long or unterminated')
  for (const full of lines) {
    if (full.length >= 254) throw new Fatal('dump: line too long or unterminated')
    const line = full.endsWith('\r') ? full.slice(0, -1) : full
    const address = ADDRESS.exec(line)
    if (address) {
      const own = { bytes: new Uint8Array(4096).fill(0xff), length: 0 }
      data = own
      functions.push({
        domain: Number.parseInt(address[1] ?? '0', 16),
        bus: Number.parseInt(address[2]!, 16),
        device: Number.parseInt(address[3]!, 16),
        // A hexadecimal digit is let in, a decimal one is read.
        func: Number.parseInt(address[4]!, 10) || 0,
        read: (at, length) => (at + length > own.length ? undefined : own.bytes.subarray(at, at + length)),
      })
      continue
    }
    if (line === '') {
      data = undefined
      continue
    }
    const bytes = data && BYTES.exec(line)
    if (!data || !bytes) continue
    let at = Number.parseInt(bytes[1]!, 16)
    let rest = line.slice(line.indexOf(' ') + 1)
    for (let byte = /^[0-9a-fA-F]{2}(?= |$)/.exec(rest); byte; byte = /^[0-9a-fA-F]{2}(?= |$)/.exec(rest)) {
      if (at >= 4096) throw new Fatal('dump: At most 4096 bytes of config space are supported')
      data.bytes[at++] = Number.parseInt(byte[0], 16)
      data.length = Math.max(data.length, at)
      rest = rest.slice(rest.length > 2 ? 3 : 2)
    }
    if (rest !== '') throw new Fatal('dump: Malformed line')
  }
  return functions
}

/**
 * Archives, read through their central directory. What an entry says of its size is not believed: it is inflated a bit at
 * a time, and ends where the limit is.
 * @see APPNOTE.TXT (PKWARE .ZIP File Format Specification), 4.3.12 and 4.3.16
 */
import { Inflate } from 'fflate'
import { crc32, inflate, TooLarge } from './inflate.ts'
import { EXCHANGE_LIMITS, ExchangeError } from './record.ts'

export interface ZipEntry {
  name: string
  /** Its bytes; throws ExchangeError if it is broken or larger than allowed. */
  read(): Uint8Array
}

export const isZip = (bytes: Uint8Array) =>
  bytes.length >= 22 && bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2]! <= 0x07 && bytes[3]! <= 0x08

/** The files of an archive. All `read`s together give at most `limit` bytes. */
export function readZip(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => string,
  limit = EXCHANGE_LIMITS.bytes,
): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = findEnd(view)
  const count = view.getUint16(end + 10, true)
  let at = view.getUint32(end + 16, true)
  if (count > EXCHANGE_LIMITS.zipEntries) throw new ExchangeError(`an archive of ${count} files; unpack it first`)
  const budget = { left: Math.min(limit, Math.max(bytes.length * EXCHANGE_LIMITS.zipRatio, 1024 * 1024)) }
  const entries: ZipEntry[] = []
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50) throw new ExchangeError('a broken archive')
    const flags = view.getUint16(at + 8, true)
    const method = view.getUint16(at + 10, true)
    const sum = view.getUint32(at + 16, true)
    const packed = view.getUint32(at + 20, true)
    const size = view.getUint32(at + 24, true)
    const nameLength = view.getUint16(at + 28, true)
    const local = view.getUint32(at + 42, true)
    const name = decode(bytes.subarray(at + 46, at + 46 + nameLength))
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
    if (name.endsWith('/')) continue
    entries.push({
      name,
      read() {
        if (flags & 1) throw new ExchangeError(`${name}: the archive is locked with a password`)
        if (size > budget.left) throw new ExchangeError(`${name}: unpacks to more than is allowed`)
        if (local + 30 > bytes.length || view.getUint32(local, true) !== 0x04034b50)
          throw new ExchangeError('a broken archive')
        const from = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true)
        const data = bytes.subarray(from, from + packed)
        if (data.length < packed) throw new ExchangeError(`${name}: the archive is cut off`)
        const inflated = method === 0 ? data : method === 8 ? inflateEntry(data, name, budget.left) : undefined
        if (!inflated) throw new ExchangeError(`${name}: packed by a method (${method}) that is not known here`)
        budget.left -= inflated.length
        if (budget.left < 0) throw new ExchangeError(`${name}: unpacks to more than is allowed`)
        if (crc32(inflated) !== sum) throw new ExchangeError(`${name}: broken data in the archive`)
        return inflated
      },
    })
  }
  return entries
}

function findEnd(view: DataView): number {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 65_535); at--) {
    if (view.getUint32(at, true) === 0x06054b50) return at
  }
  throw new ExchangeError('an archive without its directory: it is cut off')
}

function inflateEntry(data: Uint8Array, name: string, limit: number): Uint8Array {
  try {
    return inflate((take) => new Inflate(take), data, limit)
  } catch (error) {
    if (error instanceof TooLarge) throw new ExchangeError(`${name}: unpacks to more than is allowed`)
    throw new ExchangeError(`${name}: broken data in the archive`)
  }
}

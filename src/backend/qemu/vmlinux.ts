/**
 * The kernel out of its self-extracting file: unpacking it here takes a second, unpacking it under emulation many.
 * QEMU enters the ELF file by its PVH note. @see Linux 6.1 Documentation/x86/boot.rst, `payload_offset`
 */
import { execFileSync } from 'node:child_process'
import { gunzipSync } from 'node:zlib'

const AT = { setupSectors: 0x1f1, magic: 0x202, payloadOffset: 0x248, payloadLength: 0x24c }

/** The ELF file within a bzImage. */
export function extractKernel(bzImage: Buffer): Buffer {
  if (bzImage.toString('latin1', AT.magic, AT.magic + 4) !== 'HdrS') throw new Error('not a Linux kernel')
  const start = ((bzImage[AT.setupSectors] || 4) + 1) * 512 + bzImage.readUInt32LE(AT.payloadOffset)
  // The payload's last four bytes are its unpacked length.
  const payload = bzImage.subarray(start, start + bzImage.readUInt32LE(AT.payloadLength) - 4)
  const kernel = unpack(payload)
  if (kernel.toString('latin1', 0, 4) !== '\x7fELF') throw new Error('the kernel file holds no ELF file')
  return kernel
}

const UNPACKERS: [magic: string, command: string, args: string[]][] = [
  ['fd377a585a00', 'xz', ['-dc', '--single-stream']],
  ['28b52ffd', 'zstd', ['-dc']],
  ['02214c18', 'lz4', ['-dc']],
]

function unpack(payload: Buffer): Buffer {
  const head = payload.toString('hex', 0, 6)
  if (head.startsWith('1f8b')) return gunzipSync(payload)
  const found = UNPACKERS.find(([magic]) => head.startsWith(magic))
  if (found === undefined) throw new Error(`the kernel is packed in a way we don't know: ${head}`)
  return execFileSync(found[1], found[2], { input: payload, maxBuffer: 2 ** 28 })
}

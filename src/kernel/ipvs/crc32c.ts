/** SCTP's checksum: the CRC of Castagnoli, reflected. RFC 9260 appendix A. */
const POLYNOMIAL = 0x82f63b78

const TABLE = new Uint32Array(256).map((_, i) => {
  let crc = i
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
  return crc >>> 0
})

/** Of bytes from a place on; the word at `zeroAt`, if there is one, counts as 0. */
export function crc32c(bytes: Uint8Array, from: number, to: number, zeroAt = -1): number {
  let crc = 0xffffffff
  for (let i = from; i < to; i++) {
    const byte = zeroAt >= 0 && i >= zeroAt && i < zeroAt + 4 ? 0 : bytes[i]!
    crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8)
  }
  return ~crc >>> 0
}

/** The three signatures of heartbeat's messages: a CRC, and HMAC (RFC 2104) by MD5 (RFC 1321) and SHA-1 (RFC 3174). */
import { hmac } from '@noble/hashes/hmac.js'
import type { md5, sha1 } from '@noble/hashes/legacy.js'
import { encodeLatin1, formatHex } from '#base/bytes'

/** POSIX's polynomial, most significant bit first. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let word = byte << 24
  for (let bit = 0; bit < 8; bit++) word = (word << 1) ^ (word < 0 ? 0x04c11db7 : 0)
  return word >>> 0
})

/** Like cksum(1), but the length isn't counted in; without leading zeros. heartbeat 3.0.6 lib/plugins/HBauth/crc.c */
export function crcHex(bytes: Uint8Array): string {
  let crc = 0
  for (const byte of bytes) crc = (crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ byte) & 0xff]!
  return (~crc >>> 0).toString(16)
}

/** A keyed hash in hexadecimal. */
export function hmacHex(hash: typeof md5 | typeof sha1, key: string, bytes: Uint8Array): string {
  return formatHex(hmac(hash, encodeLatin1(key), bytes))
}

/**
 * Bytes: the Internet checksum, hexadecimal, UTF-8.
 *
 *     internetChecksum(parseHex('45000014000000004001000000000000 0000 0000')!) // of an IPv4 header
 *     decodeUtf8(encodeUtf8('解読')) === '解読'
 */
export { foldSum, internetChecksum, sumView, sumWords, viewOf } from './checksum.ts'
export { formatHex, hexByte, hexWord, parseHex } from './hex.ts'
export { decodeLatin1, decodeUtf8, encodeLatin1, encodeUtf8 } from './text.ts'

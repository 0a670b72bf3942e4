/**
 * The hashes by which addresses find their servers. None has a secret: the same address meets the same place on every
 * director.
 *
 * Linux 6.1 include/linux/hash.h: hash_32(); lib/siphash.c: hsiphash_1u32() on a 64-bit machine, which is SipHash-1-3 cut
 * to 32 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012).
 */
import type { IpHeader } from '../header.ts'
import { AF_INET6, type Family, type InetAddr } from '../uapi.ts'

/** 2^32 times (1 - the golden ratio's fraction). GOLDEN_RATIO_32. */
const GOLDEN_RATIO = 0x61c88647

/** The upper bits of a product. */
export function hash32(value: number, bits: number): number {
  return Math.imul(value, GOLDEN_RATIO) >>> (32 - bits)
}

/**
 * An address in one word: IPv6's four words are laid over each other.
 *
 * @param af The service's family. A server of the other one (a tunnel's far end) is read as the union of both would be.
 */
export function foldAddress(af: Family, addr: InetAddr): number {
  if (typeof addr === 'number') return addr
  return af === AF_INET6 ? addr.w0 ^ addr.w1 ^ addr.w2 ^ addr.w3 : addr.w0
}

/** The client's address, also where an ICMP error quotes a packet to it. */
export function clientAddress(iph: IpHeader): InetAddr {
  return iph.inverse ? iph.daddr : iph.saddr
}

/** The client's port; 0 where there is none. ip_vs_sh_get_port(). */
export function clientPort(iph: IpHeader): number {
  if (!iph.hasPorts) return 0
  return iph.inverse ? iph.dport : iph.sport
}

/** "somepseudorandomlygeneratedbytes": where SipHash begins, as (upper, lower) words of v0 to v3. */
const SIPHASH_START = [
  0x736f6d65, 0x70736575, 0x646f7261, 0x6e646f6d, 0x6c796765, 0x6e657261, 0x74656462, 0x79746573,
] as const

/** v0 to v3, each as upper and lower word. */
const v = new Int32Array(8)

function add(a: number, b: number): void {
  const low = (v[a + 1]! >>> 0) + (v[b + 1]! >>> 0)
  v[a + 1] = low
  v[a] = v[a]! + v[b]! + (low > 0xffffffff ? 1 : 0)
}

/** Rotates v[b] to the left by less than 32, then mixes v[a] into it. */
function rotateXor(b: number, by: number, a: number): void {
  const high = v[b]!
  const low = v[b + 1]!
  v[b] = ((high << by) | (low >>> (32 - by))) ^ v[a]!
  v[b + 1] = ((low << by) | (high >>> (32 - by))) ^ v[a + 1]!
}

/** Rotates by 32. */
function swap(a: number): void {
  const high = v[a]!
  v[a] = v[a + 1]!
  v[a + 1] = high
}

function round(): void {
  add(0, 2)
  rotateXor(2, 13, 0)
  swap(0)
  add(4, 6)
  rotateXor(6, 16, 4)
  add(0, 6)
  rotateXor(6, 21, 0)
  add(4, 2)
  rotateXor(2, 17, 4)
  swap(4)
}

/** One word's keyed hash, unsigned; both halves of the 128-bit key are the same 32-bit number, as in Maglev's two. */
export function hsiphash(word: number, key: number): number {
  for (let i = 0; i < 8; i++) v[i] = SIPHASH_START[i]!
  for (let i = 1; i < 8; i += 2) v[i] = v[i]! ^ key
  // The last block: the length in the top byte, the word at the bottom.
  const top = 4 << 24
  v[6] = v[6]! ^ top
  v[7] = v[7]! ^ word
  round()
  v[0] = v[0]! ^ top
  v[1] = v[1]! ^ word
  v[5] = v[5]! ^ 0xff
  round()
  round()
  round()
  return (v[1]! ^ v[3]! ^ v[5]! ^ v[7]!) >>> 0
}

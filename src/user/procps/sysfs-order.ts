/**
 * The order in which a directory of sysfs lists its entries: by a hash of their names that has no secret. lsmod reads there who
 * uses a module.
 *
 * Linux 6.1 fs/kernfs/dir.c: kernfs_name_hash(); include/linux/stringhash.h: partial_name_hash(), include/linux/hash.h: hash_64().
 */
const WORD = (1n << 64n) - 1n
const GOLDEN_RATIO = 0x61c8864680b583ebn

function hashOf(name: string): number {
  let sum = 0n
  for (const byte of new TextEncoder().encode(name)) {
    const char = BigInt(byte)
    sum = ((sum + (char << 4n) + (char >> 4n)) * 11n) & WORD
  }
  const hash = Number((((sum * GOLDEN_RATIO) & WORD) >> 32n) & 0x7fffffffn)
  // The first two and the last number stand for `.`, `..` and the end.
  if (hash < 2) return hash + 2
  return hash === 0x7fffffff ? hash - 1 : hash
}

/** The names as sysfs lists them. */
export function bySysfs(names: readonly string[]): string[] {
  return names
    .map((name) => ({ name, hash: hashOf(name) }))
    .sort((a, b) => a.hash - b.hash || (a.name < b.name ? -1 : 1))
    .map(({ name }) => name)
}

/** The order in which a table of processes is gone through: that of GLib 2.74's hash table with process ids as keys. */

/** As g_hash_table_foreach() over the master and its processes, put in by their order; the master's own entry is left out. */
export function pidOrder<T extends { pid: number }>(master: number, processes: T[]): T[] {
  const entries: ({ pid: number } & Partial<T>)[] = [{ pid: master } as { pid: number } & Partial<T>, ...processes]
  const [size, modulus] = entries.length < 8 ? [8, 7] : entries.length < 16 ? [16, 13] : [64, 61]
  const places: (T | { pid: number } | undefined)[] = new Array(size).fill(undefined)
  for (const entry of entries) {
    let at = (entry.pid * 11) % modulus
    for (let step = 1; places[at % size] !== undefined; step++) at = (at + step) % size
    places[at] = entry as T
  }
  return places.filter((entry): entry is T => entry !== undefined && entry.pid !== master)
}

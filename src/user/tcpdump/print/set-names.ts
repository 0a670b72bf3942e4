/** The names of a word's bits, as tcpdump 4.99.3 util-print.c: bittok2str() joins them. */
export function setNames(names: readonly (readonly [number, string])[], word: number): string {
  return (
    names
      .filter(([bit]) => (word & bit) === bit)
      .map(([, name]) => name)
      .join(', ') || 'none'
  )
}

/**
 * A page's cursor: the place of an entry in the list's order (by time or by a count, then by number), and which side of it is
 * asked for. It names a place, not a count of rows, so that nothing is shown twice when entries are added meanwhile.
 */

export interface Cursor {
  side: 'older' | 'newer'
  /** What the list is ordered by: milliseconds, users, or a score. */
  at: number
  id: number
}

const FORM = /^(older|newer)-(-?\d{1,16}(?:\.\d{1,17})?)-(\d{1,15})$/u

/** As it stands in an address: `older-1767225600000-42`. */
export function formatCursor(cursor: Cursor): string {
  return `${cursor.side}-${cursor.at}-${cursor.id}`
}

/** Undefined for whatever isn't a cursor: addresses are typed by anybody. */
export function parseCursor(text: string | undefined): Cursor | undefined {
  const match = FORM.exec(text ?? '')
  if (!match) return undefined
  return { side: match[1] as Cursor['side'], at: Number(match[2]), id: Number(match[3]) }
}

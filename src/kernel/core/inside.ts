/**
 * Views into a running kernel, for who watches it: a page beside an article's terminals. Each room shows what it keeps
 * as a table; what it costs is paid only while somebody looks.
 *
 *     insideViews(image).set('neighbours', { columns: ['address', 'device'], look: (host) => [{ key, cells }] })
 */
import type { Host } from './host.ts'
import type { KernelImage } from './image.ts'

/** A line of a view. */
export interface InsideRow {
  /** What it is about: two looks' rows of one key are the same thing, changed or not. */
  key: string
  /** One for each of the view's columns. */
  cells: string[]
  /** A number for pictures: a share, a count. */
  weight?: number
  /** The row that it stands under: a server under its service. */
  under?: string
}

export interface InsideView {
  /** The columns' names, in the field's own words. */
  columns: readonly string[]
  /** What there is to see at this moment; undefined if the host has nothing of the kind. */
  look(host: Host): InsideRow[] | undefined
}

/** An image's views by name, in the order in which rooms add them. */
export function insideViews(image: KernelImage): Map<string, InsideView> {
  return image.slot<Map<string, InsideView>>('kernel/core inside views', () => new Map())
}

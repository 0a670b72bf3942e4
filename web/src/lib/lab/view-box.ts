/** Where one looks at a picture from: moved and zoomed by pointer, wheel, two fingers and keys. */
import type { Point } from '$lib/article.ts'

export interface View {
  /** The picture's point that stands at the left top, and how much larger than fitting it is drawn. */
  x: number
  y: number
  zoom: number
}

export const WHOLE: View = { x: 0, y: 0, zoom: 1 }
const LEAST = 0.5
const MOST = 12

/** Zooms so that a point of the picture stays where it is. */
export function zoomAt({ x, y, zoom }: View, by: number, at: Point): View {
  const to = Math.max(LEAST, Math.min(MOST, zoom * by))
  const keep = zoom / to
  return { x: at.x - (at.x - x) * keep, y: at.y - (at.y - y) * keep, zoom: to }
}

/** What a moved end does to a cable: the rest gives way. */
export function bend(points: readonly Point[], first: Point, last: Point): Point[] {
  const most = points.length - 1
  return points.map(({ x, y }, i) => {
    const part = most === 0 ? 0 : i / most
    return { x: x + first.x * (1 - part) + last.x * part, y: y + first.y * (1 - part) + last.y * part }
  })
}

/** Points as an SVG path. */
export const path = (points: readonly Point[]) => `M${points.map(({ x, y }) => `${x} ${y}`).join('L')}`

/** A point of a way; 0 is its beginning. */
export function along(points: readonly Point[] | undefined, part: number): Point | undefined {
  if (!points || points.length < 2) return undefined
  const eased = part < 0.5 ? 2 * part * part : 1 - (-2 * part + 2) ** 2 / 2
  let left = 0
  for (let i = 1; i < points.length; i++)
    left += Math.hypot(points[i]!.x - points[i - 1]!.x, points[i]!.y - points[i - 1]!.y)
  left *= eased
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1]!, points[i]!]
    const length = Math.hypot(b.x - a.x, b.y - a.y)
    if (left <= length || i === points.length - 1) {
      const t = length === 0 ? 0 : Math.min(1, left / length)
      return { x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t }
    }
    left -= length
  }
  return undefined
}

/**
 * Routes of packets that came in, remembered by what they were made from. Linux caches a route at its next hop; here it
 * is remembered for the flow, with the checks of the source done: as long as the generation is the same, the answer is.
 */
import type { Route } from './route.ts'

const SIZE_FIRST = 64
const SIZE_MAX = 16_384

export class RouteCache {
  #slots: (Route | undefined)[] = new Array(SIZE_FIRST).fill(undefined)
  #mask = SIZE_FIRST - 1
  #conflicts = 0

  /** The route for these, or undefined. */
  find(
    dst: number,
    src: number,
    iif: number,
    tos: number,
    mark: number,
    generation: number,
    nowNs: number,
  ): Route | undefined {
    const route = this.#slots[hash(dst, src, iif) & this.#mask]
    if (
      route !== undefined &&
      route.keyDst === dst &&
      route.keySrc === src &&
      route.iif === iif &&
      route.keyTos === tos &&
      route.keyMark === mark &&
      route.generation === generation &&
      nowNs < route.untilNs
    ) {
      return route
    }
    return undefined
  }

  /** Remembers a route whose key is filled in. */
  add(route: Route): void {
    const at = hash(route.keyDst, route.keySrc, route.iif) & this.#mask
    const former = this.#slots[at]
    if (former !== undefined && former.generation === route.generation && ++this.#conflicts > this.#mask) this.#grow()
    this.#slots[hash(route.keyDst, route.keySrc, route.iif) & this.#mask] = route
  }

  #grow(): void {
    this.#conflicts = 0
    if (this.#mask + 1 >= SIZE_MAX) return
    const former = this.#slots
    this.#mask = this.#mask * 4 + 3
    this.#slots = new Array(this.#mask + 1).fill(undefined)
    for (const route of former) {
      if (route) this.#slots[hash(route.keyDst, route.keySrc, route.iif) & this.#mask] = route
    }
  }
}

function hash(dst: number, src: number, iif: number): number {
  const h = Math.imul(dst, 0x9e3779b1) ^ Math.imul(src, 0x85ebca6b) ^ iif
  return h ^ (h >>> 15)
}

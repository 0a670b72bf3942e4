/**
 * The elements of sets and maps: by hash; by intervals, sorted; or by ranges of several parts.
 * Linux 6.1 net/netfilter/nft_set_hash.c, nft_set_rbtree.c, nft_set_pipapo.c.
 */
import type { Host } from '#kernel/core'
import type { Value } from './expressions.ts'
import type { ElementStore, SetElement } from './objects.ts'

/** A key as one value for a Map. */
function join(key: readonly Value[]): Value {
  return key.length === 1 ? key[0]! : key.join('\u0000')
}

abstract class Store {
  protected readonly host: Host

  constructor(host: Host) {
    this.host = host
  }

  protected live(element: SetElement | undefined): SetElement | undefined {
    if (element === undefined || element.expiresNs === undefined) return element
    return this.host.sim.nowNs >= element.expiresNs ? undefined : element
  }
}

export class HashStore extends Store implements ElementStore {
  readonly #elements = new Map<Value, SetElement>()

  get size(): number {
    return this.#elements.size
  }

  list(): SetElement[] {
    for (const [key, element] of this.#elements) if (!this.live(element)) this.#elements.delete(key)
    return [...this.#elements.values()]
  }

  find(key: readonly Value[]): SetElement | undefined {
    return this.live(this.#elements.get(join(key)))
  }

  findOne(key: Value): SetElement | undefined {
    return this.live(this.#elements.get(key))
  }

  exact(element: SetElement): SetElement | undefined {
    return this.find(element.key)
  }

  overlaps(): boolean {
    return false
  }

  insert(element: SetElement): void {
    this.#elements.set(join(element.key), element)
  }

  remove(element: SetElement): void {
    this.#elements.delete(join(element.key))
  }
}

/** Intervals of one part, sorted by where they begin; they never overlap. */
export class IntervalStore extends Store implements ElementStore {
  #sorted: SetElement[] = []

  get size(): number {
    return this.#sorted.length
  }

  list(): SetElement[] {
    this.#sorted = this.#sorted.filter((element) => this.live(element))
    return [...this.#sorted]
  }

  /** The place of the first that begins behind a value. */
  #after(value: Value): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sorted[middle]!.key[0]! <= value) low = middle + 1
      else high = middle
    }
    return low
  }

  find(key: readonly Value[]): SetElement | undefined {
    return this.findOne(key[0]!)
  }

  findOne(value: Value): SetElement | undefined {
    const element = this.#sorted[this.#after(value) - 1]
    if (element === undefined || value > (element.end ?? element.key)[0]!) return undefined
    return this.live(element)
  }

  exact(element: SetElement): SetElement | undefined {
    const found = this.findOne(element.key[0]!)
    if (!found || found.key[0] !== element.key[0]) return undefined
    return (found.end ?? found.key)[0] === (element.end ?? element.key)[0] ? found : undefined
  }

  overlaps(element: SetElement): boolean {
    const end = (element.end ?? element.key)[0]!
    const before = this.live(this.#sorted[this.#after(end) - 1])
    return before !== undefined && (before.end ?? before.key)[0]! >= element.key[0]!
  }

  insert(element: SetElement): void {
    this.list()
    this.#sorted.splice(this.#after(element.key[0]!), 0, element)
  }

  remove(element: SetElement): void {
    const at = this.#sorted.indexOf(element)
    if (at >= 0) this.#sorted.splice(at, 1)
  }
}

/** Ranges of several parts, in the order of adding: the first that fits is taken. */
export class RangesStore extends Store implements ElementStore {
  #elements: SetElement[] = []

  get size(): number {
    return this.#elements.length
  }

  list(): SetElement[] {
    this.#elements = this.#elements.filter((element) => this.live(element))
    return [...this.#elements]
  }

  find(key: readonly Value[]): SetElement | undefined {
    return this.#elements.find(
      (element) =>
        this.live(element) &&
        key.every((value, i) => value >= element.key[i]! && value <= (element.end ?? element.key)[i]!),
    )
  }

  findOne(key: Value): SetElement | undefined {
    return this.find([key])
  }

  exact(element: SetElement): SetElement | undefined {
    const end = element.end ?? element.key
    return this.list().find(
      (other) =>
        other.key.every((value, i) => value === element.key[i]) &&
        (other.end ?? other.key).every((value, i) => value === end[i]),
    )
  }

  overlaps(element: SetElement): boolean {
    const end = element.end ?? element.key
    return this.list().some((other) =>
      other.key.every((from, i) => from <= end[i]! && (other.end ?? other.key)[i]! >= element.key[i]!),
    )
  }

  insert(element: SetElement): void {
    this.#elements.push(element)
  }

  remove(element: SetElement): void {
    const at = this.#elements.indexOf(element)
    if (at >= 0) this.#elements.splice(at, 1)
  }
}

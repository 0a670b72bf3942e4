/**
 * A discipline's classes by number, listed in the order of the kernel's hash table, which `tc class show` shows.
 * Linux 6.1 net/sched/sch_api.c: qdisc_class_hash_insert(), qdisc_class_hash_grow(); include/net/sch_generic.h: qdisc_class_hash().
 */
export class ClassHash<T extends { readonly classid: number }> {
  readonly #byId = new Map<number, T>()
  #buckets: T[][] = [[], [], [], []]

  get(classid: number): T | undefined {
    return this.#byId.get(classid)
  }

  has(classid: number): boolean {
    return this.#byId.has(classid)
  }

  /** At the front of its bucket. The table grows when it is three quarters full. */
  add(cl: T): void {
    this.#byId.set(cl.classid, cl)
    this.#bucketOf(cl).unshift(cl)
    if (this.#byId.size * 4 <= this.#buckets.length * 3) return
    const old = this.#buckets
    this.#buckets = Array.from({ length: old.length * 2 }, () => [])
    for (const bucket of old) for (const each of bucket) this.#bucketOf(each).unshift(each)
  }

  delete(cl: T): void {
    this.#byId.delete(cl.classid)
    const bucket = this.#bucketOf(cl)
    bucket.splice(bucket.indexOf(cl), 1)
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#buckets.flat()[Symbol.iterator]()
  }

  #bucketOf({ classid }: T): T[] {
    const folded = classid ^ (classid >>> 8)
    return this.#buckets[(folded ^ (folded >>> 4)) & (this.#buckets.length - 1)]!
  }
}

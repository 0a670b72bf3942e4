/**
 * The order of services and servers: as the tool's comparison of 32-bit differences has it, in which 224.0.0.1 comes
 * before 10.0.0.1; and as glibc's qsort(3), a merge sort, comes to it.
 */
import { type Address, AF_INET6 } from './request.ts'

interface Sortable {
  af: number
  addr: Address
  port: number
}

/** stdlib/msort.c: halves are sorted, and of equal ones the first half's comes first. */
export function mergeSort<T>(items: readonly T[], compare: (one: T, other: T) => number): T[] {
  if (items.length <= 1) return [...items]
  const middle = Math.floor(items.length / 2)
  const left = mergeSort(items.slice(0, middle), compare)
  const right = mergeSort(items.slice(middle), compare)
  const sorted: T[] = []
  let l = 0
  let r = 0
  while (l < left.length && r < right.length) {
    sorted.push(compare(left[l]!, right[r]!) <= 0 ? left[l++]! : right[r++]!)
  }
  return [...sorted, ...left.slice(l), ...right.slice(r)]
}

function wordsOf(addr: Address): number[] {
  return typeof addr === 'number' ? [addr, 0, 0, 0] : [addr.w0, addr.w1, addr.w2, addr.w3]
}

/** By the first one's family: four words, or one. */
export function compareAddresses(one: Sortable, other: Sortable): number {
  const [a, b] = [wordsOf(one.addr), wordsOf(other.addr)]
  for (let i = 0; i < (one.af === AF_INET6 ? 4 : 1); i++) {
    const difference = (a[i]! - b[i]!) | 0
    if (difference !== 0) return difference
  }
  return one.port - other.port
}

/** Services by mark come before those by address only if all have marks: an address has mark 0. */
export function compareServices(
  one: Sortable & { fwmark: number; protocol: number },
  other: Sortable & { fwmark: number; protocol: number },
): number {
  return (
    (one.fwmark - other.fwmark) | 0 ||
    one.af - other.af ||
    one.protocol - other.protocol ||
    compareAddresses(one, other)
  )
}

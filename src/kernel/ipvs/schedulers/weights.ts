/** What some schedulers need to know of all weights together. */
import type { Dest } from '../dest.ts'

/** 0: nobody has a weight. */
export function greatestCommonDivisor(dests: readonly Dest[], weightOf: (dest: Dest) => number): number {
  let common = 0
  for (const dest of dests) {
    let rest = weightOf(dest)
    if (rest <= 0) continue
    while (rest !== 0) {
      const remainder = common % rest
      common = rest
      rest = remainder
    }
  }
  return common
}

export function highestWeight(dests: readonly Dest[], weightOf: (dest: Dest) => number): number {
  let highest = 0
  for (const dest of dests) highest = Math.max(highest, weightOf(dest))
  return highest
}

/** Enhanced Allocation: fixed regions that need no base address registers. ECN of 2014. */
import { field, flags, hex, type Look } from './space.ts'

const PROPERTIES: Record<number, string> = {
  0: 'memory space, non-prefetchable',
  1: 'memory space, prefetchable',
  2: 'I/O space',
  3: 'VF memory space, prefetchable',
  4: 'VF memory space, non-prefetchable',
  5: 'allocation behind bridge, non-prefetchable memory',
  6: 'allocation behind bridge, prefetchable memory',
  7: 'allocation behind bridge, I/O space',
  253: 'memory space resource unavailable for use',
  254: 'I/O space resource unavailable for use',
  255: 'entry unavailable for use',
}

function equivalent(indicator: number): string {
  if (indicator < 6) return `BAR ${indicator}`
  if (indicator > 8) return indicator < 15 ? `VF-BAR ${indicator - 9}` : 'reserved'
  return ['resource behind function', 'not indicated', 'expansion ROM'][indicator - 6]!
}

export function showEnhancedAllocation({ space, verbose, print }: Look, at: number, word: number): undefined {
  const count = word & 63
  print(`Enhanced Allocation (EA): NumEntries=${count}`)
  let entry = at + 4
  if (space.headerType === 1) {
    if (!space.load(at + 4, 2)) {
      print('\n')
      return
    }
    print(`, secondary=${space.u8(at + 4)}, subordinate=${space.u8(at + 5)}`)
    entry += 4
  }
  print('\n')
  if (verbose < 2) return
  for (let i = 0; i < count; i++) {
    if (!space.load(entry, 4)) return
    const header = space.u32(entry)
    const size = header & 7
    if (!space.load(entry + 4, size * 4)) return
    print(`\t\tEntry ${i}: ${flags(header, 'Enable 31 Writable 30')} EntrySize=${size}\n`)
    print(`\t\t\t BAR Equivalent Indicator: ${equivalent(field(header, 4, 4))}\n`)
    for (const [name, value] of [
      ['Primary', field(header, 8, 8)],
      ['Secondary', field(header, 16, 8)],
    ] as const) {
      const instead = value === 0xff && name === 'Secondary' ? ', PrimaryProperties should be used' : ''
      const text = PROPERTIES[value]
      print(`\t\t\t ${name}Properties: ${text === undefined ? `[${hex(value, 2)}]` : text + instead}\n`)
    }
    // Bit 1 of either says that a word with its upper half follows.
    const base = space.u32(entry + 4)
    const offset = space.u32(entry + 8)
    const wide = (base & 2) !== 0
    print(`\t\t\t Base: ${wide ? hex(space.u32(entry + 12)) : ''}${hex(base - (base & 3), 8)}\n`)
    const high = offset & 2 ? hex(space.u32(entry + (wide ? 16 : 12))) : ''
    print(`\t\t\t MaxOffset: ${high}${hex((offset | 3) >>> 0, 8)}\n`)
    entry += 4 + 4 * size
  }
}

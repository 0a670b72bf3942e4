import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { SEQUENCE_MAX, Simulator } from './simulator.ts'

/** What the queue must do, as slowly as can be: a list, searched for the least (time, order). */
class Naive {
  nowNs = 0
  order = 0
  armed = new Map<number, { due: number; order: number }>()

  next(): number | undefined {
    let best: number | undefined
    for (const [id, { due, order }] of this.armed) {
      const than = best === undefined ? undefined : this.armed.get(best)!
      if (!than || due < than.due || (due === than.due && order < than.order)) best = id
    }
    return best
  }
}

for (const [where, first, unitNs] of [
  ['', 0, 1],
  [' where the sequence numbers run out', SEQUENCE_MAX - 60, 1],
  [' beyond what the heap spans', 0, 2 ** 28],
  [' far beyond what the heap spans', 0, 2 ** 40],
] as const) {
  test(`the queue does what a sorted list does${where}`, () => {
    forSeeds(400, (random) => {
      const sim = new Simulator(1, first)
      const naive = new Naive()
      const got: string[] = []
      const want: string[] = []
      const slots: number[] = []
      // Each time it fires, a source does what the seed says, on both.
      const act = (depth: number) => {
        for (let n = random.below(4); n > 0; n--) {
          const id = random.below(slots.length)
          const slot = slots[id]!
          const due = sim.nowNs + random.below(6) * random.below(4) * unitNs
          switch (random.below(8)) {
            case 0:
              sim.disarm(slot)
              naive.armed.delete(id)
              break
            case 1:
              if (depth > 0) break
              sim.release(slot)
              naive.armed.delete(id)
              slots[id] = source(id)
              break
            default:
              sim.arm(slot, due)
              naive.armed.set(id, { due, order: naive.order++ })
          }
          expect(sim.due(slots[id]!)).toBe(naive.armed.get(id)?.due ?? Number.POSITIVE_INFINITY)
        }
      }
      const source = (id: number): number =>
        sim.slot(`s${id}`, {
          fire() {
            got.push(`${id}@${sim.nowNs}`)
            const expected = naive.next()!
            naive.nowNs = naive.armed.get(expected)!.due
            naive.armed.delete(expected)
            want.push(`${expected}@${naive.nowNs}`)
            if (got.length < 300) act(1)
          },
        })
      for (let id = 0; id < 1 + random.below(12); id++) slots.push(source(id))
      for (let round = 0; round < 20; round++) {
        act(0)
        if (random.below(3) === 0) {
          const next = naive.next()
          expect(sim.nextNs()).toBe(next === undefined ? Number.POSITIVE_INFINITY : naive.armed.get(next)!.due)
          expect(sim.nextName()).toBe(next === undefined ? undefined : `s${next}`)
        }
        sim.run(sim.nowNs + random.below(10) * unitNs)
      }
      sim.run()
      expect(got).toEqual(want)
      expect(naive.armed.size).toBe(0)
    })
  })
}

test('many stale entries are swept, and nothing is lost', () => {
  const sim = new Simulator(1)
  let fired = 0
  const slots = Array.from({ length: 2000 }, (_, i) => sim.slot(`s${i}`, { fire: () => void fired++ }))
  for (let round = 10; round > 0; round--) for (const slot of slots) sim.arm(slot, round * 1000) // Ever earlier.
  sim.run()
  expect([fired, sim.nowNs, sim.events]).toEqual([2000, 1000, 2000])
})

test('more than the heap holds: still by time, then by order of arming', () => {
  forSeeds(6, (random) => {
    const sim = new Simulator(1)
    const order = new Map<number, number>()
    const slots: number[] = []
    let armed = 0
    let fired = 0
    let [lastTime, lastOrder] = [-1, -1]
    const delay = () => random.below(2 ** random.below(32)) // Packets and timers, mixed.
    const arm = (id: number, dueNs: number) => {
      order.set(id, armed++)
      sim.arm(slots[id]!, dueNs)
    }
    for (let id = 0; id < 12_000; id++) {
      slots.push(
        sim.slot('s', {
          fire() {
            expect(sim.nowNs > lastTime || (sim.nowNs === lastTime && order.get(id)! > lastOrder)).toBe(true)
            lastTime = sim.nowNs
            lastOrder = order.get(id)!
            order.delete(id)
            if (++fired > 30_000) return
            arm(id, sim.nowNs + delay())
            const other = random.below(slots.length)
            if (random.below(4) === 0) arm(other, sim.nowNs + delay()) // Earlier or later than it was.
          },
        }),
      )
      arm(id, sim.nowNs + delay())
      if (id % 3000 === 2999) sim.run(sim.nowNs + 1000)
    }
    sim.run()
    expect([order.size, sim.nextNs()]).toEqual([0, Number.POSITIVE_INFINITY])
  })
})

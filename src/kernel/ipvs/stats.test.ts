/** Rounds that nobody ran give what rounds by a timer would. */
import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { type EstimatorClock, Stats } from './stats.ts'

/** The estimator as the kernel has it, one counter of packets and one of bytes. */
class Plain {
  count = 0
  read = 0
  last = 0
  rate = 0
  readonly scale: number

  constructor(scale: number) {
    this.scale = scale
  }

  tick(): void {
    this.read = this.count
    this.rate += Math.floor(((this.count - this.last) * this.scale - this.rate) / 4)
    this.last = this.count
  }
}

test('counted at once, shown a round later, and rates fade', () => {
  forSeeds(200, (random) => {
    let round = 0
    const clock: EstimatorClock = { round: () => round, running: true }
    const stats = new Stats(clock)
    const packets = new Plain(512)
    const bytes = new Plain(16)
    for (let step = 0; step < 60; step++) {
      if (random.below(2) === 0) {
        const size = random.below(1500)
        stats.countIn(size)
        packets.count++
        bytes.count += size
      } else {
        for (let rounds = random.below(random.below(10) === 0 ? 200 : 3); rounds > 0; rounds--) {
          round++
          packets.tick()
          bytes.tick()
        }
      }
      if (random.below(4) !== 0) continue
      const { inPkts, inBytes, inPps, inBps, outPkts } = stats.show()
      expect([inPkts, inBytes, outPkts]).toEqual([packets.read, bytes.read, 0])
      expect([inPps, inBps]).toEqual([(packets.rate + 0x1ff) >> 10, (bytes.rate + 0xf) >> 5])
    }
  })
})

test('zeroed: it counts from there', () => {
  let round = 0
  const stats = new Stats({ round: () => round, running: true })
  stats.countOut(100)
  round++
  expect(stats.show().outBytes).toBe(100)
  stats.zero()
  expect(stats.show().outBytes).toBe(0)
  stats.countOut(50)
  round++
  expect(stats.show()).toMatchObject({ outPkts: 1, outBytes: 50 })
})

import { describe, expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { I8259, PicPair } from './index.ts'

/** As Linux 6.1 arch/x86/kernel/i8259.c: init_8259A() does, with vectors from 30h and 38h. */
function started(icw4 = 0x01): PicPair {
  const pair = new PicPair()
  for (const [port, value] of [
    [0x20, 0x11],
    [0x21, 0x30],
    [0x21, 0x04],
    [0x21, icw4],
    [0xa0, 0x11],
    [0xa1, 0x38],
    [0xa1, 0x02],
    [0xa1, 0x01],
  ] as const)
    pair.write(port, value)
  return pair
}

function chip(icw1 = 0x13, icw4 = 0x01): I8259 {
  const one = new I8259(true)
  one.write(0, icw1) // Single: no ICW3.
  one.write(1, 0x40)
  one.write(1, icw4)
  return one
}

describe('initialization', () => {
  test('the vector is ICW2’s upper five bits and the input', () => {
    const one = chip()
    one.setLine(5, true)
    expect(one.output).toBe(true)
    expect(one.acknowledge()).toEqual({ input: 5, spurious: false })
    expect(one.base).toBe(0x40)
  })

  test('ICW1 forgets masks, service and edges, but not what levels say', () => {
    const one = chip()
    one.write(1, 0xff)
    one.setLine(3, true)
    one.write(0, 0x13)
    expect([one.imr, one.isr, one.irr]).toEqual([0, 0, 0])
    one.write(0, 0x1b) // LTIM
    expect(one.irr).toBe(1 << 3)
  })

  test('without ICW4 there are three words, or two', () => {
    const one = new I8259(true)
    one.write(0, 0x10)
    one.write(1, 0x48)
    one.write(1, 0x04)
    one.write(1, 0xa5) // A mask already.
    expect([one.base, one.cascade, one.imr]).toEqual([0x48, 4, 0xa5])
  })
})

describe('priorities', () => {
  test('input 0 is the most urgent, and what is in service keeps back what isn’t more urgent', () => {
    const one = chip()
    one.setLine(4, true)
    one.acknowledge()
    one.setLine(6, true)
    expect(one.output).toBe(false)
    one.setLine(1, true)
    expect(one.acknowledge().input).toBe(1)
    one.write(0, 0x20)
    expect(one.isr).toBe(1 << 4) // The most urgent was ended.
    one.write(0, 0x20)
    expect(one.acknowledge().input).toBe(6)
  })

  test('a specific end names its input', () => {
    const one = chip()
    for (const input of [4, 1]) {
      one.setLine(input, true)
      one.acknowledge()
    }
    one.write(0, 0x60 | 4)
    expect(one.isr).toBe(1 << 1)
  })

  test.each([
    ['set', 0xc0 | 2, [3, 4, 5, 6, 7, 0, 1, 2]],
    ['rotated on a specific end', 0xe0 | 5, [6, 7, 0, 1, 2, 3, 4, 5]],
  ])('the lowest priority %s', (_, command, order) => {
    const one = chip()
    one.write(0, command)
    for (let input = 0; input < 8; input++) one.setLine(input, true)
    const served = Array.from({ length: 8 }, () => {
      const { input } = one.acknowledge()
      one.write(0, 0x60 | input)
      return input
    })
    expect(served).toEqual(order)
  })

  test('rotation in the end of an interrupt: equal shares', () => {
    const one = chip(0x1b) // Levels: the lines stay.
    one.setLine(2, true)
    one.setLine(5, true)
    const served = Array.from({ length: 4 }, () => {
      const { input } = one.acknowledge()
      one.write(0, 0xa0)
      return input
    })
    expect(served).toEqual([2, 5, 2, 5])
  })

  test('rotation in the automatic end', () => {
    const one = chip(0x1b, 0x03)
    one.write(0, 0x80)
    one.setLine(2, true)
    one.setLine(5, true)
    expect(Array.from({ length: 3 }, () => one.acknowledge().input)).toEqual([2, 5, 2])
    expect(one.isr).toBe(0)
    one.write(0, 0x00)
    expect([one.acknowledge().input, one.acknowledge().input]).toEqual([5, 5])
  })

  test('the special mask mode lets all through but what is masked', () => {
    const one = chip()
    one.setLine(1, true)
    one.acknowledge()
    one.setLine(6, true)
    one.write(1, 1 << 1)
    expect(one.output).toBe(false)
    one.write(0, 0x68)
    expect(one.output).toBe(true)
    one.acknowledge()
    one.write(0, 0x20)
    expect(one.isr).toBe(1 << 1) // What is masked isn't ended by chance.
    one.write(0, 0x48)
    expect(one.output).toBe(false)
  })
})

describe('lines', () => {
  test('an edge is one request, a level one for as long as it lasts', () => {
    const one = chip()
    one.setLine(3, true)
    one.acknowledge()
    one.write(0, 0x20)
    expect(one.output).toBe(false)
    one.setLine(3, false)
    one.elcr = 1 << 3
    one.setLine(3, true)
    one.acknowledge()
    one.write(0, 0x20)
    expect(one.output).toBe(true)
    one.setLine(3, false)
    expect(one.output).toBe(false)
  })

  test('who withdraws too soon gets input 7’s vector, with nothing in service', () => {
    const one = chip()
    one.setLine(3, true)
    one.setLine(3, false)
    expect(one.acknowledge()).toEqual({ input: 7, spurious: true })
    expect(one.isr).toBe(0)
  })

  test('OCW3 chooses what is read, and polls', () => {
    const one = chip()
    one.setLine(3, true)
    expect(one.read(0)).toBe(1 << 3)
    one.write(0, 0x0b)
    expect(one.read(0)).toBe(0)
    one.write(0, 0x0c)
    expect(one.read(0)).toBe(0x83)
    expect(one.read(0)).toBe(1 << 3) // In service now.
    one.write(0, 0x0a)
    expect(one.read(0)).toBe(0)
    one.write(0, 0x0c)
    expect(one.read(0) & 0x80).toBe(0)
  })
})

describe('the pair', () => {
  test.each([
    [0, 0x30],
    [1, 0x31],
    [7, 0x37],
    [8, 0x38],
    [12, 0x3c],
    [15, 0x3f],
  ])('IRQ %d has vector %d', (irq, vector) => {
    const pair = started()
    pair.setIrq(irq, true)
    expect(pair.output).toBe(true)
    expect(pair.acknowledge()).toBe(vector)
    expect(pair.output).toBe(false)
  })

  test('the slave’s stand between IRQ 1 and IRQ 3, and two ends are needed', () => {
    const pair = started()
    for (const irq of [3, 8, 1]) pair.setIrq(irq, true)
    expect(pair.acknowledge()).toBe(0x31)
    pair.write(0x20, 0x20)
    expect(pair.acknowledge()).toBe(0x38)
    pair.write(0xa0, 0x20)
    expect(pair.output).toBe(false)
    pair.write(0x20, 0x62)
    expect(pair.acknowledge()).toBe(0x33)
  })

  test('within the slave the more urgent waits for the master, unless that is specially fully nested', () => {
    for (const [icw4, goes] of [
      [0x01, false],
      [0x11, true],
    ] as const) {
      const pair = started(icw4)
      pair.setIrq(12, true)
      pair.acknowledge()
      pair.setIrq(8, true)
      expect(pair.output).toBe(goes)
    }
  })

  test('a spurious IRQ 15 is in service at the master', () => {
    const pair = started()
    pair.setIrq(10, true)
    // The line drops between the processor's two acknowledge cycles: the slave has nothing to say any more.
    pair.slave.setLine(2, false)
    expect(pair.acknowledge()).toBe(0x3f)
    expect([pair.master.isr, pair.slave.isr]).toEqual([1 << 2, 0])
  })

  test('edge and level registers keep the timer, the keyboard, the clock and the coprocessor at edges', () => {
    const pair = started()
    pair.write(0x4d0, 0xff)
    pair.write(0x4d1, 0xff)
    expect([pair.read(0x4d0), pair.read(0x4d1)]).toEqual([0xf8, 0xde])
  })

  test('any accesses: nothing is served that is masked, and the output says what an acknowledgement gives', () => {
    forSeeds(300, (random) => {
      const pair = started()
      for (let i = 0; i < 200; i++) {
        const what = random.below(4)
        if (what === 0) pair.setIrq(random.below(16), random.below(2) === 0)
        else if (what === 1) pair.write([0x21, 0xa1][random.below(2)]!, random.below(256))
        else if (what === 2) pair.write([0x20, 0xa0][random.below(2)]!, random.below(256) & ~0x10)
        else if (pair.output) {
          const masked = pair.master.imr
          const vector = pair.acknowledge()
          const irq = vector - 0x30
          expect(irq).toBeGreaterThanOrEqual(0)
          expect(irq).toBeLessThan(16)
          if (irq < 8) expect(masked & (1 << irq)).toBe(0)
          else expect(masked & 4).toBe(0)
        } else pair.read([0x20, 0x21, 0xa0, 0xa1][random.below(4)]!)
      }
    })
  })
})

/** Register by register, from the data sheets' tables; `qemu.test.ts` has what QEMU's models agree to. */
import { describe, expect, test } from 'vitest'
import {
  AcpiPmTimer,
  ApicTimer,
  CURRENT_COUNT,
  DIVIDE_CONFIGURATION,
  HPET_CONFIG,
  HPET_COUNTER,
  HPET_STATUS,
  Hpet,
  I8254,
  INITIAL_COUNT,
  LVT_TIMER,
  Mc146818,
  nsOfTicks,
  PIT_HZ,
  PM_TIMER_HZ,
  PVCLOCK_BYTES,
  PvclockWriter,
  pvclockScale,
  readPvclock,
  Tsc,
  ticksOf,
  tryReadPvclock,
} from './index.ts'

/** A clock in hand. */
const clock = () => ({ nowNs: 0 })

describe('i8254', () => {
  const program = (mode: number, count: number, channel = 0, bcd = 0) => {
    const time = clock()
    const pit = new I8254(time)
    pit.write(3, (channel << 6) | 0x30 | (mode << 1) | bcd)
    pit.write(channel, count & 0xff)
    pit.write(channel, count >> 8)
    const valueAfter = (pulses: number) => {
      time.nowNs = nsOfTicks(pulses, PIT_HZ)
      return pit.counters[channel as 0].value()
    }
    return { time, pit, valueAfter, counter: pit.counters[channel as 0] }
  }

  // Data sheet, figures 15 to 20: the count and the output after so many pulses.
  test.each([
    [0, 4, [4, 3, 2, 1, 0, 0xffff], [0, 0, 0, 0, 1, 1]],
    [2, 3, [3, 2, 1, 3, 2, 1], [1, 1, 0, 1, 1, 0]],
    [3, 4, [4, 2, 4, 2, 4, 2], [1, 1, 0, 0, 1, 1]],
    [3, 5, [4, 2, 0, 4, 2, 4], [1, 1, 1, 0, 0, 1]],
    [4, 3, [3, 2, 1, 0, 0xffff, 0xfffe], [1, 1, 1, 0, 1, 1]],
  ])('mode %i, count %i', (mode, count, values, outs) => {
    const { valueAfter, counter } = program(mode, count)
    values.forEach((value, pulses) => {
      expect([valueAfter(pulses), counter.out() ? 1 : 0], `after ${pulses}`).toEqual([value, outs[pulses]])
    })
  })

  test('BCD counts in decimal, and 0 is 10000', () => {
    expect(program(2, 0x1000, 0, 1).valueAfter(1)).toBe(0x999)
    expect(program(0, 0, 0, 1).valueAfter(1)).toBe(0x9999)
  })

  test('modes 1 and 5 wait for the gate, and a new count for the next trigger', () => {
    for (const [mode, before, during, at] of [
      [1, true, false, true],
      [5, true, true, false],
    ] as const) {
      const { time, pit, valueAfter, counter } = program(mode, 3, 2)
      expect(counter.out()).toBe(before)
      pit.writePort61(1)
      expect([valueAfter(1), counter.out()]).toEqual([2, during])
      valueAfter(3)
      expect(counter.out(), 'at its end').toBe(at)
      pit.writePort61(0)
      pit.writePort61(1)
      expect(counter.value()).toBe(3)
      time.nowNs += 1
    }
  })

  test('gate low stops modes 0 and 4, and restarts 2 and 3', () => {
    const { time, pit, valueAfter, counter } = program(0, 100, 2)
    pit.writePort61(1)
    const start = valueAfter(0)
    expect(start).toBe(100)
    time.nowNs += nsOfTicks(10, PIT_HZ)
    pit.writePort61(0)
    time.nowNs += 1_000_000
    expect(counter.value()).toBe(90)
    pit.writePort61(1)
    time.nowNs += nsOfTicks(5, PIT_HZ)
    expect(counter.value()).toBe(85)
  })

  test('mode 2 takes a new count when its period ends', () => {
    const { pit, valueAfter } = program(2, 10)
    valueAfter(3)
    pit.write(0, 4)
    pit.write(0, 0)
    expect(valueAfter(9)).toBe(1)
    expect(valueAfter(10)).toBe(4)
    expect(valueAfter(14)).toBe(4)
  })

  test('a latched status says mode, access, null count and output; status comes before the count', () => {
    const { pit } = program(3, 1000)
    pit.write(3, 0x34)
    pit.write(3, 0xc2) // Read-back of counter 0: both.
    expect(pit.read(0)).toBe(0x80 | 0x40 | 0x34)
    pit.write(0, 5)
    pit.write(0, 0)
    pit.write(3, 0xe2)
    expect(pit.read(0)).toBe(0x80 | 0x34)
  })

  test('one byte only', () => {
    const time = clock()
    const pit = new I8254(time)
    pit.write(3, 0x20) // High byte.
    pit.write(0, 2)
    expect(pit.read(0)).toBe(2)
    expect(pit.counters[0].period).toBe(0x200)
  })
})

describe('MC146818', () => {
  test.each([
    [0x02, [0x59, 0x34, 0x23]],
    [0x06, [59, 34, 23]],
    [0x00, [0x59, 0x34, 0x91]],
    [0x04, [59, 34, 0x80 | 11]],
  ])('formats: register B %i', (b, [second, minute, hour]) => {
    const rtc = new Mc146818(clock(), 86_399 - 25 * 60)
    rtc.write(11, b)
    expect([rtc.read(0), rtc.read(2), rtc.read(4)]).toEqual([second, minute, hour])
  })

  test('register A bits 3 to 0: the rates', () => {
    const hz = [0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2]
    hz.forEach((rate, code) => {
      const time = clock()
      const rtc = new Mc146818(time, 0)
      rtc.write(10, 0x20 | code)
      rtc.write(11, 0x42)
      time.nowNs = rate ? Math.ceil(1e9 / rate) - 2 : 1e9 - 10
      expect(rtc.read(12) & 0x40, `before, code ${code}`).toBe(0)
      time.nowNs += 4
      expect(rtc.read(12) & 0xc0, `valueAfter, code ${code}`).toBe(rate ? 0xc0 : 0)
    })
  })

  test('UIP for 244 us before an update, then UF; reading C clears', () => {
    const time = clock()
    const rtc = new Mc146818(time, 0)
    rtc.write(11, 0x12)
    time.nowNs = 999_755_000
    expect(rtc.read(10) & 0x80).toBe(0)
    time.nowNs = 999_756_000
    expect(rtc.read(10) & 0x80).toBe(0x80)
    time.nowNs = 1e9
    expect([rtc.read(10) & 0x80, rtc.irq, rtc.read(12), rtc.read(12)]).toEqual([0, true, 0x90, 0])
  })

  test('an alarm each hour at :00:05, by don’t-care bytes', () => {
    const time = clock()
    const rtc = new Mc146818(time, 0)
    for (const [at, value] of [
      [1, 0x05],
      [3, 0x00],
      [5, 0xff],
      [11, 0x22],
    ] as const)
      rtc.write(at, value)
    const flags: number[] = []
    for (const second of [4, 5, 6, 3604, 3605]) {
      time.nowNs = second * 1e9
      flags.push(rtc.read(12))
    }
    expect(flags).toEqual([0x10, 0xb0, 0x10, 0x10, 0xb0])
  })

  test('SET holds the calendar', () => {
    const time = clock()
    const rtc = new Mc146818(time, 0)
    rtc.write(11, 0x82)
    time.nowNs = 5e9
    expect(rtc.read(0)).toBe(0)
  })
})

test('ACPI PM timer: width, and a status for each change of the highest bit', () => {
  for (const bits of [24, 32] as const) {
    const time = clock()
    const timer = new AcpiPmTimer(time, bits)
    timer.writeEnable(1)
    const half = nsOfTicks(2 ** (bits - 1), PM_TIMER_HZ)
    expect(timer.nextSciNs()).toBe(half)
    time.nowNs = half - 1
    expect(timer.sci).toBe(false)
    time.nowNs = half
    expect([timer.sci, timer.read()]).toEqual([true, 2 ** (bits - 1)])
    timer.writeStatus(1)
    expect(timer.sci).toBe(false)
    time.nowNs = nsOfTicks(2 ** bits, PM_TIMER_HZ)
    expect([timer.sci, timer.read()]).toEqual([true, 0])
  }
})

describe('HPET', () => {
  test('capabilities, and a counter that stands while it isn’t enabled', () => {
    const time = clock()
    const hpet = new Hpet(time)
    expect([hpet.read(0).toString(16), hpet.read(4)]).toEqual(['8086a201', 10_000_000])
    time.nowNs = 1000
    expect(hpet.read(HPET_COUNTER)).toBe(0)
    hpet.write(HPET_CONFIG, 1)
    time.nowNs = 2000
    expect(hpet.read(HPET_COUNTER)).toBe(100)
  })

  test('level status, legacy replacement, messages', () => {
    const time = clock()
    const hpet = new Hpet(time, { fsb: true })
    hpet.write(0x100, 0x4) // 0: edge.
    hpet.write(0x108, 50)
    hpet.write(0x140, 0x6 | (5 << 9)) // 2: level, line 5.
    hpet.write(0x148, 60)
    hpet.write(0x130, 0x41) // 1: a message.
    hpet.write(0x134, 0xfee0_0000)
    hpet.write(0x120, 0x4004)
    hpet.write(0x128, 70)
    for (const at of [0x10c, 0x12c, 0x14c]) hpet.write(at, 0)
    hpet.write(HPET_CONFIG, 3)
    expect(hpet.nextInterruptNs()).toBe(500)
    time.nowNs = 1000
    expect(hpet.read(HPET_STATUS)).toBe(4)
    expect(hpet.pending.map(({ to }) => to)).toEqual([{ line: 0 }, { address: 0xfee0_0000, data: 0x41 }, { line: 5 }])
    hpet.write(HPET_STATUS, 4)
    expect(hpet.read(HPET_STATUS)).toBe(0)
  })
})

describe('local APIC timer', () => {
  // SDM, figure "Divide configuration register".
  test.each([
    [0, 2],
    [1, 4],
    [2, 8],
    [3, 16],
    [8, 32],
    [9, 64],
    [10, 128],
    [11, 1],
  ])('divide configuration %i is by %i', (bits, divisor) => {
    const time = clock()
    const timer = new ApicTimer(time, 1e9)
    timer.write(DIVIDE_CONFIGURATION, bits)
    timer.write(LVT_TIMER, 0x40)
    timer.write(INITIAL_COUNT, 1000)
    time.nowNs = 100 * divisor
    expect([timer.divisor, timer.read(CURRENT_COUNT), timer.nextInterruptNs()]).toEqual([divisor, 900, 1000 * divisor])
  })

  test('one-shot ends, periodic goes on, masked is silent', () => {
    const time = clock()
    const timer = new ApicTimer(time, 1e9)
    timer.write(DIVIDE_CONFIGURATION, 11)
    timer.write(LVT_TIMER, 0x40)
    timer.write(INITIAL_COUNT, 1000)
    time.nowNs = 1500
    expect([timer.takeInterrupt(), timer.takeInterrupt(), timer.read(CURRENT_COUNT)]).toEqual([true, false, 0])
    timer.write(LVT_TIMER, 0x2_0040)
    timer.write(INITIAL_COUNT, 1000)
    time.nowNs = 5000
    expect([timer.mode, timer.takeInterrupt(), timer.nextInterruptNs()]).toEqual(['periodic', true, 5500])
    timer.write(LVT_TIMER, 0x3_0040)
    expect(timer.nextInterruptNs()).toBe(Number.POSITIVE_INFINITY)
  })

  test('TSC deadline', () => {
    const time = clock()
    const tsc = new Tsc(time, { khz: 2_000_000 })
    const timer = new ApicTimer(time, 1e9, tsc)
    timer.write(LVT_TIMER, 0x4_0040)
    timer.write(INITIAL_COUNT, 1000) // Ignored.
    timer.writeDeadline(2000n)
    expect([timer.nextInterruptNs(), timer.readDeadline()]).toEqual([1000, 2000n])
    time.nowNs = 1000
    expect([timer.takeInterrupt(), timer.readDeadline()]).toEqual([true, 0n])
  })
})

describe('TSC', () => {
  test('constant, nonstop, and neither', () => {
    const time = clock()
    const good = new Tsc(time, { khz: 1_000_000 })
    const bad = new Tsc(time, { khz: 1_000_000, constant: false, nonstop: false, start: 500n })
    for (const tsc of [good, bad]) tsc.setFrequency(0.5)
    time.nowNs = 1000
    expect([good.read(), bad.read()]).toEqual([1000n, 1000n])
    for (const tsc of [good, bad]) tsc.setDeepIdle(true)
    time.nowNs = 2000
    for (const tsc of [good, bad]) tsc.setDeepIdle(false)
    expect([good.read(), bad.read()]).toEqual([2000n, 1000n])
  })

  test('scaled and offset', () => {
    const time = clock()
    const tsc = new Tsc(time, { khz: 3_000_000 })
    tsc.setGuest(-1000n, (1n << 48n) / 2n)
    time.nowNs = 1000
    expect(tsc.readGuest()).toBe(500n)
  })
})

test('pvclock: an odd version is read again, and a torn one too', () => {
  const page = new DataView(new ArrayBuffer(PVCLOCK_BYTES))
  const writer = new PvclockWriter(page)
  let tsc = 1000n
  writer.update({ tsc, systemNs: 5_000n, khz: 2_000_000, flags: 1 })
  tsc += 2_000_000n // A millisecond.
  expect(readPvclock(page, () => tsc)).toBe(1_005_000n)
  let torn: unknown = 'not asked'
  writer.update({ tsc, systemNs: 9n, khz: 2_000_000, flags: 1 }, () => {
    torn = tryReadPvclock(page, () => tsc)
  })
  expect(torn).toBeUndefined()
  let again = false
  const read = tryReadPvclock(page, () => {
    if (!again) writer.update({ tsc, systemNs: 7n, khz: 2_000_000, flags: 1 })
    again = true
    return tsc
  })
  expect(read).toBeUndefined()
  expect(page.getUint32(0, true)).toBe(6)
  for (const khz of [999_993, 2_400_000, 62_500]) {
    const { mul, shift } = pvclockScale(khz)
    const ns =
      Number((shift >= 0 ? BigInt(khz) << BigInt(shift) : BigInt(khz) >> BigInt(-shift)) * BigInt(mul)) / 2 ** 32
    expect(Math.abs(ns - 1e6)).toBeLessThan(10)
  }
})

test('ticks and ns are each other’s way back', () => {
  for (const hz of [PIT_HZ, PM_TIMER_HZ, 32_768]) {
    for (const ticks of [0, 1, 7, 11_932, 2 ** 31, 123_456_789_012]) {
      expect(ticksOf(nsOfTicks(ticks, hz), hz)).toBe(ticks)
      if (ticks > 0) expect(ticksOf(nsOfTicks(ticks, hz) - 1, hz)).toBe(ticks - 1)
    }
  }
})

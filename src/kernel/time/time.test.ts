import { describe, expect, test } from 'vitest'
import { decodeUtf8 } from '#base/bytes'
import { Simulator } from '#base/sim'
import { createHost, createImage, type Hardware, insideViews, PLAIN_HARDWARE } from '#kernel/core'
import { Ntp, STA_INS, STA_PLL, TIME_ERROR, TIME_OOP, TIME_WAIT, time, timeOf } from './index.ts'
import { ADJ_FREQUENCY, ADJ_OFFSET, ADJ_OFFSET_SINGLESHOT, ADJ_STATUS, ADJ_TICK } from './ntp.ts'
import { SteeredClock } from './timekeeper.ts'
import { CascadingWheel, Wheel } from './wheel.ts'

function boot(hardware: Partial<Hardware> = {}) {
  const image = createImage({ release: '6.1.0-56-amd64', profile: 'linux-6.1' })
  image.install(time)
  const sim = new Simulator(1)
  const all = { ...PLAIN_HARDWARE, ...hardware }
  const host = createHost({ sim, image, name: 'a', number: 1, startS: 1_767_225_600, hardware: all })
  const read = (path: string) => decodeUtf8(host.readFile(path) ?? new Uint8Array())
  const log = () => host.klog().map(({ text }) => text)
  return { sim, image, host, read, log }
}

const CURRENT = '/sys/devices/system/clocksource/clocksource0/current_clocksource'

describe('clocksources', () => {
  test('another is taken by its name, and an unknown name changes nothing', () => {
    const { host, read, log } = boot()
    host.writeFile(CURRENT, 'acpi_pm\n')
    expect(read(CURRENT)).toBe('acpi_pm\n')
    expect(log()).toContain('clocksource: Switched to clocksource acpi_pm')
    host.writeFile(CURRENT, 'sundial')
    expect(read(CURRENT)).toBe('tsc\n')
    host.writeFile(CURRENT, 'jiffies')
    expect(read(CURRENT)).toBe('tsc\n')
    expect(log().at(-1)).toMatch(/jiffies is not currently HRT compatible - deferring/)
  })

  test('a TSC that runs ahead is found out by the watchdog, one that is trusted or right isn’t', () => {
    for (const [flaw, cmdline, current] of [
      ['700ppm', [], 'hpet'],
      ['400ppm', [], 'tsc'],
      ['700ppm', ['tsc=reliable'], 'tsc'],
    ] as const) {
      const { sim, read, log } = boot({ flaws: { tsc: flaw }, cmdline })
      expect(read(CURRENT), 'at first').toBe('tsc\n')
      sim.run(10e9)
      expect(log().some((line) => line.includes("Marking clocksource 'tsc' as unstable"))).toBe(current === 'hpet')
      expect(read(CURRENT)).toBe(`${current}\n`)
    }
  })
})

describe('NTP', () => {
  test('a clock that is told to run 100 ppm faster does', () => {
    const { sim, host } = boot()
    const clock = new SteeredClock(host)
    clock.adjust({ modes: ADJ_FREQUENCY, freq: 100 * 65_536 })
    sim.run(100e9)
    const { s, ns } = clock.read()
    expect(s - 1_767_225_600).toBe(100)
    expect(Math.abs(ns - 10_000_000)).toBeLessThan(2000)
  })

  test('adjtime works off 500 us a second', () => {
    const { sim, host } = boot()
    const clock = new SteeredClock(host)
    clock.adjust({ modes: ADJ_OFFSET_SINGLESHOT, offset: 1200 })
    const ahead = [1.999, 3.999, 5.999].map((at) => {
      sim.run(at * 1e9)
      const { s, ns } = clock.read()
      return Math.round(((s - 1_767_225_600) * 1e9 + ns - at * 1e9) / 1e5) / 10
    })
    expect(ahead).toEqual([0.5, 1.2, 1.2])
  })

  test('a leap second is there twice, and is told', () => {
    const { sim, host, log } = boot()
    host.setRealtime(1_483_228_790, 0) // 2016-12-31 23:59:50.
    const clock = new SteeredClock(host)
    clock.adjust({ modes: ADJ_STATUS, status: STA_INS })
    const seen: number[] = []
    for (let at = 7; at <= 13; at++) {
      sim.run(at * 1e9 + 5e8)
      seen.push(clock.read().s - 1_483_228_800)
    }
    expect(seen).toEqual([-3, -2, -1, -1, 0, 1, 2])
    expect(log()).toContain('Clock: inserting leap second 23:59:60 UTC')
    expect([TIME_OOP, TIME_WAIT]).toContain(clock.ntp.state)
    expect(clock.ntp.tai).toBe(1)
  })

  test('as adjtimex finds it after boot; what is out of bounds is refused or clamped', () => {
    const ntp = new Ntp(() => {})
    expect(ntp.adjust({ modes: 0 }, 0)).toEqual({
      state: TIME_ERROR,
      timex: {
        modes: 0,
        offset: 0,
        freq: 0,
        maxerror: 16e6,
        esterror: 16e6,
        status: 64,
        constant: 2,
        tick: 10_000,
        tai: 0,
      },
    })
    expect(ntp.adjust({ modes: ADJ_TICK, tick: 8999 }, 0)).toBeUndefined()
    expect(ntp.adjust({ modes: ADJ_FREQUENCY, freq: 1e9 }, 0)!.timex.freq).toBe(500 * 65_536)
    expect(ntp.adjust({ modes: ADJ_OFFSET, offset: 1000 }, 0)!.timex.offset, 'without PLL').toBe(0)
    expect(ntp.adjust({ modes: ADJ_STATUS | ADJ_OFFSET, status: STA_PLL, offset: 1000 }, 0)!.timex.offset).toBe(1000)
  })
})

describe('wheels', () => {
  test('6.1 fires late and never moves a timer, 2.6 fires to the jiffy and cascades', () => {
    for (const delay of [1, 10, 63, 64, 100, 255, 256, 1000, 5000]) {
      const start = 1000
      const new_ = new Wheel(start)
      const old = new CascadingWheel(start)
      const mine = new_.add('t', start + delay)
      const theirs = old.add('t', start + delay)
      const until = (wheel: { tick(): unknown[] }) => {
        for (let n = 1; ; n++) if (wheel.tick().length > 0) return n
      }
      const late = until(new_) - delay
      expect(mine.fires - start - delay).toBe(late)
      expect(late).toBeGreaterThanOrEqual(0)
      expect(late).toBeLessThanOrEqual(1 + delay / 7)
      expect(until(old), 'the jiffy of its own').toBe(delay + 1)
      expect(theirs.expires).toBe(start + delay)
      expect(old.cascaded > 0, 'cascades').toBe(
        Math.floor((start + delay) / 256) > Math.floor(start / 256) && delay >= 256,
      )
    }
  })
})

test('views show timers, sources, devices and registers, and looking changes nothing', () => {
  const { host, image, sim, read } = boot({ type: 'q35' })
  sim.run(5_001_000_000)
  const views = insideViews(image)
  const look = (name: string) =>
    views
      .get(name)!
      .look(host)!
      .map(({ cells }) => cells[0])
  expect(look('clocksources')).toEqual(['tsc', 'hpet', 'acpi_pm', 'refined-jiffies', 'jiffies'])
  expect(look('clockevents')).toEqual(['lapic', 'hpet'])
  expect(look('timers')).toContain('tick_sched_timer')
  const before = read('/proc/timer_list')
  const registers = views.get('timer registers')!.look(host)
  expect(views.get('timer registers')!.look(host)).toEqual(registers)
  expect(registers!.find(({ key }) => key === 'RTC 00h seconds')!.cells[1]).toBe('05h')
  expect(read('/proc/timer_list')).toBe(before)
  expect(timeOf(host).current().name).toBe('tsc')
})

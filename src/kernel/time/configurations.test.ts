/** What /proc and /sys show of time on many machines, as the real kernel showed it: all but counts and times. */
import { describe, expect, test } from 'vitest'
import { CONFIGURATIONS, readRecords } from '#backend/qemu'
import { decodeUtf8 } from '#base/bytes'
import { Simulator } from '#base/sim'
import { createHost, createImage, type Hardware, PLAIN_HARDWARE } from '#kernel/core'
import { time } from './index.ts'

const { said } = readRecords()
const CLOCKSOURCE = '/sys/devices/system/clocksource/clocksource0'

function boot(name: string) {
  const { machine, cpus, hpet, cmdline } = CONFIGURATIONS[name]!
  const hardware: Hardware = {
    ...PLAIN_HARDWARE,
    type: machine,
    cpus,
    hpet,
    cmdline: cmdline.split(' ').filter(Boolean),
  }
  const image = createImage({ release: '6.1.0-56-amd64', profile: 'linux-6.1' })
  image.install(time)
  const sim = new Simulator(1)
  const host = createHost({ sim, image, name: 'a', number: 1, startS: 1_767_225_600, hardware })
  sim.run(3_690_000_000)
  return { host, read: (path: string) => decodeUtf8(host.readFile(path) ?? new Uint8Array()) }
}

/** Counts and times become N; the order in which timers are due does too. */
function masked(text: string): string {
  return text
    .replace(/^( # expires at ).*$/gm, '$1N')
    .replace(
      /^(now at |jiffies: | {2}\.(?!resolution|index|hres_active|nohz_mode|base|get_time)\w+ *: *)-?\d+/gm,
      '$1N',
    )
    .replace(/^( next_event: +)(?!9223372036854775807)\d+/gm, '$1N')
    .replace(/^( retries: +)\d+/gm, '$1N')
}

/** What calibration against a clock of the outside finds is a measurement. */
function measured(text: string): string {
  return text.replace(/^( (?:max_delta_ns|mult): +)\d+/gm, '$1N')
}

/** Timers that are there at any moment; others come and go. */
function steady(text: string): string {
  const lines = text.split('\n')
  const kept: string[] = []
  for (let i = 0; i < lines.length; i++) {
    const timer = /^ #\d+: <.*>, (\w+), S:01$/.exec(lines[i]!)
    if (!timer) kept.push(lines[i]!)
    else if (['tick_sched_timer', 'watchdog_timer_fn'].includes(timer[1]!)) kept.push(timer[1]!, lines[++i]!)
    else i++
  }
  return kept.join('\n')
}

const names = Object.keys(said).filter((name) => name in CONFIGURATIONS)

test('many were recorded', () => {
  expect(names.length).toBeGreaterThanOrEqual(60)
})

describe.each(names)('%s', (name) => {
  const { host, read } = boot(name)
  const real = said[name]!

  test('clocksources', () => {
    expect(read(`${CLOCKSOURCE}/available_clocksource`)).toBe(real[`cat ${CLOCKSOURCE}/available_clocksource`])
    expect(read(`${CLOCKSOURCE}/current_clocksource`)).toBe(real[`cat ${CLOCKSOURCE}/current_clocksource`])
  })

  test('clockevents', () => {
    const events = real['cd /sys/devices/system/clockevents; for f in */current_device; do echo $f $(cat $f); done']!
    for (const line of events.trim().split('\n')) {
      const [path, device] = line.split(' ')
      expect(read(`/sys/devices/system/clockevents/${path}`).trim(), path).toBe(device ?? '')
    }
  })

  test('/proc/timer_list', () => {
    const show = (text: string) => {
      const shown = steady(masked(text))
      return CONFIGURATIONS[name]!.cpus > 1 ? measured(shown) : shown
    }
    expect(show(read('/proc/timer_list'))).toBe(show(real['cat /proc/timer_list']!))
  })

  test('/proc/driver/rtc, /sys/class/rtc', () => {
    const clock = (text: string) => text.replace(/\d\d:\d\d:\d\d|\d{10}|\d{4}-\d\d-\d\d/g, 'T')
    expect(clock(read('/proc/driver/rtc'))).toBe(clock(real['cat /proc/driver/rtc']!))
    expect(read('/sys/class/rtc/rtc0/name').trim()).toBe(
      /^name: (.*)$/m.exec(Object.entries(real).find(([command]) => command.includes('rtc0 &&'))![1])![1],
    )
  })

  test('what the boot said', () => {
    if (CONFIGURATIONS[name]!.cpus > 1) return // Theirs is calibrated by the clock outside.
    const about =
      /^(clocksource: |tsc: (?!Refined)|hpet0: |\.\.TIMER|APIC: |ACPI: PM-Timer|Calibrating|rtc_cmos|platform rtc_cmos)/
    const lines = (texts: string[]) =>
      texts
        .filter((text) => about.test(text))
        // Refined a little differently from boot to boot.
        .filter((text) => !text.startsWith('clocksource: tsc: '))
        .sort()
    const ours = host.klog().map(({ text }) => text)
    const theirs = real.dmesg!.split('\n').map((line) => line.replace(/^\[ *[\d.]+\] /, ''))
    expect(lines(ours)).toEqual(lines(theirs))
  })
})

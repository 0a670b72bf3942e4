/** Views for who looks in: timers, clocksources, clockevent devices, and the registers of each timer as this kernel left them. */
import {
  type Host,
  type InsideRow,
  type InsideView,
  insideViews,
  JIFFY_NS,
  jiffiesOf,
  type KernelImage,
  PLAIN_HARDWARE,
  tickingOf,
} from '#kernel/core'
import { AcpiPmTimer, ApicTimer, Hpet, I8254, type Mc146818, PM_TIMER_HZ, READ_COST_NS, Tsc } from '#machine/clocks'
import { isOneshot, timeDevices } from './devices.ts'
import { rtcOf } from './rtc.ts'
import { timeOf } from './state.ts'
import { activeTimers } from './timer-list.ts'
import { bucketOf } from './wheel.ts'

/**
 * Adds the views `timers`, `clocksources`, `clockevents` and `timer registers`: of hosts whose lab says what machine they are. On
 * others they would change at every moment, and be about what nobody asked.
 */
export function installInside(image: KernelImage): void {
  const all = insideViews(image)
  const views = {
    set(name: string, { columns, look }: InsideView) {
      all.set(name, { columns, look: (host) => (host.hardware === PLAIN_HARDWARE ? undefined : look(host)) })
    },
  }
  views.set('timers', {
    columns: ['timer', 'may fire at', 'fires at', 'bucket if it were the wheel’s'],
    look(host) {
      const now = jiffiesOf(host)
      return activeTimers(host, 0).map(({ name, softNs, hardNs }, i) => {
        const { level, index } = bucketOf(
          now,
          now + Math.ceil(hardNs / JIFFY_NS) - Math.floor((host.sim.nowNs - host.bootedNs) / JIFFY_NS),
        )
        return { key: `${i} ${name}`, cells: [name, seconds(softNs), seconds(hardNs), `level ${level}, ${index}`] }
      })
    },
  })
  views.set('clocksources', {
    columns: ['clocksource', 'rating', 'Hz', 'mult', 'shift', 'wraps after', 'a reading'],
    look(host) {
      const time = timeOf(host)
      const current = time.current().name
      return time.sources().map((source): InsideRow => {
        const { name, rating, hz, mult, shift, mask } = source
        const shown = time.unstable.has(name) ? '0, unstable' : `${rating}${name === current ? ', current' : ''}`
        const cost = READ_COST_NS[name as keyof typeof READ_COST_NS]
        const wraps = Number(mask) / hz
        return {
          key: name,
          cells: [
            name,
            shown,
            String(hz),
            String(mult),
            String(shift),
            `${wraps.toPrecision(4)} s`,
            cost ? `${cost} ns` : '',
          ],
        }
      })
    },
  })
  views.set('clockevents', {
    columns: ['device', 'for', 'rating', 'mode', 'at least', 'at most'],
    look(host) {
      const { perCpu, broadcast, cpus } = timeDevices(host)
      const mode = isOneshot(host) ? 'oneshot' : 'periodic'
      const rows: InsideRow[] = []
      for (let cpu = 0; cpu < cpus; cpu++) {
        const { name, rating, minNs, maxNs } = perCpu
        rows.push({
          key: `CPU ${cpu}`,
          cells: [name, `CPU ${cpu}`, String(rating), mode, `${minNs} ns`, `${maxNs} ns`],
        })
      }
      if (broadcast) {
        const { name, rating, minNs, maxNs } = broadcast
        rows.push({
          key: 'broadcast',
          cells: [name, 'broadcast', String(rating), 'shutdown', `${minNs} ns`, `${maxNs} ns`],
        })
      }
      return rows
    },
  })
  views.set('timer registers', { columns: ['register', 'value', 'meaning'], look: registers })
}

function seconds(ns: number): string {
  return `${(ns / 1e9).toFixed(9)} s`
}

function registers(host: Host): InsideRow[] {
  const rows: InsideRow[] = []
  const put = (under: string, name: string, value: string, meaning: string) =>
    rows.push({ key: `${under} ${name}`, under, cells: [name, value, meaning] })
  const head = (name: string, what: string) => rows.push({ key: name, cells: [name, '', what] })
  const { sim } = host
  const devices = timeDevices(host)
  const hex = (value: number | bigint, digits: number) => `${value.toString(16).padStart(digits, '0')}h`
  const next = (Math.floor((sim.nowNs - host.bootedNs) / JIFFY_NS) + 1) * JIFFY_NS - (sim.nowNs - host.bootedNs)

  head('TSC', 'in the CPU')
  const tsc = new Tsc(sim, { khz: devices.tscKhz.refined })
  put('TSC', 'IA32_TIME_STAMP_COUNTER', hex(tsc.read(), 16), `${tsc.khz} kHz`)
  if (devices.hasLapic) {
    head('local APIC timer', 'in the CPU')
    const timer = new ApicTimer(sim, 1e9, tsc)
    timer.write(0x3e0, 3)
    timer.write(0x320, isOneshot(host) ? 0xec : 0x2_00ec)
    timer.write(0x380, Math.max(1, Math.floor((next * 62.5) / 1000)))
    put('local APIC timer', 'LVT timer 320h', hex(timer.read(0x320), 8), `${timer.mode}, vector ${timer.vector}`)
    put('local APIC timer', 'divide 3E0h', hex(timer.read(0x3e0), 8), `by ${timer.divisor}`)
    put('local APIC timer', 'current count 390h', hex(timer.read(0x390), 8), `${Math.round(next)} ns to go`)
  }
  if (devices.hasHpet) {
    head('HPET', 'FED00000h')
    const hpet = new Hpet({ nowNs: 0 })
    hpet.write(0x10, 3)
    put('HPET', 'capabilities 000h', hex(hpet.read64(0), 16), `${hpet.comparators.length} comparators, ${hpet.hz} Hz`)
    put('HPET', 'configuration 010h', hex(hpet.read64(0x10), 16), 'enabled, in the place of PIT and RTC')
    put('HPET', 'main counter 0F0h', hex(Math.floor(sim.nowNs / 10), 16), '')
  }
  if (devices.hasPmTimer) {
    head('ACPI PM timer', 'port 608h')
    const timer = new AcpiPmTimer(sim)
    put('ACPI PM timer', 'PM_TMR', hex(timer.read(), 6), `${PM_TIMER_HZ} Hz, 24 bits`)
  }
  head('PIT', 'ports 40h to 43h')
  const pit = new I8254(sim)
  const drives = devices.perCpu.name === 'pit'
  pit.write(3, drives ? (tickingOf(host).highres ? 0x38 : 0x34) : 0x30)
  if (drives) for (const byte of [4773 & 0xff, 4773 >> 8]) pit.write(0, byte)
  pit.write(3, 0xe2)
  put('PIT', 'counter 0, status', hex(pit.read(0), 2), drives ? 'the tick' : 'stopped: mode 0, no count')
  head('RTC', 'ports 70h and 71h')
  const rtc: Mc146818 = rtcOf(host)
  const names = [
    'seconds',
    'seconds alarm',
    'minutes',
    'minutes alarm',
    'hours',
    'hours alarm',
    'day of week',
    'day',
    'month',
    'year',
    'A',
    'B',
    'C',
    'D',
  ]
  names.forEach((name, at) => {
    put('RTC', `${hex(at, 2)} ${name}`, hex(rtc.peek(at), 2), '')
  })
  return rows
}

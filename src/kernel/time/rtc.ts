/** The RTC as Linux has it: a chip of its own, which a host's power doesn't stop; /proc/driver/rtc, /sys/class/rtc/rtc0. */
import { civilOfDays, daysOfCivil } from '#base/text'
import { defineState, type Host, type KernelImage } from '#kernel/core'
import { Mc146818 } from '#machine/clocks'
import { timeDevices } from './devices.ts'

const chips = defineState((host) => new Mc146818(host.sim, host.startS), { per: 'machine' })

/** A host's. It keeps UTC. */
export function rtcOf(host: Host): Mc146818 {
  return chips.of(host)
}

const two = (n: number) => String(n).padStart(2, '0')

function timeText(host: Host): { date: string; time: string } {
  const { year, month, day, hour, minute, second } = rtcOf(host).calendar()
  return { date: `${year}-${two(month)}-${two(day)}`, time: `${two(hour)}:${two(minute)}:${two(second)}` }
}

/** @see Linux 6.1 drivers/rtc/proc.c: rtc_proc_show(), drivers/rtc/rtc-cmos.c: cmos_procfs() */
function procFile(host: Host): string {
  const { date, time } = timeText(host)
  const { year, month, day } = rtcOf(host).calendar()
  const next = civilAfter(year, month, day)
  const rows: [string, string][] = [
    ['rtc_time', time],
    ['rtc_date', date],
    ['alrm_time', '00:00:00'],
    ['alrm_date', next],
    ['alarm_IRQ', 'no'],
    ['alrm_pending', 'no'],
    ['update IRQ enabled', 'no'],
    ['periodic IRQ enabled', 'no'],
    ['periodic IRQ frequency', '1024'],
    ['max user IRQ frequency', '64'],
    ['24hr\t', 'yes'],
    ['periodic_IRQ', 'no'],
    ['update_IRQ', 'no'],
    ['HPET_emulated', timeDevices(host).hasHpet ? 'yes' : 'no'],
    ['BCD\t', 'yes'],
    ['DST_enable', 'no'],
    ['periodic_freq', '1024'],
    ['batt_status', 'okay'],
  ]
  return rows.map(([name, value]) => `${name}\t: ${value}\n`).join('')
}

function civilAfter(year: number, month: number, day: number): string {
  const { year: y, month: m, day: d } = civilOfDays(daysOfCivil(year, month, day) + 1)
  return `${y}-${two(m)}-${two(d)}`
}

/** Seconds since 1970 that the chip shows. */
export function rtcSeconds(host: Host): number {
  const { year, month, day, hour, minute, second } = rtcOf(host).calendar()
  return daysOfCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
}

export function installRtc(image: KernelImage): void {
  image.proc('/proc/driver/rtc', { read: procFile })
  const attribute = (name: string, read: (host: Host) => string) =>
    image.proc(`/sys/class/rtc/rtc0/${name}`, { read: (host) => `${read(host)}\n` })
  attribute('name', (host) =>
    timeDevices(host).hasPmTimer ? `rtc_cmos 00:0${host.hardware.type === 'pc' ? 3 : 2}` : 'rtc_cmos rtc_cmos',
  )
  attribute('date', (host) => timeText(host).date)
  attribute('time', (host) => timeText(host).time)
  attribute('since_epoch', (host) => String(rtcSeconds(host)))
  attribute('hctosys', () => '1')
  attribute('max_user_freq', () => '64')
}

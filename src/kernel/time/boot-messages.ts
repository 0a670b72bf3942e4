/**
 * What a kernel says about time while it boots. When it says it is what a machine takes whose clock counts instructions; a
 * host here boots in no time, and its log begins with what a real one would have said.
 *
 * Linux 6.1 arch/x86/kernel/tsc.c, kernel/time/clocksource.c, arch/x86/kernel/hpet.c, init/calibrate.c, drivers/rtc/rtc-cmos.c.
 */
import { civilOfDays } from '#base/text'
import type { Host } from '#kernel/core'
import { clocksource, jiffies, refinedJiffies, timeDevices, tsc } from './devices.ts'
import type { ClockScale } from './scale.ts'
import { timeState } from './state.ts'

export interface BootMessage {
  level: number
  timeNs: number
  text: string
}

/** Line by line, in order. */
export function bootMessages(host: Host): BootMessage[] {
  const devices = timeDevices(host)
  const { hardware } = host
  const { early, refined } = devices.tscKhz
  const lines: BootMessage[] = []
  const say = (us: number, text: string, level = 6) => lines.push({ level, timeNs: us * 1000, text })
  const register = (us: number, source: ClockScale & { name: string; mask: bigint }) =>
    say(
      us,
      `clocksource: ${source.name}: mask: 0x${source.mask.toString(16)} max_cycles: 0x${source.maxCycles.toString(16)}, max_idle_ns: ${source.maxIdleNs} ns`,
    )
  const { hasHpet, hasPmTimer, hasLapic, hasIoApic, tscUnstable } = devices
  say(0, 'tsc: Fast TSC calibration using PIT')
  say(0, 'tsc: Detected 999.993 MHz processor')
  if (early !== 999_993) say(0, `tsc: Detected ${mhz(early)} MHz TSC`)
  if (hasPmTimer) say(14_222, 'ACPI: PM-Timer IO Port: 0x608')
  if (hasHpet || (hardware.hpet && hasPmTimer)) say(14_281, 'ACPI: HPET id: 0x8086a201 base: 0xfed00000')
  register(14_334, refinedJiffies())
  if (tscUnstable === 'notsc') say(36_108, 'tsc: Marking TSC unstable due to boot parameter notsc')
  else if (tscUnstable) say(36_108, 'tsc: Marking TSC unstable due to boot parameter')
  if (hasHpet) register(85_350, clocksource('hpet', 250, 0xffff_ffffn, 100_000_000))
  say(85_373, hasLapic ? 'APIC: Switch to symmetric I/O mode setup' : 'APIC: Keep in PIC mode(8259)')
  if (hasIoApic) say(85_575, '..TIMER: vector=0x30 apic1=0 pin1=2 apic2=-1 pin2=-1')
  if (!tscUnstable) register(97_377, tsc(early, 'tsc-early', 299))
  const bogo = Math.floor(devices.lpj / (500_000 / 250))
  const hundredths = String(Math.floor(devices.lpj / (5000 / 250)) % 100).padStart(2, '0')
  say(
    97_402,
    `Calibrating delay loop (skipped), value calculated using timer frequency.. ${bogo}.${hundredths} BogoMIPS (lpj=${devices.lpj})`,
  )
  register(417_182, jiffies())
  if (hasHpet) {
    say(554_562, 'hpet0: at MMIO 0xfed00000, IRQs 2, 8, 0')
    say(554_584, 'hpet0: 3 comparators, 64-bit 100.000000 MHz counter')
  }
  const current = timeState.of(host).current().name
  // Until the TSC is refined its forerunner does, and until the PM timer is found what there is.
  const forerunner = tscUnstable ? (hasHpet ? 'hpet' : 'refined-jiffies') : 'tsc-early'
  const first = current === 'hpet' || current === 'refined-jiffies' ? current : forerunner
  if (current !== 'jiffies') say(556_638, `clocksource: Switched to clocksource ${first}`)
  if (hasPmTimer) register(575_539, clocksource('acpi_pm', 200, 0xff_ffffn, 3_579_545))
  if (current === 'acpi_pm') say(575_560, 'clocksource: Switched to clocksource acpi_pm')
  const rtc = hasPmTimer ? `rtc_cmos 00:0${hardware.type === 'pc' ? 3 : 2}` : 'rtc_cmos rtc_cmos'
  if (!hasPmTimer) say(620_000, 'platform rtc_cmos: registered platform RTC device (no PNP device found)')
  else say(666_843, `${rtc}: RTC can wake from S4`)
  say(667_127, `${rtc}: registered as rtc0`)
  const bootS = Math.floor(host.startS + host.bootedNs / 1e9)
  say(667_143, `${rtc}: setting system clock to ${iso(bootS)} UTC (${bootS})`)
  const more = `${hasPmTimer ? ', y3k, 242' : ', 114'} bytes nvram${hasHpet ? ', hpet irqs' : ''}`
  say(667_199, `${rtc}: alarms up to one day${more}`)
  if (!tscUnstable) {
    if (hasHpet || hasPmTimer) say(1_613_393, `tsc: Refined TSC clocksource calibration: ${mhz(refined)} MHz`)
    register(1_613_407, tsc(refined))
    if (current === 'tsc') say(1_613_433, 'clocksource: Switched to clocksource tsc')
  }
  return lines
}

function mhz(khz: number): string {
  return `${Math.floor(khz / 1000)}.${String(khz % 1000).padStart(3, '0')}`
}

function iso(s: number): string {
  const days = Math.floor(s / 86_400)
  const { year, month, day } = civilOfDays(days)
  const two = (n: number) => String(n).padStart(2, '0')
  const ofDay = s - days * 86_400
  return `${year}-${two(month)}-${two(day)}T${two(Math.floor(ofDay / 3600))}:${two(Math.floor(ofDay / 60) % 60)}:${two(ofDay % 60)}`
}

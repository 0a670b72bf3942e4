/** What a host's kernel keeps of time beside the clocks themselves: which clocksource it was told to take, what went wrong with one. */
import { defineState, fail, type Host, OK, type SysResult } from '#kernel/core'
import { type Clocksource, isOneshot, parameter, timeDevices } from './devices.ts'

/** The watchdog looks twice a second, and bears a difference of that much. Linux 6.1 kernel/time/clocksource.c. */
const WATCHDOG_NS = 500_000_000
const WATCHDOG_MARGIN_NS = 250_000
/** When the kernel has refined the TSC and takes it, after its boot. */
const SETTLED_NS = 1_600_000_000

class TimeState {
  readonly host: Host
  override: string | undefined
  readonly unstable = new Set<string>()
  readonly #watchdogNs: number | undefined

  constructor(host: Host) {
    this.host = host
    this.override = parameter(host.hardware, 'clocksource')
    this.#watchdogNs = this.#findsFault()
  }

  /** When the watchdog will have found the TSC wrong: its error within half a second is beyond what is borne. */
  #findsFault(): number | undefined {
    const { hardware } = this.host
    const ppm = tscErrorPpm(this.host)
    const { hasHpet, hasPmTimer, tscUnstable } = timeDevices(this.host)
    if (ppm === 0 || tscUnstable || parameter(hardware, 'tsc') === 'reliable' || !(hasHpet || hasPmTimer))
      return undefined
    if ((Math.abs(ppm) / 1e6) * WATCHDOG_NS <= WATCHDOG_MARGIN_NS) return undefined
    return SETTLED_NS + 2 * WATCHDOG_NS
  }

  /** What has come of itself since somebody last looked. */
  settle(): void {
    const { host } = this
    if (this.#watchdogNs === undefined || this.unstable.has('tsc')) return
    if (host.sim.nowNs - host.bootedNs < this.#watchdogNs) return
    const was = this.current().name
    const watchdog = this.sources().find(({ name }) => name === 'hpet' || name === 'acpi_pm')!
    const csNs = Math.round(WATCHDOG_NS * (1 + tscErrorPpm(host) / 1e6))
    this.#complain(watchdog, csNs, was)
    this.unstable.add('tsc')
    const now = this.current().name
    if (now !== was) host.log(6, `clocksource: Switched to clocksource ${now}`)
  }

  #complain(watchdog: Clocksource, csNs: number, current: string): void {
    const { host } = this
    const at = (source: Clocksource, ns: number) => {
      const cycles = (BigInt(Math.round(ns)) * BigInt(Math.round(source.hz))) / 1_000_000_000n
      return (cycles & source.mask).toString(16)
    }
    const tsc = this.sources().find(({ name }) => name === 'tsc')!
    const passed = this.#watchdogNs!
    const line = (source: Clocksource, what: string, ns: number, end: number) =>
      `clocksource:                       '${source.name}' ${what}_nsec: ${ns} ${what}_now: ${at(source, end)} ${what}_last: ${at(source, end - ns)} mask: ${source.mask.toString(16)}`
    host.log(
      4,
      "clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable because the skew is too large:",
    )
    host.log(4, line(watchdog, 'wd', WATCHDOG_NS, passed))
    host.log(4, line(tsc, 'cs', csNs, passed * (1 + tscErrorPpm(host) / 1e6)))
    host.log(
      4,
      current === 'tsc'
        ? "clocksource:                       'tsc' is current clocksource."
        : `clocksource:                       '${current}' (not 'tsc') is current clocksource.`,
    )
    host.log(6, 'tsc: Marking TSC unstable due to clocksource watchdog')
  }

  /** The registered ones that still can be trusted: an unstable one has the rating 0 and comes last. */
  sources(): Clocksource[] {
    const { clocksources } = timeDevices(this.host)
    const good = clocksources.filter(({ name }) => !this.unstable.has(name))
    return [...good, ...clocksources.filter(({ name }) => this.unstable.has(name))]
  }

  /** Those that can be chosen: where ticks are asked for one by one only what counts on its own. */
  available(): Clocksource[] {
    const oneshot = isOneshot(this.host)
    return this.sources().filter(({ name, continuous }) => !oneshot || (continuous && !this.unstable.has(name)))
  }

  current(): Clocksource {
    const available = this.available()
    return available.find(({ name }) => name === this.override) ?? available[0]!
  }

  /** A write to current_clocksource. @see Linux 6.1 kernel/time/clocksource.c: sysfs_get_uname(), __clocksource_select() */
  choose(text: string): SysResult<void> {
    if (text.length === 0 || text.length >= 32) return fail('EINVAL')
    this.settle()
    const was = this.current().name
    this.override = text.replace(/\n$/, '')
    const wanted = this.sources().find(({ name }) => name === this.override)
    if (wanted && !this.available().includes(wanted)) {
      // What is unstable is refused; of anything else the watchdog may still find that it will do.
      if (this.unstable.has(wanted.name)) {
        this.host.log(
          4,
          `clocksource: Override clocksource ${wanted.name} is unstable and not HRT compatible - cannot switch while in HRT/NOHZ mode`,
        )
        this.override = ''
      } else
        this.host.log(6, `clocksource: Override clocksource ${wanted.name} is not currently HRT compatible - deferring`)
    }
    const now = this.current().name
    if (now !== was) this.host.log(6, `clocksource: Switched to clocksource ${now}`)
    return OK
  }
}

/** A flaw `tsc: 700ppm`: how much too fast its TSC is against all else. */
export function tscErrorPpm({ hardware }: Host): number {
  const text = hardware.flaws.tsc
  const value = text === undefined ? 0 : Number.parseFloat(text)
  return Number.isFinite(value) ? value : 0
}

export const timeState = defineState((host) => new TimeState(host), { per: 'machine' })

/** A host's, with what has happened up to now. */
export function timeOf(host: Host): TimeState {
  const state = timeState.of(host)
  state.settle()
  return state
}

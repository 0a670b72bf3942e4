/**
 * Which clocks and timers a kernel finds on a machine, and which of them it takes: the clocksource of the highest rating
 * that hasn't shown itself unstable, a clockevent device for each CPU, one for those whose own stops.
 *
 * Linux 6.1 kernel/time/clocksource.c: clocksource_select(); tick-common.c: tick_check_new_device(); tick-broadcast.c;
 * arch/x86/kernel/{tsc,hpet,apic/apic,i8253}.c; drivers/clocksource/acpi_pm.c for the ratings.
 */
import { type Hardware, type Host, HZ, tickingOf } from '#kernel/core'
import { PIT_HZ, PM_TIMER_HZ } from '#machine/clocks'
import { type ClockScale, clockScale, multShift, type Scale, ticksToNs, withLimits } from './scale.ts'

export interface Clocksource extends ClockScale {
  name: string
  rating: number
  mask: bigint
  hz: number
  /** Fit for timers of high resolution and a tick that stops: it counts on its own. */
  continuous: boolean
}

export interface ClockEventDevice extends Scale {
  name: 'lapic' | 'hpet' | 'pit'
  rating: number
  maxNs: bigint
  minNs: bigint
  /** The functions that /proc/timer_list names. */
  functions: [label: string, name: string][]
}

export interface TimeDevices {
  /** All that are registered, the highest rating first. */
  clocksources: Clocksource[]
  /** Each CPU's. */
  perCpu: ClockEventDevice
  /** For CPUs whose own timer stops in deep idle states. */
  broadcast: ClockEventDevice | undefined
  /** CPUs that run. */
  cpus: number
  hasHpet: boolean
  hasPmTimer: boolean
  hasLapic: boolean
  hasIoApic: boolean
  /** Why the TSC isn't used, if a parameter says so. */
  tscUnstable: 'notsc' | 'tsc=unstable' | undefined
  tscKhz: { early: number; refined: number }
  /** lpj_fine: loops that take a jiffy. */
  lpj: number
}

/** What calibration against the PIT finds on QEMU's machines whose clock counts instructions: 1 GHz, a little short. */
const TSC_EARLY_KHZ = 999_993
const TSC_REFINED_KHZ = 1_000_000
/** The local APIC's timer counts a bus clock of 1 GHz by sixteen. */
const LAPIC_DIVISOR = 16
const HPET_HZ = 100_000_000

const ALL_64 = 0xffff_ffff_ffff_ffffn
const ALL_32 = 0xffff_ffffn

const known = new WeakMap<Hardware, TimeDevices>()

/** A host's, by its machine and its kernel's parameters. */
export function timeDevices(host: Host): TimeDevices {
  let devices = known.get(host.hardware)
  if (!devices) {
    devices = find(host.hardware)
    known.set(host.hardware, devices)
  }
  return devices
}

/** A parameter's value, of the last word that gives it; '' for one without. */
export function parameter({ cmdline }: Hardware, name: string): string | undefined {
  const word = cmdline.findLast((each) => each === name || each.startsWith(`${name}=`))
  return word?.slice(name.length + 1)
}

function find(hardware: Hardware): TimeDevices {
  const said = (name: string) => parameter(hardware, name)
  const acpi = said('acpi') !== 'off'
  const hasHpet = hardware.hpet && acpi && said('hpet') !== 'disable' && said('nohpet') === undefined
  const hasPmTimer = acpi
  const hasLapic = said('nolapic') === undefined && said('disableapic') === undefined
  const lapicTimer = hasLapic && said('nolapic_timer') === undefined && said('noapictimer') === undefined
  const single = !hasLapic || said('nosmp') !== undefined || said('maxcpus') === '0'
  const cpus = single ? 1 : Math.min(hardware.cpus, Number(said('maxcpus') ?? hardware.cpus))
  const tscUnstable = said('notsc') !== undefined ? 'notsc' : said('tsc') === 'unstable' ? 'tsc=unstable' : undefined
  const early = Number(said('tsc_early_khz') ?? TSC_EARLY_KHZ)
  const refined = hasHpet || hasPmTimer ? TSC_REFINED_KHZ : early
  const sources: Clocksource[] = []
  if (!tscUnstable) sources.push(tsc(refined))
  if (hasHpet) sources.push(clocksource('hpet', 250, ALL_32, HPET_HZ))
  if (hasPmTimer) sources.push(clocksource('acpi_pm', 200, 0xff_ffffn, PM_TIMER_HZ))
  sources.push(refinedJiffies(), jiffies())
  const hpet = hasHpet ? hpetEvents() : undefined
  const lapic = lapicTimer ? lapicEvents(early) : undefined
  const global = hpet ?? pitEvents()
  return {
    clocksources: sources,
    perCpu: lapic ?? global,
    broadcast: lapic ? global : undefined,
    cpus,
    hasHpet,
    hasPmTimer,
    hasLapic,
    hasIoApic: hasLapic && said('noapic') === undefined,
    tscUnstable,
    tscKhz: { early, refined },
    lpj: Math.floor((early * 1000) / HZ),
  }
}

export function tsc(khz: number, name = 'tsc', rating = 300): Clocksource {
  return { name, rating, mask: ALL_64, hz: khz * 1000, continuous: true, ...clockScale(ALL_64, BigInt(khz), 1000n) }
}

export function clocksource(name: string, rating: number, mask: bigint, hz: number): Clocksource {
  return { name, rating, mask, hz, continuous: true, ...clockScale(mask, BigInt(hz), 1n) }
}

const JIFFIES_SHIFT = 8

/** Ticks themselves, taken to be as long as they should. Linux 6.1 kernel/time/jiffies.c. */
export function jiffies(): Clocksource {
  const mult = BigInt(1e9 / HZ) << BigInt(JIFFIES_SHIFT)
  const limits = withLimits(ALL_32, mult, JIFFIES_SHIFT)
  return { name: 'jiffies', rating: 1, mask: ALL_32, hz: HZ, continuous: false, ...limits }
}

/** Ticks, as long as the PIT can make them: register_refined_jiffies(). */
export function refinedJiffies(): Clocksource {
  const rate = BigInt(PIT_HZ)
  const perTick = (rate + BigInt(HZ) / 2n) / BigInt(HZ)
  const hz = ((rate << 8n) + perTick / 2n) / perTick
  const ns = ((1_000_000_000n << 8n) + hz / 2n) / hz
  const limits = withLimits(ALL_32, ns << BigInt(JIFFIES_SHIFT), JIFFIES_SHIFT)
  return { name: 'refined-jiffies', rating: 2, mask: ALL_32, hz: HZ, continuous: false, ...limits }
}

function eventDevice(
  name: ClockEventDevice['name'],
  rating: number,
  scale: Scale,
  least: bigint,
  most: bigint,
  functions: [string, string][],
): ClockEventDevice {
  return {
    name,
    rating,
    ...scale,
    maxNs: ticksToNs(most, scale, true),
    minNs: ticksToNs(least, scale, false),
    functions,
  }
}

/** clockevents_config(): as exact as its longest delay allows. */
function eventScale(hz: number, most: bigint): Scale {
  const seconds = most / BigInt(hz)
  return multShift(1_000_000_000n, BigInt(hz), seconds === 0n ? 1n : seconds > 600n ? 600n : seconds)
}

/** Its rate is measured against the TSC: what counts is how much goes by in a tick. */
function lapicEvents(tscKhz: number): ClockEventDevice {
  const perTick = BigInt(Math.floor((tscKhz * 1000) / HZ / LAPIC_DIVISOR))
  const scale = { mult: (perTick << 32n) / BigInt(1e9 / HZ), shift: 32 }
  return eventDevice('lapic', 100, scale, 0xfn, 0x7fff_ffffn, [
    ['set_next_event', 'lapic_next_event'],
    ['shutdown', 'lapic_timer_shutdown'],
    ['periodic', 'lapic_timer_set_periodic'],
    ['oneshot', 'lapic_timer_set_oneshot'],
    ['oneshot stopped', 'lapic_timer_shutdown'],
  ])
}

function hpetEvents(): ClockEventDevice {
  return eventDevice('hpet', 50, eventScale(HPET_HZ, 0x7fff_ffffn), 192n, 0x7fff_ffffn, [
    ['set_next_event', 'hpet_clkevt_set_next_event'],
    ['shutdown', 'hpet_clkevt_set_state_shutdown'],
    ['periodic', 'hpet_clkevt_set_state_periodic'],
    ['oneshot', 'hpet_clkevt_set_state_oneshot'],
    ['resume', 'hpet_clkevt_legacy_resume'],
  ])
}

function pitEvents(): ClockEventDevice {
  return eventDevice('pit', 0, eventScale(PIT_HZ, 0x7fffn), 0xfn, 0x7fffn, [
    ['set_next_event', 'pit_next_event'],
    ['shutdown', 'pit_shutdown'],
    ['periodic', 'pit_set_periodic'],
    ['oneshot', 'pit_set_oneshot'],
  ])
}

/** Whether ticks come one by one, as they are asked for: with high resolution, or without a tick when idle. */
export function isOneshot(host: Host): boolean {
  const { highres, nohz } = tickingOf(host)
  return highres || nohz
}

/**
 * How a kernel turns cycles into nanoseconds without dividing: times mult, shifted right. The largest mult that can't
 * overflow within the time between two looks is the most exact.
 *
 * Linux 6.1 kernel/time/clocksource.c: clocks_calc_mult_shift(), __clocksource_update_freq_scale(),
 * clocks_calc_max_nsecs(); kernel/time/clockevents.c: cev_delta2ns(), clockevents_config().
 */

const NS = 1_000_000_000n
const MAX_32 = 0xffff_ffffn
const MAX_64 = 0xffff_ffff_ffff_ffffn

export interface Scale {
  mult: bigint
  shift: number
}

/** mult and shift for so many units a second to others, good for that many seconds. */
export function multShift(from: bigint, to: bigint, seconds: bigint): Scale {
  let room = 32
  for (let most = (seconds * from) >> 32n; most > 0n; most >>= 1n) room--
  for (let shift = 32; ; shift--) {
    const mult = ((to << BigInt(shift)) + from / 2n) / from
    if (shift === 1 || mult >> BigInt(room) === 0n) return { mult, shift }
  }
}

export interface ClockScale extends Scale {
  /** Between two reads at most, so that nothing overflows. */
  maxCycles: bigint
  /** Half of that, for safety: how long a tickless CPU may sleep. */
  maxIdleNs: bigint
}

/** Of a clocksource. @param scale 1 for a frequency in Hz, 1000 for one in kHz */
export function clockScale(mask: bigint, frequency: bigint, scale: bigint): ClockScale {
  let seconds = mask / (frequency * scale)
  if (seconds === 0n) seconds = 1n
  else if (seconds > 600n && mask > MAX_32) seconds = 600n
  const { mult, shift } = multShift(frequency, NS / scale, seconds * scale)
  return withLimits(mask, mult, shift)
}

/** What may pass between two reads of a clock with that scale, of which NTP may take or add a ninth. */
export function withLimits(mask: bigint, from: bigint, fromShift: number): ClockScale {
  let mult = from
  let shift = fromShift
  let adjust = (mult * 11n) / 100n
  while (mult + adjust > MAX_32) {
    mult >>= 1n
    shift--
    adjust = (mult * 11n) / 100n
  }
  const most = MAX_64 / (mult + adjust)
  const maxCycles = most < mask ? most : mask
  return { mult, shift, maxCycles, maxIdleNs: ((maxCycles * (mult - adjust)) >> BigInt(shift)) >> 1n }
}

/** Of a clockevent device: ticks to ns, rounded up where there is room for it. */
export function ticksToNs(ticks: bigint, { mult, shift }: Scale, isMost: boolean): bigint {
  let cycles = ticks << BigInt(shift)
  if (cycles > MAX_64) cycles = MAX_64
  const round = mult - 1n
  if (MAX_64 - cycles > round && (!isMost || mult <= 1n << BigInt(shift))) cycles += round
  const ns = cycles / mult
  return ns > 1000n ? ns : 1000n
}

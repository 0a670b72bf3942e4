/** What all clocks of a machine are driven by: the simulator's nanoseconds, and how they become ticks of a crystal. */

/** Virtual time; a Simulator is one. */
export interface TimeBase {
  readonly nowNs: number
}

/** A clock's error: how fast its crystal really swings, in millionths too many. */
export interface Drift {
  ppm: number
}

/** Whole ticks of a crystal of so many Hz (below 9 MHz, else the product isn't exact) within so many ns. */
export function ticksOf(ns: number, hz: number): number {
  const s = Math.floor(ns / 1e9)
  return s * hz + Math.floor(((ns - s * 1e9) * hz) / 1e9)
}

/** The first nanosecond at which that many ticks have passed. */
export function nsOfTicks(ticks: number, hz: number): number {
  const s = Math.floor(ticks / hz)
  return s * 1e9 + Math.ceil(((ticks - s * hz) * 1e9) / hz)
}

/** The time that a crystal with an error counts, when so much has passed. */
export function drifted(ns: number, ppm: number): number {
  return ppm === 0 ? ns : Math.floor(ns + (ns / 1e6) * ppm)
}

/** What one reading takes, ns: typical of PCs, and for a machine to set otherwise. */
export const READ_COST_NS = {
  /** Two or three accesses to ports behind the south bridge. */
  pit: 2400,
  rtc: 1500,
  acpi_pm: 800,
  hpet: 500,
  tsc: 10,
} as const

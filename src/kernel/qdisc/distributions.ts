/**
 * The tables by which netem draws delays: the inverse of a distribution function, in 4096 steps, in units of a 8192nd of the
 * deviation. Reckoned here as those who made the files of iproute2 (`netem/*.dist`) reckoned them; the one called
 * `experimental` was measured, and isn't here.
 */

/** NETEM_DIST_SCALE. Linux 6.1 include/uapi/linux/pkt_sched.h. */
export const DIST_SCALE = 8192
const STEPS = 16384

const tables = new Map<string, Int32Array>()

/** A table by its name; undefined if there is none. */
export function distributionTable(name: string): Int32Array | undefined {
  let table = tables.get(name)
  if (table !== undefined) return table
  if (name === 'normal') table = every4th(normalSteps(), (value) => Math.max(value, -32768))
  else if (name === 'pareto') table = Int32Array.from({ length: 4096 }, (_, i) => pareto(65536 - 16 * i))
  else if (name === 'paretonormal') {
    table = every4th(normalSteps(), (value, i) => Math.trunc((value + 3 * pareto(65536 - 4 * i)) / 4))
  } else return undefined
  tables.set(name, table)
  return table
}

function every4th(steps: readonly number[], map: (value: number, i: number) => number): Int32Array {
  return Int32Array.from({ length: STEPS / 4 }, (_, i) => map(steps[4 * i]!, 4 * i))
}

/** Where the normal distribution passes each step: the last of the points that fall on it. */
function normalSteps(): number[] {
  const steps: number[] = []
  for (let x = -10; x < 10.05; x += 0.00005)
    steps[round(STEPS * (0.5 + 0.5 * erf(x / Math.SQRT2)))] = round(x * DIST_SCALE)
  return steps
}

/** Of shape 3. */
function pareto(i: number): number {
  const value = (1 / (i / 65536) ** (1 / 3) - 1.5) * (4 / 3) * DIST_SCALE
  return round(Math.min(value, 32767))
}

/** To the nearest, halves to the even. */
function round(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1
  return rest < 0.5 ? floor : floor + 1
}

/** Abramowitz and Stegun 7.1.5 near zero, a continued fraction (7.1.14) further out. */
function erf(x: number): number {
  const a = Math.abs(x)
  let value: number
  if (a < 3) {
    let sum = a
    let term = a
    for (let n = 1; n < 100; n++) {
      term *= (-a * a) / n
      const next = term / (2 * n + 1)
      sum += next
      if (Math.abs(next) < 1e-17 * Math.abs(sum)) break
    }
    value = (2 / Math.sqrt(Math.PI)) * sum
  } else {
    let fraction = 0
    for (let k = 60; k > 0; k--) fraction = k / 2 / (a + fraction)
    value = 1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction)
  }
  return x < 0 ? -value : value
}

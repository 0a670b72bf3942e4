/** Sequence numbers, kept as signed 32-bit numbers so that they stay small integers. RFC 9293 section 3.4. */

/** Whether a comes before b. */
export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0
}

/** Whether a comes after b. */
export function after(a: number, b: number): boolean {
  return ((b - a) | 0) < 0
}

/** Whether a <= x <= b. */
export function between(x: number, a: number, b: number): boolean {
  return (b - a) >>> 0 >= (x - a) >>> 0
}

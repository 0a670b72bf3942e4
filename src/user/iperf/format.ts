/** Numbers and lines as iperf 3.12 writes them. src/units.c: unit_snprintf(); src/iperf_locale.c */

const BYTES = [' Byte', 'KByte', 'MByte', 'GByte', 'TByte']
const BITS = [' bit', 'Kbit', 'Mbit', 'Gbit', 'Tbit']

function scaled(value: number, base: number, names: readonly string[], forced: number | undefined): string {
  let amount = value
  let unit = 0
  while (forced === undefined ? amount >= base && unit < 4 : unit < forced) {
    amount /= base
    unit++
  }
  const digits = amount < 9.995 ? 2 : amount < 99.95 ? 1 : 0
  return `${amount.toFixed(digits).padStart(4)} ${names[unit]!.trim()}`
}

/** `1.20 GByte`. */
export function byteText(bytes: number): string {
  return scaled(bytes, 1024, BYTES, undefined)
}

/** `4.23 Gbit`, or in the unit of -f. */
export function bitText(bytesPerSecond: number, format: string): string {
  const at = 'kmgt'.indexOf(format.toLowerCase()) + 1
  const forced = format.toLowerCase() === 'a' || at === 0 ? undefined : at
  if (format !== format.toLowerCase()) return scaled(bytesPerSecond, 1024, BYTES, forced)
  return scaled(bytesPerSecond * 8, 1000, BITS, forced)
}

/** `[  5]   0.00-1.00   sec  1.20 GBytes  4.23 Gbits/sec`, as all lines begin. */
export function intervalText(id: string, fromS: number, toS: number, bytes: number, format: string): string {
  const span = toS - fromS
  const rate = bitText(span > 0 ? bytes / span : 0, format)
  return `${id} ${fromS.toFixed(2).padStart(6)}-${toS.toFixed(2).padEnd(6)} sec  ${byteText(bytes)}s  ${rate}s/sec`
}

export function idText(id: number | 'SUM'): string {
  return id === 'SUM' ? '[SUM]' : `[${String(id).padStart(3)}]`
}

/** %.2g of a percentage. */
export function percentText(value: number): string {
  if (value === 0) return '0'
  const text = value.toPrecision(2)
  return text.includes('e') ? value.toExponential(1) : String(Number(text))
}

/** JSON with tabs, as cJSON prints it. */
export function formatJson(value: unknown, depth = 0): string {
  const tabs = '\t'.repeat(depth + 1)
  if (Array.isArray(value)) return `[${value.map((one) => formatJson(one, depth + 1)).join(', ')}]`
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).map(
      ([name, one]) => `${tabs}${JSON.stringify(name)}:\t${formatJson(one, depth + 1)}`,
    )
    return entries.length === 0 ? '{\n}' : `{\n${entries.join(',\n')}\n${'\t'.repeat(depth)}}`
  }
  return typeof value === 'number' ? numberText(value) : JSON.stringify(value)
}

/** %1.15g, or %1.17g where that isn't the same number. */
function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value)
  const short = Number(value.toPrecision(15))
  return short === value ? String(short) : String(Number(value.toPrecision(17)))
}

/** 100M, 1.5G: in thousands for rates, 1024 for bytes; undefined if it is no number. */
export function parseAmount(text: string, base: number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kmgtKMGT]?)$/.exec(text)
  if (!match) return undefined
  return Math.floor(Number(match[1]) * base ** (match[2] === '' ? 0 : 'kmgt'.indexOf(match[2]!.toLowerCase()) + 1))
}

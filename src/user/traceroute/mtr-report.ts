/** What mtr 0.95 counts of each hop, and its reports: a table, JSON, CSV, XML. */
import type { NetAddress } from '#user/libc'

/** One hop's answers; times in microseconds, whole as mtr keeps them. */
export class Hop {
  address: NetAddress | undefined
  /** All who have answered from here. */
  readonly addresses: NetAddress[] = []
  /** An answer said that there is no way. */
  failed = false
  sent = 0
  returned = 0
  /** A probe is on its way, and doesn't count as lost yet. */
  transit = false
  last = 0
  best = 0
  worst = 0
  avg = 0
  #squares = 0

  answer(us: number): void {
    this.last = us
    if (this.returned < 1) {
      this.best = this.worst = us
      this.avg = this.#squares = 0
    }
    this.best = Math.min(this.best, us)
    this.worst = Math.max(this.worst, us)
    this.returned++
    const before = this.avg
    this.avg = Math.trunc(before + (us - before) / this.returned)
    this.#squares = Math.trunc(this.#squares + (us - before) * (us - this.avg))
    this.transit = false
  }

  get #counted(): number {
    return this.sent - (this.transit ? 1 : 0)
  }

  get dropped(): number {
    return this.#counted - this.returned
  }

  /** Thousandths of a percent. */
  get loss(): number {
    return this.#counted === 0 ? 0 : Math.trunc(1000 * (100 - (100 * this.returned) / this.#counted))
  }

  get deviation(): number {
    return this.returned > 1 ? Math.trunc(Math.sqrt(this.#squares / (this.returned - 1))) : 0
  }
}

export interface Field {
  title: string
  width: number
  /** Decimals are of thousandths; none: a whole number. */
  decimals?: number
  digits: number
  unit?: string
  value(hop: Hop): number
}

const ms = (title: string, value: (hop: Hop) => number): Field => ({ title, width: 6, decimals: 1, digits: 5, value })

/** -o's letters, of those that are modelled. */
export const FIELDS: Record<string, Field> = {
  ' ': { title: ' ', width: 1, digits: 0, value: (hop) => hop.dropped },
  L: { title: 'Loss%', width: 6, decimals: 1, digits: 4, unit: '%', value: (hop) => hop.loss },
  D: { title: 'Drop', width: 5, digits: 4, value: (hop) => hop.dropped },
  R: { title: 'Rcv', width: 6, digits: 5, value: (hop) => hop.returned },
  S: { title: 'Snt', width: 6, digits: 5, value: (hop) => hop.sent },
  N: ms('Last', (hop) => hop.last),
  B: ms('Best', (hop) => hop.best),
  A: ms('Avg', (hop) => hop.avg),
  W: ms('Wrst', (hop) => hop.worst),
  V: ms('StDev', (hop) => hop.deviation),
}
export const DEFAULT_FIELDS = 'LS NABWV'

export interface Row {
  ttl: number
  hop: Hop
  name: string
  /** Others that answered from there too. */
  others: string[]
}

export interface Report {
  local: string
  target: string
  tos: number
  size: number
  pattern: number
  cycles: number
  fields: string
  rows: Row[]
}

const HOSTS = 33

function cell(field: Field, hop: Hop): string {
  if (field.title === ' ') return ' '
  const value = field.value(hop)
  const text = field.decimals === undefined ? String(value) : (value / 1000).toFixed(field.decimals)
  return ` ${text.padStart(field.digits)}${field.unit ?? ''}`
}

/** -r and -w. A cell that is too wide loses its end to the next, as in the real one's buffer. */
export function tableReport(report: Report, wide: boolean): string {
  const fields = [...report.fields].map((letter) => FIELDS[letter]!)
  const hosts = wide ? Math.max(report.local.length, ...report.rows.map(({ name }) => name.length)) : HOSTS
  const line = (begin: string, cells: string[]): string => {
    let text = begin
    let at = wide ? begin.length : hosts
    cells.forEach((one, i) => {
      text = text.slice(0, at) + one
      at += fields[i]!.width
    })
    return `${text}\n`
  }
  let out = line(
    `HOST: ${report.local.padEnd(hosts)}`,
    fields.map(({ title, width }) => title.padStart(width)),
  )
  for (const { ttl, hop, name, others } of report.rows) {
    out += line(
      ` ${String(ttl).padStart(2)}.|-- ${name.padEnd(hosts)}`,
      fields.map((field) => cell(field, hop)),
    )
    for (const other of others) out += `        ${other.padEnd(hosts)}\n     ${other}\n`
  }
  return out
}

export function csvReport(report: Report, startS: number): string {
  const fields = [...report.fields].map((letter) => FIELDS[letter]!)
  if (report.rows.length === 0) return ''
  let out = `Mtr_Version,Start_Time,Status,Host,Hop,Ip,${fields.map(({ title }) => `${title},`).join('')}\n`
  for (const { ttl, hop, name } of report.rows) {
    const values = fields.map((field) =>
      field.decimals === undefined ? String(field.value(hop)) : (field.value(hop) / 1000).toFixed(2),
    )
    out += `MTR.0.95,${startS},OK,${report.target},${ttl},${name},${values.join(',')}\n`
  }
  return out
}

const hex = (value: number): string => value.toString(16).toUpperCase()

export function xmlReport(report: Report): string {
  const fields = [...report.fields].filter((letter) => letter !== ' ').map((letter) => FIELDS[letter]!)
  let out = `<?xml version="1.0"?>\n<MTR SRC="${report.local}" DST="${report.target}" TOS="0x${hex(report.tos)}" PSIZE="${report.size}"`
  out += ` BITPATTERN="0x${hex(report.pattern).padStart(2, '0')}" TESTS="${report.cycles}">\n`
  for (const { ttl, hop, name } of report.rows) {
    out += `    <HUB COUNT="${ttl}" HOST="${name}">\n`
    for (const field of fields) {
      const title = field.title.replace('%', '')
      out += `        <${title}>${cell(field, hop)}</${title}>\n`
    }
    out += '    </HUB>\n'
  }
  return `${out}</MTR>\n`
}

/** A real number as jansson writes it with five digits. */
function jsonReal(value: number): string {
  const text = String(Number(value.toPrecision(5)))
  return /[.e]/.test(text) ? text : `${text}.0`
}

export function jsonReport(report: Report): string {
  const fields = [...report.fields].filter((letter) => letter !== ' ').map((letter) => FIELDS[letter]!)
  const head = [
    `"src": "${report.local}"`,
    `"dst": "${report.target}"`,
    `"tos": ${report.tos}`,
    `"tests": ${report.cycles}`,
    `"psize": "${report.size}"`,
    `"bitpattern": "0x${hex(report.pattern).padStart(2, '0')}"`,
  ]
  const hubs = report.rows.map(({ ttl, hop, name }) => {
    const values = fields.map((field) => {
      const value = field.value(hop)
      return `"${field.title}": ${field.decimals === undefined ? value : jsonReal(value / 1000)}`
    })
    return block([`"count": ${ttl}`, `"host": "${name}"`, ...values], 3)
  })
  const list = hubs.length === 0 ? '[]' : `[\n${hubs.map((hub) => indent(3) + hub).join(',\n')}\n${indent(2)}]`
  return `{\n    "report": {\n        "mtr": ${block(head, 2)},\n        "hubs": ${list}\n    }\n}\n`
}

const indent = (depth: number): string => ' '.repeat(4 * depth)

function block(lines: string[], depth: number): string {
  return `{\n${lines.map((line) => indent(depth + 1) + line).join(',\n')}\n${indent(depth)}}`
}

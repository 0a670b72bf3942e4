/** CSV as RFC 4180 has it, with the line where each row begins: a refused row must be found again. */
import { EXCHANGE_LIMITS, ExchangeError } from './record.ts'

export interface CsvRow {
  line: number
  fields: string[]
}

const FIELD_MAX = 1024 * 1024
const FIELDS_MAX = 100

/** The rows of a file; blank lines are left out. */
export function* readCsv(source: string): Generator<CsvRow> {
  let at = source.startsWith('\ufeff') ? 1 : 0
  let line = 1
  while (at < source.length) {
    const started = line
    const fields: string[] = []
    for (let more = true; more; ) {
      let field = ''
      if (source[at] === '"') {
        const parts: string[] = []
        for (let from = at + 1; ; ) {
          const quote = source.indexOf('"', from)
          if (quote < 0 || quote - at > FIELD_MAX)
            throw new ExchangeError(`line ${started}: a quoted field that does not end`)
          parts.push(source.slice(from, quote))
          at = quote + 1
          if (source[at] !== '"') break
          parts.push('"')
          from = at + 1
        }
        field = parts.join('')
        for (const character of field) if (character === '\n') line++
      }
      // Rest of the field: all of it, if there were no quotes.
      let end = at
      while (end < source.length && source[end] !== ',' && source[end] !== '\n' && source[end] !== '\r') end++
      field += source.slice(at, end)
      at = end
      if (fields.length < FIELDS_MAX) fields.push(field)
      more = source[at] === ','
      if (more) at++
    }
    if (source[at] === '\r') at++
    if (source[at] === '\n') at++
    line++
    if (fields.length > 1 || fields[0] !== '') yield { line: started, fields }
  }
}

/** Rows as objects by the first row's names, in lower case. */
export function* readTable(source: string): Generator<{ line: number; item: number; row: Record<string, string> }> {
  let names: string[] | undefined
  let item = 0
  for (const { line, fields } of readCsv(source)) {
    if (!names) {
      names = fields.map((name) => name.trim().toLowerCase())
      continue
    }
    item++
    if (item > EXCHANGE_LIMITS.records * 2) return
    const row: Record<string, string> = Object.create(null)
    for (const [i, name] of names.entries()) row[name] = fields[i] ?? ''
    yield { line, item, row }
  }
}

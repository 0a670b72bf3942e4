/** What `-w` prints. curl 7.88.1 src/tool_writeout.c */

/** The facts about a transfer, by the names of -w; times in seconds. */
export type Facts = Record<string, string | number | null | undefined>

const TIMES = new Set([
  'time_appconnect',
  'time_connect',
  'time_namelookup',
  'time_pretransfer',
  'time_redirect',
  'time_starttransfer',
  'time_total',
])

function shown(name: string, value: string | number | null | undefined): string {
  if (value === null || value === undefined) return ''
  if (TIMES.has(name)) return (value as number).toFixed(6)
  if (name === 'http_code' || name === 'response_code' || name === 'http_connect') return String(value).padStart(3, '0')
  return String(value)
}

/** What of the format goes to each of the two streams. */
export function writeOut(
  format: string,
  facts: Facts,
  fields: readonly { name: string; value: string }[],
): { out: string; err: string } {
  const streams = { out: '', err: '' }
  let to: 'out' | 'err' = 'out'
  for (let i = 0; i < format.length; i++) {
    const char = format[i]!
    if (char === '\\' && i + 1 < format.length) {
      const next = format[++i]!
      const escapes: Record<string, string> = { r: '\r', n: '\n', t: '\t' }
      streams[to] += escapes[next] ?? `\\${next}`
      continue
    }
    if (char !== '%' || i + 1 >= format.length) {
      streams[to] += char
      continue
    }
    const rest = format.slice(i)
    const variable = /^%\{([^}]*)\}/.exec(rest)
    const header = /^%header\{([^}]*)\}/.exec(rest)
    if (rest.startsWith('%%')) {
      streams[to] += '%'
      i++
    } else if (header) {
      streams[to] += fields.find((field) => field.name.toLowerCase() === header[1]!.toLowerCase())?.value ?? ''
      i += header[0].length - 1
    } else if (variable) {
      const name = variable[1]!
      i += variable[0].length - 1
      if (name === 'stdout') to = 'out'
      else if (name === 'stderr') to = 'err'
      else if (name === 'onerror') {
        if (facts['exitcode'] === 0) break
      } else if (name === 'json') streams[to] += json(facts)
      else if (name === 'header_json') {
        const grouped: Record<string, string[]> = {}
        for (const field of fields) {
          const key = field.name.toLowerCase()
          grouped[key] = [...(grouped[key] ?? []), field.value]
        }
        streams[to] += `{${Object.entries(grouped)
          .map(([key, values]) => `${JSON.stringify(key)}:[${values.map((value) => JSON.stringify(value)).join(',')}]`)
          .join(',\n')}\n}`
      } else if (Object.hasOwn(facts, name)) streams[to] += shown(name, facts[name])
      else streams.err += `curl: unknown --write-out variable: '${name}'\n`
    } else streams[to] += char
  }
  return streams
}

function json(facts: Facts): string {
  const entries = Object.entries(facts)
    .filter(([name]) => name !== 'onerror')
    .map(([name, value]) => {
      if (value === null || value === undefined) return `"${name}":null`
      if (typeof value === 'number')
        return `"${name}":${TIMES.has(name) ? value.toFixed(6) : name === 'http_connect' ? value : shown(name, value)}`
      return `"${name}":${JSON.stringify(value)}`
    })
  return `{${entries.join(',')}}`
}

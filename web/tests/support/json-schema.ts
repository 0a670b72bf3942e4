/** Judges a value by a JSON Schema, as far as the API's document uses it; a keyword that isn't known here is an error. */

type Schema = Record<string, unknown>

const KNOWN = new Set([
  ...['type', 'properties', 'required', 'additionalProperties', 'items', 'enum', 'anyOf', 'const', 'default'],
  ...['minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems', 'pattern', 'format', 'description'],
])

const typeOf = (value: unknown) =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value

/** What is wrong, each with its place; empty if nothing is. */
export function faults(schema: Schema, value: unknown, at = ''): string[] {
  const unknown = Object.keys(schema).filter((key) => !KNOWN.has(key))
  if (unknown.length > 0) return [`${at}: the schema says ${unknown.join(', ')}`]
  const anyOf = schema['anyOf'] as Schema[] | undefined
  if (anyOf) return anyOf.some((one) => faults(one, value, at).length === 0) ? [] : [`${at}: none of anyOf`]
  const type = schema['type']
  const is = typeOf(value)
  if (type !== undefined && type !== is && !(type === 'number' && is === 'integer'))
    return [`${at}: ${is}, not ${type}`]
  const options = schema['enum'] as unknown[] | undefined
  if (options && !options.includes(value)) return [`${at}: ${JSON.stringify(value)} is not of the enum`]
  if ('const' in schema && schema['const'] !== value) return [`${at}: not ${schema['const']}`]
  const found: string[] = []
  if (typeof value === 'number') {
    if (value < Number(schema['minimum'] ?? value)) found.push(`${at}: less than ${schema['minimum']}`)
    if (value > Number(schema['maximum'] ?? value)) found.push(`${at}: more than ${schema['maximum']}`)
  }
  if (typeof value === 'string') {
    if (value.length < Number(schema['minLength'] ?? 0)) found.push(`${at}: too short`)
    if (value.length > Number(schema['maxLength'] ?? value.length)) found.push(`${at}: too long`)
    if (schema['pattern'] !== undefined && !new RegExp(String(schema['pattern']), 'u').test(value))
      found.push(`${at}: not as the pattern`)
    if (schema['format'] === 'date-time' && !/^\d{4}-\d\d-\d\dT[\d:.]+Z$/u.test(value)) found.push(`${at}: no time`)
  }
  if (Array.isArray(value)) {
    const items = schema['items'] as Schema | undefined
    if (items) for (const [i, item] of value.entries()) found.push(...faults(items, item, `${at}/${i}`))
  } else if (is === 'object') {
    const properties = (schema['properties'] ?? {}) as Record<string, Schema>
    const object = value as Record<string, unknown>
    for (const name of (schema['required'] ?? []) as string[])
      if (!(name in object)) found.push(`${at}/${name}: missing`)
    for (const [name, each] of Object.entries(object)) {
      const own = properties[name]
      const more = schema['additionalProperties']
      if (own) found.push(...faults(own, each, `${at}/${name}`))
      else if (typeof more === 'object' && more) found.push(...faults(more as Schema, each, `${at}/${name}`))
      // What the document doesn't name, programs can't know of.
      else found.push(`${at}/${name}: not in the document`)
    }
  }
  return found
}

/** What JSON exports have in common: values of any kind, taken with care. */
import { EXCHANGE_LIMITS, ExchangeError, type ParsedFile } from '../record.ts'

export type JsonObject = { readonly [name: string]: unknown }

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A service's JSON: how to know it, and how to read it. */
export interface JsonFormat {
  /** Looks at a few items only. */
  knows(value: unknown): boolean
  parse(value: unknown): ParsedFile
}

/** Throws ExchangeError with the engine's place in the text if it isn't JSON. */
export function readJson(source: string): unknown {
  if (source.length > EXCHANGE_LIMITS.characters)
    throw new ExchangeError(
      `the file is larger than ${EXCHANGE_LIMITS.characters / 1024 / 1024} million characters; split it`,
    )
  try {
    return JSON.parse(source.replace(/^\ufeff/u, ''))
  } catch (error) {
    throw new ExchangeError(`this is not JSON: ${(error as Error).message.replace(/\s+/gu, ' ').slice(0, 160)}`)
  }
}

export const str = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
/** true, 1, "1", "true", "yes". */
export const yes = (value: unknown): boolean =>
  value === true || value === 1 || (typeof value === 'string' && /^(1|true|yes|y)$/iu.test(value))

/** Names, be they strings or objects with one. */
export function names(value: unknown): string[] {
  if (typeof value === 'string') return value.split(',')
  return list(value)
    .slice(0, EXCHANGE_LIMITS.tags * 4)
    .map((item) => (isObject(item) ? str(item['name'] ?? item['label'] ?? item['slug']) : str(item)))
}

/** The first items are objects that all have such members. */
export function itemsHave(value: unknown, ...members: string[]): boolean {
  const first = list(value).slice(0, 5)
  return first.length > 0 && first.some((item) => isObject(item) && members.every((member) => member in item))
}

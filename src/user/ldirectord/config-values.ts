/** What several directives' values have in common, as loosely as they are read. */
import { ConfigError } from './config.ts'
import { STATUS, STATUS_ALL, type YesNo } from './types.ts'

/** The first number in a text; an error if there is none, or if it is 0. */
export function positive(line: number, value: string, error: string): number {
  const digits = /\d+/.exec(value)?.[0]
  if (digits === undefined || digits === '0') throw new ConfigError(line, error)
  return Number(digits)
}

/** The first match of a pattern's only group, which mustn't be missing. */
export function found(line: number, value: string, pattern: RegExp, error: string): string {
  const match = pattern.exec(value)
  if (!match) throw new ConfigError(line, error)
  return match[1]!
}

/** Nothing but one of the two words: no blank may follow. */
export function yesNo(line: number, value: string, error: string): YesNo {
  if (value !== 'yes' && value !== 'no') throw new ConfigError(line, error)
  return value
}

/** What stands between the first quotation mark and the last; undefined if the value doesn't begin with one. */
export function quoted(value: string): string | undefined {
  return /^"(.*)"/.exec(value)?.[1]
}

/** Addresses, without the quotation marks around them. */
export function emailAddresses(line: number, value: string): string {
  const bare = value.replace(/^"([^"]*)"$/, '$1')
  if (bare === '') throw new ConfigError(line, 'no email address specified')
  return bare
}

/** `starting, running`: a sum of STATUS. */
export function emailStates(line: number, value: string): number {
  const words = value.split(/\s*,\s*/)
  while (words.at(-1) === '') words.pop()
  const none = words.includes('none')
  let sum = 0
  for (const word of words) {
    if (word === 'none') continue
    if (word === 'all') sum = STATUS_ALL
    else if (Object.hasOwn(STATUS, word)) sum |= STATUS[word as keyof typeof STATUS]
    else throw new ConfigError(line, `invalid email alert status at: "${word}"`)
    if (none) throw new ConfigError(line, `invalid email alert status: "${word}" specified with "none"`)
  }
  return sum
}

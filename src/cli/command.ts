/**
 * How a command of `kaidoku` is defined: its help is written first, and its options are read from the help's lines, so
 * that the two can't part.
 */
import { closest, getopt, type LongOption } from '#base/text'

/** Turns an option's text into its value, or says in a few words what it must be. */
export type OptionType<T> = ((text: string) => T | Mistaken) & { readonly flag?: true }

/** What an option must be, when it isn't. */
export class Mistaken {
  readonly wanted: string
  constructor(wanted: string) {
    this.wanted = wanted
  }
}

/** An option without a value. */
export const flag: OptionType<boolean> = Object.assign(() => true, { flag: true as const })

export const text: OptionType<string> = (value) => value

export const integer: OptionType<number> = (value) =>
  /^\d{1,15}$/.test(value) ? Number(value) : new Mistaken('a whole number, 0 or more')

export const seconds: OptionType<number> = (value) =>
  /^\d{1,9}(\.\d+)?$/.test(value) ? Number(value) : new Mistaken('a number of seconds')

export function oneOf<const T extends string>(...values: T[]): OptionType<T> {
  return (value) => (values.includes(value as T) ? (value as T) : new Mistaken(`one of ${values.join(', ')}`))
}

type Values<O> = { [K in keyof O]?: O[K] extends OptionType<infer T> ? T : never }

export interface Invocation<O> {
  operands: string[]
  options: Values<O>
}

export interface Command {
  name: string
  help: string
  /** One line for the list of commands. */
  summary: string
  /** Runs with the words behind the command's name; gives the exit status. */
  run(words: string[]): Promise<number>
}

/** A mistake in how a command was called; printed with a hint at --help, exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The options that a help text lists: `  -s, --seed=NUMBER   ...`. */
export function optionsOfHelp(help: string): { short: string | undefined; long: string; argument: boolean }[] {
  return [...help.matchAll(/^ {2}(?:-(\w), | {4})--([a-z][a-z-]*)(=[A-Z]+)?/gm)].map((match) => ({
    short: match[1],
    long: match[2]!,
    argument: match[3] !== undefined,
  }))
}

/** Defines a command; an option that the help doesn't list, or lists otherwise, is our own bug and found at once. */
export function defineCommand<O extends Record<string, OptionType<unknown>>>(definition: {
  name: string
  help: string
  options: O
  main(invocation: Invocation<O>): Promise<number>
}): Command {
  const listed = optionsOfHelp(definition.help).filter((option) => option.long !== 'help')
  const names = listed
    .map((option) => option.long)
    .sort()
    .join()
  if (names !== Object.keys(definition.options).sort().join()) {
    throw new Error(`${definition.name}: help and options differ: ${names}`)
  }
  const short = `h${listed.map((option) => (option.short ? option.short + (option.argument ? ':' : '') : '')).join('')}`
  const long: LongOption[] = listed.map((option) => ({
    name: option.long,
    argument: option.argument ? 'required' : 'none',
  }))
  long.push({ name: 'help' })
  const byLetter = new Map(listed.map((option) => [option.short, option.long]))
  return {
    name: definition.name,
    help: definition.help,
    summary: definition.help.split('\n').find((line) => !/^(Usage:|\s)/u.test(line)) ?? '',
    async run(words) {
      const parsed = getopt([`kaidoku ${definition.name}`, ...words], short, long)
      const values: Record<string, unknown> = {}
      for (const { option, value, message } of parsed.options) {
        if (message !== undefined) {
          const like = closest(
            message.replace(/.*'--(.*)'.*/, '$1'),
            listed.map((known) => known.long),
          )
          throw new UsageError(message + (like && message.includes("'--") ? ` (did you mean --${like}?)` : ''))
        }
        if (option === 'h' || option === 'help') {
          process.stdout.write(`${definition.help}\n`)
          return 0
        }
        const name = byLetter.get(option) ?? option
        const made = definition.options[name]!(value ?? '')
        if (made instanceof Mistaken) {
          throw new UsageError(`kaidoku ${definition.name}: --${name}: '${value}' is not ${made.wanted}`)
        }
        values[name] = made
      }
      return definition.main({ operands: parsed.operands, options: values as Values<O> })
    },
  }
}

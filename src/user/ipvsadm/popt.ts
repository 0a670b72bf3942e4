/**
 * A command line as libpopt 1.19 reads it: options in any order and among other words, `-sVALUE`, `-s=VALUE`, `-s VALUE`,
 * `--name=VALUE`, several letters behind one dash, no abbreviations of long names. popt(3).
 */

export interface PoptOption {
  long?: string
  short?: string
  /** `optional`: the next word, unless it begins with a dash. */
  argument?: 'required' | 'optional'
  /** What the program calls it; several may share one. */
  tag: string
}

export type PoptResult =
  | { kind: 'option'; tag: string; value: string | undefined }
  | { kind: 'error'; message: string }
  | { kind: 'end' }

/** poptStrerror(3). */
const BAD_OPTION = 'unknown option'
const NO_ARGUMENT = 'missing argument'
const UNWANTED_ARGUMENT = 'option does not take an argument'

export class Popt {
  readonly #options: readonly PoptOption[]
  readonly #words: readonly string[]
  #at = 0
  /** What follows a letter in its word, as long as there is more. */
  #letters = ''
  #onlyWords = false
  /** Words that are no options, in order. poptGetArg(3). */
  readonly operands: string[] = []

  constructor(options: readonly PoptOption[], words: readonly string[]) {
    this.#options = options
    this.#words = words
  }

  /** The word that was read last, whatever it is: what poptBadOption(3) gives. */
  get badOption(): string {
    return this.#words[this.#at - 1] ?? ''
  }

  /** The next option. */
  next(): PoptResult {
    while (this.#letters === '') {
      const word = this.#words[this.#at]
      if (word === undefined) return { kind: 'end' }
      this.#at++
      if (this.#onlyWords || !word.startsWith('-') || word === '-') this.operands.push(word)
      else if (word === '--') this.#onlyWords = true
      else if (word.startsWith('--')) return this.#long(word.slice(2))
      else this.#letters = word.slice(1)
    }
    const letter = this.#letters.charAt(0)
    this.#letters = this.#letters.slice(1)
    const option = this.#options.find(({ short }) => short === letter)
    if (!option) return this.#error(BAD_OPTION)
    if (option.argument === undefined) {
      if (this.#letters.startsWith('=')) return this.#error(UNWANTED_ARGUMENT)
      return { kind: 'option', tag: option.tag, value: undefined }
    }
    if (this.#letters === '') return this.#argument(option)
    const value = this.#letters.replace(/^=/, '')
    this.#letters = ''
    return { kind: 'option', tag: option.tag, value }
  }

  #long(text: string): PoptResult {
    const equals = text.indexOf('=')
    const name = equals < 0 ? text : text.slice(0, equals)
    const option = this.#options.find(({ long }) => long === name)
    if (!option) return this.#error(BAD_OPTION)
    if (equals < 0) {
      return option.argument === undefined
        ? { kind: 'option', tag: option.tag, value: undefined }
        : this.#argument(option)
    }
    if (option.argument === undefined) return this.#error(UNWANTED_ARGUMENT)
    return { kind: 'option', tag: option.tag, value: text.slice(equals + 1) }
  }

  /** An option's value is the next word. */
  #argument(option: PoptOption): PoptResult {
    const word = this.#words[this.#at]
    if (option.argument === 'optional' && (word === undefined || word.startsWith('-')))
      return { kind: 'option', tag: option.tag, value: undefined }
    if (word === undefined) return this.#error(NO_ARGUMENT)
    this.#at++
    return { kind: 'option', tag: option.tag, value: word }
  }

  #error(message: string): PoptResult {
    this.#letters = ''
    return { kind: 'error', message: `${this.badOption}: ${message}` }
  }
}

/** The words of a command line, and the ways in which iproute2 refuses them. iproute2 6.1 lib/utils.c has the wording. */

/** Ends the command: what it says on standard error, and its exit status. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  constructor(text: string, status: number) {
    super(text)
    this.status = status
  }
}

/** -1 as an exit status. */
export const EXIT_USAGE = 255

/** A position in a command line. */
export class Words {
  readonly #words: readonly string[]
  #at = 0

  constructor(words: readonly string[]) {
    this.#words = words
  }

  get more(): boolean {
    return this.#at < this.#words.length
  }

  /** How many are left, the current one included. */
  get left(): number {
    return this.#words.length - this.#at
  }

  get current(): string {
    return this.#words[this.#at] ?? ''
  }

  /** The one behind the current one, if there is one. */
  get following(): string | undefined {
    return this.#words[this.#at + 1]
  }

  /** The next word, which must be there: the value of the current one. */
  value(): string {
    this.#at++
    if (!this.more) throw new Refusal('Command line is not complete. Try option "help"\n', EXIT_USAGE)
    return this.current
  }

  /** Leaves the current word behind. */
  advance(): void {
    this.#at++
  }

  /** What is left, as a command line of its own. */
  rest(): Words {
    return new Words(this.#words.slice(this.#at))
  }
}

/** Whether `word` abbreviates `full`: iproute2 takes any beginning, and the first in a tool's own order wins. */
export function abbreviates(word: string, full: string): boolean {
  return word !== '' && full.startsWith(word)
}

export function wrongArgument(value: string, why: string): Refusal {
  return new Refusal(`Error: argument "${value}" is wrong: ${why}\n`, EXIT_USAGE)
}

export function duplicate(key: string, value: string): Refusal {
  return new Refusal(`Error: duplicate "${key}": "${value}" is the second value.\n`, EXIT_USAGE)
}

export function duplicateOrGarbage(key: string, value: string): Refusal {
  return new Refusal(`Error: either "${key}" is duplicate, or "${value}" is a garbage.\n`, EXIT_USAGE)
}

export function noDevice(name: string): Refusal {
  return new Refusal(`Cannot find device "${name}"\n`, 1)
}

/** strtoul(3) with base 0 (0x, 0, decimal) over the whole word; undefined unless 0 to max. */
export function parseUnsigned(word: string, max = 0xffffffff, base = 0): number | undefined {
  let digits = word.trimStart()
  if (digits.startsWith('+')) digits = digits.slice(1)
  let radix = base
  if (/^0[xX][0-9a-fA-F]/.test(digits) && (base === 0 || base === 16)) {
    radix = 16
    digits = digits.slice(2)
  } else if (base === 0) radix = digits.length > 1 && digits.startsWith('0') ? 8 : 10
  const allowed = radix === 16 ? /^[0-9a-fA-F]+$/ : radix === 8 ? /^[0-7]+$/ : /^[0-9]+$/
  if (!allowed.test(digits)) return undefined
  const value = Number.parseInt(digits, radix)
  return value <= max ? value : undefined
}

/** As parseUnsigned, and a sign in front. */
export function parseInteger(word: string): number | undefined {
  const negative = word.startsWith('-')
  const value = parseUnsigned(negative ? word.slice(1) : word, negative ? 0x80000000 : 0x7fffffff)
  return value === undefined ? undefined : negative ? -value : value
}

/** parseUnsigned, or the refusal that names what was wrong. */
export function unsigned(word: string, why: string, max = 0xffffffff): number {
  const value = parseUnsigned(word, max)
  if (value === undefined) throw wrongArgument(word, why)
  return value
}

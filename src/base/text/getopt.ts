/**
 * Command lines as getopt_long(3) of glibc takes them: options may stand anywhere, `--` ends them, long ones may be cut
 * short while they are unambiguous, and mistakes are worded as glibc words them.
 */

export interface LongOption {
  name: string
  argument?: 'none' | 'required' | 'optional'
  /** What `option` of the result says; the name itself by default. Usually the short letter. */
  as?: string
}

export interface ParsedOption {
  /** The letter, or what LongOption.as says; '?' for a mistake, ':' for a missing argument. */
  option: string
  value?: string
  /** For '?' and ':': glibc's message, without a newline, beginning with the program's name. */
  message?: string
}

export interface GetoptResult {
  options: ParsedOption[]
  operands: string[]
}

/**
 * @param argv with the program's name first
 * @param short getopt's string: 'ab:c::'; a '+' in front stops at the first operand
 */
export function getopt(argv: readonly string[], short: string, long: readonly LongOption[] = []): GetoptResult {
  const program = argv[0] ?? ''
  const options: ParsedOption[] = []
  const operands: string[] = []
  const stopAtOperand = short.startsWith('+')
  const letters = stopAtOperand || short.startsWith('-') ? short.slice(1) : short
  let i = 1
  for (; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') {
      i++
      break
    }
    if (word.length < 2 || !word.startsWith('-')) {
      if (stopAtOperand) break
      operands.push(word)
      continue
    }
    if (word.startsWith('--')) {
      i = parseLong(word, i)
      continue
    }
    for (let j = 1; j < word.length; j++) {
      const letter = word[j]!
      const at = letter === ':' || letter === ';' ? -1 : letters.indexOf(letter)
      if (at < 0) {
        options.push({ option: '?', message: `${program}: invalid option -- '${letter}'` })
        continue
      }
      if (letters[at + 1] !== ':') {
        options.push({ option: letter })
        continue
      }
      const rest = word.slice(j + 1)
      if (letters[at + 2] === ':') options.push(rest === '' ? { option: letter } : { option: letter, value: rest })
      else if (rest !== '') options.push({ option: letter, value: rest })
      else if (i + 1 < argv.length) options.push({ option: letter, value: argv[++i]! })
      else options.push({ option: ':', message: `${program}: option requires an argument -- '${letter}'` })
      break
    }
  }
  operands.push(...argv.slice(i))
  return { options, operands }

  function parseLong(word: string, at: number): number {
    const equals = word.indexOf('=')
    const name = word.slice(2, equals < 0 ? undefined : equals)
    const value = equals < 0 ? undefined : word.slice(equals + 1)
    const exact = long.find((candidate) => candidate.name === name)
    const candidates = exact ? [exact] : long.filter((candidate) => candidate.name.startsWith(name))
    const found = candidates[0]
    if (!found) {
      options.push({ option: '?', message: `${program}: unrecognized option '--${name}'` })
      return at
    }
    if (candidates.some((other) => (other.as ?? other.name) !== (found.as ?? found.name))) {
      const list = candidates.map((candidate) => `'--${candidate.name}'`).join(' ')
      options.push({ option: '?', message: `${program}: option '--${name}' is ambiguous; possibilities: ${list}` })
      return at
    }
    const option = found.as ?? found.name
    const argument = found.argument ?? 'none'
    if (argument === 'none') {
      if (value === undefined) options.push({ option })
      else options.push({ option: '?', message: `${program}: option '--${found.name}' doesn't allow an argument` })
      return at
    }
    if (value !== undefined) {
      options.push({ option, value })
      return at
    }
    if (argument === 'optional') {
      options.push({ option })
      return at
    }
    if (at + 1 < argv.length) {
      options.push({ option, value: argv[at + 1]! })
      return at + 1
    }
    options.push({ option: ':', message: `${program}: option '--${found.name}' requires an argument` })
    return at
  }
}

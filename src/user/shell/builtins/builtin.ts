/** What a builtin is, and how its options are read: bash's internal_getopt, which stops at the first operand. */
import type { Body } from '#kernel/core'
import type { Shell } from '../shell.ts'

export type Builtin = (shell: Shell, argv: string[]) => Body<number>

export interface BuiltinOptions {
  options: Map<string, string>
  operands: string[]
}

/**
 * @param letters such as 'ab:c'
 * @param usage what bash prints after "usage: "
 */
export function* readOptions(
  shell: Shell,
  argv: readonly string[],
  letters: string,
  usage: string,
): Body<BuiltinOptions | undefined> {
  const options = new Map<string, string>()
  let i = 1
  for (; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') {
      i++
      break
    }
    if (word.length < 2 || word[0] !== '-') break
    for (let j = 1; j < word.length; j++) {
      const letter = word[j]!
      const at = letter === ':' ? -1 : letters.indexOf(letter)
      if (at < 0) {
        yield* shell.complain(`${argv[0]}: -${letter}: invalid option`)
        yield* shell.print(`${argv[0]}: usage: ${usage}\n`, 2)
        return undefined
      }
      if (letters[at + 1] !== ':') {
        options.set(letter, '')
        continue
      }
      const rest = word.slice(j + 1)
      if (rest !== '') options.set(letter, rest)
      else if (i + 1 < argv.length) options.set(letter, argv[++i]!)
      else {
        yield* shell.complain(`${argv[0]}: -${letter}: option requires an argument`)
        yield* shell.print(`${argv[0]}: usage: ${usage}\n`, 2)
        return undefined
      }
      break
    }
  }
  return { options, operands: argv.slice(i) }
}

/** A builtin's mistake, with its name. */
export function* complain(shell: Shell, argv: readonly string[], message: string): Body<void> {
  yield* shell.complain(`${argv[0]}: ${message}`)
}

export function isName(text: string): boolean {
  return /^[A-Za-z_]\w*$/.test(text)
}

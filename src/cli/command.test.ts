/** How commands are defined and called, in this process. */
import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  type Command,
  defineCommand,
  flag,
  integer,
  Mistaken,
  oneOf,
  optionsOfHelp,
  seconds,
  text,
  UsageError,
} from './command.ts'

const files = readdirSync(new URL('commands/', import.meta.url)).filter((name) => !name.includes('.test.'))

describe.each(files)('commands/%s', (file) => {
  test('its help has the usual form, and lists its options', async () => {
    const module = (await import(`./commands/${file}`)) as Record<string, Command>
    const [command] = Object.values(module)
    const lines = command!.help.split('\n')
    expect(lines[0]).toMatch(new RegExp(`^Usage: kaidoku ${command!.name} \\[OPTION\\]\\.\\.\\.`))
    // Below the forms it may be called in.
    expect(lines.find((line) => !/^(Usage:|\s)/u.test(line))).toMatch(/^[A-Z].*[.;:,]/)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120)
    const options = optionsOfHelp(command!.help)
    // Every line that looks like an option was read as one.
    expect(options).toHaveLength(lines.filter((line) => /^ +-/.test(line)).length)
    expect(options.at(-1)).toEqual({ short: 'h', long: 'help', argument: false })
    const letters = options.flatMap(({ short }) => short ?? [])
    expect(new Set(letters).size).toBe(letters.length)
  })
})

describe('defineCommand', () => {
  const definition = {
    name: 'try',
    help: `Usage: kaidoku try [OPTION]...
Try it.

  -n, --number=NUMBER  a number
  -k, --kind=NAME      a or b
  -w, --wait=SECONDS   how long
  -f, --file=FILE      a text
  -q, --quiet          no words
      --all-of-it      everything
  -h, --help           this`,
    options: { number: integer, kind: oneOf('a', 'b'), wait: seconds, file: text, quiet: flag, 'all-of-it': flag },
  }
  const call = async (...words: string[]) => {
    let seen: unknown
    const command = defineCommand({
      ...definition,
      async main(invocation) {
        seen = invocation
        return 7
      },
    })
    expect(await command.run(words)).toBe(7)
    return seen
  }

  test('words become values', async () => {
    expect(await call()).toEqual({ operands: [], options: {} })
    expect(await call('x', '-n', '5', '--kind=b', '-qf', 'y', '--wait', '0.5', '--all', '--', '-z')).toEqual({
      operands: ['x', '-z'],
      options: { number: 5, kind: 'b', quiet: true, file: 'y', wait: 0.5, 'all-of-it': true },
    })
  })

  test.each([
    [['-n', 'five'], "kaidoku try: --number: 'five' is not a whole number, 0 or more"],
    [['--number=-1'], "kaidoku try: --number: '-1' is not a whole number, 0 or more"],
    [['-k', 'c'], "kaidoku try: --kind: 'c' is not one of a, b"],
    [['-w', 'x'], "kaidoku try: --wait: 'x' is not a number of seconds"],
    [['--numbr=1'], "kaidoku try: unrecognized option '--numbr=1' (did you mean --number?)"],
    [['--zzzzzz'], "kaidoku try: unrecognized option '--zzzzzz'"],
    [['-z'], "kaidoku try: invalid option -- 'z'"],
    [['-n'], "kaidoku try: option requires an argument -- 'n'"],
    [['--quiet=1'], "kaidoku try: option '--quiet' doesn't allow an argument"],
  ])('%j is a mistake', async (words, message) => {
    const error = await call(...words).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).toBe(message.replace('--numbr=1', '--numbr'))
  })

  test('help and options can’t part', () => {
    const main = async () => 0
    expect(() => defineCommand({ ...definition, options: { number: integer }, main })).toThrow(
      /help and options differ/,
    )
    const more = { ...definition.options, more: flag }
    expect(() => defineCommand({ ...definition, options: more, main })).toThrow(/help and options differ/)
  })

  test('types', () => {
    expect([integer('0'), integer('1e3'), integer('')]).toEqual([0, expect.any(Mistaken), expect.any(Mistaken)])
    expect([seconds('1.5'), seconds('-1')]).toEqual([1.5, expect.any(Mistaken)])
  })
})

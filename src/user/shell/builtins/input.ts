/** read, mapfile, getopts. */
import { type Body, POLLIN } from '#kernel/core'
import { concat, type Shell } from '../shell.ts'
import { decodeText } from '../text.ts'
import { type Builtin, complain, isName, readOptions } from './builtin.ts'

interface Line {
  text: string
  /** Characters that a backslash quoted, by index. */
  quoted: Set<number>
  /** Why it ended. */
  end: 'delimiter' | 'eof' | 'timeout' | 'count' | 'interrupted'
}

function* takeLine(
  shell: Shell,
  fd: number,
  delimiter: number,
  raw: boolean,
  count: number,
  exact: boolean,
  timeoutNs: number,
): Body<Line> {
  const bytes: number[] = []
  const quotedBytes = new Set<number>()
  const untilNs = shell.sys.monotonicNs() + timeoutNs
  let escaped = false
  const finish = (end: Line['end']): Line => {
    const text = decodeText(Uint8Array.from(bytes))
    // Where bytes and characters agree, so do their indexes; quoting of others is of no consequence to IFS.
    return { text, quoted: quotedBytes, end }
  }
  for (;;) {
    if (count > 0 && decodeText(Uint8Array.from(bytes)).length >= count) return finish('count')
    if (timeoutNs !== Number.POSITIVE_INFINITY) {
      const ready = yield* shell.sys.poll([{ fd, events: POLLIN }], Math.max(0, untilNs - shell.sys.monotonicNs()))
      if (ready.ok && ready.value.length === 0) return finish('timeout')
    }
    const got = yield* shell.sys.read(fd, 1)
    if (!got.ok) {
      if (got.errno === 'EINTR') {
        if (shell.pendingTraps.length > 0 || shell.interrupted) return finish('interrupted')
        continue
      }
      return finish('eof')
    }
    if (got.value.length === 0) return finish('eof')
    const byte = got.value[0]!
    if (escaped) {
      escaped = false
      if (byte === 10) continue
      quotedBytes.add(bytes.length)
      bytes.push(byte)
      continue
    }
    if (!raw && byte === 92) {
      escaped = true
      continue
    }
    if (byte === delimiter && !exact) return finish('delimiter')
    if (byte === 0) continue
    bytes.push(byte)
  }
}

/** Fields for `read`: the last name takes the rest. */
function splitFields(line: Line, ifs: string, most: number): string[] {
  const { text, quoted } = line
  const isSeparator = (i: number) => ifs.includes(text[i]!) && !quoted.has(i)
  const isBlank = (i: number) => isSeparator(i) && /[ \t\n]/.test(text[i]!)
  const fields: string[] = []
  let i = 0
  while (i < text.length && isBlank(i)) i++
  while (i < text.length) {
    if (fields.length === most - 1) {
      let end = text.length
      while (end > i && isBlank(end - 1)) end--
      let rest = text.slice(i, end)
      // One separator at the very end, if nothing else follows, belongs to the field before.
      const at = i + rest.length - 1
      if (rest !== '' && isSeparator(at) && !isBlank(at) && ![...rest.slice(0, -1)].some((_, k) => isSeparator(i + k)))
        rest = rest.slice(0, -1)
      fields.push(rest)
      return fields
    }
    const start = i
    while (i < text.length && !isSeparator(i)) i++
    fields.push(text.slice(start, i))
    while (i < text.length && isBlank(i)) i++
    if (i < text.length && isSeparator(i)) {
      i++
      while (i < text.length && isBlank(i)) i++
    }
  }
  return fields
}

export const input: Record<string, Builtin> = {
  *read(shell, argv) {
    const usage =
      'read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] [-p prompt] [-t timeout] [-u fd] [name ...]'
    const parsed = yield* readOptions(shell, argv, 'a:d:ei:n:N:p:rst:u:', usage)
    if (!parsed) return 2
    const { options, operands } = parsed
    for (const name of operands) {
      if (!isName(name.replace(/\[.*\]$/, ''))) {
        yield* complain(shell, argv, `\`${name}': not a valid identifier`)
        return 1
      }
    }
    const timeout = options.get('t')
    if (timeout !== undefined && !/^\d*\.?\d+$|^\d+\.$/.test(timeout)) {
      yield* complain(shell, argv, `${timeout}: invalid timeout specification`)
      return 1
    }
    const fd = Number(options.get('u') ?? 0)
    const prompt = options.get('p')
    if (prompt !== undefined && shell.sys.isatty(fd)) yield* shell.print(prompt, 2)
    if (timeout !== undefined && Number(timeout) === 0) {
      const ready = yield* shell.sys.poll([{ fd, events: POLLIN }], 0)
      return ready.ok && ready.value.length > 0 ? 0 : 1
    }
    const delimiter = options.has('d') ? (options.get('d') === '' ? 0 : options.get('d')!.charCodeAt(0)) : 10
    const count = Number(options.get('N') ?? options.get('n') ?? 0)
    const line = yield* takeLine(
      shell,
      fd,
      delimiter,
      options.has('r'),
      count,
      options.has('N'),
      timeout === undefined ? Number.POSITIVE_INFINITY : Number(timeout) * 1e9,
    )
    if (line.end === 'interrupted') return shell.interrupted ? 130 : 129
    const ifs = shell.variables.get('IFS') ?? ' \t\n'
    const array = options.get('a')
    if (array !== undefined) shell.variables.setArray(array, splitFields(line, ifs, Number.POSITIVE_INFINITY))
    else if (operands.length === 0) shell.assignElement('REPLY', undefined, line.text)
    else if (options.has('N'))
      operands.forEach((name, i) => shell.assignElement(name, undefined, i === 0 ? line.text : ''))
    else {
      const fields = splitFields(line, ifs, operands.length)
      operands.forEach((name, i) => {
        const element = /^(\w+)\[(.*)\]$/.exec(name)
        shell.assignElement(element ? element[1]! : name, element?.[2], fields[i] ?? '')
      })
    }
    return line.end === 'eof' ? 1 : line.end === 'timeout' ? 142 : 0
  },
  mapfile: readArray,
  readarray: readArray,
  *getopts(shell, argv) {
    const [, letters, name, ...given] = argv
    if (letters === undefined || name === undefined) {
      yield* shell.print('getopts: usage: getopts optstring name [arg ...]\n', 2)
      return 2
    }
    const args = given.length > 0 ? given : shell.positional
    let index = Number(shell.variables.get('OPTIND') ?? 1) || 1
    if (index === 1 && shell.getoptsAt > 0 && !(args[0] ?? '').startsWith('-')) shell.getoptsAt = 0
    const silent = letters.startsWith(':')
    const done = () => {
      shell.variables.set(name, '?')
      shell.variables.unset('OPTARG')
      shell.getoptsAt = 0
      return 1
    }
    const word = args[index - 1]
    if (shell.getoptsAt === 0) {
      if (word === undefined || !/^-./.test(word)) return done()
      if (word === '--') {
        shell.variables.set('OPTIND', String(index + 1))
        return done()
      }
      shell.getoptsAt = 1
    }
    const letter = word![shell.getoptsAt]!
    shell.getoptsAt++
    const ended = shell.getoptsAt >= word!.length
    const at = letter === ':' ? -1 : letters.indexOf(letter)
    shell.variables.unset('OPTARG')
    const next = () => {
      if (!ended) return
      index++
      shell.getoptsAt = 0
    }
    if (at < 0) {
      next()
      shell.variables.set('OPTIND', String(index))
      shell.variables.set(name, '?')
      if (silent) shell.variables.set('OPTARG', letter)
      else if (shell.variables.get('OPTERR') !== '0')
        yield* shell.print(`${shell.name}: illegal option -- ${letter}\n`, 2)
      return 0
    }
    if (letters[at + 1] === ':') {
      const value = ended ? args[index] : word!.slice(shell.getoptsAt)
      index += ended ? 2 : 1
      shell.getoptsAt = 0
      if (value === undefined) {
        shell.variables.set('OPTIND', String(index - 1))
        shell.variables.set(name, silent ? ':' : '?')
        if (silent) shell.variables.set('OPTARG', letter)
        else yield* shell.print(`${shell.name}: option requires an argument -- ${letter}\n`, 2)
        return 0
      }
      shell.variables.set('OPTARG', value)
    } else next()
    shell.variables.set('OPTIND', String(index))
    shell.variables.set(name, letter)
    return 0
  },
}

function* readArray(shell: Shell, argv: string[]): Body<number> {
  const parsed = yield* readOptions(
    shell,
    argv,
    'd:n:O:s:tu:',
    `${argv[0]} [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [array]`,
  )
  if (!parsed) return 2
  const { options, operands } = parsed
  const fd = Number(options.get('u') ?? 0)
  const chunks: Uint8Array[] = []
  for (;;) {
    const got = yield* shell.sys.read(fd, 65536)
    if (!got.ok || got.value.length === 0) break
    chunks.push(got.value)
  }
  const delimiter = options.get('d')?.[0] ?? (options.has('d') ? '\0' : '\n')
  const text = decodeText(concat(chunks))
  let lines = text.split(delimiter).map((line) => line + delimiter)
  const tail = lines.pop()!.slice(0, -1)
  if (tail !== '') lines.push(tail)
  lines = lines.slice(Number(options.get('s') ?? 0))
  const most = Number(options.get('n') ?? 0)
  if (most > 0) lines = lines.slice(0, most)
  if (options.has('t')) lines = lines.map((line) => (line.endsWith(delimiter) ? line.slice(0, -1) : line))
  const name = operands[0] ?? 'MAPFILE'
  const origin = Number(options.get('O') ?? 0)
  if (!options.has('O')) shell.variables.setArray(name, [])
  lines.forEach((line, i) => shell.variables.setElement(name, String(origin + i), line))
  return 0
}

/**
 * What commands printed on a real system, kept as text that one reads and edits: `$ ` begins a command (`> ` its further
 * lines); then standard output after `|`, standard error after `!` and the exit status after `=`. A last line without a
 * newline has `:` or `?` instead.
 */

export interface TranscriptCase {
  command: string
  /** As `formatOutcome` writes it. */
  expected: string
}

export interface Outcome {
  stdout: string
  stderr?: string
  status: number | null
}

/** The commands of a transcript and what they printed; lines before the first command are its heading. */
export function parseTranscript(text: string): { heading: string; cases: TranscriptCase[] } {
  const cases: TranscriptCase[] = []
  let heading = ''
  for (const line of text.split(/(?<=\n)/)) {
    const last = cases[cases.length - 1]
    if (line.startsWith('$ ')) cases.push({ command: line.slice(2).replace(/\n$/, ''), expected: '' })
    else if (last === undefined) heading += line
    else if (line.startsWith('> ')) last.command += `\n${line.slice(2).replace(/\n$/, '')}`
    else if (line !== '\n') last.expected += line
  }
  return { heading, cases }
}

/** The same as text. */
export function formatTranscript(heading: string, cases: readonly TranscriptCase[]): string {
  const texts = cases.map(({ command, expected }) => `$ ${command.replaceAll('\n', '\n> ')}\n${expected}`)
  return heading + texts.join('\n')
}

/** What a command printed and how it ended, in the lines of a transcript; control characters are written `\x1b`. */
export function formatOutcome({ stdout, stderr = '', status }: Outcome): string {
  return `${marked(stdout, '|', ':')}${marked(stderr, '!', '?')}=${status}\n`
}

function marked(text: string, whole: string, cut: string): string {
  if (text === '') return ''
  return text
    .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .split(/(?<=\n)/)
    .map((line) => (line.endsWith('\n') ? whole + line : `${cut}${line}\n`))
    .join('')
}

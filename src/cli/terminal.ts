/** What is printed: colour only on a terminal, a progress bar only where somebody can see it. */

const colours = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

/** Paints text, if the stream is a terminal and NO_COLOR (no-color.org) isn't set. */
export function paint(colour: keyof typeof colours, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  if (!stream.isTTY || process.env['NO_COLOR']) return text
  return `\u001b[${colours[colour]}m${text}\u001b[0m`
}

export function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

export function printError(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** A progress bar on stderr, redrawn in place; silent where stderr is no terminal. */
export class Progress {
  readonly #total: number
  #done = 0
  #drawn = false

  constructor(total: number) {
    this.#total = total
  }

  /** Shows what is being worked on. */
  show(what: string): void {
    if (!process.stderr.isTTY) return
    const width = 24
    const filled = this.#total === 0 ? width : Math.round((this.#done / this.#total) * width)
    const bar = '█'.repeat(filled) + '░'.repeat(width - filled)
    const room = (process.stderr.columns ?? 80) - width - 14
    process.stderr.write(`\r\u001b[2K${bar} ${this.#done}/${this.#total} ${what.slice(0, Math.max(0, room))}`)
    this.#drawn = true
  }

  step(): void {
    this.#done++
  }

  /** Takes the bar away, for a line of output or for good. */
  clear(): void {
    if (this.#drawn) process.stderr.write('\r\u001b[2K')
    this.#drawn = false
  }
}

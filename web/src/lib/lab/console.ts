/** A host's terminal in the lab: a prompt to type at, what commands print, and who may type when. */

import { completeWord } from '#backend/sim'
import { LineEditor } from './line-editor.ts'
import type { LabPort } from './port.ts'

const INTERRUPT = '\x03'

/** A terminal as the lab has it. */
export interface Console {
  readonly host: string
  /** Something runs there, for which time has to pass. */
  readonly alive: boolean
  type(text: string): void
  print(text: string): void
  lend?(command: string): void
  giveBack?(): void
  resize?(columns: number, rows: number): void
  close?(): void
}

/** The terminal on which a host's blocks run. What is typed there is run by the same shell. */
export class HostConsole implements Console {
  /** The lab itself knows what it runs. */
  readonly alive = false
  readonly host: string
  readonly #port: LabPort
  readonly #editor: LineEditor

  constructor(host: string, port: LabPort) {
    this.host = host
    this.#port = port
    this.#editor = new LineEditor({
      show: (text) => port.show(host, text),
      submit: (line) => this.#submit(line),
      complete: (before) => completeWord(port.lab, host, before),
    })
    this.ask()
  }

  /** Whether a line can be typed, and so a command begun. */
  get asking(): boolean {
    return this.#editor.asking
  }

  ask(): void {
    this.#editor.prompt(`${this.host}# `)
  }

  /** What a reader types. */
  type(text: string): void {
    if (!this.#editor.asking && text.includes(INTERRUPT)) {
      this.#port.show(this.host, '^C')
      this.#port.interrupt(this.host)
      const rest = text.slice(text.lastIndexOf(INTERRUPT) + 1)
      if (rest !== '') this.#editor.type(rest)
      return
    }
    this.#editor.type(text)
  }

  /** Shows a block's command as if it had been typed here, and puts aside what a reader was typing. */
  lend(command: string): void {
    this.#editor.suspend()
    this.#port.show(this.host, `${this.host}# ${command.replaceAll('\n', '\r\n> ')}\r\n`)
  }

  giveBack(): void {
    this.#editor.restore()
  }

  /** What a command printed. */
  print(text: string): void {
    this.#port.show(this.host, text.replaceAll(/\r?\n/gu, '\r\n'))
  }

  #submit(line: string): void {
    if (line.trim() === '') this.ask()
    else this.#port.begin(this, line)
  }
}

/**
 * One more terminal on a host: a pseudo-terminal with an interactive bash of its own, as ssh would give one. All that a
 * terminal does there is the simulated kernel's and bash's: echo, Ctrl-C, Ctrl-Z, jobs, Ctrl-R, programs that use the
 * whole screen.
 */
import { createTerminal, type Terminal } from '#kernel/core'
import { DEFAULT_ENVIRONMENT } from '#user/shell'
import type { Console } from './console.ts'
import type { LabPort } from './port.ts'

/** What bash and the terminal need to deal with a key, at the least. */
const DEALING_NS = 20e6

export class PtyConsole implements Console {
  readonly host: string
  readonly #name: string
  readonly #port: LabPort
  readonly #decoder = new TextDecoder()
  #terminal: Terminal | undefined
  #group = 0
  #untilNs = 0

  constructor(name: string, host: string, port: LabPort) {
    this.#name = name
    this.host = host
    this.#port = port
    this.#start()
  }

  /** Unless bash waits at its prompt, something runs. */
  get alive(): boolean {
    const terminal = this.#terminal
    if (!terminal || terminal.hungUp) return false
    if (this.#port.lab.nowNs < this.#untilNs) return true
    return terminal.foreground !== this.#group || terminal.termios.ICANON
  }

  type(text: string): void {
    if (!this.#terminal || this.#terminal.hungUp) {
      this.#start()
      return
    }
    this.#as(() => this.#terminal?.input(text))
  }

  resize(columns: number, rows: number): void {
    this.#as(() => this.#terminal?.resize(columns, rows))
  }

  close(): void {
    this.#as(() => this.#terminal?.hangUp())
    this.#port.closed(this.#name)
  }

  print(text: string): void {
    this.#port.show(this.#name, text)
  }

  #as(act: () => void): void {
    const { lab } = this.#port
    lab.world.as(lab.world.host(this.host), act)
    this.#untilNs = lab.nowNs + DEALING_NS
  }

  #start(): void {
    const place = this.#port.lab.world.host(this.host)
    if (!place.kernel.up || place.paused) {
      this.print(`${this.host} doesn't answer; a key tries again\r\n`)
      return
    }
    this.#as(() => {
      const terminal = createTerminal(place.kernel, {
        columns: 80,
        rows: 24,
        onOutput: (bytes) => this.print(this.#decoder.decode(bytes, { stream: true })),
      })
      const { pgid } = place.kernel.spawn({
        argv: ['bash'],
        terminal,
        env: DEFAULT_ENVIRONMENT,
        cwd: '/root',
        onExit: () => {
          if (this.#terminal === terminal) this.#port.closed(this.#name)
        },
      })
      this.#terminal = terminal
      this.#group = pgid
    })
  }
}

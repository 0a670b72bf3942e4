/**
 * Standard output as C programs have it: by lines on a terminal, in blocks elsewhere; standard error at once. Printing
 * never blocks: `settle` writes what is due, and a program calls it before it waits.
 */
import { encodeUtf8 } from '#base/bytes'
import type { Body, Sys } from '#kernel/core'

/** Ends a program from within its functions, as exit(3) does. */
export class Exit extends Error {
  override readonly name = 'Exit'
  readonly status: number
  constructor(status: number) {
    super(`exit ${status}`)
    this.status = status
  }
}

const BLOCK = 4096

export class Stdio {
  readonly sys: Sys
  /** argv[0], as messages begin with it. */
  readonly program: string
  readonly #mode: 'none' | 'line' | 'block'
  #due: { fd: number; bytes: Uint8Array }[] = []
  #held: Uint8Array[] = []
  #heldLength = 0
  #broken = false

  /** @param mode 'none': setvbuf(stdout, NULL, _IONBF, 0) */
  constructor(sys: Sys, program: string, mode?: 'none' | 'line' | 'block') {
    this.sys = sys
    this.program = program
    this.#mode = mode ?? (sys.isatty(1) ? 'line' : 'block')
  }

  print(text: string): void {
    if (text !== '') this.write(encodeUtf8(text))
  }

  write(bytes: Uint8Array): void {
    this.#held.push(bytes)
    this.#heldLength += bytes.length
    if (this.#mode === 'none' || this.#heldLength >= BLOCK || (this.#mode === 'line' && bytes.includes(10)))
      this.flush()
  }

  /** fflush(stdout). */
  flush(): void {
    if (this.#heldLength === 0) return
    for (const bytes of this.#held) this.#due.push({ fd: 1, bytes })
    this.#held = []
    this.#heldLength = 0
  }

  error(text: string): void {
    if (text !== '') this.#due.push({ fd: 2, bytes: encodeUtf8(text) })
  }

  /** Whether standard output can't be written any more. */
  get broken(): boolean {
    return this.#broken
  }

  *settle(): Body<void> {
    while (this.#due.length > 0) {
      const { fd } = this.#due[0]!
      const run: Uint8Array[] = []
      while (this.#due[0]?.fd === fd) run.push(this.#due.shift()!.bytes)
      const done = yield* this.sys.write(fd, joined(run))
      if (!done.ok && fd === 1) this.#broken = true
    }
  }

  /** Runs a program's body, and at its end writes all that is left. */
  *run(body: Body<number>): Body<number> {
    let status: number
    try {
      status = yield* body
    } catch (error) {
      if (!(error instanceof Exit)) throw error
      status = error.status
    }
    this.flush()
    yield* this.settle()
    return status
  }
}

/** Several pieces as one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

/**
 * Standard output as C programs have it: by lines on a terminal, else by what they flush; and glibc's error(3), which
 * flushes it first. Nothing blocks until `settle`, which a program calls before it does.
 */
import { encodeUtf8 } from '#base/bytes'
import { type Body, type Errno, type Sys, strerror } from '#kernel/core'

/** Ends a program from within its functions, as exit(3) does. */
export class Exit extends Error {
  override readonly name = 'Exit'
  readonly status: number
  constructor(status: number) {
    super(`exit ${status}`)
    this.status = status
  }
}

export class Stdio {
  readonly sys: Sys
  readonly program: string
  /** setbuf(stdout, NULL). */
  unbuffered = false
  readonly #chunks: { fd: 1 | 2; text: string }[] = []
  /** How many of the chunks may go out. */
  #ready = 0
  readonly #terminal: boolean

  constructor(sys: Sys, program: string) {
    this.sys = sys
    this.program = program
    this.#terminal = sys.isatty(1)
  }

  print(text: string): void {
    this.#chunks.push({ fd: 1, text })
    if (this.#terminal || this.unbuffered) this.flush()
  }

  /** fflush(stdout). */
  flush(): void {
    this.#ready = this.#chunks.length
  }

  stderr(text: string): void {
    // Unbuffered: it may overtake what standard output still holds.
    this.#chunks.splice(this.#ready++, 0, { fd: 2, text })
  }

  /** error(3) with status 0. */
  warn(text: string, errno?: Errno): void {
    this.flush()
    this.stderr(`${this.program}: ${text}${errno ? `: ${strerror(errno)}` : ''}\n`)
  }

  /** error(3) with a status: it doesn't return. */
  die(status: number, text: string, errno?: Errno): never {
    this.warn(text, errno)
    throw new Exit(status)
  }

  /** Writes what may go out. */
  *settle(): Body<void> {
    while (this.#ready > 0) {
      this.#ready--
      const { fd, text } = this.#chunks.shift()!
      yield* this.sys.write(fd, encodeUtf8(text))
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

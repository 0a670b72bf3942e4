/** A file that takes what a program prints and looks like a terminal to it: where an article's commands print. */
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { OpenFile, Stat } from './file.ts'
import { POLLIN, POLLOUT } from './file.ts'
import { COOKED, type Termios } from './terminal.ts'
import { NEVER_WOKEN } from './wait.ts'

export interface CaptureOptions {
  columns?: number
  rows?: number
  /** Takes the bytes as they were written: \n stays \n. */
  onOutput(bytes: Uint8Array): void
  /** False: not a terminal, as a pipe to a file. */
  terminal?: boolean
}

class Capture implements OpenFile {
  flags = 2
  references = 0
  readonly queue = NEVER_WOKEN
  readonly description = '/dev/pts/0'
  readonly #options: CaptureOptions
  readonly #termios: Termios = { ...COOKED }

  constructor(options: CaptureOptions) {
    this.#options = options
  }

  stat(): Stat {
    return { type: 'char', mode: 0o620, size: 0, inode: 3, links: 1, uid: 0, gid: 5, mtimeNs: 0, rdev: [136, 0] }
  }

  read(): SysResult<Uint8Array> {
    return ok(new Uint8Array(0))
  }

  write(bytes: Uint8Array): SysResult<number> {
    this.#options.onOutput(bytes)
    return ok(bytes.length)
  }

  poll(): number {
    return POLLIN | POLLOUT
  }

  ioctl(request: string, argument: unknown): SysResult<unknown> {
    if (this.#options.terminal === false) return fail('ENOTTY')
    switch (request) {
      case 'TIOCGWINSZ':
        return ok({ columns: this.#options.columns ?? 80, rows: this.#options.rows ?? 24 })
      case 'TCGETS':
        return ok({ ...this.#termios })
      case 'TCSETS':
      case 'TCSETSW':
      case 'TCSETSF':
        Object.assign(this.#termios, argument)
        return ok(undefined)
      default:
        return fail('ENOTTY')
    }
  }
}

/** A capture; it can be the files 1 and 2 of a process that is spawned. */
export function createCapture(options: CaptureOptions): OpenFile {
  return new Capture(options)
}

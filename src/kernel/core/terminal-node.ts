/** /dev/pts/N, and what a link of /proc/PID/fd leads to. */
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { FileType, OpenFile, Stat } from './file.ts'
import type { KernelHost } from './kernel.ts'
import { Node } from './node.ts'
import { O_DIRECTORY } from './sys.ts'
import { type Terminal, terminalStat } from './terminal.ts'

export class TerminalNode extends Node {
  readonly type = 'char'
  readonly #terminal: Terminal

  constructor(terminal: Terminal) {
    super()
    this.#terminal = terminal
  }

  override stat(): Stat {
    return terminalStat(this.#terminal)
  }

  override open(_host: KernelHost, flags: number): SysResult<OpenFile> {
    if ((flags & O_DIRECTORY) !== 0) return fail('ENOTDIR')
    return this.#terminal.hungUp ? fail('EIO') : ok(this.#terminal.open(flags))
  }
}

/** An open file without a path of its own (a pipe, a capture, a deleted file): opening it gives the same one. */
export class OpenFileNode extends Node {
  readonly #file: OpenFile

  constructor(file: OpenFile) {
    super()
    this.#file = file
  }

  get type(): FileType {
    return this.#file.stat().type
  }

  override stat(): Stat {
    return this.#file.stat()
  }

  override open(): SysResult<OpenFile> {
    return this.#file.socket ? fail('ENXIO') : ok(this.#file)
  }
}

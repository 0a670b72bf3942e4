/**
 * Where ldirectord's words go: with -d all to standard error, more of them; supervised to standard output; else to the log
 * file, which is opened for each line, so that it may be moved away.
 */
import { encodeUtf8 } from '#base/bytes'
import { type Body, type Errno, O_APPEND, O_CREAT, O_WRONLY, type Sys, strerror } from '#kernel/core'
import type { Stdio } from '#user/libc'
import { localtime } from './perl.ts'
import type { Globals } from './types.ts'

/** What Perl calls the program in its own messages. */
export const PROGRAM = '/usr/sbin/ldirectord'

export class Output {
  sys: Sys
  readonly io: Stdio
  readonly globals: Globals
  /** -d. */
  readonly debugging: boolean
  /** The configuration's name, which is in each line and in the name of the file with the pid. */
  configName = ''
  /** $!: what the last call that failed said, as far as messages print it. */
  errno = ''

  constructor(sys: Sys, io: Stdio, globals: Globals, debugging: boolean) {
    this.sys = sys
    this.io = io
    this.globals = globals
    this.debugging = debugging
  }

  get now(): string {
    return localtime(this.sys.realtime().s)
  }

  *error(text: string): Body<void> {
    yield* this.sys.write(2, encodeUtf8(text))
  }

  /** At a priority of up to 3, as -d has it. */
  *debug(priority: number, message: string): Body<void> {
    if (this.debugging && priority <= 3) yield* this.error(`DEBUG${priority}: ${message.replace(/\n$/, '')}\n`)
  }

  /** A warning of Perl's own. A daemon's go nowhere. */
  *warn(message: string, line: number, inputLine?: string): Body<void> {
    if (this.debugging || this.globals.supervised === 'yes') {
      yield* this.error(`${message} at ${PROGRAM} line ${line}${inputLine === undefined ? '' : `, ${inputLine}`}.\n`)
    }
  }

  /** @param pid whose line it is: that of a child which has already ended, or this process */
  *log(text: string, pid = this.sys.pid): Body<void> {
    yield* this.debug(2, text)
    const message = text.replace(/\n$/, '')
    const { logfile, supervised } = this.globals
    if (this.debugging) yield* this.error(`${message}\n`)
    else if (supervised === 'yes') {
      this.io.print(`[${this.now}] ${message}\n`)
      yield* this.io.settle()
    } else if (logfile.startsWith('/')) {
      const line = `[${this.now}|${this.configName}|${pid}] ${message}\n`
      if ((yield* this.append(logfile, line)) !== undefined) yield* this.error(`${message}\n`)
    }
    // Anything else is a facility of syslog's, and there is no socket to send to.
  }

  /** Adds to a file; what went wrong, or undefined. */
  *append(path: string, text: string): Body<Errno | undefined> {
    const opened = yield* this.sys.open(path, O_WRONLY | O_CREAT | O_APPEND, 0o666)
    if (!opened.ok) {
      this.errno = strerror(opened.errno)
      return opened.errno
    }
    // Perl asks each file that it opens whether it is a terminal.
    this.errno = 'Inappropriate ioctl for device'
    const written = text === '' ? undefined : yield* this.sys.write(opened.value, encodeUtf8(text))
    this.sys.close(opened.value)
    return written === undefined || written.ok ? undefined : written.errno
  }
}

/**
 * Where keepalived's lines go: to standard error with -n and -l, each behind the time; to nobody otherwise, as there is no
 * syslog in a lab. A test of the configuration prints complaints only, and bare.
 *
 * keepalived 2.2.7 lib/logger.c: vlog_message(); lib/parser.c: report_config_error()
 */
import { ctime } from '#base/text'
import type { Sys } from '#kernel/core'
import type { Stdio } from '#user/libc'

/** strftime's %c in the C locale, in UTC. */
export const formatTime = ctime

export interface LogOptions {
  /** -n with -l. */
  console: boolean
  /** -D. */
  detail: boolean
  /** -t. */
  test: boolean
}

export class Log {
  readonly #sys: Sys
  readonly #io: Stdio
  readonly options: LogOptions

  constructor(sys: Sys, io: Stdio, options: LogOptions) {
    this.#sys = sys
    this.#io = io
    this.options = options
  }

  /** The same log, written by another process. */
  of(sys: Sys, io: Stdio): Log {
    return new Log(sys, io, this.options)
  }

  get detailed(): boolean {
    return this.options.detail
  }

  info(text: string): void {
    if (this.options.test || !this.options.console) return
    this.#io.error(`${formatTime(this.#sys.realtime().s)}: ${text}\n`)
  }

  /** What only -D tells. */
  detail(text: string): void {
    if (this.options.detail) this.info(text)
  }

  /** What is wrong with the configuration. */
  complain(text: string): void {
    if (this.options.test) this.#io.error(`${text}\n`)
    else this.info(text)
  }
}

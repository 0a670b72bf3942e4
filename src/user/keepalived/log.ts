/**
 * Where keepalived's lines go: to standard error with -n and -l, each behind the time; to nobody otherwise, as there is no
 * syslog in a lab. A test of the configuration prints complaints only, and bare.
 *
 * keepalived 2.2.7 lib/logger.c: vlog_message(); lib/parser.c: report_config_error()
 */
import type { Sys } from '#kernel/core'
import type { Stdio } from '#user/libc'

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** strftime's %c in the C locale, in UTC. */
export function formatTime(seconds: number): string {
  const day = Math.floor(seconds / 86_400)
  const left = seconds - day * 86_400
  const { year, month, date } = civil(day)
  const two = (value: number) => String(value).padStart(2, '0')
  const clock = `${two(Math.floor(left / 3600))}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`
  return `${DAYS[(day + 4) % 7]} ${MONTHS[month]} ${String(date).padStart(2)} ${clock} ${year}`
}

/** A day's date, counting years from March, so that the odd day is a year's last. */
function civil(day: number): { year: number; month: number; date: number } {
  const shifted = day + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const date = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1
  const month = (fromMarch + 2) % 12
  return { year: yearOfEra + era * 400 + (month < 2 ? 1 : 0), month, date }
}

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

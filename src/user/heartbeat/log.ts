/** heartbeat's log: its files, and standard error until it is a daemon. cluster-glue 1.0.12 lib/clplumbing/cl_log.c */
import { encodeLatin1, encodeUtf8 } from '#base/bytes'
import { type Body, O_APPEND, O_CREAT, O_WRONLY, type Sys } from '#kernel/core'

export type Level = 'CRIT' | 'ERROR' | 'WARN' | 'notice' | 'info' | 'debug'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (number: number) => String(number).padStart(2, '0')

/** Year, month (from 1), day and so on of a time in seconds since the epoch, UTC. */
function calendar(seconds: number): { year: number; month: number; day: number; time: string } {
  const days = Math.floor(seconds / 86_400)
  const rest = seconds - days * 86_400
  // Days are counted from the first of March of a year 0, so that the leap day comes last.
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const ofEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  )
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const fromMarch = Math.floor((5 * ofYear + 2) / 153)
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
    time: [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60].map(two).join(':'),
  }
}

/** `Jan 01 00:00:12`, as syslog has it and scripts print by default. */
export function syslogTime(seconds: number): string {
  const { month, day, time } = calendar(seconds)
  return `${MONTHS[month - 1]} ${two(day)} ${time}`
}

/** `2026/01/01_00:00:12`: HA_DATEFMT of the daemon's children. */
export function haTime(seconds: number): string {
  const { year, month, day, time } = calendar(seconds)
  return `${year}/${two(month)}/${two(day)}_${time}`
}

export class HaLog {
  sys: Sys
  readonly node: string
  logFile = ''
  debugFile = ''
  /** False: the lines of `syslogmsgfmt off`. */
  syslogFormat = true
  stderr = true
  debugLevel = 0
  #due: { to: string | 2; text: string }[] = []

  constructor(sys: Sys, node: string) {
    this.sys = sys
    this.node = node
  }

  /** The same log in a child. */
  of(sys: Sys): HaLog {
    const log = new HaLog(sys, this.node)
    log.logFile = this.logFile
    log.debugFile = this.debugFile
    log.syslogFormat = this.syslogFormat
    log.stderr = this.stderr
    log.debugLevel = this.debugLevel
    return log
  }

  say(level: Level, text: string): void {
    const { s } = this.sys.realtime()
    const { pid } = this.sys
    const line = this.syslogFormat
      ? `${syslogTime(s)} ${this.node} heartbeat: [${pid}]: ${level}: ${text}\n`
      : `heartbeat[${pid}]: ${haTime(s)} ${level}: ${text}\n`
    if (this.stderr) this.#due.push({ to: 2, text: line })
    // One file of that name is enough.
    if (
      this.debugFile !== '' &&
      this.debugFile !== '/dev/null' &&
      (level === 'debug' || this.debugFile !== this.logFile)
    )
      this.#due.push({ to: this.debugFile, text: line })
    if (this.logFile !== '' && this.logFile !== '/dev/null' && level !== 'debug')
      this.#due.push({ to: this.logFile, text: line })
  }

  /** Text for standard error that is no line of the log. */
  raw(text: string): void {
    this.#due.push({ to: 2, text })
  }

  *flush(): Body<void> {
    while (this.#due.length > 0) {
      const { to, text } = this.#due.shift()!
      if (to === 2) yield* this.sys.write(2, encodeLatin1(text))
      else yield* append(this.sys, to, encodeLatin1(text))
    }
  }
}

/** Adds text to the end of a file. */
export function* appendText(sys: Sys, path: string, text: string): Body<void> {
  yield* append(sys, path, encodeUtf8(text))
}

function* append(sys: Sys, path: string, bytes: Uint8Array): Body<void> {
  const opened = yield* sys.open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
  if (!opened.ok) return
  yield* sys.write(opened.value, bytes)
  sys.close(opened.value)
}

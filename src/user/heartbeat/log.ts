/** heartbeat's log: its files, and standard error until it is a daemon. cluster-glue 1.0.12 lib/clplumbing/cl_log.c */
import { encodeLatin1, encodeUtf8 } from '#base/bytes'
import { civilOfSeconds, clockText, MONTHS } from '#base/text'
import { type Body, O_APPEND, O_CREAT, O_WRONLY, type Sys } from '#kernel/core'

export type Level = 'CRIT' | 'ERROR' | 'WARN' | 'notice' | 'info' | 'debug'

const two = (number: number) => String(number).padStart(2, '0')

/** `Jan 01 00:00:12`, as syslog has it and scripts print by default. */
export function syslogTime(seconds: number): string {
  const time = civilOfSeconds(seconds)
  return `${MONTHS[time.month - 1]} ${two(time.day)} ${clockText(time)}`
}

/** `2026/01/01_00:00:12`: HA_DATEFMT of the daemon's children. */
export function haTime(seconds: number): string {
  const time = civilOfSeconds(seconds)
  return `${time.year}/${two(time.month)}/${two(time.day)}_${clockText(time)}`
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

/** What heartbeat's shell scripts have in common: how they log, and where. resource-agents 4.12 heartbeat/ocf-shellfuncs: ha_log(), ocf_log() */
import type { Body, Sys } from '#kernel/core'
import { Stdio } from '#user/libc'
import { appendText, haTime, syslogTime } from './log.ts'

export const OCF = {
  SUCCESS: 0,
  GENERIC: 1,
  ARGS: 2,
  UNIMPLEMENTED: 3,
  INSTALLED: 5,
  CONFIGURED: 6,
  NOT_RUNNING: 7,
} as const
/** Where scripts keep what they must remember until the next boot. */
export const RSCTMP = '/run/resource-agents'

/** A shell script's process: its words, what it prints, and its log. */
export class Script {
  readonly sys: Sys
  readonly io: Stdio
  /** How it calls itself in the log. */
  name: string
  instance: string

  constructor(sys: Sys, io: Stdio, name: string, instance = 'default') {
    this.sys = sys
    this.io = io
    this.name = name
    this.instance = instance
  }

  env(name: string): string {
    return this.sys.env.get(name) ?? ''
  }

  /** Where what scripts say on their outputs goes. */
  get debugLog(): string {
    return this.env('HA_DEBUGLOG') || '/dev/null'
  }

  /** ha_log: to the terminal if there is one, to heartbeat's log file, or to standard error. */
  *log(text: string): Body<void> {
    const { sys } = this
    if (sys.isatty(0)) {
      this.io.error(`${text}\n`)
      yield* this.io.settle()
      return
    }
    const date = this.#date()
    const tag = `${this.name}(${this.instance})[${sys.pid}]`
    const facility = this.env('HA_LOGFACILITY')
    const file = this.env('HA_LOGFILE')
    const debug = this.debugLog
    if (file !== '') yield* appendText(sys, file, `${date} ${tag}:    ${text}\n`)
    if (file === '' && (facility === '' || facility === 'none')) {
      this.io.error(`${date}${text}\n`)
      yield* this.io.settle()
    }
    if (debug !== file && debug !== '/dev/null') yield* appendText(sys, debug, `${tag}:\t${date}${text}\n`)
  }

  /** ocf_log. */
  *ocf(level: 'ERROR' | 'WARNING' | 'INFO', text: string): Body<void> {
    yield* this.log(`${level}: ${text}`)
  }

  /** ocf_exit_reason. */
  *reason(text: string): Body<void> {
    this.io.error(`ocf-exit-reason:${text}\n`)
    yield* this.io.settle()
    if (!this.sys.isatty(0) && this.env('HA_LOGFILE') !== '') yield* this.log(`ERROR: ${text}`)
  }

  #date(): string {
    const { s } = this.sys.realtime()
    return `${this.env('HA_DATEFMT') === '' ? syslogTime(s) : haTime(s)} `
  }
}

/** What a shell needs to read its functions and to run the small tools between them, as seen on an emulated Debian. */
const COSTS_MS: Record<string, number> = { ResourceManager: 26, 'init.d/heartbeat': 60, service: 6 }
const COST_MS = 10

/** A program from a script's body. */
export function scriptMain(
  name: string,
  body: (script: Script, argv: string[]) => Body<number>,
): (sys: Sys, argv: string[]) => Body<number> {
  return (sys, argv) => {
    const io = new Stdio(sys, name)
    const timed = function* (): Body<number> {
      yield* sys.compute((COSTS_MS[name] ?? COST_MS) * 1e6)
      return yield* body(new Script(sys, io, name.replace(/.*\//, '')), argv)
    }
    return io.run(timed())
  }
}

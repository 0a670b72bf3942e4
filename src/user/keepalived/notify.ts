/** Telling others of a state: scripts and FIFOs. keepalived 2.2.7 vrrp/vrrp_notify.c; lib/notify.c: notify_fifo_open() */

import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, O_NONBLOCK, O_RDWR, type Sys } from '#kernel/core'
import type { Log } from './log.ts'
import type { Loop } from './loop.ts'
import type { GlobalConfig, NotifyScripts, State, SyncGroup, VirtualRouter } from './model.ts'
import { runScript, type Script } from './scripts.ts'

const FIELDS: Partial<Record<State, keyof NotifyScripts>> = {
  BACKUP: 'backup',
  MASTER: 'master',
  FAULT: 'fault',
  STOP: 'stop',
  DELETED: 'deleted',
}

/** How long a script may take while keepalived stops. */
const STOP_US = 1_000_000

interface Fifo {
  path: string
  fd: number
  made: boolean
}

export class Notifier {
  readonly #sys: Sys
  readonly #log: Log
  readonly #loop: Loop
  readonly #console: boolean
  global: GlobalConfig
  #fifos: Fifo[] = []

  constructor(sys: Sys, log: Log, loop: Loop, global: GlobalConfig, console: boolean) {
    this.#sys = sys
    this.#log = log
    this.#loop = loop
    this.global = global
    this.#console = console
  }

  /** Makes the FIFOs, and runs their readers. */
  *openFifos(fifos: { name?: string; script?: Script | undefined }[], kind: string): Body<void> {
    for (const { name, script } of fifos) {
      if (name === undefined) continue
      const made = this.#sys.mkfifo(name, 0o644)
      const which = fifos.indexOf(fifos.find((each) => each.name === name)!) === 0 ? '' : kind
      if (!made.ok && made.errno !== 'EEXIST') {
        this.#log.info(`Unable to create ${which}notify fifo ${name}`)
        continue
      }
      if (script) {
        const pid = runScript(this.#sys, script, [name], this.#console)
        this.#loop.child(pid, Number.POSITIVE_INFINITY, () => undefined)
      }
      const opened = yield* this.#sys.open(name, O_RDWR | O_NONBLOCK)
      if (opened.ok) this.#fifos.push({ path: name, fd: opened.value, made: made.ok })
      else this.#log.info(`Unable to open ${which}notify fifo ${name} - errno 0`)
    }
  }

  closeFifos(): void {
    for (const { path, fd, made } of this.#fifos) {
      if (made) this.#sys.unlink(path)
      this.#sys.close(fd)
    }
    this.#fifos = []
  }

  /** A line for who reads the FIFOs. */
  *line(text: string): Body<void> {
    for (const { fd } of this.#fifos) yield* this.#sys.write(fd, encodeUtf8(`${text}\n`))
  }

  /** Runs a script; while keepalived stops it is waited for. */
  run(script: Script, more: readonly string[], stopping: boolean): void {
    const pid = runScript(this.#sys, script, more, this.#console)
    if (stopping) {
      this.#loop.child(pid, STOP_US, (ended) => {
        if (ended === 'timeout') this.#sys.kill(-pid, 'SIGKILL')
      })
    }
  }

  #tell(scripts: NotifyScripts, type: string, name: string, state: State, priority: number): void {
    const field = FIELDS[state]
    const own = field && scripts[field]
    const stopping = state === 'STOP'
    if (own) this.run(own, [], stopping && type === 'INSTANCE')
    if (scripts.any) this.run(scripts.any, [type, name, state, String(priority)], stopping)
  }

  *instance(router: VirtualRouter): Body<void> {
    // Its group has told already, or will.
    if (router.notified && router.sync && router.state === router.sync.state) return
    if (!router.notifyDeleted && router.state === 'DELETED') router.state = 'FAULT'
    router.notified = true
    this.#tell(router.notify, 'INSTANCE', router.name, router.state, router.effectivePriority)
    yield* this.line(`INSTANCE "${router.name}" ${router.state} ${router.effectivePriority}`)
    this.mail(router.smtpAlert)
  }

  *group(group: SyncGroup): Body<void> {
    this.#tell(group.notify, 'GROUP', group.name, group.state, 0)
    yield* this.line(`GROUP "${group.name}" ${group.state} 0`)
    this.mail(group.smtpAlert)
  }

  *priority(router: VirtualRouter): Body<void> {
    const state = router.state === 'MASTER' ? 'MASTER_PRIORITY' : 'BACKUP_PRIORITY'
    yield* this.line(`INSTANCE "${router.name}" ${state} ${router.effectivePriority}`)
  }

  *lowerPriority(router: VirtualRouter): Body<void> {
    const script = router.notify.masterRxLowerPri
    if (script) this.run(script, [], false)
    yield* this.line(`INSTANCE "${router.name}" MASTER_RX_LOWER_PRI ${router.effectivePriority}`)
  }

  mail(wanted: boolean | undefined): void {
    const { smtpServer, emails } = this.global
    if (wanted && smtpServer !== undefined && emails.length > 0) throw new NotModelled('keepalived: mails about states')
  }
}

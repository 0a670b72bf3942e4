/**
 * The daemon: checks, sleeps, looks whether its configuration has changed, and checks again. With fork=yes a child does so for
 * each virtual service, and the daemon sees to it that they live.
 */
import { type Body, readTextFile, type Signal, type Sys } from '#kernel/core'
import { Exit } from '#user/libc'
import { checkReal } from './checks/index.ts'
import { runCommand } from './commands.ts'
import { ConfigError, readConfiguration } from './config.ts'
import { Director } from './director.ts'
import { MachineConfigHost, tellConfig } from './host.ts'
import { checkPort, realId, virtualId } from './identity.ts'
import type { Output } from './output.ts'
import { setUp } from './setup.ts'
import { type Configuration, STATUS, type Virtual } from './types.ts'

export const PID_PREFIX = '/var/run/ldirectord'
const SECOND_NS = 1e9
const PORT_LINE = 2339
/** Each ends the daemon in order. */
const TERMINATING: Signal[] = [
  'SIGINT',
  'SIGQUIT',
  'SIGILL',
  'SIGABRT',
  'SIGFPE',
  'SIGSEGV',
  'SIGTERM',
  'SIGBUS',
  'SIGSYS',
  'SIGXCPU',
  'SIGXFSZ',
]

/** Ends the program, telling the log unless all is well. */
export function* leave(output: Output, status: number, message: string): Body<never> {
  if (status !== 0 || output.debugging) yield* output.log(`Exiting with exit_status ${status}: ${message}`)
  throw new Exit(status)
}

export function* removeFile(output: Output, path: string): Body<void> {
  const stat = output.sys.stat(path)
  if (!stat.ok) yield* output.debug(2, `ld_rm_file: ${path} doesn't exist, skipping`)
  else if (stat.value.type === 'directory') yield* output.debug(2, `ld_rm_file: ${path} is a directory, skipping`)
  else output.sys.unlink(path)
}

/** Other daemons that a configuration starts along with its own. */
export function* commandInstances(output: Output, program: string, what: string, names: string[]): Body<void> {
  for (const name of names) {
    if (what !== 'reload_or_start') yield* runCommand(output, `${program} ${name} ${what}`)
    else if ((yield* runCommand(output, `${program} ${name} reload`)) !== 0) {
      yield* runCommand(output, `${program} ${name} start`)
    }
  }
}

export class Daemon {
  readonly #output: Output
  readonly #configuration: Configuration
  readonly #path: string
  /** How other instances are run. */
  readonly #self: string
  readonly #director: Director
  /** By virtual service, its child's pid. */
  readonly #children = new Map<string, number>()
  #terminated: string | undefined
  #hangUp = false
  #childEnded = false
  /** When the file was modified, as last looked at; -1 before that, and if there is none. */
  #modifiedS = -1
  #text: string | undefined

  constructor(output: Output, configuration: Configuration, path: string, self: string, ipvsadm: string) {
    this.#output = output
    this.#configuration = configuration
    this.#path = path
    this.#self = self
    this.#director = new Director(output, configuration, ipvsadm)
  }

  get #sys(): Sys {
    return this.#output.sys
  }

  catchSignals(): void {
    const sys = this.#sys
    for (const signal of TERMINATING) {
      sys.sigaction(signal, () => {
        this.#terminated ??= signal.slice(3)
        this.#director.status = STATUS.stopping
      })
    }
    sys.sigaction('SIGPIPE', 'ignore')
    sys.sigaction('SIGHUP', () => {
      this.#hangUp = true
    })
    sys.sigaction('SIGCHLD', () => {
      this.#childEnded = true
    })
  }

  /** For ever, until a signal. */
  *run(): Body<number> {
    yield* this.#begin([])
    yield* commandInstances(this.#output, this.#self, 'start', this.#configuration.instances)
    this.#director.status = STATUS.running
    for (;;) {
      if (this.#configuration.globals.fork === 'yes') yield* this.#turnOfParent()
      else yield* this.#turn()
    }
  }

  *#begin(old: Virtual[]): Body<void> {
    for (const virtual of this.#configuration.virtuals) {
      setUp(virtual, this.#configuration.globals)
      for (const real of virtual.reals) {
        if (checkPort(virtual, real) !== undefined) continue
        yield* this.#output.warn('Use of uninitialized value $port in concatenation (.) or string', PORT_LINE)
      }
    }
    yield* this.#director.begin(old)
    // Once before all counts as begun: what it finds is told as of a daemon that starts.
    yield* this.#checkAll()
  }

  *#turn(): Body<void> {
    yield* this.#checkAll()
    yield* this.#signals()
    if (!(yield* this.#configurationChanged())) yield* this.#sleep(this.#configuration.globals.checkinterval)
    yield* this.#signals()
    yield* this.#director.mailbox.repeat(this.#director.status)
    yield* this.#signals()
  }

  *#sleep(seconds: number): Body<void> {
    const slept = yield* this.#sys.sleep(seconds * SECOND_NS)
    if (!slept.ok) this.#output.errno = 'Interrupted system call'
  }

  /** What several services share is checked for the first of them. */
  *#checkAll(): Body<void> {
    const checked = new Set<string>()
    for (const virtual of this.#configuration.virtuals) {
      for (const real of virtual.reals) {
        const id = realId(real, virtual)
        yield* this.#signals()
        if (checked.has(id)) {
          yield* this.#output.debug(3, `Already checked: real server=${id} (virtual=${virtualId(virtual)})`)
          continue
        }
        yield* checkReal(this.#director, virtual, real)
        checked.add(id)
      }
    }
  }

  *#signals(): Body<void> {
    if (this.#terminated !== undefined) yield* this.#terminate(this.#terminated)
    if (this.#hangUp) {
      yield* this.#output.log('Reloading Linux Director Daemon config on signal')
      this.#hangUp = false
      yield* this.#reload()
    }
    if (this.#childEnded) {
      this.#childEnded = false
      for (let count = 0; ; count++) {
        const ended = yield* this.#sys.waitpid(-1, { noHang: true })
        if (!ended.ok || !ended.value) break
        this.#output.io.print(`child: ${count}\n`)
      }
    }
  }

  *#terminate(signal: string): Body<never> {
    const output = this.#output
    this.#director.status = STATUS.stopping
    yield* commandInstances(output, this.#self, 'stop', this.#configuration.instances)
    if (this.#configuration.globals.fork === 'yes') {
      for (const [id, pid] of this.#children) {
        yield* output.log(`Killing child ${id} PID=${pid}`)
        this.#sys.kill(pid, 'SIGTERM')
      }
    }
    yield* this.#director.end()
    const message = `Linux Director Daemon terminated on signal: ${signal}`
    yield* output.log(message)
    yield* removeFile(output, `${PID_PREFIX}.${output.configName}.pid`)
    return yield* leave(output, 0, message)
  }

  /** Reads the configuration again. If there is a mistake in it, the services stay; what stood before the mistake holds. */
  *#reload(): Body<void> {
    const configuration = this.#configuration
    const output = this.#output
    const { virtuals, instances } = configuration
    this.#director.status = STATUS.reloading
    try {
      const now = yield* this.#read()
      const running = (name: string) => instances.includes(name)
      const gone = instances.filter((name) => !now.includes(name))
      yield* commandInstances(output, this.#self, 'stop', gone)
      yield* commandInstances(output, this.#self, 'reload_or_start', now.filter(running))
      yield* commandInstances(
        output,
        this.#self,
        'start',
        now.filter((name) => !running(name)),
      )
      for (const [id, pid] of this.#children) {
        yield* output.log(`Killing child ${id} (PID=${pid})`)
        this.#sys.kill(pid, 'SIGTERM')
      }
      yield* this.#begin(virtuals)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      yield* tellConfig(output, false, 'Error', this.#path, error.line, error.message)
      configuration.virtuals = virtuals
      configuration.instances = instances
    }
    this.#director.status = STATUS.running
  }

  *#read(): Body<string[]> {
    this.#text = undefined
    this.#modifiedS = -1
    const file = yield* readTextFile(this.#sys, this.#path)
    if (!file.ok) throw new ConfigError(0, `can not open file ${this.#path}`)
    yield* readConfiguration(file.value, new MachineConfigHost(this.#output, this.#path, false), this.#configuration)
    return this.#configuration.instances
  }

  /** Looks at the file if its time is another than before. True if its text is, too. */
  *#configurationChanged(): Body<boolean> {
    const output = this.#output
    const stat = this.#sys.stat(this.#path)
    const modifiedS = stat.ok ? Math.floor(stat.value.mtimeNs / SECOND_NS) : -1
    if (modifiedS === this.#modifiedS) return false
    this.#modifiedS = modifiedS
    const file = yield* readTextFile(this.#sys, this.#path)
    if (!file.ok) {
      yield* tellConfig(output, false, 'Warning', this.#path, 0, `can not open file ${this.#path} for checking`)
      return false
    }
    const changed = this.#text !== undefined && this.#text !== file.value
    if (changed) yield* this.#changed()
    this.#text = file.value
    return changed
  }

  *#changed(): Body<void> {
    const output = this.#output
    const { globals } = this.#configuration
    yield* output.log(`Configuration file '${this.#path}' has changed on disk`)
    if (globals.autoreload === 'yes') {
      yield* output.log(' - reread new configuration')
      yield* this.#reload()
    } else yield* output.log(' - ignore new configuration\n')
    const { callback } = globals
    if (callback !== undefined && this.#sys.access(callback, 'x').ok) {
      yield* runCommand(output, `${callback} ${this.#path}`)
    }
  }

  /** With fork=yes: children that aren't there are made; those that have ended are noticed, and made at the next turn. */
  *#turnOfParent(): Body<void> {
    const output = this.#output
    for (const [index, virtual] of this.#configuration.virtuals.entries()) {
      const id = virtualId(virtual)
      const pid = this.#children.get(id)
      if (pid === undefined) {
        yield* output.log(`Child not running for ${id}, spawning`)
        output.io.flush()
        yield* output.io.settle()
        const child = this.#sys.fork((sys) => runChild(this.#director.fork(sys), index))
        this.#children.set(id, child)
        yield* output.log(`Spawned child ${id} PID=${child}`)
        continue
      }
      const ended = yield* this.#sys.waitpid(pid, { noHang: true })
      if (!ended.ok || ended.value) this.#children.delete(id)
    }
    yield* this.#signals()
    if (!(yield* this.#configurationChanged())) yield* this.#sleep(1)
    yield* this.#signals()
  }
}

/** Checks one virtual service's servers until it is killed. */
function* runChild(director: Director, index: number): Body<number> {
  const { sys } = director.output
  for (const signal of TERMINATING) sys.sigaction(signal, 'default')
  let hungUp = false
  sys.sigaction('SIGHUP', () => {
    hungUp = true
  })
  const { configuration } = director
  const virtual = configuration.virtuals[index]!
  const id = virtualId(virtual)
  const interval = virtual.checkinterval ?? configuration.globals.checkinterval
  const show = (title: string) => sys.setName(title.slice(0, 15), [title])
  for (;;) {
    for (const real of virtual.reals) {
      show(`ldirectord ${id} checking ${real.server}`)
      yield* checkReal(director, virtual, real)
      if (hungUp) return 1
    }
    show(`ldirectord ${id}`)
    yield* sys.sleep(interval * SECOND_NS)
    if (hungUp) return 1
    yield* director.mailbox.repeat(director.status)
  }
}

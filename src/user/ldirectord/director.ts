/**
 * Which servers are up, and what ipvsadm is told of it. A real server that several virtual services share in the same way is
 * checked once, and goes up or down in all of them. A fallback server stands in while no real one is up.
 */
import type { Body, Sys } from '#kernel/core'
import { runCommand } from './commands.ts'
import { forwardOption, listedName, realId, serviceArguments, virtualId, virtualName } from './identity.ts'
import { type ListedReal, type Listing, readTable } from './ipvsadm.ts'
import { Mailbox } from './mail.ts'
import type { Output } from './output.ts'
import { escapeLogMessage } from './perl.ts'
import { type Configuration, type Fallback, type Real, STATUS, type Virtual } from './types.ts'

export type State = 'up' | 'down'

export interface SetOptions {
  /** Even if it is known to be so. */
  force?: boolean
  /** As the result of a check, with what goes into the monitor file; `-` if nothing more is known. */
  checked?: string
}

/** Fields of a failed comparison, as the program's lines. */
const WEIGHT_LINE = 4117
const UPPER_LINE = 4118

export class Director {
  readonly output: Output
  readonly configuration: Configuration
  /** ipvsadm's path. */
  readonly program: string
  readonly mailbox: Mailbox
  status: number = STATUS.starting

  constructor(output: Output, configuration: Configuration, program: string) {
    this.output = output
    this.configuration = configuration
    this.program = program
    this.mailbox = new Mailbox(output, configuration.globals)
  }

  /** The same for a child, which changes only its own. */
  fork(sys: Sys): Director {
    const { output, configuration } = this
    const globals = { ...configuration.globals }
    const copied = new (output.constructor as typeof Output)(sys, output.io, globals, output.debugging)
    copied.configName = output.configName
    const virtuals = configuration.virtuals.map((virtual) => ({
      ...virtual,
      realUp: virtual.realUp && new Set(virtual.realUp),
      fallbackUp: virtual.fallbackUp && new Set(virtual.fallbackUp),
      reals: virtual.reals.map((real) => ({ ...real, upIn: new Set(real.upIn) })),
    }))
    const director = new Director(copied, { ...configuration, globals, virtuals }, this.program)
    director.status = this.status
    return director
  }

  get #virtuals(): Virtual[] {
    return this.configuration.virtuals
  }

  *#ipvsadm(options: string): Body<number> {
    return yield* runCommand(this.output, `${this.program} ${options}`)
  }

  *#table(): Body<Listing> {
    return yield* readTable(this.output, this.program)
  }

  /** Makes the kernel's table what the configuration says; `old` are the services of the one before. */
  *begin(old: Virtual[]): Body<void> {
    const { output } = this
    const table = yield* this.#table()
    for (const virtual of this.#virtuals) {
      const there = table.has(listedName(virtual))
      yield* this.#ipvsadm(`${there ? '-E' : '-A'} ${virtual.flags}`)
      yield* output.log(`${there ? 'Changed' : 'Added'} virtual server: ${virtualName(virtual)}`)
    }
    const down = new Map<string, [Virtual, Real]>()
    for (const virtual of this.#virtuals) {
      yield* this.#beginReals(virtual, table.get(listedName(virtual)) ?? new Map<string, ListedReal>(), down)
      table.delete(listedName(virtual))
      yield* this.#fallbackOn(virtual)
    }
    for (const [virtual, real] of down.values()) {
      if (this.configuration.globals.readdquiescent === 'no') {
        yield* this.set(virtual, real, 'up', { force: true })
      }
      yield* this.set(virtual, real, 'down', { force: true })
    }
    for (const virtual of old) if (table.has(listedName(virtual))) yield* this.#purgeVirtual(virtual, 'start')
  }

  *#beginReals(virtual: Virtual, listed: Map<string, ListedReal>, down: Map<string, [Virtual, Real]>): Body<void> {
    const fallback = this.#fallbackOf(virtual)
    if (fallback) listed.delete(`${fallback.server}:${fallback.port}`)
    for (const real of virtual.reals) {
      const place = `${real.server}:${real.port}`
      const there = listed.get(place)
      if (!there || Number(there.weight) === 0) down.set(place, [virtual, real])
      else {
        down.delete(place)
        yield* this.set(virtual, real, 'up', { force: true })
      }
      listed.delete(place)
    }
    for (const place of listed.keys()) yield* this.#purge(virtual, place, 'start')
  }

  /** Takes away what is in the kernel's table. */
  *end(): Body<void> {
    const { cleanstop } = this.configuration.globals
    for (const virtual of this.#virtuals) {
      if ((virtual.cleanstop ?? cleanstop) === 'no') continue
      for (const real of virtual.reals) {
        if (real.upIn.size === 0) continue
        yield* this.#purge(virtual, `${real.server}:${real.port}`, 'stop')
        this.#markDown(virtual, real)
      }
      yield* this.#purgeVirtual(virtual, 'stop')
    }
  }

  /** A real server goes up or down in every virtual service that shares its check. */
  *set(checked: Virtual, real: Real, state: State, options: SetOptions = {}): Body<void> {
    const { output } = this
    const now = output.now
    const message = escapeLogMessage(options.checked ?? '')
    const sharing = this.configuration.sharedBy.get(realId(real, checked))
    if (!sharing) return
    for (const virtual of this.#virtuals) {
      const id = virtualId(virtual)
      if (!sharing.includes(id)) continue
      const name = realId(real, virtual)
      if (state === 'up') yield* this.#up(virtual, real, options.force === true)
      else yield* this.#down(virtual, real, options.force === true)
      const word = state === 'up' ? 'Enabled ' : 'Disabled'
      yield* output.debug(2, `${word} real server=${name} (virtual=${id})`)
      if (virtual.monitorfile === undefined || options.checked === undefined) continue
      const shown = name.replace(/:+/g, ' ').replaceAll('\\', '')
      yield* output.append(virtual.monitorfile, `[${now}] [${output.sys.pid}] ${shown} [${state}] ${message}\n`)
    }
  }

  *#up(virtual: Virtual, real: Real, force: boolean): Body<void> {
    if (real.failures > 0) {
      yield* this.output.log(`Resetting soft failure count: ${real.server}:${real.port} (${virtualId(virtual)})`)
    }
    real.failures = 0
    if (!this.#markUp(virtual, real) && !force) return
    yield* this.#restore(virtual, real, 'real', real.weight, real.lower ?? '0', real.upper ?? '0')
    yield* this.#fallbackOff(virtual)
  }

  *#down(virtual: Virtual, real: Real, force: boolean): Body<void> {
    const wasUp = virtual.realUp?.has(realId(real, virtual)) === true
    if (!wasUp && !force) return
    real.failures++
    if (!force && real.failures < virtual.failurecount) {
      const place = `${real.server}:${real.port}`
      yield* this.output.log(
        `Soft failure real server: ${place} (${virtualId(virtual)}) failure ${real.failures}/${virtual.failurecount}`,
      )
      return
    }
    this.#markDown(virtual, real)
    yield* this.#remove(virtual, real, 'real')
    yield* this.#fallbackOn(virtual)
  }

  /** Whether that is news. */
  #markUp(virtual: Virtual, real: Real): boolean {
    const id = realId(real, virtual)
    if (virtual.realUp?.has(id)) return false
    real.upIn.add(virtualId(virtual))
    virtual.realUp = (virtual.realUp ?? new Set()).add(id)
    return true
  }

  #markDown(virtual: Virtual, real: Real): void {
    const id = realId(real, virtual)
    if (!virtual.realUp?.has(id)) return
    virtual.realUp.delete(id)
    if (virtual.realUp.size === 0) virtual.realUp = undefined
    real.upIn.delete(virtualId(virtual))
  }

  /** Weight and thresholds as they are meant; the server comes into the table if it isn't there. */
  *#restore(
    virtual: Virtual,
    server: Real | Fallback,
    kind: 'real' | 'fallback',
    weight: string,
    lower: string,
    upper: string,
  ): Body<void> {
    const place = `${server.server}:${server.port}`
    const forward = forwardOption(server.forward)
    const service = serviceArguments(virtual)
    const options = `${service} -x ${upper} -y ${lower} -r ${place} ${forward} -w ${weight}`
    const what = `${kind} server: ${place} (${virtualName(virtual)}) (Weight set to ${weight})`
    const there = (yield* this.#table()).get(listedName(virtual))?.get(place)
    if (there) {
      if (yield* this.#isAs(there, weight, upper, lower, forward)) return
      yield* this.#ipvsadm(`-e ${options}`)
      yield* this.#tell(`Restored ${what}`, virtual, place, 0)
    } else {
      yield* this.#ipvsadm(`-a ${options}`)
      yield* this.#tell(`Added ${what}`, virtual, place, 0)
    }
  }

  *#isAs(there: ListedReal, weight: string, upper: string, lower: string, forward: string): Body<boolean> {
    const { output } = this
    const missing = 'Use of uninitialized value in string eq'
    if (there.weight === undefined) yield* output.warn(missing, WEIGHT_LINE)
    if (there.weight !== weight) return false
    if (there.upper === undefined) yield* output.warn(missing, UPPER_LINE)
    return there.upper === upper && there.lower === lower && forwardOption(there.forward) === forward
  }

  /** The opposite: weight 0 where services are quiescent, else out of the table. */
  *#remove(virtual: Virtual, server: Real | Fallback, kind: 'real' | 'fallback'): Body<void> {
    const { output } = this
    const { globals } = this.configuration
    const listed = (yield* this.#table()).get(listedName(virtual))
    if (!listed) return
    const quiescent = kind === 'real' && (virtual.quiescent ?? globals.quiescent) === 'yes'
    const wanted = `${server.server}:${server.port}`
    let place = wanted
    if (!listed.has(place)) {
      // Only masquerading can change the port: else the kernel has it at the virtual service's.
      const port = /.*:(.*)/.exec(virtualName(virtual))?.[1] ?? /.*:(.*)/.exec(wanted)![1]!
      const mapped = `${/(.*):/.exec(wanted)![1]}:${port}`
      if (listed.has(mapped)) place = mapped
    }
    const there = listed.get(place)
    const forward = forwardOption(server.forward)
    if (quiescent) {
      if (there && there.weight === '0' && forwardOption(there.forward) === forward) return
    } else if (!there) return
    const options = `${serviceArguments(virtual)} -r ${place}`
    const mappedFrom = place === wanted ? '' : `mapped from ${wanted} `
    const what = `${kind} server: ${place} ${mappedFrom}(${virtualName(virtual)})`
    const seconds = output.sys.realtime().s
    if (!quiescent) {
      yield* this.#ipvsadm(`-d ${options}`)
      yield* this.#tell(`Deleted ${what}`, virtual, place, kind === 'fallback' ? 0 : seconds)
    } else if (there) {
      yield* this.#ipvsadm(`-e ${options} ${forward} -w 0`)
      yield* this.#tell(`Quiescent ${what} (Weight set to 0)`, virtual, place, seconds)
    } else if (globals.readdquiescent === 'yes') {
      yield* this.#ipvsadm(`-a ${options} ${forward} -w 0`)
      yield* output.log(`Readd Quiescent ${what} (Weight set to 0)`)
      const subject = `Quiescent ${what} (Weight set to 0)`
      yield* this.mailbox.send(this.status, subject, virtual, place, seconds)
    }
  }

  /** Into the log, and to whom it may concern. */
  *#tell(text: string, virtual: Virtual, place: string, seconds: number): Body<void> {
    yield* this.output.log(text)
    yield* this.mailbox.send(this.status, text, virtual, place, seconds)
  }

  #fallbackOf(virtual: Virtual): Fallback | undefined {
    if (virtual.fallback) return virtual.fallback
    const global = this.configuration.globals.fallback[virtual.family]
    if (!global) return undefined
    // There is none for marks: what comes of it has neither an address nor a way.
    if (virtual.protocol === 'fwm') return { server: '', port: virtual.port, forward: undefined as never }
    const fallback = global[virtual.protocol]
    return fallback.port === undefined ? { ...fallback, port: virtual.port } : fallback
  }

  *#fallbackOn(virtual: Virtual): Body<void> {
    const fallback = this.#fallbackOf(virtual)
    if (fallback && !virtual.realUp) {
      const id = realId(fallback, virtual)
      if (!virtual.fallbackUp?.has(id)) {
        virtual.fallbackUp = (virtual.fallbackUp ?? new Set()).add(id)
        yield* this.#restore(virtual, fallback, 'fallback', '1', '0', '0')
      }
    }
    if (!virtual.realUp) yield* this.#callFallbackCommand(virtual, 'start')
  }

  *#fallbackOff(virtual: Virtual): Body<void> {
    const fallback = this.#fallbackOf(virtual)
    if (fallback) {
      const id = realId(fallback, virtual)
      if (virtual.realUp || virtual.fallbackUp?.has(id)) {
        virtual.fallbackUp?.delete(id)
        if (virtual.fallbackUp?.size === 0) virtual.fallbackUp = undefined
        yield* this.#remove(virtual, fallback, 'fallback')
      }
    }
    if (virtual.realUp) yield* this.#callFallbackCommand(virtual, 'stop')
  }

  *#callFallbackCommand(virtual: Virtual, what: 'start' | 'stop'): Body<void> {
    if (virtual.fallbackCommand === what) return
    virtual.fallbackCommand = what
    const command = virtual.fallbackcommand ?? this.configuration.globals.fallbackcommand
    if (command === undefined) return
    const service = `${virtual.server ?? ''}:${virtual.port}`
    yield* runCommand(this.output, `${command} ${what} ${service} ${virtual.protocol}`)
  }

  *#purge(virtual: Virtual, place: string, when: 'start' | 'stop'): Body<void> {
    const text = `Purged real server (${when}): ${place} (${virtualName(virtual)})`
    yield* this.#ipvsadm(`-d ${serviceArguments(virtual)} -r ${place}`)
    yield* this.#tell(text, virtual, place, 0)
  }

  *#purgeVirtual(virtual: Virtual, when: 'start' | 'stop'): Body<void> {
    yield* this.#ipvsadm(`-D ${serviceArguments(virtual)}`)
    yield* this.output.log(`Purged virtual server (${when}): ${virtualName(virtual)}`)
  }
}

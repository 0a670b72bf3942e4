/**
 * A simulated lab that commands are given to: its world, a shell for each host, the rhythm of an article, and captures.
 * Everything that a page or a terminal shows of it comes from here.
 */
import type { CommandResult, InterfaceCapture } from '#article/runner'
import { decodeUtf8 } from '#base/bytes'
import { assert } from '#base/check'
import { type Budgets, MILLISECOND, SECOND } from '#base/sim'
import { createCapture, drive, type KernelHost } from '#kernel/core'
import { createDebian12 } from '#lab/catalogue'
import { applyVerb, type LabVerb } from '#lab/faults'
import type { LabPlan } from '#lab/plan'
import { LabRefused, World } from '#lab/world'
import { createShellSession, type ShellSession } from '#user/shell'
import { emitFrame } from '#wire/inet'

/** A command starts this long after the one before it ended. */
const PAUSE_NS = 300 * MILLISECOND
/** Captures end this long after the last command. */
const AFTER_NS = 1 * SECOND
/** How long a command that met its limit may take to die, each time it is told to. */
const NUDGE_NS = 1 * SECOND
/** What a command may print; what comes after is dropped, and said. */
const OUTPUT_MAX = 16 << 20
const LIMIT_S = 120

/** What a run may use unless its caller says otherwise: some ten minutes of computing, and less than the clock can count. */
export const DEFAULT_BUDGETS: Budgets = { events: 2e9, untilNs: 100 * 86_400 * SECOND }

/** A mask of counted events: between two looks of who may pause a lab. */
const LOOK_EVERY = 0xf

/** Images are alike for all labs: made once. */
const images = new Map<string, ReturnType<typeof createDebian12>>()

export interface SimLabOptions {
  seed: number
  /** Seconds since the epoch at virtual time zero. */
  start: number
  /** Keeps every frame for `finish`. */
  capture: boolean
  /**
   * For whoever lets others speak while a command runs: called when time comes to `limitNs`, and after `breathe`, which is
   * in the middle of a moment; the lab waits for it, and stands still meanwhile.
   */
  onPause?: (why: 'limit' | 'breath') => Promise<void>
  /** Put over the defaults; `check` is for what the simulator can't see, such as real time and memory. */
  budgets?: Budgets
}

interface HostShell {
  /** Undefined until a command needs one: a host that lost its power has none. */
  session: ShellSession | undefined
  /** What was printed and belongs to no command yet; a power cut doesn't take it back. */
  printed: string
  text: TextStream
  onOutput: ((text: string) => void) | undefined
  /** The end of what `begin` began. */
  onEnd: ((status: number) => void) | undefined
}

export class SimLab {
  readonly world: World
  readonly kernel: string
  readonly #shells = new Map<string, HostShell>()
  readonly #captures = new Map<string, InterfaceCapture>()
  #capturing = false
  readonly #capture: boolean
  #began = false
  /** Time waits here for `onPause`, whatever a command would take; all that happens at this moment has happened then. */
  limitNs = Number.POSITIVE_INFINITY
  readonly #onPause: ((why: 'limit' | 'breath') => Promise<void>) | undefined
  #breath = false
  #looked = 0

  constructor(plan: LabPlan, options: SimLabOptions) {
    let image = images.get('debian12')
    if (!image) {
      image = createDebian12()
      images.set('debian12', image)
    }
    this.world = new World(plan, { seed: options.seed, startS: options.start, image, pausable: true })
    this.world.sim.budgets = { ...DEFAULT_BUDGETS, ...options.budgets }
    this.kernel = `${image.profile} simulated`
    this.world.power.listen(({ host, on }) => {
      if (!on) this.#died(host)
    })
    this.#capture = options.capture
    this.#onPause = options.onPause
    for (const host of plan.hosts) {
      for (const iface of host.interfaces) {
        this.#captures.set(`${host.name}:${iface.name}`, { host: host.name, interface: iface.name, frames: [] })
      }
    }
  }

  get nowNs(): number {
    return this.world.sim.nowNs
  }

  /** Gives a command to a host's shell, waits for its end and 0.3 s more. */
  async command(
    name: string,
    text: string,
    options: { limitS?: number; onOutput?: (text: string) => void } = {},
  ): Promise<CommandResult> {
    this.#begin()
    const startNs = this.nowNs
    const place = this.world.host(name)
    const host = place.kernel
    // A paused host answers as little as one without power; what runs there goes on with it.
    if (!host.up || place.paused) {
      await this.advance(startNs + PAUSE_NS)
      return { at: startNs / SECOND, took: 0, status: 255, output: '', timedOut: false }
    }
    const shell = this.#shell(name)
    const session = this.#session(shell, host)
    shell.onOutput = options.onOutput
    if (shell.printed !== '') options.onOutput?.(shell.printed)
    let status: number | undefined
    this.world.as(place, () =>
      session.execute(text, (ended) => {
        status = ended
      }),
    )
    const ended = () => status !== undefined || !host.up
    const limitNs = startNs + Math.round((options.limitS ?? LIMIT_S) * SECOND)
    const timedOut = !(await this.#until(limitNs, ended))
    if (timedOut) {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
        this.world.as(place, () => session.interrupt(signal))
        if (await this.#until(this.nowNs + NUDGE_NS, ended)) break
      }
      assert(ended(), `${name}: a command can't be stopped: ${text}`)
    }
    const endNs = this.nowNs
    await this.advance(endNs + PAUSE_NS)
    this.#take(shell, shell.text.end())
    const output = shell.printed
    shell.printed = ''
    shell.onOutput = undefined
    // The program said so where it says its errors; an article stops here, for what follows can't be trusted.
    const why = this.world.notModelled.shift()
    if (why) throw why
    return { at: startNs / SECOND, took: (endNs - startNs) / SECOND, status: status ?? 255, output, timedOut }
  }

  /**
   * Begins a command and waits for nothing: whoever paces time by `advance` lets it run. One at a time on a host; what
   * runs on another host meanwhile is `command`'s or this one's.
   */
  begin(
    name: string,
    text: string,
    options: { onOutput?: (text: string) => void; onEnd: (status: number) => void },
  ): void {
    this.#begin()
    const place = this.world.host(name)
    const host = place.kernel
    if (!host.up || place.paused) {
      options.onEnd(255)
      return
    }
    const shell = this.#shell(name)
    const session = this.#session(shell, host)
    shell.onOutput = options.onOutput
    if (shell.printed !== '') options.onOutput?.(shell.printed)
    shell.onEnd = (status) => {
      this.#take(shell, shell.text.end())
      shell.printed = ''
      shell.onOutput = undefined
      shell.onEnd = undefined
      options.onEnd(status)
    }
    this.world.as(place, () => session.execute(text, (status) => shell.onEnd?.(status)))
  }

  /** Ctrl-C to what a host's shell runs. */
  interrupt(name: string): void {
    this.world.as(this.world.host(name), () => this.#shells.get(name)?.session?.interrupt())
  }

  /** The directory that a host's shell is in. */
  directory(name: string): string {
    const pid = this.#shells.get(name)?.session?.pid
    const { kernel } = this.world.host(name)
    return (pid === undefined ? undefined : kernel.runningMachine?.processes.get(pid)?.cwd) ?? '/root'
  }

  /** Does what a `lab#` line says, and waits 0.3 s. */
  async verb(verb: LabVerb): Promise<CommandResult> {
    this.#begin()
    const startNs = this.nowNs
    applyVerb(this.world, verb)
    const tookNs = verb.verb === 'wait' ? verb.waitNs : 0
    await this.advance(startNs + tookNs + PAUSE_NS)
    return { at: startNs / SECOND, took: tookNs / SECOND, status: 0, output: '', timedOut: false }
  }

  /** Writes a file, executable if it begins with `#!`; takes no virtual time. */
  writeFile(name: string, path: string, content: string): void {
    const host = this.world.host(name).kernel
    const written = host.writeFile(path, content, content.startsWith('#!') ? 0o755 : 0o644)
    if (!written.ok) throw new LabRefused(`${name}:${path}: ${written.errno}`)
  }

  /** Lets virtual time pass, up to and including a moment. */
  async advance(untilNs: number): Promise<void> {
    await this.#drive(untilNs)
  }

  /** From within a budget's `check`: pauses after the event that runs, in the middle of its moment. */
  breathe(): void {
    this.#breath = true
    this.world.sim.stop()
  }

  /** Runs up to a moment, or until something is so; and pauses where it shall. */
  async #drive(untilNs: number, done?: () => boolean): Promise<boolean> {
    const { sim } = this.world
    if (!this.#onPause) return drive(sim, untilNs, done)
    // An event may take a microsecond or a hundred: whoever lets others speak looks more often than the simulator lets it.
    const { check } = sim.budgets
    const looked = () => {
      if (check && (++this.#looked & LOOK_EVERY) === 0) check()
      return done?.() ?? false
    }
    for (;;) {
      const toNs = Math.max(sim.nowNs, Math.min(untilNs, this.limitNs))
      if (await drive(sim, toNs, looked)) return true
      const why = this.#breath ? 'breath' : 'limit'
      this.#breath = false
      if (why === 'limit' && toNs >= untilNs) return false
      await this.#onPause(why)
    }
  }

  /** Waits for the last frames and gives the captures, in the order of the plan. */
  async finish(): Promise<InterfaceCapture[]> {
    // The pause after the last command is part of the second.
    if (this.#began) await this.advance(this.nowNs + AFTER_NS - PAUSE_NS)
    this.#capturing = false
    return this.#capture ? [...this.#captures.values()] : []
  }

  /** The first command is when captures begin. */
  #begin(): void {
    if (this.#began) return
    this.#began = true
    if (!this.#capture) return
    this.#capturing = true
    this.world.frames.listen(({ atNs, port, packet }) => {
      if (!this.#capturing) return
      const s = Math.floor(atNs / SECOND)
      const frame = { s, ns: atNs - s * SECOND, bytes: emitFrame(packet).slice() }
      this.#captures.get(`${port.host}:${port.iface}`)!.frames.push(frame)
    })
  }

  #shell(name: string): HostShell {
    let shell = this.#shells.get(name)
    if (!shell) {
      shell = { session: undefined, printed: '', text: new TextStream(), onOutput: undefined, onEnd: undefined }
      this.#shells.set(name, shell)
    }
    return shell
  }

  /** The shell's session; a new one after a power cut. */
  #session(shell: HostShell, host: KernelHost): ShellSession {
    if (shell.session) return shell.session
    const onOutput = (bytes: Uint8Array) => this.#take(shell, shell.text.push(bytes))
    const terminal = createCapture({ columns: 80, rows: 24, onOutput })
    const nothing = host.openPath('/dev/null', 0)
    assert(nothing, '/dev/null is there')
    shell.session = this.world.sim.as(host.number, () =>
      createShellSession(host, { files: [nothing, terminal, terminal] }),
    )
    return shell.session
  }

  #take(shell: HostShell, text: string): void {
    if (text === '' || shell.printed.length > OUTPUT_MAX) return
    const more = shell.printed.length + text.length > OUTPUT_MAX
    const taken = more ? `${text}\n[more than 16 MiB: the rest was dropped]\n` : text
    shell.printed += taken
    shell.onOutput?.(taken)
  }

  /** A host lost its power: what ran there has ended, and the next command gets a new shell. */
  #died(name: string): void {
    const shell = this.#shells.get(name)
    if (!shell) return
    shell.session = undefined
    shell.onEnd?.(255)
  }

  /** Runs until something is so, or a moment has come; whether it became so. */
  async #until(untilNs: number, done: () => boolean): Promise<boolean> {
    // An event of the network takes a microsecond, one of a shell's loop a millisecond: here the caller looks more often
    // than the simulator lets it.
    const { check } = this.world.sim.budgets
    let events = 0
    return this.#drive(untilNs, () => {
      if (check && (++events & 0xff) === 0) check()
      return done()
    })
  }
}

/** Decodes bytes that come in pieces; a character that was cut waits for its rest. */
class TextStream {
  #rest = new Uint8Array(0)

  push(bytes: Uint8Array): string {
    let all = bytes
    if (this.#rest.length > 0) {
      all = new Uint8Array(this.#rest.length + bytes.length)
      all.set(this.#rest)
      all.set(bytes, this.#rest.length)
    }
    const cut = incomplete(all)
    this.#rest = all.slice(all.length - cut)
    return decodeUtf8(cut > 0 ? all.subarray(0, all.length - cut) : all)
  }

  /** Nothing more comes: a character that was cut shows as U+FFFD, as on a terminal. */
  end(): string {
    const rest = this.#rest
    this.#rest = new Uint8Array(0)
    return rest.length > 0 ? decodeUtf8(rest) : ''
  }
}

/** How many bytes at the end begin a character that isn't whole. RFC 3629. */
function incomplete(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if ((byte & 0xc0) === 0x80) continue
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return needs > back ? back : 0
  }
  return 0
}

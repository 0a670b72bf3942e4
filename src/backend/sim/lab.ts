/**
 * A simulated lab that commands are given to: its world, a shell for each host, the rhythm of an article, and captures.
 * Everything that a page or a terminal shows of it comes from here.
 */
import type { CommandResult, InterfaceCapture } from '#article/runner'
import { decodeUtf8 } from '#base/bytes'
import { assert } from '#base/check'
import { MILLISECOND, SECOND } from '#base/sim'
import { createCapture, drive, type KernelHost } from '#kernel/core'
import { createDebian12 } from '#lab/catalogue'
import { applyVerb, type LabVerb } from '#lab/faults'
import type { LabPlan } from '#lab/plan'
import { World } from '#lab/world'
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

/** Images are alike for all labs: made once. */
const images = new Map<string, ReturnType<typeof createDebian12>>()

export interface SimLabOptions {
  seed: number
  /** Seconds since the epoch at virtual time zero. */
  start: number
  /** Keeps every frame for `finish`. */
  capture: boolean
}

interface HostShell {
  session: ShellSession
  /** What was printed and belongs to no command yet. */
  printed: string
  decode: (bytes: Uint8Array) => string
  onOutput: ((text: string) => void) | undefined
}

export class SimLab {
  readonly world: World
  readonly kernel: string
  readonly #shells = new Map<string, HostShell>()
  readonly #captures = new Map<string, InterfaceCapture>()
  #capturing = false
  readonly #capture: boolean
  #began = false

  constructor(plan: LabPlan, options: SimLabOptions) {
    let image = images.get('debian12')
    if (!image) {
      image = createDebian12()
      images.set('debian12', image)
    }
    this.world = new World(plan, { seed: options.seed, startS: options.start, image })
    this.kernel = `${image.profile} simulated`
    this.#capture = options.capture
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
    const host = this.world.host(name).kernel
    if (!host.up) {
      await this.advance(startNs + PAUSE_NS)
      return { at: startNs / SECOND, took: 0, status: 255, output: '', timedOut: false }
    }
    const shell = this.#shell(name, host)
    shell.onOutput = options.onOutput
    if (shell.printed !== '') options.onOutput?.(shell.printed)
    let status: number | undefined
    shell.session.execute(text, (ended) => {
      status = ended
    })
    const ended = () => status !== undefined || !host.up
    const limitNs = startNs + Math.round((options.limitS ?? LIMIT_S) * SECOND)
    const timedOut = !(await this.#until(limitNs, ended))
    if (timedOut) {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
        shell.session.interrupt(signal)
        if (await this.#until(this.nowNs + NUDGE_NS, ended)) break
      }
      assert(ended(), `${name}: a command can't be stopped: ${text}`)
    }
    const endNs = this.nowNs
    await this.advance(endNs + PAUSE_NS)
    const output = shell.printed
    shell.printed = ''
    shell.onOutput = undefined
    return { at: startNs / SECOND, took: (endNs - startNs) / SECOND, status: status ?? 255, output, timedOut }
  }

  /**
   * Begins a command and waits for nothing: whoever paces time by `advance` lets it run. One at a time on a host; what
   * runs on another host meanwhile is `command`'s or this one's.
   */
  begin(name: string, text: string, options: { onOutput?: (text: string) => void; onEnd: (status: number) => void }): void {
    this.#begin()
    const host = this.world.host(name).kernel
    if (!host.up) {
      options.onEnd(255)
      return
    }
    const shell = this.#shell(name, host)
    shell.onOutput = options.onOutput
    if (shell.printed !== '') options.onOutput?.(shell.printed)
    shell.session.execute(text, (status) => {
      shell.printed = ''
      shell.onOutput = undefined
      options.onEnd(status)
    })
  }

  /** Ctrl-C to what a host's shell runs. */
  interrupt(name: string): void {
    this.#shells.get(name)?.session.interrupt()
  }

  /** The directory that a host's shell is in. */
  directory(name: string): string {
    const pid = this.#shells.get(name)?.session.pid
    const { kernel } = this.world.host(name)
    return (pid === undefined ? undefined : kernel.runningMachine?.processes.get(pid)?.cwd) ?? '/root'
  }

  /** Does what a `lab#` line says, and waits 0.3 s. */
  async verb(verb: LabVerb): Promise<CommandResult> {
    this.#begin()
    const startNs = this.nowNs
    applyVerb(this.world, verb)
    if (verb.verb === 'poweroff') this.#forget(verb.host)
    await this.advance(startNs + PAUSE_NS)
    return { at: startNs / SECOND, took: 0, status: 0, output: '', timedOut: false }
  }

  /** Writes a file, executable if it begins with `#!`; takes no virtual time. */
  writeFile(name: string, path: string, content: string): void {
    const host = this.world.host(name).kernel
    const written = host.writeFile(path, content, content.startsWith('#!') ? 0o755 : 0o644)
    if (!written.ok) throw new LabFileRefused(`${name}:${path}: ${written.errno}`)
  }

  /** Lets virtual time pass, up to and including a moment. */
  async advance(untilNs: number): Promise<void> {
    await drive(this.world.sim, untilNs)
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

  #shell(name: string, host: KernelHost): HostShell {
    let shell = this.#shells.get(name)
    if (shell) return shell
    const decoder = utf8Stream()
    const take = (bytes: Uint8Array) => {
      const made = this.#shells.get(name)
      if (!made || made.printed.length > OUTPUT_MAX) return
      let text = decoder(bytes)
      if (made.printed.length + text.length > OUTPUT_MAX) text += '\n[more than 16 MiB: the rest was dropped]\n'
      made.printed += text
      made.onOutput?.(text)
    }
    const terminal = createCapture({ columns: 80, rows: 24, onOutput: take })
    const nothing = host.openPath('/dev/null', 0)
    assert(nothing, '/dev/null is there')
    shell = {
      session: createShellSession(host, { files: [nothing, terminal, terminal] }),
      printed: '',
      decode: decoder,
      onOutput: undefined,
    }
    this.#shells.set(name, shell)
    return shell
  }

  /** A host lost its power: its shell is gone, and the next command gets a new one. */
  #forget(name: string): void {
    const shell = this.#shells.get(name)
    if (!shell) return
    // What it printed before it died stays for the host's next command.
    this.#shells.delete(name)
  }

  /** Runs until something is so, or a moment has come; whether it became so. */
  async #until(untilNs: number, done: () => boolean): Promise<boolean> {
    return drive(this.world.sim, untilNs, done)
  }
}

/** A file block that can't be written where the article wants it. */
export class LabFileRefused extends Error {
  override readonly name = 'LabFileRefused'
}

/** Decodes bytes that come in pieces; a character that was cut waits for its rest. */
function utf8Stream(): (bytes: Uint8Array) => string {
  let rest = new Uint8Array(0)
  return (bytes) => {
    let all = bytes
    if (rest.length > 0) {
      all = new Uint8Array(rest.length + bytes.length)
      all.set(rest)
      all.set(bytes, rest.length)
    }
    const cut = incomplete(all)
    rest = all.slice(all.length - cut)
    return decodeUtf8(cut > 0 ? all.subarray(0, all.length - cut) : all)
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

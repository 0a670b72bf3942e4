/** One host: its power, its clock, its disk, and the kernel that runs on it once there is something to run. */
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { assert, type NotModelled } from '#base/check'
import type { Simulator } from '#base/sim'
import type { Errno, SysResult } from './errno.ts'
import type { OpenFile } from './file.ts'
import { type Hardware, PLAIN_HARDWARE } from './hardware.ts'
import type { Host } from './host.ts'
import { Disk, Inode } from './inode.ts'
import type { Image } from './kernel-image.ts'
import { Machine, type SpawnOptions } from './machine.ts'
import { netnsesOf } from './netns.ts'
import { openNow } from './open.ts'
import { find } from './path.ts'
import { makeNode } from './path-calls.ts'
import type { Process } from './process.ts'
import { O_CREAT, O_TRUNC, O_WRONLY } from './sys.ts'
import { Terminal, TerminalFile, type TerminalOptions } from './terminal.ts'
import { type Timekeeper, timeSlot } from './timekeeper.ts'

export interface HostOptions {
  sim: Simulator
  image: Image
  name: string
  /** From 1. */
  number: number
  /** CLOCK_REALTIME at virtual time zero, seconds since the epoch. */
  startS: number
  /** What machine it is; a plain one unless said. */
  hardware?: Hardware | undefined
  /** Which kernel it boots, if not its image's: `linux-2.6.32`. */
  profile?: string | undefined
}

export interface LogLine {
  /** Since the boot. */
  timeNs: number
  level: number
  text: string
}

/** What is kept of the log: about the 256 kB of CONFIG_LOG_BUF_SHIFT=17 and Debian's default. */
const LOG_LINES_MAX = 2000

export class KernelHost implements Host {
  readonly name: string
  readonly number: number
  readonly sim: Simulator
  readonly image: Image
  bootedNs: number
  up = true
  startS: number
  states: unknown[] = []
  hostname: string
  readonly hardware: Hardware
  readonly profile: string
  /** Told when a program met what isn't modelled and was ended for it; absent: the run stops there. */
  onNotModelled: ((why: NotModelled) => void) | undefined
  /** Keeps the clock once it is slewed or leaps; until then it is virtual time. */
  timekeeper: Timekeeper | undefined
  /** Added to `startS` plus virtual time: what clock_settime moved. */
  #clockNs = 0
  #machine: Machine | undefined
  #disk: Disk | undefined
  #log: LogLine[] | undefined

  constructor(options: HostOptions) {
    this.sim = options.sim
    this.image = options.image
    this.name = options.name
    this.number = options.number
    this.startS = options.startS
    this.hostname = options.name
    this.hardware = options.hardware ?? PLAIN_HARDWARE
    this.profile = options.profile ?? options.image.profile
    this.bootedNs = options.sim.nowNs
    for (const run of this.image.bootHooks) run(this)
  }

  /** Its running kernel's processes; made when first asked for. */
  get machine(): Machine {
    if (!this.#machine) {
      assert(this.up, `${this.name}: no power`)
      this.#machine = new Machine(this)
    }
    return this.#machine
  }

  /** The same, if anything has run. */
  get runningMachine(): Machine | undefined {
    return this.#machine
  }

  get disk(): Disk {
    this.#disk ??= new Disk(this)
    return this.#disk
  }

  // Time.

  /** CLOCK_REALTIME. */
  realtime(): { s: number; ns: number } {
    if (this.timekeeper) return this.timekeeper.read()
    const ns = this.sim.nowNs + this.#clockNs
    const s = Math.floor(ns / 1e9)
    return { s: this.startS + s, ns: ns - s * 1e9 }
  }

  setRealtime(s: number, ns: number): void {
    this.timekeeper?.set(s, ns)
    this.#clockNs = (s - this.startS) * 1e9 + ns - this.sim.nowNs
  }

  // Log.

  log(level: number, text: string): void {
    this.#log ??= []
    this.#log.push({ timeNs: this.sim.nowNs - this.bootedNs, level, text })
    if (this.#log.length > LOG_LINES_MAX) this.#log.splice(0, LOG_LINES_MAX / 10)
  }

  /** What the boot loader told the kernel. */
  get commandLine(): string {
    return [this.image.commandLine, ...this.hardware.cmdline].join(' ')
  }

  klog(): LogLine[] {
    const banner = [this.image.banner, `Command line: ${this.commandLine}`]
    const time = timeSlot(this.image)
    time.beforeLog?.(this)
    const boot = this.hardware === PLAIN_HARDWARE ? [] : (time.bootMessages?.(this) ?? [])
    return [...banner.map((text) => ({ timeNs: 0, level: 5, text })), ...boot, ...(this.#log ?? [])]
  }

  // Power.

  /** The power goes: processes and states die, the disk stays. */
  powerOff(): void {
    if (!this.up) return
    this.up = false
    for (const netns of netnsesOf(this)) netns.powerOff()
    for (const run of this.image.powerOffHooks) run(this)
    this.#machine?.powerCut()
    this.#machine = undefined
    this.#disk?.powerCut()
    this.#log = undefined
    if (this.timekeeper) {
      const { s, ns } = this.timekeeper.read()
      this.timekeeper = undefined
      this.setRealtime(s, ns)
    }
    this.states = []
  }

  /** The power comes: it boots, in no time. */
  powerOn(): void {
    if (this.up) return
    this.up = true
    this.bootedNs = this.sim.nowNs
    const name = this.readFile('/etc/hostname')
    this.hostname = name ? decodeUtf8(name).trim() || 'localhost' : 'localhost'
    for (const run of this.image.bootHooks) run(this)
  }

  // From outside.

  /** Starts a process in a session of its own. */
  spawn(options: SpawnOptions): Process {
    return this.machine.spawn(options)
  }

  createTerminal(options: TerminalOptions): Terminal {
    const { terminals } = this.machine
    let number = 0
    while (terminals.has(number)) number++
    const terminal = new Terminal(this, number, options)
    terminals.set(number, terminal)
    return terminal
  }

  /** Opens a path; undefined if it can't be, or is a FIFO. */
  openPath(path: string, flags: number, mode = 0o644): OpenFile | undefined {
    const opened = openNow(this, '/', path, flags, mode)
    return opened.ok && !('fifo' in opened.value) ? opened.value : undefined
  }

  /** A file's content, or undefined. */
  readFile(path: string): Uint8Array | undefined {
    const file = this.openPath(path, 0)
    if (!file) return undefined
    file.references++
    const parts: Uint8Array[] = []
    for (;;) {
      const got = file.read(1 << 24)
      if (!got.ok || got.value.length === 0) break
      parts.push(got.value)
    }
    file.references--
    file.release?.()
    return joined(parts)
  }

  /** Writes a file, with the directories above it; takes no virtual time. */
  writeFile(path: string, content: Uint8Array | string, mode?: number): SysResult<void> | { ok: false; errno: Errno } {
    const parts = path.split('/').filter((part) => part !== '')
    for (let i = 1; i < parts.length; i++) {
      makeNode(this, '/', `/${parts.slice(0, i).join('/')}`, 'directory', 0o755)
    }
    const opened = openNow(this, '/', path, O_WRONLY | O_CREAT | O_TRUNC, mode ?? 0o644)
    if (!opened.ok) return opened
    if ('fifo' in opened.value) return { ok: false, errno: 'ENXIO' }
    const file = opened.value
    const bytes = typeof content === 'string' ? encodeUtf8(content) : content
    const written = bytes.length > 0 ? file.write(bytes) : ({ ok: true, value: 0 } as const)
    file.release?.()
    if (!written.ok) return written
    const place = find(this, '/', path)
    if (mode !== undefined && place.ok && place.value.node instanceof Inode) this.disk.own(place.value.node).mode = mode
    return { ok: true, value: undefined }
  }
}

function joined(parts: Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** A host that boots an image. */
export function createHost(options: HostOptions): KernelHost {
  return new KernelHost(options)
}

/** A terminal on a host: what is typed goes in by `input`, what it shows comes out by `onOutput`. */
export function createTerminal(host: KernelHost, options: TerminalOptions): Terminal {
  return host.createTerminal(options)
}

export { TerminalFile }

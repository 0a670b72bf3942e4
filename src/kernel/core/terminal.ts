/**
 * Terminals: a pseudo-terminal's slave side with its line discipline. Linux 6.1 drivers/tty/n_tty.c; termios(3) for the
 * flags, whose names are used here as they are there.
 */
import { encodeUtf8 } from '#base/bytes'
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { OpenFile, Stat } from './file.ts'
import { POLLHUP, POLLIN, POLLOUT } from './file.ts'
import type { KernelHost } from './kernel.ts'
import type { Session } from './process.ts'
import type { Signal } from './signal.ts'
import type { TerminalSize } from './sys.ts'
import { WaitQueue } from './wait.ts'

/** What TCGETS gives and TCSETS takes. */
export interface Termios {
  ICANON: boolean
  ECHO: boolean
  ECHOE: boolean
  ECHOK: boolean
  ECHOCTL: boolean
  ISIG: boolean
  IEXTEN: boolean
  ICRNL: boolean
  IXON: boolean
  OPOST: boolean
  ONLCR: boolean
  TOSTOP: boolean
  /** The least that a raw read waits for. */
  VMIN: number
}

/** As a shell finds a new terminal. Linux 6.1 drivers/tty/tty_io.c: tty_std_termios, drivers/tty/pty.c. */
export const COOKED: Termios = {
  ICANON: true,
  ECHO: true,
  ECHOE: true,
  ECHOK: true,
  ECHOCTL: true,
  ISIG: true,
  IEXTEN: true,
  ICRNL: true,
  IXON: true,
  OPOST: true,
  ONLCR: true,
  TOSTOP: false,
  VMIN: 1,
}

/** cfmakeraw(3). */
export const RAW: Termios = {
  ...COOKED,
  ICANON: false,
  ECHO: false,
  ISIG: false,
  IEXTEN: false,
  ICRNL: false,
  IXON: false,
  OPOST: false,
}

export interface TerminalOptions {
  columns?: number
  rows?: number
  /** Takes what the screen shows, as it comes. */
  onOutput(bytes: Uint8Array): void
}

const VINTR = 3
const VQUIT = 28
const VERASE = 127
const VKILL = 21
const VEOF = 4
const VSUSP = 26
const VWERASE = 23
const VREPRINT = 18
const VLNEXT = 22
const VSTART = 17
const VSTOP = 19
const TAB = 9
const NEWLINE = 10
const RETURN = 13
/** The longest line that canonical mode keeps. Linux 6.1 drivers/tty/n_tty.c: N_TTY_BUF_SIZE. */
const LINE_MAX = 4095
const NOTHING = new Uint8Array(0)

export class Terminal {
  readonly host: KernelHost
  /** The N of /dev/pts/N. */
  readonly number: number
  readonly size: TerminalSize
  termios: Termios = { ...COOKED }
  /** The session whose controlling terminal it is, and its foreground group. */
  session: Session | undefined
  foreground = 0
  readonly queue = new WaitQueue()
  readonly #onOutput: (bytes: Uint8Array) => void
  /** The line that is being typed, and what can be read: lines, or in raw mode anything. An empty one is end of file. */
  #line: number[] = []
  #ready: Uint8Array[] = []
  #literal = false
  /** What is echoed while input is taken. */
  #echoes: number[] | undefined
  #stopped = false
  #column = 0
  /** The column in which the line that is being typed began. */
  #lineColumn = 0
  #hungUp = false

  constructor(host: KernelHost, number: number, options: TerminalOptions) {
    this.host = host
    this.number = number
    this.size = { columns: options.columns ?? 80, rows: options.rows ?? 24 }
    this.#onOutput = options.onOutput
  }

  get path(): string {
    return `/dev/pts/${this.number}`
  }

  get hungUp(): boolean {
    return this.#hungUp
  }

  /** An open file of it, for a process. */
  open(flags: number): OpenFile {
    return new TerminalFile(this, flags)
  }

  /** What somebody types. */
  input(typed: Uint8Array | string): void {
    if (this.#hungUp) return
    const bytes = typeof typed === 'string' ? encodeUtf8(typed) : typed
    this.#echoes = []
    for (const byte of bytes) this.#take(byte)
    const echoed = Uint8Array.from(this.#echoes)
    this.#echoes = undefined
    this.#send(echoed) // At once: a character of several bytes isn't torn.
    this.queue.wake()
  }

  /** The window's size changed. */
  resize(columns: number, rows: number): void {
    if (this.size.columns === columns && this.size.rows === rows) return
    this.size.columns = columns
    this.size.rows = rows
    this.#signal('SIGWINCH')
  }

  /** The window was closed. */
  hangUp(): void {
    if (this.#hungUp) return
    this.#hungUp = true
    const leader = this.session && this.host.machine.processes.get(this.session.id)
    if (leader) {
      leader.send('SIGHUP')
      leader.send('SIGCONT')
    }
    this.queue.wake()
    this.host.machine.terminals.delete(this.number)
  }

  /** The host lost its power: what is typed from now on reaches nobody. */
  powerCut(): void {
    this.#hungUp = true
    this.disassociate()
  }

  read(length: number): SysResult<Uint8Array> {
    if (this.#hungUp) return ok(NOTHING)
    if (length === 0) return ok(NOTHING)
    const first = this.#ready[0]
    if (!first) return this.termios.ICANON || this.termios.VMIN > 0 ? fail('EAGAIN') : ok(NOTHING)
    if (first.length <= length) {
      this.#ready.shift()
      return ok(first)
    }
    this.#ready[0] = first.subarray(length)
    return ok(first.slice(0, length))
  }

  write(bytes: Uint8Array): SysResult<number> {
    if (this.#hungUp) return fail('EIO')
    if (this.#stopped) return fail('EAGAIN')
    this.#emit(bytes)
    return ok(bytes.length)
  }

  poll(): number {
    if (this.#hungUp) return POLLIN | POLLOUT | POLLHUP
    return (this.#ready.length > 0 ? POLLIN : 0) | (this.#stopped ? 0 : POLLOUT)
  }

  ioctl(request: string, argument: unknown): SysResult<unknown> {
    switch (request) {
      case 'TCGETS':
        return ok({ ...this.termios })
      case 'TCSETSF':
        this.#line = []
        this.#ready = []
        this.#set(argument as Partial<Termios>)
        return ok(undefined)
      case 'TCSETS':
      case 'TCSETSW':
        this.#set(argument as Partial<Termios>)
        return ok(undefined)
      case 'TIOCGWINSZ':
        return ok({ ...this.size })
      case 'TIOCSWINSZ': {
        const { columns, rows } = argument as TerminalSize
        this.resize(columns, rows)
        return ok(undefined)
      }
      case 'FIONREAD':
        return ok(this.#ready.reduce((sum, bytes) => sum + bytes.length, 0))
      default:
        return fail('ENOTTY')
    }
  }

  /** Lets a session go: its leader ended. */
  disassociate(): void {
    this.session = undefined
    this.foreground = 0
  }

  #set(termios: Partial<Termios>): void {
    const canonical = this.termios.ICANON
    Object.assign(this.termios, termios)
    // What was half typed can be read as it stands; n_tty_set_termios().
    if (canonical && !this.termios.ICANON && this.#line.length > 0) this.#finish()
    if (!this.termios.IXON) this.#go()
  }

  #take(byte: number): void {
    const { termios } = this
    if (this.#literal) {
      this.#literal = false
      this.#add(byte)
      return
    }
    if (termios.IXON && (byte === VSTART || byte === VSTOP)) {
      if (byte === VSTOP) this.#stopped = true
      else this.#go()
      return
    }
    if (this.#stopped && termios.IXON && termios.ISIG && byte === VINTR) this.#go()
    if (termios.ISIG && (byte === VINTR || byte === VQUIT || byte === VSUSP)) {
      this.#line = []
      this.#ready = []
      this.#echo(byte)
      this.#signal(byte === VINTR ? 'SIGINT' : byte === VQUIT ? 'SIGQUIT' : 'SIGTSTP')
      return
    }
    const input = termios.ICRNL && byte === RETURN ? NEWLINE : byte
    if (!termios.ICANON) {
      this.#echo(input)
      this.#ready.push(Uint8Array.of(input))
      if (this.#ready.length > 1) this.#merge()
      return
    }
    if (termios.IEXTEN && input === VLNEXT) {
      this.#literal = true
      if (termios.ECHO) this.#emit(Uint8Array.of(0x5e, 8))
    } else if (input === VERASE) this.#erase(1)
    else if (input === VKILL) this.#erase(this.#line.length)
    else if (termios.IEXTEN && input === VWERASE) this.#erase(this.#wordLength())
    else if (termios.IEXTEN && input === VREPRINT) {
      this.#echo(input)
      if (termios.ECHO) {
        this.#emit(Uint8Array.of(NEWLINE))
        for (const one of this.#line) this.#echo(one)
      }
    } else if (input === VEOF) this.#finish()
    else {
      this.#add(input)
      if (input === NEWLINE) this.#finish()
    }
  }

  #add(byte: number): void {
    if (!this.termios.ICANON) {
      this.#ready.push(Uint8Array.of(byte))
      this.#echo(byte)
      return
    }
    if (this.#line.length >= LINE_MAX && byte !== NEWLINE) {
      this.#emit(Uint8Array.of(7))
      return
    }
    if (this.#line.length === 0) this.#lineColumn = this.#column
    this.#line.push(byte)
    this.#echo(byte)
  }

  #finish(): void {
    this.#ready.push(Uint8Array.from(this.#line))
    this.#line = []
  }

  /** In raw mode a read gives all that is there. */
  #merge(): void {
    const all = this.#ready.flatMap((bytes) => [...bytes])
    this.#ready = [Uint8Array.from(all)]
  }

  #erase(count: number): void {
    for (let i = 0; i < count && this.#line.length > 0; i++) {
      let byte = this.#line.pop()!
      // A character of several bytes goes as one, as with IUTF8.
      while ((byte & 0xc0) === 0x80 && this.#line.length > 0) byte = this.#line.pop()!
      if (this.termios.ECHO && this.termios.ECHOE) {
        if (byte === TAB) this.#emit(new Uint8Array(this.#tabWidth()).fill(8))
        else for (let k = widthOf(byte); k > 0; k--) this.#emit(Uint8Array.of(8, 32, 8))
      }
    }
  }

  /** How wide the tab after the line was. @see Linux 6.1 drivers/tty/n_tty.c: eraser() */
  #tabWidth(): number {
    let columns = 0
    let n = this.#line.length
    while (n > 0 && this.#line[n - 1] !== TAB) columns += widthOf(this.#line[--n]!)
    if (n === 0) columns += this.#lineColumn
    return 8 - (columns & 7)
  }

  #wordLength(): number {
    let n = this.#line.length
    while (n > 0 && !isWord(this.#line[n - 1]!)) n--
    while (n > 0 && isWord(this.#line[n - 1]!)) n--
    return this.#line.length - n
  }

  #echo(byte: number): void {
    if (!this.termios.ECHO) return
    const control = (byte < 32 && byte !== NEWLINE && byte !== TAB) || byte === 127
    if (control && this.termios.ECHOCTL) this.#emit(Uint8Array.of(0x5e, byte ^ 0x40))
    else this.#emit(Uint8Array.of(byte))
  }

  #emit(bytes: Uint8Array): void {
    this.#track(bytes)
    if (this.#echoes) this.#echoes.push(...bytes)
    else this.#send(bytes)
  }

  /** In which column the cursor is afterwards, for erasing tabs. */
  #track(bytes: Uint8Array): void {
    const line = Math.max(bytes.lastIndexOf(NEWLINE), bytes.lastIndexOf(RETURN))
    if (line >= 0) this.#column = 0
    for (let i = line + 1; i < bytes.length; i++) {
      const byte = bytes[i]!
      if (byte === 8) this.#column = Math.max(0, this.#column - 1)
      else if (byte === TAB) this.#column = (this.#column | 7) + 1
      else if (byte >= 32 && (byte & 0xc0) !== 0x80) this.#column++
    }
  }

  #send(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (!this.termios.OPOST || !this.termios.ONLCR || !bytes.includes(NEWLINE)) {
      this.#onOutput(bytes)
      return
    }
    const out: number[] = []
    for (const byte of bytes) {
      if (byte === NEWLINE) out.push(RETURN)
      out.push(byte)
    }
    this.#onOutput(Uint8Array.from(out))
  }

  #go(): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.queue.wake()
  }

  #signal(signal: Signal): void {
    if (this.foreground !== 0) this.host.machine.signalGroup(this.foreground, signal)
  }
}

/** How many columns the echo of a byte takes. */
function widthOf(byte: number): number {
  if (byte < 32 || byte === 127) return 2
  return (byte & 0xc0) === 0x80 ? 0 : 1
}

function isWord(byte: number): boolean {
  return byte === 95 || byte >= 128 || /[0-9a-z]/i.test(String.fromCharCode(byte))
}

/** An open file of a terminal. */
export class TerminalFile implements OpenFile {
  flags: number
  references = 0
  receiveTimeoutNs?: number
  sendTimeoutNs?: number
  readonly terminal: Terminal

  constructor(terminal: Terminal, flags: number) {
    this.terminal = terminal
    this.flags = flags
  }

  get queue(): WaitQueue {
    return this.terminal.queue
  }

  get description(): string {
    return this.terminal.path
  }

  stat(): Stat {
    return terminalStat(this.terminal)
  }

  read(length: number): SysResult<Uint8Array> {
    return this.terminal.read(length)
  }

  write(bytes: Uint8Array): SysResult<number> {
    return this.terminal.write(bytes)
  }

  poll(): number {
    return this.terminal.poll()
  }

  ioctl(request: string, argument: unknown): SysResult<unknown> {
    return this.terminal.ioctl(request, argument)
  }
}

/** What stat says of /dev/pts/N. Unix98 slaves are 136:N. */
export function terminalStat(terminal: Terminal): Stat {
  return {
    type: 'char',
    mode: 0o620,
    size: 0,
    inode: terminal.number + 3,
    links: 1,
    uid: 0,
    gid: 5,
    mtimeNs: terminal.host.sim.nowNs,
    rdev: [136, terminal.number],
  }
}

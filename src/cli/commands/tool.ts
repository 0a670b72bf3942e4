/** Programs of the simulated hosts, run on one's own files: they see them where they are, and can write nowhere. */
import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { drive, Simulator } from '#base/sim'
import {
  createCapture,
  createHost,
  fail,
  type KernelHost,
  NEVER_WOKEN,
  Node,
  type OpenFile,
  ok,
  POLLIN,
  type Stat,
} from '#kernel/core'
import { createDebian12 } from '#lab/catalogue'
import { UsageError } from '../command.ts'

/** Programs for which it makes sense: they read files and print. */
const TOOLS: Record<string, string> = {
  lspci: 'PCI devices of a dump: lspci -F FILE -vvv',
  tcpdump: 'frames of a capture: tcpdump -r FILE',
  cat: 'a file as it is',
  cut: 'columns of lines',
  diff: 'what differs between two files',
  find: 'files below a folder',
  grep: 'lines with a pattern',
  head: 'the first lines',
  hexdump: 'bytes as numbers',
  ls: 'what a folder holds',
  od: 'bytes as numbers',
  sort: 'lines in order',
  tail: 'the last lines',
  uniq: 'lines without repetitions',
  wc: 'lines, words and bytes',
  xxd: 'bytes as numbers',
}

const SUMMARY = "programs of the simulated hosts, on one's own files"

const help = (names: string[]) => `Usage: kaidoku tool [OPTION]... NAME [ARGUMENT]...
Run a program of the simulated hosts on your own files, outside any lab. It sees your folders where they are and can
only read them; there is no network. Its exit status is the command's.

${names.map((name) => `  ${name.padEnd(8)} ${TOOLS[name]}`).join('\n')}

  -h, --help           show this text`

/** These stay the simulated host's own. */
const OWN = new Set(['bin', 'boot', 'dev', 'etc', 'lib', 'lib64', 'proc', 'run', 'sbin', 'sys', 'usr', 'var'])

function statOf(real: ReturnType<typeof lstatSync> & {}): Stat {
  const type = real.isDirectory() ? 'directory' : real.isSymbolicLink() ? 'symlink' : 'file'
  return {
    type,
    mode: Number(real.mode) & 0o7777,
    size: Number(real.size),
    inode: Number(real.ino),
    links: Number(real.nlink),
    uid: Number(real.uid),
    gid: Number(real.gid),
    mtimeNs: (Number(real.mtimeMs) - STARTED_MS) * 1e6,
  }
}

const STARTED_MS = performance.timeOrigin

const ERRORS = new Set(['EACCES', 'ENOENT', 'EISDIR', 'ENOTDIR', 'ELOOP', 'EMFILE', 'EIO'])

function errnoOf(error: unknown) {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  return fail(ERRORS.has(code) ? (code as 'EACCES') : 'EIO')
}

/** A real file or folder, read when somebody looks. */
class RealNode extends Node {
  readonly path: string
  readonly type: Stat['type']
  constructor(path: string) {
    super()
    this.path = path
    this.type = statOf(lstatSync(path)).type
  }
  override stat(): Stat {
    return statOf(lstatSync(this.path))
  }
  override lookup(_host: KernelHost, name: string): Node | undefined {
    try {
      return new RealNode(`${this.path}/${name}`)
    } catch {
      return undefined
    }
  }
  override list(): string[] {
    try {
      return readdirSync(this.path)
    } catch {
      return []
    }
  }
  override readlink(): string {
    return readlinkSync(this.path)
  }
  override open(_host: KernelHost, flags: number, path: string) {
    if ((flags & 3) !== 0) return fail('EROFS')
    try {
      return ok(new RealFile(openSync(this.path, 'r'), flags, path))
    } catch (error) {
      return errnoOf(error)
    }
  }
}

class RealFile implements OpenFile {
  flags: number
  references = 0
  readonly queue = NEVER_WOKEN
  readonly description: string
  readonly #fd: number
  #offset = 0
  constructor(fd: number, flags: number, path: string) {
    this.#fd = fd
    this.flags = flags
    this.description = path
  }
  stat(): Stat {
    return statOf(fstatSync(this.#fd))
  }
  read(length: number) {
    const bytes = new Uint8Array(length)
    try {
      const got = readSync(this.#fd, bytes, 0, length, this.#offset)
      this.#offset += got
      return ok(bytes.subarray(0, got))
    } catch (error) {
      return errnoOf(error)
    }
  }
  write() {
    return fail('EBADF')
  }
  poll(): number {
    return POLLIN
  }
  seek(offset: number, whence: 'SET' | 'CUR' | 'END') {
    const from = whence === 'SET' ? 0 : whence === 'CUR' ? this.#offset : Number(fstatSync(this.#fd).size)
    if (from + offset < 0) return fail('EINVAL')
    this.#offset = from + offset
    return ok(this.#offset)
  }
  release(): void {
    closeSync(this.#fd)
  }
}

async function main(words: string[]): Promise<number> {
  const image = createDebian12()
  const names = Object.keys(TOOLS).filter((name) => image.programs.has(name))
  const [name, ...rest] = words
  // `--help` and the list are the same.
  if (name === undefined || name === '--help' || name === '-h') {
    process.stdout.write(`${help(names)}\n`)
    return 0
  }
  if (!names.includes(name)) throw new UsageError(`kaidoku tool: there is no tool '${name}'; kaidoku tool lists them`)
  // Debian has udev's database, and what lspci shows depends on whether there is one.
  image.file('/usr/lib/udev/hwdb.bin', '')
  const top = image.root.entries!
  for (const entry of readdirSync('/')) {
    try {
      if (!OWN.has(entry)) top.set(entry, new RealNode(`/${entry}`))
    } catch {
      // It went away, or may not be looked at.
    }
  }
  const sim = new Simulator(1)
  const host = createHost({ sim, image, name: 'tool', number: 1, startS: Math.floor(STARTED_MS / 1000) })
  const out = (stream: NodeJS.WriteStream) => createCapture({ onOutput: (bytes) => void stream.write(bytes) })
  let status: number | undefined
  host.spawn({
    argv: [name, ...rest],
    files: [host.openPath('/dev/null', 0)!, out(process.stdout), out(process.stderr)],
    env: { PATH: '/usr/sbin:/usr/bin', LANG: 'C.UTF-8' },
    cwd: process.cwd(),
    onExit: (ended) => {
      status = ended.exit ?? 1
    },
  })
  await drive(sim, Number.POSITIVE_INFINITY, () => status !== undefined)
  return status ?? 1
}

export const tool = { name: 'tool', help: help(Object.keys(TOOLS)), summary: SUMMARY, run: main }

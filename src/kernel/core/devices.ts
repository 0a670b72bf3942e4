/** /dev's character devices. Linux 6.1 drivers/char/mem.c, random.c, drivers/tty/tty_io.c; Documentation/admin-guide/devices.txt. */
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { OpenFile, Stat } from './file.ts'
import { POLLIN, POLLOUT } from './file.ts'
import type { Inode } from './inode.ts'
import type { KernelHost } from './kernel.ts'
import { NEVER_WOKEN } from './wait.ts'

interface Behaviour {
  read(host: KernelHost, length: number): SysResult<Uint8Array>
  write(bytes: Uint8Array): SysResult<number>
}

/** What one read or write moves at most, so that a huge count costs no memory. */
const CHUNK = 1 << 20

const swallow = (bytes: Uint8Array) => ok(bytes.length)
const zeros = (_host: KernelHost, length: number) => ok(new Uint8Array(Math.min(length, CHUNK)))
const random = (host: KernelHost, length: number) =>
  ok(host.sim.random(`${host.name}/random`).bytes(Math.min(length, CHUNK)))

/** By `major:minor`. */
const DEVICES: Record<string, Behaviour> = {
  '1:3': { read: () => ok(new Uint8Array(0)), write: swallow },
  '1:5': { read: zeros, write: swallow },
  '1:7': { read: zeros, write: () => fail('ENOSPC') },
  '1:8': { read: random, write: swallow },
  '1:9': { read: random, write: swallow },
}

/** Opens a device node. */
export function deviceFile(host: KernelHost, inode: Inode, flags: number, path: string): SysResult<OpenFile> {
  const [major, minor] = inode.rdev ?? [0, 0]
  if (major === 5 && minor === 0) {
    const terminal = host.machine.current?.session.terminal
    return terminal ? ok(terminal.open(flags)) : fail('ENXIO')
  }
  const behaviour = DEVICES[`${major}:${minor}`]
  return behaviour ? ok(new DeviceFile(host, inode, behaviour, flags, path)) : fail('ENXIO')
}

class DeviceFile implements OpenFile {
  flags: number
  references = 0
  readonly queue = NEVER_WOKEN
  readonly description: string
  readonly #host: KernelHost
  readonly #inode: Inode
  readonly #behaviour: Behaviour

  constructor(host: KernelHost, inode: Inode, behaviour: Behaviour, flags: number, path: string) {
    this.#host = host
    this.#inode = inode
    this.#behaviour = behaviour
    this.flags = flags
    this.description = path
  }

  stat(): Stat {
    return this.#inode.stat(this.#host)
  }

  read(length: number): SysResult<Uint8Array> {
    return this.#behaviour.read(this.#host, length)
  }

  write(bytes: Uint8Array): SysResult<number> {
    return this.#behaviour.write(bytes)
  }

  poll(): number {
    return POLLIN | POLLOUT
  }

  seek(): SysResult<number> {
    return ok(0)
  }
}

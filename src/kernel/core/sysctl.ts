/** /proc/sys: single sysctls and families of them, and how the kernel reads numbers. Linux 6.1 kernel/sysctl.c. */
import { assert } from '#base/check'
import type { SysResult } from './errno.ts'
import { fail, OK, ok } from './errno.ts'
import type { PseudoFile, Sysctl } from './image.ts'
import type { KernelHost } from './kernel.ts'
import { callersNetns, inNetns } from './netns.ts'
import type { Node } from './node.ts'
import { PseudoFolder, PseudoLeaf } from './pseudo.ts'

/** A directory of /proc/sys. Below a `*`, `instance` is what it stands for. */
export class SysctlFolder extends PseudoFolder {
  /** What stands at a `*` here, and which names it has. */
  star: SysctlFolder | undefined
  names: ((host: KernelHost) => string[]) | undefined
  readonly sysctls = new Map<string, Sysctl>()
  readonly folders = new Map<string, SysctlFolder>()

  add(sysctl: Sysctl): void {
    // An instance's name may have dots, but never the name of a family.
    const parts = sysctl.name.split('.')
    const last = parts.pop()!
    let at: SysctlFolder = this
    for (const part of parts) at = part === '*' ? at.#star(sysctl) : at.#child(part)
    if (last === '*') {
      at.names ??= sysctl.list
      at.#star(sysctl).sysctls.set('', sysctl)
      return
    }
    assert(!at.sysctls.has(last), `two sysctls are called ${sysctl.name}`)
    at.sysctls.set(last, sysctl)
  }

  #star(sysctl: Sysctl): SysctlFolder {
    this.star ??= new SysctlFolder(`${this.path}/*`)
    this.names ??= sysctl.list
    return this.star
  }

  #child(name: string): SysctlFolder {
    let child = this.folders.get(name)
    if (!child) {
      child = new SysctlFolder(`${this.path}/${name}`)
      this.folders.set(name, child)
    }
    return child
  }

  override lookup(host: KernelHost, name: string): Node | undefined {
    return this.entry(host, name, '', this.path)
  }

  override list(host: KernelHost): string[] {
    return this.all(host)
  }

  all(host: KernelHost): string[] {
    return [...this.folders.keys(), ...this.sysctls.keys(), ...(this.names?.(host) ?? [])]
  }

  entry(host: KernelHost, name: string, instance: string, path: string): Node | undefined {
    const folder = this.folders.get(name)
    const below = `${path}/${name}`
    if (folder) {
      if (below === '/proc/sys/net') return inNetns(folder, host, callersNetns(host))
      return instance === '' ? folder : new SysctlView(folder, below, instance)
    }
    const sysctl = this.sysctls.get(name)
    if (sysctl) return leaf(sysctl, instance, below)
    if (!this.star || !this.names?.(host).includes(name)) return undefined
    const own = this.star.sysctls.get('')
    return own ? leaf(own, name, below) : new SysctlView(this.star, below, name)
  }
}

/** A directory below a `*`, as one instance has it. */
class SysctlView extends PseudoFolder {
  readonly #folder: SysctlFolder
  readonly #instance: string

  constructor(folder: SysctlFolder, path: string, instance: string) {
    super(path)
    this.#folder = folder
    this.#instance = instance
  }

  override lookup(host: KernelHost, name: string): Node | undefined {
    return this.#folder.entry(host, name, this.#instance, this.path)
  }

  override list(host: KernelHost): string[] {
    return this.#folder.all(host)
  }
}

function leaf(sysctl: Sysctl, instance: string, path: string): PseudoLeaf {
  const file: PseudoFile = { read: (host) => `${sysctl.get(host, instance)}\n` }
  const { set } = sysctl
  if (set) file.write = (host, text) => set.call(sysctl, host, instance, text.replace(/\n$/, ''))
  file.mode = sysctl.mode ?? (set ? 0o644 : 0o444)
  return new PseudoLeaf(file, path)
}

export interface IntegerLimits {
  min?: number
  max?: number
}

const INT_MIN = -(2 ** 31)
const INT_MAX = 2 ** 31 - 1

/**
 * Reads integers as a sysctl of `count` ints does: blanks between them, C's prefixes for octal and hexadecimal; what
 * follows the last is ignored, and the missing ones keep their values.
 * @see Linux 6.1 kernel/sysctl.c: __do_proc_dointvec(), proc_get_long()
 */
export function parseIntegers(text: string, count: number, limits: IntegerLimits = {}): SysResult<number[]> {
  const { min = INT_MIN, max = INT_MAX } = limits
  const values: number[] = []
  let rest = text
  while (values.length < count) {
    rest = rest.replace(/^[ \t\n\v\f\r]+/, '')
    if (rest === '') break
    const match = /^(-?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)(?=[ \t\n\0]|$)/.exec(rest)
    if (!match) return fail('EINVAL')
    const digits = match[2]!
    const octal = /^0[0-7]+$/.test(digits)
    const value = (match[1] === '-' ? -1 : 1) * (octal ? Number.parseInt(digits, 8) : Number(digits))
    if (value < INT_MIN || value > INT_MAX || value < min || value > max) return fail('EINVAL')
    values.push(value === 0 ? 0 : value)
    rest = rest.slice(match[0].length)
  }
  return values.length === 0 ? fail('EINVAL') : ok(values)
}

/** A sysctl that is one int. */
export function integerSysctl(
  name: string,
  get: (host: KernelHost, instance: string) => number,
  set: (host: KernelHost, instance: string, value: number) => void,
  limits: IntegerLimits & { list?: Sysctl['list'] } = {},
): Sysctl {
  const sysctl: Sysctl = {
    name,
    get: (host, instance) => String(get(host as KernelHost, instance)),
    set(host, instance, value) {
      const parsed = parseIntegers(value, 1, limits)
      if (!parsed.ok) return parsed
      set(host as KernelHost, instance, parsed.value[0]!)
      return OK
    },
  }
  if (limits.list) sysctl.list = limits.list
  return sysctl
}

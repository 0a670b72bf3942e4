/** lspci: its options, and what they show of a list of functions. pciutils 3.9.0. */
import { getopt } from '#base/text'
import { parseDump } from './dump.ts'
import { type PciFilter, parseIdFilter, parseSlotFilter, passes } from './filter.ts'
import { Fn } from './function.ts'
import { showHeader } from './header.ts'
import { HELP, METHODS, PARAMETERS } from './help.ts'
import { PciIds } from './ids.ts'
import { Fatal, hex, type PciFunction } from './space.ts'
import { Tree } from './tree.ts'

/** What the program takes from its surroundings. */
export interface LspciInput {
  argv: readonly string[]
  /** A file's text, or why it can't be had. */
  file(path: string): { ok: true; text: string } | { ok: false; why: string }
  /** The functions of the machine that it runs on. */
  machine(): PciFunction[]
  /** The list of names that comes with it. */
  ids(): string
  /** Whether it has udev's hardware database. */
  udev: boolean
}

export interface LspciOutput {
  stdout: string
  stderr: string
  status: number
}

interface Options {
  verbose: number
  hex: number
  numeric: number
  tree: boolean
  path: number
  machine: number
  domains: number
  kernel: boolean
  busView: boolean
  filter: PciFilter
  filtered: boolean
  dump?: string
  idFile?: string
  udev: boolean
}

class Usage extends Error {}
/** Ends it well, as `-A help` does. */
class Done extends Error {}

export function runLspci(input: LspciInput): LspciOutput {
  let stdout = ''
  let stderr = ''
  let status = 0
  const print = (text: string) => {
    stdout += text
  }
  try {
    if (input.argv.length === 2 && input.argv[1] === '--version') print('lspci version 3.9.0\n')
    else {
      const options = readOptions(input.argv, print, (text) => {
        stderr += `${text}\n`
      })
      new Lspci(options, input, print, (text) => {
        stderr += `pcilib: ${text}\n`
      }).show()
    }
  } catch (error) {
    if (error instanceof Usage) {
      stderr += HELP
      status = 1
    } else if (error instanceof Fatal) {
      stderr += `lspci: ${error.message}\n`
      status = 1
    } else if (!(error instanceof Done)) throw error
  }
  return { stdout, stderr, status }
}

function readOptions(argv: readonly string[], print: (text: string) => void, error: (text: string) => void): Options {
  const o: Options = {
    verbose: 0,
    hex: 0,
    numeric: 0,
    tree: false,
    path: 0,
    machine: 0,
    domains: 0,
    kernel: false,
    busView: false,
    filter: {},
    filtered: false,
    udev: true,
  }
  const { options, operands } = getopt(argv, 'nvbxs:d:tPi:mgp:qkMDQA:GO:H:F:')
  for (const { option, value = '', message } of options) {
    if (message !== undefined) {
      error(message)
      throw new Usage()
    }
    if (option === 'n') o.numeric++
    else if (option === 'v') o.verbose++
    else if (option === 'b') o.busView = true
    else if (option === 'x') o.hex++
    else if (option === 'P') o.path++
    else if (option === 't') o.tree = true
    else if (option === 'm') o.machine++
    else if (option === 'k') o.kernel = true
    else if (option === 'D') o.domains = 2
    else if (option === 'i') o.idFile = value
    else if (option === 'F') o.dump = value
    else if (option === 's' || option === 'd') {
      const wrong = (option === 's' ? parseSlotFilter : parseIdFilter)(o.filter, value)
      if (wrong) throw new Fatal(`-${option}: ${wrong}`)
      o.filtered = true
    } else if (option === 'A') readMethod(value, print)
    else if (option === 'O') readParameter(o, value, print)
    else if (option === 'H' && value !== '1' && value !== '2')
      throw new Fatal(`Unknown hardware configuration type ${value}`)
    else if (option === 'g') throw new Usage()
    else if ('qQMGH'.includes(option)) throw new Fatal(`not modelled: -${option}`)
  }
  if (operands.length > 0) throw new Usage()
  return o
}

function readMethod(value: string, print: (text: string) => void): void {
  if (value === 'help') {
    print(METHODS)
    throw new Done()
  }
  const name = value === 'dump' || value.startsWith('linux-') ? value : undefined
  if (!METHODS.includes(`\n${value}\n`)) {
    throw new Fatal(`No such PCI access method: ${value} (see \`-A help' for a list)`)
  }
  if (!name) throw new Fatal(`not modelled: access by ${value}`)
}

function readParameter(o: Options, value: string, print: (text: string) => void): void {
  if (value === 'help') {
    print(PARAMETERS)
    throw new Done()
  }
  const equals = value.indexOf('=')
  if (equals < 0) throw new Fatal(`Invalid PCI access parameter syntax: ${value}`)
  const name = value.slice(0, equals)
  if (!PARAMETERS.includes(`\n${name.padEnd(20)} `)) {
    throw new Fatal(`Unrecognized PCI access parameter: ${name} (see \`-O help' for a list)`)
  }
  if (name === 'dump.name') o.dump = value.slice(equals + 1)
  if (name === 'hwdb.disable') o.udev = !(Number.parseInt(value.slice(equals + 1), 10) || 0)
}

class Lspci {
  readonly #o: Options
  readonly #ids: PciIds
  readonly #functions: Fn[]
  readonly #tree: Tree | undefined
  readonly #print: (text: string) => void
  readonly #warn: (text: string) => void

  constructor(o: Options, input: LspciInput, print: (text: string) => void, warn: (text: string) => void) {
    this.#o = o
    this.#print = print
    this.#warn = warn
    this.#ids = new PciIds(() => {
      if (o.idFile === undefined) return input.ids()
      const file = input.file(o.idFile)
      return file.ok ? file.text : ''
    })
    this.#ids.udev = o.udev && input.udev
    if (o.numeric > 0) this.#ids.mode = o.numeric > 1 ? 'both' : 'numbers'
    let found: PciFunction[]
    if (o.dump === undefined) found = input.machine()
    else {
      const file = input.file(o.dump)
      if (!file.ok) throw new Fatal(`dump: Cannot open ${o.dump}: ${file.why}`)
      found = parseDump(file.text)
    }
    if (found.some(({ domain }) => domain !== 0) && o.domains === 0) o.domains = 1
    const order = (f: Fn) => ((f.domain * 256 + f.bus) * 32 + f.device) * 8 + f.func
    this.#functions = found.map((one) => new Fn(one)).sort((a, b) => order(a) - order(b))
    if (o.tree || o.path > 0) this.#tree = new Tree(this.#functions)
  }

  show(): void {
    const o = this.#o
    if (o.tree) {
      const name = (fn: Fn) => (o.verbose > 0 ? `  ${this.#ids.both(fn.ids.vendor, fn.ids.device, 256)}` : '')
      this.#print(this.#tree!.draw(name, o.filtered ? (fn) => passes(o.filter, fn) : undefined))
      return
    }
    for (const fn of this.#functions) if (passes(o.filter, fn)) this.#showFunction(fn)
  }

  #showFunction(fn: Fn): void {
    const o = this.#o
    if (o.machine > 0) this.#showForMachines(fn)
    else {
      this.#showTerse(fn)
      if (o.verbose > 0) {
        showHeader({
          fn,
          space: fn.space,
          verbose: o.verbose,
          ids: this.#ids,
          print: this.#print,
          busView: o.busView,
          warn: this.#warn,
        })
      }
      const { os } = fn.of
      if (o.verbose > 0 || o.kernel) {
        if (os?.driver !== undefined) this.#print(`\tKernel driver in use: ${os.driver}\n`)
        if (os?.modules?.length) this.#print(`\tKernel modules: ${os.modules.join(', ')}\n`)
      }
    }
    if (o.hex > 0) this.#showHex(fn)
    if (o.verbose > 0 || o.hex > 0) this.#print('\n')
  }

  #slot(fn: Fn): string {
    const o = this.#o
    const shown = o.machine > 0 ? fn.domain !== 0 || o.domains >= 2 : o.domains > 0
    const place = (one: Fn, withBus: boolean) =>
      `${withBus ? `${hex(one.bus, 2)}:` : ''}${hex(one.device, 2)}.${one.func}`
    const path = o.path > 0 ? [...this.#tree!.path(fn), fn] : [fn]
    return (shown ? `${hex(fn.domain, 4)}:` : '') + path.map((one, i) => place(one, i === 0 || o.path > 1)).join('/')
  }

  #showTerse(fn: Fn): void {
    const { vendor, device, class: kind, revision, progIf } = fn.ids
    const { verbose, kernel } = this.#o
    const ids = this.#ids
    let text = `${this.#slot(fn)} ${ids.class(kind)}: ${ids.both(vendor, device)}`
    if (revision) text += ` (rev ${hex(revision, 2)})`
    if (verbose > 0) {
      const name = ids.interface(kind, progIf)
      if (progIf || name !== undefined) text += ` (prog-if ${hex(progIf, 2)}${name === undefined ? '' : ` [${name}]`})`
    }
    this.#print(`${text}\n`)
    if (verbose === 0 && !kernel) return
    // There is no line's end behind a label.
    if (fn.of.os?.label !== undefined) this.#print(`\tDeviceName: ${fn.of.os.label}`)
    const subsystem = this.#shownSubsystem(fn)
    if (subsystem) this.#print(`\tSubsystem: ${ids.subsystem([vendor, device], ...subsystem)}\n`)
  }

  #shownSubsystem(fn: Fn): [number, number] | undefined {
    const { subsystem } = fn
    return subsystem && subsystem[0] !== 0 && subsystem[0] !== 0xffff ? subsystem : undefined
  }

  #showForMachines(fn: Fn): void {
    const o = this.#o
    const ids = this.#ids
    const { vendor, device, class: kind, revision, progIf } = fn.ids
    const subsystem = this.#shownSubsystem(fn)
    const names = subsystem
      ? [ids.subsystemVendor(subsystem[0]), ids.subsystemDevice([vendor, device], ...subsystem)]
      : undefined
    if (o.verbose === 0) {
      const quoted = (text: string) => ` "${text.replaceAll(/["\\]/g, '\\$&')}"`
      let line = this.#slot(fn) + [ids.class(kind), ids.vendor(vendor), ids.device(vendor, device)].map(quoted).join('')
      if (revision) line += ` -r${hex(revision, 2)}`
      line += ` -p${hex(progIf, 2)}`
      this.#print(`${line}${(names ?? ['', '']).map(quoted).join('')}\n`)
      return
    }
    const { os } = fn.of
    const lines: [name: string, value: string | number | undefined][] = [
      [o.machine > 1 ? 'Slot' : 'Device', this.#slot(fn)],
      ['Class', ids.class(kind)],
      ['Vendor', ids.vendor(vendor)],
      ['Device', ids.device(vendor, device)],
      ['SVendor', names?.[0]],
      ['SDevice', names?.[1]],
      ['PhySlot', os?.slot],
      ['Rev', revision ? hex(revision, 2) : undefined],
      ['ProgIf', hex(progIf, 2)],
      ['Driver', o.kernel ? os?.driver : undefined],
      ...(o.kernel ? (os?.modules ?? []) : []).map((name): [string, string] => ['Module', name]),
      ['NUMANode', os?.numaNode],
      ['IOMMUGroup', os?.iommuGroup],
    ]
    for (const [name, value] of lines) if (value !== undefined) this.#print(`${name}:\t${value}\n`)
  }

  #showHex({ space }: Fn): void {
    if (!space.readable) {
      this.#print('WARNING: Cannot show hex-dump of the config space\n')
      return
    }
    const { hex: level } = this.#o
    let length = space.standard
    if (level >= 3 && space.load(length, 256 - length)) {
      length = 256
      if (level >= 4 && space.load(256, 4096 - 256)) length = 4096
    }
    for (let at = 0; at < length; at += 16) {
      const bytes = Array.from({ length: 16 }, (_, i) => hex(space.u8(at + i), 2))
      this.#print(`${hex(at, 2)}: ${bytes.join(' ')}\n`)
    }
  }
}

/** setpci: reads and writes configuration registers by name or place. pciutils 3.9.0. */
import { type Body, O_RDWR, readAll, type Sys, writeText } from '#kernel/core'
import { type PciFilter, parseIdFilter, parseSlotFilter, passes } from '../lspci/filter.ts'
import { Fn } from '../lspci/function.ts'
import { hex, Space } from '../lspci/space.ts'
import { DEVICES, machineFunctions } from '../sysfs-reader.ts'
import { REGISTERS } from './registers.ts'

interface Operation {
  cap: { id: number; extended: boolean } | undefined
  at: number
  width: 1 | 2 | 4
  /** What to write; none to read. */
  values: { value: number; mask: number }[]
}

const WIDTHS: Record<string, 1 | 2 | 4> = { B: 1, W: 2, L: 4 }

class Wrong extends Error {}

function parseOperation(text: string): Operation {
  const [where = '', write] = text.split('=', 2)
  const match = /^([^.+@]*)(?:\+([0-9a-f]+))?(?:\.(.))?(?:@\d+)?$/i.exec(where)
  if (!match) throw new Wrong(`Invalid register "${where}".`)
  const name = match[1]!.toUpperCase()
  let cap: Operation['cap']
  let at: number
  let width: 1 | 2 | 4 | undefined
  const known = REGISTERS.split(/\s+/).find((entry) => entry.startsWith(`${name}:`))
  const numbered = /^(E?)CAP([0-9A-F]+)$/.exec(name)
  if (/^[0-9A-F]+$/.test(name)) at = Number.parseInt(name, 16)
  else if (numbered) {
    cap = { id: Number.parseInt(numbered[2]!, 16), extended: numbered[1] === 'E' }
    at = 0
  } else if (known) {
    const [, of = '', place = '0', size = ''] = known.split(':')
    if (of !== '') cap = { id: Number.parseInt(of.replace('E', ''), 16), extended: name.startsWith('ECAP') }
    at = Number.parseInt(place, 16)
    width = WIDTHS[size]
  } else throw new Wrong(`Unknown register "${match[1]}".`)
  at += Number.parseInt(match[2] ?? '0', 16)
  if (match[3] !== undefined) {
    width = WIDTHS[match[3].toUpperCase()]
    if (!width) throw new Wrong('Invalid width specifier.')
  }
  if (!width) throw new Wrong('Missing width.')
  if (at > 0x1000 || at + width > 0x1000) throw new Wrong('Register number out of range!')
  if (at % width !== 0) throw new Wrong(`Unaligned register address ${hex(at)}.`)
  const values = (write === undefined ? [] : write.split(',')).map((part) => {
    const [value = '', mask] = part.split(':', 2)
    const full = 2 ** (8 * width) - 1
    for (const number of [value, mask ?? '0']) {
      if (!/^[0-9a-f]{1,8}$/i.test(number)) throw new Wrong(`Invalid value "${number}".`)
      if (Number.parseInt(number, 16) > full) throw new Wrong(`Value "${number}" is out of range.`)
    }
    return { value: Number.parseInt(value, 16), mask: mask === undefined ? full : Number.parseInt(mask, 16) }
  })
  return { cap, at, width, values }
}

function capabilityAt(space: Space, { id, extended }: NonNullable<Operation['cap']>): number | undefined {
  const seen = new Set<number>()
  if (!extended) {
    if (!(space.raw(6, 2) & 0x10)) return undefined
    for (let at = space.raw(0x34, 1) & ~3; at !== 0 && !seen.has(at); at = space.raw(at + 1, 1) & ~3) {
      seen.add(at)
      if (space.raw(at, 1) === id) return at
    }
    return undefined
  }
  for (let at = 0x100; at >= 0x100 && !seen.has(at); at = space.raw(at + 2, 2) >> 4) {
    seen.add(at)
    const found = space.raw(at, 2)
    if (found === 0 || found === 0xffff) return undefined
    if (found === id) return at
  }
  return undefined
}

export function* setpci(sys: Sys, argv: string[]): Body<number> {
  let complaint = ''
  const words = argv.slice(1)
  if (words.length === 1 && words[0] === '--version') {
    yield* writeText(sys, 1, 'setpci version 3.9.0\n')
    return 0
  }
  const filter: PciFilter = {}
  let filtered = false
  let verbose = false
  let demo = false
  let force = false
  const operations: Operation[] = []
  try {
    while (words[0]?.startsWith('-')) {
      const word = words.shift()!
      const letter = word[1]
      if (letter === 's' || letter === 'd') {
        const text = word.length > 2 ? word.slice(2) : words.shift()
        if (text === undefined) throw new Wrong('Missing operand.')
        const wrong = (letter === 's' ? parseSlotFilter : parseIdFilter)(filter, text)
        if (wrong) throw new Wrong(`-${letter}: ${wrong}`)
        filtered = true
      } else {
        for (const one of word.slice(1)) {
          if (one === 'v') verbose = true
          else if (one === 'D') demo = true
          else if (one === 'f') force = true
          else throw new Wrong(`Unable to parse option "${word}".`)
        }
      }
    }
    if (!filtered) throw new Wrong('Filter specification expected.')
    if (words.length === 0) throw new Wrong('No operation specified.')
    operations.push(...words.map(parseOperation))
  } catch (error) {
    if (!(error instanceof Wrong)) throw error
    complaint = error.message
  }
  if (complaint !== '') {
    yield* writeText(sys, 2, `setpci: ${complaint}\nTry \`setpci --help' for more information.\n`)
    return 1
  }
  const functions = (yield* machineFunctions(sys)).map((one) => new Fn(one)).filter((fn) => passes(filter, fn))
  if (functions.length === 0 && !force) {
    yield* writeText(sys, 2, 'setpci: Warning: No devices selected for operation group 1.\n')
    return 0
  }
  for (const fn of functions) {
    for (const operation of operations) {
      const { cap, width, values } = operation
      // Each look is anew: a write before may have changed it.
      const opened = yield* sys.open(`${DEVICES}/${fn.address}/config`, values.length > 0 && !demo ? O_RDWR : 0)
      if (!opened.ok) continue
      const got = yield* readAll(sys, opened.value)
      const bytes = got.ok ? got.value : new Uint8Array(0)
      const space = new Space({
        ...fn.of,
        read: (at, n) => (at + n > bytes.length ? undefined : bytes.subarray(at, at + n)),
      })
      const base = cap ? capabilityAt(space, cap) : 0
      if (base === undefined) {
        sys.close(opened.value)
        const kind = cap!.extended ? 'Extended capability' : 'Capability'
        yield* writeText(
          sys,
          2,
          `setpci: ${fn.address}: Instance #0 of ${kind} ${hex(cap!.id, 4)} not found - there are no capabilities with that id.\n`,
        )
        return 1
      }
      const at = base + operation.at
      const digits = width * 2
      const place = cap ? `(cap ${hex(cap.id, 2)} @${hex(base, 2)}) @${hex(at, 2)}` : `@${hex(at, 2)}`
      let line = verbose ? `${fn.address} ${place}` : ''
      if (values.length === 0) line += `${verbose ? ' = ' : ''}${hex(space.raw(at, width), digits)}`
      for (const [i, { value, mask }] of values.entries()) {
        const register = at + i * width
        const full = 2 ** (8 * width) - 1
        const old = space.raw(register, width)
        const put = mask === full ? value : ((old & ~mask) | (value & mask)) >>> 0
        if (mask === full) line += ` ${hex(value, digits)}`
        else line += ` ${hex(old, digits)}->(${hex(value, digits)}:${hex(mask, digits)})->${hex(put, digits)}`
        if (demo) continue
        sys.seek(opened.value, register, 'SET')
        yield* sys.write(
          opened.value,
          Uint8Array.from({ length: width }, (_, j) => Math.floor(put / 2 ** (8 * j)) & 255),
        )
      }
      sys.close(opened.value)
      if (verbose || values.length === 0) yield* writeText(sys, 1, `${line}\n`)
    }
  }
  return 0
}

/** Expressions of numbers: `ip[8] < 5`, `tcp[tcpflags] & (tcp-syn|tcp-ack) != 0`. All is unsigned, of 32 bits. */
import type { Block, Link } from './generate.ts'
import { both } from './generate.ts'
import { type Load, load8, type Test } from './load.ts'
import { FilterError } from './scan.ts'

/** A number, and the layers that have to be there for it. */
export interface Arithmetic {
  load: Load
  check: Block | undefined
  constant: number | undefined
}

export function constant(value: number): Arithmetic {
  return { load: () => value, check: undefined, constant: value }
}

export function frameLength(): Arithmetic {
  return { load: (f) => f.length, check: undefined, constant: undefined }
}

export function layerBytes(link: Link, layer: string, index: Arithmetic, size: number): Arithmetic {
  if (size !== 1 && size !== 2 && size !== 4) throw new FilterError('data size must be 1, 2, or 4')
  const { load, check } = link.layerLoad(layer, index.load, size)
  return { load, check: join(index.check, check), constant: undefined }
}

export function negative(a: Arithmetic): Arithmetic {
  return {
    load: (f) => -a.load(f) >>> 0,
    check: a.check,
    constant: a.constant === undefined ? undefined : -a.constant >>> 0,
  }
}

const OPERATIONS: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => (a + b) >>> 0,
  '-': (a, b) => (a - b) >>> 0,
  '*': (a, b) => Math.imul(a, b) >>> 0,
  '/': (a, b) => Math.floor(a / b),
  '%': (a, b) => a % b,
  '&': (a, b) => (a & b) >>> 0,
  '|': (a, b) => (a | b) >>> 0,
  '^': (a, b) => (a ^ b) >>> 0,
  '<<': (a, b) => (b > 31 ? 0 : (a << b) >>> 0),
  '>>': (a, b) => (b > 31 ? 0 : a >>> b),
}

export function binary(operator: string, a: Arithmetic, b: Arithmetic): Arithmetic {
  const operation = OPERATIONS[operator]!
  const division = operator === '/' || operator === '%'
  if (division && b.constant === 0) throw new FilterError(operator === '/' ? 'division by zero' : 'modulus by zero')
  if ((operator === '<<' || operator === '>>') && b.constant !== undefined && b.constant > 31)
    throw new FilterError('shift by more than 31 bits')
  const load: Load = (f) => {
    const left = a.load(f)
    const right = b.load(f)
    if (division && right === 0) {
      f.beyond = true // The BPF machine rejects the packet.
      return 0
    }
    return operation(left, right)
  }
  const fixed = a.constant !== undefined && b.constant !== undefined ? operation(a.constant, b.constant) : undefined
  return { load, check: join(a.check, b.check), constant: fixed }
}

export function relation(operator: string, a: Arithmetic, b: Arithmetic): Block {
  const { load: x } = a
  const { load: y } = b
  const tests: Record<string, Test> = {
    '>': (f) => x(f) > y(f),
    '>=': (f) => x(f) >= y(f),
    '=': (f) => x(f) === y(f),
    '<': (f) => x(f) < y(f),
    '<=': (f) => x(f) <= y(f),
    '!=': (f) => x(f) !== y(f),
  }
  const test: Block = { bytes: tests[operator]!, fields: undefined }
  const check = join(a.check, b.check)
  return check ? both(check, test) : test
}

function join(a: Block | undefined, b: Block | undefined): Block | undefined {
  return a && b ? both(a, b) : (a ?? b)
}

/** `ip broadcast`: all ones or all zeros in the host's part. */
export function ipBroadcast(link: Link): Block {
  const hostMask = ~link.netmask >>> 0
  const at = link.payloadAt + 16
  const word = (f: Parameters<Load>[0]) =>
    ((load8(f, at) << 24) | (load8(f, at + 1) << 16) | (load8(f, at + 2) << 8) | load8(f, at + 3)) >>> 0
  return both(link.ip(), {
    bytes: (f) => {
      const host = (word(f) & hostMask) >>> 0
      return host === 0 || host === hostMask
    },
    fields: (p) => {
      const host = (p.dst & hostMask) >>> 0
      return host === 0 || host === hostMask
    },
  })
}

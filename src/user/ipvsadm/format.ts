/** Names and numbers as lists show them. ipvsadm(8): --numeric, --exact. */
import type { Body, Sys } from '#kernel/core'
import { lookupAddress, type NetAddress, serviceName } from '#user/libc'
import { formatIpv4, formatIpv6, type Ipv6Address } from '#wire/inet'
import { type Address, AF_INET } from './request.ts'
import { protocolWord } from './values.ts'

/** What an address and a port may have of characters together. */
const ADDRESS_MAX = 59

export interface Format {
  numeric: boolean
  exact: boolean
  /** Rules to be read again, instead of a table. */
  rules: boolean
  /** What the table's columns are. */
  columns: 'usual' | 'stats' | 'rate' | 'thresholds' | 'persistent-conn' | 'tun-info'
  sorted: boolean
  /** Persistence engines' data, with connections. */
  peData: boolean
}

function bytesOf(address: Ipv6Address): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  for (const [i, word] of [address.w0, address.w1, address.w2, address.w3].entries()) view.setUint32(4 * i, word)
  return bytes
}

/** Finds names, each once. */
export class Names {
  readonly #sys: Sys
  readonly #numeric: boolean
  readonly #hosts = new Map<Address, string>()
  readonly #ports = new Map<string, string>()

  constructor(sys: Sys, numeric: boolean) {
    this.#sys = sys
    this.#numeric = numeric
  }

  /** `10.0.0.1:80`, `web1:http`, `[2001:db8::1]:80`. */
  *of(af: number, addr: Address, port: number, protocol: number): Body<string> {
    const host = this.#numeric ? numeric(addr) : yield* this.#host(addr)
    const service = this.#numeric ? String(port) : yield* this.#port(port, protocol)
    return `${af === AF_INET ? host : `[${host}]`}:${service}`.slice(0, ADDRESS_MAX)
  }

  *#host(addr: Address): Body<string> {
    const known = this.#hosts.get(addr)
    if (known !== undefined) return known
    const asked: NetAddress =
      typeof addr === 'number'
        ? { family: 'AF_INET', address: addr }
        : { family: 'AF_INET6', address: bytesOf(addr), scopeId: 0 }
    const found = yield* lookupAddress(this.#sys, asked)
    const name = found.ok ? found.name : numeric(addr)
    this.#hosts.set(addr, name)
    return name
  }

  *#port(port: number, protocol: number): Body<string> {
    const word = protocolWord(protocol)
    if (word === undefined) return String(port)
    const key = `${port}/${word}`
    const known = this.#ports.get(key)
    if (known !== undefined) return known
    const name = (yield* serviceName(this.#sys, port, word)) ?? String(port)
    this.#ports.set(key, name)
    return name
  }
}

function numeric(addr: Address): string {
  return typeof addr === 'number' ? formatIpv4(addr) : formatIpv6(addr)
}

const UNITS: [below: number, unit: number, letter: string][] = [
  [1e9, 1e3, 'K'],
  [1e11, 1e6, 'M'],
  [1e14, 1e9, 'G'],
  [Number.POSITIVE_INFINITY, 1e12, 'T'],
]

/** A counter in its column: large ones in thousands, unless they are to be exact. */
export function formatCounter(value: number, exact: boolean): string {
  const text = String(value)
  if (exact) return text.padStart(Math.max(9, text.length + 1))
  if (value < 1e8) return text.padStart(9)
  const [, unit, letter] = UNITS.find(([below]) => value < below)!
  return `${String(Math.floor(value / unit)).padStart(8)}${letter}`
}

/** `real=`: an address or a range of them, a port, how packets go there, a weight, what to ask for, and thresholds. */
import { NotModelled } from '#base/check'
import type { Body } from '#kernel/core'
import { formatIpv4, parseIpv4 } from '#wire/inet'
import { ConfigError, type ConfigHost, type Section } from './config.ts'
import { realId, virtualId } from './identity.ts'
import type { Configuration, Forward, Real, Virtual } from './types.ts'

/** The real one makes as many servers as there are addresses between two others, until memory ends. */
const RANGE_MAX = 4096

const HOST = String.raw`\d+\.\d+\.\d+\.\d+|[A-Za-z0-9.-]+|\[[0-9A-fa-f:]+\]`
const REAL = new RegExp(String.raw`(${HOST})(?:->(${HOST}))?(?::([A-Za-z0-9_-]+))?\s+(.*)`)

/** The servers of a section, when its protocol is known. */
export function* resolveReals(section: Section, host: ConfigHost, into: Configuration): Body<void> {
  const { virtual } = section
  for (const { text, line } of section.reals) {
    const match = REAL.exec(text)
    if (!match) throw new ConfigError(line, 'invalid address for real server (wrong format)')
    const [, first, last, portName = '0', rest] = match
    const address = yield* host.address(first!, virtual.family)
    if (address === undefined) {
      throw new ConfigError(line, `invalid address (${first}) for real server (could not resolve host)`)
    }
    const port = yield* host.port(portName, '')
    if (port === undefined) {
      throw new ConfigError(line, `invalid port (${portName}) for real server (could not resolve port)`)
    }
    if (last === undefined) {
      addReal(line, virtual, address, port, rest!, into)
      continue
    }
    const end = yield* host.address(last, virtual.family)
    if (end === undefined) {
      throw new ConfigError(line, `invalid address (${last}) for real server (could not resolve end host)`)
    }
    for (const one of addressesBetween(line, virtual, address, end)) addReal(line, virtual, one, port, rest!, into)
  }
}

function addressesBetween(line: number, virtual: Virtual, first: string, last: string): string[] {
  if (virtual.family === 'AF_INET6') throw new ConfigError(line, 'Address range for IPv6 is not supported yet')
  const from = parseIpv4(first)! >>> 0
  const to = parseIpv4(last)! >>> 0
  if (from > to) {
    throw new ConfigError(
      line,
      `Invalid Range: ${first}-${last}: First value must be greater than or equal to the second value`,
    )
  }
  if (to - from >= RANGE_MAX) throw new NotModelled(`ldirectord: a range of ${to - from + 1} real servers`)
  const addresses: string[] = []
  // The numbers are compared as texts: a range that gets a digit more ends there.
  for (let address = from; String(address) <= String(to) && address - from < RANGE_MAX; address++) {
    addresses.push(formatIpv4(address))
  }
  return addresses
}

function addReal(
  line: number,
  virtual: Virtual,
  server: string,
  port: string,
  text: string,
  configuration: Configuration,
): void {
  const [, forward, after = ''] = /(\w+)(.*)/.exec(text) ?? []
  if (forward !== 'gate' && forward !== 'masq' && forward !== 'ipip') {
    throw new ConfigError(line, 'forward method must be gate, masq or ipip')
  }
  let rest = after
  // Each piece is looked for anywhere in what is left; what stands before it is forgotten.
  const take = (pattern: RegExp): string[] | undefined => {
    const match = pattern.exec(rest)
    if (!match) return undefined
    rest = match.at(-1)!
    return match.slice(1, -1)
  }
  const weight = take(/\s+(\d+)(.*)/)?.[0] ?? '1'
  const real: Real = {
    server,
    port,
    forward: forward as Forward,
    weight,
    url: '',
    failures: 0,
    connects: -1,
    upIn: new Set(),
  }
  const exchange = take(/\s+"(.*)"[, ]\s*"(.*)"(.*)/)
  if (exchange) {
    real.request = exchange[0]!.startsWith('/') ? exchange[0]! : `/${exchange[0]}`
    real.receive = exchange[1]!
  }
  const lower = take(/\s+l:(\d+)(.*)/)?.[0]
  const upper = take(/\s+u:(\d+)(.*)/)?.[0]
  if (lower !== undefined) real.lower = lower
  if (upper !== undefined) real.upper = upper
  if (/\S/.test(rest)) throw new ConfigError(line, `Invalid real server line, around "${rest}"`)
  virtual.reals.push(real)
  const id = realId(real, virtual)
  const sharing = configuration.sharedBy.get(id)
  if (sharing) sharing.push(virtualId(virtual))
  else configuration.sharedBy.set(id, [virtualId(virtual)])
}

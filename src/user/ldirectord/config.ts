/**
 * The configuration file. Global directives stand at the beginning of a line; a virtual service begins with `virtual=` and
 * goes on for as long as lines are indented by four blanks or more. A service's names and ports are looked up when its last
 * line has been read, since the protocol may come late. ldirectord(8)
 *
 * The values are taken as loosely as the real one takes them: the first number of a line is a number, however it goes on.
 */
import type { Body } from '#kernel/core'
import { GLOBAL_DIRECTIVES } from './config-global.ts'
import { resolveReals } from './config-real.ts'
import { VIRTUAL_DIRECTIVES } from './config-virtual.ts'
import { serviceOfPort, virtualId } from './identity.ts'
import { type Configuration, defaultGlobals, type Fallback, type Family, type Forward, type Virtual } from './types.ts'

/** What reading a configuration asks of the host. */
export interface ConfigHost {
  hostname: string
  /** An address as text, in brackets if it is one of IPv6; undefined if there is none. */
  address(name: string, family: Family): Body<string | undefined>
  /** The port of a service's name; of any protocol if that is empty. */
  port(name: string, protocol: string): Body<string | undefined>
  /** Opens a file for appending and closes it; the error's text if that fails. */
  tryAppend(path: string): Body<string | undefined>
  /** The same for the log, which may have no file. */
  tryLog(path: string): Body<boolean>
  isDirectory(path: string): boolean
  warn(line: number, message: string): Body<void>
  /** What Perl says of values that aren't there. */
  uninitialized(variable: string, operation: string, programLine: number, fileLine: number): Body<void>
}

/** A mistake of the file's, and in which line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly line: number
  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

/** More than anybody writes by hand. */
export const LINES_MAX = 20_000

/** Reads line after line, and can look at one twice. */
export class ConfigLines {
  readonly #lines: string[]
  /** The number of the line that was read last, from 1. */
  number = 0

  constructor(text: string) {
    this.#lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
    if (this.#lines.length > LINES_MAX) throw new ConfigError(0, `more than ${LINES_MAX} lines`)
  }

  get atEnd(): boolean {
    return this.number >= this.#lines.length
  }

  /** With its newline; undefined at the end. */
  next(): string | undefined {
    const line = this.#lines[this.number]
    if (line !== undefined) this.number++
    return line
  }
}

/** A directive's value, and where it stands. */
export interface Given {
  host: ConfigHost
  configuration: Configuration
  line: number
  value: string
}

/** A virtual service while it is read. */
export interface Section {
  virtual: Virtual
  /** Address and port as they were written; undefined for a mark. */
  target: string | undefined
  line: number
  fallbackLine: number
  reals: { text: string; line: number }[]
}

/** Fills `configuration` as it goes, so that whoever catches an error has what stands before it. */
export function* readConfiguration(text: string, host: ConfigHost, configuration: Configuration): Body<void> {
  Object.assign(configuration.globals, defaultGlobals())
  configuration.virtuals = []
  configuration.instances = []
  configuration.sharedBy = new Map()
  const lines = new ConfigLines(text)
  const seen = new Set<string>()
  let line = lines.next()
  while (line !== undefined) {
    const head = /^virtual(6)?\s*=\s*(.*)/.exec(line)
    if (head) {
      const section = beginSection(head[1] === undefined ? 'AF_INET' : 'AF_INET6', head[2]!, lines.number)
      configuration.virtuals.push(section.virtual)
      const isLast = lines.atEnd
      const own = line
      line = yield* readSection(lines, section, host, configuration)
      yield* resolveSection(section, lines.number, host, configuration)
      const id = virtualId(section.virtual)
      if (seen.has(id)) throw new ConfigError(lines.number, 'duplicate virtual server')
      seen.add(id)
      // A service without anything below it at the end of the file is read again, and is there twice then.
      if (isLast) line = own
      continue
    }
    if (!/^\s*(#|$)/.test(line)) yield* readGlobal(line, lines.number, host, configuration)
    line = lines.next()
  }
  if (configuration.globals.fork === 'yes') return
  for (const virtual of configuration.virtuals) {
    if (virtual.checkinterval === undefined) continue
    yield* host.warn(-1, `checkinterval in virtual service ${virtualId(virtual)} ignored when fork=no`)
  }
}

function* readGlobal(text: string, line: number, host: ConfigHost, configuration: Configuration): Body<void> {
  const given = /^(\w+)\s*=\s*(.*)/.exec(text)
  const directive = given && GLOBAL_DIRECTIVES[given[1]!]
  if (directive) {
    const understood = yield* directive({ host, configuration, line, value: given[2]! })
    if (understood !== false) return
  }
  if (/^supervised/.test(text)) {
    if (!/^supervised\s*$/.test(text)) throw new ConfigError(line, "supervised must be 'yes' or 'no'")
    configuration.globals.supervised = 'yes'
    yield* host.warn(line, 'please update your config not to use a bare supervised directive')
    return
  }
  throw new ConfigError(line, `Unknown command ${text} `)
}

function beginSection(family: Family, text: string, line: number): Section {
  const bare = /^(\d+\.\d+\.\d+\.\d+|[0-9A-Za-z._+-]+):([0-9A-Za-z_-]+)/.exec(text)
  const bracketed = /^\[([0-9A-Fa-f:]+)\]:([0-9A-Za-z_-]+)/.exec(text)
  const mark = /^(\d+)/.exec(text)
  let target: string | undefined
  let port = '0'
  if (bare) {
    target = `${bare[1]}:${bare[2]}`
    port = bare[2]!
  } else if (bracketed && !mark) {
    if (family === 'AF_INET') {
      throw new ConfigError(line, 'cannot specify an IPv6 address here. please use "virtual6" instead.')
    }
    target = `[${bracketed[1]}]:${bracketed[2]}`
    port = bracketed[2]!
  } else if (!mark) throw new ConfigError(line, 'invalid address for virtual server')
  const virtual = newVirtual(family, port)
  if (target === undefined) {
    virtual.mark = mark![1]!
    virtual.protocol = 'fwm'
    virtual.service = 'none'
  } else if (/:(53|domain)$/.test(target)) virtual.protocol = 'udp'
  return { virtual, target, line, fallbackLine: 0, reals: [] }
}

function newVirtual(family: Family, port: string): Virtual {
  return {
    family,
    port,
    protocol: 'tcp',
    checktype: 'negotiate',
    // The port tells it, unless a line does.
    service: '',
    scheduler: 'wrr',
    checkcommand: '/bin/true',
    request: '/',
    receive: '',
    login: '',
    passwd: '',
    database: '',
    secret: '',
    httpmethod: 'GET',
    ops: 'no',
    connectsBetween: 0,
    checktimeout: -1,
    negotiatetimeout: -1,
    checkcount: -1,
    failurecount: -1,
    reals: [],
    flags: '',
    realUp: undefined,
    fallbackUp: undefined,
  }
}

/** The lines of a virtual service. What comes after them has been read then, and is returned. */
function* readSection(
  lines: ConfigLines,
  section: Section,
  host: ConfigHost,
  configuration: Configuration,
): Body<string | undefined> {
  for (;;) {
    const raw = lines.next()
    if (raw === undefined) return undefined
    if (/^\s*#/.test(raw)) continue
    const text = /^ {4,}(.+)/.exec(raw.replace(/#.*/, '').replaceAll('\t', '    '))?.[1]
    if (text === undefined) return raw
    const given = /^(\w+)\s*=\s*(.*)/.exec(text)
    const directive = given && VIRTUAL_DIRECTIVES[given[1]!]
    const value = given?.[2] ?? ''
    const understood = directive
      ? yield* directive({ host, configuration, line: lines.number, value }, section)
      : (false as const)
    if (understood === false) throw new ConfigError(lines.number, `Unknown command "${raw}"`)
  }
}

/** Names and ports, when all of a service has been read. */
function* resolveSection(section: Section, fileLine: number, host: ConfigHost, into: Configuration): Body<void> {
  const { virtual, target } = section
  if (virtual.fallback) {
    yield* resolveFallback(section.fallbackLine, virtual.protocol, virtual.fallback, virtual.family, host)
  }
  if (target !== undefined) {
    const found = yield* resolveTarget(target, virtual, host)
    if (found === undefined) {
      yield* host.uninitialized('$ip_port', 'pattern match (m//)', 1838, fileLine)
      throw new ConfigError(section.line, 'invalid address for virtual service')
    }
    virtual.server = found.server
    virtual.port = found.port
    if (virtual.service === '') virtual.service = serviceOfPort(virtual.port)
  }
  yield* resolveReals(section, host, into)
}

function* resolveTarget(
  target: string,
  virtual: Virtual,
  host: ConfigHost,
): Body<{ server: string; port: string } | undefined> {
  const [, name, portName] = /^(.*):([A-Za-z0-9_-]+)$/.exec(target)!
  const server = yield* host.address(name!, virtual.family)
  if (server === undefined) return undefined
  const port = yield* host.port(portName!, virtual.protocol)
  return port === undefined ? undefined : { server, port }
}

/** `ADDRESS[:PORT] [gate|masq|ipip]`. */
export function parseFallback(line: number, value: string, port: string | undefined): Fallback {
  const words = /(\S+)(\s+(\S+))?\s*$/.exec(value)
  const forward = words?.[3] ?? 'gate'
  const place = words?.[1] ?? value
  const own = /:([A-Za-z0-9_-]+)$/.exec(place)
  if (forward !== 'gate' && forward !== 'masq' && forward !== 'ipip') {
    throw new ConfigError(line, 'forward method must be gate, masq or ipip')
  }
  const server = own ? place.slice(0, own.index) : place
  return { server, port: own?.[1] ?? port, forward: forward as Forward }
}

export function* resolveFallback(
  line: number,
  protocol: string,
  fallback: Fallback,
  family: Family,
  host: ConfigHost,
): Body<void> {
  const address = yield* host.address(fallback.server, family)
  if (address === undefined) {
    const version = family === 'AF_INET' ? 'IPv4' : 'IPv6'
    throw new ConfigError(
      line,
      `invalid ${version} address or could not resolve for fallback server: ${fallback.server}`,
    )
  }
  fallback.server = address
  if (fallback.port === undefined || fallback.port === '0' || fallback.port === '') return
  const port = yield* host.port(fallback.port, protocol)
  if (port === undefined || port === '0') throw new ConfigError(line, 'invalid port for fallback server')
  fallback.port = port
}

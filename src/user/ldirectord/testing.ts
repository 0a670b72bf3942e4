/** A configuration's host without a machine: some names, some services, a list of what was warned of. For tests. */
import type { Body } from '#kernel/core'
import { formatAddress, parseAddress } from '#user/libc'
import { ConfigError, type ConfigHost, readConfiguration } from './config.ts'
import { type Configuration, defaultGlobals, type Family } from './types.ts'

const SERVICES: Record<string, string> = { http: '80', domain: '53', smtp: '25' }

export class FakeConfigHost implements ConfigHost {
  readonly hostname = 'director'
  /** What would be on standard error. */
  text = ''
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  *address(name: string, family: Family): Body<string | undefined> {
    const bare = name.replace(/[[\]]/g, '')
    if (bare === 'localhost' || bare === '') return family === 'AF_INET' ? '127.0.0.1' : '[::1]'
    const number = parseAddress(bare)
    if (number?.family !== family) return undefined
    return family === 'AF_INET' ? formatAddress(number) : `[${formatAddress(number)}]`
  }

  *port(name: string): Body<string | undefined> {
    return /^\d+$/.test(name) ? (Number(name) < 65_536 ? name : undefined) : SERVICES[name]
  }

  *tryAppend(path: string): Body<string | undefined> {
    return path.startsWith('/tmp/') ? undefined : 'No such file or directory'
  }

  *tryLog(path: string): Body<boolean> {
    return !path.startsWith('/nodir')
  }

  isDirectory(path: string): boolean {
    return path === '/tmp'
  }

  *warn(line: number, message: string): Body<void> {
    this.tell('Warning', line, message)
  }

  *uninitialized(variable: string, operation: string, programLine: number, fileLine: number): Body<void> {
    this.text += `Use of uninitialized value ${variable} in ${operation} at /usr/sbin/ldirectord line ${programLine}, <CFGFILE> line ${fileLine}.\n`
  }

  tell(kind: string, line: number, message: string): void {
    const where = line > 0 ? ` reading file ${this.#path} at line ${line}` : ''
    this.text += `${kind} [PID]${where}: ${message.replace(/\n$/, '')}\n`
  }
}

export function emptyConfiguration(): Configuration {
  return { globals: defaultGlobals(), virtuals: [], instances: [], sharedBy: new Map() }
}

/** Reads a configuration to its end or its first mistake. */
export function readText(text: string, path = '/etc/ha.d/t.cf') {
  const host = new FakeConfigHost(path)
  const configuration = emptyConfiguration()
  let failed = false
  const reading = readConfiguration(text, host, configuration)
  try {
    if (!reading.next().done) throw new Error('blocked')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    failed = true
    host.tell('Error', error.line, error.message)
  }
  return { configuration, failed, text: host.text }
}

/** What reading a configuration asks, answered by the machine that it is on. */
import { type Body, type Sys, strerror } from '#kernel/core'
import { formatAddress, lookupHost, readServices } from '#user/libc'
import type { ConfigHost } from './config.ts'
import type { Output } from './output.ts'
import type { Family } from './types.ts'

/** How a mistake is told. While the daemon starts, to whoever starts it; later to the log. */
export function* tellConfig(
  output: Output,
  starting: boolean,
  kind: 'Warning' | 'Error',
  path: string,
  line: number,
  message: string,
): Body<void> {
  const where = line > 0 ? ` reading file ${path} at line ${line}` : ''
  const text = `${kind} [${output.sys.pid}]${where}: ${message.replace(/\n$/, '')}\n`
  if (output.debugging || starting) yield* output.error(text)
  else yield* output.log(text)
}

/** HOSTNAME, if that is in the environment. */
export function hostnameOf(sys: Sys): string {
  return sys.env.get('HOSTNAME') ?? sys.uname().nodename
}

export class MachineConfigHost implements ConfigHost {
  readonly #output: Output
  readonly #path: string
  readonly #starting: boolean

  constructor(output: Output, path: string, starting: boolean) {
    this.#output = output
    this.#path = path
    this.#starting = starting
  }

  get hostname(): string {
    return hostnameOf(this.#output.sys)
  }

  *address(name: string, family: Family): Body<string | undefined> {
    const bare = /\[(.*)\]/.exec(name)?.[1] ?? name
    // No name is nobody's but this machine's own.
    if (bare === '') return family === 'AF_INET6' ? '[::1]' : '127.0.0.1'
    const found = yield* lookupHost(this.#output.sys, bare, { family })
    if (!found.ok) return undefined
    const text = formatAddress(found.value.addresses[0]!)
    return family === 'AF_INET6' ? `[${text}]` : text
  }

  *port(name: string, protocol: string): Body<string | undefined> {
    if (/^\d+$/.test(name)) return Number(name) < 65_536 ? name : undefined
    const services = yield* readServices(this.#output.sys)
    const service = services.find(
      (one) => (one.name === name || one.aliases.includes(name)) && (protocol === '' || one.protocol === protocol),
    )
    return service && String(service.port)
  }

  *tryAppend(path: string): Body<string | undefined> {
    const errno = yield* this.#output.append(path, '')
    return errno && strerror(errno)
  }

  *tryLog(path: string): Body<boolean> {
    const { globals, debugging } = this.#output
    if (debugging || globals.supervised === 'yes') return true
    if (!path.startsWith('/')) {
      // A facility of syslog's. It is said once that there is none, and what is logged is lost.
      const text = "setlogsock(): type='unix': path not available at /usr/sbin/ldirectord line 4485.\n"
      if (!this.#output.sys.access('/dev/log', 'exists').ok) yield* this.#output.error(text)
      return true
    }
    return (yield* this.#output.append(path, '')) === undefined
  }

  isDirectory(path: string): boolean {
    const stat = this.#output.sys.stat(path)
    return stat.ok && stat.value.type === 'directory'
  }

  *warn(line: number, message: string): Body<void> {
    yield* tellConfig(this.#output, this.#starting, 'Warning', this.#path, line, message)
  }

  *uninitialized(variable: string, operation: string, programLine: number, fileLine: number): Body<void> {
    if (!this.#starting) return
    yield* this.#output.error(
      `Use of uninitialized value ${variable} in ${operation} at /usr/sbin/ldirectord line ${programLine}, <CFGFILE> line ${fileLine}.\n`,
    )
  }
}

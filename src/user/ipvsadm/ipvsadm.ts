/** `ipvsadm` 1.31: reads a command line, asks the kernel, prints. */

import { decodeUtf8 } from '#base/bytes'
import { type Body, readAll, type Sys } from '#kernel/core'
import { Exit, Stdio } from '#user/libc'
import { formatIpv4, formatIpv6 } from '#wire/inet'
import { formatConnections } from './connections.ts'
import { FAILED, Fail } from './fail.ts'
import { type Format, Names } from './format.ts'
import { TRY_HELP } from './help.ts'
import {
  ask,
  changeOf,
  getDaemons,
  getDests,
  getInfo,
  getService,
  getServices,
  getTimeouts,
  Refused,
  refusalText,
} from './kernel.ts'
import { formatService, title } from './list.ts'
import { parseCommandLine } from './options.ts'
import { IP_VS_STATE_MASTER, type Request } from './request.ts'
import { readRules } from './restore.ts'
import type { OptionName } from './rules.ts'
import { compareAddresses, compareServices, mergeSort } from './sort.ts'

/** The program. */
export function* ipvsadm(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, argv[0] ?? 'ipvsadm')
  return yield* io.run(new Tool(sys, io).main(argv.slice(1)))
}

class Tool {
  readonly #sys: Sys
  readonly #io: Stdio
  #info = { version: 0, connTabSize: 0 }

  constructor(sys: Sys, io: Stdio) {
    this.#sys = sys
    this.#io = io
  }

  *main(words: string[]): Body<number> {
    try {
      const info = getInfo(this.#sys)
      if (!info) throw new Fail(NO_IPVS)
      this.#info = info
      if (words.length > 0) return yield* this.#commandLine(words, false)
      yield* this.#listAll(formatOf(new Set()))
      return 0
    } catch (error) {
      if (!(error instanceof Fail)) throw error
      this.#io.error(`${error.message}\n`)
      return error.status
    }
  }

  /** @param restoring whether it is a line of what -R reads */
  *#commandLine(words: readonly string[], restoring: boolean): Body<number> {
    const parsed = yield* parseCommandLine(this.#sys, this.#io.program, words)
    if ('print' in parsed) {
      this.#io.print(parsed.print)
      // Even among rules it ends the program.
      throw new Exit(0)
    }
    if ('error' in parsed) {
      this.#io.error(`${parsed.error}\n`)
      return parsed.status
    }
    const { request } = parsed
    switch (request.command) {
      case 'list':
        yield* this.#list(request)
        return 0
      case 'save':
        yield* this.#listAll({ ...formatOf(request.given), rules: true })
        return 0
      case 'restore':
        if (restoring) throw new Fail(TRY_HELP(this.#io.program), FAILED)
        return yield* this.#restore()
      default:
        return this.#change(request)
    }
  }

  #change(request: Request): number {
    try {
      ask(this.#sys, changeOf(request))
      return 0
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      this.#io.error(`${refusalText(request.command, error.errno)}\n`)
      return FAILED
    }
  }

  /** The status is the last line's; only some mistakes end the reading. */
  *#restore(): Body<number> {
    const bytes = yield* readAll(this.#sys, 0)
    let status = 0
    for (const words of readRules(decodeUtf8(bytes.ok ? bytes.value : new Uint8Array()))) {
      status = yield* this.#commandLine(words, true)
      yield* this.#io.settle()
    }
    return status
  }

  *#list(request: Request): Body<void> {
    const { given, svc } = request
    const format = formatOf(given)
    const names = new Names(this.#sys, format.numeric)
    if (given.has('connection')) this.#io.print(yield* formatConnections(this.#sys, format, names))
    else if (given.has('service-address')) {
      const service = this.#asked(() => getService(this.#sys, svc))
      this.#io.print(title(format))
      this.#io.print(yield* this.#service(service, format, names))
    } else if (given.has('timeout')) {
      const { timeoutTcp, timeoutTcpFin, timeoutUdp } = this.#asked(() => getTimeouts(this.#sys))
      this.#io.print(`Timeout (tcp tcpfin udp): ${timeoutTcp} ${timeoutTcpFin} ${timeoutUdp}\n`)
    } else if (given.has('daemon')) this.#listDaemons()
    else yield* this.#listAll(format)
  }

  *#listAll(format: Format): Body<void> {
    const { version, connTabSize } = this.#info
    const dotted = `${version >> 16}.${(version >> 8) & 0xff}.${version & 0xff}`
    if (!format.rules) this.#io.print(`IP Virtual Server version ${dotted} (size=${connTabSize})\n`)
    const services = this.#asked(() => getServices(this.#sys))
    const names = new Names(this.#sys, format.numeric)
    this.#io.print(title(format))
    for (const service of format.sorted ? mergeSort(services, compareServices) : services)
      this.#io.print(yield* this.#service(service, format, names))
  }

  *#service(service: ReturnType<typeof getService>, format: Format, names: Names): Body<string> {
    const dests = this.#asked(() => getDests(this.#sys, service))
    const shown = format.sorted ? mergeSort(dests, compareAddresses) : dests
    return yield* formatService(service, shown, format, names)
  }

  #listDaemons(): void {
    for (const daemon of this.#asked(() => getDaemons(this.#sys))) {
      const group = daemon.mcastGroup
      const parts = [
        `mcast=${daemon.mcastIfn}`,
        `syncid=${daemon.syncId}`,
        ...(daemon.syncMaxlen ? [`maxlen=${daemon.syncMaxlen}`] : []),
        ...(group === undefined ? [] : [`group=${typeof group === 'number' ? formatIpv4(group) : formatIpv6(group)}`]),
        ...(daemon.mcastPort ? [`port=${daemon.mcastPort}`] : []),
        ...(daemon.mcastTtl ? [`ttl=${daemon.mcastTtl}`] : []),
      ]
      const kind = daemon.state & IP_VS_STATE_MASTER ? 'master' : 'backup'
      this.#io.print(`${kind} sync daemon (${parts.join(', ')})\n`)
    }
  }

  /** What is refused to a list ends the program. */
  #asked<T>(question: () => T): T {
    try {
      return question()
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      throw new Fail(refusalText('list', error.errno), 1)
    }
  }
}

const NO_IPVS = `Can't initialize ipvs: Protocol not available
Are you sure that IP Virtual Server is built in the kernel or as module?`

/** When several columns are asked for, these decide, the first before the others. */
const COLUMNS = ['stats', 'rate', 'thresholds', 'persistent-conn', 'tun-info'] as const

function formatOf(given: ReadonlySet<OptionName>): Format {
  return {
    numeric: given.has('numeric'),
    exact: given.has('exact'),
    rules: false,
    columns: COLUMNS.find((name) => given.has(name)) ?? 'usual',
    sorted: !given.has('nosort'),
    peData: given.has('persistent-conn'),
  }
}

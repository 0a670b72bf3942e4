/**
 * `conntrack` of conntrack-tools 1.4.7: lists, gets, makes, changes and deletes connections, and shows what happens to
 * them. src/conntrack.c
 */
import { encodeUtf8 } from '#base/bytes'
import { type Body, type Errno, type Sys, strerror } from '#kernel/core'
import { IPS_SEEN_REPLY } from './conn.ts'
import { NETLINK_NETFILTER } from './event-socket.ts'
import type {
  ConnMessage,
  CreateRequest,
  CtEventMessage,
  CtRequest,
  ExpectEventMessage,
  ExpectMessage,
  TupleMessage,
} from './messages.ts'
import type { ConntrackCounters } from './state.ts'
import { isMeant } from './tool-filter.ts'
import { helpText } from './tool-help.ts'
import { parseOptions, ToolError, type ToolOptions } from './tool-options.ts'
import { type Clock, printConn, printExpect } from './tool-print.ts'
import { invertIcmpType } from './tuple.ts'

const NAME = 'conntrack v1.4.7 (conntrack-tools)'

/** Runs `conntrack`. */
export function* conntrackTool(sys: Sys, argv: string[]): Body<number> {
  try {
    return yield* new Tool(sys, parseOptions(argv)).run()
  } catch (error) {
    if (!(error instanceof ToolError)) throw error
    let text = `${NAME}: ${error.message}\n`
    if (error.tryHelp) text += "Try `conntrack -h' or 'conntrack --help' for more information.\n"
    yield* sys.write(2, encodeUtf8(text))
    return error.status
  }
}

/** What the kernel's refusals mean to each command. */
function refusal(errno: Errno, command: string): ToolError {
  let text = strerror(errno)
  if (errno === 'ENOENT' && command !== 'list') text = "such conntrack doesn't exist"
  else if (errno === 'EEXIST') text = 'Such conntrack exists, try -U to update'
  return new ToolError(`Operation failed: ${text}`, false)
}

class Tool {
  readonly #sys: Sys
  readonly #options: ToolOptions

  constructor(sys: Sys, options: ToolOptions) {
    this.#sys = sys
    this.#options = options
  }

  *run(): Body<number> {
    const { command, table } = this.#options
    if (this.#options.labels) yield* this.#sys.write(2, encodeUtf8('nfct_labelmap_new: No such file or directory\n'))
    switch (command) {
      case undefined:
      case 'help':
        yield* this.#print(helpText(this.#options.protocol))
        return 0
      case 'version':
        yield* this.#print(`${NAME}\n`)
        return 0
      case 'list':
        return yield* table === 'expect' ? this.#listExpect() : this.#list()
      case 'count':
        return yield* this.#count()
      case 'stats':
        return yield* this.#stats()
      case 'flush':
        this.#ask(
          table === 'expect' ? { type: 'CTNL_EXPECT_FLUSH' } : { type: 'CTNL_FLUSH', family: this.#options.family },
        )
        yield* this.#say(`${table === 'expect' ? 'expectation' : 'connection tracking'} table has been emptied.`)
        return 0
      case 'delete':
        return yield* this.#delete()
      case 'get':
        return yield* this.#get()
      case 'create':
        return yield* this.#create()
      case 'update':
        return yield* this.#update()
      case 'event':
        return yield* table === 'expect' ? this.#expectEvents() : this.#events()
    }
  }

  get #clock(): Clock {
    const { s, ns } = this.#sys.realtime()
    return { nowS: s, startS: Math.round(s - (this.#sys.labNs() - ns) / 1e9) }
  }

  *#print(text: string): Body<void> {
    if (text !== '') yield* this.#sys.write(1, encodeUtf8(text))
  }

  *#say(text: string): Body<void> {
    yield* this.#sys.write(2, encodeUtf8(`${NAME}: ${text}\n`))
  }

  /** Standard output is flushed line by line on a terminal, else at the end, behind what was said. */
  *#both(text: string, said: string): Body<void> {
    const terminal = this.#sys.isatty(1)
    if (terminal) yield* this.#print(text)
    yield* this.#say(said)
    if (!terminal) yield* this.#print(text)
  }

  #ask(request: Omit<CtRequest, 'portId'> & { type: CtRequest['type'] } & Record<string, unknown>): unknown[] {
    const answer = this.#sys.netlink({ ...request, portId: this.#sys.pid } as never)
    if (!answer.ok) throw refusal(answer.errno, this.#options.command ?? '')
    return answer.messages
  }

  #dump(): ConnMessage[] {
    const { family, table, zero } = this.#options
    const conns = this.#ask({ type: 'CTNL_DUMP', family, table, zero }) as ConnMessage[]
    return conns.filter((conn) => isMeant(conn, this.#options))
  }

  *#list(): Body<number> {
    const conns = this.#dump()
    const { output } = this.#options
    const clock = this.#clock
    let text = conns.map((conn) => `${printConn(conn, output, clock)}\n`).join('')
    if (output.xml) text = `${XML_HEAD}${text}</conntrack>\n`
    yield* this.#both(text, `${conns.length} flow entries have been shown.`)
    return 0
  }

  *#listExpect(): Body<number> {
    const all = this.#ask({ type: 'CTNL_EXPECT_DUMP' }) as ExpectMessage[]
    yield* this.#both(all.map((one) => `${printExpect(one)}\n`).join(''), `${all.length} expectations have been shown.`)
    return 0
  }

  *#count(): Body<number> {
    if (this.#options.table === 'expect') {
      yield* this.#print(`${this.#ask({ type: 'CTNL_EXPECT_DUMP' }).length}\n`)
      return 0
    }
    const [stats] = this.#ask({ type: 'CTNL_STATS' }) as [{ count: number }]
    yield* this.#print(`${stats.count}\n`)
    return 0
  }

  *#stats(): Body<number> {
    const [s] = this.#ask({ type: 'CTNL_STATS' }) as [ConntrackCounters]
    const text =
      this.#options.table === 'expect'
        ? `expect_new=${s.expectNew} expect_create=${s.expectCreate} expect_delete=${s.expectDelete}`
        : `found=${s.found} invalid=${s.invalid} insert=${s.insert} insert_failed=${s.insertFailed} drop=${s.drop} early_drop=${s.earlyDrop} error=${s.error} search_restart=${s.searchRestart} clash_resolve=${s.clashResolve} chaintoolong=${s.chainTooLong}`
    yield* this.#print(`cpu=0   \t${text} \n`)
    return 0
  }

  *#delete(): Body<number> {
    if (this.#options.table === 'expect') throw new ToolError("Can't do that command with table `expect'")
    const conns = this.#dump()
    const clock = this.#clock
    let text = ''
    let deleted = 0
    for (const conn of conns) {
      const answer = this.#sys.netlink({ type: 'CTNL_DELETE', id: conn.id, portId: this.#sys.pid } as never)
      if (!answer.ok) continue
      text += `${printConn(conn, this.#options.output, clock)}\n`
      deleted++
    }
    if (this.#options.output.xml) text = `${XML_HEAD}${text}</conntrack>\n`
    yield* this.#both(text, `${deleted} flow entries have been deleted.`)
    return deleted > 0 ? 0 : 1
  }

  /** The tuples that the options describe. */
  #tuples(): { tuple: TupleMessage; reply: TupleMessage } {
    const options = this.#options
    const protocol = options.protocol!
    const icmp = protocol === 1 || protocol === 58
    const src = options.src?.address ?? options.replyDst!.address
    const dst = options.dst?.address ?? options.replySrc!.address
    const type = options.icmpType ?? 0
    const code = options.icmpCode ?? 0
    const id = options.icmpId ?? 0
    const tuple: TupleMessage = {
      src,
      dst,
      srcPort: icmp ? id : (options.sport ?? options.replyDport ?? 0),
      dstPort: icmp ? (type << 8) | code : (options.dport ?? options.replySport ?? 0),
      protocol,
    }
    const reply: TupleMessage = {
      src: options.replySrc?.address ?? dst,
      dst: options.replyDst?.address ?? src,
      srcPort: icmp ? id : (options.replySport ?? tuple.dstPort),
      dstPort: icmp ? ((invertIcmpType(type) ?? 0) << 8) | code : (options.replyDport ?? tuple.srcPort),
      protocol,
    }
    return { tuple, reply }
  }

  *#get(): Body<number> {
    const { tuple } = this.#tuples()
    const conns = this.#ask({ type: 'CTNL_GET', tuple, zone: this.#options.zone ?? 0 }) as ConnMessage[]
    const clock = this.#clock
    const text = conns.map((conn) => `${printConn(conn, this.#options.output, clock)}\n`).join('')
    yield* this.#both(text, `${conns.length} flow entries have been shown.`)
    return 0
  }

  *#create(): Body<number> {
    const { timeout, status, mark, zone, tcpState, snat, dnat } = this.#options
    const create: CreateRequest = {
      ...this.#tuples(),
      timeoutS: timeout!,
      status: status ?? 0,
      mark: mark?.value ?? 0,
      zone: zone ?? 0,
    }
    if (tcpState !== undefined) create.tcpState = tcpState
    const nat = (given: typeof snat) => ({
      address: given!.address!,
      ...(given!.port === undefined ? {} : { port: given!.port }),
    })
    if (snat?.address !== undefined) create.snat = nat(snat)
    if (dnat?.address !== undefined) create.dnat = nat(dnat)
    this.#ask({ type: 'CTNL_CREATE', create })
    yield* this.#say('1 flow entries have been created.')
    return 0
  }

  *#update(): Body<number> {
    const options = this.#options
    // Mark and status are what is to be set, not what is looked for.
    const { mark, status, timeout } = options
    const wanted: ToolOptions = { ...options, mark: undefined, status: undefined, unreplied: false }
    const all = this.#ask({ type: 'CTNL_DUMP', family: options.family, table: 'conntrack', zero: false })
    const clock = this.#clock
    let text = ''
    let updated = 0
    for (const conn of (all as ConnMessage[]).filter((one) => isMeant(one, wanted))) {
      const change: Record<string, number> = {}
      if (timeout !== undefined) change['timeoutS'] = timeout
      if (mark) change['mark'] = (((conn.mark ?? 0) & ~mark.mask) | mark.value) >>> 0
      if (status !== undefined) change['status'] = status | (conn.status & IPS_SEEN_REPLY)
      if (options.family === 0) {
        // The request says no family, and the kernel doesn't guess.
        yield* this.#sys.write(2, encodeUtf8(`Operation failed: ${strerror('EOPNOTSUPP')}\n`))
        throw refusal('EOPNOTSUPP', 'update')
      }
      const [after] = this.#ask({ type: 'CTNL_UPDATE', id: conn.id, change }) as [ConnMessage]
      text += `${printConn(after, options.output, clock)}\n`
      updated++
    }
    yield* this.#both(text, `${updated} flow entries have been updated.`)
    return 0
  }

  /** Opens the socket of events, and has signals end the wait for them. */
  #listen(group: 'conntrack' | 'expect'): { fd: number; ended: () => boolean } {
    const opened = this.#sys.socket('AF_NETLINK', 'SOCK_RAW', NETLINK_NETFILTER)
    if (!opened.ok) throw new ToolError("Can't open handler", false)
    this.#sys.setsockopt(opened.value, 'SOL_NETLINK', 'NETLINK_ADD_MEMBERSHIP', group)
    let ended = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      this.#sys.sigaction(signal, () => {
        ended = true
      })
    }
    return { fd: opened.value, ended: () => ended }
  }

  *#events(): Body<number> {
    const { events, output } = this.#options
    let count = 0
    const { fd, ended } = this.#listen('conntrack')
    if (output.xml) yield* this.#print(XML_HEAD)
    while (!ended()) {
      const got = yield* this.#sys.receive(fd, 65536)
      if (!got.ok) {
        if (got.errno === 'EINTR' && ended()) break
        if (got.errno === 'EINTR') continue
        yield* this.#say(`Operation failed: ${strerror(got.errno)}`)
        return 1
      }
      const message = got.value.control['message'] as CtEventMessage
      if (events && !events.has(message.kind === 'UPDATE' ? 'UPDATES' : message.kind)) continue
      if (!isMeant(message.conn, this.#options)) continue
      let line = printConn(message.conn, output, this.#clock, message.kind)
      if (output.timestamp) line = `${this.#stamp(got.value.timeNs)}${line}`
      if (message.portId !== 0) line += ` [USERSPACE] portid=${message.portId}`
      yield* this.#print(`${line}\n`)
      count++
    }
    if (output.xml) yield* this.#print('</conntrack>\n')
    yield* this.#say(`${count} flow events have been shown.`)
    return 0
  }

  *#expectEvents(): Body<number> {
    let count = 0
    const { fd, ended } = this.#listen('expect')
    while (!ended()) {
      const got = yield* this.#sys.receive(fd, 65536)
      if (!got.ok) {
        if (got.errno === 'EINTR' && ended()) break
        if (got.errno === 'EINTR') continue
        return 1
      }
      const message = got.value.control['message'] as ExpectEventMessage
      yield* this.#print(`${printExpect(message.expect, message.kind)}\n`)
      count++
    }
    yield* this.#say(`${count} expectation events have been shown.`)
    return 0
  }

  /** [SECONDS.MICROSECONDS] of an event. */
  #stamp(timeNs: number): string {
    const at = this.#clock.startS * 1e6 + Math.floor(timeNs / 1000)
    const seconds = Math.floor(at / 1e6)
    return `[${seconds}.${String(Math.floor(at - seconds * 1e6)).padStart(6, '0')}]\t`
  }
}

const XML_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<conntrack>\n'

/** `traceroute` 2.1.2: probes with growing TTLs, sixteen at a time, and a line for each hop. */
import { NotModelled } from '#base/check'
import { type Body, POLLERR, POLLIN, type Sys, strerror } from '#kernel/core'
import type { ExtendedError } from '#kernel/net'
import { Exit, formatAddress, gaiStrerror, lookupAddress, lookupHost, type NetAddress, Stdio } from '#user/libc'
import { createMethod, type ProbeMethod, type Tracer } from './methods.ts'
import { parseTraceroute, type TraceOptions } from './options.ts'
import { hopsOfTtl, markOf, newProbe, type Probe, sameSender, settleExpired, waitFor } from './probe.ts'

const IP_HEADER = 20
const DEFAULT_DATA = 40
const MTU_PACKET = 65_000
const RECEIVE_BYTES = 1280
const IP_PMTUDISC_DONT = 0
const IP_PMTUDISC_PROBE = 3

export function tracerouteMain(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'traceroute')
  return io.run(main(sys, io, argv))
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const options = parseTraceroute(argv)
  if ('text' in options) {
    io.error(options.text)
    return options.status
  }
  const argc = argv.length - 1
  const target = yield* resolve(
    sys,
    io,
    options.host,
    `"host" cmdline arg \`${options.host}' on position 1 (argc ${argc})`,
  )
  let source: number | undefined
  if (options.source !== undefined) {
    const at = argv.indexOf(options.source)
    source = yield* resolve(sys, io, options.source, `\`-s' option with arg \`${options.source}' (argc ${at})`)
  }
  return yield* new Traceroute(sys, io, options, target, source).run()
}

function* resolve(sys: Sys, io: Stdio, name: string, what: string): Body<number> {
  const found = yield* lookupHost(sys, name)
  if (!found.ok) {
    io.error(`${name}: ${gaiStrerror(found.error)}\nCannot handle ${what}\n`)
    throw new Exit(2)
  }
  const address = found.value.addresses[0]!
  if (address.family !== 'AF_INET') throw new NotModelled('traceroute to an IPv6 address')
  return address.address
}

class Traceroute implements Tracer {
  readonly sys: Sys
  readonly options: TraceOptions
  readonly target: number
  readonly probes: Probe[]
  readonly #io: Stdio
  readonly #source: number | undefined
  readonly #method: ProbeMethod
  /** Bytes behind the IP header and the method's own. */
  dataLength: number

  constructor(sys: Sys, io: Stdio, options: TraceOptions, target: number, source: number | undefined) {
    this.sys = sys
    this.options = options
    this.target = target
    this.#io = io
    this.#source = source
    this.probes = Array.from({ length: options.maxTtl * options.queries }, newProbe)
    this.#method = createMethod(this)
    const length = options.packetLength || (options.mtu ? MTU_PACKET : IP_HEADER + DEFAULT_DATA)
    this.dataLength = Math.max(0, length - IP_HEADER - this.#method.headerLength)
  }

  fail(what: string, errno: Parameters<typeof strerror>[0]): never {
    // What was printed without an end of line stays so: perror(3) begins a line of its own.
    this.#io.print('\n')
    this.#io.flush()
    this.#io.error(`${what}: ${strerror(errno)}\n`)
    throw new Exit(1)
  }

  get #headerLength(): number {
    return IP_HEADER + this.#method.headerLength
  }

  *run(): Body<number> {
    const io = this.#io
    const { options } = this
    yield* this.#method.open()
    const shown = formatAddress({ family: 'AF_INET', address: this.target })
    const bytes = this.#headerLength + this.dataLength
    io.print(`traceroute to ${options.host} (${shown}), ${options.maxTtl} hops max, ${bytes} byte packets`)
    yield* this.#flush()
    let start = (options.firstTtl - 1) * options.queries
    let end = this.probes.length
    let lastSent = 0
    while (start < end) {
      let waiting = 0
      let nextAt = 0
      const now = this.#now()
      for (let n = start; n < end; n++) {
        const probe = this.probes[n]!
        if (n === start && !probe.done && probe.sentAt) {
          const expires = probe.sentAt + waitFor(this.probes, n, options)
          if (expires > now) nextAt = expires
          else {
            this.#done(probe)
            settleExpired(this.probes, n, options.queries)
          }
        }
        if (probe.done) {
          if (n === start) {
            yield* this.#print(n)
            start++
          }
          if (probe.final) end = (Math.floor(n / options.queries) + 1) * options.queries
          continue
        }
        if (!probe.sentAt) {
          const earliest = lastSent + options.sendWaitS
          if (options.sendWaitS && earliest > now) {
            nextAt = earliest
            break
          }
          yield* this.#method.send(probe, Math.floor(n / options.queries) + 1)
          if (!probe.sentAt) break
          lastSent = probe.sentAt
        }
        if (!nextAt) nextAt = probe.sentAt + waitFor(this.probes, n, options)
        if (++waiting >= options.simultaneous) break
      }
      if (nextAt) yield* this.#poll(Math.max(0, nextAt - this.#now()))
    }
    io.print('\n')
    return 0
  }

  /** Seconds; the clock's start doesn't matter, but 0 means "not yet". */
  #now(): number {
    return 1 + this.sys.monotonicNs() / 1e9
  }

  now(): number {
    return this.#now()
  }

  *#flush(): Body<void> {
    this.#io.flush()
    yield* this.#io.settle()
  }

  #done(probe: Probe): void {
    if (probe.fd >= 0) this.sys.close(probe.fd)
    probe.fd = -1
    probe.sequence = 0
    probe.done = true
  }

  /** What every socket gets that sends probes. */
  tune(fd: number): void {
    const { sys, options } = this
    const set = (level: string, name: string, value: unknown): void => {
      const done = sys.setsockopt(fd, level, name, value)
      if (!done.ok) this.fail(`setsockopt ${name}`, done.errno)
    }
    if (options.mark) set('SOL_SOCKET', 'SO_MARK', options.mark)
    this.bind(fd)
    set('SOL_IP', 'IP_MTU_DISCOVER', options.dontFragment ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT)
    if (options.tos) set('SOL_IP', 'IP_TOS', options.tos)
    if (options.dontRoute) set('SOL_SOCKET', 'SO_DONTROUTE', 1)
    set('SOL_IP', 'IP_RECVTTL', 1)
  }

  bind(fd: number): void {
    const { sys, options } = this
    if (options.device !== undefined) {
      const done = sys.setsockopt(fd, 'SOL_SOCKET', 'SO_BINDTODEVICE', options.device)
      if (!done.ok) this.fail('setsockopt SO_BINDTODEVICE', done.errno)
    }
    const bound = sys.bind(fd, { family: 'AF_INET', address: this.#source ?? 0, port: options.sourcePort })
    if (!bound.ok) this.fail('bind', bound.errno)
  }

  *transmit(fd: number, bytes: Uint8Array): Body<boolean> {
    const sent = yield* this.sys.sendTo(fd, bytes)
    if (sent.ok) return true
    if (sent.errno === 'ENOBUFS' || sent.errno === 'EAGAIN') return false
    // The error queue tells of these.
    if (sent.errno === 'EMSGSIZE' || sent.errno === 'ECONNREFUSED') return true
    return this.fail('send', sent.errno)
  }

  *#poll(seconds: number): Body<void> {
    const fds = this.#method.fds()
    const ready = yield* this.sys.poll(
      fds.map((fd) => ({ fd, events: POLLIN | POLLERR })),
      Math.ceil(seconds * 1000) * 1e6,
    )
    if (!ready.ok) return
    for (const { fd, revents } of ready.value)
      if (revents & (POLLIN | POLLERR)) yield* this.#receive(fd, (revents & POLLERR) !== 0)
  }

  *#receive(fd: number, failed: boolean): Body<void> {
    const got = yield* this.sys.receive(fd, RECEIVE_BYTES, { errorQueue: failed, dontWait: true })
    if (!got.ok) return
    const { from, control } = got.value
    let { bytes } = got.value
    // A raw socket gives the whole packet, but for the errors.
    if (!failed && this.#method.headerLength === 0) bytes = bytes.subarray(((bytes[0] ?? 0) & 15) * 4)
    const probe = this.#method.match(fd, failed, from, bytes)
    if (!probe) return
    const error = control['IP_RECVERR'] as ExtendedError | undefined
    const { info = 0 } = error ?? {}
    if (error && this.options.mtu && info >= this.#headerLength && info < this.#headerLength + this.dataLength) {
      // It is asked again, with a packet that fits; the answer will be marked with the new size.
      this.dataLength = info - this.#headerLength
      this.#done(probe)
      Object.assign(probe, newProbe(), { mark: `F=${info}` })
      return
    }
    if (!failed) {
      if (from.family === 'AF_INET') probe.from = { family: 'AF_INET', address: from.address }
      probe.final = true
    } else if (error?.origin === 'ICMP') {
      probe.from = { family: 'AF_INET', address: error.offender ?? 0 }
      const mark = markOf(error.type, error.code, info)
      if (mark !== undefined) {
        probe.final = true
        if (mark !== '') probe.mark = mark
      }
    } else if (error) {
      if (error.errno !== 'EMSGSIZE' || !info) this.fail('local recverr', error.errno)
      probe.mark = `!F-${info}`
      probe.final = true
    }
    probe.receivedAt = this.#now()
    probe.receivedTtl = (control['IP_TTL'] as number | undefined) ?? 0
    this.#done(probe)
  }

  *#print(index: number): Body<void> {
    const io = this.#io
    const { queries, back } = this.options
    const probe = this.probes[index]!
    const ttl = Math.floor(index / queries) + 1
    const first = index - (index % queries)
    if (index === first) io.print(`\n${String(ttl).padStart(2)} `)
    if (!probe.from) io.print(' *')
    else {
      const before = this.probes.slice(first, index).findLast(({ from }) => from)
      const again = before && sameSender(before.from, probe.from) && (!back || before.receivedTtl === probe.receivedTtl)
      if (!again) {
        yield* this.#flush()
        io.print(yield* this.#name(probe.from))
        if (back && probe.receivedTtl && hopsOfTtl(probe.receivedTtl) !== ttl)
          io.print(` '-${hopsOfTtl(probe.receivedTtl)}'`)
      }
    }
    if (probe.receivedAt) io.print(`  ${((probe.receivedAt - probe.sentAt) * 1000).toFixed(3)} ms`)
    if (probe.mark !== '') io.print(` ${probe.mark}`)
    yield* this.#flush()
  }

  *#name(address: NetAddress): Body<string> {
    const shown = formatAddress(address)
    if (this.options.numeric) return ` ${shown}`
    const found = yield* lookupAddress(this.sys, address)
    return ` ${found.ok ? found.name : shown} (${shown})`
  }
}

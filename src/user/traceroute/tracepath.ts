/** `tracepath` of iputils 20221126: the routers on the way and the path's MTU, by UDP and the error queue. */
import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import { type Body, POLLERR, POLLIN, type SockAddr, type Sys, strerror } from '#kernel/core'
import type { ExtendedError } from '#kernel/net'
import { Exit, formatAddress, gaiStrerror, lookupAddress, lookupHost, type NetAddress, Stdio } from '#user/libc'

export const TRACEPATH_USAGE = `
Usage
  tracepath [options] <destination>

Options:
  -4             use IPv4
  -6             use IPv6
  -b             print both name and ip
  -l <length>    use packet <length>
  -m <hops>      use maximum <hops>
  -n             no dns name resolution
  -p <port>      use destination <port>
  -V             print version and exit
  <destination>  dns name or ip address

For more details see tracepath(8).
`
const VERSION = `tracepath from iputils 20221126
libcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes, __fpending(): yes
`
const BASE_PORT = 44444
const HISTORY = 64
const HEADER_BYTES = 24
const OVERHEAD = 28
const MTU_MAX = 65535
const HOST_COLUMN = 52
const IP_PMTUDISC_DO = 2
const INT_MAX = 2 ** 31 - 1
const TRIES_TO_SEND = 10

interface Options {
  numeric: boolean
  both: boolean
  length: number
  hops: number
  port: number
  target: string
}

/** How far away the sender of a packet is, as its TTL is now: it began with 64, 128 or 255. */
export function hopsBack(ttl: number): number {
  return (ttl <= 64 ? 65 : ttl <= 128 ? 129 : 256) - ttl
}

/** A host and its padding, to the column where times begin. */
export function hostColumn(shown: string, both?: string): string {
  const text = both === undefined ? shown : `${shown} (${both})`
  return text + ' '.repeat(HOST_COLUMN - Math.min(text.length, HOST_COLUMN - 1))
}

/** A time as "  0.123ms ". */
export function milliseconds(ns: number): string {
  const us = Math.floor(Math.max(0, ns) / 1000)
  return `${String(Math.floor(us / 1000)).padStart(3)}.${String(us % 1000).padStart(3, '0')}ms `
}

export function tracepath(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'tracepath')
  return io.run(main(sys, io, argv))
}

function die(io: Stdio, text: string, status = 1): never {
  io.flush()
  io.error(`tracepath: ${text}\n`)
  throw new Exit(status)
}

function number(io: Stdio, text: string, least: number, most: number): number {
  if (!/^\s*[+-]?(0[xX][\da-fA-F]+|\d+)$/.test(text)) die(io, `invalid argument: '${text}'`)
  const value = /^\s*[+-]?0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text)
  if (value < least || value > most) die(io, `invalid argument: '${text}': out of range: ${least} <= value <= ${most}`)
  return value
}

function parse(io: Stdio, argv: string[]): Options {
  const options: Options = { numeric: false, both: false, length: 0, hops: 30, port: 0, target: '' }
  const usage = (): never => {
    io.error(TRACEPATH_USAGE)
    throw new Exit(255)
  }
  const parsed = getopt(argv, '46nbh?l:m:p:V')
  let family = ''
  for (const { option, value = '', message } of parsed.options) {
    if (option === '4' || option === '6') {
      if (family !== '' && family !== option) die(io, 'Only one -4 or -6 option may be specified', 2)
      family = option
    } else if (option === 'n') options.numeric = true
    else if (option === 'b') options.both = true
    else if (option === 'l') options.length = number(io, value, 0, INT_MAX)
    else if (option === 'm') options.hops = number(io, value, 0, 255)
    else if (option === 'p') options.port = number(io, value, 0, 0xffff)
    else if (option === 'V') {
      io.print(VERSION)
      throw new Exit(0)
    } else {
      if (message) io.error(`${message}\n`)
      usage()
    }
  }
  if (parsed.operands.length !== 1) usage()
  if (family === '6') throw new NotModelled('tracepath -6')
  const [name = '', port] = parsed.operands[0]!.split('/', 2)
  options.target = options.port ? parsed.operands[0]! : name
  if (!options.port) options.port = port === undefined ? BASE_PORT : number(io, port, 0, 0xffff)
  return options
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const options = parse(io, argv)
  const found = yield* lookupHost(sys, options.target)
  if (!found.ok) die(io, `${options.target}: ${gaiStrerror(found.error)}`)
  const address = found.value.addresses[0]!
  if (address.family !== 'AF_INET') throw new NotModelled('tracepath to an IPv6 address')
  const length = options.length || MTU_MAX
  if (length <= OVERHEAD) die(io, `pktlen must be within: ${OVERHEAD} < value <= ${INT_MAX}`)
  const socket = sys.socket('AF_INET', 'SOCK_DGRAM', 17)
  if (!socket.ok) die(io, `socket/connect: ${strerror(socket.errno)}`)
  for (const [name, value] of [
    ['IP_MTU_DISCOVER', IP_PMTUDISC_DO],
    ['IP_RECVERR', 1],
    ['IP_RECVTTL', 1],
  ] as const) {
    const done = sys.setsockopt(socket.value, 'SOL_IP', name, value)
    if (!done.ok) die(io, `${name}: ${strerror(done.errno)}`)
  }
  return yield* new Path(sys, io, options, socket.value, address, length).run()
}

/** What a round came to: it is over, nothing came, or something did. */
type Outcome = 'over' | 'nothing' | 'progress'

class Path {
  readonly #sys: Sys
  readonly #io: Stdio
  readonly #options: Options
  readonly #fd: number
  readonly #address: NetAddress & { family: 'AF_INET' }
  /** Probes on their way, by the port that they went to. */
  readonly #history: ({ hops: number; sentNs: number } | undefined)[] = new Array(HISTORY).fill(undefined)
  #next = 0
  #ttl = 1
  #mtu: number
  #hopsTo = -1
  #hopsFrom = -1

  constructor(
    sys: Sys,
    io: Stdio,
    options: Options,
    fd: number,
    address: NetAddress & { family: 'AF_INET' },
    mtu: number,
  ) {
    this.#sys = sys
    this.#io = io
    this.#options = options
    this.#fd = fd
    this.#address = address
    this.#mtu = mtu
  }

  *run(): Body<number> {
    const io = this.#io
    const over = yield* this.#hops()
    if (!over) io.print(`     Too many hops: pmtu ${this.#mtu}\n`)
    io.print(`     Resume: pmtu ${this.#mtu} `)
    if (this.#hopsTo >= 0) io.print(`hops ${this.#hopsTo} `)
    if (this.#hopsFrom >= 0) io.print(`back ${this.#hopsFrom} `)
    io.print('\n')
    return 0
  }

  *#hops(): Body<boolean> {
    for (this.#ttl = 1; this.#ttl <= this.#options.hops; this.#ttl++) {
      const set = this.#sys.setsockopt(this.#fd, 'SOL_IP', 'IP_TTL', this.#ttl)
      if (!set.ok) die(this.#io, `IP_TTL: ${strerror(set.errno)}`)
      let outcome: Outcome = 'nothing'
      for (let tries = 0; tries < 3; tries++) {
        const before = this.#mtu
        outcome = yield* this.#probe()
        // With another MTU, the hop is asked anew.
        if (this.#mtu !== before) tries = -1
        else if (outcome === 'over') return true
        else if (outcome === 'progress') break
      }
      if (outcome === 'nothing') this.#io.print(`${String(this.#ttl).padStart(2)}:  no reply\n`)
      yield* this.#io.settle()
    }
    return false
  }

  *#probe(): Body<Outcome> {
    const sys = this.#sys
    let sent = false
    for (let tries = 0; tries < TRIES_TO_SEND && !sent; tries++) {
      const nowNs = sys.monotonicNs()
      this.#history[this.#next] = { hops: this.#ttl, sentNs: nowNs }
      const packet = new Uint8Array(Math.max(0, this.#mtu - OVERHEAD))
      stamp(packet, this.#ttl, nowNs)
      const port = (this.#options.port + this.#next) & 0xffff
      const done = yield* sys.sendTo(this.#fd, packet, { ...this.#address, port })
      if (done.ok && done.value > 0) {
        sent = true
        break
      }
      const outcome = yield* this.#errors()
      this.#history[this.#next] = undefined
      if (outcome === 'over') return 'over'
      if (outcome === 'progress') tries = -1
    }
    this.#next = (this.#next + 1) % HISTORY
    if (!sent) {
      this.#io.print(`${String(this.#ttl).padStart(2)}:  send failed\n`)
      return 'over'
    }
    yield* this.#io.settle()
    yield* sys.poll([{ fd: this.#fd, events: POLLIN | POLLERR }], 1e9)
    const reply = yield* sys.receive(this.#fd, this.#mtu, { dontWait: true })
    if (reply.ok && reply.value.length > 0) {
      this.#io.print(`${String(this.#ttl).padStart(2)}?: reply received 8)\n`)
      return 'over'
    }
    return yield* this.#errors()
  }

  /** All that is in the error queue. */
  *#errors(): Body<Outcome> {
    let outcome: Outcome = 'nothing'
    for (;;) {
      const nowNs = this.#sys.monotonicNs()
      const got = yield* this.#sys.receive(this.#fd, HEADER_BYTES, { errorQueue: true, dontWait: true })
      if (!got.ok) {
        if (got.errno === 'EAGAIN') return outcome
        continue
      }
      outcome = 'progress'
      const error = got.value.control['IP_RECVERR'] as ExtendedError | undefined
      if (!error) {
        this.#io.print('no info\n')
        return 'over'
      }
      const ttl = got.value.control['IP_TTL'] as number | undefined
      if (yield* this.#tell(error, got.value.from, got.value.bytes, ttl, nowNs)) return 'over'
    }
  }

  /** One error's line; whether that was the last. */
  *#tell(
    error: ExtendedError,
    from: SockAddr,
    bytes: Uint8Array,
    ttl: number | undefined,
    nowNs: number,
  ): Body<boolean> {
    const io = this.#io
    let hops = -1
    let sentNs: number | undefined
    let broken = false
    // An error of this host's own names no port.
    const slot = from.family === 'AF_INET' && error.origin !== 'LOCAL' ? from.port - this.#options.port : -1
    const known = slot >= 0 && slot < HISTORY - 1 ? this.#history[slot] : undefined
    if (known) {
      hops = known.hops
      sentNs = known.sentNs
      this.#history[slot] = undefined
    }
    if (bytes.length === HEADER_BYTES && error.origin === 'ICMP') {
      const quoted = readStamp(bytes)
      if (quoted.hops === 0) broken = true
      else {
        hops = quoted.hops
        sentNs = quoted.sentNs
      }
    }
    const here = String(this.#ttl).padStart(2)
    if (error.origin === 'LOCAL') io.print(`${here}?: ${'[LOCALHOST]'.padEnd(32)} `)
    else {
      io.print(hops > 0 ? `${String(hops).padStart(2)}:  ` : `${here}?: `)
      io.print(yield* this.#host({ family: 'AF_INET', address: error.offender ?? 0 }))
      if (sentNs !== undefined) {
        io.print(milliseconds(nowNs - sentNs))
        if (broken) io.print('(This broken router returned corrupted payload) ')
      }
    }
    const back = ttl === undefined ? 66 : hopsBack(ttl)
    switch (error.errno) {
      case 'ETIMEDOUT':
        io.print('\n')
        return false
      case 'EMSGSIZE':
        io.print(`pmtu ${error.info}\n`)
        this.#mtu = error.info
        return false
      case 'ECONNREFUSED':
        io.print('reached\n')
        this.#hopsTo = hops < 0 ? this.#ttl : hops
        this.#hopsFrom = back
        return true
      case 'EPROTO':
        io.print('!P\n')
        return true
      case 'EHOSTUNREACH':
        if (error.origin === 'ICMP' && error.type === 11 && error.code === 0) {
          if (back !== (hops >= 0 ? hops : this.#ttl)) io.print(`asymm ${String(back).padStart(2)} `)
          io.print('\n')
          return false
        }
        io.print('!H\n')
        return true
      case 'ENETUNREACH':
        io.print('!N\n')
        return true
      case 'EACCES':
        io.print('!A\n')
        return true
      default:
        io.print('\n')
        io.flush()
        io.error(`tracepath: NET ERROR: ${strerror(error.errno)}\n`)
        return true
    }
  }

  *#host(address: NetAddress): Body<string> {
    const { numeric, both } = this.#options
    const shown = formatAddress(address)
    if (numeric && !both) return hostColumn(shown)
    this.#io.flush()
    yield* this.#io.settle()
    const found = yield* lookupAddress(this.#sys, address)
    // getnameinfo(3) fails where the name server can't be asked; without a name it gives the number.
    const name = found.ok ? found.name : found.error === 'EAI_NONAME' ? shown : '???'
    if (numeric) return hostColumn(shown, name)
    return hostColumn(name, both ? shown : undefined)
  }
}

/** What a probe carries, in a PC's byte order: its TTL, and when it was sent. */
function stamp(packet: Uint8Array, ttl: number, nowNs: number): void {
  const bytes = new Uint8Array(HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, ttl, true)
  view.setUint32(8, Math.floor(nowNs / 1e9), true)
  view.setUint32(16, nowNs % 1e9, true)
  packet.set(bytes.subarray(0, packet.length))
}

function readStamp(bytes: Uint8Array): { hops: number; sentNs: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return { hops: view.getUint32(0, true), sentNs: view.getUint32(8, true) * 1e9 + view.getUint32(16, true) }
}

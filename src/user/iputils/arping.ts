/** `arping` of iputils 20221126: who has an address, asked by hand. arping.c */

import { getopt } from '#base/text'
import { type Body, POLLIN, type SockAddr, type Sys } from '#kernel/core'
import type { LinkMessage, NetRequest, RouteMessage } from '#kernel/net'
import { formatIpv4, parseIpv4Loose } from '#wire/inet'
import { INT_MAX, integerOption } from './numbers.ts'
import { readHosts } from './resolve.ts'
import { Exit, Stdio } from './stdio.ts'
import { version } from './version.ts'

const USAGE = `
Usage:
  arping [options] <destination>

Options:
  -f            stop at the first reply
  -q            print nothing
  -b            broadcast every probe, even once the address is known
  -D            look whether somebody else has the address (RFC 5227)
  -U            gratuitous request: neighbours update what they know
  -A            gratuitous reply: the same with an answer's form
  -V            print version and exit
  -c <count>    how many probes to send
  -w <timeout>  how many seconds to wait in all
  -i <interval> seconds between probes (default: 1)
  -I <device>   the device to use
  -s <source>   source ip address
  <destination> name or ip address

For more details see arping(8).
`

const ETH_P_IP = 0x0800
const ETH_P_ARP = 0x0806
const ARPOP_REQUEST = 1
const ARPOP_REPLY = 2
const PACKET_HOST = 0
const PACKET_MULTICAST = 2
const IFF_UP = 0x1
const IFF_LOOPBACK = 0x8
const IFF_NOARP = 0x80
const ARPHRD_ETHER = 1

interface Options {
  broadcastOnly: boolean
  dad: boolean
  unsolicited: boolean
  advert: boolean
  quiet: boolean
  quitOnReply: boolean
  /** 0 or less: without end. */
  count: number
  timeoutS: number
  intervalS: number
  device: string | undefined
  source: string | undefined
  target: string
}

function parseOptions(io: Stdio, argv: string[]): Options {
  const options: Options = {
    broadcastOnly: false,
    dad: false,
    unsolicited: false,
    advert: false,
    quiet: false,
    quitOnReply: false,
    count: -1,
    timeoutS: 0,
    intervalS: 1,
    device: undefined,
    source: undefined,
    target: '',
  }
  const usage = (): never => {
    io.stderr(USAGE)
    throw new Exit(2)
  }
  const parsed = getopt(argv, 'h?bfDUAqc:w:i:s:I:V')
  for (const { option, value = '', message } of parsed.options) {
    switch (option) {
      case 'b':
        options.broadcastOnly = true
        break
      case 'D':
        options.dad = true
        options.quitOnReply = true
        break
      case 'U':
        options.unsolicited = true
        break
      case 'A':
        options.advert = true
        options.unsolicited = true
        break
      case 'q':
        options.quiet = true
        break
      case 'c':
        options.count = integerOption(io, value, 1, INT_MAX)
        break
      case 'w':
        options.timeoutS = integerOption(io, value, 0, INT_MAX)
        break
      case 'i':
        options.intervalS = integerOption(io, value, 0, INT_MAX)
        break
      case 'I':
        options.device = value === '' ? undefined : value
        break
      case 'f':
        options.quitOnReply = true
        break
      case 's':
        options.source = value
        break
      case 'V':
        io.print(version('arping'))
        throw new Exit(0)
      default:
        if (message) io.stderr(`${message}\n`)
        usage()
    }
  }
  if (parsed.operands.length !== 1) usage()
  options.target = parsed.operands[0]!
  return options
}

export function arping(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'arping')
  return io.run(main(sys, io, argv))
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const options = parseOptions(io, argv)
  const socket = sys.socket('AF_PACKET', 'SOCK_DGRAM', 0)
  if (!socket.ok) io.die(2, 'socket', socket.errno)
  const fd = socket.value
  let target = parseIpv4Loose(options.target)
  if (target === undefined) {
    const hosts = yield* readHosts(sys)
    yield* hosts.ask(sys, options.target, true, 'AF_INET')
    const found = hosts.resolve(options.target)
    if (typeof found === 'string') io.die(2, `${options.target}: ${found}`)
    target = found.address
  }
  const name = options.device ?? guessDevice(sys, io, target)
  const device = checkDevice(sys, io, options, name)
  const source = yield* chooseSource(sys, io, options, name, target)

  const bound = sys.bind(fd, linkAddress(device.ifindex, new Uint8Array(0)))
  if (!bound.ok) io.die(2, 'bind', bound.errno)
  const own = sys.getsockname(fd)
  if (!own.ok) io.die(2, 'getsockname', own.errno)
  const me = own.value.family === 'AF_PACKET' ? own.value.address : new Uint8Array(0)
  if (me.length === 0) {
    if (!options.quiet) io.print(`Interface "${name}" is not ARPable (no ll address)\n`)
    throw new Exit(options.dad ? 0 : 2)
  }
  if (!options.quiet) io.print(`ARPING ${formatIpv4(target)} from ${formatIpv4(source)} ${name}\n`)
  if (options.source === undefined && source === 0 && !options.dad) io.die(2, 'no source address in not-DAD mode')
  return yield* new Session(sys, io, options, fd, device, me, source, target).run()
}

function linkAddress(ifindex: number, address: Uint8Array): SockAddr {
  return { family: 'AF_PACKET', protocol: ETH_P_ARP, ifindex, hatype: 0, packetType: 0, address }
}

/** The device that the route to the target goes out by. */
function guessDevice(sys: Sys, io: Stdio, target: number): string {
  const answer = sys.netlink({ type: 'RTM_GETROUTE', get: true, dst: target } as NetRequest)
  const ifindex = answer.ok ? (answer.messages as RouteMessage[])[0]?.nextHops[0]?.ifindex : undefined
  const link = ifindex === undefined ? undefined : links(sys).find((one) => one.ifindex === ifindex)
  if (!link) io.die(1, 'NETLINK_ROUTE unexpected iov element')
  return link.name
}

function links(sys: Sys): LinkMessage[] {
  const answer = sys.netlink({ type: 'RTM_GETLINK' })
  return answer.ok ? (answer.messages as LinkMessage[]) : []
}

function checkDevice(sys: Sys, io: Stdio, options: Options, name: string): LinkMessage {
  const link = links(sys).find((one) => one.name === name)
  if (!link) io.die(2, `Device ${name} not available.`)
  const refuse = (why: string, status: number): never => {
    if (!options.quiet) io.print(`Interface "${name}" is ${why}\n`)
    throw new Exit(status)
  }
  if (!(link.flags & IFF_UP)) refuse('down', 2)
  if (link.flags & (IFF_NOARP | IFF_LOOPBACK)) refuse('not ARPable', options.dad ? 0 : 2)
  return link
}

/** The address that the probes come from: given, or what a socket on that device would take. */
function* chooseSource(sys: Sys, io: Stdio, options: Options, device: string, target: number): Body<number> {
  let source = 0
  if (options.source !== undefined) {
    const given = parseIpv4Loose(options.source)
    if (given === undefined) io.die(2, `invalid source ${options.source}`)
    source = given
  }
  if (!options.dad && options.unsolicited && options.source === undefined) source = target
  if (options.dad && options.source === undefined) return source

  const probe = sys.socket('AF_INET', 'SOCK_DGRAM', 0)
  if (!probe.ok) io.die(2, 'socket', probe.errno)
  const fd = probe.value
  const tied = sys.setsockopt(fd, 'SOL_SOCKET', 'SO_BINDTODEVICE', device)
  if (!tied.ok) io.warn('WARNING: interface is ignored', tied.errno)
  if (options.source !== undefined || source !== 0) {
    const bound = sys.bind(fd, { family: 'AF_INET', address: source, port: 0 })
    if (!bound.ok) io.die(2, 'bind', bound.errno)
  } else if (!options.dad) {
    const direct = sys.setsockopt(fd, 'SOL_SOCKET', 'SO_DONTROUTE', 1)
    if (!direct.ok) io.warn('WARNING: setsockopt(SO_DONTROUTE)', direct.errno)
    const connected = yield* sys.connect(fd, { family: 'AF_INET', address: target, port: 1025 })
    if (!connected.ok) io.die(2, 'connect', connected.errno)
    const local = sys.getsockname(fd)
    if (!local.ok) io.die(2, 'getsockname', local.errno)
    if (local.value.family === 'AF_INET') source = local.value.address
  }
  sys.close(fd)
  return source
}

/** Probes that are sent and answers that come, until it is enough. */
class Session {
  readonly #sys: Sys
  readonly #io: Stdio
  readonly #options: Options
  readonly #fd: number
  readonly #device: LinkMessage
  readonly #me: Uint8Array
  readonly #source: number
  readonly #target: number
  /** Where the probes go: everybody at first, then whoever answered. */
  #to: Uint8Array
  #unicasting = false
  #sent = 0
  #broadcasts = 0
  #received = 0
  #broadcastReplies = 0
  #requests = 0
  /** When the last probe left, ns. */
  #lastNs: number | undefined
  #leave = false

  constructor(
    sys: Sys,
    io: Stdio,
    options: Options,
    fd: number,
    device: LinkMessage,
    me: Uint8Array,
    source: number,
    target: number,
  ) {
    this.#sys = sys
    this.#io = io
    this.#options = options
    this.#fd = fd
    this.#device = device
    this.#me = me
    this.#source = source
    this.#target = target
    this.#to = macBytes(device.broadcast)
  }

  *run(): Body<number> {
    const { intervalS, timeoutS, count } = this.#options
    let status = 0
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM'] as const) {
      this.#sys.sigaction(signal, () => {
        this.#leave = true
      })
    }
    const startNs = this.#sys.monotonicNs()
    let tickNs = intervalS > 0 ? startNs + intervalS * 1e9 : Number.POSITIVE_INFINITY
    const endNs = timeoutS > 0 ? startNs + timeoutS * 1e9 : Number.POSITIVE_INFINITY
    let ticks = 1
    yield* this.#send()
    while (!this.#leave) {
      yield* this.#io.settle()
      const waitNs = Math.max(0, Math.min(tickNs, endNs) - this.#sys.monotonicNs())
      const ready = yield* this.#sys.poll([{ fd: this.#fd, events: POLLIN }], waitNs)
      const nowNs = this.#sys.monotonicNs()
      if (nowNs >= tickNs) {
        ticks++
        tickNs += intervalS * 1e9
        if (count > 0 && count < ticks) this.#leave = true
        else yield* this.#send()
      }
      if (nowNs >= endNs) this.#leave = true
      if (!ready.ok || ready.value.length === 0) continue
      const got = yield* this.#sys.receive(this.#fd, 4096, { dontWait: true })
      if (got.ok) this.#take(got.value.bytes, got.value.from)
      else if (got.errno !== 'EAGAIN') {
        this.#io.warn('recvfrom', got.errno)
        if (got.errno === 'ENETDOWN') status = 2
      }
    }
    return status | this.#finish()
  }

  *#send(): Body<void> {
    const probe = new Uint8Array(28)
    const view = new DataView(probe.buffer)
    const { advert } = this.#options
    view.setUint16(0, ARPHRD_ETHER)
    view.setUint16(2, ETH_P_IP)
    probe[4] = 6
    probe[5] = 4
    view.setUint16(6, advert ? ARPOP_REPLY : ARPOP_REQUEST)
    probe.set(this.#me, 8)
    view.setUint32(14, this.#source)
    probe.set(advert ? this.#me : this.#to, 18)
    view.setUint32(24, this.#target)
    const nowNs = this.#sys.monotonicNs()
    const sent = yield* this.#sys.sendTo(this.#fd, probe, linkAddress(this.#device.ifindex, this.#to))
    if (!sent.ok) return
    this.#lastNs = nowNs
    this.#sent++
    if (!this.#unicasting) this.#broadcasts++
  }

  #take(bytes: Uint8Array, from: SockAddr): void {
    const nowNs = this.#sys.monotonicNs()
    const { dad, broadcastOnly, quitOnReply, timeoutS, count, quiet } = this.#options
    // Not what others were told, nor what left from here.
    if (from.family !== 'AF_PACKET' || from.packetType > PACKET_MULTICAST || bytes.length < 28) return
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const operation = view.getUint16(6)
    if (operation !== ARPOP_REQUEST && operation !== ARPOP_REPLY) return
    if (view.getUint16(0) !== from.hatype || view.getUint16(2) !== ETH_P_IP) return
    if (bytes[4] !== this.#me.length || bytes[5] !== 4) return
    const sender = bytes.slice(8, 14)
    const senderIp = view.getUint32(14)
    const aim = bytes.slice(18, 24)
    const aimIp = view.getUint32(24)
    if (senderIp !== this.#target) return
    if (dad) {
      // Whoever says that the address is its own, unless it is this very device.
      if (same(sender, this.#me) || (this.#source !== 0 && this.#source !== aimIp)) return
    } else if (aimIp !== this.#source || !same(aim, this.#me)) return

    if (!quiet) this.#print(from.packetType, operation, sender, senderIp, aim, aimIp, nowNs)
    this.#received++
    if (timeoutS && this.#received === count) {
      this.#leave = true
      return
    }
    if (from.packetType !== PACKET_HOST) this.#broadcastReplies++
    if (operation === ARPOP_REQUEST) this.#requests++
    if (quitOnReply || (count === 0 && this.#received === this.#sent)) {
      this.#leave = true
      return
    }
    if (!broadcastOnly) {
      this.#to = sender
      this.#unicasting = true
    }
  }

  #print(
    packetType: number,
    operation: number,
    sender: Uint8Array,
    senderIp: number,
    aim: Uint8Array,
    aimIp: number,
    nowNs: number,
  ): void {
    let line = `${packetType === PACKET_HOST ? 'Unicast' : 'Broadcast'} ${operation === ARPOP_REPLY ? 'reply' : 'request'}`
    line += ` from ${formatIpv4(senderIp)} [${upperMac(sender)}] `
    const elsewhere = aimIp !== this.#source
    if (elsewhere) line += `for ${formatIpv4(aimIp)} `
    if (!same(aim, this.#me)) line += `${elsewhere ? '' : 'for '}[${upperMac(aim)}]`
    if (this.#lastNs === undefined) line += ' UNSOLICITED?\n'
    else {
      // Whole microseconds; the milliseconds are rounded and the rest is added to a half of one: so the tool prints it.
      const took = Math.trunc((nowNs - this.#lastNs + 500) / 1000)
      const ms = Math.trunc((took + 500) / 1000)
      line += ` ${ms}.${String(took - ms * 1000 + 500).padStart(3, '0')}ms\n`
    }
    this.#io.print(line)
    this.#io.flush()
  }

  /** Prints the sums; the exit status. */
  #finish(): number {
    const { quiet, dad, unsolicited, quitOnReply, timeoutS, count } = this.#options
    const received = this.#received
    if (!quiet) {
      const details = [
        this.#requests > 0 ? `${this.#requests} request(s)` : '',
        this.#broadcastReplies > 0 ? `${this.#broadcastReplies} broadcast(s)` : '',
      ].filter((detail) => detail !== '')
      this.#io.print(`Sent ${this.#sent} probes (${this.#broadcasts} broadcast(s))\n`)
      this.#io.print(`Received ${received} response(s)${details.length > 0 ? ` (${details.join(', ')})` : ''}\n`)
      this.#io.flush()
    }
    const none = received === 0
    let failed = dad ? !none : unsolicited ? false : none
    if (unsolicited) return failed ? 1 : 0
    if (dad && quitOnReply) failed ||= this.#broadcasts === received
    else if (timeoutS && !(count > 0)) failed ||= none
    else failed ||= this.#sent !== received
    return failed ? 1 : 0
  }
}

function macBytes(mac: number): Uint8Array {
  return Uint8Array.from({ length: 6 }, (_, i) => Math.floor(mac / 256 ** (5 - i)) % 256)
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function upperMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(':')
}

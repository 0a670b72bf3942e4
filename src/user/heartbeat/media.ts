/**
 * The processes around the master: one reads the FIFO, and for each medium one writes and one reads. They hand bytes on and
 * understand little of them; only who pings makes messages of his own, those that he wants to hear back.
 * heartbeat 3.0.6 lib/plugins/HBcomm/{bcast,mcast,ucast,ping,ping_group}.c; heartbeat.c: fifo_child(), write_child(), read_child()
 */
import { decodeUtf8, internetChecksum } from '#base/bytes'
import { type Body, O_NONBLOCK, O_WRONLY, POLLIN, type Sys, strerror } from '#kernel/core'
import type { LinkMessage } from '#kernel/net'
import { formatIpv4 } from '#wire/inet'
import type { AuthKeys } from './authkeys.ts'
import type { Medium } from './configuration.ts'
import type { HaLog } from './log.ts'
import { emitMessage, formatLines, HaMessage, parseLines, parseMessage, signedLines } from './message.ts'

export const FIFO = '/var/lib/heartbeat/fifo'
const LOW_DELAY = 0x10
const ICMP = 1
const ECHO_HEADER = 8
const LINES_MAX = 65_536

export interface MediumSockets {
  write: number
  read: number
  /** Of echo requests: the master's process. */
  ident: number
}

const isPing = ({ type }: Medium) => type === 'ping' || type === 'ping_group'

/** Opens a medium's sockets, in the master, before the children come. */
export function* openMedium(sys: Sys, log: HaLog, medium: Medium): Body<MediumSockets | undefined> {
  const { name, port, type } = medium
  const address = medium.addresses[0]!
  if (isPing(medium)) {
    const made = sys.socket('AF_INET', 'SOCK_RAW', ICMP)
    if (!made.ok) {
      log.say('CRIT', `glib: Can't open RAW socket.: ${strerror(made.errno)}`)
      return undefined
    }
    log.say('info', type === 'ping' ? 'glib: ping heartbeat started.' : 'glib: ping group heartbeat started.')
    return { write: made.value, read: made.value, ident: sys.pid & 0xffff }
  }
  const write = sys.socket('AF_INET', 'SOCK_DGRAM', 0)
  const read = sys.socket('AF_INET', 'SOCK_DGRAM', 0)
  if (!write.ok || !read.ok) return undefined
  const set = (fd: number, level: string, option: string, value: unknown) => sys.setsockopt(fd, level, option, value)
  if (type === 'bcast') {
    set(write.value, 'SOL_SOCKET', 'SO_BROADCAST', 1)
    set(write.value, 'SOL_SOCKET', 'SO_DONTROUTE', 1)
    if (!bindDevice(sys, write.value, name)) return undefined
    set(read.value, 'SOL_SOCKET', 'SO_REUSEADDR', 1)
    if (!bindDevice(sys, read.value, name)) return undefined
  } else if (type === 'ucast') {
    set(write.value, 'SOL_IP', 'IP_TOS', LOW_DELAY)
    log.say('info', `glib: ucast: write socket priority set to IPTOS_LOWDELAY on ${name}`)
    if (!bindDevice(sys, write.value, name)) return undefined
    log.say('info', `glib: ucast: bound send socket to device: ${name}`)
    set(write.value, 'SOL_SOCKET', 'SO_REUSEPORT', 1)
    log.say('info', 'glib: ucast: set SO_REUSEPORT(w)')
    set(read.value, 'SOL_SOCKET', 'SO_REUSEADDR', 1)
    log.say('info', 'glib: ucast: set SO_REUSEADDR')
    if (!bindDevice(sys, read.value, name)) return undefined
    log.say('info', `glib: ucast: bound receive socket to device: ${name}`)
    set(read.value, 'SOL_SOCKET', 'SO_REUSEPORT', 1)
    log.say('info', 'glib: ucast: set SO_REUSEPORT')
  } else {
    const ifindex = indexOf(sys, name)
    set(write.value, 'SOL_IP', 'IP_MULTICAST_IF', { address: ownAddress(sys, name), ifindex })
    set(write.value, 'SOL_IP', 'IP_MULTICAST_LOOP', medium.loop ? 1 : 0)
    set(write.value, 'SOL_IP', 'IP_MULTICAST_TTL', medium.ttl)
    set(read.value, 'SOL_SOCKET', 'SO_REUSEADDR', 1)
  }
  const own = type === 'mcast' ? address : 0
  for (let tries = 0; ; tries++) {
    const bound = sys.bind(read.value, { family: 'AF_INET', address: own, port })
    if (bound.ok) break
    if (bound.errno !== 'EADDRINUSE' || tries >= 10) return undefined
    if (type === 'bcast') log.say('CRIT', `glib: Error binding socket (${strerror(bound.errno)}). Retrying.`)
    else log.say('CRIT', `glib: ${type === 'ucast' ? "ucast: Can't" : "Can't"} bind (EADDRINUSE), retrying`)
    yield* log.flush()
    yield* sys.sleep(1e9)
  }
  if (type === 'bcast')
    log.say('info', `glib: UDP Broadcast heartbeat started on port ${port} (${port}) interface ${name}`)
  else if (type === 'ucast')
    log.say('info', `glib: ucast: started on port ${port} interface ${name} to ${formatIpv4(address)}`)
  else {
    const joined = sys.setsockopt(read.value, 'SOL_IP', 'IP_ADD_MEMBERSHIP', {
      group: address,
      address: ownAddress(sys, name),
      ifindex: 0,
    })
    if (!joined.ok) {
      log.say('CRIT', `glib: Can't join multicast group ${formatIpv4(address)} on interface ${name}`)
      log.say('info', 'glib: multicast read process exiting')
      return undefined
    }
    const how = `(ttl=${medium.ttl} loop=${medium.loop ? 1 : 0})`
    log.say(
      'info',
      `glib: UDP multicast heartbeat started for group ${formatIpv4(address)} port ${port} interface ${name} ${how}`,
    )
  }
  return { write: write.value, read: read.value, ident: 0 }
}

function bindDevice(sys: Sys, fd: number, device: string): boolean {
  return sys.setsockopt(fd, 'SOL_SOCKET', 'SO_BINDTODEVICE', device).ok
}

function indexOf(sys: Sys, device: string): number {
  const links = sys.netlink({ type: 'RTM_GETLINK' })
  return (links.ok ? (links.messages as LinkMessage[]) : []).find(({ name }) => name === device)?.ifindex ?? 0
}

function ownAddress(sys: Sys, device: string): number {
  const made = sys.socket('AF_INET', 'SOCK_DGRAM', 0)
  if (!made.ok) return 0
  const got = sys.ioctl(made.value, 'SIOCGIFADDR', { name: device })
  sys.close(made.value)
  return got.ok ? (got.value as number) : 0
}

/** The master doesn't need them when the children have them. */
export function closeMedium(sys: Sys, log: HaLog, sockets: MediumSockets, medium: Medium): void {
  sys.close(sockets.write)
  if (sockets.read !== sockets.write) sys.close(sockets.read)
  tellClosed(log, medium)
}

/** Only broadcasts tell. */
export function tellClosed(log: HaLog, { type, name, port }: Medium): void {
  if (type === 'bcast')
    log.say('info', `glib: UDP Broadcast heartbeat closed on port ${port} interface ${name} - Status: 1`)
}

/** Sends what the master says. */
export function* writeChild(
  sys: Sys,
  log: HaLog,
  channel: number,
  sockets: MediumSockets,
  medium: Medium,
  auth: AuthKeys,
): Body<number> {
  sys.setName('heartbeat', [`heartbeat: write: ${medium.type} ${medium.name}`])
  sys.sigaction('SIGTERM', 'default')
  let sequence = 0
  let failures = 0
  let quiet = false
  for (;;) {
    const got = yield* sys.receive(channel, 65_536)
    if (!got.ok) continue
    if (got.value.length === 0) return 0
    let failed = ''
    if (isPing(medium)) {
      const made = pingPacket(got.value.bytes, medium, auth, sockets.ident, sequence)
      if (!made) continue
      sequence = (sequence + 1) & 0xffff
      for (const address of medium.addresses) {
        const sent = yield* sys.sendTo(sockets.write, made, { family: 'AF_INET', address, port: 0 }, { dontWait: true })
        if (!sent.ok && !quiet) log.say('CRIT', `glib: Error sending packet: ${strerror(sent.errno)}`)
        if (!sent.ok && !quiet) log.say('info', 'glib: euid=0 egid=0')
        if (!sent.ok) failed = strerror(sent.errno)
      }
    } else {
      const address = medium.addresses[0]!
      const { bytes } = got.value
      const sent = yield* sys.sendTo(sockets.write, bytes, { family: 'AF_INET', address, port: medium.port })
      if (!sent.ok) {
        failed = strerror(sent.errno)
        const where = `${medium.name} ${formatIpv4(address)}:${medium.port} len=${bytes.length}`
        if (!quiet) log.say('CRIT', `glib: ${medium.type}_write: Unable to send HBcomm packet ${where} [-1]: ${failed}`)
      }
    }
    if (failed === '') {
      failures = 0
      quiet = false
    } else {
      if (!quiet) log.say('ERROR', `write_child: write failure on ${medium.type} ${medium.name}.: ${failed}`)
      if (failures === 10) {
        log.say('WARN', 'Temporarily Suppressing write error messages')
        log.say('WARN', `Is a cable unplugged on ${medium.type} ${medium.name}?`)
        quiet = true
      } else if (failures >= 1000) {
        failures = 0
        quiet = false
      }
      failures++
    }
    yield* log.flush()
  }
}

/** An echo request whose data is the message that the pinged node would send of itself, had it a heartbeat. */
function pingPacket(
  bytes: Uint8Array,
  medium: Medium,
  auth: AuthKeys,
  ident: number,
  sequence: number,
): Uint8Array | undefined {
  const message = parseMessage(bytes)?.message
  const time = message?.get('ts')
  if (message?.get('t') !== 'status' || time === undefined) return undefined
  const ping = HaMessage.of({ t: 'NS_st', st: 'ping', info: medium.type, src: medium.name, ts: time })
  const signed = auth.sign(signedLines(ping))
  if (signed) ping.set('auth', `${signed.number} ${signed.token}`)
  const data = emitMessage(ping, auth.sign)
  const packet = new Uint8Array(ECHO_HEADER + data.length)
  const view = new DataView(packet.buffer)
  packet[0] = 8
  // The identifier stands as the machine has it, the number as the network does.
  view.setUint16(4, ident, true)
  view.setUint16(6, sequence)
  packet.set(data, ECHO_HEADER)
  view.setUint16(2, internetChecksum(packet))
  return packet
}

/** Hands on what comes. */
export function* readChild(
  sys: Sys,
  log: HaLog,
  channel: number,
  sockets: MediumSockets,
  medium: Medium,
): Body<number> {
  sys.setName('heartbeat', [`heartbeat: read: ${medium.type} ${medium.name}`])
  sys.sigaction('SIGTERM', 'default')
  for (;;) {
    const got = yield* sys.receive(sockets.read, 65_536)
    if (!got.ok) {
      log.say(
        'CRIT',
        `glib: ${medium.type === 'ucast' ? 'ucast: error' : 'Error'} receiving from socket: ${strerror(got.errno)}`,
      )
      yield* log.flush()
      continue
    }
    const bytes = isPing(medium) ? echoed(got.value.bytes, sockets.ident, medium) : got.value.bytes
    if (!bytes || bytes.length === 0) continue
    const sent = yield* sys.sendTo(channel, bytes, undefined, { noSignal: true })
    if (!sent.ok) return 1
  }
}

/** The data of an answer to one of our requests. */
function echoed(packet: Uint8Array, ident: number, medium: Medium): Uint8Array | undefined {
  const header = (packet[0]! & 15) * 4
  if (packet.length < header + ECHO_HEADER) return undefined
  const view = new DataView(packet.buffer, packet.byteOffset)
  if (packet[header] !== 0 || view.getUint16(header + 4, true) !== ident) return undefined
  const data = packet.slice(header + ECHO_HEADER)
  return parseMessage(data)?.message.get('info') === medium.type ? data : undefined
}

/** Hands on what scripts write into the FIFO, message by message; and looks whether the master lives. */
export function* fifoChild(sys: Sys, log: HaLog, channel: number, processes: readonly number[]): Body<number> {
  sys.setName('heartbeat', ['heartbeat: FIFO reader'])
  sys.sigaction('SIGTERM', 'default')
  const opened = yield* sys.open(FIFO, O_NONBLOCK)
  if (!opened.ok) return 1
  const fd = opened.value
  // With a writer of its own there is never an end of the file.
  yield* sys.open(FIFO, O_WRONLY)
  let text = ''
  for (;;) {
    if (!sys.kill(processes[0]!, 0).ok) return yield* mourn(sys, log, processes)
    const ready = yield* sys.poll([{ fd, events: POLLIN }], 1e9)
    if (!ready.ok || ready.value.length === 0) continue
    const got = yield* sys.read(fd, 65_536)
    if (!got.ok) continue
    text = (text + decodeUtf8(got.value)).slice(-LINES_MAX)
    for (let end = text.indexOf('<<<\n'); end >= 0; end = text.indexOf('<<<\n')) {
      const one = text.slice(0, end)
      text = text.slice(end + 4)
      const start = one.lastIndexOf('>>>\n')
      const message = start < 0 ? undefined : parseLines(one.slice(start + 4))
      if (message)
        yield* sys.sendTo(
          channel,
          Uint8Array.from(formatLines(message), (char) => char.charCodeAt(0)),
        )
    }
  }
}

/** Without the master nothing goes on. */
function* mourn(sys: Sys, log: HaLog, processes: readonly number[]): Body<number> {
  log.say('CRIT', 'Emergency Shutdown: Master Control process died.')
  // A place that nobody has counts as number 0: the whole group.
  sys.sigaction('SIGTERM', 'ignore')
  for (const pid of processes) {
    if (pid === sys.pid) continue
    log.say('CRIT', `Killing pid ${pid} with SIGTERM`)
    sys.kill(pid, 'SIGTERM')
  }
  log.say('CRIT', 'Emergency Shutdown(MCP dead): Killing ourselves.')
  yield* log.flush()
  return 15
}

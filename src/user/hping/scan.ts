/**
 * `hping3 --scan`: a packet to each port of a list, again and again to those that haven't answered, eight times at most. One
 * process of the real one sends while another listens, so how many a port gets before its answer counts depends on the
 * machine; here a round takes three milliseconds, as it does there for a few ports.
 */
import type { Body } from '#kernel/core'
import { readServices, serviceName } from '#user/libc'
import { formatIpv4 } from '#wire/inet'
import type { Session } from './hping.ts'
import { parseReply } from './replies.ts'

const PROBES = 8
const ROUND_NS = 3e6
/** After so many rounds it waits for a second, and once more at the end. */
const QUICK_ROUNDS = 3
const WAIT_NS = 1e9
const PORTS = 65_536

/** The ports of a list such as `1-1000,8888,known,!22`; undefined if it is none. */
export function parsePorts(text: string, known: readonly number[]): Uint8Array | undefined {
  const chosen = new Uint8Array(PORTS)
  for (const part of text.split(',')) {
    const off = part.startsWith('!')
    const word = off ? part.slice(1) : part
    const value = off ? 0 : 1
    if (word === 'all') chosen.fill(value)
    else if (word === 'known') for (const port of known) chosen[port] = value
    else {
      const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word)
      if (!found) return undefined
      const one = Number(found[1])
      const other = Number(found[2] ?? found[1])
      if (one >= PORTS || other >= PORTS) return undefined
      chosen.fill(value, Math.min(one, other), Math.max(one, other) + 1)
    }
  }
  return chosen
}

/** What `known` stands for. */
function* knownPorts(session: Session): Body<number[]> {
  const services = yield* readServices(session.sys)
  return services.filter(({ protocol }) => protocol === 'tcp' || protocol === 'udp').map(({ port }) => port & 0xffff)
}

export function* scan(session: Session, using: string): Body<number> {
  const { io, options, sys, wire } = session
  io.error(`Scanning ${options.host} (${formatIpv4(session.destination)}), port ${options.scanPorts}\n`)
  const chosen = parsePorts(options.scanPorts, yield* knownPorts(session))
  if (!chosen) {
    io.error('Ports syntax error for scan mode\n')
    return 1
  }
  let waiting = [...chosen.keys()].filter((port) => chosen[port] === 1)
  io.error(`${waiting.length} ports to scan, use -V to see all the replies\n`)
  io.error('+----+-----------+---------+---+-----+-----+-----+\n')
  io.error('|port| serv name |  flags  |ttl| id  | win | len |\n')
  io.error('+----+-----------+---------+---+-----+-----+-----+\n')
  if (options.verbose) io.print(using)
  const answered = new Set<number>()
  const sourcePort = session.basePort
  options.keepPort = true
  const hear = function* (untilNs: number): Body<void> {
    while (sys.monotonicNs() < untilNs && waiting.length > 0 && !session.stopped) {
      for (const { bytes } of yield* wire.receive(untilNs)) {
        const reply = parseReply(bytes)
        if (reply?.protocol !== 6 || reply.source !== session.destination) continue
        const { view, headerLength } = reply
        if (bytes.length < headerLength + 20 || view.getUint16(headerLength + 2) !== sourcePort) continue
        const port = view.getUint16(headerLength)
        if (chosen[port] !== 1 || answered.has(port)) continue
        answered.add(port)
        waiting = waiting.filter((one) => one !== port)
        const flags = bytes[headerLength + 13]!
        // A reset says that nobody listens: told only if asked.
        if ((flags & 4) === 0 || options.verbose) {
          const name = (yield* serviceName(sys, port, 'tcp')) ?? ''
          io.print(
            `${String(port).padStart(5)} ${name.slice(0, 11).padEnd(11)}: ${scanFlags(flags)} ${column(reply.ttl, 3)} ${column(
              reply.id,
              5,
            )} ${column(view.getUint16(headerLength + 14), 5)} ${column(bytes.length, 5)}\n`,
          )
        }
      }
      yield* io.settle()
    }
  }
  session.stopOn('SIGINT')
  for (let round = 0; round < PROBES && waiting.length > 0 && !session.stopped; round++) {
    for (const port of waiting) if (!(yield* session.sendOne(port))) return 1
    yield* hear(sys.monotonicNs() + (round + 1 === QUICK_ROUNDS || round + 1 === PROBES ? WAIT_NS : ROUND_NS))
  }
  io.error('All replies received. Done.\n')
  if (options.verbose) io.print(using)
  io.print('Not responding ports: ')
  for (const port of waiting) io.print(`(${port} ${((yield* serviceName(sys, port, 'tcp')) ?? '').slice(0, 11)}) `)
  io.print('\n')
  return 0
}

function column(value: number, width: number): string {
  return String(value).padStart(width)
}

/** In the order of their bits. */
function scanFlags(flags: number): string {
  return [...'FSRPAUXY'].map((letter, bit) => (flags & (1 << bit) ? letter : '.')).join('')
}

/**
 * No connection changes its server, and none is reset: told from the wire alone. A connection is a client's address and
 * port since its SYN. Its server is the host that what the client gets comes from: who sends a segment to the client that
 * hadn't been brought to him before. So a director or a router, which passes segments on, is none, whether it rewrites
 * addresses (LVS by NAT), frames only (DR) or wraps packets (TUN).
 */
import type { InvariantRule } from '#article/format'
import type { WorldFrame } from '#lab/world'
import { ETH_P_IP, formatIpv4, IP_OFFSET, IPPROTO_TCP, type Packet, parseIpv4, RAW_NONE } from '#wire/inet'
import { type ExploredLab, formatTime, type OnViolation, type Watcher } from './lab.ts'

const FIN = 0x01
const SYN = 0x02
const RST = 0x04
const ACK = 0x10
const SHOWN = 12
/** What was brought to a host lately, of one connection. */
const BROUGHT_MAX = 2048
/** Connections that are remembered; older ones are forgotten. */
const FLOWS_MAX = 50_000

interface Flow {
  to: number
  toPort: number
  isn: number
  server: string | undefined
  /** A server's SYN and ACK was seen. */
  established: boolean
  /** Segments for the client that reached a host: by its name. */
  brought: Map<string, Set<number>>
  lines: string[]
}

/** Watches TCP connections that begin from now on. */
export function watchConnections(
  lab: ExploredLab,
  rule: Extract<InvariantRule, { kind: 'connections' }>,
  violated: OnViolation,
): Watcher {
  const wanted = rule.address === undefined ? undefined : parseIpv4(rule.address)
  const flows = new Map<number, Flow>()
  const heard = ({ atNs, port, direction, packet }: WorldFrame) => {
    if (packet.etherType !== ETH_P_IP || packet.protocol !== IPPROTO_TCP) return
    if (packet.raw !== RAW_NONE || (packet.fragment & IP_OFFSET) !== 0) return
    const { tcpFlags: flags } = packet
    if ((flags & (SYN | ACK)) === SYN) {
      if (direction !== 'in') return
      if (wanted !== undefined && packet.dst !== wanted) return
      if (rule.port !== undefined && packet.dstPort !== rule.port) return
      const key = keyOf(packet.src, packet.srcPort)
      const known = flows.get(key)
      if (known?.isn === packet.seq) return // On its way, or once more.
      flows.delete(key)
      if (flows.size >= FLOWS_MAX) flows.delete(flows.keys().next().value!)
      const lines = [lineOf(atNs, port.host, packet)]
      const { dst: to, dstPort: toPort, seq: isn } = packet
      flows.set(key, { to, toPort, isn, server: undefined, established: false, brought: new Map(), lines })
      return
    }
    const flow = flows.get(keyOf(packet.dst, packet.dstPort))
    if (!flow) return
    const id = segmentId(packet)
    let brought = flow.brought.get(port.host)
    if (direction === 'out') {
      if (!brought) {
        brought = new Set()
        flow.brought.set(port.host, brought)
      }
      if (brought.size >= BROUGHT_MAX) brought.delete(brought.values().next().value!)
      brought.add(id)
      return
    }
    if (brought?.has(id)) return // Passed on.
    if (flags !== ACK || flow.lines.length < 4) {
      flow.lines.push(lineOf(atNs, port.host, packet))
      if (flow.lines.length > SHOWN) flow.lines.splice(2, 1)
    }
    if ((flags & (SYN | ACK)) === (SYN | ACK)) flow.established = true
    const name = `${formatIpv4(packet.dst)}:${packet.dstPort} to ${formatIpv4(flow.to)}:${flow.toPort}`
    if (rule.what === 'reset') {
      if ((flags & RST) !== 0 && flow.established) {
        violated({ what: `the connection from ${name} is reset by ${port.host}`, evidence: flow.lines })
      }
      return
    }
    if (flow.server === undefined) flow.server = port.host
    else if (flow.server !== port.host) {
      const what = `the connection from ${name} was served by ${flow.server}, and now ${port.host} answers${(flags & RST) !== 0 ? ' with a reset' : ''}`
      violated({ what, evidence: [...flow.lines.slice(0, -1), lineOf(atNs, port.host, packet)] })
    }
  }
  return { stop: lab.world.frames.listen(heard) }
}

function keyOf(address: number, port: number): number {
  return address * 65_536 + port
}

/** Tells segments of one direction of one connection apart; whoever passes one on changes none of it. */
function segmentId(packet: Packet): number {
  return packet.seq * 2 ** 21 + (((packet.ack * 31 + packet.length * 7 + packet.tcpFlags) >>> 0) % 2 ** 21)
}

function lineOf(atNs: number, host: string, packet: Packet): string {
  const { tcpFlags: flags, src, srcPort, dst, dstPort, seq, ack, length } = packet
  const letters = `${flags & SYN ? 'S' : ''}${flags & FIN ? 'F' : ''}${flags & RST ? 'R' : ''}${flags & ACK ? '.' : ''}`
  return `${formatTime(atNs)} ${host}: ${formatIpv4(src)}:${srcPort} > ${formatIpv4(dst)}:${dstPort} [${letters}] seq ${seq} ack ${ack} length ${length}`
}

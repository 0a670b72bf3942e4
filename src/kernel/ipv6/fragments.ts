/**
 * Putting IPv6's fragments together. RFC 8200 section 4.5; RFC 5722: what overlaps is thrown away, whole.
 * Linux 6.1 net/ipv6/reassembly.c: ipv6_frag_rcv(), ip6_frag_queue(), ip6_frag_reasm(); include/net/ipv6_frag.h.
 */
import { Timer } from '#base/sim'
import { type NetDevice, type Reassembled, truesize } from '#kernel/net'
import {
  emitIp,
  extensionHeaders,
  fragmentOf,
  ICMPV6_EXC_FRAGTIME,
  ICMPV6_HDR_FIELD,
  ICMPV6_PARAMPROB,
  ICMPV6_TIME_EXCEED,
  IP_MF,
  IP_OFFSET,
  IPPROTO_FRAGMENT,
  ipLength,
  type Packet,
  parseIpv6Packet,
} from '#wire/inet'
import { icmp6Error } from './icmp.ts'
import type { State6 } from './state.ts'
import { drop6 } from './trace.ts'

/** sizeof(struct frag_queue), rounded to its slab. */
const QUEUE_SIZE = 232

interface Piece {
  start: number
  end: number
  bytes: Uint8Array
}

class Queue {
  pieces: Piece[] = []
  length = 0
  meat = 0
  last = false
  first: Packet | undefined = undefined
  device: NetDevice | undefined = undefined
  memory = QUEUE_SIZE
  /** The largest piece's length. */
  largest = 0
  timer: Timer | undefined = undefined
}

export class Fragments6 {
  readonly queues = new Map<string, Queue>()
  memory = 0
}

function kill(fragments: Fragments6, key: string, queue: Queue): void {
  queue.timer?.destroy()
  fragments.queues.delete(key)
  fragments.memory -= queue.memory
}

/** The time is up: who sent the first piece is told. ip6frag_expire_frag_queue(). */
function expire(state: State6, key: string, queue: Queue): void {
  kill(state.fragments!, key, queue)
  state.counters.countIp('ReasmFails')
  state.counters.countIp('ReasmTimeout')
  if (queue.first && queue.device?.registered) {
    icmp6Error(queue.first, queue.device, ICMPV6_TIME_EXCEED, ICMPV6_EXC_FRAGTIME, 0)
  }
}

/** Takes a fragment. The whole packet if it was the last one missing. */
export function defragment6(state: State6, packet: Packet, device: NetDevice): Packet | undefined {
  const { counters, sysctls } = state
  const header = fragmentOf(packet)!
  counters.countIp('ReasmReqds')
  if ((packet.fragment & (IP_MF | IP_OFFSET)) === 0) {
    // A fragment that is all there is: only the header goes.
    counters.countIp('ReasmOKs')
    return without(packet, header.at, header.next, restOf(packet, header.at))
  }
  state.fragments ??= new Fragments6()
  const { fragments } = state
  if (fragments.memory > sysctls.ip6fragHighThresh) {
    counters.countIp('ReasmFails')
    drop6(state, packet, 'NOT_SPECIFIED')
    return undefined
  }
  const key = `${packet.src6!.id}/${packet.dst6!.id}/${header.id}`
  let queue = fragments.queues.get(key)
  if (!queue) {
    const fresh = new Queue()
    queue = fresh
    fresh.timer = new Timer(state.host.sim, `${state.host.name}/fragments6`, () => expire(state, key, fresh))
    fresh.timer.armAfter(sysctls.ip6fragTime * 1e9)
    fragments.memory += QUEUE_SIZE
    fragments.queues.set(key, fresh)
  }
  return add(state, fragments, key, queue, packet, header, device)
}

/** All that stands behind the fragment header. */
function restOf(packet: Packet, at: number): Uint8Array {
  return emitIp(packet).subarray(40 + at + 8)
}

function add(
  state: State6,
  fragments: Fragments6,
  key: string,
  queue: Queue,
  packet: Packet,
  header: { at: number; next: number },
  device: NetDevice,
): Packet | undefined {
  const { counters } = state
  const discard = (): undefined => {
    kill(fragments, key, queue)
    counters.countIp('ReasmFails')
    drop6(state, packet, 'NOT_SPECIFIED')
    return undefined
  }
  const bytes = restOf(packet, header.at)
  const start = (packet.fragment & IP_OFFSET) * 8
  const end = start + bytes.length
  if (end > 65_535) {
    counters.countIp('InHdrErrors')
    icmp6Error(packet, device, ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD, 40 + header.at + 2)
    return discard()
  }
  if ((packet.fragment & IP_MF) === 0) {
    if (end < queue.length || (queue.last && end !== queue.length)) return discard()
    queue.last = true
    queue.length = end
  } else {
    if (end & 7) {
      // Only the last may have an odd length. RFC 8200 section 4.5.
      counters.countIp('InHdrErrors')
      icmp6Error(packet, device, ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD, 4)
      return discard()
    }
    if (end > queue.length) {
      if (queue.last) return discard()
      queue.length = end
    }
  }
  if (end === start) return discard()
  let at = 0
  for (; at < queue.pieces.length; at++) {
    const piece = queue.pieces[at]!
    if (end <= piece.start) break
    if (start >= piece.end) continue
    if (start >= piece.start && end <= piece.end) {
      drop6(state, packet, 'NOT_SPECIFIED') // The same again.
      return undefined
    }
    return discard()
  }
  queue.pieces.splice(at, 0, { start, end, bytes })
  queue.device = device
  queue.meat += end - start
  queue.largest = Math.max(queue.largest, ipLength(packet))
  const size = truesize(packet)
  queue.memory += size
  fragments.memory += size
  if (start === 0) queue.first = packet
  if (!queue.first || !queue.last || queue.meat !== queue.length) return undefined
  kill(fragments, key, queue)
  const first = queue.first
  const head = fragmentOf(first)!
  const body = new Uint8Array(queue.length)
  for (const piece of queue.pieces) body.set(piece.bytes, piece.start)
  if (head.at + queue.length > 65_535) {
    counters.countIp('ReasmFails')
    drop6(state, packet, 'NOT_SPECIFIED')
    return undefined
  }
  counters.countIp('ReasmOKs')
  const whole = without(first, head.at, head.next, body)
  whole.iif = packet.iif
  whole.packetType = packet.packetType
  whole.route = packet.route
  whole.extra = { fragMaxSize: queue.largest } satisfies Reassembled
  return whole
}

/** The packet without its fragment header, and with this behind it. */
function without(packet: Packet, at: number, next: number, body: Uint8Array): Packet {
  const bytes = new Uint8Array(40 + at + body.length)
  bytes.set(emitIp(packet).subarray(0, 40 + at))
  bytes.set(body, 40 + at)
  const before = extensionHeaders(packet).find((each) => each.next === IPPROTO_FRAGMENT && each.at + each.length === at)
  bytes[before === undefined ? 6 : 40 + before.at] = next
  const length = at + body.length
  bytes[4] = length >>> 8
  bytes[5] = length & 255
  const whole = parseIpv6Packet(bytes)
  whole.macDst = packet.macDst
  whole.macSrc = packet.macSrc
  whole.packetType = packet.packetType
  whole.iif = packet.iif
  whole.mark = packet.mark
  whole.priority = packet.priority
  whole.route = packet.route
  return whole
}

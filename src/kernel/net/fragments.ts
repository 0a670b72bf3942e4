/**
 * Putting fragments together. Linux 6.1 net/ipv4/ip_fragment.c: ip_defrag(), ip_frag_queue(), ip_frag_reasm(), ip_expire();
 * net/ipv4/inet_fragment.c: inet_frag_queue_insert(). RFC 5722: what overlaps is thrown away, whole.
 */
import { Timer } from '#base/sim'
import { emitIp, formatIpv4, IP_DF, IP_MF, IP_OFFSET, type Packet, parseIp } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { icmpError } from './icmp.ts'
import { logLimited } from './ip-log.ts'
import { type Peer, peerOf } from './ip-peers.ts'
import type { InetState } from './ip-state.ts'
import { drop } from './ip-trace.ts'
import { JIFFY_NS } from './jiffies.ts'
import { truesize } from './neighbour.ts'
import { routeInput } from './route.ts'

const ICMP_TIME_EXCEEDED = 11
/** sizeof(struct ipq), rounded to its slab. */
const QUEUE_SIZE = 200

/** ECN bits seen among fragments, as a set of (1 << bits) -> what the whole says; -1: forbidden. ip_frag_ecn_table[]. */
function ecnOf(seen: number): number {
  if (seen & 1 && seen !== 1) return -1
  return seen & 8 ? 3 : 0
}

interface Piece {
  start: number
  end: number
  packet: Packet
  bytes: Uint8Array
}

class Queue {
  pieces: Piece[] = []
  length = 0
  meat = 0
  first = false
  last = false
  ecn = 0
  maxSize = 0
  maxDfSize = 0
  memory = 0
  device: NetDevice | undefined
  peer: Peer | undefined
  peerCount = 0
  timer: Timer | undefined
}

/** In a whole packet's `extra`: how large its largest piece was. If it goes on, it goes in pieces no larger. IPCB(skb)->frag_max_size. */
export interface Reassembled {
  fragMaxSize?: number
}

/** The size of a packet's largest piece; 0 if it came whole. */
export function fragMaxSize(packet: Packet): number {
  return packet.extra === undefined ? 0 : ((packet.extra as Reassembled).fragMaxSize ?? 0)
}

export class Fragments {
  readonly queues = new Map<string, Queue>()
  memory = 0
}

/** Who waits for the whole: queues of different users don't mix. enum ip_defrag_users. */
export type DefragUser = 'deliver' | 'conntrack in' | 'conntrack out' | 'ipvs in' | 'ipvs forward' | 'ipvs out'

function kill(fragments: Fragments, key: string, queue: Queue): void {
  queue.timer?.destroy()
  fragments.queues.delete(key)
  fragments.memory -= queue.memory
}

function expire(state: InetState, key: string, queue: Queue): void {
  const counters = state.count()
  kill(state.fragments!, key, queue)
  counters.reasmFails++
  counters.reasmTimeout++
  const head = queue.pieces[0]
  if (!queue.first || !head || !queue.device?.registered) return
  const packet = head.packet
  const route = routeInput(queue.device, packet.dst, packet.src, packet.tos, packet.mark, packet)
  if (typeof route === 'string') return
  packet.route = route
  icmpError(packet, queue.device, ICMP_TIME_EXCEEDED, 1, 0)
}

/** 'too far': the sender has sent so many other fragments since that this one can't belong. ip_frag_too_far(). */
function tooFar(state: InetState, queue: Queue): boolean {
  const max = state.sysctls.fragmentMaxDistance
  if (!queue.peer || max === 0) return false
  const start = queue.peerCount
  queue.peerCount = ++queue.peer.fragments
  if (queue.pieces.length === 0 || queue.peerCount - start <= max) return false
  state.count().reasmFails++
  return true
}

/** Where a piece belongs; 'overlap' if it covers what is there in part, 'duplicate' if all of it is. */
function place(queue: Queue, start: number, end: number): number | 'overlap' | 'duplicate' {
  const { pieces } = queue
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i]!
    if (end <= piece.start) return i
    if (start < piece.end) return runCovers(pieces, i, start, end) ? 'duplicate' : 'overlap'
  }
  return pieces.length
}

/** Whether pieces that follow one another without a gap, from the i-th on, cover all from start to end. */
function runCovers(pieces: Piece[], i: number, start: number, end: number): boolean {
  if (start < pieces[i]!.start) return false
  let to = pieces[i]!.end
  for (let next = i + 1; to < end && next < pieces.length && pieces[next]!.start === to; next++) to = pieces[next]!.end
  return to >= end
}

/** Takes a fragment. The whole packet if it was the last one missing, else undefined. */
export function defragment(state: InetState, packet: Packet, device: NetDevice, user: DefragUser): Packet | undefined {
  const counters = state.count()
  counters.reasmReqds++
  state.fragments ??= new Fragments()
  const fragments = state.fragments
  if (state.sysctls.fragmentHigh === 0 || fragments.memory > state.sysctls.fragmentHigh) {
    counters.reasmFails++
    drop(state, packet, 'NOT_SPECIFIED')
    return undefined
  }
  const key = `${packet.src}/${packet.dst}/${packet.ipId}/${packet.protocol}/${user}`
  let queue = fragments.queues.get(key)
  const { host } = state
  if (!queue) {
    const fresh = new Queue()
    queue = fresh
    if (state.sysctls.fragmentMaxDistance !== 0) fresh.peer = peerOf(host, packet.src)
    fresh.timer = new Timer(host.sim, `${host.name}/fragments`, () => expire(state, key, fresh))
    fresh.timer.armAfter(state.sysctls.fragmentTimeout * JIFFY_NS)
    fresh.memory = QUEUE_SIZE
    fragments.memory += QUEUE_SIZE
    fragments.queues.set(key, fresh)
  }
  if (tooFar(state, queue)) {
    queue.timer!.armAfter(state.sysctls.fragmentTimeout * JIFFY_NS)
    fragments.memory -= queue.memory - QUEUE_SIZE
    Object.assign(queue, { pieces: [], length: 0, meat: 0, first: false, last: false, ecn: 0, memory: QUEUE_SIZE })
  }
  return add(state, fragments, key, queue, packet, device)
}

/** ip_frag_queue(). */
function add(
  state: InetState,
  fragments: Fragments,
  key: string,
  queue: Queue,
  packet: Packet,
  device: NetDevice,
): Packet | undefined {
  const discard = (): undefined => {
    kill(fragments, key, queue)
    state.count().reasmFails++
    drop(state, packet, 'NOT_SPECIFIED')
    return undefined
  }
  const headerLength = 20 + (packet.ipOptions?.length ?? 0)
  const bytes = emitIp(packet).subarray(headerLength)
  const start = (packet.fragment & IP_OFFSET) * 8
  let end = start + bytes.length
  if ((packet.fragment & IP_MF) === 0) {
    if (end < queue.length || (queue.last && end !== queue.length)) return discard()
    queue.last = true
    queue.length = end
  } else {
    end -= end & 7
    if (end > queue.length) {
      if (queue.last) return discard()
      queue.length = end
    }
  }
  if (end === start) return discard()
  const at = place(queue, start, end)
  if (at === 'duplicate') {
    drop(state, packet, 'NOT_SPECIFIED')
    return undefined
  }
  if (at === 'overlap') {
    state.count().reasmOverlaps++
    return discard()
  }
  queue.pieces.splice(at, 0, { start, end, packet, bytes: bytes.subarray(0, end - start) })
  queue.device = device
  queue.meat += end - start
  queue.ecn |= 1 << (packet.tos & 3)
  const size = truesize(packet)
  queue.memory += size
  fragments.memory += size
  if (start === 0) queue.first = true
  const whole = end - start + headerLength
  if (whole > queue.maxSize) queue.maxSize = whole
  if (packet.fragment & IP_DF && whole > queue.maxDfSize) queue.maxDfSize = whole
  if (!queue.first || !queue.last || queue.meat !== queue.length) return undefined
  return reassemble(state, fragments, key, queue, packet)
}

/** ip_frag_reasm(). */
function reassemble(
  state: InetState,
  fragments: Fragments,
  key: string,
  queue: Queue,
  packet: Packet,
): Packet | undefined {
  kill(fragments, key, queue)
  const counters = state.count()
  const ecn = ecnOf(queue.ecn)
  const head = queue.pieces[0]!.packet
  const options = head.ipOptions
  const headerLength = 20 + (options?.length ?? 0)
  const total = headerLength + queue.length
  if (ecn < 0 || total > 65535) {
    if (ecn >= 0) logLimited(state.host, 6, [`Oversized IP packet from ${formatIpv4(head.src)}`])
    counters.reasmFails++
    drop(state, packet, 'NOT_SPECIFIED')
    return undefined
  }
  const header = head.clone()
  header.fragment = queue.maxDfSize === queue.maxSize ? IP_DF : 0
  header.tos |= ecn
  header.buffer = new Uint8Array(queue.length)
  header.offset = 0
  header.length = queue.length
  for (const piece of queue.pieces) header.buffer.set(piece.bytes, piece.start)
  // Read again from its bytes: the transport's header and checksum are in one place now.
  const whole = parseIp(emitIp(header))
  whole.macDst = packet.macDst
  whole.macSrc = packet.macSrc
  whole.packetType = packet.packetType
  whole.iif = packet.iif
  whole.mark = packet.mark
  whole.priority = packet.priority
  whole.route = packet.route
  whole.extra = { fragMaxSize: queue.maxSize } satisfies Reassembled
  counters.reasmOks++
  return whole
}

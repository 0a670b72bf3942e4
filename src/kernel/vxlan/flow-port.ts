/**
 * The source port of an encapsulated packet: a hash of the flow inside, so that routers on the way spread flows and keep each
 * in order. The hash is the same for both directions, and its secret the same for all hosts of a lab, as it is for the namespaces of
 * one kernel; a segment of TCP has its socket's own number.
 *
 * Linux 6.1 include/net/udp.h: udp_flow_src_port(); net/core/flow_dissector.c: __flow_hash_consistentify().
 */
import type { RandomStream, Simulator } from '#base/sim'
import type { Host } from '#kernel/core'
import { inetState } from '#kernel/net'
import { ETH_P_IP, IP_MF, IP_OFFSET, IPPROTO_TCP, IPPROTO_UDP, type Packet, RAW_NONE } from '#wire/inet'

interface Secrets {
  hash: number
  random: RandomStream
  sockets: WeakMap<object, number>
}

const secrets = new WeakMap<Simulator, Secrets>()

function secretsOf(sim: Simulator): Secrets {
  let own = secrets.get(sim)
  if (own === undefined) {
    const random = sim.random('flow hash')
    own = { hash: random.uint32(), random, sockets: new WeakMap() }
    secrets.set(sim, own)
  }
  return own
}

function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}

/** 32 bits. */
function flowHash(sim: Simulator, packet: Packet): number {
  const own = secretsOf(sim)
  if (packet.socket !== undefined && packet.protocol === IPPROTO_TCP) {
    const socket = packet.socket as object
    let hash = own.sockets.get(socket)
    if (hash === undefined) {
      hash = own.random.uint32() || 1
      own.sockets.set(socket, hash)
    }
    return hash
  }
  let hash = mix(own.hash, packet.etherType)
  if (packet.etherType === ETH_P_IP) {
    const ported = packet.protocol === IPPROTO_TCP || packet.protocol === IPPROTO_UDP
    const whole = packet.raw === RAW_NONE && (packet.fragment & (IP_OFFSET | IP_MF)) === 0
    let [a, b] = [packet.src, packet.dst]
    let [p, q] = ported && whole ? [packet.srcPort, packet.dstPort] : [0, 0]
    if (a > b || (a === b && p > q)) {
      ;[a, b] = [b, a]
      ;[p, q] = [q, p]
    }
    for (const value of [a, b, packet.protocol, p * 65536 + q]) hash = mix(hash, value)
  } else if (packet.src6 && packet.dst6) {
    for (const { w0, w1, w2, w3 } of [packet.src6, packet.dst6]) {
      // The order of the two doesn't count.
      hash = (hash + mix(mix(mix(mix(7, w0), w1), w2), w3)) | 0
    }
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}

/** A port from a range; the host's own range if it is empty. */
export function flowSourcePort(host: Host, packet: Packet, low: number, high: number): number {
  let [min, max] = [low, high]
  if (min >= max) {
    const { portLow, portHigh } = inetState.of(host).sysctls
    min = portLow
    max = portHigh
  }
  let hash = flowHash(host.sim, packet) || 1
  hash = (hash ^ (hash << 16)) >>> 0
  return Math.floor((hash * (max - min)) / 2 ** 32) + min
}

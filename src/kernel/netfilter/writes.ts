/** Expressions that change a packet. Linux 6.1 net/netfilter/nft_payload.c, nft_exthdr.c, nft_dup_netdev.c. */
import { NotModelled } from '#base/check'
import type { Host } from '#kernel/core'
import { flowOf, inetState, ipLocalOut, routeFlow } from '#kernel/net'
import { IPPROTO_TCP, IPPROTO_UDP, type Packet, RAW_NONE, setTcpOptions, tcpOptionBytes } from '#wire/inet'
import { copyUntracked } from './ct.ts'
import type { Expression } from './expressions.ts'
import type { Loader } from './loads.ts'
import { BREAK, GO_ON, type Operation } from './run.ts'

/** `ip ttl set`, `tcp dport set` and the like. */
export function compilePayloadSet(expression: Expression & { expr: 'payload set' }, from: Loader): Operation {
  const write = writerOf(expression)
  return (context) => {
    const value = from(context)
    if (typeof value !== 'number') return BREAK
    return write(context.packet, value) ? GO_ON : BREAK
  }
}

function writerOf({
  base,
  offset,
  length,
}: Expression & { expr: 'payload set' }): (packet: Packet, value: number) => boolean {
  const header = (write: (packet: Packet, value: number) => void) => (packet: Packet, value: number) => {
    write(packet, value)
    return true
  }
  const ports = (write: (packet: Packet, value: number) => void) => (packet: Packet, value: number) => {
    if (packet.raw !== RAW_NONE || (packet.protocol !== IPPROTO_TCP && packet.protocol !== IPPROTO_UDP)) return false
    write(packet, value)
    return true
  }
  switch (`${base} ${offset} ${length}`) {
    case 'nh 1 1':
      return header((packet, value) => {
        packet.tos = value
      })
    case 'nh 4 2':
      return header((packet, value) => {
        packet.ipId = value
      })
    case 'nh 8 1':
      return header((packet, value) => {
        packet.ttl = value
      })
    case 'nh 12 4':
      return header((packet, value) => {
        packet.src = value
      })
    case 'nh 16 4':
      return header((packet, value) => {
        packet.dst = value
      })
    case 'th 0 2':
      return ports((packet, value) => {
        packet.srcPort = value
      })
    case 'th 2 2':
      return ports((packet, value) => {
        packet.dstPort = value
      })
  }
  throw new NotModelled(`nft: writing ${length} bytes at ${base} + ${offset}`)
}

/** `tcp option maxseg size set`: only ever lowers it. nft_exthdr_tcp_set_eval(). */
export function compileTcpOptionSet(expression: Expression & { expr: 'tcpopt set' }, from: Loader): Operation {
  const { type, offset, length } = expression
  if (type !== 2 || offset !== 2 || length !== 2) throw new NotModelled('nft: setting a TCP option other than maxseg')
  return (context) => {
    const { packet } = context
    if (packet.protocol !== IPPROTO_TCP || packet.raw !== RAW_NONE) return BREAK
    const value = from(context)
    if (typeof value !== 'number') return BREAK
    lowerMss(packet, value)
    return GO_ON
  }
}

/** Lowers the MSS that a segment announces; false if it announces none. */
export function lowerMss(packet: Packet, value: number): boolean {
  const bytes = tcpOptionBytes(packet).slice()
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at]!
    if (kind === 0) break
    if (kind === 1) {
      at++
      continue
    }
    const size = bytes[at + 1] ?? 0
    if (kind === 2 && size === 4 && at + 4 <= bytes.length) {
      if (bytes[at + 2]! * 256 + bytes[at + 3]! > value) {
        bytes[at + 2] = value >>> 8
        bytes[at + 3] = value & 0xff
        setTcpOptions(packet, bytes)
      }
      return true
    }
    if (size < 2) break
    at += size
  }
  return false
}

/** Sends a copy to another host of the network. Linux 6.1 net/ipv4/netfilter/nf_dup_ipv4.c: nf_dup_ipv4(). */
export function duplicate(packet: Packet, host: Host, gateway: number, hook: string): void {
  const state = inetState.of(host)
  const copy = packet.clone()
  copyUntracked(copy)
  const flow = flowOf({ dst: gateway, tos: packet.tos & 0x1e, anySrc: true })
  const route = routeFlow(host, flow)
  if (typeof route === 'string') return
  // It goes to the gateway whatever its destination is.
  copy.fragment |= 0x4000
  if (hook === 'PRE_ROUTING' || hook === 'LOCAL_IN') copy.ttl--
  duplicating.add(copy)
  const way = Object.create(route) as typeof route
  way.gateway = route.gateway === 0 ? gateway : route.gateway
  ipLocalOut(state, copy, way, 0)
}

/** Copies that are on their way: they aren't copied again (current->in_nf_duplicate). */
export const duplicating = new WeakSet<Packet>()

export function compileDup(address: Loader, host: Host): Operation {
  return (context) => {
    const value = address(context)
    if (typeof value !== 'number') return BREAK
    if (!duplicating.has(context.packet)) duplicate(context.packet, host, value, context.hook)
    return GO_ON
  }
}

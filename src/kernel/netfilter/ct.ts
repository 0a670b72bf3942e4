/** What rules see of connections, and set on them. Linux 6.1 net/netfilter/nft_ct.c, xt_CT.c, nf_conntrack.h. */
import { NotModelled } from '#base/check'
import {
  attachAnswer,
  type Conn,
  conntrackNeed,
  conntrackState,
  ctDirection,
  expiresJiffies,
  IP_CT_UNTRACKED,
  type Tuple,
  tracksConnections,
  untrack,
} from '#kernel/conntrack'
import type { Host } from '#kernel/core'
import { HZ } from '#kernel/net'
import type { Packet } from '#wire/inet'
import type { Family, Value } from './expressions.ts'
import type { Loader } from './loads.ts'
import { BREAK, GO_ON, type Operation } from './run.ts'

/** NF_CT_STATE_BIT(): how `ct state` counts. */
export const CT_INVALID = 1
export const CT_ESTABLISHED = 2
export const CT_RELATED = 4
export const CT_NEW = 8
export const CT_UNTRACKED = 64

/** The connection that a packet belongs to; templates are none. */
export function ctOf(packet: Packet): Conn | undefined {
  const conn = packet.ct as Conn | undefined
  return conn === undefined || conn.template ? undefined : conn
}

/** A packet's state as a bit. nft_ct_get_eval(). */
export function ctStateBit(packet: Packet): number {
  const info = packet.ctInfo
  if (packet.ct !== undefined) return 1 << ((info % 3) + 1)
  return info === IP_CT_UNTRACKED ? CT_UNTRACKED : CT_INVALID
}

export function isReply(packet: Packet): boolean {
  return ctDirection(packet.ctInfo) === 1
}

/** Loads something of a packet's connection. */
export function loadCt(key: string, direction: 'original' | 'reply' | undefined, host: Host, family: Family): Loader {
  needConntrack(host, family)
  if (key === 'state') return ({ packet }) => ctStateBit(packet)
  const of = (read: (ct: Conn, packet: Packet) => Value | undefined): Loader => {
    return ({ packet }) => {
      const ct = ctOf(packet)
      return ct === undefined ? undefined : read(ct, packet)
    }
  }
  const tuple = (read: (tuple: Tuple) => Value): Loader => {
    return of((ct, packet) =>
      read((direction ?? (isReply(packet) ? 'reply' : 'original')) === 'reply' ? ct.reply : ct.original),
    )
  }
  switch (key) {
    case 'direction':
      return of((_ct, packet) => (isReply(packet) ? 1 : 0))
    case 'status':
      return of((ct) => ct.status)
    case 'mark':
      return of((ct) => ct.mark)
    case 'zone':
      return of((ct) => ct.zone)
    case 'helper':
      return of((ct) => ct.helper?.name)
    case 'expiration':
      return of((_ct, packet) => remainingSeconds(packet, host) * 1000)
    case 'packets':
    case 'bytes':
      return of((ct) => {
        const counts = ct.accounting?.[key]
        if (!counts) return undefined
        return direction === undefined ? counts[0] + counts[1] : counts[direction === 'reply' ? 1 : 0]
      })
    case 'l3proto':
      return of((ct) => (typeof ct.original.src === 'number' ? 2 : 10))
    case 'protocol':
      return tuple((one) => one.protocol)
    case 'saddr':
      return tuple((one) => one.src as number)
    case 'daddr':
      return tuple((one) => one.dst as number)
    case 'proto-src':
      return tuple((one) => one.srcPort)
    case 'proto-dst':
      return tuple((one) => one.dstPort)
  }
  throw new NotModelled(`nft: ct ${key}`)
}

/** `ct mark set`. nft_ct_set_eval(). */
export function setCt(key: string, from: Loader, host: Host, family: Family): Operation {
  if (key !== 'mark') throw new NotModelled(`nft: ct ${key} set`)
  needConntrack(host, family)
  return (context) => {
    const value = from(context)
    if (typeof value !== 'number') return BREAK
    const ct = ctOf(context.packet)
    if (!ct) return BREAK
    ct.mark = value
    return GO_ON
  }
}

/** `notrack`: only what isn't tracked yet. nft_notrack_eval(). */
export function compileNotrack(): Operation {
  return ({ packet }) => {
    copyUntracked(packet)
    return GO_ON
  }
}

/** Marks a packet as one that isn't to be tracked. */
export function copyUntracked(packet: Packet): void {
  if (packet.ct === undefined && packet.ctInfo === 0) untrack(packet)
}

/** A packet that answers another belongs to its connection. nf_ct_attach(). */
export function attachCt(answer: Packet, to: Packet): void {
  attachAnswer(answer, to)
}

/** A rule needs to know connections: from now on they are tracked. nf_ct_netns_get(). */
export function needConntrack(host: Host, family: Family = 'ip'): void {
  for (const one of ['ip', 'ip6'] as const) {
    if ((family === one || family === 'inet') && !tracksConnections(host, one)) conntrackNeed(host, one)
  }
}

/** How long the packet's connection has still to live, in seconds. */
export function remainingSeconds(packet: Packet, host: Host): number {
  const ct = ctOf(packet)
  return ct ? Math.floor(expiresJiffies(conntrackState.of(host), ct) / HZ) : 0
}

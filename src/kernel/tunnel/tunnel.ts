/**
 * What a tunnel is: its two ends, its keys, and how a packet that came in finds it.
 *
 * Linux 6.1 net/ipv4/ip_tunnel.c: ip_tunnel_lookup(), ip_tunnel_find(), ip_tunnel_bind_dev(); include/net/ip_tunnels.h.
 */
import { defineState, type Host } from '#kernel/core'
import { deviceByIndex, flowOf, IFF_POINTOPOINT, IFF_UP, type NetDevice, routeFlow } from '#kernel/net'

export const IPPROTO_IPIP = 4
export const IPPROTO_IPV6 = 41
export const IPPROTO_GRE = 47
export const IPPROTO_MPLS = 137

/** Which packets a tunnel takes: those of one family are told apart by their ends and keys. */
export type Family = 'ipip' | 'gre' | 'gretap' | 'erspan' | 'sit'

export interface TunnelFlags {
  csum: boolean
  key: boolean
  seq: boolean
}

export interface TunnelParams {
  local: number
  remote: number
  /** 0: the inner packet's. */
  ttl: number
  /** 1 added: the inner packet's. */
  tos: number
  /** Says DF, and minds path MTUs. */
  pmtudisc: boolean
  /** The device that it is bound to; 0: any. */
  link: number
  iKey: number
  oKey: number
  iFlags: TunnelFlags
  oFlags: TunnelFlags
  /** What is inside: IPPROTO_IPIP, IPPROTO_IPV6; 0: anything. GRE says itself. */
  protocol: number
  fwmark: number
  ignoreDf: boolean
}

export const NO_FLAGS: TunnelFlags = { csum: false, key: false, seq: false }

export const PARAMS: TunnelParams = {
  local: 0,
  remote: 0,
  ttl: 0,
  tos: 0,
  pmtudisc: true,
  link: 0,
  iKey: 0,
  oKey: 0,
  iFlags: NO_FLAGS,
  oFlags: NO_FLAGS,
  protocol: 0,
  fwmark: 0,
  ignoreDf: false,
}

export class Tunnel {
  readonly device: NetDevice
  readonly family: Family
  /** The namespace whose network carries it: where it was made. */
  readonly home: Host
  params: TunnelParams
  readonly fallback: boolean
  /** Sequence numbers: the next to send, and to expect. */
  oSeq = 0
  iSeq = 0
  /** ICMP errors that came back lately, and when. */
  errors = 0
  errorNs = 0

  constructor(device: NetDevice, family: Family, home: Host, params: TunnelParams, fallback: boolean) {
    this.device = device
    this.family = family
    this.home = home
    this.params = params
    this.fallback = fallback
  }

  /** Whether whole frames are inside. */
  get ethernet(): boolean {
    return this.device.looks.linkType === 'ether'
  }

  /** GRE's header. */
  get headerLength(): number {
    if (this.family !== 'gre' && this.family !== 'gretap' && this.family !== 'erspan') return 0
    const { oFlags } = this.params
    const base = 4 + (oFlags.csum ? 4 : 0) + (oFlags.key ? 4 : 0) + (oFlags.seq ? 4 : 0)
    return this.family === 'erspan' ? 16 : base
  }
}

/** Tunnels by the namespace that carries them, the youngest first. */
export const tunnels = defineState(() => new Map<Family, Tunnel[]>())

function listOf(host: Host, family: Family): Tunnel[] {
  return tunnels.peek(host)?.get(family) ?? []
}

export function addTunnel(tunnel: Tunnel): void {
  const all = tunnels.of(tunnel.home)
  all.set(tunnel.family, [tunnel, ...listOf(tunnel.home, tunnel.family)])
}

export function removeTunnel(tunnel: Tunnel): void {
  const all = tunnels.peek(tunnel.home)
  all?.set(
    tunnel.family,
    listOf(tunnel.home, tunnel.family).filter((other) => other !== tunnel),
  )
}

/** The device that takes what no other does. */
export function fallbackOf(host: Host, family: Family): Tunnel | undefined {
  return listOf(host, family).find((tunnel) => tunnel.fallback)
}

/** ip_tunnel_key_match() */
function keyMatches({ params }: Tunnel, key: number | undefined): boolean {
  return params.iFlags.key ? key !== undefined && params.iKey === key : key === undefined
}

/** The tunnel that a packet from `remote` to `local` belongs to; undefined: none. ip_tunnel_lookup(). */
export function lookupTunnel(
  host: Host,
  family: Family,
  link: number,
  remote: number,
  local: number,
  key: number | undefined,
): Tunnel | undefined {
  const list = listOf(host, family).filter((tunnel) => !tunnel.fallback && (tunnel.device.flags & IFF_UP) !== 0)
  const multicast = local >>> 28 === 0xe
  const steps: ((tunnel: Tunnel) => boolean)[] = [
    ({ params }) => params.local === local && params.remote === remote,
    ({ params }) => params.remote === remote && params.local === 0,
    ({ params }) => (params.local === local && params.remote === 0) || (multicast && params.remote === local),
    ({ params }) => params.local === 0 && params.remote === 0,
  ]
  for (const fits of steps) {
    let candidate: Tunnel | undefined
    for (const tunnel of list) {
      if (!fits(tunnel) || !keyMatches(tunnel, key)) continue
      if (tunnel.params.link === link) return tunnel
      if (tunnel.params.link === 0) candidate ??= tunnel
    }
    if (candidate) return candidate
  }
  const fallback = fallbackOf(host, family)
  return fallback && fallback.device.flags & IFF_UP ? fallback : undefined
}

/** One with the same ends. ip_tunnel_find(). */
export function findTunnel(host: Host, family: Family, params: TunnelParams): Tunnel | undefined {
  return listOf(host, family).find(
    (tunnel) =>
      tunnel.params.local === params.local &&
      tunnel.params.remote === params.remote &&
      tunnel.params.link === params.link &&
      keyMatches(tunnel, params.iFlags.key ? params.iKey : undefined),
  )
}

/** The way to the other end, as it is asked for. */
export function tunnelFlow(tunnel: Tunnel, remote: number, tos: number) {
  const { params, family } = tunnel
  const protocol = family === 'ipip' ? IPPROTO_IPIP : family === 'sit' ? IPPROTO_IPV6 : IPPROTO_GRE
  return flowOf({ dst: remote, src: params.local, oif: params.link, tos: tos & 0x1c, mark: params.fwmark, protocol })
}

/** The MTU that leaves room for the headers on the way to the other end. ip_tunnel_bind_dev(). */
export function boundMtu(tunnel: Tunnel): number {
  const { params, device, home } = tunnel
  let under: NetDevice | undefined
  if (params.remote !== 0) {
    const route = routeFlow(home, tunnelFlow(tunnel, params.remote, params.tos))
    if (typeof route !== 'string') under = route.device
    if (!tunnel.ethernet) device.flags |= IFF_POINTOPOINT
  }
  if (under === undefined && params.link !== 0) under = deviceByIndex(home, params.link)
  const mtu = Math.min(under?.mtu ?? 1500, 0xffff) - 20 - tunnel.headerLength - (tunnel.ethernet ? 14 : 0)
  return Math.max(mtu, 68)
}

/** What shows of the ends: a tunnel's addresses are its hardware addresses. */
export function showEnds(tunnel: Tunnel): void {
  if (tunnel.ethernet) return
  tunnel.device.address = tunnel.params.local
  tunnel.device.broadcast = tunnel.params.remote
}

/**
 * `ip link add type ipip`, `gre`, `gretap`, `sit`: how such a device begins, is changed, and shown.
 *
 * Linux 6.1 net/ipv4/ipip.c: ipip_newlink(), ipip_fill_info(); ip_gre.c: ipgre_newlink(), ipgre_fill_info(); net/ipv6/sit.c;
 * ip_tunnel.c: ip_tunnel_newlink(), ip_tunnel_changelink(), ip_tunnel_change_mtu().
 */
import type { Host } from '#kernel/core'
import {
  type Driver,
  ETHERNET,
  IFF_BROADCAST,
  IFF_MULTICAST,
  IFF_NOARP,
  type LinkData,
  type LinkKind,
  type Looks,
  type NetDevice,
  type Refusal,
  refuse,
  registerDevice,
} from '#kernel/net'
import { loadModule, type TunnelModule } from './modules.ts'
import {
  addTunnel,
  boundMtu,
  type Family,
  fallbackOf,
  findTunnel,
  NO_FLAGS,
  PARAMS,
  removeTunnel,
  showEnds,
  Tunnel,
  type TunnelFlags,
  type TunnelParams,
} from './tunnel.ts'
import { tunnelXmit } from './xmit.ts'

export const tunnelDriver: Driver = {
  xmit(packet, device) {
    tunnelXmit(packet, device.priv as Tunnel)
  },
  changeMtu(device, mtu) {
    const tunnel = device.priv as Tunnel
    if (tunnel.ethernet) return undefined
    const most = 0xfff8 - 20 - tunnel.headerLength
    return mtu < 68 || mtu > most ? refuse('EINVAL') : undefined
  },
  uninit(device) {
    removeTunnel(device.priv as Tunnel)
  },
}

const COMMON = { qdisc: 'noqueue', txqlen: 1000, flags: IFF_NOARP, addressLength: 4 }

const LOOKS: Record<Family, Looks> = {
  ipip: { ...COMMON, linkType: 'ipip', hardwareType: 768, mtu: 1480, minMtu: 0, maxMtu: 0, driver: 'ipip' },
  gre: { ...COMMON, linkType: 'gre', hardwareType: 778, mtu: 1476, minMtu: 0, maxMtu: 0, driver: 'gre' },
  sit: { ...COMMON, linkType: 'sit', hardwareType: 776, mtu: 1480, minMtu: 1280, maxMtu: 65555, driver: 'sit' },
  gretap: {
    ...ETHERNET,
    qdisc: 'noqueue',
    mtu: 1462,
    minMtu: 68,
    maxMtu: 0,
    flags: IFF_BROADCAST | IFF_MULTICAST,
    driver: 'gretap',
  },
  erspan: {
    ...ETHERNET,
    qdisc: 'noqueue',
    mtu: 1450,
    minMtu: 68,
    maxMtu: 0,
    flags: IFF_BROADCAST | IFF_MULTICAST,
    driver: 'erspan',
  },
}

const MODULES: Record<Family, TunnelModule> = {
  ipip: 'ipip',
  gre: 'ip_gre',
  gretap: 'ip_gre',
  erspan: 'ip_gre',
  sit: 'sit',
}

/** A request's words over what was there. */
function merge(data: LinkData, before: TunnelParams): TunnelParams {
  const params: TunnelParams = { ...before }
  const bag = data as Partial<TunnelParams>
  for (const key of Object.keys(PARAMS) as (keyof TunnelParams)[]) {
    if (bag[key] !== undefined) (params[key] as unknown) = bag[key]
  }
  return params
}

/** ttl and nopmtudisc don't go together. ipip_tunnel_validate() has it from user space; the kernel: ip_tunnel_newlink(). */
function checked(params: TunnelParams): Refusal | undefined {
  return params.ttl !== 0 && !params.pmtudisc ? refuse('EINVAL') : undefined
}

function randomMac(device: NetDevice): number {
  const { host } = device
  const bytes = host.sim.random(`${(host.base ?? host).name}/hardware addresses`).bytes(6)
  bytes[0] = (bytes[0]! & 0xfe) | 0x02
  return bytes.reduce((mac, byte) => mac * 256 + byte, 0)
}

/** Makes a device a tunnel and registers it. `asIoctl`: made by `ip tunnel add`, which sets the bounds of its MTU. */
export function makeTunnel(
  device: NetDevice,
  family: Family,
  home: Host,
  params: TunnelParams,
  mtu: number | undefined,
  asIoctl: boolean,
): Refusal | undefined {
  loadModule(home, MODULES[family])
  if (findTunnel(home, family, params)) return refuse('EEXIST')
  const tunnel = new Tunnel(device, family, home, params, false)
  device.priv = tunnel
  device.driver = tunnelDriver
  device.carrier = true
  device.underlay = params.link
  if (tunnel.ethernet && device.address === 0) {
    device.address = randomMac(device)
    device.addressAssignType = 1
  }
  showEnds(tunnel)
  const bound = boundMtu(tunnel)
  device.mtu = mtu ?? bound
  if (asIoctl || family === 'gre') {
    device.minMtu = family === 'sit' ? 1280 : 68
    if (family !== 'sit') device.maxMtu = 0xffff - 20 - tunnel.headerLength
  }
  const refusal = registerDevice(device)
  if (refusal === undefined) addTunnel(tunnel)
  return refusal
}

/** Other ends, another key: ip_tunnel_update(). */
export function updateTunnel(tunnel: Tunnel, params: TunnelParams): void {
  const { device } = tunnel
  const rebound = params.link !== tunnel.params.link || params.remote !== tunnel.params.remote
  tunnel.params = params
  device.underlay = params.link
  showEnds(tunnel)
  if (rebound || params.fwmark !== 0) device.mtu = boundMtu(tunnel)
  device.net.generation++
}

function kindOf(family: Family): LinkKind {
  return {
    kind: family,
    looks: LOOKS[family],
    create(device, request, from) {
      const params = merge(request.data ?? {}, PARAMS)
      if (request.link !== undefined) params.link = request.link
      return checked(params) ?? makeTunnel(device, family, from, params, request.mtu, false)
    },
    change(device, data, request) {
      const tunnel = device.priv as Tunnel
      if (tunnel.fallback) return refuse('EINVAL')
      const params = merge(data, tunnel.params)
      const { link } = request as { link?: number }
      if (link !== undefined) params.link = link
      const invalid = checked(params)
      if (invalid) return invalid
      const other = findTunnel(tunnel.home, family, params)
      if (other && other !== tunnel) return refuse('EEXIST')
      updateTunnel(tunnel, params)
      return undefined
    },
    fill: (device) => ({ ...(device.priv as Tunnel).params }),
    // The device that came with the module stays, and nothing is said.
    remove: (device) => ((device.priv as Tunnel).fallback ? [] : [device]),
    linkNet: (device) => (device.priv as Tunnel | undefined)?.home ?? device.host,
  }
}

export const KINDS: LinkKind[] = (['ipip', 'gre', 'gretap', 'erspan', 'sit'] as const).map(kindOf)

// What `ip tunnel` asks for.

export interface TunnelRequest {
  type: 'SIOCADDTUNNEL' | 'SIOCCHGTUNNEL' | 'SIOCDELTUNNEL'
  /** The device that is asked: tunl0, gre0 or sit0 to add, the tunnel itself otherwise. */
  device: string
  /** The new one's name; absent: a number is found. */
  name?: string
  /** What SIOCADDTUNNEL and SIOCCHGTUNNEL say; the latter over what is there. */
  params?: Partial<TunnelParams>
}

export const BASE: Record<string, Family> = { tunl0: 'ipip', gre0: 'gre', sit0: 'sit' }

export function flagsOf(flags: Partial<TunnelFlags> | undefined): TunnelFlags {
  return { ...NO_FLAGS, ...flags }
}

/** The tunnels that stand for the whole family can't be deleted. */
export function isFallback(host: Host, tunnel: Tunnel): boolean {
  return fallbackOf(host, tunnel.family) === tunnel
}

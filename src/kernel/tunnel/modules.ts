/**
 * What comes with a module: its place in IPv4, and a device in every namespace that takes what no other tunnel does (tunl0,
 * gre0, gretap0, erspan0, sit0).
 *
 * Linux 6.1 net/ipv4/ip_tunnel.c: ip_tunnel_init_net(); net/core/net_namespace.c: register_pernet_device().
 */
import { defineState, type Host, kernelModules, netnsesOf } from '#kernel/core'
import {
  IFF_NOARP,
  type InetProtocol,
  inetState,
  type LinkKind,
  linkKinds,
  NetDevice,
  netState,
  registerDevice,
  unregisterDevices,
} from '#kernel/net'
import { tunnelDriver } from './kinds.ts'
import { receiveGre, receiveIpip, receiveSit, tunnelError } from './receive.ts'
import {
  addTunnel,
  type Family,
  IPPROTO_GRE,
  IPPROTO_IPIP,
  IPPROTO_IPV6,
  PARAMS,
  Tunnel,
  type TunnelParams,
  tunnels,
} from './tunnel.ts'

export type TunnelModule = 'ipip' | 'ip_gre' | 'sit'

/** Loaded ones, in order. */
const loaded = defineState(() => new Set<TunnelModule>(), { per: 'machine' })

/** Name, kind, what is inside, MTU. */
type Fallback = [name: string, family: Family, params: Partial<TunnelParams>, mtu: number]

const NOTHING_SAID: Partial<TunnelParams> = { pmtudisc: false }

const FALLBACKS: Record<TunnelModule, Fallback[]> = {
  ipip: [['tunl0', 'ipip', NOTHING_SAID, 1480]],
  ip_gre: [
    ['gre0', 'gre', { ...NOTHING_SAID, protocol: IPPROTO_GRE }, 1476],
    ['gretap0', 'gretap', NOTHING_SAID, 1462],
    ['erspan0', 'erspan', NOTHING_SAID, 1450],
  ],
  sit: [['sit0', 'sit', { ...NOTHING_SAID, ttl: 64, protocol: IPPROTO_IPV6 }, 1480]],
}

const USES: Record<TunnelModule, [name: string, size: number, usedBy: string | undefined][]> = {
  ipip: [
    ['ip_tunnel', 36864, 'ipip'],
    ['tunnel4', 16384, 'ipip'],
    ['ipip', 16384, undefined],
  ],
  ip_gre: [
    ['ip_tunnel', 36864, 'ip_gre'],
    ['gre', 16384, 'ip_gre'],
    ['ip_gre', 32768, undefined],
  ],
  sit: [
    ['ip_tunnel', 36864, 'sit'],
    ['tunnel4', 16384, 'sit'],
    ['sit', 36864, undefined],
  ],
}

/** Loads a module, if it isn't there. */
export function loadModule(host: Host, module: TunnelModule): void {
  const all = loaded.of(host)
  if (all.has(module)) return
  all.add(module)
  const modules = kernelModules.of(host)
  for (const [name, size, user] of USES[module]) {
    const known = modules.get(name) ?? { size, usedBy: [] }
    if (user !== undefined) known.usedBy.push(user)
    modules.set(name, known)
  }
  const machine = host.base ?? host
  if (module === 'ip_gre') {
    machine.log(6, 'gre: GRE over IPv4 demultiplexor driver')
    machine.log(6, 'ip_gre: GRE over IPv4 tunneling driver')
  } else if (module === 'sit') machine.log(6, 'sit: IPv6, IPv4 and MPLS over IPv4 tunneling driver')
  for (const netns of [machine, ...netnsesOf(machine)]) begin(netns, module)
}

/** Whether a machine has a module. */
export function hasModule(host: Host, module: TunnelModule): boolean {
  return loaded.peek(host)?.has(module) ?? false
}

/** A new namespace has what the machine has loaded. */
export function beginNetns(netns: Host): void {
  for (const module of loaded.peek(netns) ?? []) begin(netns, module)
}

function begin(netns: Host, module: TunnelModule): void {
  const state = inetState.of(netns)
  state.protocols ??= new Map()
  if (module === 'ip_gre')
    state.protocols.set(IPPROTO_GRE, { receive: receiveGre, error: (own, error) => tunnelError('gre', own, error) })
  else {
    // IPv4 in IPv4 is for ipip first, and for sit if no tunnel of ipip's takes it.
    state.protocols.set(IPPROTO_IPIP, innerIpv4(netns))
    if (module === 'sit') {
      state.protocols.set(IPPROTO_IPV6, { receive: receiveSit, error: (own, error) => tunnelError('sit', own, error) })
    }
  }
  for (const [name, family, params, mtu] of FALLBACKS[module]) addFallback(netns, name, family, params, mtu)
}

function innerIpv4(netns: Host): InetProtocol {
  const families = () => (['ipip', 'sit'] as const).filter((family) => hasModule(netns, family))
  return {
    receive: (state, packet, device) => receiveIpip(families(), state, packet, device),
    error(state, error) {
      for (const family of families()) tunnelError(family, state, error)
    },
  }
}

function addFallback(netns: Host, name: string, family: Family, params: Partial<TunnelParams>, mtu: number): void {
  const kind = linkKinds(netns.image).get(family) as LinkKind
  const device = new NetDevice(
    netState.of(netns),
    name,
    { ...kind.looks, netnsLocal: true, noInet6: family === 'ipip' || family === 'gre' },
    0,
  )
  device.linkKind = kind
  device.mtu = mtu
  device.minMtu = family === 'ipip' || family === 'gre' ? 0 : kind.looks.minMtu
  device.maxMtu = family === 'ipip' || family === 'gre' ? 0 : kind.looks.maxMtu
  if (kind.looks.linkType !== 'ether') device.flags |= IFF_NOARP
  device.carrier = true
  device.underlay = 0
  device.driver = tunnelDriver
  const tunnel = new Tunnel(device, family, netns, { ...PARAMS, ...params }, true)
  device.priv = tunnel
  if (registerDevice(device) === undefined) addTunnel(tunnel)
}

/** A namespace ends, and with it the tunnels that it carries, wherever their devices are. */
export function endNetns(netns: Host): void {
  for (const list of tunnels.peek(netns)?.values() ?? []) unregisterDevices(list.map(({ device }) => device))
  tunnels.drop(netns)
}

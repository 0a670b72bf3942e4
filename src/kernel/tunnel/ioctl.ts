/**
 * SIOC{ADD,CHG,DEL}TUNNEL: what `ip tunnel` asks for. Linux 6.1 net/ipv4/ip_tunnel.c: ip_tunnel_ctl(), ip_tunnel_create().
 */
import type { Host, KernelImage, NetlinkAnswer } from '#kernel/core'
import { deviceByName, linkKinds, NetDevice, netState, refuse, unregisterDevices } from '#kernel/net'
import { BASE, makeTunnel, type TunnelRequest, updateTunnel } from './kinds.ts'
import { loadModule } from './modules.ts'
import { findTunnel, PARAMS, Tunnel, type TunnelParams } from './tunnel.ts'

const DONE: NetlinkAnswer = { ok: true, messages: [] }

function complete(params: Partial<TunnelParams> | undefined, before: TunnelParams): TunnelParams {
  const all = { ...before, ...params }
  if (all.ttl !== 0) all.pmtudisc = true
  if (!all.iFlags.key) all.iKey = 0
  if (!all.oFlags.key) all.oKey = 0
  return all
}

function add(host: Host, message: unknown): NetlinkAnswer {
  const { device: baseName, name, params } = message as TunnelRequest
  const family = BASE[baseName]
  if (family === undefined) return refuse('ENODEV')
  loadModule(host, family === 'gre' ? 'ip_gre' : family === 'sit' ? 'sit' : 'ipip')
  const all = complete(params, PARAMS)
  if (findTunnel(host, family, all)) return refuse('EEXIST')
  const kind = linkKinds(host.image).get(family)!
  const prefix = { ipip: 'tunl', gre: 'gre', sit: 'sit' }[family as 'ipip' | 'gre' | 'sit']
  const made = new NetDevice(netState.of(host), name ?? `${prefix}%d`, kind.looks, 0)
  made.linkKind = kind
  return makeTunnel(made, family, host, all, undefined, true) ?? DONE
}

/** The tunnel of that name. */
function named(host: Host, name: string): Tunnel | ReturnType<typeof refuse> {
  const device = deviceByName(host, name)
  if (device === undefined) return refuse('ENODEV')
  return device.priv instanceof Tunnel ? device.priv : refuse('EOPNOTSUPP')
}

function change(host: Host, message: unknown): NetlinkAnswer {
  const { device, params } = message as TunnelRequest
  const tunnel = named(host, device)
  if (!(tunnel instanceof Tunnel)) return tunnel
  if (tunnel.fallback) return refuse('EINVAL')
  // What was asked for once stays: a change adds to it.
  const merged = { ...params }
  for (const side of ['iFlags', 'oFlags'] as const) {
    const [before, more] = [tunnel.params[side], params?.[side]]
    if (more)
      merged[side] = { csum: before.csum || more.csum, key: before.key || more.key, seq: before.seq || more.seq }
  }
  const all = complete(merged, tunnel.params)
  const other = findTunnel(tunnel.home, tunnel.family, all)
  if (other && other !== tunnel) return refuse('EEXIST')
  if ((all.remote !== 0) !== (tunnel.params.remote !== 0)) return refuse('EINVAL')
  updateTunnel(tunnel, all)
  return DONE
}

function remove(host: Host, message: unknown): NetlinkAnswer {
  const tunnel = named(host, (message as TunnelRequest).device)
  if (!(tunnel instanceof Tunnel)) return tunnel
  if (tunnel.fallback) return refuse('EPERM')
  unregisterDevices([tunnel.device])
  return DONE
}

/** Installs the requests. */
export function installTunnelRequests(image: KernelImage): void {
  image.netlink('SIOCADDTUNNEL', add)
  image.netlink('SIOCCHGTUNNEL', change)
  image.netlink('SIOCDELTUNNEL', remove)
}

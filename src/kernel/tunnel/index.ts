/**
 * Tunnels over IPv4: ipip, GRE (of packets and of frames), sit.
 *
 *     host# ip tunnel add t0 mode ipip local 10.0.0.1 remote 10.0.0.2
 *     host# ip link set t0 up
 */
import { type KernelImage, moduleLoaders, type Room } from '#kernel/core'
import { linkKinds } from '#kernel/net'
import { installTunnelRequests } from './ioctl.ts'
import { KINDS } from './kinds.ts'
import { beginNetns, endNetns, loadModule } from './modules.ts'

export { emitGre, type GreHeader, parseGre } from './gre-header.ts'
export type { TunnelRequest } from './kinds.ts'
export { loadModule, type TunnelModule } from './modules.ts'
export { ecnIn } from './receive.ts'
export type { TunnelFlags, TunnelParams } from './tunnel.ts'
export { ecnOut, withinLimit } from './xmit.ts'

function install(image: KernelImage): void {
  const kinds = linkKinds(image)
  for (const kind of KINDS) kinds.set(kind.kind, kind)
  installTunnelRequests(image)
  for (const module of ['ipip', 'ip_gre', 'sit'] as const) {
    moduleLoaders(image).set(module, (host) => loadModule(host, module))
  }
  image.onNetns(beginNetns)
  image.onNetnsEnd(endNetns)
}

export const tunnel: Room = { name: 'kernel/tunnel', needs: [], install }

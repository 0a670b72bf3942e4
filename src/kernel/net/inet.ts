/** IPv4 and its sockets, installed into an image. */
import type { KernelImage } from '#kernel/core'
import { packetTypes } from './devices.ts'
import { ipLinkFailure } from './icmp.ts'
import { ipReceive } from './ip-input.ts'
import { installIpSysctls } from './ip-sysctl.ts'
import { installSocketDiag } from './netlink-diag.ts'
import { installRoutes } from './netlink-route.ts'
import { installRules } from './netlink-rule.ts'
import { installProcInet } from './proc-inet.ts'
import { createInetSocket, createPacketSocket } from './sockets/families.ts'
import { installTcpSysctls, tcpState } from './tcp/index.ts'

/** Installs routing, the IPv4 input path, sockets, and their sysctls and /proc files. */
export function installInet(image: KernelImage): void {
  image.socketFamily('AF_INET', createInetSocket)
  image.socketFamily('AF_PACKET', createPacketSocket)
  installIpSysctls(image)
  installTcpSysctls(image)
  image.onPowerOff((host) => tcpState.peek(host)?.powerOff())
  installRoutes(image)
  installRules(image)
  installSocketDiag(image)
  installProcInet(image)
  const types = packetTypes(image)
  types.ip = ipReceive
  types.linkFailure = ipLinkFailure
}

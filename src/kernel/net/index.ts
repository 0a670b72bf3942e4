/**
 * Network devices, neighbours, routes, sockets: the kernel's net/core and net/ipv4.
 *
 *     const eth0 = createEthernet(host, 'eth0', 0x020000000100)
 *     eth0.attach(cable.a)
 *     setDeviceUp(eth0, true)
 *     insertAddress(makeAddress(eth0, { local: parseIpv4('10.0.0.1')!, prefix: 24 }))
 */
export * from './addresses.ts'
export type { ArpRequest } from './arp-ioctl.ts'
export * from './cable.ts'
export * from './device.ts'
export * from './device-events.ts'
export * from './devices.ts'
export * from './ethtool.ts'
export { inet6Handlers } from './families.ts'
export { defragment } from './fragments.ts'
export * from './hooks.ts'
export * from './inetdev.ts'
export type { InterfaceRequest } from './ioctl.ts'
export { logLimited } from './ip-log.ts'
export { type InetState, inetState, ipTrace } from './ip-state.ts'
export type { DropReason, IpEvent } from './ip-trace.ts'
export { HZ, JIFFY_NS, jiffiesOf, jiffyNs, wheelNs } from './jiffies.ts'
export { type LinkData, type LinkKind, linkKinds, type NewLinkRequest } from './link-kinds.ts'
export * from './neighbour.ts'
export * from './netlink.ts'
export * from './netlink6.ts'
export { deleteNeighbour, getNeighbours, type NeighbourFamily, newNeighbour } from './netlink-neigh.ts'
export { socketDumpers } from './netlink-diag.ts'
export { plainAddress, prepareLink, setFlags, setMtu } from './netlink-link.ts'
export { type NetdevEvent, type NetdevNotifier, netdevNotifiers, notifyNetdev } from './notifiers.ts'
export { ATF_COM, ATF_PERM, ATF_PUBL } from './proc-dev.ts'
export { type Refusal, refuse } from './refusal.ts'
export { installDevices, net } from './room.ts'
export { Route, RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST, routeOutput } from './route.ts'
export { routeMeHarder } from './route-harder.ts'
export type { ExtendedError } from './sockets/inet.ts'
export type { PacketFilter } from './sockets/packet.ts'
export { hasUpper, linkUpper, setMaster, unlinkUpper } from './stacking.ts'
export { moveToNetns, unregisterDevice, unregisterDevices } from './unregister.ts'

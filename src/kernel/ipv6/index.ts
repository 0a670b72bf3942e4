/**
 * IPv6: addresses and neighbours, routes, forwarding, ICMPv6, and sockets of AF_INET6.
 *
 *     image.install(ipv6)
 *     setConf6(host, 'all', 'disableIpv6', 0) // A lab's host has it switched off until it says `ipv6: true`.
 *     packetHooks6(host).add('LOCAL_IN', { name: 'filter', priority: 0, run: () => NF_ACCEPT })
 */
export { selectSource } from './address-select.ts'
export { icmp6Error } from './icmp.ts'
export { link6 } from './inet6dev.ts'
export { ip6LocalOut, ip6Output, neighbour6, OUT6_IGNORE_DF } from './output.ts'
export { protocolHandlers6 } from './protocols.ts'
export { ipv6 } from './room.ts'
export { flow6, Route6, routeFlow6 } from './route.ts'
export { ip6Trace, State6, state6 } from './state.ts'
export { setConf6 } from './sysctl.ts'

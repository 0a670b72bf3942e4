/** TCP over IPv4. Linux 6.1 net/ipv4/tcp_ipv4.c: ipv4_specific; net/ipv4/ip_output.c: __ip_queue_xmit(). */
import { fail, ok } from '#kernel/core'
import { ETH_P_IP, formatIpv4, IP_DF, IPPROTO_TCP, ipv6Bytes, mappedIpv4, Packet } from '#wire/inet'
import { type Flow, flowOf } from '../fib.ts'
import { addressType } from '../fib-lookup.ts'
import { gsoSegmentCount } from '../gso.ts'
import { RT_SCOPE_LINK } from '../inetdev.ts'
import { buildOptions, echoOptions, type OptionPlaces, optionsOf } from '../ip-options.ts'
import { hopLimit, ipLocalOut, OUT_DEVICE_MTU, OUT_IGNORE_DF, selectIdent } from '../ip-output.ts'
import { inetState } from '../ip-state.ts'
import { neighbourConfirm } from '../neighbour.ts'
import { type Route, RTCF_BROADCAST, RTCF_MULTICAST, routeFlow, routeIsValid } from '../route.ts'
import { IP_PMTUDISC_DO, IP_PMTUDISC_OMIT, IP_PMTUDISC_PROBE } from '../sockets/inet.ts'
import type { AddressFamily } from './address-family.ts'
import type { Address, TcpSock } from './sock.ts'

/** What the list of sockets knows of IPv4 options. */
interface SocketIpOptions {
  bytes: Uint8Array
  first: number
  at: OptionPlaces
}

function socketFlow(socket: TcpSock, dst: number, src: number, port: number): Flow {
  const options = socket.ipOptions as SocketIpOptions | undefined
  return flowOf({
    dst: options?.first || dst,
    src,
    oif: socket.boundDevice,
    mark: socket.mark,
    tos: socket.tos,
    protocol: IPPROTO_TCP,
    scope: socket.dontRoute ? RT_SCOPE_LINK : 0,
    srcPort: socket.localPort,
    dstPort: port,
    anySrc: socket.freebind,
  })
}

/** ip_dont_fragment(). */
function dontFragment(socket: TcpSock, route: Route): boolean {
  return socket.pmtuDiscover === IP_PMTUDISC_DO || (socket.pmtuDiscover === 1 && !route.locked)
}

export const ipv4: AddressFamily = {
  name: 'AF_INET',
  headerLength: 20,
  any: 0,
  source: (packet) => packet.src,
  destination: (packet) => packet.dst,
  // An AF_INET6 socket that speaks IPv4 has mapped addresses.
  toSockAddr: (socket, address, port) =>
    socket.domain === 'AF_INET6'
      ? { family: 'AF_INET6', address: ipv6Bytes(mappedIpv4(address as number)), port, scopeId: 0 }
      : { family: 'AF_INET', address: address as number, port },

  fromSockAddr(address) {
    if (address.family === 'AF_UNSPEC') return ok({ address: 0, port: 0 })
    return address.family === 'AF_INET' ? ok({ address: address.address, port: address.port }) : fail('EAFNOSUPPORT')
  },

  mayBind(socket, address) {
    if (address === 0 || socket.freebind || socket.tcp.inet.sysctls.nonlocalBind !== 0) return undefined
    const type = addressType(socket.host, address as number)
    return type === 'local' || type === 'multicast' || type === 'broadcast' ? undefined : 'EADDRNOTAVAIL'
  },

  format: (address) => formatIpv4(address as number),

  connectPath(socket, remote, port) {
    const flow = socketFlow(socket, remote as number, socket.sourceAddress as number, port)
    const route = routeFlow(socket.host, flow)
    if (typeof route === 'string') {
      if (route === 'ENETUNREACH') socket.tcp.inet.count().outNoRoutes++
      return route
    }
    if (route.flags & (RTCF_MULTICAST | RTCF_BROADCAST)) return 'ENETUNREACH'
    if (socket.sourceAddress === 0) socket.sourceAddress = flow.src
    socket.local = socket.sourceAddress
    socket.remote = socket.ipOptions?.first ? remote : flow.dst
    socket.path = route
    return undefined
  },

  path(socket) {
    const known = socket.path as Route | undefined
    if (known !== undefined && routeIsValid(known)) return known
    const flow = socketFlow(socket, socket.remote as number, socket.sourceAddress as number, socket.remotePort)
    const route = routeFlow(socket.host, flow)
    socket.path = typeof route === 'string' ? undefined : route
    return socket.path
  },

  pathIsValid: (path) => routeIsValid(path as Route),
  mtu: (path) => (path as Route).mtu(false),

  advmss(path) {
    const route = path as Route
    const metric = route.info?.metrics?.['advmss'] ?? 0
    if (metric !== 0) return metric
    const { minAdvmss } = stateOf(route).sysctls
    return Math.min(Math.max(route.mtu(false) - 40, minAdvmss), 65535 - 40)
  },

  metric: (path, name) => (path as Route).info?.metrics?.[name] ?? 0,

  confirm(path, remote) {
    const route = path as Route
    neighbourConfirm(route.device, route.nextHopFor(remote as number))
  },

  newPacket(local, remote) {
    const packet = new Packet()
    packet.etherType = ETH_P_IP
    packet.protocol = IPPROTO_TCP
    packet.src = local as number
    packet.dst = remote as number
    return packet
  },

  transmit(socket, packet) {
    const state = socket.tcp.inet
    let route = socket.path as Route | undefined
    if (route === undefined || !routeIsValid(route)) {
      route = ipv4.path(socket) as Route | undefined
      if (route === undefined) {
        state.count().outNoRoutes++
        return 'EHOSTUNREACH'
      }
    }
    packet.tos = socket.tos
    packet.ttl = socket.ttl >= 0 ? socket.ttl : hopLimit(state, route)
    if (dontFragment(socket, route)) packet.fragment = IP_DF
    packet.ipId = socket.ipId
    const segments = gsoSegmentCount(packet)
    socket.ipId = (socket.ipId + segments) & 0xffff
    packet.mark = socket.mark
    packet.priority = socket.priority
    packet.socket = socket
    const options = socket.ipOptions as SocketIpOptions | undefined
    if (options) {
      packet.ipOptions = options.bytes.slice()
      if (options.first) packet.dst = options.first
      buildOptions(packet, packet.ipOptions, options.at, socket.remote as number, route)
    }
    const discover = socket.pmtuDiscover
    let flags = packet.fragment === 0 ? OUT_IGNORE_DF : 0
    if (discover >= IP_PMTUDISC_PROBE && discover !== IP_PMTUDISC_OMIT) flags |= OUT_DEVICE_MTU
    return ipLocalOut(state, packet, route, flags)
  },

  requestPath(listener, request) {
    const flow = flowOf({
      dst: request.remote as number,
      src: request.local as number,
      oif: request.boundDevice,
      mark: request.mark,
      tos: listener.tos,
      protocol: IPPROTO_TCP,
      srcPort: request.localPort,
      dstPort: request.remotePort,
      anySrc: listener.freebind,
    })
    const route = routeFlow(listener.host, flow)
    if (typeof route !== 'string') return route
    listener.tcp.inet.count().outNoRoutes++
    return undefined
  },

  transmitSynAck(listener, request, packet) {
    const route = request.path as Route
    const state = listener.tcp.inet
    packet.tos = request.tos
    packet.ttl = listener.ttl >= 0 ? listener.ttl : hopLimit(state, route)
    if (dontFragment(listener, route)) packet.fragment = IP_DF
    else packet.ipId = selectIdent(state, packet)
    packet.mark = request.mark
    packet.priority = listener.priority
    packet.socket = listener
    ipLocalOut(state, packet, route, 0)
  },

  reply(tcp, { to, segment, tos, mark, boundDevice, reset }) {
    const state = tcp.inet
    if (reset && (to.route as Route).type !== 'local') return false
    const options = to.ipOptions ? optionsOf(to) : undefined
    const echoed = options ? echoOptions(to, options) : undefined
    if (echoed === 'broken') return false
    const flow = flowOf({
      dst: echoed?.first || to.src,
      src: to.dst,
      oif: boundDevice,
      tos: tos & 0x1e,
      protocol: IPPROTO_TCP,
      srcPort: to.dstPort,
      dstPort: to.srcPort,
      mark: state.sysctls.fwmarkReflect ? to.mark : mark,
    })
    const route = routeFlow(state.host, flow)
    if (typeof route === 'string') return false
    segment.tos = tos
    segment.ttl = hopLimit(state, route)
    // The kernel's own TCP socket insists on DF, so that its packets have no identification.
    segment.fragment = IP_DF
    segment.mark = flow.mark
    if (echoed && echoed.bytes.length > 0) {
      if (echoed.first) segment.dst = echoed.first
      segment.ipOptions = echoed.bytes
      echoed.build(segment, route)
    }
    ipLocalOut(state, segment, route, 0)
    return true
  },

  forUnicast: (packet) => ((packet.route as Route).flags & (RTCF_BROADCAST | RTCF_MULTICAST)) === 0,
}

function stateOf(route: Route) {
  return inetState.of(route.device.host)
}

/** For who has an address of unknown kind. */
export function isIpv4(address: Address): address is number {
  return typeof address === 'number'
}

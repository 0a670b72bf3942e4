/**
 * TCP over IPv6: what TCP leaves to the network's protocol. Linux 6.1 net/ipv6/tcp_ipv6.c: ipv6_specific, tcp_v6_rcv(),
 * tcp_v6_err(), tcp_v6_connect(); net/ipv6/ip6_output.c: ip6_xmit().
 */
import { NotModelled } from '#base/check'
import { fail, type Host, OK, type OpenFile, ok, type SockAddr, type SysResult } from '#kernel/core'
import {
  type AddressFamily,
  createTcpSocket,
  ipv4,
  type NetDevice,
  receiveSegment,
  type TcpSock,
  type TcpSocket,
  tcpErrorTo,
  tcpState,
} from '#kernel/net'
import {
  ETH_P_IPV6,
  formatIpv6,
  IN6_ANY,
  IN6_LOOPBACK,
  IPPROTO_TCP,
  type Ipv6Address,
  ipv6Bytes,
  isLinkLocalIpv6,
  isMappedIpv4,
  isMulticastIpv6,
  mappedIpv4,
  Packet,
  readIpv6,
} from '#wire/inet'
import { incoming } from './icmp.ts'
import { errorOf6, type Icmp6ErrorInfo } from './icmp-receive.ts'
import { ip6LocalOut, makeFlowLabel, OUT6_DEVICE_MTU, OUT6_IGNORE_DF } from './output.ts'
import { flow6, type Route6, routeFlow6, routeIsValid6 } from './route.ts'
import { type State6, state6 } from './state.ts'

const TCP_HLEN = 20
const IPV6_HLEN = 40

/** What an AF_INET6 socket has of its own. struct ipv6_pinfo. */
class Pinfo {
  hops = -1
  trafficClass = 0
}

function pinfo(socket: TcpSock): Pinfo {
  socket.family ??= new Pinfo()
  return socket.family as Pinfo
}

function stateOf(socket: { host: Host }): State6 {
  return state6.of(socket.host)
}

function socketFlow(socket: TcpSock, dst: Ipv6Address, port: number) {
  const src = socket.sourceAddress as Ipv6Address
  return flow6({
    dst,
    src: src === IN6_ANY ? undefined : src,
    oif: socket.boundDevice,
    mark: socket.mark,
    tos: pinfo(socket).trafficClass,
    protocol: IPPROTO_TCP,
    srcPort: socket.localPort,
    dstPort: port,
  })
}

export const tcp6: AddressFamily = {
  name: 'AF_INET6',
  headerLength: IPV6_HLEN,
  any: IN6_ANY,
  source: (packet) => packet.src6!,
  destination: (packet) => packet.dst6!,

  toSockAddr(socket, address, port) {
    const six = typeof address === 'number' ? mappedIpv4(address) : address
    return { family: 'AF_INET6', address: ipv6Bytes(six), port, scopeId: isLinkLocalIpv6(six) ? socket.boundDevice : 0 }
  },

  fromSockAddr(address) {
    if (address.family !== 'AF_INET6') return fail('EAFNOSUPPORT')
    return ok({ address: readIpv6(address.address, 0), port: address.port })
  },

  mayBind(socket, address) {
    const six = address as Ipv6Address
    if (six === IN6_ANY) return undefined
    if (isMulticastIpv6(six)) return 'EINVAL'
    if (isLinkLocalIpv6(six) && socket.boundDevice === 0) return 'EINVAL'
    const state = stateOf(socket)
    if (socket.freebind || state.sysctls.ipNonlocalBind !== 0) return undefined
    return state.usable(six) ? undefined : 'EADDRNOTAVAIL'
  },

  format: (address) => (address === IN6_ANY ? '[::]' : `[${formatIpv6(address as Ipv6Address)}]`),

  connectPath(socket, remote, port) {
    const dst = remote === IN6_ANY ? IN6_LOOPBACK : (remote as Ipv6Address)
    if (isMulticastIpv6(dst)) return 'ENETUNREACH'
    if (isLinkLocalIpv6(dst) && socket.boundDevice === 0) return 'EINVAL'
    const flow = socketFlow(socket, dst, port)
    const route = routeFlow6(stateOf(socket), flow)
    if (typeof route === 'string') return route
    if (socket.sourceAddress === IN6_ANY) socket.sourceAddress = flow.src!
    socket.local = socket.sourceAddress
    socket.remote = dst
    socket.path = route
    return undefined
  },

  path(socket) {
    const state = stateOf(socket)
    const known = socket.path as Route6 | undefined
    if (known !== undefined && routeIsValid6(state, known)) return known
    const route = routeFlow6(state, socketFlow(socket, socket.remote as Ipv6Address, socket.remotePort))
    socket.path = typeof route === 'string' ? undefined : route
    return socket.path
  },

  pathIsValid(path) {
    const route = path as Route6
    return routeIsValid6(state6.of(route.device.host), route)
  },

  mtu: (path) => (path as Route6).mtu,

  advmss(path) {
    const route = path as Route6
    const metric = route.fib?.metrics?.['advmss'] ?? 0
    if (metric !== 0) return metric
    const mss = Math.max(route.mtu - IPV6_HLEN - TCP_HLEN, state6.of(route.device.host).sysctls.minAdvMss)
    return mss > 65_515 ? 65_535 : mss
  },

  metric: (path, name) => (path as Route6).fib?.metrics?.[name] ?? 0,

  confirm(path, remote) {
    const route = path as Route6
    const state = state6.of(route.device.host)
    state.nd.find(route.device, route.nextHopFor(remote as Ipv6Address).id)?.confirm()
  },

  newPacket(local, remote) {
    const packet = new Packet()
    packet.etherType = ETH_P_IPV6
    packet.protocol = IPPROTO_TCP
    packet.src6 = local as Ipv6Address
    packet.dst6 = remote as Ipv6Address
    return packet
  },

  transmit(socket, packet) {
    const state = stateOf(socket)
    const route = tcp6.path(socket) as Route6 | undefined
    if (route === undefined) {
      state.counters.countIp('OutNoRoutes')
      return 'EHOSTUNREACH'
    }
    const own = pinfo(socket)
    packet.tos = own.trafficClass | (socket.tos & 3)
    packet.ttl = own.hops >= 0 ? own.hops : route.hopLimit
    packet.mark = socket.mark
    packet.priority = socket.priority
    packet.socket = socket
    packet.flowLabel = makeFlowLabel(state, packet)
    return ip6LocalOut(state, packet, route, socket.pmtuDiscover >= 3 ? OUT6_DEVICE_MTU : OUT6_IGNORE_DF)
  },

  requestPath(listener, request) {
    const remote = request.remote as Ipv6Address
    const route = routeFlow6(
      stateOf(listener),
      flow6({
        dst: remote,
        src: request.local as Ipv6Address,
        oif: request.boundDevice,
        mark: request.mark,
        protocol: IPPROTO_TCP,
        srcPort: request.localPort,
        dstPort: request.remotePort,
      }),
    )
    if (typeof route !== 'string') return route
    stateOf(listener).counters.countIp('OutNoRoutes')
    return undefined
  },

  transmitSynAck(listener, request, packet) {
    const state = stateOf(listener)
    const route = request.path as Route6
    packet.tos = request.tos
    packet.ttl = route.hopLimit
    packet.mark = request.mark
    packet.priority = listener.priority
    packet.socket = listener
    packet.flowLabel = makeFlowLabel(state, packet)
    ip6LocalOut(state, packet, route, OUT6_IGNORE_DF)
  },

  reply(tcp, { to, device, segment, tos, mark, boundDevice, reset }) {
    const state = state6.of(tcp.host)
    const came = to.route as Route6
    if (reset && !came.local) return false
    const remote = to.src6!
    const oif = boundDevice || (isLinkLocalIpv6(remote) ? incoming(to, device).ifindex : 0)
    const flow = flow6({
      dst: remote,
      src: to.dst6,
      oif,
      mark: state.sysctls.fwmarkReflect ? to.mark : mark,
      protocol: IPPROTO_TCP,
      srcPort: to.dstPort,
      dstPort: to.srcPort,
    })
    const route = routeFlow6(state, flow)
    if (typeof route === 'string') return false
    segment.tos = tos
    segment.ttl = route.hopLimit
    segment.mark = flow.mark
    segment.flowLabel = makeFlowLabel(state, segment)
    ip6LocalOut(state, segment, route, OUT6_IGNORE_DF)
    return true
  },

  forUnicast: (packet) => !isMulticastIpv6(packet.dst6!),
}

/** Takes a TCP segment for this host. */
export function tcp6Receive(state: State6, packet: Packet, device: NetDevice): void {
  receiveSegment(tcpState.of(state.host), tcp6, packet, device)
}

/** An ICMPv6 error that quotes a segment. */
export function tcp6Error(state: State6, error: Icmp6ErrorInfo): void {
  const { quoted, type, code } = error
  const tooBig = type === 2
  const found = tcpErrorTo(tcpState.of(state.host), {
    local: quoted.src,
    remote: quoted.dst,
    bytes: quoted.bytes,
    payload: quoted.payload,
    ifindex: incoming(error.packet, error.device).ifindex,
    mtu: tooBig ? Math.max(error.info, 1280) : undefined,
    errno: tooBig ? undefined : errorOf6(type, code)[0],
    // RFC 6069: no route, or nobody there.
    hostGone: type === 1 && (code === 0 || code === 3),
  })
  if (!found) state.counters.countIcmp('InErrors')
}

/** socket(2): a stream of AF_INET6. What it does with mapped addresses IPv4 does for it. */
export function createTcp6Socket(host: Host): OpenFile {
  const file = createTcpSocket(host, tcp6, 'AF_INET6')
  const socket = file.socket as TcpSocket
  const { sock } = socket
  sock.dualStack = state6.of(host).sysctls.bindv6only === 0

  /** An address as the protocol that speaks to it wants it. */
  const speaks = (address: SockAddr): SysResult<SockAddr> => {
    if (address.family === 'AF_UNSPEC') return ok(address)
    if (address.family !== 'AF_INET6') return fail('EAFNOSUPPORT')
    const six = readIpv6(address.address, 0)
    if (isMappedIpv4(six)) {
      if (!sock.dualStack) return fail('ENETUNREACH')
      if (sock.af !== ipv4) {
        sock.af = ipv4
        for (const field of ['local', 'sourceAddress', 'remote'] as const) if (sock[field] === IN6_ANY) sock[field] = 0
      }
      return ok({ family: 'AF_INET', address: six.w3, port: address.port })
    }
    if (sock.af === ipv4) return fail('EINVAL')
    if (isLinkLocalIpv6(six) && address.scopeId !== 0) {
      if (sock.boundDevice !== 0 && sock.boundDevice !== address.scopeId) return fail('EINVAL')
      sock.boundDevice = address.scopeId
    }
    return ok(address)
  }
  const plain = {
    bind: socket.bind.bind(socket),
    connect: socket.connect.bind(socket),
    setOption: socket.setOption.bind(socket),
    getOption: socket.getOption.bind(socket),
  }
  socket.bind = (address) => {
    const spoken = speaks(address)
    return spoken.ok ? plain.bind(spoken.value) : spoken
  }
  socket.connect = (address) => {
    const spoken = speaks(address)
    return spoken.ok ? plain.connect(spoken.value) : spoken
  }
  socket.setOption = (level, name, value) => {
    if (level !== 'SOL_IPV6' && level !== 'IPPROTO_IPV6') return plain.setOption(level, name, value)
    const own = pinfo(sock)
    if (name === 'IPV6_V6ONLY') {
      if (sock.localPort !== 0) return fail('EINVAL')
      sock.dualStack = !value
    } else if (name === 'IPV6_UNICAST_HOPS') own.hops = Number(value)
    else if (name === 'IPV6_TCLASS') own.trafficClass = Math.max(0, Number(value))
    else if (name === 'IPV6_MTU_DISCOVER') sock.pmtuDiscover = Number(value)
    else if (name === 'IPV6_RECVERR') sock.receiveErrors = Boolean(value)
    else if (name !== 'IPV6_MULTICAST_HOPS') throw new NotModelled(`setsockopt(${level}, ${name}) of a TCP socket`)
    return OK
  }
  socket.getOption = (level, name) => {
    if (level !== 'SOL_IPV6' && level !== 'IPPROTO_IPV6') return plain.getOption(level, name)
    const own = pinfo(sock)
    if (name === 'IPV6_V6ONLY') return ok(sock.dualStack ? 0 : 1)
    if (name === 'IPV6_UNICAST_HOPS') return ok(own.hops < 0 ? state6.of(host).confAll.hopLimit : own.hops)
    if (name === 'IPV6_TCLASS') return ok(own.trafficClass)
    if (name === 'IPV6_MTU') {
      const path = sock.af.path(sock)
      return path ? ok(sock.af.mtu(path)) : fail('ENOTCONN')
    }
    throw new NotModelled(`getsockopt(${level}, ${name}) of a TCP socket`)
  }
  return file
}

/**
 * A VXLAN device: Ethernet frames in UDP, to whoever the forwarding database says.
 *
 * RFC 7348. Linux 6.1 drivers/net/vxlan/vxlan_core.c: vxlan_xmit(), vxlan_xmit_one(), vxlan_rcv(), vxlan_open(), vxlan_stop().
 */
import { defineState, type Host } from '#kernel/core'
import {
  type Driver,
  deviceByIndex,
  ETHERNET,
  flowOf,
  hopLimit,
  inetState,
  ipLocalOut,
  type Looks,
  type NetDevice,
  NTF_SELF,
  neighbourLookup,
  newIpPacket,
  type Refusal,
  type Route,
  RTCF_LOCAL,
  refuse,
  routeFlow,
  scrubPacket,
  selectIdent,
  UdpSocket,
  updatePmtu,
} from '#kernel/net'
import { ecnIn, ecnOut, withinLimit } from '#kernel/tunnel'
import {
  ETH_P_ARP,
  ETH_P_IP,
  emitFrame,
  emitIp,
  formatIpv4,
  IP_DF,
  IPPROTO_UDP,
  ipLength,
  Packet,
  parseFrame,
  RAW_NONE,
} from '#wire/inet'
import type { VxlanConfig } from './config.ts'
import { Fdb, type Remote } from './fdb.ts'
import { flowSourcePort } from './flow-port.ts'

/** IP, UDP, VXLAN and Ethernet headers. VXLAN_HEADROOM. */
export const HEADROOM = 20 + 8 + 8 + 14
const HEADER_LENGTH = 8
/** The flag that says that there is a number. */
const VNI_FLAG = 0x08
const NUD_VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80
const ARPOP_REQUEST = 1
const ARPOP_REPLY = 2

export const VXLAN: Looks = {
  ...ETHERNET,
  qdisc: 'noqueue',
  mtu: 1500,
  minMtu: 68,
  maxMtu: 65535,
  driver: 'vxlan',
}

export class Vxlan {
  readonly device: NetDevice
  /** The namespace whose network carries it. */
  readonly home: Host
  config: VxlanConfig
  readonly fdb: Fdb
  socket: VxlanSocket | undefined = undefined

  constructor(device: NetDevice, home: Host, config: VxlanConfig) {
    this.device = device
    this.home = home
    this.config = config
    this.fdb = new Fdb(device, () => ({
      port: this.config.port,
      vni: this.config.id,
      ageing: this.config.ageing,
      maxAddresses: this.config.maxAddresses,
    }))
    if (config.remote !== 0) this.fdb.create(0, this.defaultRemote(), 'PERMANENT', NTF_SELF)
  }

  defaultRemote(): Remote {
    const { remote, port, id, link } = this.config
    return { ip: remote, port, vni: id, ifindex: link }
  }
}

/** A namespace's sockets, by port, and who listens: devices share the socket of their port. */
class VxlanSocket {
  readonly socket: UdpSocket
  readonly devices = new Set<Vxlan>()

  constructor(home: Host, port: number) {
    this.socket = new UdpSocket(home, IPPROTO_UDP)
    this.socket.encapsulated = (packet) => {
      receive(this, packet)
      return true
    }
    this.socket.bind({ family: 'AF_INET', address: 0, port })
  }
}

const sockets = defineState(() => new Map<number, VxlanSocket>())
/** All devices that a namespace carries. */
export const vxlans = defineState(() => new Set<Vxlan>())

function join(vxlan: Vxlan, on: boolean): void {
  const { remote, link } = vxlan.config
  if (remote >>> 28 !== 0xe) return
  const { socket } = vxlan
  if (socket === undefined) return
  const others = [...vxlans.of(vxlan.home)].some(
    (other) => other !== vxlan && other.device.up && other.config.remote === remote && other.config.link === link,
  )
  const request = { group: remote, ifindex: link }
  if (on) socket.socket.setOption('IPPROTO_IP', 'IP_ADD_MEMBERSHIP', request)
  else if (!others) socket.socket.setOption('IPPROTO_IP', 'IP_DROP_MEMBERSHIP', request)
}

export const driver: Driver = {
  xmit(packet, device) {
    withinLimit(device, () => xmit(device.priv as Vxlan, packet))
  },
  open(device) {
    const vxlan = device.priv as Vxlan
    const all = sockets.of(vxlan.home)
    let shared = all.get(vxlan.config.port)
    if (shared === undefined) {
      shared = new VxlanSocket(vxlan.home, vxlan.config.port)
      if (shared.socket.number !== vxlan.config.port) {
        shared.socket.release()
        return refuse('EADDRINUSE')
      }
      all.set(vxlan.config.port, shared)
    }
    shared.devices.add(vxlan)
    vxlan.socket = shared
    join(vxlan, true)
    return undefined
  },
  stop(device) {
    const vxlan = device.priv as Vxlan
    join(vxlan, false)
    vxlan.fdb.flush(false)
    const { socket } = vxlan
    if (socket === undefined) return
    vxlan.socket = undefined
    socket.devices.delete(vxlan)
    if (socket.devices.size > 0) return
    socket.socket.release()
    sockets.of(vxlan.home).delete(vxlan.config.port)
  },
  changeMtu(device, mtu) {
    const vxlan = device.priv as Vxlan
    const below = vxlan.config.link === 0 ? undefined : deviceByIndex(vxlan.home, vxlan.config.link)
    return below !== undefined && mtu > below.mtu - HEADROOM ? refuse('EINVAL') : undefined
  },
  uninit(device) {
    const vxlan = device.priv as Vxlan
    vxlan.fdb.flush(true)
    vxlans.of(vxlan.home).delete(vxlan)
  },
  fdbAdd: (request, device): Refusal | undefined => (device.priv as Vxlan).fdb.add(request),
  fdbDelete: (request, device): Refusal | undefined => (device.priv as Vxlan).fdb.remove(request),
  fdbDump(device) {
    const { fdb, home } = device.priv as Vxlan
    const entries = fdb.dump()
    if (home !== device.host) for (const entry of entries) entry.linkNetnsId = device.net.netnsId(home)
    return entries
  },
}

function xmit(vxlan: Vxlan, packet: Packet): void {
  const { device, config, fdb } = vxlan
  if (config.proxy && packet.etherType === ETH_P_ARP) {
    answerArp(vxlan, packet)
    return
  }
  const entry = fdb.find(packet.macDst) ?? fdb.find(0)
  if (entry === undefined) {
    device.stats.txDropped++
    return
  }
  const [first, ...others] = entry.remotes
  for (const remote of others) {
    const copy = packet.clone()
    copy.route = packet.route
    copy.socket = packet.socket
    send(vxlan, copy, remote)
  }
  send(vxlan, packet, first!)
}

/** vxlan_xmit_one(). */
function send(vxlan: Vxlan, packet: Packet, remote: Remote): void {
  const { device, config, home } = vxlan
  const { stats } = device
  if (remote.ip === 0) {
    stats.txDropped++
    return
  }
  const isIp = packet.etherType === ETH_P_IP
  const isIpLike = isIp || packet.src6 !== undefined
  const multicast = remote.ip >>> 28 === 0xe
  let ttl = config.ttl === -1 ? (isIpLike ? packet.ttl : 0) : config.ttl
  if (config.ttl !== -1 && ttl === 0 && multicast) ttl = 1
  const innerTos = isIpLike ? packet.tos : 0
  const tos = config.tos === 1 ? innerTos : config.tos
  const sourcePort = flowSourcePort(home, packet, config.sourceLow, config.sourceHigh)
  const flow = flowOf({
    dst: remote.ip,
    src: config.local,
    oif: remote.ifindex,
    tos: tos & 0x1c,
    mark: packet.mark,
    protocol: IPPROTO_UDP,
    srcPort: sourcePort,
    dstPort: remote.port,
  })
  const route = routeFlow(home, flow)
  if (typeof route === 'string' || route.device === device) {
    if (typeof route === 'string') stats.txCarrier++
    else stats.collisions++
    stats.txErrors++
    return
  }
  if (route.flags & RTCF_LOCAL && !multicast) {
    bypass(vxlan, packet, remote)
    return
  }
  const mtu = route.mtu(false) - HEADROOM
  minding(packet, route, device)
  // What came over a bridge has no route that could learn: its sender is told, in the target's name.
  if (packet.etherType === ETH_P_IP && device.master !== undefined && ipLength(packet) > mtu) {
    const told = tooBig(packet, mtu)
    if (told !== undefined) {
      bounce(vxlan, told)
      return
    }
  }
  const inner = emitFrame(packet)
  const bytes = new Uint8Array(HEADER_LENGTH + inner.length)
  bytes[0] = VNI_FLAG
  new DataView(bytes.buffer).setUint32(4, remote.vni * 256)
  bytes.set(inner, HEADER_LENGTH)
  const state = inetState.of(home)
  const outer = newIpPacket(flow.src, remote.ip, IPPROTO_UDP, ecnOut(tos, innerTos), ttl || hopLimit(state, route))
  outer.srcPort = sourcePort
  outer.dstPort = remote.port
  outer.checksum = config.udpChecksum ? -1 : 0
  outer.buffer = bytes
  outer.length = bytes.length
  outer.mark = packet.mark
  outer.priority = packet.priority
  inetState.of(device.host).tell?.({
    kind: 'vxlan',
    packet,
    text: `${device.name}: wrapped for ${formatIpv4(remote.ip)}, network ${remote.vni}`,
  })
  const df = config.df === 'set' || (config.df === 'inherit' && isIp && (packet.fragment & IP_DF) !== 0)
  outer.fragment = df && !route.locked ? IP_DF : 0
  outer.ipId = selectIdent(state, outer)
  scrubPacket(outer, home !== device.host)
  if (ipLocalOut(state, outer, route, 0) === undefined) device.countTx(inner.length - 14)
  else stats.txDropped++
}

/** The sender's own route learns how much fits. skb_tunnel_check_pmtu(). */
function minding(packet: Packet, route: Route, device: NetDevice): void {
  const own = packet.route as Route | undefined
  if (packet.etherType !== ETH_P_IP || own === undefined || packet.gsoSize > 0) return
  const mtu = route.mtu(false) - HEADROOM
  if (ipLength(packet) <= mtu) return
  const { dst, src, tos, protocol } = packet
  updatePmtu(device.host, own, flowOf({ dst, src, tos: tos & 0x1c, protocol, oif: device.ifindex }), mtu)
}

/** ICMP types that are errors. */
const ICMP_ERRORS = new Set([3, 4, 5, 11, 12])
const QUOTED_MAX = 576 - 28

/** "Fragmentation needed" from whom it was meant for. iptunnel_pmtud_check_icmp(), iptunnel_pmtud_build_icmp(). */
function tooBig(packet: Packet, mtu: number): Packet | undefined {
  if (mtu < 576 || packet.fragment !== IP_DF || packet.gsoSize > 0) return undefined
  const { src, dst } = packet
  const odd = (address: number) =>
    address === 0xffffffff || address >>> 28 === 0xe || address >>> 24 === 0 || address >>> 24 === 127
  if (odd(src) || odd(dst)) return undefined
  if (packet.protocol === 1 && packet.raw === RAW_NONE && ICMP_ERRORS.has(packet.icmpType)) return undefined
  const reply = newIpPacket(dst, src, 1, 0xc0, 64)
  reply.macSrc = packet.macDst
  reply.macDst = packet.macSrc
  reply.icmpType = 3
  reply.icmpCode = 4
  reply.icmpRest = mtu
  const quoted = emitIp(packet).slice(0, QUOTED_MAX)
  reply.buffer = quoted
  reply.length = quoted.length
  return reply
}

/** Back up the way that the packet came, as if the tunnel had received it. vxlan_encap_bypass(). */
function bounce(vxlan: Vxlan, reply: Packet): void {
  const { device } = vxlan
  const length = ipLength(reply)
  device.countTx(length)
  if (vxlan.config.learning) vxlan.fdb.learn(reply.macSrc, 0x7f000001)
  device.countRx(length)
  device.setPacketType(reply)
  device.net.softnet.enqueue(device, reply)
}

/** The other end is this very host: encap_bypass_if_local(). */
function bypass(vxlan: Vxlan, packet: Packet, remote: Remote): void {
  const to = [...vxlans.of(vxlan.home)].find(({ config }) => config.id === remote.vni && config.port === remote.port)
  if (to === undefined) {
    vxlan.device.stats.txErrors++
    return
  }
  const length = ipLength(packet)
  vxlan.device.countTx(length)
  if (to.config.learning) to.fdb.learn(packet.macSrc, 0x7f000001)
  to.device.countRx(length)
  scrubPacket(packet, to.device.host !== vxlan.device.host)
  to.device.setPacketType(packet)
  to.device.net.softnet.enqueue(to.device, packet)
}

/** ARP is answered out of the host's own table. arp_reduce(). */
function answerArp(vxlan: Vxlan, packet: Packet): void {
  const { device } = vxlan
  if (packet.arpOp !== ARPOP_REQUEST || packet.arpTpa === 0) return
  const known = neighbourLookup(device, packet.arpTpa)
  if (known === undefined || (known.state & NUD_VALID) === 0) return
  const entry = vxlan.fdb.find(known.address)
  if (entry !== undefined && entry.remotes[0]!.ip === 0) return // On the bridge beside it: it answers itself.
  const reply = new Packet()
  reply.etherType = ETH_P_ARP
  reply.macSrc = known.address
  reply.macDst = packet.arpSha
  reply.arpOp = ARPOP_REPLY
  reply.arpSha = known.address
  reply.arpSpa = packet.arpTpa
  reply.arpTha = packet.arpSha
  reply.arpTpa = packet.arpSpa
  device.setPacketType(reply)
  device.net.softnet.enqueue(device, reply)
}

/** vxlan_rcv(). */
function receive(socket: VxlanSocket, packet: Packet): void {
  const { buffer, offset, length } = packet
  if (length < HEADER_LENGTH + 14) return
  const view = new DataView(buffer.buffer, buffer.byteOffset + offset, length)
  const reserved = (view.getUint32(0) & ~(VNI_FLAG * 2 ** 24)) !== 0 || view.getUint8(7) !== 0
  if ((view.getUint8(0) & VNI_FLAG) === 0) return
  const vni = view.getUint32(4) >>> 8
  const vxlan = [...socket.devices].find(({ config }) => config.id === vni)
  if (vxlan === undefined || reserved) return
  const { device, config } = vxlan
  const inner = parseFrame(buffer.slice(offset + HEADER_LENGTH, offset + length))
  // Loops, and the echo of one's own multicast.
  if (inner.macSrc === device.address) return
  if (config.learning && vxlan.fdb.learn(inner.macSrc, packet.src)) return
  if (!ecnIn(packet, inner, device)) {
    device.stats.rxFrame = (device.stats.rxFrame ?? 0) + 1
    device.stats.rxErrors++
    return
  }
  if (!device.up) {
    device.stats.rxDropped++
    return
  }
  device.countRx(length - HEADER_LENGTH - 14)
  inetState.of(vxlan.home).tell?.({ kind: 'vxlan', packet, text: `unwrapped, for ${device.name}` })
  scrubPacket(inner, vxlan.home !== device.host)
  device.setPacketType(inner)
  device.net.softnet.enqueue(device, inner)
}

/**
 * ARP: what is asked, what is answered, and what is learned from others' packets.
 *
 * RFC 826; RFC 5227 for probes and announcements; RFC 3069 for private VLANs. The order of the questions is Linux's:
 * Linux 6.1 net/ipv4/arp.c: arp_rcv(), arp_process(), arp_solicit(), arp_constructor().
 */
import { ETH_P_ARP, Packet, RAW_ETHERNET_PAYLOAD, RAW_NONE } from '#wire/inet'
import { ARPOP_REPLY, ARPOP_REQUEST, readMac } from '#wire/link'
import { confirmAddress, isOnLink, selectAddress } from './addresses.ts'
import { IFF_LOOPBACK, IFF_NOARP, IFF_POINTOPOINT, type NetDevice, PACKET_HOST, PACKET_OTHERHOST } from './device.ts'
import { flowOf } from './fib.ts'
import { addressType } from './fib-lookup.ts'
import { type HookName, NF_ACCEPT, type PacketHook, peekHooksArp, runHooks } from './hooks.ts'
import { type InetDevice, RT_SCOPE_HOST, RT_SCOPE_LINK } from './inetdev.ts'
import { inetState } from './ip-state.ts'
import {
  type Neighbour,
  type NeighbourProtocol,
  NUD_NOARP,
  NUD_REACHABLE,
  NUD_STALE,
  NUD_VALID,
  neighbourFor,
  neighbourLookup,
  UPDATE_OVERRIDE,
} from './neighbour.ts'
import { type Route, routeInput, routeOutput } from './route.ts'

/** Hardware type 6, IPv4, and the lengths of their addresses. */
const HEADER_802 = [0, 6, 8, 0, 6, 4]

export function isMulticast(address: number): boolean {
  return address >>> 28 === 0xe
}

function isLoopback(address: number): boolean {
  return address >>> 24 === 127
}

/** The Ethernet address of an IPv4 multicast group: 01:00:5e and the low 23 bits. RFC 1112 section 6.4. */
export function multicastMac(group: number): number {
  return 0x01005e000000 + (group & 0x7fffff)
}

/** Sends an ARP packet; a broadcast, unless to somebody. Linux: arp_send_dst(), arp_create(). */
export function arpSend(
  device: NetDevice,
  op: number,
  senderIp: number,
  targetIp: number,
  to: number | undefined,
  targetMac: number,
): void {
  if (device.flags & IFF_NOARP) return
  const packet = new Packet()
  packet.etherType = ETH_P_ARP
  packet.macSrc = device.address
  packet.macDst = to ?? device.broadcast
  packet.arpOp = op
  packet.arpSha = device.address
  packet.arpSpa = senderIp
  packet.arpTha = targetMac
  packet.arpTpa = targetIp
  // Linux: arp_xmit().
  const hooks = peekHooksArp(device.host)?.localOut
  if (hooks?.length && !passesHooks(hooks, 'LOCAL_OUT', packet, undefined, device)) return
  device.transmit(packet)
}

function passesHooks(
  hooks: readonly PacketHook[],
  hook: HookName,
  packet: Packet,
  from: NetDevice | undefined,
  to: NetDevice | undefined,
): boolean {
  const { host } = (from ?? to)!
  return runHooks(host, hooks, hook, packet, from, to, inetState.of(host).tell) === NF_ACCEPT
}

/** Announces an address to everybody: an ARP request for oneself. */
export function announce(device: NetDevice, address: number): void {
  arpSend(device, ARPOP_REQUEST, address, address, undefined, 0)
}

export const arpProtocol: NeighbourProtocol = {
  linkOf: (device) => device.inet,

  construct(neighbour) {
    const { device, key } = neighbour
    neighbour.type = addressType(device.host, key)
    if (neighbour.type === 'multicast') {
      neighbour.state = NUD_NOARP
      neighbour.address = device.kind === 'loopback' ? device.broadcast : multicastMac(key)
    } else if (device.flags & (IFF_NOARP | IFF_LOOPBACK)) {
      neighbour.state = NUD_NOARP
      neighbour.address = device.address
    } else if (neighbour.type === 'broadcast' || device.flags & IFF_POINTOPOINT) {
      neighbour.state = NUD_NOARP
      neighbour.address = device.broadcast
    }
  },

  solicit(neighbour, packet) {
    const { device, key: target } = neighbour
    const { inet } = device
    const from = announcedAddress(inet, target, packet) || selectAddress(device, target, RT_SCOPE_LINK)
    const probes = neighbour.probes - inet.parms.ucastProbes
    // Those who know an address are asked themselves first; then a daemon would be, if there were one; then everybody.
    if (probes < 0) arpSend(device, ARPOP_REQUEST, from, target, neighbour.address, 0)
    else if (probes >= inet.parms.appProbes) arpSend(device, ARPOP_REQUEST, from, target, undefined, 0)
  },

  errorReport(neighbour, packet) {
    neighbour.table.net.packetTypes.linkFailure(packet, neighbour.device)
  },

  isMulticast,

  proxyRedo(packet, device) {
    arpProcess(packet, device, true)
  },
}

/** The packet's own source, if arp_announce lets it be told; else 0. */
function announcedAddress(inet: InetDevice, target: number, packet: Packet | undefined): number {
  if (packet === undefined) return 0
  const { device } = inet
  const level = inet.arpAnnounce
  if (level === 2) return 0
  if (addressType(device.host, packet.src) !== 'local') return 0
  if (level === 1 && !isOnLink(inet, target, packet.src)) return 0
  return packet.src
}

/** Whether arp_ignore forbids an answer. Linux: arp_ignore(). */
function ignores(inet: InetDevice, sender: number, target: number): boolean {
  const { host } = inet.device
  switch (inet.arpIgnore) {
    case 1:
      return confirmAddress(host, inet, 0, target, RT_SCOPE_HOST) === 0
    case 2:
      return confirmAddress(host, inet, sender, target, RT_SCOPE_HOST) === 0
    case 3:
      return confirmAddress(host, undefined, 0, target, RT_SCOPE_LINK) === 0
    case 8:
      return true
    default:
      return false
  }
}

/** Whether arp_accept lets unsolicited packets of a sender make entries. Linux: arp_accept(). */
function accepts(inet: InetDevice, sender: number): boolean {
  const level = inet.arpAccept
  if (level === 2) return confirmAddress(inet.device.host, inet, sender, 0, RT_SCOPE_LINK) !== 0
  return level === 1
}

/** Whether arp_filter forbids an answer: the way back to the sender isn't by this device. Linux: arp_filter(). */
function filters(device: NetDevice, sender: number, target: number): boolean {
  const back = routeOutput(device.host, flowOf({ dst: sender, src: target }))
  if (typeof back === 'string') return true
  if (back.route.device === device) return false
  inetState.of(device.host).count().arpFilter++
  return true
}

/** Whether proxy_arp answers for what lies behind another device. Linux: arp_fwd_proxy(). */
function proxies(inet: InetDevice, route: Route): boolean {
  if (route.device === inet.device || !inet.proxyArp) return false
  const medium = inet.conf.mediumId
  if (medium === 0) return true
  if (medium === -1) return false
  const other = route.device.inet.conf.mediumId
  return other !== medium && other !== -1
}

/** Whether proxy_arp_pvlan answers for others on the same link. Linux: arp_fwd_pvlan(). */
function proxiesPrivately(inet: InetDevice, route: Route, sender: number, target: number): boolean {
  return route.device === inet.device && sender !== target && inet.proxyArpPvlan
}

/** An ARP packet has come in. Linux: arp_rcv(). */
export function arpReceive(packet: Packet, device: NetDevice): void {
  if (device.flags & IFF_NOARP || packet.packetType === PACKET_OTHERHOST) return
  const understood = packet.raw === RAW_NONE ? packet : overIeee802(packet)
  if (understood === undefined) return
  const hooks = peekHooksArp(device.host)?.localIn
  if (hooks?.length && !passesHooks(hooks, 'LOCAL_IN', understood, device, undefined)) return
  arpProcess(understood, device, false)
}

/** Hardware of type 6, IEEE 802, is taken for Ethernet; whatever else isn't in fields is none of ours, or cut short. */
function overIeee802(packet: Packet): Packet | undefined {
  const { buffer, offset, length } = packet
  if (packet.raw !== RAW_ETHERNET_PAYLOAD || length < 28 || HEADER_802.some((byte, i) => buffer[offset + i] !== byte)) {
    return undefined
  }
  const view = new DataView(buffer.buffer, buffer.byteOffset + offset, length)
  const understood = packet.clone()
  understood.raw = RAW_NONE
  understood.arpOp = view.getUint16(6)
  understood.arpSha = readMac(buffer, offset + 8)
  understood.arpSpa = view.getUint32(14)
  understood.arpTha = readMac(buffer, offset + 18)
  understood.arpTpa = view.getUint32(24)
  return understood
}

/** @param waited it has been in the proxy queue */
function arpProcess(packet: Packet, device: NetDevice, waited: boolean): void {
  const { inet, host } = device
  const { arpOp: op, arpSha: sha, arpSpa: sender, arpTpa: target } = packet
  if (op !== ARPOP_REPLY && op !== ARPOP_REQUEST) return
  if (isMulticast(target) || (isLoopback(target) && !inet.routeLocalnet)) return
  if (sender === target && inet.dropGratuitousArp) return

  if (sender === 0) {
    // Somebody asks whether the address is free. RFC 5227 section 2.1.1.
    if (op === ARPOP_REQUEST && addressType(host, target) === 'local' && !ignores(inet, sender, target)) {
      arpSend(device, ARPOP_REPLY, target, sender, sha, sha)
    }
    return
  }

  if (op === ARPOP_REQUEST) {
    const found = routeInput(device, target, sender, 0, packet.mark, packet, true)
    // No route, a martian, or one that the reverse path filter doesn't let pass: nothing to answer.
    const route = typeof found === 'string' ? undefined : found
    if (route?.type === 'local') {
      if (ignores(inet, sender, target) || (inet.arpFilter && filters(device, sender, target))) return
      // Who asks will soon be talked to.
      if (hear(device, sender, sha)) arpSend(device, ARPOP_REPLY, target, sender, sha, sha)
      return
    }
    if (route?.type === 'unicast' && inet.forwarding && answersFor(inet, route, sender, target)) {
      hear(device, sender, sha)
      if (waited || packet.packetType === PACKET_HOST || inet.parms.proxyDelay === 0) {
        arpSend(device, ARPOP_REPLY, target, sender, sha, sha)
      } else device.net.neighbours.proxies.enqueue(packet, device)
      return
    }
  }
  learn(packet, device)
}

function answersFor(inet: InetDevice, route: Route, sender: number, target: number): boolean {
  return (
    proxies(inet, route) ||
    proxiesPrivately(inet, route, sender, target) ||
    (route.device !== inet.device && inet.device.net.neighbours.peekProxies?.lookup(target, inet.device) !== undefined)
  )
}

/** Remembers who asked, as somebody whose address isn't confirmed. Linux: neigh_event_ns(). */
function hear(device: NetDevice, sender: number, sha: number): Neighbour | undefined {
  device.net.neighbours.countLookup(neighbourLookup(device, sender))
  const neighbour = neighbourFor(device, sender)
  neighbour?.update(sha, NUD_STALE, UPDATE_OVERRIDE)
  return neighbour
}

/** Updates what is known already of the sender; makes it known if arp_accept says so. */
function learn(packet: Packet, device: NetDevice): void {
  const { inet, host } = device
  const { arpOp: op, arpSha: sha, arpSpa: sender, arpTpa: target, arpTha: tha } = packet
  const accept = accepts(inet, sender)
  let neighbour = neighbourLookup(device, sender)
  device.net.neighbours.countLookup(neighbour)
  if (neighbour === undefined && !accept) return
  const unicast = () => addressType(host, sender) === 'unicast'
  // A gratuitous reply names its sender twice over.
  const gratuitous = sender === target && (op === ARPOP_REQUEST || tha === sha) && unicast()
  if (neighbour === undefined) {
    if (!gratuitous && !(op === ARPOP_REPLY && unicast())) return
    neighbour = neighbourFor(device, sender)
    if (neighbour === undefined) return
  }
  // Of several answers in a row the first counts: it comes from the nearest. A gratuitous one always does.
  const override = gratuitous || neighbour.table.jiffies > neighbour.updated + inet.parms.locktime
  const confirmed = op === ARPOP_REPLY && packet.packetType === PACKET_HOST
  neighbour.update(sha, confirmed ? NUD_REACHABLE : NUD_STALE, override ? UPDATE_OVERRIDE : 0)
}

/** Takes an entry out, whatever its state. Linux: arp_invalidate(). */
export function arpInvalidate(device: NetDevice, address: number, force: boolean): 'ENXIO' | 'EPERM' | undefined {
  const neighbour = neighbourLookup(device, address)
  if (neighbour === undefined) return 'ENXIO'
  if (neighbour.state & NUD_VALID && !force) return undefined
  return neighbour.invalidate()
}

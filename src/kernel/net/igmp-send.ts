/** IGMP's messages as a host sends them. Linux 6.1 net/ipv4/igmp.c: igmpv3_newpack(), igmp_send_report(). */
import { IP_DF, type Packet, RAW_IP_PAYLOAD } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { flowOf } from './fib.ts'
import { IPV4_MIN_MTU } from './inetdev.ts'
import { ipLocalOut, newIpPacket } from './ip-output.ts'
import { inetState } from './ip-state.ts'
import { type Route, routeFlow } from './route.ts'

export const IPPROTO_IGMP = 2
const ALL_ROUTERS = 0xe0000002
/** All routers that speak version 3. */
const ALL_V3_ROUTERS = 0xe0000016
const LEAVE = 0x17
const V3_REPORT = 0x22
/** TC_PRIO_CONTROL. */
const CONTROL = 7
/** Internetwork control, as precedence. */
const TOS = 0xc0
/** The option that makes routers look at it. RFC 2113. */
const ROUTER_ALERT = Uint8Array.of(0x94, 4, 0, 0)
/** A record of a version 3 report without sources. */
const RECORD = 8

/** RFC 1071 over a message of an even length. */
export function messageSum(bytes: Uint8Array): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += bytes[at]! * 256 + (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function send(device: NetDevice, dst: number, bytes: Uint8Array, ownSourceOnly: boolean): void {
  const { host } = device
  const flow = flowOf({ dst, oif: device.ifindex, protocol: IPPROTO_IGMP })
  const route: Route | string = routeFlow(host, flow)
  if (typeof route === 'string') return
  // A version 3 report rather says that it has no address than one of another device. RFC 3376 section 4.2.13.
  const own = !ownSourceOnly || device.inet.addresses.some((each) => each.local === flow.src)
  const packet: Packet = newIpPacket(own ? flow.src : 0, dst, IPPROTO_IGMP, TOS, 1)
  packet.fragment = IP_DF
  packet.ipOptions = ROUTER_ALERT.slice()
  packet.priority = CONTROL
  new DataView(bytes.buffer).setUint16(2, messageSum(bytes))
  packet.raw = RAW_IP_PAYLOAD
  packet.buffer = bytes
  packet.offset = 0
  packet.length = bytes.length
  ipLocalOut(inetState.of(host), packet, route, 0)
}

/** A report of version 1 or 2, or that a group was left. */
export function sendReport(device: NetDevice, type: number, group: number): void {
  const bytes = new Uint8Array(8)
  bytes[0] = type
  new DataView(bytes.buffer).setUint32(4, group)
  send(device, type === LEAVE ? ALL_ROUTERS : group, bytes, false)
}

/** A report of version 3, or several if it doesn't fit. */
export function sendV3(device: NetDevice, records: [type: number, group: number][]): void {
  if (device.mtu < IPV4_MIN_MTU) return
  const each = Math.floor((device.mtu - 32) / RECORD)
  for (let at = 0; at < records.length; at += each) {
    const some = records.slice(at, at + each)
    const bytes = new Uint8Array(8 + RECORD * some.length)
    const view = new DataView(bytes.buffer)
    bytes[0] = V3_REPORT
    view.setUint16(6, some.length)
    some.forEach(([type, group], i) => {
      bytes[8 + RECORD * i] = type
      view.setUint32(12 + RECORD * i, group)
    })
    send(device, ALL_V3_ROUTERS, bytes, true)
  }
}

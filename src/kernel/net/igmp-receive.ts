/** What routers ask of a host, and what other hosts tell them. Linux 6.1 net/ipv4/igmp.c: igmp_rcv(), igmp_heard_query(). */
import { type Packet, RAW_IP_PAYLOAD } from '#wire/inet'
import { type NetDevice, PACKET_BROADCAST, PACKET_MULTICAST } from './device.ts'
import { IGMP_QUERY, IGMP_V1_REPORT, IGMP_V2_REPORT, type IgmpLink } from './igmp.ts'
import { messageSum } from './igmp-send.ts'
import { type InetState, inetState } from './ip-state.ts'
import { drop } from './ip-trace.ts'
import { HZ } from './jiffies.ts'
import type { Route } from './route.ts'

/** Times in messages are tenths of a second. */
const TENTH = HZ / 10
const V1_RESPONSE = 10 * HZ
const DEFAULT_QUERY_INTERVAL = 125 * HZ

/** A number of eight bits that may be a mantissa and an exponent. RFC 3376 section 4.1.1. */
function expanded(code: number): number {
  return code < 0x80 ? code : ((code & 15) | 16) << (((code >> 4) & 7) + 3)
}

/** Takes an IGMP message. Where nobody has joined anything there is nothing to tell. */
export function igmpReceive(state: InetState, packet: Packet, device: NetDevice): void {
  const bytes = packet.buffer.subarray(packet.offset, packet.offset + packet.length)
  if (packet.raw !== RAW_IP_PAYLOAD || bytes.length < 8 || messageSum(bytes) !== 0) {
    drop(state, packet, 'NOT_SPECIFIED')
    return
  }
  const { igmp } = device.inet
  if (igmp === undefined) return
  const type = bytes[0]!
  if (type === IGMP_QUERY) heardQuery(igmp, bytes)
  else if (type === IGMP_V1_REPORT || type === IGMP_V2_REPORT) {
    const own = !(packet.route as Route).input // Looped back.
    const toGroup = packet.packetType === PACKET_MULTICAST || packet.packetType === PACKET_BROADCAST
    if (own || !toGroup) return
    const group = igmp.find(groupOf(bytes))
    if (group) igmp.stopTimer(group)
  }
}

function groupOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(4)
}

function heardQuery(igmp: IgmpLink, bytes: Uint8Array): void {
  const code = bytes[1]!
  let group = groupOf(bytes)
  if (bytes.length === 8) {
    if (code === 0) {
      igmp.v1UntilJiffies = igmp.seenUntil
      group = 0
    } else igmp.v2UntilJiffies = igmp.seenUntil
    igmp.fallBack()
    igmp.answerEach(group, code === 0 ? V1_RESPONSE : code * TENTH)
    return
  }
  if (bytes.length < 12) return
  const { version } = igmp
  if (version === 1) {
    igmp.answerEach(0, V1_RESPONSE)
    return
  }
  const most = expanded(code) * TENTH || 1
  if (version === 2) {
    igmp.answerEach(group, most)
    return
  }
  heardV3(igmp, bytes, group, most)
}

function heardV3(igmp: IgmpLink, bytes: Uint8Array, group: number, most: number): void {
  const sources = bytes[10]! * 256 + bytes[11]!
  if (bytes.length < 12 + 4 * sources) return
  igmp.maxDelay = most
  igmp.robustness = bytes[8]! & 7 || inetState.of(igmp.device.host).sysctls.igmpQrv
  igmp.queryInterval = expanded(bytes[9]!) * HZ || DEFAULT_QUERY_INTERVAL
  if (igmp.responseInterval >= igmp.queryInterval) igmp.responseInterval = igmp.queryInterval - HZ
  if (group !== 0) igmp.answerEach(group, most)
  else if (sources === 0) igmp.answerAll()
}

/**
 * Multicast listener discovery, version 2: the groups that a device listens to, and what routers are told of them.
 *
 * RFC 3810. Linux 6.1 net/ipv6/mcast.c: igmp6_group_added(), igmp6_group_dropped(), mld_ifc_event(), mld_send_cr(),
 * ipv6_mc_dad_complete(), igmp6_event_query(), mld_newpack().
 */
import { HZ, IFF_UP } from '#kernel/net'
import {
  ICMPV6_MLD2_REPORT,
  IN6_ALL_MLDV2_ROUTERS,
  IN6_ALL_NODES,
  IN6_ANY,
  IPPROTO_HOPOPTS,
  IPPROTO_ICMPV6,
  type Ipv6Address,
  type Packet,
  writeIpv6,
} from '#wire/inet'
import { linkLocalOf } from './address-select.ts'
import type { Group6, Link6 } from './inet6dev.ts'
import { newIcmp6, sendOnLink } from './ndisc-send.ts'
import { chance } from './work.ts'

const MODE_IS_EXCLUDE = 2
const CHANGE_TO_INCLUDE = 3
const CHANGE_TO_EXCLUDE = 4

const MAF_LOADED = 4
const MAF_NOREPORT = 8

/** Hop-by-hop options: router alert for MLD, and two bytes of padding. RFC 2711. */
const ROUTER_ALERT = Uint8Array.of(IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0)

function groupScope(address: Ipv6Address): number {
  return (address.w0 >>> 16) & 15
}

/** One more on this device wants a group's packets. __ipv6_dev_mc_inc(). */
export function joinGroup(link: Link6, address: Ipv6Address): void {
  const found = link.groups.find((group) => group.address === address)
  if (found) {
    found.users++
    return
  }
  const silent = address === IN6_ALL_NODES || groupScope(address) < 2
  const group: Group6 = { address, users: 1, flags: silent ? MAF_NOREPORT : 0, changes: 0, answerNs: Infinity }
  link.groups.unshift(group)
  link.left = link.left.filter((other) => other.address !== address)
  groupAdded(link, group)
}

/** One less; the last one tells routers. __ipv6_dev_mc_dec(). */
export function leaveGroup(link: Link6, address: Ipv6Address): void {
  const group = link.groups.find((each) => each.address === address)
  if (!group || --group.users > 0) return
  link.groups = link.groups.filter((each) => each !== group)
  groupDropped(link, group)
}

function groupAdded(link: Link6, group: Group6): void {
  if (groupScope(group.address) < 2) return
  group.flags |= MAF_LOADED
  if (!(link.device.flags & IFF_UP) || group.flags & MAF_NOREPORT) return
  if (link.state.dad.settled()) return
  group.changes = link.mldRobustness
  changed(link)
}

function groupDropped(link: Link6, group: Group6): void {
  if (groupScope(group.address) < 2) return
  group.flags &= ~MAF_LOADED
  if (group.flags & MAF_NOREPORT || !link.device.registered) return
  link.left.unshift({ ...group, changes: link.mldRobustness })
  changed(link)
}

/** mld_ifc_event(): a report in a moment, and as many more as the link may lose. */
function changed(link: Link6): void {
  link.mldChanges = link.mldRobustness
  link.mldChange.after(2)
}

/** The device is up, or has a carrier again: every group is told anew. ipv6_mc_up(). */
export function groupsUp(link: Link6): void {
  link.mldRobustness = 2
  for (const group of link.groups) {
    link.left = link.left.filter((other) => other.address !== group.address)
    groupAdded(link, group)
  }
}

/** ipv6_mc_down(). */
export function groupsDown(link: Link6): void {
  for (const group of link.groups) groupDropped(link, group)
  link.mldChange.stop()
  link.mldAnswer.stop()
  link.mldInitialWork.stop()
}

function unsolicitedInterval(link: Link6): number {
  return Math.max(Math.floor((link.conf.mldv2UnsolicitedReportInterval * HZ) / 1000), 1)
}

/** The link-local address may be used: reports that went out without it are sent again. ipv6_mc_dad_complete(). */
export function dadComplete(link: Link6): void {
  link.mldInitial = link.mldRobustness
  reportInitial(link)
}

export function reportInitial(link: Link6): void {
  send(
    link,
    link.groups.filter((group) => !(group.flags & MAF_NOREPORT)).map((group) => [CHANGE_TO_EXCLUDE, group.address]),
  )
  if (link.mldInitial > 0) link.mldInitial--
  if (link.mldInitial > 0) {
    link.mldInitialWork.after(chance(link.device.host, 'mld', unsolicitedInterval(link)) + 2)
  }
}

/** mld_ifc_work(): what has changed, and again after a while. */
export function reportChanges(link: Link6): void {
  const records: [number, Ipv6Address][] = []
  for (const group of link.left) {
    if (group.changes === 0) continue
    records.push([CHANGE_TO_INCLUDE, group.address])
    group.changes--
  }
  link.left = link.left.filter((group) => group.changes > 0)
  for (const group of link.groups) {
    if (group.changes === 0) continue
    records.push([CHANGE_TO_EXCLUDE, group.address])
    group.changes--
  }
  send(link, records)
  if (link.mldChanges > 0) link.mldChanges--
  if (link.mldChanges > 0) link.mldChange.after(chance(link.device.host, 'mld', unsolicitedInterval(link)) + 2)
}

function send(link: Link6, records: [type: number, group: Ipv6Address][]): void {
  if (records.length === 0 || !link.device.up) return
  const each = Math.max(1, Math.floor((link.mtu6 - 56) / 20))
  for (let at = 0; at < records.length; at += each) {
    const some = records.slice(at, at + each)
    const bytes = new Uint8Array(20 * some.length)
    some.forEach(([type, group], i) => {
      bytes[20 * i] = type
      writeIpv6(bytes, 20 * i + 4, group)
    })
    const packet = newIcmp6(
      linkLocalOf(link.device) ?? IN6_ANY,
      IN6_ALL_MLDV2_ROUTERS,
      ICMPV6_MLD2_REPORT,
      some.length,
      bytes,
    )
    packet.ttl = 1
    packet.ipId = IPPROTO_HOPOPTS
    packet.ipOptions = ROUTER_ALERT
    packet.priority = 7
    sendOnLink(link, packet)
  }
}

/** A router asks which groups are listened to. igmp6_event_query(). RFC 3810 section 6.2. */
export function receiveQuery(link: Link6, packet: Packet): void {
  if (packet.src6!.w0 >>> 22 !== 0x3fa || packet.ttl !== 1 || packet.length < 16) return
  const { buffer: bytes, offset } = packet
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, packet.length)
  const version1 = packet.length === 16
  if (!version1 && packet.length < 20) return
  const code = (packet.icmpRest >>> 16) & 0xffff
  const milliseconds = version1 || code < 0x8000 ? code : ((code & 0xfff) | 0x1000) * 2 ** (((code >>> 12) & 7) + 3)
  const most = Math.max(1, Math.floor((milliseconds * HZ) / 1000))
  const { host } = link.device
  if (version1) link.mldV1UntilNs = host.sim.nowNs + 260e9
  const general =
    view.getUint32(0) === 0 && view.getUint32(4) === 0 && view.getUint32(8) === 0 && view.getUint32(12) === 0
  const due = (delay: number) => host.sim.nowNs + (delay * 1e9) / HZ
  const delay = chance(host, 'mld answer', most)
  if (general) link.mldAnswerNs = Math.min(link.mldAnswerNs, due(delay + 2))
  else {
    for (const group of link.groups) {
      const { w0, w1, w2, w3 } = group.address
      const same =
        w0 === view.getUint32(0) && w1 === view.getUint32(4) && w2 === view.getUint32(8) && w3 === view.getUint32(12)
      if (same && !(group.flags & MAF_NOREPORT)) group.answerNs = Math.min(group.answerNs, due(delay))
    }
  }
  armAnswer(link)
}

function armAnswer(link: Link6): void {
  const next = Math.min(link.mldAnswerNs, ...link.groups.map((group) => group.answerNs))
  if (next === Number.POSITIVE_INFINITY) return
  link.mldAnswer.after(Math.max(1, Math.round(((next - link.device.host.sim.nowNs) * HZ) / 1e9)))
}

export function answerQueries(link: Link6): void {
  const { nowNs } = link.device.host.sim
  const all = link.mldAnswerNs <= nowNs
  const asked = link.groups.filter((group) => !(group.flags & MAF_NOREPORT) && (all || group.answerNs <= nowNs))
  if (all) link.mldAnswerNs = Number.POSITIVE_INFINITY
  for (const group of link.groups) if (group.answerNs <= nowNs) group.answerNs = Number.POSITIVE_INFINITY
  send(
    link,
    asked.map((group) => [MODE_IS_EXCLUDE, group.address]),
  )
  armAnswer(link)
}

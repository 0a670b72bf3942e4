/**
 * RTM_{GET,NEW,DEL}NEIGH: what `ip neigh` asks for and sets.
 *
 * Linux 6.1 net/core/neighbour.c: neigh_add(), neigh_delete(), neigh_get(), neigh_fill_info(), pneigh_fill_info().
 */
import { NotModelled } from '#base/check'
import type { Host, NetlinkAnswer } from '#kernel/core'
import type { Ipv6Address } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { deviceByIndex, netState } from './devices.ts'
import { HZ } from './jiffies.ts'
import {
  type Neighbour,
  NTF_EXT_LEARNED,
  NTF_PROXY,
  NTF_ROUTER,
  NTF_USE,
  NUD_FAILED,
  NUD_PERMANENT,
  NUD_VALID,
  type ProxyNeighbour,
  stateBits,
  stateName,
  UPDATE_ADMIN,
  UPDATE_EXT_LEARNED,
  UPDATE_ISROUTER,
  UPDATE_OVERRIDE,
  UPDATE_OVERRIDE_ISROUTER,
  UPDATE_USE,
} from './neighbour.ts'
import type { NeighbourTable } from './neighbour-table.ts'
import type { NeighbourMessage, NeighbourRequest } from './netlink.ts'
import { NO_MESSAGES, refuse } from './netlink-link.ts'
import type { Neighbour6Message, Neighbour6Request } from './netlink6.ts'

/** NTF_SELF, NTF_MASTER, NTF_MANAGED and the rest are for bridges and drivers. */
const NTF_MODELLED = NTF_USE | NTF_PROXY | NTF_EXT_LEARNED | NTF_ROUTER
const ETH_ALEN = 6

type NewNeighbour = Extract<NeighbourRequest, { type: 'RTM_NEWNEIGH' }>
type DeleteNeighbour = Extract<NeighbourRequest, { type: 'RTM_DELNEIGH' }>
type GetNeighbour = Extract<NeighbourRequest, { type: 'RTM_GETNEIGH' }>
type NewNeighbour6 = Extract<Neighbour6Request, { type: 'RTM_NEWNEIGH' }>
type DeleteNeighbour6 = Extract<Neighbour6Request, { type: 'RTM_DELNEIGH' }>
type GetNeighbour6 = Extract<Neighbour6Request, { type: 'RTM_GETNEIGH' }>

function destination(entry: { key: number; address6: Ipv6Address | undefined }) {
  return entry.address6 === undefined
    ? { family: 'AF_INET' as const, dst: entry.key }
    : { family: 'AF_INET6' as const, dst: entry.address6 }
}

/** The table that a request is about; IPv6's answers the same requests. */
export interface NeighbourFamily {
  table(host: Host): NeighbourTable
  /** The key of an address on a device. */
  key(dst: number | Ipv6Address, device: NetDevice | undefined): number
}

const INET: NeighbourFamily = {
  table: (host) => netState.of(host).neighbours,
  key: (dst, device) => (device?.loops ? 0 : (dst as number)),
}

const sixOf = (dst: number | Ipv6Address) => (typeof dst === 'number' ? undefined : dst)

/** @param held how many references whoever asks holds itself */
function neighbourMessage(neighbour: Neighbour, held = 0): NeighbourMessage | Neighbour6Message {
  const now = neighbour.table.jiffies
  const secondsSince = (jiffies: number) => Math.floor(Math.max(0, now - jiffies) / HZ)
  const message: NeighbourMessage | Neighbour6Message = {
    type: 'RTM_NEWNEIGH',
    ...destination(neighbour),
    ifindex: neighbour.device.ifindex,
    state: stateName(neighbour.state),
    flags: neighbour.flags,
    usedS: secondsSince(neighbour.used),
    confirmedS: secondsSince(neighbour.confirmed),
    updatedS: secondsSince(neighbour.updated),
    references: (neighbour.timerPending ? 1 : 0) + held,
    probes: neighbour.probes,
  }
  if (neighbour.state & NUD_VALID) message.lladdr = neighbour.address
  if (neighbour.protocol !== 0) message.protocol = neighbour.protocol
  return message
}

function proxyMessage(entry: ProxyNeighbour): NeighbourMessage | Neighbour6Message {
  const message: NeighbourMessage | Neighbour6Message = {
    type: 'RTM_NEWNEIGH',
    ...destination(entry),
    ifindex: entry.device?.ifindex ?? 0,
    state: 'NONE',
    flags: entry.flags | NTF_PROXY,
    usedS: 0,
    confirmedS: 0,
    updatedS: 0,
    references: 0,
    probes: 0,
  }
  if (entry.protocol !== 0) message.protocol = entry.protocol
  return message
}

export function getNeighbours(host: Host, request: unknown, family = INET): NetlinkAnswer {
  const { ifindex, proxy, dst, get } = request as GetNeighbour | GetNeighbour6
  const table = family.table(host)
  const device = ifindex === undefined ? undefined : deviceByIndex(host, ifindex)
  if (!get) {
    // A device that isn't there has no neighbours; it is only a filter.
    const wanted = (index: number | undefined) => ifindex === undefined || index === ifindex
    const messages = proxy
      ? [...(table.peekProxies?.all() ?? [])].filter((entry) => wanted(entry.device?.ifindex)).map(proxyMessage)
      : [...table.all()].filter((entry) => wanted(entry.device.ifindex)).map((entry) => neighbourMessage(entry))
    return { ok: true, messages }
  }
  if (ifindex !== undefined && device === undefined) return refuse('ENODEV', 'Unknown device ifindex')
  if (dst === undefined) return refuse('EINVAL', 'Network address not specified')
  if (proxy) {
    const entry = table.peekProxies?.lookup(family.key(dst, undefined), device)
    return entry ? { ok: true, messages: [proxyMessage(entry)] } : refuse('ENOENT', 'Proxy neighbour entry not found')
  }
  if (device === undefined) return refuse('EINVAL', 'No device specified')
  const neighbour = table.find(device, family.key(dst, device))
  table.countLookup(neighbour)
  if (neighbour === undefined) return refuse('ENOENT', 'Neighbour entry not found')
  return { ok: true, messages: [neighbourMessage(neighbour, 1)] }
}

export function newNeighbour(host: Host, message: unknown, family = INET): NetlinkAnswer {
  const request = message as NewNeighbour | NewNeighbour6
  const given = request.flags ?? 0
  if (given & ~NTF_MODELLED) throw new NotModelled(`neighbour flags 0x${given.toString(16)}`)
  const table = family.table(host)
  const device = request.ifindex > 0 ? deviceByIndex(host, request.ifindex) : undefined
  if (request.ifindex > 0 && device === undefined) return refuse('ENODEV')
  const bytes = request.lladdrBytes
  if (device !== undefined && bytes !== undefined && bytes.length < ETH_ALEN) {
    return refuse('EINVAL', 'Invalid link address')
  }
  const lladdr = request.lladdr ?? bytes?.slice(0, ETH_ALEN).reduce((mac, byte) => mac * 256 + byte, 0)
  const state = stateBits(request.state)
  if (given & NTF_PROXY) {
    const entry = table.proxies.create(family.key(request.dst, undefined), device, sixOf(request.dst))
    entry.flags = given
    entry.permanent = (state & NUD_PERMANENT) !== 0
    if (request.protocol) entry.protocol = request.protocol
    return NO_MESSAGES
  }
  if (device === undefined) return refuse('EINVAL', 'Device not specified')

  let flags = UPDATE_ADMIN | UPDATE_OVERRIDE | UPDATE_OVERRIDE_ISROUTER
  const key = family.key(request.dst, device)
  if (table.protocol.linkOf(device) === undefined) return refuse('EINVAL')
  let neighbour = table.find(device, key)
  table.countLookup(neighbour)
  if (neighbour === undefined) {
    if (!request.create) return refuse('ENOENT')
    const exempt = (state & NUD_PERMANENT) !== 0 || (given & NTF_EXT_LEARNED) !== 0
    neighbour = table.create(device, key, exempt, sixOf(request.dst))
    if (neighbour === undefined) return refuse('ENOBUFS')
    neighbour.flags = given & NTF_EXT_LEARNED
  } else {
    if (request.exclusive) return refuse('EEXIST')
    if (!request.replace) flags &= ~(UPDATE_OVERRIDE | UPDATE_OVERRIDE_ISROUTER)
  }
  if (request.protocol) neighbour.protocol = request.protocol
  if (given & NTF_EXT_LEARNED) flags |= UPDATE_EXT_LEARNED
  if (given & NTF_ROUTER) flags |= UPDATE_ISROUTER
  if (given & NTF_USE) flags |= UPDATE_USE
  const { errno, extack } = neighbour.update(lladdr, state, flags)
  if (errno !== undefined) return refuse(errno, extack)
  if (given & NTF_USE) neighbour.mayTransmit(undefined)
  return NO_MESSAGES
}

export function deleteNeighbour(host: Host, message: unknown, family = INET): NetlinkAnswer {
  const request = message as DeleteNeighbour | DeleteNeighbour6
  const table = family.table(host)
  const device = request.ifindex > 0 ? deviceByIndex(host, request.ifindex) : undefined
  if (request.ifindex > 0 && device === undefined) return refuse('ENODEV')
  if ((request.flags ?? 0) & NTF_PROXY) {
    return table.peekProxies?.delete(family.key(request.dst, undefined), device) ? NO_MESSAGES : refuse('ENOENT')
  }
  if (device === undefined) return refuse('EINVAL')
  const neighbour = table.find(device, family.key(request.dst, device))
  table.countLookup(neighbour)
  if (neighbour === undefined) return refuse('ENOENT')
  const { errno, extack } = neighbour.update(undefined, NUD_FAILED, UPDATE_OVERRIDE | UPDATE_ADMIN)
  table.removeOne(neighbour)
  return errno === undefined ? NO_MESSAGES : refuse(errno, extack)
}

/**
 * RTM_{GET,NEW,DEL}ADDR of AF_INET6. Linux 6.1 net/ipv6/addrconf.c: inet6_rtm_newaddr(), inet6_addr_add(),
 * inet6_addr_modify(), inet6_rtm_deladdr(), inet6_fill_ifaddr().
 */
import { NotModelled } from '#base/check'
import type { Host, NetlinkAnswer } from '#kernel/core'
import { type Address6Message, type Address6Request, deviceByIndex, devices, refuse } from '#kernel/net'
import { addAddress6, addPrefixRoute, deleteAddress6 } from './addresses.ts'
import {
  type Address6,
  IFA_F_DEPRECATED,
  IFA_F_HOMEADDRESS,
  IFA_F_MANAGETEMPADDR,
  IFA_F_MCAUTOJOIN,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  INFINITE_S,
  link6,
} from './inet6dev.ts'
import { checkLifetimes } from './lifetimes.ts'
import { addMulticastRoute, findLink } from './links.ts'
import { state6 } from './state.ts'

const SECOND_NS = 1_000_000_000
const DONE: NetlinkAnswer = { ok: true, messages: [] }
/** What a request may set. */
const GIVEN =
  IFA_F_NODAD | IFA_F_OPTIMISTIC | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN

type NewAddress = Extract<Address6Request, { type: 'RTM_NEWADDR' }>
type DeleteAddress = Extract<Address6Request, { type: 'RTM_DELADDR' }>

function messageOf(own: Address6): Address6Message {
  const { device } = own.link
  const forEver = own.flags & IFA_F_PERMANENT && own.preferredS === INFINITE_S
  const pastS = forEver ? 0 : Math.floor((device.host.sim.nowNs - own.stampNs) / SECOND_NS)
  const left = (lifetimeS: number) => (lifetimeS === INFINITE_S ? INFINITE_S : Math.max(0, lifetimeS - pastS))
  const message: Address6Message = {
    type: 'RTM_NEWADDR',
    family: 'AF_INET6',
    ifindex: device.ifindex,
    local: own.address,
    address: own.peer ?? own.address,
    prefix: own.prefix,
    scope: own.scope,
    flags: own.flags,
    validS: left(own.validS),
    preferredS: left(own.preferredS),
  }
  if (own.metric !== 0) message.metric = own.metric
  if (own.protocol !== 0) message.protocol = own.protocol
  return message
}

export function getAddresses6(host: Host, request: unknown): NetlinkAnswer {
  const { ifindex } = request as { ifindex?: number }
  if (state6.peek(host) === undefined) return DONE
  const shown = ifindex === undefined ? devices(host) : devices(host).filter((device) => device.ifindex === ifindex)
  return { ok: true, messages: shown.flatMap((device) => link6(device)?.addresses.map(messageOf) ?? []) }
}

export function newAddress6(host: Host, message: unknown): NetlinkAnswer {
  const request = message as NewAddress
  const state = state6.of(host)
  if (request.prefix > 128) return refuse('EINVAL')
  const validS = request.validS ?? INFINITE_S
  const preferredS = request.preferredS ?? INFINITE_S
  if (validS === 0 || preferredS > validS) return refuse('EINVAL')
  const device = deviceByIndex(host, request.ifindex)
  if (device === undefined) return refuse('ENODEV')
  const given = (request.flags ?? 0) & GIVEN
  if (given & IFA_F_MCAUTOJOIN) throw new NotModelled('addresses that join their multicast group')
  const existing = state.owner(request.local, device)
  if (existing !== undefined) {
    if (request.exclusive || !request.replace) return refuse('EEXIST')
    existing.flags = (existing.flags & ~(GIVEN | IFA_F_DEPRECATED | IFA_F_PERMANENT)) | given
    setLifetimes(existing, validS, preferredS)
    checkLifetimes(state)
    return DONE
  }
  const link = findLink(state, device)
  if (link === undefined) return refuse('ENOBUFS')
  if (link.conf.disableIpv6) return refuse('EACCES')
  if (!device.loops) addMulticastRoute(link)
  const peer = request.address !== undefined && request.address !== request.local ? request.address : undefined
  const own = addAddress6(link, {
    address: request.local,
    peer,
    prefix: request.prefix,
    flags: given,
    metric: request.metric ?? 0,
  })
  if (typeof own === 'string') {
    return refuse(own, own === 'EADDRNOTAVAIL' ? 'Cannot assign requested address' : undefined)
  }
  setLifetimes(own, validS, preferredS)
  if (!(given & IFA_F_NOPREFIXROUTE)) {
    addPrefixRoute(own, validS === INFINITE_S ? Number.POSITIVE_INFINITY : host.sim.nowNs + validS * SECOND_NS)
  }
  state.dad.start(own)
  checkLifetimes(state)
  return DONE
}

function setLifetimes(own: Address6, validS: number, preferredS: number): void {
  own.validS = validS
  own.preferredS = preferredS
  if (validS === INFINITE_S) own.flags |= IFA_F_PERMANENT
  if (preferredS === 0) own.flags |= IFA_F_DEPRECATED
  own.stampNs = own.link.device.host.sim.nowNs
}

export function deleteAddressRequest6(host: Host, message: unknown): NetlinkAnswer {
  const request = message as DeleteAddress
  const device = deviceByIndex(host, request.ifindex)
  if (device === undefined) return refuse('ENODEV', 'Unable to find the interface')
  const own = link6(device)?.addresses.find(
    (each) => each.address === request.local && (request.prefix === undefined || each.prefix === request.prefix),
  )
  if (own === undefined) return refuse('EADDRNOTAVAIL')
  deleteAddress6(own)
  return DONE
}

/**
 * RTM_{GET,NEW,DEL}ADDR: what `ip addr` asks for and sets; and lifetimes.
 *
 * Linux 6.1 net/ipv4/devinet.c: inet_rtm_newaddr(), inet_rtm_deladdr(), inet_fill_ifaddr(), check_lifetime().
 */
import { defineState, type Errno, type Host, type NetlinkAnswer } from '#kernel/core'
import { deleteAddress, inPrefix, insertAddress, makeAddress, maskOf } from './addresses.ts'
import type { NetDevice } from './device.ts'
import { deviceByIndex, devices } from './devices.ts'
import { fibMetricChanged } from './fib.ts'
import { isMulticast } from './fib-lookup.ts'
import { IFA_F_DEPRECATED, IFA_F_MCAUTOJOIN, IFA_F_PERMANENT, INFINITE_S, type InetAddress } from './inetdev.ts'
import { inetState } from './ip-state.ts'
import { JIFFY_NS, wheelJiffies } from './jiffies.ts'
import type { AddressMessage, AddressRequest } from './netlink.ts'
import { NO_MESSAGES, refuse } from './netlink-link.ts'
import { joinGroup, leaveGroup } from './sockets/memberships.ts'

const SECOND_NS = 1_000_000_000
/** Lifetimes are looked at every two minutes at the least. Linux 6.1 include/net/addrconf.h: ADDR_CHECK_FREQUENCY. */
const CHECK_NS = 120 * SECOND_NS
/** ADDRCONF_TIMER_FUZZ_MAX: and never more often than every second. */
const CHECK_LEAST_NS = SECOND_NS
/** A label of sixteen bytes with its end. */
const LABEL_MAX = 15

type NewAddress = Extract<AddressRequest, { type: 'RTM_NEWADDR' }>
type DeleteAddress = Extract<AddressRequest, { type: 'RTM_DELADDR' }>

/** An address as rtnetlink tells of it; lifetimes are what is left. */
export function addressMessage(own: InetAddress): AddressMessage {
  let { validS, preferredS } = own
  if (own.flags & IFA_F_PERMANENT) validS = preferredS = INFINITE_S
  else {
    const pastS = Math.floor((own.device.host.sim.nowNs - own.stampNs) / SECOND_NS)
    if (preferredS !== INFINITE_S) preferredS = Math.max(0, preferredS - pastS)
    if (validS !== INFINITE_S) validS = Math.max(0, validS - pastS)
  }
  const message: AddressMessage = {
    type: 'RTM_NEWADDR',
    family: 'AF_INET',
    ifindex: own.device.ifindex,
    local: own.local,
    address: own.address,
    prefix: own.prefix,
    label: own.label,
    scope: own.scope,
    flags: own.flags,
    validS,
    preferredS,
  }
  if (own.broadcast !== 0) message.broadcast = own.broadcast
  if (own.metric !== 0) message.metric = own.metric
  return message
}

export function getAddresses(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Extract<AddressRequest, { type: 'RTM_GETADDR' }>
  let shown: readonly NetDevice[] = devices(host)
  if (request.ifindex !== undefined) {
    const device = deviceByIndex(host, request.ifindex)
    if (device === undefined) return refuse('ENODEV')
    shown = [device]
  }
  return { ok: true, messages: shown.flatMap((device) => device.inet.addresses.map(addressMessage)) }
}

export function newAddress(host: Host, message: unknown): NetlinkAnswer {
  const request = message as NewAddress
  if (request.prefix > 32) return refuse('EINVAL')
  const device = deviceByIndex(host, request.ifindex)
  if (device === undefined) return refuse('ENODEV')
  device.inet.settled = true
  const validS = request.validS ?? INFINITE_S
  const preferredS = request.preferredS ?? INFINITE_S
  if (validS === 0 || preferredS > validS) return refuse('EINVAL')
  const wanted = makeAddress(device, { ...request, label: (request.label ?? device.name).slice(0, LABEL_MAX) })
  const existing = wanted.local === 0 ? undefined : device.inet.addresses.find((own) => isSame(own, wanted))
  if (existing === undefined) {
    setLifetime(wanted, validS, preferredS)
    const refused = wanted.flags & IFA_F_MCAUTOJOIN ? autojoin(host, wanted, true) : undefined
    if (refused !== undefined) return refuse(refused)
    const errno = insertAddress(wanted)
    if (errno !== undefined) return refuse(errno)
  } else {
    if (request.exclusive || !request.replace) return refuse('EEXIST')
    if (existing.metric !== wanted.metric) {
      fibMetricChanged(existing, wanted.metric)
      existing.metric = wanted.metric
    }
    setLifetime(existing, validS, preferredS)
  }
  if (validS !== INFINITE_S || preferredS !== INFINITE_S) lifetimes.of(host).check()
  return NO_MESSAGES
}

/** An address that is a group's: it is joined by its device. Linux: ip_mc_autojoin_config(). */
function autojoin(host: Host, own: InetAddress, join: boolean): Errno | undefined {
  const state = inetState.of(host)
  state.autojoined ??= []
  const request = { group: own.address, ifindex: own.device.ifindex }
  return join ? joinGroup(host, state.autojoined, request) : leaveGroup(host, state.autojoined, request)
}

/** Linux: find_matching_ifa(). */
function isSame(own: InetAddress, wanted: InetAddress): boolean {
  return own.mask === wanted.mask && inPrefix(own.address, wanted) && own.local === wanted.local
}

function setLifetime(own: InetAddress, validS: number, preferredS: number): void {
  own.flags &= ~(IFA_F_PERMANENT | IFA_F_DEPRECATED)
  own.validS = validS
  own.preferredS = preferredS
  if (validS === INFINITE_S) own.flags |= IFA_F_PERMANENT
  if (preferredS === 0) own.flags |= IFA_F_DEPRECATED
  own.stampNs = own.device.host.sim.nowNs
}

export function removeAddressRequest(host: Host, message: unknown): NetlinkAnswer {
  const request = message as DeleteAddress
  const device = deviceByIndex(host, request.ifindex)
  if (device === undefined) return refuse('ENODEV')
  const found = device.inet.addresses.find(
    (own) =>
      own.local === request.local &&
      (request.label === undefined || request.label === own.label) &&
      (request.address === undefined ||
        ((request.prefix ?? 32) === own.prefix && ((request.address ^ own.address) & maskOf(own.prefix)) === 0)),
  )
  if (found === undefined) return refuse('EADDRNOTAVAIL')
  if (isMulticast(found.address)) autojoin(host, found, false)
  deleteAddress(found)
  return NO_MESSAGES
}

/** Takes away what is no longer valid, and marks what is no longer preferred. */
class Lifetimes {
  readonly #host: Host
  #slot = -1

  constructor(host: Host) {
    this.#host = host
  }

  fire(): void {
    this.check()
  }

  check(): void {
    const { sim } = this.#host
    const now = sim.nowNs
    let next = now + CHECK_NS
    let any = false
    for (const device of devices(this.#host)) {
      for (const own of device.inet.addresses) {
        if (own.flags & IFA_F_PERMANENT) continue
        // Some are let go a little early, so that one look serves several: ADDRCONF_TIMER_FUZZ_MINUS, HZ / 50.
        const age = Math.floor((now - own.stampNs + SECOND_NS / 50) / SECOND_NS)
        if (own.validS !== INFINITE_S && age >= own.validS) {
          deleteAddress(own)
          continue
        }
        any = true
        if (own.preferredS !== INFINITE_S) {
          if (age >= own.preferredS) own.flags |= IFA_F_DEPRECATED
          else next = Math.min(next, own.stampNs + own.preferredS * SECOND_NS)
        }
        if (own.validS !== INFINITE_S && (own.flags & IFA_F_DEPRECATED || own.preferredS === INFINITE_S)) {
          next = Math.min(next, own.stampNs + own.validS * SECOND_NS)
        }
      }
    }
    if (!any) return
    const delay = Math.max(next - now, CHECK_LEAST_NS)
    const jiffies = Math.floor((now - this.#host.bootedNs) / JIFFY_NS)
    if (this.#slot < 0) this.#slot = sim.slot('address lifetimes', this)
    sim.arm(this.#slot, this.#host.bootedNs + wheelJiffies(jiffies, jiffies + Math.ceil(delay / JIFFY_NS)) * JIFFY_NS)
  }
}

const lifetimes = defineState((host) => new Lifetimes(host))

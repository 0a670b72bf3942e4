/**
 * The netlink socket by which programs hear of links and IPv4 addresses: AF_NETLINK, protocol NETLINK_ROUTE, the groups `link` and
 * `ipv4-ifaddr`. A received message stands in `control.message`, as an object; its bytes aren't made.
 *
 * Linux 6.1 net/core/rtnetlink.c: rtnetlink_event(), rtmsg_ifinfo(); net/ipv4/devinet.c: rtmsg_ifa()
 */
import {
  defineState,
  fail,
  type Host,
  type KernelImage,
  OK,
  type OpenFile,
  ok,
  POLLIN,
  type Received,
  type Socket,
  type SocketFamily,
  type SysResult,
  WaitQueue,
} from '#kernel/core'
import { addressNotifiers } from './address-notifiers.ts'
import type { NetDevice } from './device.ts'
import type { AddressMessage, LinkMessage } from './netlink.ts'
import { addressMessage } from './netlink-addr.ts'
import { linkMessage } from './netlink-link.ts'
import { type NetdevEvent, netdevNotifiers } from './notifiers.ts'

export const NETLINK_ROUTE = 0
/** About what a receive buffer of 212992 bytes holds. */
const MOST_QUEUED = 250

export interface LinkEvent {
  event: 'NEWLINK' | 'DELLINK'
  link: LinkMessage
}

export interface AddressEvent {
  event: 'NEWADDR' | 'DELADDR'
  address: AddressMessage
}

export type RouteEvent = LinkEvent | AddressEvent

const LINK_EVENTS = new Set<NetdevEvent>(['REGISTER', 'UP', 'DOWN', 'CHANGE', 'CHANGEADDR', 'CHANGEMTU', 'CHANGENAME'])

/** A namespace's listeners. */
const listeners = defineState<Set<RouteSocket>>(() => new Set())

class RouteSocket implements Socket {
  readonly domain = 'AF_NETLINK'
  readonly type = 'SOCK_RAW'
  readonly queue = new WaitQueue()
  readonly groups = new Set<string>()
  readonly #host: Host
  readonly #messages: { timeNs: number; message: RouteEvent }[] = []
  #overrun = false

  constructor(host: Host) {
    this.#host = host
  }

  get waiting(): boolean {
    return this.#messages.length > 0 || this.#overrun
  }

  push(message: RouteEvent): void {
    if (this.#messages.length >= MOST_QUEUED) this.#overrun = true
    else this.#messages.push({ timeNs: this.#host.sim.nowNs, message })
    this.queue.wake()
  }

  bind(): SysResult<void> {
    return OK
  }

  connect(): SysResult<void> {
    return OK
  }

  sendTo(): SysResult<number> {
    return fail('EOPNOTSUPP')
  }

  receive(): SysResult<Received> {
    if (this.#overrun) {
      this.#overrun = false
      return fail('ENOBUFS')
    }
    const first = this.#messages.shift()
    if (!first) return fail('EAGAIN')
    const { timeNs, message } = first
    return ok({ bytes: new Uint8Array(0), length: 0, from: { family: 'AF_UNSPEC' }, timeNs, control: { message } })
  }

  localName(): SysResult<never> {
    return fail('EOPNOTSUPP')
  }

  peerName(): SysResult<never> {
    return fail('EOPNOTSUPP')
  }

  setOption(_level: string, name: string, value: unknown): SysResult<void> {
    if (name === 'NETLINK_ADD_MEMBERSHIP') {
      this.groups.add(String(value))
      listeners.of(this.#host).add(this)
    }
    return OK
  }

  getOption(): SysResult<unknown> {
    return fail('ENOPROTOOPT')
  }

  close(): void {
    listeners.peek(this.#host)?.delete(this)
  }
}

function tell(host: Host, group: string, message: () => RouteEvent): void {
  const all = listeners.peek(host)
  if (all === undefined || all.size === 0) return
  for (const socket of all) if (socket.groups.has(group)) socket.push(message())
}

function deviceEvent(event: NetdevEvent, device: NetDevice): void {
  if (event === 'UNREGISTER') tell(device.host, 'link', () => ({ event: 'DELLINK', link: linkMessage(device) }))
  else if (LINK_EVENTS.has(event)) tell(device.host, 'link', () => ({ event: 'NEWLINK', link: linkMessage(device) }))
}

let inodes = 0

function open(host: Host): SysResult<OpenFile> {
  const socket = new RouteSocket(host)
  const inode = ++inodes
  return ok({
    flags: 2,
    references: 0,
    stat: () => ({ type: 'socket', mode: 0o777, size: 0, inode, links: 1, uid: 0, gid: 0, mtimeNs: 0 }),
    read: () => fail('EOPNOTSUPP'),
    write: () => fail('EOPNOTSUPP'),
    poll: () => (socket.waiting ? POLLIN : 0),
    queue: socket.queue,
    release: () => socket.close(),
    description: `socket:[${inode}]`,
    socket,
  })
}

/** Installs NETLINK_ROUTE among the netlink families of an image, which rooms share. */
export function installRouteEvents(image: KernelImage): void {
  const families = image.slot('netlink families', () => {
    const map = new Map<number, SocketFamily>()
    image.socketFamily('AF_NETLINK', (host, type, protocol) => {
      return map.get(protocol)?.(host, type, protocol) ?? fail('EPROTONOSUPPORT')
    })
    return map
  })
  families.set(NETLINK_ROUTE, (host) => open(host))
  netdevNotifiers(image).push(deviceEvent)
  addressNotifiers(image).push((event, address, device) => {
    const kind = event === 'UP' ? 'NEWADDR' : 'DELADDR'
    tell(device.host, 'ipv4-ifaddr', () => ({ event: kind, address: addressMessage(address) }))
  })
}

/** A daemon's socket. Linux 6.1 net/netfilter/ipvs/ip_vs_sync.c: make_send_sock(), make_receive_sock(). */
import type { Errno, Image, SockAddr, Socket, SysResult, WaitQueue } from '#kernel/core'
import { type NetDevice, RT_SCOPE_UNIVERSE, selectAddress } from '#kernel/net'
import { IPPROTO_UDP, ipv6Bytes } from '#wire/inet'
import type { Ipvs } from './state.ts'
import type { InetAddr } from './uapi.ts'

/** How a daemon was started, its defaults filled in. struct ipvs_sync_daemon_cfg. */
export interface SyncConfig {
  mcastIfn: string
  syncId: number
  syncMaxlen: number
  mcastGroup: InetAddr
  mcastPort: number
  mcastTtl: number
}

export interface SyncSocket extends Socket {
  readonly queue: WaitQueue
  release(): void
}

/** What it was that failed has been told to the log. */
export type Opened = { ok: true; socket: SyncSocket } | { ok: false; errno: Errno }

const IP_PMTUDISC_DONT = 0

/** A socket that is made step by step, until one fails. */
class Making {
  readonly #ipvs: Ipvs
  readonly #config: SyncConfig
  socket: SyncSocket | undefined
  errno: Errno | undefined

  constructor(ipvs: Ipvs, config: SyncConfig) {
    this.#ipvs = ipvs
    this.#config = config
    const family = (ipvs.host.image as Image).families.get(this.v6 ? 'AF_INET6' : 'AF_INET')
    const made = family?.(ipvs.host, 'SOCK_DGRAM', IPPROTO_UDP)
    if (made?.ok) this.socket = made.value.socket as SyncSocket
    else this.#fail(made?.errno ?? 'EAFNOSUPPORT', 'Error during creation of socket; terminating')
  }

  get v6(): boolean {
    return typeof this.#config.mcastGroup !== 'number'
  }

  #fail(errno: Errno, text: string): void {
    this.#ipvs.host.log(3, `IPVS: ${text}`)
    this.errno = errno
  }

  step(act: (socket: SyncSocket) => SysResult<unknown>, failure: string): void {
    if (this.errno !== undefined) return
    const done = act(this.socket!)
    if (!done.ok) this.#fail(done.errno, failure)
  }

  option(level: 'SOL_SOCKET' | 'IP' | 'IPV6', name: string, value: unknown, failure = ''): void {
    this.step((socket) => socket.setOption(level === 'SOL_SOCKET' ? level : `IPPROTO_${level}`, name, value), failure)
  }

  /** The group, as the socket of a thread has it: each has a port of its own. */
  group(id: number): SockAddr {
    const { mcastGroup, mcastPort } = this.#config
    const port = (mcastPort + id) & 0xffff
    return typeof mcastGroup === 'number'
      ? { family: 'AF_INET', address: mcastGroup, port }
      : { family: 'AF_INET6', address: ipv6Bytes(mcastGroup), port, scopeId: 0 }
  }

  get result(): Opened {
    if (this.errno === undefined) return { ok: true, socket: this.socket! }
    this.socket?.release()
    return { ok: false, errno: this.errno }
  }
}

/** A master's: connected to the group. */
export function openSender(ipvs: Ipvs, config: SyncConfig, device: NetDevice, id: number): Opened {
  const making = new Making(ipvs, config)
  const size = ipvs.settings.syncSockSize
  if (making.v6) {
    making.option('IPV6', 'IPV6_MULTICAST_IF', device.ifindex, 'Error setting outbound mcast interface')
    making.option('IPV6', 'IPV6_MULTICAST_LOOP', false)
    making.option('IPV6', 'IPV6_MULTICAST_HOPS', config.mcastTtl)
    making.option('IPV6', 'IPV6_MTU_DISCOVER', IP_PMTUDISC_DONT)
  } else {
    const request = { ifindex: device.ifindex }
    making.option('IP', 'IP_MULTICAST_IF', request, 'Error setting outbound mcast interface')
    making.option('IP', 'IP_MULTICAST_LOOP', false)
    making.option('IP', 'IP_MULTICAST_TTL', config.mcastTtl)
    making.option('IP', 'IP_MTU_DISCOVER', IP_PMTUDISC_DONT)
  }
  if (size > 0) making.option('SOL_SOCKET', 'SO_SNDBUF', size)
  if (!making.v6 && making.errno === undefined) {
    const address = selectAddress(device, 0, RT_SCOPE_UNIVERSE)
    if (address === 0) ipvs.host.log(3, 'IPVS: You probably need to specify IP address on multicast interface.')
    const own: SockAddr = { family: 'AF_INET', address, port: 0 }
    making.step((socket) => socket.bind(own), 'Error binding address of the mcast interface')
  }
  making.step((socket) => socket.connect(making.group(id)), 'Error connecting to the multicast addr')
  return making.result
}

/** A backup's: bound to the group and the interface, and a member. */
export function openReceiver(ipvs: Ipvs, config: SyncConfig, device: NetDevice, id: number): Opened {
  const making = new Making(ipvs, config)
  const size = ipvs.settings.syncSockSize
  making.option('SOL_SOCKET', 'SO_REUSEADDR', true)
  if (size > 0) making.option('SOL_SOCKET', 'SO_RCVBUF', size)
  making.option('SOL_SOCKET', 'SO_BINDTODEVICE', device.name)
  making.step((socket) => socket.bind(making.group(id)), 'Error binding to the multicast addr')
  const { mcastGroup } = config
  const failure = 'Error joining to the multicast group'
  if (typeof mcastGroup === 'number') {
    making.option('IP', 'IP_ADD_MEMBERSHIP', { group: mcastGroup, ifindex: device.ifindex }, failure)
  } else making.option('IPV6', 'IPV6_JOIN_GROUP', { group: ipv6Bytes(mcastGroup), ifindex: device.ifindex }, failure)
  return making.result
}

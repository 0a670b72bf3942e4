/**
 * Netlink sockets that events come by: AF_NETLINK with one protocol for each subsystem. A program joins groups
 * (setOption('SOL_NETLINK', 'NETLINK_ADD_MEMBERSHIP', GROUP)); a received message stands in `control.message`, as an
 * object; its bytes aren't made.
 *
 *     installNetlinkEvents(image, NETLINK_ROUTE, (host) => new RouteSocket(host))
 */
import { fail, OK, ok, type SysResult } from './errno.ts'
import { type OpenFile, POLLIN, type Received, type Socket } from './file.ts'
import type { Host } from './host.ts'
import type { KernelImage, SocketFamily } from './image.ts'
import { WaitQueue } from './wait.ts'

export abstract class NetlinkEventSocket<Message extends object> implements Socket {
  readonly domain = 'AF_NETLINK'
  readonly type = 'SOCK_RAW'
  readonly queue = new WaitQueue()
  protected readonly host: Host
  /** About what a receive buffer of 212992 bytes holds. */
  protected readonly mostQueued: number = 250
  readonly #messages: { timeNs: number; message: Message }[] = []
  #overrun = false
  #leave: (() => void)[] = []

  constructor(host: Host) {
    this.host = host
  }

  /** From now on the group's messages are pushed; what is returned ends that. */
  protected abstract join(group: string): () => void

  get waiting(): boolean {
    return this.#messages.length > 0 || this.#overrun
  }

  push(message: Message): void {
    if (this.#messages.length >= this.mostQueued) this.#overrun = true
    else this.#messages.push({ timeNs: this.host.sim.nowNs, message })
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
    if (name === 'NETLINK_ADD_MEMBERSHIP') this.#leave.push(this.join(String(value)))
    return OK
  }

  getOption(): SysResult<unknown> {
    return fail('ENOPROTOOPT')
  }

  close(): void {
    for (const leave of this.#leave) leave()
    this.#leave = []
  }
}

let inodes = 0

function fileOf(socket: NetlinkEventSocket<object>): OpenFile {
  const inode = ++inodes
  return {
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
  }
}

/** Adds a protocol to an image's AF_NETLINK sockets. */
export function installNetlinkEvents(
  image: KernelImage,
  protocol: number,
  create: (host: Host) => NetlinkEventSocket<object>,
): void {
  const families = image.slot('netlink families', () => {
    const map = new Map<number, SocketFamily>()
    image.socketFamily('AF_NETLINK', (host, type, number) => {
      return map.get(number)?.(host, type, number) ?? fail('EPROTONOSUPPORT')
    })
    return map
  })
  families.set(protocol, (host) => ok(fileOf(create(host))))
}

/**
 * The netlink socket that events come by: AF_NETLINK, protocol NETLINK_NETFILTER. A received message stands in
 * `control.message`, as an object; its bytes aren't made.
 */
import {
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
import { IPCT_DESTROY, IPCT_NEW, IPCT_RELATED } from './conn.ts'
import type { Expectation } from './expect.ts'
import type { CtEventMessage, ExpectEventMessage } from './messages.ts'
import { eventMessage, expectMessage } from './netlink.ts'
import { type ConntrackEvent, conntrackState } from './state.ts'

export const NETLINK_NETFILTER = 12
/** About what a receive buffer of 212992 bytes holds. */
const MOST_QUEUED = 280

type Message = { timeNs: number } & (CtEventMessage | ExpectEventMessage)

/** Opens one; the groups are given by setOption('SOL_NETLINK', 'NETLINK_ADD_MEMBERSHIP', 'conntrack' or 'expect'). */
class EventSocket implements Socket {
  readonly domain = 'AF_NETLINK'
  readonly type = 'SOCK_RAW'
  readonly queue = new WaitQueue()
  readonly #host: Host
  readonly #messages: Message[] = []
  #overrun = false
  #leave: (() => void)[] = []

  constructor(host: Host) {
    this.#host = host
  }

  get waiting(): boolean {
    return this.#messages.length > 0 || this.#overrun
  }

  #push(message: Message): void {
    if (this.#messages.length >= MOST_QUEUED) this.#overrun = true
    else this.#messages.push(message)
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
    const message = this.#messages.shift()
    if (!message) return fail('EAGAIN')
    return ok({
      bytes: new Uint8Array(0),
      length: 0,
      from: { family: 'AF_UNSPEC' },
      timeNs: message.timeNs,
      control: { message },
    })
  }

  localName(): SysResult<never> {
    return fail('EOPNOTSUPP')
  }

  peerName(): SysResult<never> {
    return fail('EOPNOTSUPP')
  }

  setOption(_level: string, name: string, value: unknown): SysResult<void> {
    if (name !== 'NETLINK_ADD_MEMBERSHIP') return OK
    const state = conntrackState.of(this.#host)
    const timeNs = () => this.#host.sim.nowNs
    if (value === 'conntrack') {
      const listener = (event: ConntrackEvent) => {
        const { events, portId } = event
        const fresh = events & (IPCT_NEW | IPCT_RELATED)
        const kind = events & IPCT_DESTROY ? 'DESTROY' : fresh ? 'NEW' : 'UPDATE'
        this.#push({ timeNs: timeNs(), kind, conn: eventMessage(state, event), portId })
      }
      state.listeners = [...state.listeners, listener]
      this.#leave.push(() => {
        state.listeners = state.listeners.filter((one) => one !== listener)
      })
    } else {
      const listener = (kind: 'NEW' | 'DESTROY', expectation: Expectation) => {
        this.#push({ timeNs: timeNs(), kind, expect: expectMessage(state, expectation) })
      }
      state.expectListeners = [...state.expectListeners, listener]
      this.#leave.push(() => {
        state.expectListeners = state.expectListeners.filter((one) => one !== listener)
      })
    }
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

function open(host: Host): SysResult<OpenFile> {
  const socket = new EventSocket(host)
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

/** Installs NETLINK_NETFILTER among the netlink families of an image, which rooms share. */
export function installEventSocket(image: KernelImage): void {
  const families = image.slot('netlink families', () => {
    const map = new Map<number, SocketFamily>()
    image.socketFamily('AF_NETLINK', (host, type, protocol) => {
      return map.get(protocol)?.(host, type, protocol) ?? fail('EPROTONOSUPPORT')
    })
    return map
  })
  families.set(NETLINK_NETFILTER, (host) => open(host))
}

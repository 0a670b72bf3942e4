/**
 * Who has which port: bind(2) and its conflicts, the ports that the kernel chooses.
 * Linux 6.1 net/ipv4/inet_connection_sock.c: inet_csk_get_port(); net/ipv4/inet_hashtables.c: __inet_hash_connect().
 */
import { TCP_LISTEN, TCP_TIME_WAIT } from './constants.ts'
import type { TcpHost } from './host.ts'
import type { Address, TcpSock } from './sock.ts'
import { mayReuse, type TimeWait } from './timewait.ts'

type Owner = TcpSock | TimeWait

/** The sockets of a port. struct inet_bind_bucket. */
export class Bind {
  readonly port: number
  /** The first of its owners, each of which knows the next. */
  first: Owner | undefined = undefined
  /** 1: all its owners say SO_REUSEADDR and none listens; -1: its port was chosen by connect(2). */
  fastReuse: number
  fastReusePort: number

  constructor(port: number, fast: number) {
    this.port = port
    this.fastReuse = fast
    this.fastReusePort = fast
  }
}

/** RFC 6056 algorithm 4: INET_TABLE_PERTURB_SIZE. */
const PERTURB_SIZE = 65536

export class PortTable {
  readonly #tcp: TcpHost
  readonly binds = new Map<number, Bind>()
  #perturb: Uint32Array | undefined = undefined

  constructor(tcp: TcpHost) {
    this.#tcp = tcp
  }

  own(socket: TcpSock | TimeWait, bind: Bind): void {
    const { first } = bind
    if (first) first.bindPrevious = socket
    socket.bindNext = first
    socket.bindPrevious = undefined
    bind.first = socket
    socket.bind = bind
    socket.localPort = bind.port
  }

  /** The socket gives its port up. inet_put_port(). */
  release(socket: TcpSock | TimeWait): void {
    const bind = socket.bind
    if (!bind) return
    socket.bind = undefined
    if (socket.bindPrevious) socket.bindPrevious.bindNext = socket.bindNext
    else bind.first = socket.bindNext
    if (socket.bindNext) socket.bindNext.bindPrevious = socket.bindPrevious
    socket.bindNext = undefined
    socket.bindPrevious = undefined
    if (bind.first === undefined) this.binds.delete(bind.port)
  }

  /** bind(2)'s part. False: in use. `port` 0: any. */
  take(socket: TcpSock, port: number): boolean {
    let chosen = port
    if (port === 0) {
      const found = this.#findOpen(socket)
      if (found === undefined) return false
      chosen = found
    }
    let bind = this.binds.get(chosen)
    if (!bind) {
      bind = new Bind(chosen, 0)
      this.binds.set(chosen, bind)
    } else if (port !== 0 && bind.first !== undefined) {
      const reuse = socket.reuseAddress && socket.state !== TCP_LISTEN
      const free = bind.fastReuse > 0 && reuse
      if (!free && this.#conflicts(socket, bind, true, true)) return false
    }
    this.#updateFast(bind, socket)
    if (!socket.bind) this.own(socket, bind)
    return true
  }

  #updateFast(bind: Bind, socket: TcpSock): void {
    const reuse = socket.reuseAddress && socket.state !== TCP_LISTEN
    if (bind.first === undefined) {
      bind.fastReuse = reuse ? 1 : 0
      bind.fastReusePort = socket.reusePort ? 1 : 0
    } else if (!reuse) bind.fastReuse = 0
  }

  /** Whether somebody at the port stands in a socket's way. inet_csk_bind_conflict(). */
  #conflicts(socket: TcpSock, bind: Bind, relax: boolean, reusePortOk: boolean): boolean {
    for (let other = bind.first; other !== undefined; other = other.bindNext) {
      if (other === socket) continue
      if (socket.boundDevice !== 0 && other.boundDevice !== 0 && socket.boundDevice !== other.boundDevice) continue
      const bothPort = socket.reusePort && other.reusePort
      const shares =
        socket.reuseAddress && other.reuseAddress && other.state !== TCP_LISTEN
          ? relax && (reusePortOk || !bothPort)
          : reusePortOk && bothPort
      if (!shares && sameAddress(socket, other)) return true
    }
    return false
  }

  /** A port of the range that nobody has, odd ones first. inet_csk_find_open_port(). */
  #findOpen(socket: TcpSock): number | undefined {
    const { portLow, portHigh, autobindReuse } = this.#tcp.inet.sysctls
    const random = this.#tcp.portChance
    for (const relax of autobindReuse ? [false, true] : [false]) {
      const halves = socket.reuseAddress && portHigh + 1 - portLow >= 4 ? [1, 2] : [0]
      for (const half of halves) {
        let low = portLow
        let high = portHigh + 1
        const middle = low + (((high - low) >> 2) << 1)
        if (half === 1) high = middle
        else if (half === 2) low = middle
        let remaining = high - low
        if (remaining > 1) remaining &= ~1
        const start = random.below(remaining) | 1
        for (const offset of [start, start - 1]) {
          const port = this.#scan(low, high, remaining, offset, (candidate) => {
            const bind = this.binds.get(candidate)
            return !bind || !this.#conflicts(socket, bind, relax, false)
          })
          if (port !== undefined) return port
        }
      }
    }
    return undefined
  }

  #scan(
    low: number,
    high: number,
    remaining: number,
    offset: number,
    free: (port: number) => boolean,
  ): number | undefined {
    const reserved = this.#tcp.inet.sysctls.reservedPorts
    let port = low + offset
    for (let i = 0; i < remaining; i += 2, port += 2) {
      if (port >= high) port -= remaining
      if (reserved !== '' && isReserved(reserved, port)) continue
      if (free(port)) {
        this.scanned = i
        return port
      }
    }
    return undefined
  }
  /** How far the last scan went. */
  scanned = 0

  /**
   * A local port for connect(2), and the socket's place in the table of connections; false: none is left. Even ports (of
   * the range's first one's parity) come first; where they begin is a hash of the peer that moves on with each connection.
   */
  connect(socket: TcpSock): boolean {
    const tcp = this.#tcp
    if (socket.localPort !== 0) return this.#enter(socket, socket.localPort, true)
    const { portLow, portHigh } = tcp.inet.sysctls
    const high = portHigh + 1
    let remaining = high - portLow
    if (remaining > 1) remaining &= ~1
    const random = tcp.portChance
    if (!this.#perturb) {
      this.#perturb = new Uint32Array(PERTURB_SIZE)
      this.#base = random.uint32()
    }
    const hash = tcp.hash(socket.local, socket.remote, socket.remotePort, 3) >>> 0
    const index = hash & (PERTURB_SIZE - 1)
    const spread = tcp.hash(socket.remote, socket.local, socket.remotePort, 4) >>> 0
    const first = ((this.#perturb[index]! + this.#base + spread) % remaining) & ~1
    for (const offset of [first, first + 1]) {
      const port = this.#scan(portLow, high, remaining, offset, (candidate) => {
        const bind = this.binds.get(candidate)
        if (!bind) return this.#enter(socket, candidate, false)
        return bind.fastReuse < 0 && bind.fastReusePort < 0 && this.#enter(socket, candidate, false)
      })
      if (port === undefined) continue
      this.#perturb[index]! += Math.max(this.scanned, random.below(8) * 2) + 2
      let bind = this.binds.get(port)
      if (!bind) {
        bind = new Bind(port, -1)
        this.binds.set(port, bind)
      }
      this.own(socket, bind)
      return true
    }
    return false
  }
  #base = 0

  /** Puts a socket into the table of connections if nobody has its four numbers. __inet_check_established(). */
  #enter(socket: TcpSock, port: number, chosen: boolean): boolean {
    const { connections } = this.#tcp
    const other = connections.find(socket.local, port, socket.remote, socket.remotePort, socket.boundDevice)
    if (other !== undefined) {
      if (other.state !== TCP_TIME_WAIT || !mayReuse(socket, other as TimeWait, chosen)) return false
      ;(other as TimeWait).kill()
      this.#tcp.counters.TWRecycled++
    }
    socket.localPort = port
    connections.add(socket)
    return true
  }
}

/** inet_rcv_saddr_equal(): the any-address is everybody's. */
function sameAddress(a: TcpSock, b: TcpSock | TimeWait): boolean {
  return a.local === b.local || isAny(a.local) || isAny(b.local)
}

function isAny(address: Address): boolean {
  return typeof address === 'number'
    ? address === 0
    : address.w0 === 0 && address.w1 === 0 && address.w2 === 0 && address.w3 === 0
}

/** Whether a port is in a list such as `8080,9148-9150`. */
function isReserved(list: string, port: number): boolean {
  return list.split(',').some((range) => {
    const [low, high = low] = range.split('-').map(Number)
    return port >= low! && port <= high!
  })
}

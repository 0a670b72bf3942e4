/** What TCP keeps for a host: the table of connections, ports, those in TIME-WAIT, counters and settings. */
import type { RandomStream } from '#base/sim'
import { defineState, type Host } from '#kernel/core'
import { type InetState, inetState } from '../ip-state.ts'
import { INITIAL_JIFFIES, JIFFY_NS, wheelJiffies } from '../jiffies.ts'
import type { CongestionControl } from './congestion.ts'
import { congestionControls } from './congestion-controls.ts'
import { TcpCounters } from './counters.ts'
import { Deadlines } from './deadlines.ts'
import { ConnectionTable } from './endpoint.ts'
import { requestTimer } from './listen.ts'
import { MetricsCache } from './metrics.ts'
import { PortTable } from './ports.ts'
import type { Request } from './request.ts'
import { type Address, TcpSock } from './sock.ts'
import { TCP_DEFAULTS, TcpSysctls } from './sysctls.ts'
import { type TimeWait, timeWaitExpired } from './timewait.ts'

export class TcpHost {
  readonly host: Host
  readonly inet: InetState
  readonly counters = new TcpCounters()
  sysctls: Readonly<TcpSysctls> = TCP_DEFAULTS
  readonly connections = new ConnectionTable()
  readonly ports: PortTable
  /** By port, the youngest first. */
  readonly listeners = new Map<number, TcpSock[]>()
  readonly metrics = new MetricsCache()
  #timeWaits: Deadlines<TimeWait> | undefined = undefined
  #requests: Deadlines<Request> | undefined = undefined
  orphans = 0
  /** Sockets that there are, with or without a descriptor. */
  allocated = 0
  readonly #secret: [number, number]
  challengeStamp = 0
  #stampNs = -1
  #ticks = 0
  #ipIds: RandomStream | undefined = undefined
  #portChance: RandomStream | undefined = undefined
  challengeCount = 0

  constructor(host: Host) {
    this.host = host
    this.inet = inetState.of(host)
    this.ports = new PortTable(this)
    const random = host.sim.random(`${host.name}/tcp secret`)
    this.#secret = [random.uint32(), random.uint32()]
  }

  /** Ticks since boot: small numbers, unlike the kernel's jiffies, which begin just below 2^32. */
  get jiffies(): number {
    const now = this.host.sim.nowNs
    if (now !== this.#stampNs) {
      this.#stampNs = now
      this.#ticks = Math.floor((now - this.host.bootedNs) / JIFFY_NS)
    }
    return this.#ticks
  }

  /** The virtual time at which a wheel timer fires that was armed at a tick for another. */
  wheelNs(from: number, ticks: number): number {
    const fires = wheelJiffies(from + INITIAL_JIFFIES, ticks + INITIAL_JIFFIES)
    return this.host.bootedNs + (fires - INITIAL_JIFFIES) * JIFFY_NS
  }

  /** The virtual time at which a tick begins. */
  tickNs(ticks: number): number {
    // With a half, it is no small integer from the beginning: else whatever was compiled is thrown away after two seconds.
    return this.host.bootedNs + (ticks + 0.5) * JIFFY_NS - JIFFY_NS / 2
  }

  /** Streams of chance, made when first used. */
  get ipIds(): RandomStream {
    this.#ipIds ??= this.host.sim.random(`${this.host.name}/ip id`)
    return this.#ipIds
  }

  get portChance(): RandomStream {
    this.#portChance ??= this.host.sim.random(`${this.host.name}/tcp port`)
    return this.#portChance
  }

  get timeWaits(): Deadlines<TimeWait> {
    this.#timeWaits ??= new Deadlines(this.host.sim, 'tcp time-wait', timeWaitExpired)
    return this.#timeWaits
  }

  get requests(): Deadlines<Request> {
    this.#requests ??= new Deadlines(this.host.sim, 'tcp request', requestTimer)
    return this.#requests
  }

  get congestion(): CongestionControl {
    return congestionControls[this.sysctls.congestionControl]!
  }

  /** The settings, this host's own from now on. */
  writableSysctls(): TcpSysctls {
    if (this.sysctls === TCP_DEFAULTS) this.sysctls = Object.assign(new TcpSysctls(), TCP_DEFAULTS)
    return this.sysctls as TcpSysctls
  }

  /** A keyed hash of a connection, for what must be hard to guess and the same each time. */
  hash(a: Address, b: Address, ports: number, salt: number): number {
    const [k0, k1] = this.#secret
    const number = (address: Address) => (typeof address === 'number' ? address : address.id)
    let h = Math.imul(k0 ^ number(a), 0x9e3779b1) ^ salt
    h = Math.imul(h ^ (h >>> 15) ^ number(b), 0x85ebca77)
    h = Math.imul(h ^ (h >>> 13) ^ ports ^ k1, 0xc2b2ae3d)
    h = Math.imul(h ^ (h >>> 16), 0x27d4eb2f)
    return (h ^ (h >>> 15)) | 0
  }

  /** An initial sequence number: a hash, and a clock of 64 ns. secure_tcp_seq(). */
  initialSequence(local: Address, localPort: number, remote: Address, remotePort: number): number {
    const clock = Math.floor((this.host.sim.nowNs + this.host.startS * 1e9) / 64)
    return (this.hash(local, remote, (localPort << 16) | remotePort, 1) + clock) | 0
  }

  /** The offset of the timestamps between two addresses. secure_tcp_ts_off(). */
  timestampOffset(local: Address, remote: Address): number {
    return this.sysctls.timestamps === 1 ? this.hash(local, remote, 0, 2) : 0
  }

  /** No timer of this host's fires any more. */
  powerOff(): void {
    for (const one of this.connections) if (one instanceof TcpSock) one.dropTimers()
    for (const list of this.listeners.values()) for (const socket of list) socket.dropTimers()
    this.#timeWaits?.destroy()
    this.#requests?.destroy()
    this.#timeWaits = undefined
    this.#requests = undefined
  }
}

export const tcpState = defineState((host) => new TcpHost(host))

/**
 * What IPv4 keeps for a host: its tables, rules and caches, sysctls as plain numbers, counters. Everything that an idle
 * host doesn't need is made when first used.
 */
import { Trace } from '#base/sim'
import { defineState, type Host } from '#kernel/core'
import type { NetDevice } from './device.ts'
import { type NetState, netState } from './devices.ts'
import type { FibInfo, FibTable } from './fib.ts'
import { replayFib } from './fib-frontend.ts'
import type { Fragments } from './fragments.ts'
import { type PacketHooks, packetHooks } from './hooks.ts'
import type { InetAddress } from './inetdev.ts'
import { IpCounters } from './ip-counters.ts'
import type { LogLimit } from './ip-log.ts'
import type { Peers } from './ip-peers.ts'
import type { IpEvent } from './ip-trace.ts'
import { HZ } from './jiffies.ts'
import type { InetProtocol } from './protocols.ts'
import type { RouteCache } from './route-cache.ts'
import type { FibRule } from './rules.ts'
import type { Membership } from './sockets/memberships.ts'
import type { SocketTables } from './sockets/tables.ts'

/** net.ipv4.*, with Linux's defaults. A host has these until it writes one. */
export class IpSysctls {
  ipForward = 0
  defaultTtl = 64
  noPmtuDisc = 0
  forwardUsePmtu = 0
  forwardUpdatePriority = 1
  nonlocalBind = 0
  earlyDemux = 1
  echoIgnoreAll = 0
  echoEnableProbe = 0
  echoIgnoreBroadcasts = 1
  ignoreBogusErrors = 1
  errorsUseInboundAddress = 0
  /** In jiffies. */
  icmpRatelimit = HZ
  icmpRatemask = 0x1818
  icmpPerSecond = 1000
  icmpBurst = 50
  fwmarkReflect = 0
  pingGroupLow = 1
  pingGroupHigh = 0
  portLow = 32768
  portHigh = 60999
  reservedPorts = ''
  unprivilegedPortStart = 1024
  autobindReuse = 0
  dynaddr = 0
  igmpQrv = 2
  igmpMaxMemberships = 20
  igmpMaxSources = 10
  igmpLinkLocalReports = 1
  multipathUseNeighbour = 0
  multipathHashPolicy = 0
  // net.ipv4.route.*; in jiffies where the kernel's are.
  redirectNumber = 9
  redirectLoad = HZ / 50
  redirectSilence = (HZ / 50) << 10
  errorCost = HZ
  errorBurst = 5 * HZ
  gcTimeout = 300 * HZ
  minPmtu = 552
  mtuExpires = 600 * HZ
  minAdvmss = 256
  // Reassembly.
  fragmentHigh = 4 * 1024 * 1024
  fragmentLow = 3 * 1024 * 1024
  fragmentTimeout = 30 * HZ
  fragmentMaxDistance = 64
  // net.core.
  rmemDefault = 212992
  rmemMax = 212992
  wmemDefault = 212992
  wmemMax = 212992
}

/** What all hosts have that never wrote a sysctl. */
const DEFAULTS = Object.freeze(new IpSysctls())

/** Shared by all hosts on which nothing has happened yet. */
const NOTHING: (InetAddress | NetDevice | number)[] = []
Object.freeze(NOTHING)

export class InetState {
  readonly host: Host
  /** Its `generation` grows when anything changes that a route may depend on; cached routes of another one are void. */
  readonly net: NetState
  /** Grows when an address or a device comes or goes. */
  addressGeneration = 1
  exceptionGeneration = 1
  /**
   * What addresses and devices did before anybody looked at a route: (address or device), (what happened) in turn. Replayed
   * at the first look; a host that idles never has tables. Undefined: there are tables.
   */
  pending: (InetAddress | NetDevice | number)[] | undefined = NOTHING
  #local: FibTable | undefined = undefined
  #main: FibTable | undefined = undefined
  /** By id; only those besides local and main. */
  tables: Map<number, FibTable> | undefined = undefined
  #infos: FibInfo[] | undefined = undefined
  /** Undefined: the three that every host has. */
  rules: FibRule[] | undefined = undefined
  /** Once rules were changed, local and main are looked up one after the other; before that as if merged. */
  customRules = false
  customLocalRoutes = false
  sysctls: Readonly<IpSysctls> = DEFAULTS
  cache: RouteCache | undefined = undefined
  counters: IpCounters | undefined = undefined
  peers: Peers | undefined = undefined
  fragments: Fragments | undefined = undefined
  sockets: SocketTables | undefined = undefined
  /** Protocols that modules brought, by number: tunnels. */
  protocols: Map<number, InetProtocol> | undefined = undefined
  /** Groups that addresses have joined. Linux: netns_ipv4.mc_autojoin_sk. */
  autojoined: Membership[] | undefined = undefined
  idents: Map<string, { id: number; jiffies: number }> | undefined = undefined
  logLimit: LogLimit | undefined = undefined
  /** The key of the multipath hash. */
  pathSecret: number | undefined = undefined
  icmpCredit = 0
  icmpStamp = 0
  readonly hooks: PacketHooks
  /** Tells the trace, if somebody listens. */
  get tell(): ((event: IpEvent) => void) | undefined {
    const trace = this.trace
    const heard = trace !== undefined && trace.listeners !== 0
    if (!heard && waysTrace.listeners === 0) return undefined
    return (event) => {
      trace?.emit(event)
      if (waysTrace.listeners !== 0) waysTrace.emit({ host: this.host, event })
    }
  }
  /** Listen to it, and every packet tells its way. */
  trace: Trace<IpEvent> | undefined = undefined

  constructor(host: Host) {
    this.host = host
    this.net = netState.of(host)
    this.hooks = packetHooks(host)
  }

  /** The table of the host's own addresses. */
  get local(): FibTable | undefined {
    if (this.pending !== undefined) replayFib(this)
    return this.#local
  }

  set local(table: FibTable | undefined) {
    this.#local = table
  }

  get main(): FibTable | undefined {
    if (this.pending !== undefined) replayFib(this)
    return this.#main
  }

  set main(table: FibTable | undefined) {
    this.#main = table
  }

  /** Every FibInfo in use, in order of creation. */
  get infos(): FibInfo[] {
    if (this.pending !== undefined) replayFib(this)
    this.#infos ??= []
    return this.#infos
  }

  /** The sysctls, a host's own from now on. */
  writableSysctls(): IpSysctls {
    if (this.sysctls === DEFAULTS) this.sysctls = Object.assign(new IpSysctls(), DEFAULTS)
    return this.sysctls as IpSysctls
  }

  count(): IpCounters {
    this.counters ??= new IpCounters()
    return this.counters
  }
}

/** The ways of all packets through all hosts and their namespaces, for who explains them. */
export const waysTrace = new Trace<{ host: Host; event: IpEvent }>()

export const inetState = defineState((host) => new InetState(host))

/** Voids all cached routes of a host. Linux 6.1 net/ipv4/route.c: rt_cache_flush(). */
export function flushRouteCache(host: Host): void {
  netState.of(host).generation++
}

/** The trace of a host's packets; listening makes it. */
export function ipTrace(host: Host): Trace<IpEvent> {
  const state = inetState.of(host)
  state.trace ??= new Trace()
  return state.trace
}

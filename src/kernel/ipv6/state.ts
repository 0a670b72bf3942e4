/** What IPv6 keeps for a host, or a namespace of one. Whatever an idle host doesn't need is made when first used. */
import { Trace } from '#base/sim'
import { defineState, type Host } from '#kernel/core'
import { NeighbourTable, type NetDevice, type NetState, netState, type PacketHooks, packetHooks6 } from '#kernel/net'
import type { Ipv6Address } from '#wire/inet'
import { CONF6, CONF6_DISABLED, type Conf6 } from './conf.ts'
import { Counters6 } from './counters.ts'
import { Dad } from './dad.ts'
import { Fib6Table, RT6_TABLE_LOCAL, RT6_TABLE_MAIN } from './fib.ts'
import type { Fragments6 } from './fragments.ts'
import type { Address6, Link6 } from './inet6dev.ts'
import { ND_PARMS, ndProtocol } from './ndisc.ts'
import type { Route6 } from './route.ts'
import type { Rule6 } from './rules.ts'
import type { SocketTables6 } from './sockets/tables.ts'
import type { Event6 } from './trace.ts'

/** net.ipv6.* but for conf and neigh. Times in seconds or milliseconds, as they are written. */
export class Sysctls6 {
  anycastSrcEchoReply = 0
  autoFlowlabels = 1
  bindv6only = 0
  fibMultipathHashFields = 7
  fibMultipathHashPolicy = 0
  fibNotifyOnFlagChange = 0
  flowlabelConsistency = 1
  flowlabelReflect = 0
  flowlabelStateRanges = 0
  fwmarkReflect = 0
  idgenDelay = 1
  idgenRetries = 3
  ip6fragHighThresh = 4 * 1024 * 1024
  ip6fragLowThresh = 3 * 1024 * 1024
  ip6fragTime = 60
  ipNonlocalBind = 0
  maxDstOptsLength = 2 ** 31 - 1
  maxDstOptsNumber = 8
  maxHbhLength = 2 ** 31 - 1
  maxHbhOptsNumber = 8
  seg6Flowlabel = 0
  // icmp/
  echoIgnoreAll = 0
  echoIgnoreAnycast = 0
  echoIgnoreMulticast = 0
  /** Milliseconds between errors to one host. */
  ratelimit = 1000
  ratemask = '0-1,3-127'
  // route/
  gcElasticity = 9
  gcInterval = 30
  gcMinInterval = 0
  gcMinIntervalMs = 500
  gcThresh = 1024
  gcTimeout = 60
  maxSize = 2 ** 31 - 1
  minAdvMss = 1220
  mtuExpires = 600
  skipNotifyOnDevDown = 0
}

/** What all hosts have that never wrote one. */
export const DEFAULT_SYSCTLS6: Readonly<Sysctls6> = Object.freeze(new Sysctls6())

export class State6 {
  readonly host: Host
  readonly net: NetState
  confAll: Conf6
  /** What a new device begins with. */
  confDefault: Conf6
  readonly nd: NeighbourTable
  readonly dad: Dad
  readonly hooks: PacketHooks
  readonly local = new Fib6Table(RT6_TABLE_LOCAL)
  readonly main = new Fib6Table(RT6_TABLE_MAIN)
  /** By id: those besides local and main. */
  readonly tables = new Map<number, Fib6Table>()
  /** Undefined: the two that every host has. */
  rules: Rule6[] | undefined = undefined
  /** By the address's number: who has it. */
  readonly owners = new Map<number, Address6[]>()
  sysctls: Readonly<Sysctls6> = DEFAULT_SYSCTLS6
  readonly counters = new Counters6()
  /** Routes found, by destination and source, as long as the generation is the same. */
  readonly routeCache = new Map<number, Route6>()
  cacheGeneration = -1
  fragments: Fragments6 | undefined = undefined
  sockets: SocketTables6 | undefined = undefined
  /** When a host was last told of an error, and how many more it may be: jiffies. */
  peers: Map<number, { tokens: number; last: number }> | undefined = undefined
  trace: Trace<Event6> | undefined = undefined
  /** The secret that flow labels and multipath hashes are made with. */
  secret: number | undefined = undefined
  /** Identifications of fragments. */
  fragmentId = -1
  verifySlot = -1
  collectSlot = -1

  constructor(host: Host) {
    this.host = host
    this.net = netState.of(host)
    const conf = isNamespace(host) ? CONF6 : CONF6_DISABLED
    this.confAll = conf
    this.confDefault = conf
    this.hooks = packetHooks6(host)
    this.nd = new NeighbourTable(this.net, ndProtocol, 'ndisc_cache', 'neighbour6', ND_PARMS)
    this.dad = new Dad(this)
  }

  /** Every cached route is void. */
  routesChanged(): void {
    this.net.generation++
  }

  get generation(): number {
    return this.net.generation
  }

  writableSysctls(): Sysctls6 {
    if (this.sysctls === DEFAULT_SYSCTLS6) this.sysctls = Object.assign(new Sysctls6(), DEFAULT_SYSCTLS6)
    return this.sysctls as Sysctls6
  }

  /** Who has an address, on a device or any. */
  owner(address: Ipv6Address, device?: NetDevice): Address6 | undefined {
    const all = this.owners.get(address.id)
    return device === undefined ? all?.[0] : all?.find((own) => own.link.device === device)
  }

  /** An address of this host's that may be used. ipv6_chk_addr(). */
  usable(address: Ipv6Address, device?: NetDevice): boolean {
    const own = this.owner(address, device)
    return own !== undefined && !own.tentative
  }

  table(id: number, make = false): Fib6Table | undefined {
    if (id === RT6_TABLE_MAIN || id === 0) return this.main
    if (id === RT6_TABLE_LOCAL) return this.local
    let table = this.tables.get(id)
    if (table === undefined && make) {
      table = new Fib6Table(id)
      this.tables.set(id, table)
    }
    return table
  }

  /** All tables in the order of the kernel's hash of 256. */
  allTables(): Fib6Table[] {
    const all = [...this.tables.values(), this.main, this.local]
    return all.sort((a, b) => (a.id & 255) - (b.id & 255))
  }

  get tell(): ((event: Event6) => void) | undefined {
    const trace = this.trace
    return trace && trace.listeners !== 0 ? (event) => trace.emit(event) : undefined
  }

  /** The device's, made if IPv6 wasn't there yet. */
  linkOf(device: NetDevice): Link6 | undefined {
    return device.inet6 as Link6 | undefined
  }
}

/** A namespace that was made on a host has IPv6, as on any kernel; only a lab's own hosts begin without. */
function isNamespace(host: Host): boolean {
  return (host as { base?: unknown }).base !== undefined
}

export const state6 = defineState((host) => new State6(host))

/** The trace of a host's IPv6 packets; listening makes it. */
export function ip6Trace(host: Host): Trace<Event6> {
  const state = state6.of(host)
  state.trace ??= new Trace()
  return state.trace
}

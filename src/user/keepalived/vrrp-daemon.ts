/**
 * The VRRP process: reads its part of the configuration, opens the sockets, runs scripts, and listens to neighbours and to the kernel
 * until it is told to stop. keepalived 2.2.7 vrrp/vrrp_daemon.c, vrrp/vrrp_scheduler.c
 */
import { type Body, type Errno, SIGNALS, type Sys, type WaitStatus, writeText } from '#kernel/core'
import { type AddressMessage, type LinkMessage, NETLINK_ROUTE, type RouteEvent } from '#kernel/net'
import type { Stdio } from '#user/libc'
import { ipv6Bytes, readIpv6 } from '#wire/inet'
import { Announcer } from './announce.ts'
import { checkKeywords } from './check-keywords.ts'
import { type Child, childStarts, closeAll, EXIT_CONFIG, readConfiguration, stopLines } from './child.ts'
import type { Configuration } from './configuration.ts'
import { dumpData, dumpStats } from './dump.ts'
import { globalKeywords } from './global-keywords.ts'
import { flagsUp, Interfaces, type Nic } from './interfaces.ts'
import { Loop } from './loop.ts'
import { syncDaemonOf } from './lvs-sync.ts'
import { type Address, isIpv6, showAddress, type VirtualAddress, type VirtualRouter, type VrrpScript } from './model.ts'
import { Notifier } from './notify.ts'
import { MissingParameter, type Mistake } from './reader.ts'
import { runScript } from './scripts.ts'
import { changeAddresses } from './virtual-address.ts'
import { changeRoutes } from './virtual-route.ts'
import { completeVrrp, initialTracking } from './vrrp-complete.ts'
import { otherKeywords, vrrpKeywords } from './vrrp-keywords.ts'
import { Machine } from './vrrp-machine.ts'
import { IPPROTO_VRRP, parseHeader, VRRP_TTL } from './vrrp-packet.ts'

const PRIORITY_CONTROL = 6
/** A traffic class. */
const INTERNET_CONTROL = 0xc0
const SECOND_US = 1_000_000

/** Routers that share a pair of sockets. */
interface SocketPair {
  nic: Nic | undefined
  six: boolean
  group: Address | undefined
  source: Address | undefined
  routers: VirtualRouter[]
  in: number
  out: number
}

/** Reads what the VRRP process has to know; undefined: it can't go on. */
function* readVrrp(child: Child, sys: Sys, interfaces: Interfaces): Body<Configuration> {
  return yield* readConfiguration(child, sys, interfaces, (config) => [
    ...globalKeywords(config, child.reloading),
    ...vrrpKeywords(config, true),
    ...checkKeywords(config, undefined),
    ...otherKeywords(true),
  ])
}

/** For -t: complains about what it finds. */
export function* testVrrp(
  child: Child,
  sys: Sys,
  interfaces: Interfaces,
  worst: (mistake: Mistake) => void,
): Body<void> {
  interfaces.missing = false
  const config = yield* readVrrp(child, sys, interfaces)
  if (interfaces.missing) config.reader.report('BAD_IF', 'Non-existent interface specified in configuration')
  else yield* completeVrrp(sys, config)
  worst(config.reader.worst)
}

/** The body of the process. */
export function* vrrpProcess(child: Child, sys: Sys, io: Stdio): Body<number> {
  yield* childStarts(child, sys)
  const daemon = new VrrpDaemon(child, sys, io)
  return yield* daemon.run()
}

class VrrpDaemon {
  readonly #child: Child
  readonly #sys: Sys
  readonly #io: Stdio
  readonly #loop: Loop
  readonly #notifier: Notifier
  readonly #announcer: Announcer
  #machine!: Machine
  #config!: Configuration
  #interfaces = new Interfaces()
  #pairs: SocketPair[] = []
  #events = -1

  constructor(child: Child, sys: Sys, io: Stdio) {
    this.#child = child
    this.#sys = sys
    this.#io = io
    this.#loop = new Loop(sys, io)
    const { log, global, options } = child
    this.#notifier = new Notifier(sys, log, this.#loop, global, options.stay)
    this.#announcer = new Announcer(sys, log, this.#loop, global)
    this.#announcer.routers = () => this.#config.vrrp.routers
  }

  *run(): Body<number> {
    const loop = this.#loop
    for (const signal of ['SIGTERM', 'SIGINT'] as const) loop.signal(signal, () => this.#stops())
    loop.signal('SIGHUP', () => this.#reloads())
    loop.signal('SIGUSR1', () => this.#prints())
    loop.signal('SIGUSR2', () => this.#printsStats())
    this.#sys.sigaction('SIGPIPE', 'ignore')
    this.#child.watchParent(loop, () => this.#stops())
    const failed = yield* this.#start()
    if (failed !== undefined) return failed
    return yield* loop.run()
  }

  // The beginning.

  *#start(): Body<number | undefined> {
    const sys = this.#sys
    const child = this.#child
    const { log } = child
    if (this.#events < 0) {
      this.#events = this.#netlink()
      for (const group of ['link', 'ipv4-ifaddr']) {
        sys.setsockopt(this.#events, 'SOL_NETLINK', 'NETLINK_ADD_MEMBERSHIP', group)
      }
      log.detail('Registering Kernel netlink reflector')
      this.#netlink()
      log.detail('Registering Kernel netlink command channel')
    }
    this.#interfaces = new Interfaces()
    this.#interfaces.load(sys)
    this.#loop.read(this.#events, () => this.#kernelSays())
    let config: Configuration
    try {
      config = yield* readVrrp(child, sys, this.#interfaces)
    } catch (error) {
      if (!(error instanceof MissingParameter)) throw error
      return EXIT_CONFIG
    }
    this.#config = config
    const { global, vrrp } = config
    this.#notifier.global = this.#announcer.global = global
    if (global.vrrpProcessName !== undefined) sys.setName(global.vrrpProcessName, child.argv)
    if (this.#interfaces.missing) {
      config.reader.report('BAD_IF', 'Non-existent interface specified in configuration')
      return yield* this.#fails()
    }
    if (global.lvsSync?.instance !== undefined) {
      log.info(child.reloading ? 'Reinitializing ipvs' : 'Initializing ipvs')
      // The socket of generic netlink.
      if (!child.reloading) yield* sys.open('/dev/null')
    }
    if (!child.reloading) {
      changeAddresses(sys, log, vrrp.staticAddresses, false)
      changeRoutes(sys, log, vrrp.staticRoutes, false)
    }
    if (!child.reloading && global.startupDelayUs > 0) {
      log.info(`Delaying startup for ${global.startupDelayUs / SECOND_US} seconds`)
    }
    const previous = this.#machine as Machine | undefined
    this.#machine = new Machine({
      sys,
      log,
      loop: this.#loop,
      notifier: this.#notifier,
      announcer: this.#announcer,
      options: {
        detail: log.detailed,
        keepAddresses: child.options.keepVrrp,
        releaseAddresses: child.options.releaseVips,
      },
      global,
      vrrp,
      send: (router, bytes, to, direct) => this.#send(router, bytes, to, direct),
    })
    this.#machine.startNs = previous?.startNs ?? 0
    if (!child.reloading && global.startupDelayUs > 0) {
      this.#machine.startNs = sys.monotonicNs() + global.startupDelayUs * 1000
    }
    if (!(yield* completeVrrp(sys, config))) return yield* this.#fails()
    const { notifyFifo, vrrpNotifyFifo } = global
    if (global.haveChecker) notifyFifo.script = undefined
    yield* this.#notifier.openFifos([notifyFifo, vrrpNotifyFifo], 'vrrp_')
    yield* this.#initialStates(previous)
    this.#machine.syncDaemon = syncDaemonOf(sys, config)
    const families = vrrp.routers.flatMap(({ family, excluded }) => [
      family,
      ...excluded.map(({ address }) => (isIpv6(address) ? 6 : 4)),
    ])
    this.#announcer.prepare(families.includes(4), families.includes(6))
    yield* this.#io.settle()
    yield* child.configured(sys)
    if (!child.reloading) {
      for (const router of vrrp.routers) if (router.addressesSet) yield* this.#machine.restore(router, false, true)
    } else if (previous) yield* this.#takeOver(previous)
    changeAddresses(sys, log, vrrp.staticAddresses, true)
    changeRoutes(sys, log, vrrp.staticRoutes, true)
    if (child.options.dump) dumpData(config, this.#pairs, (line) => log.info(line))
    this.#loop.soon(() => this.#dispatches())
    return undefined
  }

  #netlink(): number {
    const opened = this.#sys.socket('AF_NETLINK', 'SOCK_RAW', NETLINK_ROUTE)
    return opened.ok ? opened.value : -1
  }

  /** It can't run: what there is is taken down. */
  *#fails(): Body<number> {
    stopLines(this.#sys, this.#child.log)
    this.#sys.unlink(this.#child.pidFile)
    yield* this.#io.settle()
    return EXIT_CONFIG
  }

  /** Tracking, and groups; what a reload keeps. */
  *#initialStates(previous: Machine | undefined): Body<void> {
    const { vrrp, log, reloading } = this.#config
    const machine = this.#machine
    const changed: VirtualRouter[] = []
    if (reloading && previous) this.#keepScripts(previous.vrrp.scripts)
    initialTracking(this.#config, (router) => changed.push(router))
    for (const router of changed) yield* machine.setPriority(router)
    for (const group of vrrp.groups) {
      const backup = group.members.some(({ wanted, basePriority }) => wanted === 'BACKUP' || basePriority !== 255)
      const master = group.members.some(({ wanted }) => wanted === 'MASTER')
      if (backup && master) for (const each of group.members) if (each.wanted === 'MASTER') each.wanted = 'BACKUP'
    }
    for (const router of vrrp.routers) {
      if (router.state !== 'FAULT' && router.sync?.state !== 'FAULT') continue
      router.state = 'FAULT'
      if (reloading && previous && sameRouter(router, previous.vrrp.routers)?.state === 'FAULT') continue
      log.info(`(${router.name}) entering FAULT state`)
      yield* this.#notifier.instance(router)
    }
    if (reloading && previous) {
      for (const old of previous.vrrp.routers) {
        const router = old.state === 'FAULT' ? undefined : sameRouter(old, vrrp.routers)
        if (!router || router.state === 'FAULT' || router.startingScripts > 0) continue
        router.state = router.wanted = old.state
      }
      for (const group of vrrp.groups) {
        if (group.faulty > 0 || group.starting > 0) continue
        if (group.members.every(({ state }) => state === 'MASTER')) group.state = 'MASTER'
      }
    }
    for (const script of vrrp.scripts) {
      if (script.tracking.length === 0) this.#config.wrong(`Warning - script ${script.name} is not used`)
    }
    vrrp.scripts = vrrp.scripts.filter(({ tracking }) => tracking.length > 0)
  }

  /** What a script said before a reload goes on to count. vrrp/vrrp.c: clear_diff_script() */
  #keepScripts(before: readonly VrrpScript[]): void {
    for (const old of before) {
      const now = this.#config.vrrp.scripts.find(({ name }) => name === old.name)
      if (!now) continue
      if (old.init === 'INIT') {
        now.init = 'INIT'
        now.result = now.rise - 1
      } else if (old.init === 'INIT_RELOAD') now.init = 'INIT_RELOAD'
      else {
        if (old.result < old.rise) {
          now.result = old.result === 0 ? 0 : Math.max(0, now.rise - (old.rise - old.result))
          this.#config.log.info(`VRRP_Script(${now.name}) considered unsuccessful on reload`)
        } else {
          const most = now.rise + now.fall - 1
          const full = old.result === old.rise + old.fall - 1
          now.result = full ? most : Math.min(most, now.rise + (old.result - old.rise))
          this.#config.log.info(`VRRP_Script(${now.name}) considered successful on reload`)
        }
        now.lastStatus = old.lastStatus
        now.init = 'DONE'
      }
    }
  }

  /** After a reload: what has gone is taken down, what is new is put up. vrrp/vrrp.c: clear_diff_vrrp() */
  *#takeOver(previous: Machine): Body<void> {
    const { vrrp } = this.#config
    const machine = this.#machine
    for (const old of previous.vrrp.routers) {
      if (sameRouter(old, vrrp.routers)) continue
      if (old.state === 'MASTER') yield* previous.restore(old, true)
      if (old.notifyDeleted || old.state !== 'FAULT') {
        old.state = 'DELETED'
        yield* this.#notifier.instance(old)
      }
    }
    for (const old of previous.vrrp.routers) {
      const router = sameRouter(old, vrrp.routers)
      if (!router) continue
      if (old.addressesSet) this.#moveAddresses(old, router)
      router.reloadMaster = router.state === 'MASTER'
      router.stats = old.stats
      router.ipId = old.ipId
      router.addressesSet = old.addressesSet
      if (!router.addressesSet) continue
      if (!machine.setAgain(router)) continue
      yield* this.#announcer.announce(router, router.garpRepeat)
      if (router.garpRefreshS > 0) router.refreshNs = this.#sys.monotonicNs() + router.garpRefreshS * 1e9
    }
    for (const group of vrrp.groups) {
      const old = previous.vrrp.groups.find(({ name }) => name === group.name)
      if (old?.state === group.state) group.sameAtReload = true
    }
    this.#closePairs()
  }

  #moveAddresses(old: VirtualRouter, router: VirtualRouter): void {
    const { log } = this.#config
    for (const which of ['addresses', 'excluded'] as const) {
      const gone: VirtualAddress[] = []
      for (const each of old[which]) {
        const same = router[which].find(
          ({ address, prefix, nic }) =>
            address === each.address && prefix === each.prefix && nic?.ifindex === each.nic?.ifindex,
        )
        if (same) same.set = each.set
        else if (each.set) {
          const shown = `${showAddress(each.address)}/${each.prefix} dev ${each.nic?.name ?? ''}`
          log.info(`(${router.name}) ip address ${shown}, no longer exist`)
          gone.push(each)
        }
      }
      changeAddresses(this.#sys, log, gone, false)
    }
    const missing = old.routes.filter((each) => each.set && !router.routes.some(({ text }) => text === each.text))
    for (const each of router.routes) each.set = old.routes.some(({ text, set }) => set && text === each.text)
    changeRoutes(this.#sys, log, missing, false)
  }

  /** The sockets, the states, the scripts. vrrp_dispatcher_init() */
  *#dispatches(): Body<void> {
    const { vrrp, log } = this.#config
    this.#makePairs()
    for (const pair of this.#pairs) yield* this.#open(pair)
    yield* this.#machine.begin()
    for (const router of vrrp.routers) {
      this.#machine.arm(router)
      router.reloadMaster = false
    }
    for (const script of vrrp.scripts) {
      if (script.init === 'INIT' || script.init === 'INIT_RELOAD') script.result = script.rise - 1
      else if (script.init === 'FAILED') script.result = 0
      this.#loop.soon(() => this.#runTrackScript(script))
    }
    for (const pair of this.#pairs) {
      if (pair.in < 0) continue
      this.#loop.read(pair.in, () => this.#packets(pair))
      this.#loop.deadline({
        dueNs: () => pair.routers.reduce((least, { dueNs }) => Math.min(least, dueNs), Number.POSITIVE_INFINITY),
        run: () => this.#timers(pair),
      })
    }
    for (const pair of this.#pairs) log.detail(showPair(pair))
    this.#child.reloading = false
  }

  #makePairs(): void {
    this.#pairs = []
    for (const router of this.#config.vrrp.routers) {
      const six = router.family === 6
      const source = router.unicast ? router.source : undefined
      const group = router.unicast ? undefined : router.group
      const { nic } = router
      const same = this.#pairs.find(
        (each) => each.nic === nic && each.six === six && each.group === group && each.source === source,
      )
      if (same) same.routers.push(router)
      else this.#pairs.push({ nic, six, group, source, routers: [router], in: -1, out: -1 })
    }
  }

  #closePairs(): void {
    for (const pair of this.#pairs) {
      for (const fd of [pair.in, pair.out]) {
        if (fd < 0) continue
        this.#loop.unread(fd)
        this.#sys.close(fd)
      }
    }
    this.#pairs = []
  }

  *#open(pair: SocketPair): Body<void> {
    if (pair.nic && pair.nic.ifindex === 0) return
    const sys = this.#sys
    const { log } = this.#config
    const family = pair.six ? 'AF_INET6' : 'AF_INET'
    const level = pair.six ? 'SOL_IPV6' : 'SOL_IP'
    const opened = sys.socket(family, 'SOCK_RAW', IPPROTO_VRRP)
    if (!opened.ok) {
      log.info('cant open raw socket. errno=0')
      return
    }
    const fd = opened.value
    const ifindex = pair.nic?.ifindex ?? 0
    if (!pair.six) sys.setsockopt(fd, level, 'IP_MULTICAST_ALL', 0)
    if (pair.group !== undefined) {
      if (isIpv6(pair.group)) sys.setsockopt(fd, level, 'IPV6_JOIN_GROUP', { group: ipv6Bytes(pair.group), ifindex })
      else sys.setsockopt(fd, level, 'IP_ADD_MEMBERSHIP', { group: pair.group, address: 0, ifindex })
      const bound = sys.bind(fd, socketAddress(pair.group, ifindex))
      if (!bound.ok) log.info(`bind for multicast failed - ${bound.errno}`)
    } else if (pair.source !== undefined) {
      const bound = sys.bind(fd, socketAddress(pair.source, ifindex))
      if (!bound.ok) {
        log.info(`bind unicast_src ${showAddress(pair.source)} failed 99 - Cannot assign requested address`)
        sys.close(fd)
        for (const router of pair.routers) {
          if (router.state !== 'FAULT') {
            log.info(`(${router.name}): entering FAULT state (src address not configured)`)
          }
          yield* this.#machine.down(router)
          if (router.faults === 1) yield* this.#notifier.instance(router)
        }
        return
      }
    }
    if (pair.six) {
      sys.setsockopt(fd, level, 'IPV6_RECVHOPLIMIT', 1)
      sys.setsockopt(fd, level, 'IPV6_RECVPKTINFO', 1)
    }
    if (pair.nic) sys.setsockopt(fd, 'SOL_SOCKET', 'SO_BINDTODEVICE', pair.nic.name)
    if (pair.six) sys.setsockopt(fd, level, 'IPV6_CHECKSUM', 6)
    sys.setNonBlocking(fd, true)
    pair.in = fd
    const sender = sys.socket(family, 'SOCK_RAW', IPPROTO_VRRP)
    if (!sender.ok) return
    pair.out = sender.value
    const set = (at: string, name: string, value: unknown) => sys.setsockopt(pair.out, at, name, value)
    set('SOL_SOCKET', 'SO_RCVBUF', 0)
    if (pair.six) {
      set(level, 'IPV6_CHECKSUM', 6)
      set(level, 'IPV6_TCLASS', INTERNET_CONTROL)
      if (pair.group !== undefined) set(level, 'IPV6_MULTICAST_HOPS', VRRP_TTL)
      else set(level, 'IPV6_UNICAST_HOPS', VRRP_TTL)
    } else {
      set(level, 'IP_MULTICAST_ALL', 0)
      set(level, 'IP_HDRINCL', 1)
    }
    if (pair.nic) {
      set('SOL_SOCKET', 'SO_BINDTODEVICE', pair.nic.name)
      if (pair.group !== undefined) {
        set(level, pair.six ? 'IPV6_MULTICAST_IF' : 'IP_MULTICAST_IF', pair.six ? ifindex : { ifindex })
        set(level, pair.six ? 'IPV6_MULTICAST_LOOP' : 'IP_MULTICAST_LOOP', 0)
      }
    }
    set('SOL_SOCKET', 'SO_PRIORITY', PRIORITY_CONTROL)
    sys.setNonBlocking(pair.out, true)
  }

  // What comes.

  *#send(router: VirtualRouter, bytes: Uint8Array, to: Address, direct: boolean): Body<Errno | undefined> {
    const pair = this.#pairs.find(({ routers }) => routers.includes(router))
    if (!pair || pair.out < 0) return 'EBADF'
    const address = socketAddress(to, isIpv6(to) ? (router.nic?.ifindex ?? 0) : 0)
    // The kernel would take whichever of its addresses is nearest, a virtual one too.
    if (pair.six && router.source !== undefined)
      this.#sys.bind(pair.out, socketAddress(router.source, pair.nic?.ifindex ?? 0))
    const sent = yield* this.#sys.sendTo(pair.out, bytes, address, { dontWait: true, dontRoute: direct })
    return sent.ok ? undefined : sent.errno
  }

  *#timers(pair: SocketPair): Body<void> {
    const { log } = this.#config
    const now = this.#sys.monotonicNs()
    const due = pair.routers.filter(({ dueNs }) => dueNs <= now).sort((a, b) => a.dueNs - b.dueNs)
    for (const router of due) {
      if (router.dueNs > now) continue
      const before = router.state
      if (router.state === 'BACKUP') {
        log.detail(`(${router.name}) Receive advertisement timeout`)
        router.wanted = 'MASTER'
        yield* this.#machine.goMaster(router)
      } else if (router.state === 'MASTER') yield* this.#machine.masterSends(router)
      yield* this.#machine.follow(before, router)
      this.#machine.arm(router)
    }
  }

  *#packets(pair: SocketPair): Body<void> {
    const { log, global } = this.#config
    const seen = new Set<number>()
    for (let last = false; !last; ) {
      const got = yield* this.#sys.receive(pair.in, 65_536, { dontWait: true })
      if (!got.ok) return
      const { bytes, from, control } = got.value
      const header = parseHeader(bytes, pair.six, log)
      if (!header) return
      const sharing = pair.routers.filter(({ vrid }) => vrid === header.vrid)
      const source =
        from.family === 'AF_INET' ? from.address : from.family === 'AF_INET6' ? readIpv6(from.address, 0) : 0
      const router =
        sharing.length > 1 ? sharing.find(({ peers }) => peers.some((peer) => peer.address === source)) : sharing[0]
      if (!router) {
        const where = sharing.length > 1 ? ` from ${showAddress(source)}` : ''
        if (global.logUnknownVrids) {
          log.info(`Unknown VRID(${header.vrid}) received on interface(${pair.nic?.name})${where}. ignoring...`)
        }
        continue
      }
      if (seen.has(header.vrid)) last = true
      seen.add(header.vrid)
      if (router.state === 'FAULT' || router.state === 'INIT') continue
      router.packetSource = source
      let to: Address
      if (pair.six) {
        const info = control['IPV6_PKTINFO'] as { address: Uint8Array } | undefined
        to = info ? readIpv6(info.address, 0) : pair.group!
        router.packetTtl = Number(control['IPV6_HOPLIMIT'] ?? -1)
        router.packetMulticast = info?.address[0] === 0xff
        if (router.packetMulticast === router.unicast) {
          const kinds = router.unicast ? ['mult', 'un'] : ['un', 'mult']
          log.detail(`(${router.name}) discarding ${kinds[0]}icast packet on ${kinds[1]}icast instance`)
          continue
        }
      } else {
        to = new DataView(bytes.buffer, bytes.byteOffset).getUint32(16)
        router.packetTtl = bytes[8]!
        router.packetMulticast = to >>> 28 === 14
      }
      const before = router.state
      if (router.state === 'BACKUP') this.#machine.backupReceives(router, header, bytes, to)
      else if (yield* this.#machine.masterReceives(router, header, bytes, to)) {
        yield* this.#machine.leaveMaster(router, false)
      }
      yield* this.#machine.follow(before, router)
      if (router.state !== 'MASTER' || !router.lowerPrioNoAdvert) this.#machine.arm(router)
    }
  }

  /** Links and addresses have changed. */
  *#kernelSays(): Body<void> {
    for (;;) {
      const got = yield* this.#sys.receive(this.#events, 0, { dontWait: true })
      if (!got.ok) return
      const message = got.value.control['message'] as RouteEvent
      if ('link' in message) {
        if (message.event === 'NEWLINK') yield* this.#linkIs(message.link)
        else yield* this.#linkGone(message.link.ifindex)
      } else if (message.event === 'NEWADDR') yield* this.#addressCame(message.address)
      else yield* this.#addressGone(message.address)
    }
  }

  *#linkIs(link: LinkMessage): Body<void> {
    const nic = this.#interfaces.byIndex(link.ifindex) ?? this.#interfaces.byName(link.name)
    const before = nic ? nic.flags : 0
    const known = nic !== undefined && nic.ifindex !== 0
    const now = this.#interfaces.linkIs({ ...link, flags: before })
    if (!known && now.tracking.length > 0) this.#config.log.info(`Interface ${link.name} added`)
    if (flagsUp(before) === flagsUp(link.flags)) {
      now.flags = link.flags
      return
    }
    yield* this.#upOrDown(now, link.flags)
  }

  *#upOrDown(nic: Nic, flags: number): Body<void> {
    const up = flagsUp(flags)
    nic.flags = flags
    if (up) nic.seenUp = true
    if (nic.tracking.length > 0) {
      this.#config.log.info(`Netlink reports ${nic.name} ${up ? 'up' : 'down'}`)
      for (const { router, weight, multiplier, ignored } of [...nic.tracking]) {
        if (ignored) continue
        if (weight !== 0) {
          router.totalPriority += (up ? 1 : -1) * Math.abs(weight) * multiplier
          yield* this.#machine.setPriority(router)
        } else if (up === (multiplier === 1)) yield* this.#machine.tryUp(router, false)
        else yield* this.#machine.down(router)
      }
    }
    if (!up) yield* this.#routesLost(nic)
  }

  /** The kernel takes routes away with their interface. */
  *#routesLost(nic: Nic): Body<void> {
    for (const router of this.#config.vrrp.routers) {
      if (router.state !== 'MASTER') continue
      let lost = false
      for (const route of router.routes) {
        if (!route.set || route.nic !== nic) continue
        route.set = false
        lost ||= !route.dontTrack
      }
      if (lost) yield* this.#machine.down(router)
    }
  }

  *#linkGone(ifindex: number): Body<void> {
    const nic = this.#interfaces.byIndex(ifindex)
    if (!nic) return
    this.#config.log.info(`Interface ${nic.name} deleted`)
    if (flagsUp(nic.flags)) yield* this.#upOrDown(nic, 0)
    nic.ifindex = 0
    nic.address4 = nic.address6 = undefined
    nic.more4 = []
    nic.more6 = []
  }

  #virtual(nic: Nic, address: number, master: boolean): { router: VirtualRouter; own: VirtualAddress } | undefined {
    for (const { router } of nic.tracking) {
      if (master && router.state !== 'MASTER') continue
      for (const own of [...router.addresses, ...router.excluded]) {
        if (own.address === address && own.nic === nic) return { router, own }
      }
    }
    return undefined
  }

  *#addressCame(message: AddressMessage): Body<void> {
    const nic = this.#interfaces.byIndex(message.ifindex)
    if (!nic) return
    const address = message.local
    const { log } = this.#config
    const first = !this.#virtual(nic, address, false) && this.#interfaces.addAddress(nic, message)
    if (!first || nic.tracking.length === 0) {
      if (this.#child.options.monitorAddresses) {
        log.info(`Netlink reflector reports IP ${showAddress(address)} added to ${nic.name}`)
      }
      return
    }
    log.detail(`Assigned address ${showAddress(address)} for interface ${nic.name}`)
    for (const { router } of [...nic.tracking]) {
      if (router.nic !== nic || router.family !== 4 || router.faults === 0 || router.source !== undefined) continue
      if (router.sourceConfigured) continue
      router.source = address
      yield* this.#machine.tryUp(router, false)
    }
  }

  *#addressGone(message: AddressMessage): Body<void> {
    const nic = this.#interfaces.byIndex(message.ifindex)
    if (!nic) return
    const address = message.local
    const { log } = this.#config
    let lost = false
    if (nic.address4 === address) {
      if (nic.more4.length === 0) lost = true
      else {
        nic.address4 = nic.more4.pop()
        for (const { router } of nic.tracking) {
          if (router.nic === nic && router.family === 4 && !router.sourceConfigured) router.source = nic.address4
        }
      }
    } else nic.more4 = nic.more4.filter((each) => each !== address)
    if (lost && nic.tracking.length > 0) {
      log.detail(`Deassigned address ${showAddress(address)} from interface ${nic.name}`)
      nic.address4 = undefined
      for (const { router } of [...nic.tracking]) {
        if (router.nic !== nic || router.source !== address) continue
        if (router.sourceConfigured && !router.trackSource) continue
        yield* this.#machine.down(router)
        router.source = undefined
      }
      return
    }
    if (lost) nic.address4 = undefined
    const ours = this.#virtual(nic, address, true)
    const tracked = ours && !ours.own.dontTrack ? ours : undefined
    if (this.#child.options.monitorAddresses || tracked) {
      const text = `Netlink reflector reports IP ${showAddress(address)} removed from ${nic.name}`
      if (this.#child.options.monitorAddresses) log.info(text)
      else log.detail(text)
    }
    if (tracked?.router.state === 'MASTER') yield* this.#machine.stepDown(tracked.router)
    const fixed = this.#config.vrrp.staticAddresses.find(
      (each) => each.address === address && each.nic === nic && !each.dontTrack,
    )
    if (fixed) {
      fixed.set = false
      changeAddresses(this.#sys, log, [fixed], true)
    }
  }

  // Scripts.

  #runTrackScript(script: VrrpScript): void {
    const { log } = this.#config
    this.#loop.after(script.intervalUs, () => this.#runTrackScript(script))
    if (script.running !== 'IDLE') {
      const how = script.running === 'RUNNING' ? 'already running' : 'being timed out'
      log.info(`Track script ${script.name} is ${how}, expect idle - skipping run`)
    }
    const pid = runScript(this.#sys, script.script!, [], this.#child.options.stay)
    this.#loop.child(pid, script.timeoutUs || script.intervalUs, (ended) => this.#scriptEnds(script, pid, ended))
    script.running = 'RUNNING'
  }

  *#scriptEnds(script: VrrpScript, pid: number, ended: WaitStatus | 'timeout'): Body<void> {
    const { log } = this.#config
    if (ended === 'timeout') {
      this.#killScript(script, pid)
      return
    }
    let good = false
    let how = 'failed'
    let reason = ''
    if (ended.exit !== undefined) {
      if (ended.exit !== script.lastStatus) log.info(`Script \`${script.name}\` now returning ${ended.exit}`)
      good = ended.exit === 0
      if (good) how = 'succeeded'
      else reason = ` (exited with status ${ended.exit})`
      script.lastStatus = ended.exit
    } else {
      const { signal } = ended
      if (script.running === 'TERM' && signal === 'SIGTERM') this.#sys.kill(-pid, 'SIGKILL')
      const asked = script.running === 'TERM' ? signal === 'SIGTERM' : script.running === 'KILL'
      if (asked) how = 'timed_out'
      else reason = ` (due to signal ${signal === undefined ? 0 : SIGNALS[signal]})`
    }
    yield* this.#count(script, good, `${how}${reason}`)
    script.running = 'IDLE'
    script.init = 'DONE'
  }

  /** Enough good ones, or bad ones, in a row change what it says. */
  *#count(script: VrrpScript, good: boolean, how: string): Body<void> {
    const { log } = this.#config
    const most = script.rise + script.fall - 1
    if (good) {
      if (script.result < script.rise - 1) script.result++
      else if (script.result !== most) {
        if (script.result < script.rise) {
          log.info(`VRRP_Script(${script.name}) ${how}`)
          yield* this.#machine.scriptSays(script, true)
        }
        script.result = most
      }
    } else if (script.result > script.rise) script.result--
    else {
      if (script.result === script.rise || script.init === 'INIT' || script.init === 'INIT_RELOAD') {
        log.info(`VRRP_Script(${script.name}) ${how}`)
        yield* this.#machine.scriptSays(script, false)
      }
      script.result = 0
    }
  }

  #killScript(script: VrrpScript, pid: number): void {
    const { log } = this.#config
    const signal = script.running === 'RUNNING' ? 'SIGTERM' : 'SIGKILL'
    let seconds = 2
    if (script.running === 'KILL') {
      log.info(`Script ${script.name} child (PID ${pid}) failed to terminate after kill`)
      seconds = 10
    }
    script.running = script.running === 'RUNNING' ? 'TERM' : 'KILL'
    if (!this.#sys.kill(-pid, signal).ok) {
      log.info(`Script ${script.name} child (PID ${pid}) lost`)
      script.running = 'IDLE'
      return
    }
    this.#loop.child(pid, seconds * SECOND_US, (ended) => this.#scriptEnds(script, pid, ended))
  }

  // The end, and what signals ask for.

  *#stops(): Body<void> {
    const { vrrp, log } = this.#config
    const sys = this.#sys
    for (const pid of this.#loop.children.keys()) sys.kill(-pid, 'SIGTERM')
    this.#loop.unread(this.#events)
    sys.close(this.#events)
    this.#machine.syncDaemon?.end()
    if (!this.#child.options.keepVrrp) {
      for (const router of vrrp.routers) if (router.state === 'MASTER') yield* this.#machine.restore(router, true)
    }
    changeRoutes(sys, log, vrrp.staticRoutes, false)
    changeAddresses(sys, log, vrrp.staticAddresses, false)
    this.#closePairs()
    this.#loop.clear()
    for (const router of vrrp.routers) {
      router.state = 'STOP'
      yield* this.#notifier.instance(router)
    }
    for (const group of vrrp.groups) {
      group.state = 'STOP'
      yield* this.#notifier.group(group)
    }
    // A second, so that the kernel tells of the groups that are left.
    const wait = vrrp.routers.length > 0 || this.#loop.children.size > 0 ? SECOND_US : 0
    this.#loop.after(wait, () => this.#ends())
  }

  #ends(): void {
    this.#notifier.closeFifos()
    stopLines(this.#sys, this.#child.log)
    this.#sys.unlink(this.#child.pidFile)
    closeAll(this.#sys)
    this.#loop.stop(0)
  }

  *#reloads(): Body<void> {
    for (const router of this.#config.vrrp.routers) {
      if (router.state === 'MASTER') yield* this.#machine.advertise(router, router.effectivePriority)
    }
    this.#config.log.info('Reloading')
    for (const pid of this.#loop.children.keys()) this.#sys.kill(-pid, 'SIGTERM')
    this.#loop.children.clear()
    this.#loop.clear()
    this.#child.watchParent(this.#loop, () => this.#stops())
    this.#notifier.closeFifos()
    this.#child.reloading = true
    const failed = yield* this.#start()
    if (failed !== undefined) this.#loop.stop(failed)
  }

  #prints(): void {
    const { sys, child } = { sys: this.#sys, child: this.#child }
    child.log.info(`Printing VRRP data for process(${sys.pid}) on signal`)
    this.#loop.soon(() => this.#write('/tmp/keepalived.data', (line) => dumpData(this.#config, this.#pairs, line)))
  }

  #printsStats(): void {
    this.#child.log.info(`Printing VRRP stats for process(${this.#sys.pid}) on signal`)
    this.#loop.soon(() => this.#write('/tmp/keepalived.stats', (line) => dumpStats(this.#config, line)))
  }

  *#write(path: string, dump: (line: (text: string) => void) => void): Body<void> {
    let text = ''
    dump((line) => {
      text += `${line}\n`
    })
    const opened = yield* this.#sys.open(path, 0o1101, 0o600)
    if (!opened.ok) return
    yield* writeText(this.#sys, opened.value, text)
    this.#sys.close(opened.value)
  }
}

export type { SocketPair }

function socketAddress(address: Address, ifindex: number) {
  return isIpv6(address)
    ? { family: 'AF_INET6' as const, address: ipv6Bytes(address), port: 0, scopeId: ifindex }
    : { family: 'AF_INET' as const, address, port: 0 }
}

function showPair(pair: SocketPair): string {
  const ifindex = String(pair.nic?.ifindex ?? 0).padStart(3)
  const kind = pair.source === undefined ? 'mult' : ', un'
  const address = showAddress(pair.source ?? pair.group!)
  return `VRRP sockpool: [ifindex(${ifindex}), family(${pair.six ? 'IPv6' : 'IPv4'}), proto(${IPPROTO_VRRP}), fd(${pair.in},${pair.out}) ${kind}icast, address(${address})]`
}

/** The router of another configuration that is the same one. vrrp/vrrp.c: vrrp_exist() */
function sameRouter(router: VirtualRouter, list: readonly VirtualRouter[]): VirtualRouter | undefined {
  return list.find(
    (each) =>
      each.vrid === router.vrid &&
      each.family === router.family &&
      each.nic?.name === router.nic?.name &&
      each.unicast === router.unicast &&
      (each.unicast ? each.source === router.source : each.group === router.group),
  )
}

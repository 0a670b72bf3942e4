/**
 * Virtual routers at work: who is master, what he does, and what groups of routers do together. A step may send and wait, so each is
 * a body.
 *
 * RFC 3768 section 6.4, RFC 5798 section 6.4. keepalived 2.2.7 vrrp/vrrp.c: vrrp_state_*(); vrrp/vrrp_sync.c;
 * vrrp/vrrp_track.c; vrrp/vrrp_scheduler.c: try_up_instance(), vrrp_init_state()
 */
import { type Body, ERRNO, type Errno, type Sys, strerror } from '#kernel/core'
import type { Announcer } from './announce.ts'
import { flagsUp } from './interfaces.ts'
import type { Log } from './log.ts'
import type { Loop } from './loop.ts'
import type { SyncDaemon } from './lvs-sync.ts'
import {
  type Address,
  type GlobalConfig,
  isIpv6,
  showAddress,
  type VirtualRouter,
  type VrrpConfig,
  type VrrpScript,
} from './model.ts'
import type { Notifier } from './notify.ts'
import { changeAddresses } from './virtual-address.ts'
import { changeRoutes } from './virtual-route.ts'
import { type AdvertHeader, checkAdvert, emitAdvert, emitIpv4Advert } from './vrrp-packet.ts'

const OWNER = 255

export interface MachineOptions {
  detail: boolean
  /** -V. */
  keepAddresses: boolean
  /** -X. */
  releaseAddresses: boolean
}

export class Machine {
  readonly sys: Sys
  readonly log: Log
  readonly loop: Loop
  readonly notifier: Notifier
  readonly announcer: Announcer
  readonly options: MachineOptions
  global: GlobalConfig
  vrrp: VrrpConfig
  syncDaemon: SyncDaemon | undefined
  /** Sends by the router's socket. */
  send: (router: VirtualRouter, bytes: Uint8Array, to: Address, direct: boolean) => Body<Errno | undefined>
  /** Nobody takes over before, on the monotonic clock. */
  startNs = 0

  constructor(fields: {
    sys: Sys
    log: Log
    loop: Loop
    notifier: Notifier
    announcer: Announcer
    options: MachineOptions
    global: GlobalConfig
    vrrp: VrrpConfig
    send: Machine['send']
  }) {
    this.sys = fields.sys
    this.log = fields.log
    this.loop = fields.loop
    this.notifier = fields.notifier
    this.announcer = fields.announcer
    this.options = fields.options
    this.global = fields.global
    this.vrrp = fields.vrrp
    this.send = fields.send
  }

  #nowNs(): number {
    return this.sys.monotonicNs()
  }

  #moved(router: VirtualRouter): void {
    router.lastTransition = this.sys.realtime()
  }

  /** When its timer fires next. vrrp_init_instance_sands() */
  arm(router: VirtualRouter): void {
    const now = this.#nowNs()
    if (router.state === 'MASTER') router.dueNs = router.reloadMaster ? now : now + router.advertUs * 1000
    else if (router.state === 'BACKUP') router.dueNs = Math.max(now, this.startNs) + router.downUs * 1000
    else router.dueNs = Number.POSITIVE_INFINITY
  }

  // Sending.

  *advertise(router: VirtualRouter, priority: number): Body<void> {
    if (router.source === undefined) return
    if (router.family === 4) router.ipId = (router.ipId % 0xffff) + 1
    const told = (to: Address, errno: Errno): void => {
      const quiet = priority === 0 && errno === 'ENETUNREACH' && !(router.nic && flagsUp(router.nic.flags))
      if (quiet) return
      if (router.unicast) this.log.info(`(${router.name}) Cant send advert to ${showAddress(to)} (${strerror(errno)})`)
      else this.log.info(`(${router.name}): send advert error ${ERRNO[errno][0]} (${strerror(errno)})`)
    }
    const destinations = router.unicast ? router.peers.map(({ address }) => address) : [router.group!]
    for (const to of destinations) {
      const { source } = router
      const bytes =
        isIpv6(source) || isIpv6(to)
          ? emitAdvert(router, priority, source, to)
          : emitIpv4Advert(router, priority, source, to)
      const failed = yield* this.send(router, bytes, to, !router.unicast)
      if (failed !== undefined) told(to, failed)
    }
    router.stats.advertsSent++
  }

  // Coming and going of a master.

  *#becomeMaster(router: VirtualRouter): Body<void> {
    const { log, sys } = this
    router.stats.becomeMaster++
    if (router.version === 3 && this.options.detail && router.masterAdvertUs !== router.advertUs) {
      log.info(
        `(${router.name}) changing advert interval from ${router.masterAdvertUs / 1000}ms to locally configured ${router.advertUs / 1000}ms`,
      )
      router.masterAdvertUs = router.advertUs
    }
    this.#changeAddresses(router, true)
    router.addressesSet = true
    if (router.routes.length > 0) {
      log.detail(`(${router.name}) setting Virtual Routes`)
      changeRoutes(sys, log, router.routes, true)
    }
    yield* this.announcer.announce(router, router.garpRepeat)
    if (router.garpRefreshS > 0) router.refreshNs = this.#nowNs() + router.garpRefreshS * 1e9
    yield* this.notifier.instance(router)
    if (this.syncDaemon?.router === router) this.syncDaemon.become(true)
    this.#moved(router)
  }

  #changeAddresses(router: VirtualRouter, adds: boolean, force = false): boolean {
    const { sys, log } = this
    const verb = adds ? 'setting' : 'removing'
    const forced = force || (!adds && this.options.keepAddresses)
    let changed = false
    if (router.addresses.length > 0) {
      log.detail(`(${router.name}) ${verb} VIPs.`)
      changed = changeAddresses(sys, log, router.addresses, adds, forced)
    }
    if (router.excluded.length > 0) {
      log.detail(`(${router.name}) ${verb} E-VIPs.`)
      changed = changeAddresses(sys, log, router.excluded, adds, forced) || changed
    }
    return changed
  }

  /** What an instance that was master before a reload has now. */
  setAgain(router: VirtualRouter): boolean {
    const added = this.#changeAddresses(router, true)
    if (router.routes.length > 0) changeRoutes(this.sys, this.log, router.routes, true, true)
    return added
  }

  *goMaster(router: VirtualRouter): Body<void> {
    if (router.sync && !this.#groupMayLead(router)) {
      router.wanted = 'MASTER'
      return
    }
    router.state = 'MASTER'
    this.arm(router)
    yield* this.masterSends(router)
  }

  /** Takes away what a master has. @param tells says goodbye with priority 0 @param force also what it never set */
  *restore(router: VirtualRouter, tells: boolean, force = false): Body<void> {
    const { log, sys } = this
    if (tells) {
      yield* this.advertise(router, 0)
      router.stats.zeroSent++
      log.detail(`(${router.name}) sent 0 priority`)
    }
    if (router.routes.length > 0) {
      log.detail(`(${router.name}) removing Virtual Routes`)
      changeRoutes(sys, log, router.routes, false)
    }
    this.announcer.forget(router)
    const { keepAddresses, releaseAddresses } = this.options
    if (force || router.addressesSet || keepAddresses || releaseAddresses) {
      this.#changeAddresses(router, false, force)
      router.addressesSet = false
    }
  }

  *leaveMaster(router: VirtualRouter, tells: boolean): Body<void> {
    if (router.addressesSet && this.syncDaemon?.router === router) this.syncDaemon.become(false)
    if (router.wanted === 'BACKUP') {
      this.log.info(`(${router.name}) Entering BACKUP STATE`)
      router.preemptNs = 0
    } else if (router.wanted === 'FAULT') {
      this.log.info(`(${router.name}) Entering FAULT STATE`)
      yield* this.advertise(router, 0)
    } else {
      const wanted = router.wanted === 'MASTER' ? 2 : 0
      this.log.info(`(${router.name}) vrrp_state_leave_master called with invalid wantstate ${wanted}`)
      return
    }
    yield* this.restore(router, tells)
    router.state = router.wanted
    yield* this.notifier.instance(router)
    router.downUs = router.masterDownUs
    this.arm(router)
    router.stats.releaseMaster++
    this.#moved(router)
  }

  *leaveFault(router: VirtualRouter): Body<void> {
    if (router.wanted === 'MASTER') yield* this.goMaster(router)
    else {
      if (router.state !== router.wanted) {
        this.log.info(`(${router.name}) Entering ${router.wanted === 'BACKUP' ? 'BACKUP' : 'FAULT'} STATE`)
      }
      if (router.wanted === 'FAULT' && router.state === 'MASTER') {
        yield* this.advertise(router, 0)
        yield* this.restore(router, false)
      }
      router.state = router.wanted
      yield* this.notifier.instance(router)
      if (router.state === 'BACKUP') {
        router.preemptNs = 0
        router.masterAdvertUs = router.advertUs
      }
    }
    router.masterAdvertUs = router.advertUs
    router.downUs = router.masterDownUs
    this.arm(router)
    this.#moved(router)
  }

  // Packets and times.

  #masterInterval(router: VirtualRouter, header: AdvertHeader): void {
    if (router.version !== 3) return
    const us = header.advertCs * 10_000
    if (us === router.masterAdvertUs) return
    this.log.detail(
      `(${router.name}) advertisement interval updated from ${router.masterAdvertUs / 1000}ms to ${us / 1000}ms by master`,
    )
    router.masterAdvertUs = us
  }

  /** An advertisement comes to a backup. */
  backupReceives(router: VirtualRouter, header: AdvertHeader, bytes: Uint8Array, to: Address): void {
    const { log } = this
    const looks = !router.skipCheckAdvertAddress || router.masterSource !== router.packetSource
    const check = checkAdvert(router, this.global, header, bytes, to, log, looks)
    const now = this.#nowNs()
    if (check === 'OK' && header.priority === 0) {
      log.detail(`(${router.name}) Backup received priority 0 advertisement`)
      router.downUs = router.skewUs
      return
    }
    const delayed = router.preemptDelayUs > 0 && (router.preemptNs === 0 || router.preemptNs > now)
    if (check === 'OK' && (router.noPreempt || header.priority >= router.effectivePriority || delayed)) {
      this.#masterInterval(router, header)
      router.downUs = router.masterDownUs
      router.masterSource = router.packetSource
      router.masterPriority = header.priority
      if (router.preemptDelayUs > 0) {
        if (header.priority >= router.effectivePriority) {
          if (router.preemptNs !== 0) {
            log.detail(`(${router.name}) stop preempt delay`)
            router.preemptNs = 0
          }
        } else if (router.preemptNs === 0) {
          const us = router.preemptDelayUs
          const shown = `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}`
          log.detail(`(${router.name}) start preempt delay (${shown})`)
          router.preemptNs = now + us * 1000
        }
      }
      router.wanted = 'BACKUP'
      return
    }
    if (check === 'OK') {
      log.info(
        `(${router.name}) received lower priority (${header.priority}) advert from ${showAddress(router.packetSource!)} - discarding`,
      )
      router.masterSource = router.packetSource
    }
    // As if it hadn't come: what is left of the time runs on.
    router.downUs = Math.max(0, Math.floor((router.dueNs - now) / 1000))
  }

  /** A master's own advertisement is due, and what he does the first time. */
  *masterSends(router: VirtualRouter): Body<void> {
    yield* this.advertise(router, router.effectivePriority)
    if (!router.addressesSet) {
      this.log.info(`(${router.name}) Entering MASTER STATE`)
      yield* this.#becomeMaster(router)
      if (router.garpDelayUs > 0) {
        this.loop.after(router.garpDelayUs, () => this.announcer.announce(router, router.garpRepeat))
      }
    } else if (router.garpRefreshS > 0 && this.#nowNs() > router.refreshNs) {
      yield* this.announcer.announce(router, router.garpRefreshRepeat)
      router.refreshNs = this.#nowNs() + router.garpRefreshS * 1e9
    }
  }

  /** Who of the two has the higher address. */
  #compareSource(router: VirtualRouter): number {
    const theirs = router.packetSource!
    const ours = router.source
    if (ours === undefined || isIpv6(theirs) !== isIpv6(ours)) return 0
    if (!isIpv6(theirs) || !isIpv6(ours)) return Number(theirs) - Number(ours)
    for (const word of ['w0', 'w1', 'w2', 'w3'] as const) {
      if (theirs[word] !== ours[word]) return theirs[word] > ours[word] ? 1 : -1
    }
    return 0
  }

  /** An advertisement comes to a master; whether he is to be one no longer. */
  *masterReceives(router: VirtualRouter, header: AdvertHeader, bytes: Uint8Array, to: Address): Body<boolean> {
    const { log } = this
    if (router.wanted === 'FAULT') {
      router.masterAdvertUs = router.advertUs
      router.downUs = router.masterDownUs
      router.state = 'FAULT'
      yield* this.notifier.instance(router)
      this.#moved(router)
      return true
    }
    if (checkAdvert(router, this.global, header, bytes, to, log, true) !== 'OK') return false
    const order = this.#compareSource(router)
    const { priority } = header
    const from = showAddress(router.packetSource!)
    const higher = () => priority > router.effectivePriority || (priority === router.effectivePriority && order > 0)
    if (priority === 0 || (router.higherPrioSendAdvert && higher())) {
      yield* this.advertise(router, router.effectivePriority)
      if (priority === 0) {
        log.detail(`(${router.name}) Master received priority 0 message`)
        return false
      }
    }
    if (priority === router.effectivePriority) {
      if (order === 0) {
        log.info(`(${router.name}) WARNING - equal priority advert received from remote host with our IP address.`)
      } else if (router.effectivePriority === OWNER) {
        log.info(
          `(${router.name}) CONFIGURATION ERROR: local instance and a remote instance are both configured as address owner, please fix - reducing local priority`,
        )
        router.effectivePriority = router.basePriority = OWNER - 1
      }
    }
    if (priority < router.effectivePriority || (priority === router.effectivePriority && order < 0)) {
      const election = router.lowerPrioNoAdvert ? '' : ', forcing new election'
      log.info(
        `(${router.name}) Received advert from ${from} with lower priority ${priority}, ours ${router.effectivePriority}${election}`,
      )
      if (!router.lowerPrioNoAdvert) yield* this.advertise(router, router.effectivePriority)
      for (const each of [router, ...(router.sync?.members.filter((member) => member !== router) ?? [])]) {
        if (!each.garpLowerRepeat) continue
        yield* this.announcer.announce(each, each.garpLowerRepeat)
        if (each.garpLowerDelayUs) {
          this.loop.after(each.garpLowerDelayUs, () => this.announcer.announce(each, each.garpLowerRepeat!))
        }
      }
      yield* this.notifier.lowerPriority(router)
      return false
    }
    if (!higher()) return false
    const what =
      priority > router.effectivePriority
        ? `higher priority ${priority}, ours ${router.effectivePriority}`
        : `same priority ${priority} but higher IP address than ours`
    log.info(`(${router.name}) Master received advert from ${from} with ${what}`)
    this.#masterInterval(router, header)
    router.downUs = router.masterDownUs
    router.masterPriority = priority
    router.wanted = 'BACKUP'
    router.state = 'BACKUP'
    return true
  }

  // Groups.

  /** A group leads if all of it wants to. vrrp_sync_can_goto_master() */
  #groupMayLead(router: VirtualRouter): boolean {
    const group = router.sync!
    if (group.state === 'MASTER') return true
    if (group.members.every((each) => each === router || each.wanted === 'MASTER')) return true
    router.downUs = router.masterDownUs
    this.arm(router)
    return false
  }

  *groupBackup(router: VirtualRouter): Body<void> {
    const group = router.sync!
    if (group.state === 'BACKUP') return
    this.log.info(`VRRP_Group(${group.name}) Syncing instances to BACKUP state`)
    for (const each of group.members) {
      if (each === router || each.state === 'BACKUP') continue
      each.wanted = 'BACKUP'
      if (each.state === 'FAULT' || each.state === 'INIT') yield* this.leaveFault(each)
      else yield* this.leaveMaster(each, false)
    }
    group.state = 'BACKUP'
    yield* this.notifier.group(group)
  }

  *groupMaster(router: VirtualRouter): Body<void> {
    const group = router.sync!
    if (group.state === 'MASTER' || !this.#groupMayLead(router)) return
    this.log.info(`VRRP_Group(${group.name}) Syncing instances to MASTER state`)
    for (const each of group.members) {
      if (each === router || each.state === 'MASTER') continue
      each.wanted = 'MASTER'
      yield* this.goMaster(each)
    }
    group.state = 'MASTER'
    yield* this.notifier.group(group)
  }

  *groupFault(router: VirtualRouter): Body<void> {
    const group = router.sync!
    if (group.state === 'FAULT') return
    this.log.info(`VRRP_Group(${group.name}) Syncing instances to FAULT state`)
    for (const each of group.members) {
      if (each === router || each.state === 'FAULT') continue
      each.wanted = 'FAULT'
      if (each.state === 'MASTER') yield* this.leaveMaster(each, false)
      else if (each.state === 'BACKUP' || each.state === 'INIT') {
        each.state = 'FAULT'
        yield* this.leaveFault(each)
      }
    }
    group.state = 'FAULT'
    yield* this.notifier.group(group)
  }

  /** After an event: what a router's group does about it. */
  *follow(before: VirtualRouter['state'], router: VirtualRouter): Body<void> {
    if (!router.sync) return
    if (router.state === 'MASTER') yield* this.groupMaster(router)
    else if (router.state === 'BACKUP' && before === 'MASTER') yield* this.groupBackup(router)
  }

  // Interfaces and scripts.

  *down(router: VirtualRouter): Body<void> {
    if (router.faults++ !== 0 && router.state !== 'INIT') return
    router.wanted = 'FAULT'
    if (router.state === 'MASTER') yield* this.leaveMaster(router, true)
    else yield* this.leaveFault(router)
    if (router.sync && router.sync.faulty++ === 0) yield* this.groupFault(router)
  }

  /** @param leavesInit its last script has ended for the first time */
  *tryUp(router: VirtualRouter, leavesInit: boolean): Body<void> {
    const { sync } = router
    if (leavesInit) {
      if (router.faults > 0) return
    } else {
      router.faults--
      if (router.faults !== 0 || router.startingScripts > 0) {
        if (router.faults === 0) {
          if (sync) {
            sync.faulty--
            sync.state = 'INIT'
          }
          router.wanted = 'BACKUP'
        }
        return
      }
    }
    const owns = router.wanted === 'MASTER' && router.basePriority === OWNER
    if (!owns) router.wanted = 'BACKUP'
    router.masterAdvertUs = router.advertUs
    router.downUs = owns ? router.masterAdvertUs + router.skewUs : router.masterDownUs
    if (sync) {
      if (leavesInit) {
        if (sync.faulty > 0) return
      } else if (--sync.faulty !== 0 || sync.starting > 0) return
    }
    const { wanted } = router
    if (sync && wanted === 'MASTER' && !this.#groupMayLead(router)) router.wanted = 'BACKUP'
    yield* this.leaveFault(router)
    if (router.unicast && router.nic && router.source !== undefined) {
      const what = isIpv6(router.source) ? 'NA' : 'ARP'
      this.log.detail(`${router.name}: sending gratuitous ${what} for ${showAddress(router.source)}`)
      yield* this.announcer.tell(router.nic, router.source)
    }
    this.arm(router)
    router.wanted = wanted
    if (!sync) return
    if (router.state === 'MASTER') yield* this.groupMaster(router)
    else yield* this.groupBackup(router)
  }

  /** An address of its own has been taken away: it gives up, and soon tries again. set_vrrp_backup() */
  *stepDown(router: VirtualRouter): Body<void> {
    const soon = (each: VirtualRouter) => {
      each.downUs = each.skewUs
      this.arm(each)
    }
    router.wanted = 'BACKUP'
    yield* this.leaveMaster(router, true)
    if (router.sync) {
      for (const each of router.sync.members) {
        if (each.state !== 'MASTER') continue
        each.wanted = 'BACKUP'
        yield* this.leaveMaster(each, true)
        soon(each)
      }
      router.sync.state = 'BACKUP'
    }
    soon(router)
  }

  *setPriority(router: VirtualRouter): Body<void> {
    if (router.basePriority === OWNER) return
    const next = Math.max(1, Math.min(OWNER - 1, router.totalPriority))
    if (next === router.effectivePriority) return
    this.log.info(`(${router.name}) Changing effective priority from ${router.effectivePriority} to ${next}`)
    router.effectivePriority = next
    const before = router.downUs
    router.downUs = router.masterDownUs
    if (router.state === 'BACKUP') router.dueNs += (router.downUs - before) * 1000
    if (router.notifyPriorityChanges) yield* this.notifier.priority(router)
  }

  /** A script's result has changed what it says. update_script_priorities() */
  *scriptSays(script: VrrpScript, good: boolean): Body<void> {
    for (const { router, weight, multiplier } of script.tracking) {
      if (weight === 0) {
        let leaves = false
        if (script.init === 'INIT' && --router.startingScripts === 0) {
          leaves = true
          if (router.sync) router.sync.starting--
        }
        if (good !== (multiplier === 1)) yield* this.down(router)
        else if (router.startingScripts === 0 && script.init !== 'INIT_RELOAD' && !router.sync?.starting) {
          yield* this.tryUp(router, leaves)
        }
        continue
      }
      if (script.init === 'INIT' || script.init === 'INIT_RELOAD') {
        if (good ? weight > 0 : weight < 0) router.totalPriority += weight * multiplier
      } else router.totalPriority += (good ? 1 : -1) * Math.abs(weight) * multiplier
      yield* this.setPriority(router)
    }
  }

  // The beginning.

  /** vrrp_init_state() */
  *begin(): Body<void> {
    const { log } = this
    for (const group of this.vrrp.groups) {
      if ((group.state === 'FAULT' || group.state === 'BACKUP') && !group.sameAtReload)
        yield* this.notifier.group(group)
      group.sameAtReload = false
    }
    for (const router of this.vrrp.routers) {
      const before = router.state
      if (router.state === 'FAULT') router.wanted = 'FAULT'
      const next = router.sync ? router.sync.state : router.wanted
      const up = router.faults === 0
      const ready = up && router.startingScripts === 0 && !router.sync?.starting
      const leads = router.basePriority === OWNER || router.reloadMaster
      if (ready && next === 'MASTER' && leads && router.wanted === 'MASTER') {
        if (this.syncDaemon?.router === router) this.syncDaemon.begin(router.state === 'MASTER')
        if (!router.reloadMaster) {
          router.state = 'BACKUP'
          router.downUs = 1
        }
      } else {
        router.downUs =
          next === 'BACKUP' && router.wanted === 'MASTER'
            ? router.masterAdvertUs + router.skewOf(1)
            : router.masterDownUs
        if (this.syncDaemon?.router === router) this.syncDaemon.begin(false)
        yield* this.restore(router, false)
        if (ready && next !== 'FAULT') {
          if (router.state !== 'BACKUP') {
            log.info(`(${router.name}) Entering BACKUP STATE (init)`)
            router.state = 'BACKUP'
          }
        } else {
          if (before !== router.state) log.info(`(${router.name}) Entering FAULT STATE (init)`)
          router.state = 'FAULT'
        }
        if (before !== router.state) {
          this.#moved(router)
          if (router.state !== 'FAULT' || router.faults > 0) yield* this.notifier.instance(router)
        }
      }
    }
  }
}

/**
 * From what was written to what runs: defaults, contradictions, who belongs to whom. keepalived 2.2.7 vrrp/vrrp.c:
 * vrrp_complete_init(), vrrp_complete_instance(); vrrp/vrrp_sync.c: vrrp_sync_set_group()
 */
import { NotModelled } from '#base/check'
import type { Body, Sys } from '#kernel/core'
import { isLinkLocalIpv6 } from '#wire/inet'
import type { Configuration } from './configuration.ts'
import { flagsUp, IFF_MULTICAST, IFF_NOARP, IFF_POINTOPOINT, type Nic } from './interfaces.ts'
import { isIpv6, type NotifyScripts, type SyncGroup, showAddress, type VirtualRouter } from './model.ts'
import { SECOND_US } from './numbers.ts'
import { checkScript, type Verdict } from './scripts.ts'

const OWNER = 255
const DEFAULT_PRIORITY = 100

/** Whether it can run. */
export function* completeVrrp(sys: Sys, config: Configuration): Body<boolean> {
  const { global, vrrp } = config
  global.garpLowerRepeat ??= global.garpRepeat
  global.garpLowerDelayUs ??= global.garpDelayUs
  yield* checkScripts(sys, config)
  for (const router of vrrp.routers) {
    if (router.vrid === 0) {
      config.wrong(`(${router.name}) the virtual router id must be set`)
      return false
    }
    if (!router.nic && !router.unicastConfigured) {
      config.wrong(`(${router.name}) Unknown interface!`)
      return false
    }
  }
  vrrp.groups = vrrp.groups.filter((group) => joinMembers(config, group))
  for (const router of vrrp.routers) if (!completeRouter(config, router)) return false
  if (conflicts(config)) return false
  for (const router of vrrp.routers) router.faults = router.configFaults
  if (!config.reloading) forgetResidual(config)
  for (const router of vrrp.routers) chooseSource(config, router)
  trackByGroups(config)
  return true
}

/** Scripts that can't be run are forgotten. */
function* checkScripts(sys: Sys, config: Configuration): Body<void> {
  const { vrrp, log, global } = config
  if (vrrp.routers.length === 0) return
  const found: Verdict[] = []
  for (const script of vrrp.scripts) {
    const verdict = yield* checkScript(sys, log, script.script!, global.scriptSecurity)
    found.push(verdict)
    if (verdict.inhibited) config.wrong(`Disabling track script ${script.name} due to insecure`)
    else if (verdict.missing) config.wrong(`Disabling track script ${script.name} since not found/accessible`)
    script.insecure = verdict.disabled
  }
  const fields: (keyof NotifyScripts)[] = ['backup', 'master', 'fault', 'stop', 'deleted', 'any', 'masterRxLowerPri']
  for (const owner of [...vrrp.routers, ...vrrp.groups]) {
    for (const field of fields) {
      const script = owner.notify[field]
      if (!script) continue
      const verdict = yield* checkScript(sys, log, script, global.scriptSecurity)
      found.push(verdict)
      if (verdict.disabled) owner.notify[field] = undefined
    }
    owner.scripts = owner.scripts.filter(({ script }) => !script.insecure)
  }
  for (const fifo of [global.notifyFifo, global.vrrpNotifyFifo]) {
    if (!fifo.script) continue
    const verdict = yield* checkScript(sys, log, fifo.script, global.scriptSecurity)
    found.push(verdict)
    if (verdict.disabled) fifo.script = undefined
  }
  tellInsecure(config, found)
  vrrp.scripts = vrrp.scripts.filter((script) => !script.insecure)
}

/** Scripts run by root without enable_script_security are worth a line. */
export function tellInsecure(config: Configuration, found: readonly Verdict[]): void {
  if (config.global.scriptSecurity || !found.some(({ isScript }) => isScript)) return
  const worse = found.some(({ insecure }) => insecure) ? ' There are insecure scripts.' : ''
  config.reader.report(
    'SECURITY',
    `SECURITY VIOLATION - scripts are being executed but script_security not enabled.${worse}`,
  )
}

function joinMembers(config: Configuration, group: SyncGroup): boolean {
  if (!group.named) {
    config.wrong(`Sync group ${group.name} has no virtual router(s). removing`)
    return false
  }
  let faulty = false
  for (const name of group.named) {
    const router = config.vrrp.routers.find((each) => each.name === name)
    if (!router) {
      config.wrong(`Virtual router ${name} specified in sync group ${group.name} doesn't exist - ignoring`)
      continue
    }
    if (router.sync) {
      config.wrong(`Virtual router ${name} cannot exist in more than one sync group; ignoring ${group.name}`)
      continue
    }
    group.members.push(router)
    router.sync = group
    if (group.state === 'MASTER' && router.wanted === 'BACKUP') {
      config.wrong(
        `Sync group ${group.name} has some member(s) as address owner and some not as address owner. This won't work.`,
      )
    }
    if (group.state !== 'BACKUP') {
      group.state = router.wanted === 'MASTER' && router.basePriority === OWNER ? 'MASTER' : 'BACKUP'
    }
    if (router.state === 'FAULT') faulty = true
  }
  group.named = undefined
  if (faulty) group.state = 'FAULT'
  if (group.members.length === 0) {
    config.wrong(`Sync group ${group.name}, no matching virtual router found in group declaration - removing`)
    return false
  }
  if (group.members.length === 1) {
    config.wrong(`Sync group ${group.name} has only 1 virtual router(s) - this probably isn't what you want`)
  }
  return true
}

function completeRouter(config: Configuration, router: VirtualRouter): boolean {
  const { global } = config
  const say = (text: string) => config.wrong(`(${router.name}) ${text}`)
  router.strict ??= global.strict
  const { strict } = router
  if (router.family === 6) {
    if (router.version === 2 && strict) {
      say('cannot use IPv6 with VRRP version 2; setting version 3')
      router.version = 3
    } else router.version ||= 3
  }
  router.family ??= 4
  router.version ||= global.version
  if (router.family === 4 && router.ttl === -1) router.ttl = 255
  if (router.addresses.length === 0) {
    if (router.version === 3 || strict) {
      say('No VIP specified; at least one is required')
      return false
    }
    say('No VIP specified; at least one is sensible')
  }
  if (router.basePriority === 0) router.basePriority = router.wanted === 'MASTER' ? OWNER : DEFAULT_PRIORITY
  const owner = router.basePriority === OWNER
  if (router.wanted === 'INIT') router.wanted = owner ? 'MASTER' : 'BACKUP'
  else if (strict && (router.wanted === 'MASTER') !== owner) {
    say('State MASTER must match being address owner')
    router.wanted = owner ? 'MASTER' : 'BACKUP'
  }
  settleAuthentication(router, say)
  const nic = router.nic
  if (strict && router.unicast && nic && nic.ifindex !== 0 && nic.flags & IFF_MULTICAST) {
    say('Unicast peers are not supported in strict mode')
    return false
  }
  if (!nic) {
    if (!router.sourceConfigured) {
      config.wrong(`(${router.name}): Unicast instances must have unicast_src_ip or interface`)
      return false
    }
    if (router.source !== undefined && isIpv6(router.source) && isLinkLocalIpv6(router.source)) {
      say('Non link-local address required if interface omitted')
      return false
    }
  }
  if (router.unicastConfigured) {
    if (router.peers.length > 0) router.unicast = true
    else if (router.unicastFaultNoPeer) {
      config.log.info(`(${router.name}) Cannot use unicast without any peers - going to fault state`)
      router.configFaults++
    } else {
      config.reader.report(
        'DEPRECATED',
        `(${router.name}) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration.`,
      )
    }
  }
  if (nic && nic.ifindex !== 0) {
    if (!(nic.flags & IFF_MULTICAST) && !router.unicast) {
      say(`interface ${nic.name} does not support multicast, specify unicast peers - disabling`)
      router.configFaults++
    }
    if (config.log.detailed && nic.flags & IFF_NOARP && !(nic.flags & IFF_POINTOPOINT)) {
      say('disabling ARP since interface does not support it')
    }
  }
  const first = router.addresses[0]
  if (router.family === 6 && !router.unicast && first && isIpv6(first.address) && !isLinkLocalIpv6(first.address)) {
    if (strict) say('the first IPv6 VIP address must be link local')
    else config.log.info(`(${router.name}) the first IPv6 VIP address should be link local`)
  }
  limitAddresses(router, say)
  settlePreemption(router, say)
  if (router.downTimerAdverts !== 3 && strict) {
    say('down_timer_adverts is incompatible with strict mode - resetting')
    router.downTimerAdverts = 3
  }
  router.state = 'INIT'
  router.configuredState = router.wanted
  router.accept ??= owner ? true : !strict
  if (router.accept && !owner && strict && router.version === 2) {
    say('warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting')
    router.accept = false
  }
  if (!router.accept && !owner) throw new NotModelled('keepalived: no_accept and strict mode, which need nftables')
  if (!router.unicast) router.group ??= router.family === 4 ? global.mcast4 : global.mcast6
  else if (router.group !== undefined) {
    say('multicast destination specified with unicast - ignoring')
    router.group = undefined
  }
  settleRepeats(config, router, say)
  settleInterval(router, say)
  settleInterfaces(config, router)
  ignoreWeights(router, say)
  for (const tracked of router.scripts) {
    tracked.script.tracking.push({ router, weight: tracked.weight, multiplier: tracked.reverse ? -1 : 1 })
  }
  for (const route of router.routes)
    if (!route.dontTrack && route.nic) trackInterface(config, router, route.nic, 0, false, 'ROUTE')
  // Whatever an earlier run may have left is taken away.
  router.addressesSet = !config.reloading && nic?.ifindex !== 0
  return true
}

function settleAuthentication(router: VirtualRouter, say: (text: string) => void): void {
  const { authType } = router
  if (authType === 'NONE') return
  if (router.strict) say('Strict mode does not support authentication. Ignoring.')
  else if (router.version === 3) say('VRRP version 3 does not support authentication. Ignoring.')
  else if (router.authData[0] === 0) say('Authentication specified but no password given. Ignoring')
  else if (authType === 'AH') {
    if (router.family !== 6) throw new NotModelled('keepalived: authentication by AH')
    say('Cannot use AH authentication with IPv6. ignoring')
  } else return
  router.authType = 'NONE'
}

/** What doesn't fit in an advertisement isn't told in it. */
function limitAddresses(router: VirtualRouter, say: (text: string) => void): void {
  const six = router.family === 6
  const header = 14 + (six ? 40 : 20) + 8 + (!six && router.version === 2 ? 8 : 0)
  const most = Math.min(255, Math.floor(((router.nic?.mtu ?? 1500) - header) / (six ? 16 : 4)))
  const { length } = router.addresses
  if (length <= most) return
  say(
    `Number of VIPs (${length}) exceeds maximum/space available in packet (max ${most} addresses) - excess moved to eVIPs`,
  )
  router.excluded.push(...router.addresses.splice(most))
}

function settlePreemption(router: VirtualRouter, say: (text: string) => void): void {
  if (router.basePriority === OWNER && router.noPreempt) {
    say(`nopreempt is incompatible with priority ${OWNER}. resetting nopreempt`)
    router.noPreempt = false
  }
  router.effectivePriority = router.totalPriority = router.basePriority
  if (router.wanted === 'MASTER') {
    if (router.noPreempt) {
      say('Warning - nopreempt will not work with initial state MASTER - clearing')
      router.noPreempt = false
    }
    if (router.preemptDelayUs > 0) {
      say('Warning - preempt delay will not work with initial state MASTER - clearing')
      router.preemptDelayUs = 0
    }
  }
  if (router.preemptDelayUs === 0) return
  if (router.strict) {
    say('preempt_delay is incompatible with strict mode - resetting')
    router.preemptDelayUs = 0
  }
  if (router.noPreempt) {
    say('preempt_delay is incompatible with nopreempt mode - resetting')
    router.preemptDelayUs = 0
  }
}

function settleRepeats(config: Configuration, router: VirtualRouter, say: (text: string) => void): void {
  const { global } = config
  const { strict } = router
  if (strict && router.garpLowerRepeat) {
    say('Strict mode requires no repeat garps. resetting')
    router.garpLowerRepeat = 0
  }
  router.garpLowerRepeat ??= strict ? 0 : global.garpLowerRepeat!
  if (strict && router.garpLowerDelayUs) {
    say('Strict mode requires no repeat garp delay. resetting')
    router.garpLowerDelayUs = 0
  }
  router.garpLowerDelayUs ??= strict ? 0 : global.garpLowerDelayUs!
  if (strict && router.lowerPrioNoAdvert === false) {
    say('Strict mode requires no lower priority advert. resetting')
    router.lowerPrioNoAdvert = true
  }
  router.lowerPrioNoAdvert ??= strict ? true : global.lowerPrioNoAdvert
  if (strict && router.higherPrioSendAdvert) {
    say('strict mode requires higher_prio_send_advert to be clear. resetting')
    router.higherPrioSendAdvert = false
  }
  router.higherPrioSendAdvert ??= strict ? false : global.higherPrioSendAdvert
  router.smtpAlert ??= global.smtpAlertVrrp ?? global.smtpAlert ?? false
  router.notifyPriorityChanges ??= router.sync?.notifyPriorityChanges ?? global.notifyPriorityChanges
}

function settleInterval(router: VirtualRouter, say: (text: string) => void): void {
  router.advertUs ||= SECOND_US
  const shown = (us: number, digits: number) => (us / SECOND_US).toFixed(digits)
  if (router.version === 2) {
    if (router.advertUs >= 256 * SECOND_US) {
      say(
        `VRRPv2 advertisement interval ${shown(router.advertUs, 2)}s is out of range. Must be less than 256s. Setting to 255s`,
      )
      router.advertUs = 255 * SECOND_US
    } else if (router.advertUs % SECOND_US !== 0) {
      say(`VRRPv2 advertisement interval ${shown(router.advertUs, 6)}s must be an integer. rounding`)
      router.advertUs = Math.max(1, Math.floor((router.advertUs + SECOND_US / 2) / SECOND_US)) * SECOND_US
    }
  } else if (router.advertUs >= 4096 * 10_000) {
    say(
      `VRRPv3 advertisement interval ${shown(router.advertUs, 2)}s is out of range. Must be less than 40.96s. Setting to 40.95s`,
    )
    router.advertUs = 4095 * 10_000
  } else if (router.advertUs % 10_000 !== 0) {
    say(`VRRPv3 advertisement interval ${shown(router.advertUs, 6)}s must be in units of 10ms - rounding`)
    router.advertUs = Math.max(1, Math.floor((router.advertUs + 5000) / 10_000)) * 10_000
  }
  router.masterAdvertUs = router.advertUs
}

type TrackedFor = 'VRRP' | 'IF' | 'GROUP' | 'ADDRESS' | 'ROUTE'

/** A router looks at an interface from now on; one that does so already may get another weight. */
function trackInterface(
  config: Configuration,
  router: VirtualRouter,
  nic: Nic,
  weight: number | 'none',
  reverse: boolean,
  why: TrackedFor,
): void {
  if (nic.tracking.length === 0) {
    if (why === 'VRRP' || why === 'GROUP') {
      if (nic.address4 !== undefined)
        config.log.detail(`Assigned address ${showAddress(nic.address4)} for interface ${nic.name}`)
      if (nic.address6 !== undefined)
        config.log.detail(`Assigned address ${showAddress(nic.address6)} for interface ${nic.name}`)
    }
  } else {
    const there = nic.tracking.find((each) => each.router === router)
    if (there) {
      if (there.weight !== 0 && weight !== 'none') {
        there.weight = weight
        there.multiplier = reverse ? -1 : 1
      }
      return
    }
  }
  nic.tracking.push({
    router,
    weight: weight === 'none' ? 0 : weight,
    multiplier: reverse ? -1 : 1,
    ignored: weight === 'none',
  })
}

function settleInterfaces(config: Configuration, router: VirtualRouter): void {
  if (router.nic) {
    router.interfaces = router.interfaces.filter(({ nic, weight, reverse }) => {
      if (nic === router.nic) {
        config.wrong(`(${router.name}) Ignoring track_interface ${nic.name} since own interface`)
        return false
      }
      trackInterface(config, router, nic, weight, reverse, 'IF')
      return true
    })
    trackInterface(config, router, router.nic, router.dontTrackPrimary ? 'none' : 0, false, 'VRRP')
  }
  for (const list of [router.addresses, router.excluded]) {
    for (const each of [...list]) {
      each.nic ??= router.nic
      if (!each.nic) {
        const kind = list === router.addresses ? '' : 'e'
        config.wrong(`(${router.name}): no interface for ${kind}vip ${showAddress(each.address)} - removing`)
        list.splice(list.indexOf(each), 1)
        continue
      }
      if (!each.dontTrack && (!router.dontTrackPrimary || each.nic !== router.nic)) {
        trackInterface(config, router, each.nic, 0, false, 'ADDRESS')
      }
    }
  }
}

/** Priorities of a group's members don't float, nor does an owner's. */
function ignoreWeights(router: VirtualRouter, say: (text: string) => void): void {
  const grouped = router.sync !== undefined && !router.sync.trackingWeight
  if (!grouped && router.basePriority !== OWNER) return
  for (const tracked of [...router.interfaces]) {
    if (tracked.weight === 0) continue
    say(
      `ignoring ${tracked.nic.name} tracked interface ${grouped ? 'weight ' : ''}due to ${grouped ? 'SYNC group' : 'address owner'}`,
    )
    if (grouped) tracked.weight = 0
    else router.interfaces = router.interfaces.filter((each) => each !== tracked)
  }
  for (const tracked of [...router.scripts]) {
    if (tracked.weight === 0) continue
    say(
      `ignoring tracked script ${tracked.script.name} with weights due to ${grouped ? 'SYNC group' : 'address_owner'}`,
    )
    router.scripts = router.scripts.filter((each) => each !== tracked)
  }
}

/** Two routers with one number on one interface. */
function conflicts(config: Configuration): boolean {
  const { routers } = config.vrrp
  let found = false
  routers.forEach((one, i) => {
    for (const other of routers.slice(i + 1)) {
      if (one.family !== other.family || one.vrid !== other.vrid || one.unicast !== other.unicast) continue
      if (one.unicast) {
        if (one.nic && other.nic && one.nic !== other.nic) continue
        const address = (router: VirtualRouter) =>
          router.source ?? (router.family === 4 ? router.nic?.address4 : router.nic?.address6)
        if (address(one) === undefined || address(one) !== address(other)) continue
        one.duplicateVrid = other.duplicateVrid = true
        if (!one.peers.some((peer) => other.peers.some(({ address: each }) => each === peer.address))) continue
        config.wrong(`(${one.name}) duplicate VRID conflict with ${other.name} VRID ${one.vrid}`)
        found = true
      } else if (one.nic === other.nic && one.group === other.group && one.nic!.ifindex !== 0) {
        config.wrong(
          `${one.name} and ${other.name} both use VRID ${one.vrid} with IPv${one.family} on interface ${one.nic!.name}`,
        )
        found = true
      }
    }
  })
  return found
}

/** Virtual addresses that are there already are none to send from. */
function forgetResidual({ vrrp, interfaces }: Configuration): void {
  for (const router of vrrp.routers) {
    if (!router.addressesSet) continue
    for (const { nic, address } of [...router.addresses, ...router.excluded]) if (nic) interfaces.forget(nic, address)
  }
}

function chooseSource(config: Configuration, router: VirtualRouter): void {
  const { nic } = router
  if (router.sourceConfigured || !nic || nic.ifindex === 0) return
  const address = router.family === 4 ? nic.address4 : nic.address6
  if (address === undefined && router.source !== undefined && !config.interfaces.dynamic) {
    config.wrong(`(${router.name}) Cannot find an IP address to use for interface ${nic.name}`)
  }
  router.source = address
}

function trackByGroups(config: Configuration): void {
  for (const group of config.vrrp.groups) {
    const owner = group.members.some(({ basePriority }) => basePriority === OWNER)
    for (const tracked of group.scripts) {
      if (owner && tracked.weight !== 0) {
        config.wrong(
          `(${group.name}) Cannot have weighted track script '${tracked.script.name}' with member having priority ${OWNER} - clearing weight`,
        )
        tracked.weight = 0
      }
      for (const router of group.members) trackScript(config, router, tracked)
    }
    for (const tracked of group.interfaces) {
      if (owner && tracked.weight !== 0) {
        config.wrong(
          `(${group.name}) Cannot have weighted track interface '${tracked.nic.name}' with member having priority ${OWNER} - clearing weight`,
        )
        tracked.weight = 0
      }
      for (const router of group.members) {
        trackInterface(config, router, tracked.nic, tracked.weight, tracked.reverse, 'GROUP')
      }
    }
    group.smtpAlert ??= config.global.smtpAlertVrrp ?? config.global.smtpAlert ?? false
  }
}

function trackScript(config: Configuration, router: VirtualRouter, tracked: SyncGroup['scripts'][number]): void {
  const there = tracked.script.tracking.find((each) => each.router === router)
  if (!there) {
    tracked.script.tracking.push({ router, weight: tracked.weight, multiplier: tracked.reverse ? -1 : 1 })
    return
  }
  config.log.info(
    `(${router.name}) track_script ${tracked.script.name} is configured on VRRP instance and sync group. Remove vrrp instance config`,
  )
  if (there.weight === 0) return
  there.weight = tracked.weight
  there.multiplier = tracked.reverse ? -1 : 1
}

/** Priorities and faults as interfaces and scripts are now. vrrp/vrrp_track.c: initialise_tracking_priorities() */
export function initialTracking(config: Configuration, setPriority: (router: VirtualRouter) => void): void {
  const { log, vrrp, interfaces } = config
  const fault = (router: VirtualRouter) => {
    router.state = 'FAULT'
    router.faults++
  }
  for (const nic of interfaces.all) {
    for (const { router, weight, multiplier, ignored } of nic.tracking) {
      if (ignored) continue
      const up = flagsUp(nic.flags)
      if (weight === 0) {
        if (up === (multiplier === 1)) continue
        log.info(`(${router.name}): entering FAULT state (interface ${nic.name} down)`)
        fault(router)
      } else if (up ? weight > 0 : weight < 0) router.totalPriority += weight * multiplier
    }
  }
  for (const router of vrrp.routers) {
    if (router.source === undefined) {
      log.info(`(${router.name}) entering FAULT state (no IPv${router.family} address for interface)`)
      fault(router)
    }
    for (const { script, weight } of [...router.scripts, ...(router.sync?.scripts ?? [])]) {
      if (weight === 0) {
        const failed = script.init !== 'INIT_RELOAD' && script.result >= 0 && script.result < script.rise
        if (script.init === 'INIT') router.startingScripts++
        else if (script.init === 'FAILED' || failed) {
          log.info(`(${router.name}): entering FAULT state due to script ${script.name}`)
          fault(router)
        }
      } else if (router.basePriority !== OWNER && script.init !== 'INIT' && script.init !== 'INIT_RELOAD') {
        const good = script.result >= script.rise
        if (good ? weight > 0 : weight < 0) router.totalPriority += weight
      }
    }
    setPriority(router)
    const { sync } = router
    if (!sync) continue
    if (router.state === 'FAULT') {
      if (sync.state !== 'FAULT') {
        sync.state = 'FAULT'
        log.info(`VRRP_Group(${sync.name}): Syncing ${router.name} to FAULT state`)
      }
      sync.faulty++
    }
    if (router.startingScripts > 0) {
      sync.starting++
      if (sync.state !== 'FAULT') sync.state = 'INIT'
    }
  }
}

/**
 * A bond's options, as rtnetlink and /sys set them.
 *
 * Linux 6.1 drivers/net/bonding/bond_options.c: __bond_opt_set(), bond_opts[]; bond_netlink.c: bond_changelink().
 */
import { NotModelled } from '#base/check'
import type { Errno } from '#kernel/core'
import { deviceByIndex, type LinkData, type Refusal, refuse } from '#kernel/net'
import { formatIpv4 } from '#wire/inet'
import { changeActive, selectActive } from './active.ts'
import { type Bond, MODES, type Mode, POLICIES, slaveOf } from './bond.ts'
import { activeAggregator } from './lacp.ts'

export const FAIL_OVER_MACS = ['none', 'active', 'follow'] as const
export const RESELECTS = ['always', 'better', 'failure'] as const
export const AD_SELECTS = ['stable', 'bandwidth', 'count'] as const

const INT_MAX = 0x7fffffff
const ONLY_LACP: readonly Mode[] = ['802.3ad']
const WITH_PRIMARY: readonly Mode[] = ['active-backup', 'balance-tlb', 'balance-alb']
const WITH_ARP: readonly Mode[] = ['balance-rr', 'active-backup', 'balance-xor', 'broadcast']
const MAX_TARGETS = 16

interface BondOption {
  /** Its name in rtnetlink's data; in the log and in /sys it is `name`. */
  key: string
  name?: string
  /** The modes that have it; all if absent. */
  modes?: readonly Mode[]
  /** Not while it has slaves, or while it is up. */
  noSlaves?: boolean
  down?: boolean
  min?: number
  max?: number
  /** Words instead of a number. */
  words?: readonly string[]
  set(bond: Bond, value: never): Errno | undefined | void
}

function delay(bond: Bond, name: string, value: number, set: (rounds: number) => void): Errno | undefined {
  const { miimon } = bond
  if (miimon === 0) {
    bond.log(3, `Unable to set ${name} as MII monitoring is disabled`)
    return 'EPERM'
  }
  const rounds = Math.floor(value / miimon)
  if (value % miimon !== 0) {
    bond.log(4, `${name} (${value}) is not a multiple of miimon (${miimon}), value rounded to ${rounds * miimon} ms`)
  }
  set(rounds)
  return undefined
}

function number(
  key: string,
  set: (bond: Bond, value: number) => Errno | undefined | void,
  rest: Partial<BondOption> = {},
): BondOption {
  return { key, max: INT_MAX, ...rest, set: (bond: Bond, value: never) => set(bond, value) }
}

function word<T extends string>(
  key: string,
  words: readonly T[],
  set: (bond: Bond, value: T) => void,
  rest: Partial<BondOption> = {},
): BondOption {
  return { key, words, ...rest, set: (bond: Bond, value: never) => set(bond, value) }
}

const ON_OFF = { max: 1 }

/** In the order in which a request's are set. */
export const OPTIONS: readonly BondOption[] = [
  word('mode', MODES, setMode, { noSlaves: true, down: true }),
  { key: 'active_slave', modes: WITH_PRIMARY, set: (bond: Bond, value: never) => setActiveSlave(bond, value) },
  number('miimon', setMiimon),
  number('updelay', (bond, value) => delay(bond, 'up delay', value, (rounds) => (bond.updelay = rounds))),
  number('downdelay', (bond, value) => delay(bond, 'down delay', value, (rounds) => (bond.downdelay = rounds))),
  number(
    'peer_notify_delay',
    (bond, value) => delay(bond, 'peer notification delay', value, (rounds) => (bond.peerNotifyDelay = rounds)),
    { name: 'peer_notif_delay', max: 300_000 },
  ),
  number('use_carrier', (bond, value) => void (bond.useCarrier = value), ON_OFF),
  number('arp_interval', setArpInterval, { modes: WITH_ARP }),
  { key: 'arp_ip_target', set: (bond: Bond, value: never) => setTargets(bond, value) },
  word('arp_validate', ['none'], () => undefined, { modes: WITH_ARP }),
  word('arp_all_targets', ['any', 'all'], (bond, value) => void (bond.arpAllTargets = value)),
  { key: 'primary', modes: WITH_PRIMARY, set: (bond: Bond, value: never) => setPrimary(bond, value) },
  word('primary_reselect', RESELECTS, (bond, value) => {
    bond.primaryReselect = value
    if (bond.usesPrimary) selectActive(bond)
  }),
  word('fail_over_mac', FAIL_OVER_MACS, (bond, value) => void (bond.failOverMac = value), { noSlaves: true }),
  word('xmit_hash_policy', POLICIES, (bond, value) => void (bond.policy = value)),
  number('resend_igmp', (bond, value) => void (bond.resendIgmp = value), { max: 255 }),
  number('num_peer_notif', (bond, value) => void (bond.peerNotifications = value), { name: 'num_grat_arp', max: 255 }),
  number('all_slaves_active', setAllActive, ON_OFF),
  number('min_links', (bond, value) => void (bond.minLinks = value)),
  number('lp_interval', (bond, value) => void (bond.lpInterval = value), { min: 1 }),
  number('packets_per_slave', (bond, value) => void (bond.packetsPerSlave = value), {
    modes: ['balance-rr'],
    max: 0xffff,
  }),
  word('ad_lacp_active', ['off', 'on'], (bond, value) => void (bond.lacpActive = value === 'on'), {
    name: 'lacp_active',
    modes: ONLY_LACP,
    down: true,
  }),
  word('ad_lacp_rate', ['slow', 'fast'], setLacpRate, { name: 'lacp_rate', modes: ONLY_LACP, down: true }),
  word('ad_select', AD_SELECTS, (bond, value) => void (bond.adSelect = value), { down: true }),
  number('ad_actor_sys_prio', (bond, value) => void (bond.adActorSystemPriority = value), {
    modes: ONLY_LACP,
    min: 1,
    max: 65535,
  }),
  number('ad_user_port_key', (bond, value) => void (bond.adUserPortKey = value), {
    modes: ONLY_LACP,
    down: true,
    max: 1023,
  }),
  number('ad_actor_system', (bond, value) => void (bond.adActorSystem = value), {
    modes: ONLY_LACP,
    max: 0xffff_ffff_ffff,
  }),
  number('tlb_dynamic_lb', (bond, value) => void (bond.tlbDynamic = value), {
    modes: ['balance-tlb', 'balance-alb'],
    down: true,
    max: 1,
  }),
  number('arp_missed_max', (bond, value) => void (bond.arpMissedMax = value), { modes: WITH_ARP, min: 1, max: 255 }),
]

function setMode(bond: Bond, mode: Mode): void {
  if (mode === 'balance-tlb' || mode === 'balance-alb') throw new NotModelled(`bonds of mode ${mode}`)
  if (!WITH_ARP.includes(mode)) {
    bond.arpInterval = 0
    if (bond.miimon === 0) bond.miimon = 100
  }
  bond.mode = mode
}

function setMiimon(bond: Bond, value: number): void {
  bond.miimon = value
  if (value !== 0) bond.arpInterval = 0
  if (!bond.up) return
  bond.miiTimer.cancel()
  if (value === 0) return
  bond.arpTimer.cancel()
  bond.miiTimer.after(0)
}

function setArpInterval(bond: Bond, value: number): void {
  bond.arpInterval = value
  if (value !== 0) bond.miimon = 0
  if (!bond.up) return
  bond.arpTimer.cancel()
  if (value === 0) return
  bond.miiTimer.cancel()
  bond.arpTimer.after(0)
}

function setLacpRate(bond: Bond, rate: 'slow' | 'fast'): void {
  bond.lacpFast = rate === 'fast'
  for (const { lacp } of bond.slaves) {
    if (bond.lacpFast) lacp?.set(2)
    else lacp?.unset(2)
  }
}

function setAllActive(bond: Bond, value: number): void {
  bond.allSlavesActive = value
  for (const slave of bond.slaves) if (!slave.active) slave.inactive = value === 0
}

function setTargets(bond: Bond, targets: readonly number[]): Errno | undefined {
  bond.arpTargets = []
  for (const target of targets) {
    if (target === 0 || target === 0xffffffff) {
      bond.log(3, `invalid ARP target ${formatIpv4(target)} specified for addition`)
      return 'EINVAL'
    }
    if (bond.arpTargets.includes(target)) {
      bond.log(3, `ARP target ${formatIpv4(target)} is already present`)
      return 'EINVAL'
    }
    if (bond.arpTargets.length === MAX_TARGETS) {
      bond.log(3, 'ARP target table is full!')
      return 'EINVAL'
    }
    bond.arpTargets = [...bond.arpTargets, target]
  }
  return undefined
}

/** By its number; 0 for none. */
function setActiveSlave(bond: Bond, index: number): Errno | undefined {
  if (index === 0) {
    changeActive(bond, undefined)
    selectActive(bond)
    return undefined
  }
  const device = deviceByIndex(bond.device.host, index)
  if (device === undefined) return 'ENODEV'
  const slave = slaveOf(device)
  if (slave === undefined || slave.bond !== bond) {
    const why = slave === undefined ? 'Device is not bonding slave' : 'Device is not our slave'
    bond.log(3, `(slave ${device.name}): ${why}`)
    return 'EINVAL'
  }
  if (slave === bond.current) return undefined
  if (bond.current === undefined || slave.link !== 'up' || !slave.isUp) {
    slave.log(3, `Could not set as active slave; either ${device.name} is down or the link is down`)
    return 'EINVAL'
  }
  changeActive(bond, slave)
  return undefined
}

function setPrimary(bond: Bond, index: number): Errno | undefined {
  if (index === 0) {
    bond.primary = undefined
    bond.primaryName = ''
    selectActive(bond)
    return undefined
  }
  const device = deviceByIndex(bond.device.host, index)
  if (device === undefined) return 'ENODEV'
  const slave = bond.slaves.find((each) => each.device === device)
  const had = bond.primary !== undefined
  bond.primaryName = device.name
  bond.primary = slave
  if (slave !== undefined) bond.forcePrimary = true
  if (slave !== undefined || had) selectActive(bond)
  return undefined
}

function refusal(bond: Bond, option: BondOption, errno: Errno, value: unknown): Refusal {
  const name = option.name ?? option.key
  const log = (text: string) => bond.log(3, `option ${name}: ${text}`)
  switch (errno) {
    case 'EINVAL':
      log(`invalid value (${value})`)
      if (option.max !== undefined) log(`allowed values ${option.min ?? 0} - ${option.max}`)
      return refuse(errno, 'invalid option value')
    case 'EACCES':
      log(`mode dependency failed, not supported in mode ${bond.mode}(${MODES.indexOf(bond.mode)})`)
      return refuse(errno, 'option not supported in mode')
    case 'ENOTEMPTY':
      log('unable to set because the bond device has slaves')
      return refuse(errno, 'unable to set option because the bond device has slaves')
    case 'EBUSY':
      log('unable to set because the bond device is up')
      return refuse(errno, 'unable to set option because the bond is up')
    case 'ENODEV':
      return refuse(errno, 'interface does not exist')
    default:
      return refuse(errno)
  }
}

/** __bond_opt_set() */
export function setOption(bond: Bond, option: BondOption, value: unknown): Refusal | undefined {
  const fault = check(bond, option, value) ?? (option.set(bond, value as never) || undefined)
  return fault === undefined ? undefined : refusal(bond, option, fault, value)
}

function check(bond: Bond, option: BondOption, value: unknown): Errno | undefined {
  if (option.modes !== undefined && !option.modes.includes(bond.mode)) return 'EACCES'
  if (option.noSlaves && bond.slaves.length > 0) return 'ENOTEMPTY'
  if (option.down && bond.up) return 'EBUSY'
  if (option.words !== undefined) return option.words.includes(String(value)) ? undefined : 'EINVAL'
  if (option.max === undefined) return undefined
  return typeof value === 'number' && value >= (option.min ?? 0) && value <= option.max ? undefined : 'EINVAL'
}

/** bond_changelink() */
export function changeBond(bond: Bond, data: LinkData): Refusal | undefined {
  for (const option of OPTIONS) {
    const value = data[option.key]
    if (value === undefined) continue
    if (option.key === 'arp_validate' && value !== 'none') throw new NotModelled('bonds with arp_validate')
    if (option.key === 'arp_interval' && value && data.miimon) {
      return refuse('EINVAL', 'ARP monitoring cannot be used with MII monitoring')
    }
    const fault = setOption(bond, option, value)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** bond_fill_info() */
export function bondData(bond: Bond): LinkData {
  const data: LinkData = {
    mode: bond.mode,
    active_slave: bond.usesPrimary ? bond.current?.device.ifindex : undefined,
    miimon: bond.miimon,
    updelay: bond.updelay * bond.miimon,
    downdelay: bond.downdelay * bond.miimon,
    peer_notify_delay: bond.peerNotifyDelay * bond.miimon,
    use_carrier: bond.useCarrier,
    arp_interval: bond.arpInterval,
    arp_missed_max: bond.arpMissedMax,
    arp_ip_target: bond.arpTargets.length > 0 ? bond.arpTargets : undefined,
    arp_validate: 'none',
    arp_all_targets: bond.arpAllTargets,
    primary: bond.primary?.device.ifindex,
    primary_reselect: bond.primaryReselect,
    fail_over_mac: bond.failOverMac,
    xmit_hash_policy: bond.policy,
    resend_igmp: bond.resendIgmp,
    num_peer_notif: bond.peerNotifications,
    all_slaves_active: bond.allSlavesActive,
    min_links: bond.minLinks,
    lp_interval: bond.lpInterval,
    packets_per_slave: bond.packetsPerSlave,
    ad_lacp_active: bond.lacpActive ? 'on' : 'off',
    ad_lacp_rate: bond.lacpFast ? 'fast' : 'slow',
    ad_select: bond.adSelect,
    tlb_dynamic_lb: bond.tlbDynamic,
  }
  if (bond.mode !== '802.3ad') return data
  data.ad_actor_sys_prio = bond.adActorSystemPriority
  data.ad_user_port_key = bond.adUserPortKey
  data.ad_actor_system = bond.adActorSystem
  const active = activeAggregator(bond)
  if (active === undefined) return data
  data.ad_info = {
    aggregator: active.id,
    num_ports: active.enabledPorts,
    actor_key: active.actorKey,
    partner_key: active.partnerKey,
    partner_mac: active.partner,
  }
  return data
}

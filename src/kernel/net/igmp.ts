/**
 * IGMP on a device: the groups that it listens to, and what routers are told of them, in the version that the oldest of
 * them speaks.
 *
 * A device on which nobody ever joined anything has none of this; it listens to 224.0.0.1 all the same. Filters by source
 * aren't modelled: whoever joins wants every sender, so that a record is always "exclude nobody".
 *
 * RFC 1112, RFC 2236, RFC 3376. Linux 6.1 net/ipv4/igmp.c: igmp_group_added(), igmp_group_dropped(),
 * igmp_ifc_timer_expire(), igmp_timer_expire(), ip_mc_up(), ip_mc_down().
 */
import type { Host } from '#kernel/core'
import { IFF_UP, type NetDevice } from './device.ts'
import { isLocalMulticast } from './fib-lookup.ts'
import { sendReport, sendV3 } from './igmp-send.ts'
import { inetState } from './ip-state.ts'
import { HZ, jiffiesOf } from './jiffies.ts'
import { WheelTimer } from './wheel-timer.ts'

export const ALL_HOSTS = 0xe0000001

// Types of messages. Linux 6.1 include/uapi/linux/igmp.h.
export const IGMP_QUERY = 0x11
export const IGMP_V1_REPORT = 0x12
export const IGMP_V2_REPORT = 0x16
export const IGMP_LEAVE = 0x17
export const IGMP_V3_REPORT = 0x22

// Types of a version 3 report's records.
const MODE_IS_EXCLUDE = 2
const CHANGE_TO_INCLUDE = 3
const CHANGE_TO_EXCLUDE = 4

/** RFC 3376 section 8.2 and 8.3, in jiffies. */
const QUERY_INTERVAL = 125 * HZ
const RESPONSE_INTERVAL = 10 * HZ

/** A group that a device listens to. struct ip_mc_list. */
export interface Group {
  readonly address: number
  users: number
  /** How often it has still to be told that it was joined. crcount. */
  changes: number
  /** The last report about it was this host's: leaving it is worth a message. */
  reporter: boolean
  unsolicited: number
  /** Until it is reported; made when first needed. */
  timer: WheelTimer | undefined
}

/** A number of chance below another, for a host's IGMP. */
function chance(host: Host, below: number): number {
  return below <= 1 ? 0 : host.sim.random(`${host.name}/igmp`).below(below)
}

/** What IGMP keeps for a device. */
export class IgmpLink {
  readonly device: NetDevice
  /** The youngest first. */
  groups: Group[] = []
  /** What was left, and how often that has still to be told. mc_tomb. */
  left: { address: number; changes: number }[] = []
  /** Jiffies until which an older router is known to be there. */
  v1UntilJiffies = 0
  v2UntilJiffies = 0
  /** What the last query of version 3 said. mr_qrv, mr_qi, mr_qri, mr_maxdelay. */
  robustness: number
  queryInterval = QUERY_INTERVAL
  responseInterval = RESPONSE_INTERVAL
  maxDelay = 1
  #rounds = 0
  readonly #change: WheelTimer
  readonly #answer: WheelTimer

  constructor(device: NetDevice) {
    this.device = device
    const { host } = device
    this.robustness = inetState.of(host).sysctls.igmpQrv
    this.#change = new WheelTimer(host, `${device.name}: IGMP changes`, () => this.#changesDue())
    this.#answer = new WheelTimer(host, `${device.name}: IGMP answer`, () => this.#answerDue())
    if (device.flags & IFF_UP) this.groups.push(newGroup(ALL_HOSTS))
  }

  find(address: number): Group | undefined {
    return this.groups.find((group) => group.address === address)
  }

  /** Whether routers are told of a group at all. */
  #silent(address: number): boolean {
    if (address === ALL_HOSTS) return true
    return isLocalMulticast(address) && inetState.of(this.device.host).sysctls.igmpLinkLocalReports === 0
  }

  get #qrv(): number {
    return this.robustness || inetState.of(this.device.host).sysctls.igmpQrv
  }

  /** The version in which is spoken. */
  get version(): 1 | 2 | 3 {
    return igmpVersion(this.device)
  }

  /** Until when a router of an old version counts as being there, that was heard now. */
  get seenUntil(): number {
    return jiffiesOf(this.device.host) + this.robustness * this.queryInterval + this.responseInterval
  }

  #unsolicitedInterval(): number {
    const { conf } = this.device.inet
    const ms = this.version === 3 ? conf.igmpv3UnsolicitedReportInterval : conf.igmpv2UnsolicitedReportInterval
    return Math.max(1, Math.ceil((ms * HZ) / 1000))
  }

  join(address: number): void {
    const found = this.find(address)
    if (found) {
      found.users++
      return
    }
    const group = newGroup(address)
    this.groups.unshift(group)
    this.#forgetLeft(group)
    this.#added(group)
    this.device.net.generation++
  }

  leave(address: number): void {
    const group = this.find(address)
    if (!group || --group.users > 0) return
    this.groups = this.groups.filter((each) => each !== group)
    this.#dropped(group)
    group.timer?.destroy()
    this.device.net.generation++
  }

  /** A group is there again that routers were still to be told was left. igmpv3_del_delrec(). */
  #forgetLeft(group: Group): void {
    const rest = this.left.filter((each) => each.address !== group.address)
    if (rest.length !== this.left.length) group.changes = this.#qrv
    this.left = rest
  }

  #added(group: Group): void {
    if (this.#silent(group.address)) return
    group.unsolicited = inetState.of(this.device.host).sysctls.igmpQrv
    if (this.version !== 3) {
      this.#startTimer(group, 1)
      return
    }
    group.changes = this.#qrv
    this.#changed()
  }

  #dropped(group: Group): void {
    if (this.#silent(group.address)) return
    const { reporter } = group
    this.stopTimer(group)
    const { version } = this
    if (version === 2 && reporter) sendReport(this.device, IGMP_LEAVE, group.address)
    if (version !== 3) return
    this.left.unshift({ address: group.address, changes: this.#qrv })
    this.#changed()
  }

  /** igmp_ifc_event(): a report in a moment, and as many more as the link may lose. */
  #changed(): void {
    if (this.version !== 3) return
    this.#rounds = this.#qrv
    this.#change.after(2)
  }

  #changesDue(): void {
    const records: [type: number, address: number][] = []
    for (const gone of this.left) {
      records.push([CHANGE_TO_INCLUDE, gone.address])
      gone.changes--
    }
    this.left = this.left.filter((gone) => gone.changes > 0)
    for (const group of this.groups) {
      if (group.changes === 0) continue
      records.push([CHANGE_TO_EXCLUDE, group.address])
      group.changes--
    }
    sendV3(this.device, this.#told(records))
    if (this.#rounds === 0) return
    this.#rounds--
    this.#change.after(chance(this.device.host, this.#unsolicitedInterval()) + 2)
  }

  /** Without those that routers aren't told of. */
  #told(records: [type: number, address: number][]): [type: number, address: number][] {
    return records.filter(([, address]) => !this.#silent(address))
  }

  #startTimer(group: Group, most: number): void {
    const { host, name } = this.device
    group.timer ??= new WheelTimer(host, `${name}: IGMP report`, () => this.#reportDue(group))
    group.timer.after(chance(host, most) + 2)
  }

  /** Somebody else has reported the group, or it is left: no need to. igmp_stop_timer(). */
  stopTimer(group: Group): void {
    group.timer?.cancel()
    group.reporter = false
    group.unsolicited = 0
  }

  #reportDue(group: Group): void {
    if (group.unsolicited > 0 && --group.unsolicited > 0) this.#startTimer(group, this.#unsolicitedInterval())
    group.reporter = true
    this.#report(group)
  }

  #report(group: Group): void {
    const { version } = this
    if (version === 3) sendV3(this.device, this.#told([[MODE_IS_EXCLUDE, group.address]]))
    else if (!this.#silent(group.address)) {
      sendReport(this.device, version === 1 ? IGMP_V1_REPORT : IGMP_V2_REPORT, group.address)
    }
  }

  /** A query of version 3 about all groups: one answer for all of them. igmp_gq_start_timer(). */
  answerAll(): void {
    const { host } = this.device
    const due = jiffiesOf(host) + chance(host, this.maxDelay) + 2
    if (!this.#answer.pending || due < this.#answer.expires) this.#answer.at(due)
  }

  #answerDue(): void {
    sendV3(this.device, this.#told(this.groups.map((group) => [MODE_IS_EXCLUDE, group.address])))
  }

  /** A query about one group, or (0) an old one about all. */
  answerEach(address: number, most: number): void {
    for (const group of this.groups) {
      if ((address !== 0 && address !== group.address) || this.#silent(group.address)) continue
      group.unsolicited = 0
      const { timer } = group
      if (timer?.pending && timer.expires - jiffiesOf(this.device.host) < most) continue
      this.#startTimer(group, most)
    }
  }

  /** An old router is there: what was to be told in version 3 is forgotten. */
  fallBack(): void {
    this.#rounds = 0
    this.#change.cancel()
    this.left = []
  }

  /** Its switch has to learn them anew: a bond has failed over. ip_mc_rejoin_groups(). */
  resend(): void {
    for (const group of this.groups) this.#report(group)
  }

  /** The device is up: every group is told anew. ip_mc_up(). */
  up(): void {
    this.queryInterval = QUERY_INTERVAL
    this.responseInterval = RESPONSE_INTERVAL
    this.robustness = inetState.of(this.device.host).sysctls.igmpQrv
    this.join(ALL_HOSTS)
    for (const group of this.groups) {
      this.#forgetLeft(group)
      this.#added(group)
    }
  }

  /** ip_mc_down(). */
  down(): void {
    for (const group of this.groups) this.#dropped(group)
    this.#rounds = 0
    this.#change.cancel()
    this.#answer.cancel()
    this.leave(ALL_HOSTS)
  }

  /** The device goes, or IPv4 leaves it. ip_mc_destroy_dev(). */
  destroy(): void {
    this.#change.destroy()
    this.#answer.destroy()
    for (const group of this.groups) group.timer?.destroy()
    this.groups = []
    this.left = []
    this.device.inet.igmp = undefined
  }
}

function newGroup(address: number): Group {
  return { address, users: 1, changes: 0, reporter: false, unsolicited: 0, timer: undefined }
}

/** The version of IGMP on a device: that of the oldest router, or the one that is forced. IGMP_V1_SEEN, IGMP_V2_SEEN. */
export function igmpVersion(device: NetDevice): 1 | 2 | 3 {
  const { inet, net, host } = device
  for (const version of [1, 2] as const) {
    if (net.confAll.forceIgmpVersion === version || inet.conf.forceIgmpVersion === version) return version
    const until = version === 1 ? inet.igmp?.v1UntilJiffies : inet.igmp?.v2UntilJiffies
    if (until !== undefined && jiffiesOf(host) < until) return version
  }
  return 3
}

/** A device's, made now if nobody has joined anything there before. */
export function igmpLink(device: NetDevice): IgmpLink {
  device.inet.igmp ??= new IgmpLink(device)
  return device.inet.igmp
}

/** Whether a device listens to a group. ip_check_mc_rcu(). */
export function inGroup(device: NetDevice, group: number): boolean {
  const { igmp } = device.inet
  return igmp === undefined ? group === ALL_HOSTS : igmp.find(group) !== undefined
}

/** The groups of a device, the youngest first. */
export function groupsOf(device: NetDevice): readonly Group[] {
  if (device.inet.igmp) return device.inet.igmp.groups
  return device.up ? [newGroup(ALL_HOSTS)] : []
}

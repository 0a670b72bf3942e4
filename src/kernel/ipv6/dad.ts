/**
 * Duplicate address detection, and the router solicitations that follow it.
 *
 * RFC 4862 section 5.4, RFC 7527, RFC 7559. Linux 6.1 net/ipv6/addrconf.c: addrconf_dad_start(), addrconf_dad_begin(),
 * addrconf_dad_work(), addrconf_dad_completed(), addrconf_dad_failure(), addrconf_dad_stop(), addrconf_rs_timer().
 */
import { HZ, IFF_LOOPBACK, IFF_NOARP } from '#kernel/net'
import { eui64, formatIpv6, IN6_ALL_NODES, IN6_ALL_ROUTERS, IN6_ANY, ipv6, solicitedNode } from '#wire/inet'
import { linkLocalOf } from './address-select.ts'
import { addressReady, deleteAddress6 } from './addresses.ts'
import {
  type Address6,
  IFA_F_DADFAILED,
  IFA_F_NODAD,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  IFA_F_TENTATIVE,
  type Link6,
} from './inet6dev.ts'
import { linkDown } from './links.ts'
import { dadComplete, joinGroup } from './mld.ts'
import { sendAdvertisement, sendRouterSolicitation, sendSolicitation } from './ndisc-send.ts'
import type { State6 } from './state.ts'
import { chance } from './work.ts'

/** Whether routers' advertisements are believed: always, or by a host that isn't one. Linux: ipv6_accept_ra(). */
export function acceptsRa(link: Link6): boolean {
  return link.conf.forwarding ? link.conf.acceptRa === 2 : link.conf.acceptRa !== 0
}

export class Dad {
  readonly #state: State6

  constructor(state: State6) {
    this.#state = state
  }

  /**
   * Whether the lab is being built. Its hosts have been up for some seconds when its time begins: what they had to say
   * about their addresses has been said.
   */
  settled(): boolean {
    return this.#state.host.sim.nowNs === 0
  }

  /** An address is new. addrconf_dad_start(). */
  start(own: Address6): void {
    if (own.dadState === 'DEAD') return
    own.dadState = 'PREDAD'
    if (this.settled()) this.work(own)
    else own.work.after(0)
  }

  stopWork(own: Address6): void {
    own.work.stop()
  }

  /** The device is ready: what waited for that begins. addrconf_dad_run(). */
  run(link: Link6, restart: boolean): void {
    for (const own of link.addresses) {
      if (!(own.flags & IFA_F_TENTATIVE && own.dadState === 'DAD') && !restart) continue
      if (restart) own.dadState = 'PREDAD'
      this.#kick(own)
    }
  }

  work(own: Address6): void {
    const { link } = own
    if (own.dadState === 'DEAD') return
    if (own.dadState === 'PREDAD') {
      own.dadState = 'DAD'
      this.#begin(own)
      return
    }
    if (own.dadState === 'ERRDAD') {
      own.dadState = 'POSTDAD'
      this.#abort(own)
      return
    }
    if (own.dadProbes === 0) {
      if (own.dadState !== 'DAD') return
      own.dadState = 'POSTDAD'
    }
    if (!link.ready) return
    if (own.dadProbes === 0) {
      const announce = (own.flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) === IFA_F_TENTATIVE
      own.flags &= ~(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED)
      this.#completed(own, announce)
      return
    }
    own.dadProbes--
    own.work.after(Math.max(link.parms.retransTime, HZ / 100))
    sendSolicitation(link, own.address, solicitedNode(own.address), IN6_ANY, own.dadNonce)
  }

  #begin(own: Address6): void {
    const { link } = own
    const { device } = link
    joinGroup(link, solicitedNode(own.address))
    const needless =
      (device.flags & (IFF_NOARP | IFF_LOOPBACK)) !== 0 ||
      (this.#state.confAll.acceptDad < 1 && link.conf.acceptDad < 1) ||
      !(own.flags & IFA_F_TENTATIVE) ||
      (own.flags & IFA_F_NODAD) !== 0
    if (needless) {
      const announce = (own.flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) === IFA_F_TENTATIVE
      own.flags &= ~(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED)
      own.dadState = 'POSTDAD'
      this.#completed(own, announce)
      return
    }
    if (!link.ready) {
      this.#stop(own, false)
      return
    }
    if (own.flags & IFA_F_OPTIMISTIC) addressReady(own)
    this.#kick(own)
  }

  #kick(own: Address6): void {
    const { link } = own
    const { host } = link.device
    if (this.settled()) {
      own.flags &= ~(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED)
      own.dadState = 'POSTDAD'
      this.#completed(own, false)
      return
    }
    const delay = own.flags & IFA_F_OPTIMISTIC ? 0 : chance(host, 'dad', link.conf.routerSolicitationDelay * HZ)
    own.dadNonce =
      link.conf.enhancedDad || this.#state.confAll.enhancedDad
        ? host.sim.random(`${host.name}/dad nonce`).below(2 ** 48 - 1) + 1
        : undefined
    own.dadProbes = link.conf.dadTransmits
    own.work.after(delay)
  }

  /** Is this the only link-local address that works? Linux: ipv6_lonely_lladdr(). */
  #lonely(own: Address6): boolean {
    return !own.link.addresses.some(
      (other) =>
        other !== own &&
        other.scope === 253 &&
        (other.flags & (IFA_F_PERMANENT | IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED)) === IFA_F_PERMANENT,
    )
  }

  #completed(own: Address6, announce: boolean): void {
    const { link } = own
    const { device } = link
    addressReady(own)
    const first = own.scope === 253 && this.#lonely(own)
    const solicit = first && acceptsRa(link) && link.conf.routerSolicitations !== 0 && !(device.flags & IFF_LOOPBACK)
    if (this.settled()) {
      if (solicit) this.#solicitedLongAgo(link)
      return
    }
    if (first) dadComplete(link)
    if (announce && (link.conf.ndiscNotify || this.#state.confAll.ndiscNotify)) {
      sendAdvertisement(link, IN6_ALL_NODES, own.address, link.conf.forwarding !== 0, false, true, true)
    }
    if (!solicit) return
    const source = linkLocalOf(device)
    if (source === undefined) return
    sendRouterSolicitation(link, source, IN6_ALL_ROUTERS)
    link.rsInterval = this.#backoff(link.conf.routerSolicitationInterval * HZ)
    link.rsProbes = 1
    link.rsSent = true
    link.rsTimer.after(link.rsInterval)
  }

  /** A time give or take a tenth. RFC 3315 section 14; Linux: rfc3315_s14_backoff_init(). */
  #backoff(base: number): number {
    const tenths = 900_000 + chance(this.#state.host, 'router solicitation', 200_001)
    return Math.floor((base * tenths) / 1_000_000)
  }

  /** The schedule as it stands when time begins: the address came into use some five seconds before. */
  #solicitedLongAgo(link: Link6): void {
    const interval = this.#backoff(link.conf.routerSolicitationInterval * HZ)
    link.rsInterval = this.#next(interval, link)
    link.rsProbes = 2
    link.rsSent = true
    const waited = Math.max(1, interval + link.rsInterval - 6 * HZ + chance(this.#state.host, 'dad', HZ))
    if (link.conf.routerSolicitations < 0 || link.conf.routerSolicitations > 1) link.rsTimer.after(waited)
  }

  /** Twice as long, give or take; at most the most. Linux: rfc3315_s14_backoff_update(). */
  #next(interval: number, link: Link6): number {
    const most = link.conf.routerSolicitationMaxInterval * HZ
    let next = Math.floor(
      (interval * (1_900_000 + chance(this.#state.host, 'router solicitation', 200_001))) / 1_000_000,
    )
    if (next > most) next = this.#backoff(most)
    return next
  }

  /** Nobody has answered. addrconf_rs_timer(). */
  solicitAgain(link: Link6): void {
    if (!link.ready || !acceptsRa(link) || link.raReceived) return
    const { conf } = link
    if (link.rsProbes++ >= conf.routerSolicitations && conf.routerSolicitations >= 0) return
    const source = linkLocalOf(link.device)
    if (source === undefined) return
    sendRouterSolicitation(link, source, IN6_ALL_ROUTERS)
    link.rsInterval = this.#next(link.rsInterval, link)
    link.rsTimer.after(link.rsProbes === conf.routerSolicitations ? conf.routerSolicitationDelay * HZ : link.rsInterval)
  }

  /** Somebody else has the address. addrconf_dad_failure(). */
  failure(own: Address6, mac: string): void {
    if (own.dadState !== 'DAD' && own.dadState !== 'PREDAD' && own.dadState !== 'POSTDAD') return
    if (own.dadState === 'POSTDAD') return
    const text = formatIpv6(own.address)
    this.#state.host.log(6, `IPv6: ${own.link.device.name}: IPv6 duplicate address ${text} used by ${mac} detected!`)
    own.dadState = 'ERRDAD'
    own.work.after(0)
  }

  #abort(own: Address6): void {
    const { link } = own
    const { w2, w3 } = eui64(link.device.address)
    const strict = this.#state.confAll.acceptDad > 1 || link.conf.acceptDad > 1
    const disabled = strict && own.address === ipv6(0xfe800000, 0, w2, w3)
    if (disabled) {
      link.conf = link.conf.with('disableIpv6', 1)
      this.#state.host.log(6, `IPv6: ${link.device.name}: IPv6 being disabled!`)
    }
    this.#stop(own, true)
    if (disabled) linkDown(link, false)
  }

  /** The address can't be used; one that was given by hand stays, and is seen to be so. addrconf_dad_stop(). */
  #stop(own: Address6, failed: boolean): void {
    if (!(own.flags & IFA_F_PERMANENT)) {
      deleteAddress6(own)
      return
    }
    own.work.stop()
    own.flags |= IFA_F_TENTATIVE
    if (failed) own.flags = (own.flags & ~IFA_F_OPTIMISTIC) | IFA_F_DADFAILED
  }
}

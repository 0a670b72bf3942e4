/**
 * How often other hosts are told of errors and better ways. Linux 6.1 net/ipv4/icmp.c: icmp_global_allow(),
 * icmpv4_xrlim_allow(); net/ipv4/route.c: ip_rt_send_redirect(), ip_error().
 */
import { formatIpv4, type Packet } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { icmpError } from './icmp.ts'
import { logLimited } from './ip-log.ts'
import { peerAllows, peerOf } from './ip-peers.ts'
import type { InetState } from './ip-state.ts'
import { drop } from './ip-trace.ts'
import { HZ, jiffiesOf } from './jiffies.ts'
import type { Route } from './route.ts'

const NR_ICMP_TYPES = 18
const ICMP_DEST_UNREACH = 3
const ICMP_FRAG_NEEDED = 4
const ICMP_REDIRECT = 5
const ICMP_REDIR_HOST = 1

/** 'free': no limit applies to the type; 'limited': the host's limit allows it, the peer's has to be asked. */
export function globalAllows(state: InetState, type: number, code: number): 'free' | 'limited' | 'no' {
  if (type > NR_ICMP_TYPES || (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED)) return 'free'
  if (!((1 << type) & state.sysctls.icmpRatemask)) return 'free'
  if (state.icmpCredit > 0) return 'limited'
  const now = jiffiesOf(state.host)
  const passed = Math.min(now - state.icmpStamp, HZ)
  const more = passed < HZ / 50 ? 0 : Math.floor((state.sysctls.icmpPerSecond * passed) / HZ)
  if (more === 0) {
    state.count().icmpRatelimitGlobal++
    return 'no'
  }
  state.icmpStamp = now
  state.icmpCredit = Math.min(state.icmpCredit + more, state.sysctls.icmpBurst)
  return 'limited'
}

/** Whether the host that an error goes to may be told one more; if so, the host's own credit shrinks by 0 to 2. */
export function peerAllowsError(state: InetState, route: Route, dst: number): boolean {
  if (
    route.device.kind !== 'loopback' &&
    !peerAllows(state.host, peerOf(state.host, dst), state.sysctls.icmpRatelimit)
  ) {
    state.count().icmpRatelimitHost++
    return false
  }
  state.icmpCredit -= state.host.sim.random(`${state.host.name}/icmp credit`).below(3)
  return true
}

/** Tells a sender that it would do better to send to the gateway itself. ip_rt_send_redirect(). */
export function sendRedirect(state: InetState, packet: Packet, device: NetDevice, route: Route): void {
  const inet = route.device.inet
  if (!inet.sendRedirects) return
  const { host, sysctls } = state
  const peer = peerOf(host, packet.src)
  const now = jiffiesOf(host)
  if (now > peer.rateLast + sysctls.redirectSilence) {
    peer.rateTokens = 0
    peer.redirects = 0
  }
  if (peer.redirects >= sysctls.redirectNumber) {
    peer.rateLast = now
    return
  }
  if (peer.redirects !== 0 && now <= peer.rateLast + sysctls.redirectLoad * 2 ** peer.redirects) return
  const gateway = route.nextHopFor(packet.dst)
  icmpError(packet, device, ICMP_REDIRECT, ICMP_REDIR_HOST, gateway)
  peer.rateLast = now
  peer.redirects++
  if (inet.logMartians && peer.redirects === sysctls.redirectNumber) {
    const from = `${formatIpv4(packet.src)}/if${packet.iif}`
    logLimited(host, 4, [`host ${from} ignores redirects for ${formatIpv4(packet.dst)} to ${formatIpv4(gateway)}`])
  }
}

/** A packet for what can't be reached: told of by a router, dropped by a host. ip_error(). */
export function rateLimitedError(state: InetState, packet: Packet, device: NetDevice, route: Route): void {
  const error = route.error
  if (!device.inet.forwarding) {
    if (error === 'EHOSTUNREACH') {
      state.count().inAddrErrors++
      drop(state, packet, 'IP_INADDRERRORS')
    } else if (error === 'ENETUNREACH') {
      state.count().inNoRoutes++
      drop(state, packet, 'IP_INNOROUTES')
    } else drop(state, packet, 'NOT_SPECIFIED')
    return
  }
  const code = error === 'EHOSTUNREACH' ? 1 : error === 'ENETUNREACH' ? 0 : error === 'EACCES' ? 13 : undefined
  if (code === undefined) {
    drop(state, packet, 'NOT_SPECIFIED')
    return
  }
  if (error === 'ENETUNREACH') state.count().inNoRoutes++
  const peer = peerOf(state.host, packet.src)
  const now = jiffiesOf(state.host)
  const { errorBurst, errorCost } = state.sysctls
  peer.rateTokens = Math.min(peer.rateTokens + now - peer.rateLast, errorBurst)
  peer.rateLast = now
  if (peer.rateTokens >= errorCost) {
    peer.rateTokens -= errorCost
    icmpError(packet, device, ICMP_DEST_UNREACH, code, 0)
  }
  drop(state, packet, error === 'ENETUNREACH' ? 'IP_INNOROUTES' : 'NOT_SPECIFIED')
}

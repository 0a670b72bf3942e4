/**
 * What redirects and "fragmentation needed" teach about single destinations. Linux 6.1 net/ipv4/route.c:
 * update_or_create_fnhe(), find_exception(), __ip_do_redirect(), __ip_rt_update_pmtu().
 */
import type { Host } from '#kernel/core'
import { formatIpv4 } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { type FibNextHop, type Flow, type NextHopException, RTNH_F_DEAD } from './fib.ts'
import {
  addressType,
  emptyResult,
  fibLookup,
  INADDR_BROADCAST,
  inetOnLink,
  isMulticast,
  isZeronet,
} from './fib-lookup.ts'
import { selectPath } from './fib-select.ts'
import { logLimited } from './ip-log.ts'
import { inetState } from './ip-state.ts'
import { JIFFY_NS } from './jiffies.ts'
import { NUD_VALID, neighbourFor } from './neighbour.ts'
import type { Route } from './route.ts'

/** FNHE_HASH_SIZE (2048) chains of up to twice FNHE_RECLAIM_DEPTH (5). */
const EXCEPTIONS_MAX = 2048 * 5

/** What is known about a destination behind a next hop; what has expired is forgotten. */
export function findException(host: Host, nextHop: FibNextHop, dst: number): NextHopException | undefined {
  const exception = nextHop.exceptions?.get(dst)
  if (!exception) return undefined
  if (exception.expiresNs !== 0 && host.sim.nowNs > exception.expiresNs) {
    nextHop.exceptions!.delete(dst)
    return undefined
  }
  const generation = inetState.of(host).exceptionGeneration
  if (exception.generation !== generation) {
    exception.generation = generation
    exception.gateway = 0
    exception.pmtu = 0
    exception.expiresNs = 0
    exception.mtuLocked = false
  }
  exception.stampNs = host.sim.nowNs
  return exception
}

function learn(
  host: Host,
  nextHop: FibNextHop,
  dst: number,
  gateway: number,
  pmtu: number,
  mtuLocked: boolean,
  lastsJiffies: number,
): void {
  const state = inetState.of(host)
  const nowNs = host.sim.nowNs
  nextHop.exceptions ??= new Map()
  let exception = nextHop.exceptions.get(dst)
  if (!exception) {
    if (nextHop.exceptions.size >= EXCEPTIONS_MAX) {
      let oldest: number | undefined
      let stampNs = Number.POSITIVE_INFINITY
      for (const [key, one] of nextHop.exceptions) {
        if (one.stampNs >= stampNs) continue
        stampNs = one.stampNs
        oldest = key
      }
      nextHop.exceptions.delete(oldest!)
    }
    exception = { gateway: 0, pmtu: 0, mtuLocked: false, expiresNs: 0, generation: 0, stampNs: nowNs }
    nextHop.exceptions.set(dst, exception)
  }
  exception.generation = state.exceptionGeneration
  if (gateway !== 0) exception.gateway = gateway
  if (pmtu !== 0) {
    exception.pmtu = pmtu
    exception.mtuLocked = mtuLocked
  }
  exception.expiresNs = nowNs + lastsJiffies * JIFFY_NS
  exception.stampNs = nowNs
  state.net.generation++
}

/** Whether a gateway is already one of a route by this device. ip_fib_check_default(). */
function isKnownGateway(gateway: number, device: NetDevice): boolean {
  return inetState
    .of(device.host)
    .infos.some((info) =>
      info.nextHops.some(
        (nextHop) => nextHop.device === device && nextHop.gateway === gateway && !(nextHop.flags & RTNH_F_DEAD),
      ),
    )
}

/**
 * A redirect: for `flow`, whose route now is `route`, the sender `from` says that `to` is the better gateway. `about`:
 * the addresses of the packet that it was about, for the log. __ip_do_redirect().
 */
export function acceptRedirect(
  device: NetDevice,
  route: Route,
  flow: Flow,
  from: number,
  to: number,
  code: number,
  about: { src: number; dst: number },
): void {
  if (code > 3 || route.gateway === 0 || route.gateway !== from) return
  const host = device.host
  const inet = device.inet
  const reject = () => {
    if (!inet.logMartians) return
    logLimited(host, 6, [
      `Redirect from ${formatIpv4(from)} on ${device.name} about ${formatIpv4(to)} ignored`,
      `  Advised path = ${formatIpv4(about.src)} -> ${formatIpv4(about.dst)}`,
    ])
  }
  if (to === from || !inet.acceptRedirects || isMulticast(to) || to === INADDR_BROADCAST || isZeronet(to)) {
    reject()
    return
  }
  if (!inet.sharedMedia) {
    if (!inetOnLink(device, to, from) || (inet.secureRedirects && !isKnownGateway(to, device))) {
      reject()
      return
    }
  } else if (addressType(host, to) !== 'unicast') {
    reject()
    return
  }
  // Only a gateway that answers is believed in: if it isn't known yet, it is asked for, and the next redirect counts.
  const neighbour = neighbourFor(route.device, to)
  if (!neighbour) return
  if (!(neighbour.state & NUD_VALID)) {
    neighbour.mayTransmit(undefined)
    return
  }
  const result = emptyResult()
  if (fibLookup(host, flow, result) !== undefined) return
  selectPath(host, result, flow)
  learn(host, result.nextHop!, flow.dst, to, 0, false, inetState.of(host).sysctls.gcTimeout)
}

/** Packets along `route` must not be larger than `mtu`. __ip_rt_update_pmtu(). */
export function updatePmtu(host: Host, route: Route, flow: Flow, mtu: number): void {
  if (route.locked) return
  const former = route.mtu(false)
  if (former < mtu) return
  const sysctls = inetState.of(host).sysctls
  let locked = false
  if (mtu < sysctls.minPmtu) {
    locked = true
    mtu = Math.min(former, sysctls.minPmtu)
  }
  const lastsNs = sysctls.mtuExpires * JIFFY_NS
  if (route.pmtu === mtu && !locked && host.sim.nowNs < route.expiresNs - lastsNs / 2) return
  const result = emptyResult()
  if (fibLookup(host, flow, result) !== undefined) return
  selectPath(host, result, flow)
  const nextHops = result.info!.nextHops.length > 1 ? result.info!.nextHops : [result.nextHop!]
  for (const nextHop of nextHops) learn(host, nextHop, flow.dst, 0, mtu, locked, sysctls.mtuExpires)
}

/** What follows from a configuration once all of it has been read: ipvsadm's options, URLs, and which time limit holds. */
import { checkPort, serviceArguments } from './identity.ts'
import type { Globals, Real, Virtual } from './types.ts'

const CHECK_TIMEOUT_S = 5
const NEGOTIATE_TIMEOUT_S = 30
/** More than any number of connects: the next check is a negotiation. */
export const NEGOTIATE_NEXT = 999_999

/** Fills in what the lines of a service leave to others. */
export function setUp(virtual: Virtual, globals: Globals): void {
  virtual.flags = serviceFlags(virtual)
  for (const real of virtual.reals) setUpReal(virtual, real)
  // Each of the two limits stands in for the other, the service's own before the global ones.
  const { checktimeout, negotiatetimeout } = virtual
  const given = (...limits: number[]) => limits.find((limit) => limit >= 0)!
  virtual.checktimeout = given(
    checktimeout,
    negotiatetimeout,
    globals.checktimeout,
    globals.negotiatetimeout,
    CHECK_TIMEOUT_S,
  )
  virtual.negotiatetimeout = given(
    negotiatetimeout,
    checktimeout,
    globals.negotiatetimeout,
    globals.checktimeout,
    NEGOTIATE_TIMEOUT_S,
  )
  if (virtual.checkcount < 0) virtual.checkcount = globals.checkcount
  if (virtual.failurecount < 0) virtual.failurecount = globals.failurecount
}

/** `-t 10.0.0.100:80 -s wrr `, with the blank at its end that the log shows. */
function serviceFlags(virtual: Virtual): string {
  let flags = `${serviceArguments(virtual)} `
  if (virtual.protocol === 'udp' && virtual.ops === 'yes') flags += '-o '
  flags += `-s ${virtual.scheduler} `
  if (virtual.persistent !== undefined) {
    flags += `-p ${virtual.persistent} `
    if (virtual.netmask !== undefined) flags += `-M ${virtual.netmask} `
  }
  if (virtual.schedflags !== undefined) flags += `-b ${virtual.schedflags} `
  return flags
}

function setUpReal(virtual: Virtual, real: Real): void {
  const scheme = virtual.service === 'http_proxy' ? 'http' : virtual.service
  const own = real.request !== undefined && real.receive !== undefined
  const request = own ? real.request! : virtual.request
  const place = request.replace(/^\//, '')
  const absolute = own ? request.includes(`${scheme}://`) : virtual.service === 'http_proxy'
  real.url = absolute ? place : `${scheme}://${real.server}:${checkPort(virtual, real) ?? ''}/${place}`
  real.request ??= virtual.request
  if (!own) real.receive = virtual.receive
  real.connects = virtual.checktype === 'combined' ? NEGOTIATE_NEXT : -1
}

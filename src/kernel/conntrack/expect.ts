/**
 * Expectations: connections that a helper has read of in another one, and that will be RELATED to it.
 * Linux 6.1 net/netfilter/nf_conntrack_expect.c.
 */
import { type Conn, type Direction, type InetAddr, IPS_CONFIRMED, IPS_DYING } from './conn.ts'
import type { ConntrackState } from './state.ts'

export class Expectation {
  readonly number: number
  readonly master: Conn
  readonly helper: string
  /** Undefined: any source. */
  readonly src: InetAddr | undefined
  /** 0: any source port. */
  readonly srcPort: number
  readonly dst: InetAddr
  dstPort: number
  readonly protocol: number
  /** Jiffies at which it ends. */
  timeout = 0
  /** NF_CT_EXPECT_*: PERMANENT 1, INACTIVE 2, USERSPACE 4. */
  flags = 0
  /** What the connection that arrives gets: NAT as its master has it. */
  arrived: ((state: ConntrackState, conn: Conn) => void) | undefined = undefined
  /** NAT: the direction in which it comes, and the port that was in the message before NAT. */
  direction: Direction = 0
  savedPort = 0

  constructor(
    number: number,
    master: Conn,
    helper: string,
    src: InetAddr | undefined,
    srcPort: number,
    dst: InetAddr,
    dstPort: number,
    protocol: number,
  ) {
    this.number = number
    this.master = master
    this.helper = helper
    this.src = src
    this.srcPort = srcPort
    this.dst = dst
    this.dstPort = dstPort
    this.protocol = protocol
  }

  /** Takes it out of the host's list. nf_ct_unlink_expect_report(). */
  remove(state: ConntrackState): void {
    const at = state.expectations.indexOf(this)
    if (at < 0) return
    state.expectations.splice(at, 1)
    state.counters.expectDelete++
    if (this.master.eventMask !== 0) for (const tell of state.expectListeners) tell('DESTROY', this)
  }
}

/** The expectation that a new connection fulfils; it is used up. nf_ct_find_expectation(). */
export function expectedBy(state: ConntrackState, conn: Conn): Expectation | undefined {
  const now = state.jiffies
  const { original } = conn
  for (const one of state.expectations.slice()) {
    if (one.timeout <= now && !(one.flags & 1)) {
      one.remove(state)
      continue
    }
    if (one.flags & 2 || one.protocol !== original.protocol || one.dst !== original.dst) continue
    if (one.dstPort !== original.dstPort || (one.src !== undefined && one.src !== original.src)) continue
    if (one.srcPort !== 0 && one.srcPort !== original.srcPort) continue
    if (!(one.master.status & IPS_CONFIRMED) || one.master.status & IPS_DYING) return undefined
    if (!(one.flags & 1)) one.remove(state)
    return one
  }
  return undefined
}

/** What is asked of an expectation that is to be added. */
export interface ExpectPolicy {
  /** How many of one master there may be; the oldest makes room. */
  most: number
  timeoutJiffies: number
}

/** Adds an expectation; 'EBUSY' if another one would be mistaken for it, 'EMFILE' if there are too many. nf_ct_expect_related(). */
export function expect(
  state: ConntrackState,
  expectation: Expectation,
  policy: ExpectPolicy,
): 'EBUSY' | 'EMFILE' | undefined {
  const now = state.jiffies
  for (const one of state.expectations.slice()) if (one.timeout <= now && !(one.flags & 1)) one.remove(state)
  for (const one of state.expectations.slice()) {
    if (one.protocol !== expectation.protocol || one.dst !== expectation.dst) continue
    if (one.dstPort !== expectation.dstPort) continue
    const sameSource = one.src === expectation.src && one.srcPort === expectation.srcPort
    if (sameSource && one.master === expectation.master) one.remove(state)
    else if (one.src === undefined || expectation.src === undefined || one.src === expectation.src) return 'EBUSY'
  }
  const own = state.expectations.filter((one) => one.master === expectation.master)
  if (own.length >= policy.most) own[0]!.remove(state)
  if (state.expectations.length >= state.limits.expectMax) return 'EMFILE'
  expectation.timeout = now + policy.timeoutJiffies
  state.expectations.push(expectation)
  state.counters.expectCreate++
  if (expectation.master.eventMask !== 0) for (const tell of state.expectListeners) tell('NEW', expectation)
  return undefined
}

/** Those that are still waited for. */
export function listExpectations(state: ConntrackState): Expectation[] {
  const now = state.jiffies
  return state.expectations.filter((one) => one.timeout > now || one.flags & 1)
}

/**
 * Connection tracking and NAT: what netfilter's stateful rules, `conntrack` and masquerading rest on.
 *
 *     conntrackNeed(host) // From now on packets have `ct` and `ctInfo`.
 *     addNatChain(host, 'POST_ROUTING', {
 *       name: 'nat', priority: 100, run: (context) => masquerade(conntrackState.of(host), context, {}),
 *     })
 */

export { attachAnswer, createTemplate, untrack } from './attach.ts'
export * from './conn.ts'
export { Expectation, listExpectations } from './expect.ts'
export { describeConn, describeInfo } from './explain.ts'
export { findHelper, type Helper, helpers, moveSequence } from './helper.ts'
export { packetLogger } from './log-invalid.ts'
export { masquerade, netmap, type PortRange, redirect } from './masquerade.ts'
export { type Manip, type NatRange, natDone, natNull, natSetup } from './nat.ts'
export {
  addNatChain,
  conntrackNeed,
  defragNeed,
  type NatChain,
  type NatFamily,
  type NatHook,
  natNeed,
  removeNatChain,
  tracksConnections,
} from './need.ts'
export { conntrack } from './room.ts'
export { ConntrackSettings } from './settings.ts'
export { type ConntrackEvent, ConntrackState, conntrackState, expiresJiffies } from './state.ts'
export { setClosing } from './tcp.ts'
export { TCP_STATES } from './tcp-state.ts'
export { formatAddr, protocolName } from './text.ts'
export { confirmPacket } from './track.ts'
export { type ConnectionView, connections } from './view.ts'

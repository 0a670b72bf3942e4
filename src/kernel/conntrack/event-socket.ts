/** The netlink socket that events of connection tracking come by: AF_NETLINK, protocol NETLINK_NETFILTER. */
import { installNetlinkEvents, type KernelImage, NetlinkEventSocket } from '#kernel/core'
import { IPCT_DESTROY, IPCT_NEW, IPCT_RELATED } from './conn.ts'
import type { Expectation } from './expect.ts'
import type { CtEventMessage, ExpectEventMessage } from './messages.ts'
import { eventMessage, expectMessage } from './netlink.ts'
import { type ConntrackEvent, conntrackState } from './state.ts'

export const NETLINK_NETFILTER = 12

/** Its groups are 'conntrack' and 'expect'. */
class EventSocket extends NetlinkEventSocket<CtEventMessage | ExpectEventMessage> {
  protected override readonly mostQueued = 280

  protected override join(group: string): () => void {
    const state = conntrackState.of(this.host)
    if (group === 'conntrack') {
      const listener = (event: ConntrackEvent) => {
        const { events, portId } = event
        const fresh = events & (IPCT_NEW | IPCT_RELATED)
        const kind = events & IPCT_DESTROY ? 'DESTROY' : fresh ? 'NEW' : 'UPDATE'
        this.push({ kind, conn: eventMessage(state, event), portId })
      }
      state.listeners = [...state.listeners, listener]
      return () => {
        state.listeners = state.listeners.filter((one) => one !== listener)
      }
    }
    const listener = (kind: 'NEW' | 'DESTROY', expectation: Expectation) => {
      this.push({ kind, expect: expectMessage(state, expectation) })
    }
    state.expectListeners = [...state.expectListeners, listener]
    return () => {
      state.expectListeners = state.expectListeners.filter((one) => one !== listener)
    }
  }
}

/** Installs NETLINK_NETFILTER. */
export function installEventSocket(image: KernelImage): void {
  installNetlinkEvents(image, NETLINK_NETFILTER, (host) => new EventSocket(host))
}

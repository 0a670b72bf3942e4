/**
 * Traffic control: queueing disciplines, classes and filters between a device and its driver.
 *
 *     image.install(qdisc)
 *     // on a host: tc qdisc add dev eth0 root netem delay 100ms 10ms loss 1%
 *     sys.netlink({ type: 'RTM_GETQDISC' })
 */
import type { Room } from '#kernel/core'
import { installQdiscs } from './api.ts'
import { installFilters } from './filter-api.ts'

export type { ActionData } from './actions.ts'
export type { U32Key } from './classifiers.ts'
export { distributionTable } from './distributions.ts'
export * from './messages.ts'
export type { LossModel, NetemOptions, NetemRate, NetemSlot } from './netem.ts'
export { nsToTicks, Rate, type RateSpec, ticksToNs } from './rate.ts'
export {
  type Counters,
  type Data,
  TC_H_CLSACT,
  TC_H_INGRESS,
  TC_H_MIN_EGRESS,
  TC_H_MIN_INGRESS,
  TC_H_ROOT,
} from './sch.ts'

/** Installs the kinds of disciplines, and rtnetlink's messages about them. */
export const qdisc: Room = {
  name: 'kernel/qdisc',
  needs: [],
  install(image) {
    image.slot('kernel/qdisc', () => true)
    installQdiscs(image)
    installFilters(image)
    image.proc('/proc/net/psched', { read: () => '000003e8 00000040 000f4240 3b9aca00\n' })
  },
}

/**
 * `tc` of iproute2 6.1: `qdisc`, `class` and `filter`, for the kinds that kernel/qdisc models.
 *
 *     tc.install(image)
 *     // then, on a host: tc qdisc add dev eth0 root netem delay 100ms; tc -s qdisc
 */
import type { Room } from '#kernel/core'
import { tc as main } from './tc.ts'

export const tc: Room = {
  name: 'user/tc',
  needs: ['kernel/qdisc'],
  install(image) {
    image.program({ name: 'tc', paths: ['/usr/sbin/tc'], main })
  },
}

/**
 * `iperf3` 3.12: how much goes through.
 *
 *     iperf.install(image)
 *     // then, on two hosts: iperf3 -s -1 &  and: iperf3 -c server -t 5
 */
import { lazyMain, type Room } from '#kernel/core'

export const iperf: Room = {
  name: 'user/iperf',
  needs: [],
  install(image) {
    const main = lazyMain(() => import('./iperf3.ts').then((it) => it.iperf3))
    image.program({ name: 'iperf3', paths: ['/usr/bin/iperf3'], main })
  },
}

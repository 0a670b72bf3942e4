/**
 * `radvd`: the daemon that tells hosts of routers and prefixes.
 *
 *     radvd.install(image)
 *     // then, on a router: write /etc/radvd.conf, and run `radvd`
 */
import { lazyMain, type Room } from '#kernel/core'

export const radvd: Room = {
  name: 'user/radvd',
  needs: ['kernel/ipv6'],
  install(image) {
    const main = lazyMain(() => import('./radvd.ts').then((module) => module.radvd))
    image.program({ name: 'radvd', paths: ['/usr/sbin/radvd'], main })
  },
}

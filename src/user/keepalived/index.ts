/**
 * `keepalived`: virtual routers that take each other's place (VRRP), and health checks for IPVS.
 *
 *     keepalived.install(image)
 *     // then, on a host: write /etc/keepalived/keepalived.conf, and run `keepalived -n -l -D`
 */
import { lazyMain, type Room } from '#kernel/core'

export const keepalived: Room = {
  name: 'user/keepalived',
  needs: ['kernel/ipvs'],
  install(image) {
    const main = lazyMain(() => import('./main.ts').then((module) => module.keepalived))
    image.program({ name: 'keepalived', paths: ['/usr/sbin/keepalived', '/usr/bin/genhash'], main })
  },
}

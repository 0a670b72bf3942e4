/**
 * `socat` 1.7.4.4: relays between two addresses.
 *
 *     socat.install(image)
 *     // then, on two hosts: socat TCP-LISTEN:80,fork,reuseaddr EXEC:cat &  and: echo hi | socat - TCP:server:80
 */
import { lazyMain, type Room } from '#kernel/core'

export const socat: Room = {
  name: 'user/socat',
  needs: [],
  install(image) {
    const main = lazyMain(() => import('./socat.ts').then((it) => it.socat))
    image.program({ name: 'socat', paths: ['/usr/bin/socat'], main })
  },
}

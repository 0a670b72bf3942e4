/**
 * traceroute 2.1.2, tracepath of iputils 20221126 and mtr 0.95, as Debian 12 has them: which routers are on the way.
 *
 *     traceroute.install(image) // then, on a host: traceroute -n 10.0.2.1; tracepath -n 10.0.2.1; mtr -rn -c 1 10.0.2.1
 */
import { lazyMain, type Room } from '#kernel/core'

/** The three programs, each loaded when it is first run. */
export const traceroute: Room = {
  name: 'user/traceroute',
  needs: [],
  install(image) {
    const trace = lazyMain(() => import('./traceroute.ts').then(({ tracerouteMain }) => tracerouteMain))
    image.program({ name: 'traceroute', paths: ['/usr/bin/traceroute', '/usr/sbin/traceroute'], main: trace })
    const path = lazyMain(() => import('./tracepath.ts').then(({ tracepath }) => tracepath))
    image.program({ name: 'tracepath', paths: ['/usr/bin/tracepath'], main: path })
    const report = lazyMain(() => import('./mtr.ts').then(({ mtr }) => mtr))
    image.program({ name: 'mtr', paths: ['/usr/bin/mtr'], main: report })
  },
}

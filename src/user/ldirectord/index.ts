/**
 * `ldirectord`: watches the real servers behind virtual services, and tells ipvsadm which of them are to be used.
 *
 *     ldirectord.install(image)
 *     // then, on a director: write /etc/ha.d/ldirectord.cf, and run `ldirectord start`
 */
import { lazyMain, type Room } from '#kernel/core'

export const ldirectord: Room = {
  name: 'user/ldirectord',
  needs: ['user/ipvsadm'],
  install(image) {
    const main = lazyMain(() => import('./main.ts').then((module) => module.ldirectord))
    // The second one is heartbeat's, whose haresources may name it as a resource.
    image.program({ name: 'ldirectord', paths: ['/usr/sbin/ldirectord', '/etc/ha.d/resource.d/ldirectord'], main })
    image.file('/etc/ha.d/ldirectord.cf', '# Dummy configuration file.\n')
  },
}

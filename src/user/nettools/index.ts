/**
 * `arp`, `ifconfig`, `route` and `netstat` of net-tools 2.10 and `ethtool` 6.1, as Debian 12 has them.
 *
 *     nettools.install(image)
 *     // then, on a host: arp -n; arp -s 10.0.0.9 02:00:00:00:09:00; ethtool -i eth0
 */
import type { Room } from '#kernel/core'
import { arp } from './arp.ts'
import { ethtool } from './ethtool.ts'
import { ifconfig } from './ifconfig.ts'
import { netstat } from './netstat.ts'
import { route } from './route.ts'

/** The programs, and Tab's words for them. */
export const nettools: Room = {
  name: 'user/nettools',
  needs: [],
  install(image) {
    image.program({ name: 'arp', paths: ['/usr/sbin/arp'], main: arp })
    image.program({ name: 'ifconfig', paths: ['/usr/sbin/ifconfig'], main: ifconfig })
    image.program({ name: 'netstat', paths: ['/usr/bin/netstat'], main: netstat })
    image.program({ name: 'route', paths: ['/usr/sbin/route'], main: route })
    image.program({ name: 'ethtool', paths: ['/usr/sbin/ethtool'], main: ethtool })
    const completions = image.slot('completions', () => new Map<string, (words: string[]) => string[]>())
    const complete = (options: string[]) => (words: string[]) => {
      const last = words.at(-1) ?? ''
      return last.startsWith('-') ? options.filter((option) => option.startsWith(last)) : []
    }
    completions.set('arp', complete(['-a', '-d', '-D', '-e', '-f', '-i', '-n', '-s', '-v']))
    completions.set('ethtool', complete(['-i', '-S', '--help', '--version']))
  },
}

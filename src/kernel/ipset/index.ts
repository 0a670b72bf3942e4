/**
 * Sets of addresses, ports and other sets: `ipset`, the match `set` and the target SET of iptables.
 *
 *     ipset.install(image)
 *     // then, on a host: ipset create bad hash:net; ipset add bad 10.0.0.0/8
 *     // iptables -A INPUT -m set --match-set bad src -j DROP
 */
import type { Room } from '#kernel/core'
import { addExtensions } from '#kernel/netfilter'
import { ipsetMain } from './main.ts'
import { SET, setMatch } from './match.ts'
import { answer } from './sets.ts'

export const ipset: Room = {
  name: 'kernel/ipset',
  needs: ['kernel/netfilter'],
  install(image) {
    image.netlink('IPSET', answer)
    addExtensions(image, [setMatch, SET])
    image.program({ name: 'ipset', paths: ['/usr/sbin/ipset'], main: ipsetMain })
  },
}

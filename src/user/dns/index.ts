/**
 * DNS: `dig`, `host` and `nslookup` as BIND 9.18 has them, and `dnsmasq` 2.90 as far as it is a DNS server.
 *
 *     dns.install(image)
 *     // then, on a host: dnsmasq --no-daemon -C /etc/dnsmasq.conf &  and on another: dig @10.0.0.2 www.lab
 */
import { lazyMain, type Room } from '#kernel/core'

export const dns: Room = {
  name: 'user/dns',
  needs: [],
  install(image) {
    const bin = (name: string) => [`/usr/bin/${name}`]
    image.program({ name: 'dig', paths: bin('dig'), main: lazyMain(() => import('./dig.ts').then((it) => it.dig)) })
    image.program({ name: 'host', paths: bin('host'), main: lazyMain(() => import('./host.ts').then((it) => it.host)) })
    image.program({
      name: 'nslookup',
      paths: bin('nslookup'),
      main: lazyMain(() => import('./nslookup.ts').then((it) => it.nslookup)),
    })
    image.program({
      name: 'dnsmasq',
      paths: ['/usr/sbin/dnsmasq'],
      main: lazyMain(() => import('./dnsmasq.ts').then((it) => it.dnsmasq)),
    })
  },
}

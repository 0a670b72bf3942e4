/**
 * iproute2 as Debian 12 has it (6.1.0): `ip`, `ss`, `nstat`; `bridge` and `tc` say that they aren't modelled.
 *
 *     iproute2.install(image)
 *     // then, on a host: ip -br address; ip route get 10.0.0.2; ss -tln
 */
import { NotModelled } from '#base/check'
import type { Body, Room, Sys } from '#kernel/core'
import { CONFIGURATION } from './configuration.ts'
import { completeIp, ip } from './ip.ts'
import { nstat } from './nstat.ts'
import { completeSs, ss } from './ss.ts'

/** Programs, their configuration files and completions. */
export const iproute2: Room = {
  name: 'user/iproute2',
  needs: [],
  install(image) {
    image.program({ name: 'ip', paths: ['/usr/bin/ip', '/usr/sbin/ip'], main: ip })
    image.program({ name: 'nstat', paths: ['/usr/bin/nstat'], main: nstat })
    image.program({ name: 'ss', paths: ['/usr/bin/ss'], main: ss })
    for (const name of ['bridge', 'tc']) {
      image.program({
        name,
        paths: [`/usr/sbin/${name}`],
        main: function* (_sys: Sys, _argv: string[]): Body<number> {
          throw new NotModelled(name)
        },
      })
    }
    for (const [name, content] of Object.entries(CONFIGURATION)) image.file(`/etc/iproute2/${name}`, content)
    const completions = image.slot('completions', () => new Map<string, (words: string[]) => string[]>())
    completions.set('ip', completeIp)
    completions.set('ss', completeSs)
  },
}

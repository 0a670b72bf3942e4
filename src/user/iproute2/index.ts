/**
 * iproute2 as Debian 12 has it (6.1.0): `ip`, `bridge`, `ss`, `nstat`.
 *
 *     iproute2.install(image)
 *     // then, on a host: ip -br address; ip route get 10.0.0.2; ss -tln
 */
import type { Room } from '#kernel/core'
import { bridge } from './bridge.ts'
import { CONFIGURATION } from './configuration.ts'
import { completeIp, ip } from './ip.ts'
import { nstat } from './nstat.ts'
import { completeSs, ss } from './ss.ts'

export { switchNetns } from './netns.ts'
export { Output } from './output.ts'
export { abbreviates, EXIT_USAGE, parseUnsigned, Refusal, Words } from './words.ts'

/** Programs, their configuration files and completions. */
export const iproute2: Room = {
  name: 'user/iproute2',
  needs: [],
  install(image) {
    image.program({ name: 'ip', paths: ['/usr/bin/ip', '/usr/sbin/ip'], main: ip })
    image.program({ name: 'nstat', paths: ['/usr/bin/nstat'], main: nstat })
    image.program({ name: 'ss', paths: ['/usr/bin/ss'], main: ss })
    image.program({ name: 'bridge', paths: ['/usr/sbin/bridge'], main: bridge })
    for (const [name, content] of Object.entries(CONFIGURATION)) image.file(`/etc/iproute2/${name}`, content)
    const completions = image.slot('completions', () => new Map<string, (words: string[]) => string[]>())
    completions.set('ip', completeIp)
    completions.set('ss', completeSs)
  },
}

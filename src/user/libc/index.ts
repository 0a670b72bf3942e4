/**
 * What programs share of a C library: stdio, and names and addresses by /etc/hosts and the DNS.
 *
 *     const io = new Stdio(sys, 'tool')
 *     return yield* io.run(function* () {
 *       const found = yield* lookupHost(sys, 'www.example.org')
 *       io.print(found.ok ? found.value.addresses.map(formatAddress).join('\n') : gaiStrerror(found.error))
 *       return 0
 *     }())
 */
import type { Room } from '#kernel/core'

export * from './address.ts'
export * from './netdb.ts'
export { GlibcRandom } from './random.ts'
export { exactly, exchangeTcp } from './res-send.ts'
export { parseResolvConf, type ResolverConfig, readResolvConf } from './resolv-conf.ts'
export { readServices, type Service, serviceName, servicePort } from './services.ts'
export { type SocketHolder, socketHolders } from './socket-holders.ts'
export { Exit, joined, Stdio } from './stdio.ts'
export * from './tasks.ts'

/** The files that it reads. There is no name server unless the lab runs one: resolv.conf is empty. */
export const libc: Room = {
  name: 'user/libc',
  needs: [],
  install(image) {
    image.file('/etc/resolv.conf', '')
    image.file('/etc/nsswitch.conf', NSSWITCH)
  },
}

const NSSWITCH = `passwd: files
group: files
shadow: files
gshadow: files

hosts: files dns
networks: files

protocols: db files
services: db files
ethers: db files
rpc: db files

netgroup: nis
`

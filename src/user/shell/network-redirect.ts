/** `/dev/tcp/HOST/PORT` and `/dev/udp/HOST/PORT` in a redirection: bash connects instead of opening. bash 5.2 lib/sh/netopen.c */
import { type Body, type Errno, strerror } from '#kernel/core'
import { gaiStrerror, lookupHost, servicePort, withPort } from '#user/libc'
import type { Shell } from './shell.ts'

const PATH = /^\/dev\/(tcp|udp)\/([^/]+)\/([^/]+)$/

/** Whether a path means a connection. */
export function isNetworkPath(path: string): boolean {
  return PATH.test(path)
}

/** A connected descriptor, or what the redirection says. */
export function* openNetwork(
  shell: Shell,
  path: string,
): Body<{ ok: true; value: number } | { ok: false; errno: Errno }> {
  const { sys } = shell
  const [, protocol, host, service] = PATH.exec(path) as unknown as [string, 'tcp' | 'udp', string, string]
  const found = yield* lookupHost(sys, host)
  if (!found.ok) {
    yield* shell.complain(`${host}: ${gaiStrerror(found.error)}`)
    return { ok: false, errno: 'EINVAL' }
  }
  const port = yield* servicePort(sys, service, protocol)
  if (port === undefined) {
    yield* shell.complain(`${service}: Servname not supported for ai_socktype`)
    return { ok: false, errno: 'EINVAL' }
  }
  let errno: Errno = 'EINVAL'
  for (const address of found.value.addresses) {
    const made = sys.socket(address.family, protocol === 'tcp' ? 'SOCK_STREAM' : 'SOCK_DGRAM', 0)
    if (!made.ok) {
      errno = made.errno
      continue
    }
    const connected = yield* sys.connect(made.value, withPort(address, port))
    if (connected.ok) return made
    errno = connected.errno
    sys.close(made.value)
  }
  yield* shell.complain(`connect: ${strerror(errno)}`)
  return { ok: false, errno }
}

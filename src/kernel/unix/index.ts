/**
 * AF_UNIX: stream, datagram and seqpacket sockets by paths and abstract names, socketpair, descriptors and credentials
 * that travel along, `/proc/net/unix`, and what `ss -x` lists.
 *
 *     image.install(net)
 *     image.install(unix)
 *     // then, in a program:
 *     const made = sys.socket('AF_UNIX', 'SOCK_STREAM', 0)
 *     if (made.ok) yield* sys.connect(made.value, { family: 'AF_UNIX', path: '/run/x.sock' })
 */
import { fail, integerSysctl, ok, type Room } from '#kernel/core'
import { socketDumpers } from '#kernel/net'
import { UnixFile } from './file.ts'
import { dumpUnixSockets, printUnixSockets } from './proc.ts'
import { UnixSocket } from './socket.ts'
import { unixState } from './state.ts'

/** The family, its /proc file and its sysctl. */
export const unix: Room = {
  name: 'kernel/unix',
  needs: [],
  install(image) {
    image.socketFamily('AF_UNIX', (host, type, protocol) => {
      if (protocol !== 0 && protocol !== 1) return fail('EPROTONOSUPPORT')
      // SOCK_RAW is taken for a datagram socket: unix_create() says so.
      if (type === 'SOCK_RAW') return ok(new UnixFile(new UnixSocket(host, 'SOCK_DGRAM')))
      if (type !== 'SOCK_STREAM' && type !== 'SOCK_DGRAM' && type !== 'SOCK_SEQPACKET') return fail('ESOCKTNOSUPPORT')
      return ok(new UnixFile(new UnixSocket(host, type)))
    })
    image.proc('/proc/net/unix', { read: printUnixSockets })
    image.sysctl(
      integerSysctl(
        'net.unix.max_dgram_qlen',
        (host) => unixState.peek(host)?.maxDgramQueue ?? 10,
        (host, _instance, value) => {
          unixState.of(host).maxDgramQueue = value
        },
      ),
    )
    socketDumpers(image).push(dumpUnixSockets)
  },
}

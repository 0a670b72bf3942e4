/** Names of AF_UNIX sockets in the tree. Linux 6.1 net/unix/af_unix.c: unix_bind_bsd(), unix_find_bsd(). */
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { Caller } from './file.ts'
import { Inode } from './inode.ts'
import type { KernelHost } from './kernel.ts'
import { find } from './path.ts'
import { makeNode } from './path-calls.ts'

/** Makes a socket's name; what is there already is EADDRINUSE. The node's identity is the socket's name from now on. */
export function makeSocketNode(caller: Caller, path: string): SysResult<object> {
  const made = makeNode(caller.machine.host as KernelHost, caller.cwd, path, 'socket', 0o777 & ~caller.umask)
  return made.ok || made.errno !== 'EEXIST' ? made : fail('EADDRINUSE')
}

/** What a path leads to, if it is a socket's name. */
export function findSocketNode(caller: Caller, path: string): SysResult<object> {
  const place = find(caller.machine.host as KernelHost, caller.cwd, path)
  if (!place.ok) return place
  const { node } = place.value
  return node instanceof Inode && node.type === 'socket' ? ok(node) : fail('ECONNREFUSED')
}

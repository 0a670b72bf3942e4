/** What BIND's tools call what the kernel refused: isc_result_totext(), by lib/isc's errno2result. */
import { type Errno, strerror } from '#kernel/core'

const TEXTS: Partial<Record<Errno, string>> = {
  EADDRNOTAVAIL: 'address not available',
  EADDRINUSE: 'address in use',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTDOWN: 'host is down',
  EHOSTUNREACH: 'host unreachable',
  ENETDOWN: 'network down',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'timed out',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
}

/** The words for an errno of socket(2), connect(2) or send(2). */
export function iscResult(errno: Errno): string {
  return TEXTS[errno] ?? strerror(errno).toLowerCase()
}

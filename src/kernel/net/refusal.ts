/** Why a request about a device was refused: an errno, and what `ip` prints after "Error: ". */
import type { Errno } from '#kernel/core'

/** Why something was refused. */
export interface Refusal {
  ok: false
  errno: Errno
  extack?: string
}

/** A refusal, with or without the kernel's extended error text. */
export function refuse(errno: Errno, extack?: string): Refusal {
  return extack === undefined ? { ok: false, errno } : { ok: false, errno, extack }
}

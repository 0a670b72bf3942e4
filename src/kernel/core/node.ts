/** What a path can lead to. Nodes are shared between hosts; what differs is found through the host that they are given. */
import type { SysResult } from './errno.ts'
import { fail } from './errno.ts'
import type { FileType, OpenFile, Stat } from './file.ts'
import type { KernelHost } from './kernel.ts'

export abstract class Node {
  abstract readonly type: FileType
  abstract stat(host: KernelHost): Stat

  /** A directory's entry. */
  lookup(_host: KernelHost, _name: string): Node | undefined {
    return undefined
  }

  /** A directory's names, without . and .. */
  list(_host: KernelHost): string[] {
    return []
  }

  /** A symlink's target. */
  readlink(_host: KernelHost): string {
    return ''
  }

  /** Where a link of /proc leads without a path: an open file, a deleted program. */
  jump(_host: KernelHost): Node | undefined {
    return undefined
  }

  /** Opens it; what blocks (a FIFO) is seen to by open(2). */
  open(_host: KernelHost, _flags: number, _path: string): SysResult<OpenFile> {
    return fail('EOPNOTSUPP')
  }
}

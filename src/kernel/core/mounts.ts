/**
 * Mount namespaces, as far as network namespaces need them: what is bound over a file or a directory, and whose devices /sys
 * shows. A new one sees what is bound in the one that it was copied from, and is not seen there.
 *
 * Linux 6.1 fs/namespace.c: do_loopback(), path_umount(); fs/sysfs/mount.c.
 */
import type { Host } from './host.ts'
import type { KernelHost } from './kernel.ts'
import type { Node } from './node.ts'

export class Mounts {
  readonly inode: number
  readonly parent: Mounts | undefined
  readonly over = new Map<Node, Node>()
  /** The namespace that was current when /sys was mounted. */
  sysNetns: Host

  constructor(inode: number, parent: Mounts | undefined, sysNetns: Host) {
    this.inode = inode
    this.parent = parent
    this.sysNetns = sysNetns
  }

  /** What is seen in a node's place. */
  at(node: Node): Node {
    for (let mounts: Mounts | undefined = this; mounts; mounts = mounts.parent) {
      const over = mounts.over.get(node)
      if (over) return over
    }
    return node
  }

  /** What a node is hidden by, looked up by what hides it. */
  under(over: Node): Node | undefined {
    for (const [node, each] of this.over) if (each === over) return node
    return this.parent?.under(over)
  }
}

/** What is mounted for the process that runs; undefined while nothing ever was. */
export function mountsOf(host: KernelHost): Mounts | undefined {
  const machine = host.runningMachine
  return machine && (machine.current ?? machine.init).mounts
}

/** The system calls of namespaces and mounts. Linux 6.1 kernel/nsproxy.c, fs/namespace.c. */
import { NotModelled } from '#base/check'
import { Calls } from './calls.ts'
import type { SysResult } from './errno.ts'
import { fail, OK } from './errno.ts'
import type { Host } from './host.ts'
import { Mounts } from './mounts.ts'
import {
  createNetns,
  dropNetns,
  holdNetns,
  INITIAL_NAMESPACES,
  Netns,
  NetnsFile,
  NetnsNode,
  newNamespaceInode,
} from './netns.ts'
import { find } from './path.ts'

export class NamespaceCalls extends Calls {
  unshare(...flags: ('CLONE_NEWNET' | 'CLONE_NEWNS')[]): SysResult<void> {
    this.enter()
    const { process } = this
    if (flags.includes('CLONE_NEWNS')) {
      const from = process.mounts ?? this.#initialMounts()
      process.mounts = new Mounts(newNamespaceInode(this.host), from, from.sysNetns)
    }
    if (flags.includes('CLONE_NEWNET')) this.#enter(createNetns(this.host))
    return OK
  }

  setns(fd: number): SysResult<void> {
    this.enter()
    const file = this.process.file(fd)
    if (!file) return fail('EBADF')
    if (!(file instanceof NetnsFile)) return fail('EINVAL')
    this.#enter(file.namespace)
    return OK
  }

  mount(source: string, target: string, type: 'bind' | 'sysfs'): SysResult<void> {
    this.enter()
    const onto = find(this.host, this.process.cwd, target)
    if (!onto.ok) return onto
    if (type === 'sysfs') {
      if (onto.value.path !== '/sys') throw new NotModelled(`a sysfs on ${onto.value.path}`)
      const mounts = this.process.mounts ?? this.#initialMounts()
      mounts.sysNetns = this.process.netns
      return OK
    }
    const from = find(this.host, this.process.cwd, source)
    if (!from.ok) return from
    const { node } = from.value
    if ((node.type === 'directory') !== (onto.value.node.type === 'directory')) return fail('ENOTDIR')
    const mounts = this.process.mounts ?? this.#initialMounts()
    if (node !== onto.value.node) mounts.over.set(onto.value.node, node)
    if (node instanceof NetnsNode) {
      holdNetns(node.netns)
      if (node.netns instanceof Netns) node.netns.nameAfter(onto.value.path)
    }
    return OK
  }

  umount(target: string): SysResult<void> {
    this.enter()
    const place = find(this.host, this.process.cwd, target)
    if (!place.ok) return place
    if (place.value.path === '/sys') return OK // What is mounted there next says what it shows.
    for (let mounts = this.process.mounts; mounts; mounts = mounts.parent) {
      for (const [node, over] of mounts.over) {
        if (over !== place.value.node) continue
        mounts.over.delete(node)
        if (over instanceof NetnsNode) dropNetns(over.netns)
        return OK
      }
    }
    return fail('EINVAL')
  }

  /** Those that the machine booted with; every process that has none of its own has these from now on. */
  #initialMounts(): Mounts {
    const { init, processes } = this.machine
    if (!init.mounts) {
      init.mounts = new Mounts(INITIAL_NAMESPACES.mnt!, undefined, this.host)
      for (const process of processes.values()) process.mounts ??= init.mounts
    }
    return init.mounts
  }

  #enter(netns: Host): void {
    const old = this.process.netns
    holdNetns(netns)
    this.process.netns = netns
    dropNetns(old)
  }
}

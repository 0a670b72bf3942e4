/** System calls that change the tree of names. Linux 6.1 fs/namei.c. Everybody is root, so permission bits refuse nothing but execution. */
import type { Errno, SysResult } from './errno.ts'
import { fail, OK, ok } from './errno.ts'
import type { FileType } from './file.ts'
import { Inode } from './inode.ts'
import type { KernelHost } from './kernel.ts'
import { mountsOf } from './mounts.ts'
import type { Node } from './node.ts'
import { find, type Place, walk } from './path.ts'
import { PseudoFolder } from './pseudo.ts'

/** What a change in a place where nothing can be changed answers: /proc and /sys have no such operations. */
function writable(node: Node): node is Inode {
  return node instanceof Inode
}

/** Puts a new inode under a name. */
function add(host: KernelHost, place: Place, inode: Inode): void {
  const parent = host.disk.own(place.parent as Inode)
  parent.entries!.set(place.name, inode)
  parent.mtimeNs = host.sim.nowNs
}

function remove(host: KernelHost, place: Place): void {
  const parent = host.disk.own(place.parent as Inode)
  parent.entries!.delete(place.name)
  parent.mtimeNs = host.sim.nowNs
}

/** Whether a directory is still in the tree. */
function gone(host: KernelHost, node: Node): boolean {
  return node instanceof Inode && host.disk.live(node).links === 0
}

/** What making something answers where only the kernel makes names. */
function refusal(parent: Node, type: FileType): Errno {
  if (!(parent instanceof PseudoFolder) || !parent.path.startsWith('/sys')) return 'ENOENT'
  return type === 'file' ? 'EACCES' : 'EPERM'
}

/** A place for something new. */
function vacant(host: KernelHost, cwd: string, path: string, type: FileType): SysResult<Place> {
  const place = walk(host, cwd, path, false)
  if (!place.ok) return place
  if (place.value.node) return fail('EEXIST')
  if (gone(host, place.value.parent)) return fail('ENOENT')
  return writable(place.value.parent) ? place : fail(refusal(place.value.parent, type))
}

/** Makes a file, FIFO, symlink or directory. */
export function makeNode(
  host: KernelHost,
  cwd: string,
  path: string,
  type: FileType,
  mode: number,
  target = '',
): SysResult<Inode> {
  const place = vacant(host, cwd, path, type)
  if (!place.ok) return place
  if (place.value.slash && type !== 'directory') return fail(type === 'file' ? 'EISDIR' : 'ENOENT')
  const inode = host.disk.create(type, mode, (place.value.parent as Inode).device)
  inode.target = target
  add(host, place.value, inode)
  return ok(inode)
}

/** @see Linux 6.1 fs/namei.c: do_unlinkat() */
export function unlink(host: KernelHost, cwd: string, path: string): SysResult<void> {
  const place = find(host, cwd, path, false)
  if (!place.ok) return place
  const { node, parent, slash } = place.value
  if (slash) return fail(node.type === 'directory' ? 'EISDIR' : 'ENOTDIR')
  if (node.type === 'directory') return fail('EISDIR')
  if (mountsOf(host)?.under(node)) return fail('EBUSY')
  if (!writable(parent) || !writable(node)) return fail('EPERM')
  remove(host, place.value)
  unnamed(host, node)
  return OK
}

/** One name fewer. */
function unnamed(host: KernelHost, node: Inode): void {
  const own = host.disk.own(node)
  own.links--
  host.disk.settle(own)
}

/** @see Linux 6.1 fs/namei.c: do_rmdir() */
export function rmdir(host: KernelHost, cwd: string, path: string): SysResult<void> {
  const last = path.replace(/\/+$/, '').split('/').pop()
  if (last === '.') return fail('EINVAL')
  if (last === '..') return fail('ENOTEMPTY')
  const place = find(host, cwd, path, false)
  if (!place.ok) return place
  const { node, parent, name } = place.value
  if (name === '' || mountsOf(host)?.under(node)) return fail('EBUSY')
  if (node.type !== 'directory') return fail('ENOTDIR')
  if (!writable(node)) return fail(writable(parent) ? 'EBUSY' : 'EPERM')
  if (host.disk.live(node).entries!.size > 0) return fail('ENOTEMPTY')
  remove(host, place.value)
  host.disk.own(node).links = 0
  return OK
}

/** @see Linux 6.1 fs/namei.c: vfs_link() */
export function link(host: KernelHost, cwd: string, from: string, to: string): SysResult<void> {
  const old = find(host, cwd, from, false)
  if (!old.ok) return old
  const place = vacant(host, cwd, to, old.value.node.type)
  if (!place.ok) return place
  const { node } = old.value
  if (place.value.slash) return fail('ENOENT')
  if (node.type === 'directory') return fail('EPERM')
  if (!writable(node) || node.device !== (place.value.parent as Inode).device) return fail('EXDEV')
  host.disk.own(node).links++
  add(host, place.value, node)
  return OK
}

/** @see Linux 6.1 fs/namei.c: do_renameat2(), vfs_rename() */
export function rename(host: KernelHost, cwd: string, from: string, to: string): SysResult<void> {
  for (const path of [from, to]) {
    const last = path.replace(/\/+$/, '').split('/').pop()
    if (last === '.' || last === '..' || last === '') return fail('EBUSY')
  }
  const old = find(host, cwd, from, false)
  if (!old.ok) return old
  const place = walk(host, cwd, to, false)
  if (!place.ok) return place
  const source = old.value.node
  const target = place.value.node
  if (old.value.name === '' || place.value.name === '') return fail('EBUSY')
  if (!writable(old.value.parent) || !writable(place.value.parent)) return fail('EXDEV')
  const mounts = mountsOf(host)
  if (mounts?.under(source) || (target && mounts?.under(target))) return fail('EBUSY')
  if (!writable(source) || (target && !writable(target))) return fail('EBUSY')
  if (old.value.parent.device !== place.value.parent.device) return fail('EXDEV')
  if (gone(host, place.value.parent)) return fail('ENOENT')
  if (target === source) return OK // Two names of one file: both stay.
  const directory = source.type === 'directory'
  if (!directory && (old.value.slash || place.value.slash)) return fail('ENOTDIR')
  if (directory && `${place.value.path}/`.startsWith(`${old.value.path}/`)) {
    return place.value.path === old.value.path ? OK : fail('EINVAL')
  }
  if (`${old.value.path}/`.startsWith(`${place.value.path}/`) && target) return fail('ENOTEMPTY')
  if (target) {
    if (directory && target.type !== 'directory') return fail('ENOTDIR')
    if (!directory && target.type === 'directory') return fail('EISDIR')
    if (directory && host.disk.live(target).entries!.size > 0) return fail('ENOTEMPTY')
  }
  remove(host, old.value)
  if (target) {
    remove(host, place.value)
    if (directory) host.disk.own(target).links = 0
    else unnamed(host, target)
  }
  add(host, place.value, source)
  if (directory) moveWorkingDirectories(host, old.value.path, place.value.path)
  return OK
}

/** A working directory is kept as a path: it follows. */
function moveWorkingDirectories(host: KernelHost, from: string, to: string): void {
  for (const process of host.runningMachine?.processes.values() ?? []) {
    if (process.cwd === from || process.cwd.startsWith(`${from}/`)) process.cwd = to + process.cwd.slice(from.length)
  }
}

export function chmod(host: KernelHost, cwd: string, path: string, mode: number): SysResult<void> {
  const place = find(host, cwd, path)
  if (!place.ok) return place
  if (!writable(place.value.node)) return fail('EPERM')
  host.disk.own(place.value.node).mode = mode & 0o7777
  return OK
}

export function utimes(host: KernelHost, cwd: string, path: string, mtimeNs: number): SysResult<void> {
  const place = find(host, cwd, path)
  if (!place.ok) return place
  if (!writable(place.value.node)) return fail('EPERM')
  host.disk.own(place.value.node).mtimeNs = mtimeNs
  return OK
}

/** readdir(3) without . and ..; sorted by nothing but the order of making, as a small directory of a tmpfs or /proc. */
export function readdir(host: KernelHost, cwd: string, path: string): SysResult<string[]> {
  const place = find(host, cwd, path)
  if (!place.ok) return place
  return place.value.node.type === 'directory' ? ok(place.value.node.list(host)) : fail('ENOTDIR')
}

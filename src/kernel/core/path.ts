/** From a path to what it leads to: links, `..`, limits. Linux 6.1 fs/namei.c: link_path_walk(), step_into(). */
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { KernelHost } from './kernel.ts'
import { mountsOf } from './mounts.ts'
import type { Node } from './node.ts'

const PATH_MAX = 4096
const NAME_MAX = 255
/** Links followed in one walk. Linux 6.1 include/linux/namei.h: MAXSYMLINKS. */
const LINKS_MAX = 40

export interface Place {
  /** The directory that has, or would have, the last name; the root is its own. */
  parent: Node
  /** The last name; empty for the root. */
  name: string
  /** The path without links, dots and doubled slashes. */
  path: string
  /** Undefined if there is nothing of that name. */
  node: Node | undefined
  /** Whether the path ended in a slash, and so can only mean a directory. */
  slash: boolean
}

/**
 * Walks a path.
 * @param cwd where a relative path begins: a path without links
 * @param follow whether a link at the end is followed
 */
export function walk(host: KernelHost, cwd: string, path: string, follow: boolean): SysResult<Place> {
  if (path === '') return fail('ENOENT')
  if (path.length >= PATH_MAX) return fail('ENAMETOOLONG')
  const slash = path.endsWith('/')
  const nodes: Node[] = [host.image.root]
  const names: string[] = []
  // What is still to be walked, the next name last.
  const left = path.split('/').reverse()
  if (!path.startsWith('/')) left.push(...cwd.split('/').reverse())
  const mounts = mountsOf(host)
  let links = 0
  while (left.length > 0) {
    const name = left.pop()!
    const at = nodes[nodes.length - 1]!
    if (name === '' || name === '.') {
      if (name === '.' && at.type !== 'directory') return fail('ENOTDIR')
      continue
    }
    if (at.type !== 'directory') return fail('ENOTDIR')
    if (name === '..') {
      if (nodes.length > 1) {
        nodes.pop()
        names.pop()
      }
      continue
    }
    if (name.length > NAME_MAX) return fail('ENAMETOOLONG')
    const last = !left.some((rest) => rest !== '')
    let node = at.lookup(host, name)
    if (node && mounts) node = mounts.at(node)
    if (!node) {
      if (!last) return fail('ENOENT')
      return ok({ parent: at, name, path: `${join(names)}/${name}`, node: undefined, slash })
    }
    if (node.type === 'symlink' && (!last || follow || slash)) {
      if (++links > LINKS_MAX) return fail('ELOOP')
      const jumped = node.jump(host)
      if (jumped) {
        nodes.push(jumped)
        names.push(name)
        continue
      }
      const target = node.readlink(host)
      if (target === '') return fail('ENOENT')
      if (target.startsWith('/')) {
        nodes.length = 1
        names.length = 0
      }
      left.push(...target.split('/').reverse())
      continue
    }
    nodes.push(node)
    names.push(name)
  }
  const node = nodes[nodes.length - 1]!
  if (slash && node.type !== 'directory' && node.type !== 'symlink') return fail('ENOTDIR')
  return ok({
    parent: nodes[Math.max(0, nodes.length - 2)]!,
    name: names[names.length - 1] ?? '',
    path: join(names) || '/',
    node,
    slash,
  })
}

/** Walks to something that must be there. */
export function find(host: KernelHost, cwd: string, path: string, follow = true): SysResult<Place & { node: Node }> {
  const place = walk(host, cwd, path, follow)
  if (!place.ok) return place
  return place.value.node ? ok(place.value as Place & { node: Node }) : fail('ENOENT')
}

function join(names: string[]): string {
  return names.length === 0 ? '' : `/${names.join('/')}`
}

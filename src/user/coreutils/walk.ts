/** Directory trees, for -r and -R. */
import type { Stat, Sys } from '#kernel/core'

/** Calls `visit` for a path and everything below it, in the order of names; links aren't followed. */
export function walk(
  sys: Sys,
  path: string,
  visit: (path: string, stat: Stat) => void,
  after?: (path: string, stat: Stat) => void,
): void {
  const stat = sys.lstat(path)
  if (!stat.ok) return
  visit(path, stat.value)
  if (stat.value.type === 'directory') {
    const names = sys.readdir(path)
    if (names.ok)
      for (const name of names.value.slice().sort(byBytes))
        if (name !== '.' && name !== '..') walk(sys, join(path, name), visit, after)
  }
  after?.(path, stat.value)
}

export function join(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`
}

/** The C locale's order. */
export function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The last component of a path, without slashes behind it. */
export function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  return trimmed === '' ? (path === '' ? '' : '/') : trimmed.replace(/^.*\//, '')
}

/** All but the last component. */
export function dirName(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  if (trimmed === '') return path === '' ? '.' : '/'
  const at = trimmed.lastIndexOf('/')
  if (at < 0) return '.'
  return trimmed.slice(0, at).replace(/\/+$/, '') || '/'
}

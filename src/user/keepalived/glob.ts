/** Files that a pattern of an include names, in order. glob(3) without braces in braces. */
import type { Sys } from '#kernel/core'

/** @returns the files, and whether the pattern had wildcards, so that none is no mistake */
export function expandGlob(sys: Sys, pattern: string): { files: string[]; wild: boolean } {
  const wild = /[*?[]/.test(pattern)
  const files = braces(pattern).flatMap((each) => (/[*?[]/.test(each) ? expand(sys, each) : named(sys, each)))
  return { files, wild }
}

function named(sys: Sys, path: string): string[] {
  const stat = sys.stat(path)
  if (!stat.ok) return []
  return [stat.value.type === 'directory' ? `${path}/` : path]
}

/** {a,b}: one after the other. */
function braces(pattern: string): string[] {
  const found = /^([^{]*)\{([^{}]*)\}(.*)$/.exec(pattern)
  if (!found) return [pattern]
  return found[2]!.split(',').flatMap((each) => braces(`${found[1]}${each}${found[3]}`))
}

function expand(sys: Sys, pattern: string): string[] {
  const parts = pattern.split('/')
  let paths = [parts[0] === '' ? '/' : '']
  const rest = parts[0] === '' ? parts.slice(1) : parts
  rest.forEach((part, i) => {
    paths = paths.flatMap((base) => {
      if (!/[*?[]/.test(part)) return [base + part + (i < rest.length - 1 ? '/' : '')]
      const listed = sys.readdir(base === '' ? '.' : base)
      if (!listed.ok) return []
      const matches = matcher(part)
      const names = listed.value.filter((name) => (part.startsWith('.') || !name.startsWith('.')) && matches.test(name))
      return names.sort().map((name) => base + name + (i < rest.length - 1 ? '/' : ''))
    })
  })
  return paths.flatMap((path) => named(sys, path))
}

function matcher(part: string): RegExp {
  const source = part.replace(/\[!?[^\]]+\]|[\s\S]/g, (piece) => {
    if (piece === '*') return '.*'
    if (piece === '?') return '.'
    if (piece.length > 1) return piece.replace('[!', '[^').replace(/\\/g, '\\\\')
    return piece.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  })
  try {
    return new RegExp(`^${source}$`)
  } catch {
    return /$^/ // A broken range matches nothing.
  }
}

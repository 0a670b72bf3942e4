/** Pathname expansion: the files whose names match a pattern. POSIX.1-2017, Shell 2.13.3. */
import type { Sys } from '#kernel/core'
import { compilePattern, hasGlob, unquotePattern } from './pattern.ts'
import { byBytes } from './variables.ts'

/** @param source the pattern, quoted characters with a backslash; sorted names, none if nothing matches */
export function globPaths(sys: Sys, source: string, options: { dotglob?: boolean; nocase?: boolean } = {}): string[] {
  const parts = splitPath(source)
  let found = [source.startsWith('/') ? '/' : '']
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1
    const next: string[] = []
    for (const base of found) {
      if (part === '') {
        if (last && sys.stat(base || '.').ok) next.push(base.endsWith('/') ? base : `${base}/`)
        continue
      }
      if (!hasGlob(part)) {
        const path = join(base, unquotePattern(part))
        if (last ? sys.lstat(path).ok : sys.stat(path).ok) next.push(path)
        continue
      }
      const names = sys.readdir(base === '' ? '.' : base)
      if (!names.ok) continue
      const pattern = compilePattern(part, options.nocase)
      const hidden = part.startsWith('.') || part.startsWith('\\.') || options.dotglob
      for (const name of names.value) {
        if (name === '.' || name === '..') continue
        if (name.startsWith('.') && !hidden) continue
        if (!pattern.matches(name)) continue
        const path = join(base, name)
        if (!last) {
          const stat = sys.stat(path)
          if (!stat.ok || stat.value.type !== 'directory') continue
        }
        next.push(path)
      }
    }
    found = next
  }
  return found.sort(byBytes)
}

function join(base: string, name: string): string {
  return base === '' || base.endsWith('/') ? base + name : `${base}/${name}`
}

/** The components; empty ones at the front are dropped, one at the end says that only directories match. */
function splitPath(source: string): string[] {
  const parts: string[] = []
  let part = ''
  let inSet = false
  for (let i = 0; i < source.length; i++) {
    const char = source[i]!
    if (char === '\\') part += char + (source[++i] ?? '')
    else if (char === '/' && !inSet) {
      if (part !== '') parts.push(part)
      part = ''
    } else {
      if (char === '[' && source.indexOf(']', i) > 0 && !source.slice(i, source.indexOf(']', i)).includes('/'))
        inSet = true
      if (char === ']') inSet = false
      part += char
    }
  }
  parts.push(part)
  return parts
}

/** The rooms as ROOMS.md tells them, and the sources as they are. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface RoomLine {
  name: string
  /** Marked with `*`: others can't do without it. */
  needed: boolean
  /** Marked (Node). */
  node: boolean
  place: number
}

/** The rooms of ROOMS.md, in reading order. */
export function roomsOf(text: string): RoomLine[] {
  const block = /```text\n([\s\S]*?)```/.exec(text)?.[1] ?? ''
  return block
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, place) => {
      const [name = ''] = line.split(/\s/)
      return { name: name.replace(/\/$/, ''), needed: /^\S+ \*/.test(line), node: line.includes('(Node)'), place }
    })
}

/** All TypeScript files below a folder of the repository, as paths from its root. */
export function sourcesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|svelte)$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules') && !path.includes('.svelte-kit') && !path.includes('/build/'))
    .sort()
}

export function readSource(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** The module names that a source imports or re-exports, dynamic imports included. */
export function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '')
  const pattern = /(?:\bfrom\s*|\bimport\s*\(\s*|^\s*import\s+)['"]([^'"]+)['"]/gm
  return [...code.matchAll(pattern)].map((match) => match[1]!)
}

/** A source without comments and strings: what it does. */
export function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|[^:'"`\\])\/\/[^\n]*/g, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''")
}

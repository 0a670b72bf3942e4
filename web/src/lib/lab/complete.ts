/** What Tab offers: programs for a first word, a room's own words for its program, paths for everything else. */
import type { SimLab } from '#backend/sim'
import { readdir } from '#kernel/core'

// Words of the shell itself that one types often enough to want them completed.
const BUILTINS = [
  'alias', 'break', 'case', 'cd', 'command', 'continue', 'declare', 'done', 'echo', 'esac', 'eval', 'exit', 'export',
  'false', 'for', 'function', 'help', 'history', 'jobs', 'kill', 'local', 'printf', 'pwd', 'read', 'return', 'set',
  'shift', 'source', 'test', 'time', 'trap', 'true', 'type', 'ulimit', 'umask', 'unset', 'until', 'wait', 'while',
] // biome-ignore format: a list of words
const CANDIDATES_MAX = 500

export interface Completion {
  /** How many characters at the end of what was typed a candidate replaces. */
  replace: number
  candidates: string[]
}

/** Candidates for the last word of what was typed so far, sorted. */
export function completeWord(lab: SimLab, host: string, before: string): Completion {
  const { kernel } = lab.world.host(host)
  // The command that the cursor is in: what follows the last thing that ends one.
  const command = before.slice(Math.max(...['|', ';', '&', '(', '`'].map((end) => before.lastIndexOf(end))) + 1)
  const words = command.trimStart().split(/\s+/u)
  const word = words.at(-1) ?? ''
  const found = new Set<string>()
  if (words.length <= 1 && !word.includes('/')) {
    for (const name of [...kernel.image.programs.keys(), ...BUILTINS]) if (name.startsWith(word)) found.add(name)
  } else {
    const completions = kernel.image.slot('completions', () => new Map<string, (words: string[]) => string[]>())
    for (const each of completions.get(words[0]!.replace(/^.*\//u, ''))?.(words.slice(1)) ?? []) {
      if (each.startsWith(word)) found.add(each)
    }
    for (const path of found.size > 0 && !word.includes('/') ? [] : pathsOf(lab, host, word)) found.add(path)
  }
  return { replace: word.length, candidates: [...found].sort().slice(0, CANDIDATES_MAX) }
}

function pathsOf(lab: SimLab, host: string, word: string): string[] {
  const { kernel } = lab.world.host(host)
  const slash = word.lastIndexOf('/')
  const folder = word.slice(0, slash + 1)
  const start = word.slice(slash + 1)
  const cwd = lab.directory(host)
  const names = readdir(kernel, cwd, folder === '' ? '.' : folder)
  if (!names.ok) return []
  return names.value
    .filter((name) => name.startsWith(start) && (start.startsWith('.') || !name.startsWith('.')))
    .map((name) => `${folder}${name}${readdir(kernel, cwd, `${folder}${name}`).ok ? '/' : ''}`)
}

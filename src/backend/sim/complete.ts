/**
 * What Tab offers at a lab's prompt: programs and builtins for a first word; then a room's own words for its program,
 * the lab's hosts, and paths. The page and `kaidoku shell` both ask here.
 */
import { type KernelHost, readdir } from '#kernel/core'
import { DEFAULT_ENVIRONMENT } from '#user/shell'
import type { SimLab } from './lab.ts'

// Words of the shell itself that one types often enough to want them completed.
const BUILTINS = [
  'alias', 'break', 'case', 'cd', 'command', 'continue', 'declare', 'done', 'echo', 'esac', 'eval', 'exit', 'export',
  'false', 'for', 'function', 'help', 'history', 'jobs', 'kill', 'local', 'printf', 'pwd', 'read', 'return', 'set',
  'shift', 'source', 'test', 'time', 'trap', 'true', 'type', 'ulimit', 'umask', 'unset', 'until', 'wait', 'while',
] // biome-ignore format: a list of words
const CANDIDATES_MAX = 500

/** What a room says of its program's words: the program's name first, the one being typed last. */
type Completer = (words: string[]) => string[]

export interface Completion {
  /** How many characters at the end of what was typed a candidate replaces. */
  replace: number
  candidates: string[]
}

/** Candidates for the last word of what was typed so far, sorted. */
export function completeWord(lab: SimLab, host: string, before: string): Completion {
  const { kernel } = lab.world.host(host)
  // The command that the cursor is in: what follows the last thing that ends one.
  const command = before.slice(Math.max(...['|', ';', '&', '(', '`', '\n'].map((end) => before.lastIndexOf(end))) + 1)
  const words = command.trimStart().split(/\s+/u)
  const word = words.at(-1) ?? ''
  const found = new Set<string>()
  const offer = (candidates: Iterable<string>) => {
    for (const each of candidates) if (each.startsWith(word)) found.add(each)
  }
  if (words.length <= 1 && !word.includes('/')) {
    offer(BUILTINS)
    for (const folder of DEFAULT_ENVIRONMENT['PATH']!.split(':')) offer(namesIn(kernel, '/', folder))
  } else {
    const completers = kernel.image.slot('completions', () => new Map<string, Completer>())
    offer(completers.get(words[0]!.replace(/^.*\//u, ''))?.(words) ?? [])
    // A tool that knows its words knows better than a list of everything.
    const known = found.size > 0
    if (!known) offer(lab.world.hosts.keys())
    if (!known || word.includes('/')) offer(pathsOf(lab, host, word))
  }
  return { replace: word.length, candidates: [...found].sort().slice(0, CANDIDATES_MAX) }
}

function namesIn(kernel: KernelHost, cwd: string, folder: string): string[] {
  const names = readdir(kernel, cwd, folder)
  return names.ok ? names.value : []
}

function pathsOf(lab: SimLab, host: string, word: string): string[] {
  const { kernel } = lab.world.host(host)
  const slash = word.lastIndexOf('/')
  const folder = word.slice(0, slash + 1)
  const start = word.slice(slash + 1)
  const cwd = lab.directory(host)
  return namesIn(kernel, cwd, folder === '' ? '.' : folder)
    .filter((name) => name.startsWith(start) && (start.startsWith('.') || !name.startsWith('.')))
    .map((name) => `${folder}${name}${readdir(kernel, cwd, `${folder}${name}`).ok ? '/' : ''}`)
}

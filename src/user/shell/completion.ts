/** What TAB stands for: commands, files, variables, host names, and what other rooms say of their tools' words. */
import type { Body } from '#kernel/core'
import { builtins } from './builtins/index.ts'
import type { Completion } from './line-editor.ts'
import type { Shell } from './shell.ts'
import { byBytes } from './variables.ts'

/** What may stand in a command line's last word, which is being typed; the command's name is the first. */
export type Completer = (words: string[]) => string[]

/** Completers by command: the image's slot `completions`, which rooms fill for their tools. */
export type Completions = Map<string, Completer>

const KEYWORDS = [
  'if',
  'then',
  'else',
  'elif',
  'fi',
  'for',
  'while',
  'until',
  'do',
  'done',
  'case',
  'esac',
  'function',
  'time',
  'select',
]

export function* complete(shell: Shell, completions: Completions, line: string, cursor: number): Body<Completion> {
  const before = line.slice(0, cursor)
  const word = /(?:[^\s;|&<>()'"\\]|\\.)*$/.exec(before)![0]
  const start = cursor - word.length
  const command = before
    .slice(0, start)
    .split(/[;|&(]|\b(?:then|do|else|time)\b/)
    .pop()!
  const words = command.trim() === '' ? [] : command.trim().split(/\s+/)
  const text = word.replace(/\\(.)/g, '$1')
  let found: string[]
  if (text.startsWith('$')) {
    const brace = text.startsWith('${') ? '${' : '$'
    found = shell.variables.names().map((name) => `${brace}${name}${brace === '${' ? '}' : ''}`)
  } else if (words.length === 0 && !text.includes('/')) found = commandNames(shell)
  else {
    const known = completions.get((words[0] ?? '').replace(/^.*\//, ''))?.([...words, text]) ?? []
    found = known.filter((one) => one.startsWith(text))
    // A tool that knows its words knows better than a list of everything.
    if (found.length === 0 || text.includes('/'))
      found.push(...files(shell, text, words[0] === 'cd' || words[0] === 'rmdir'))
    if (['ping', 'arping', 'ssh', 'curl', 'traceroute', 'nc', 'telnet'].includes(words[0] ?? ''))
      found.push(...(yield* hostNames(shell)))
  }
  const fitting = [...new Set(found)].filter((one) => one.startsWith(text)).sort(byBytes)
  return {
    words: fitting.map((one) => (one.startsWith('$') ? one : one.replace(/[\s'"\\$`&|;<>()*?]/g, '\\$&'))),
    start,
  }
}

function commandNames(shell: Shell): string[] {
  const names = [...builtins.keys(), ...shell.functions.keys(), ...shell.aliases.keys(), ...KEYWORDS]
  for (const directory of (shell.variables.get('PATH') ?? '').split(':')) {
    const entries = shell.sys.readdir(directory)
    if (entries.ok) names.push(...entries.value)
  }
  return names
}

function files(shell: Shell, text: string, directoriesOnly: boolean): string[] {
  const slash = text.lastIndexOf('/')
  const prefix = text.slice(0, slash + 1)
  const home = prefix.startsWith('~/') ? (shell.variables.get('HOME') ?? '/root') + prefix.slice(1) : prefix
  const names = shell.sys.readdir(home === '' ? '.' : home)
  if (!names.ok) return []
  const hidden = text.slice(slash + 1).startsWith('.')
  return names.value
    .filter((name) => name !== '.' && name !== '..' && (hidden || !name.startsWith('.')))
    .map((name) => {
      const stat = shell.sys.stat(home + name)
      return { path: prefix + name, directory: stat.ok && stat.value.type === 'directory' }
    })
    .filter(({ directory }) => directory || !directoriesOnly)
    .map(({ path, directory }) => (directory ? `${path}/` : path))
}

function* hostNames(shell: Shell): Body<string[]> {
  const text = (yield* shell.readFile('/etc/hosts')) ?? ''
  return text.split('\n').flatMap((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1))
}

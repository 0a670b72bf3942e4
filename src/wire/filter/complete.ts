/** Names that complete the word at the cursor: protocols and fields, then the words of the language. */
import { FIELDS } from '#wire/dissect'
import { FUNCTIONS } from './parse.ts'

export interface FilterCompletion {
  /** What the candidates replace. */
  from: number
  to: number
  candidates: { text: string; label: string }[]
}

const WORDS = ['and', 'or', 'not', 'in', 'contains', 'matches', 'any', 'all']
const CANDIDATES_MAX = 60

/** What may stand where the cursor is. A name is completed up to its next dot first, so that lists stay short. */
export function completeFilter(text: string, cursor: number): FilterCompletion {
  const from = cursor - (/[A-Za-z][A-Za-z0-9_.]*$/u.exec(text.slice(0, cursor))?.[0].length ?? 0)
  const word = text.slice(from, cursor).toLowerCase()
  const to = cursor + (/^[A-Za-z0-9_.]*/u.exec(text.slice(cursor))?.[0].length ?? 0)
  if (word === '' || /["'][^"']*$/u.test(text.slice(0, from))) return { from, to, candidates: [] }
  const starting = [...FIELDS.values()].filter(({ name }) => name.startsWith(word))
  const depth = word.split('.').length
  // Those as deep as what is typed come first.
  const near = (name: string) => Math.abs(name.split('.').length - depth)
  starting.sort((a, b) => near(a.name) - near(b.name) || (a.name < b.name ? -1 : 1))
  const words = [...WORDS, ...FUNCTIONS].filter((each) => each.startsWith(word) && each !== word)
  const candidates = [
    ...starting.map(({ name, label }) => ({ text: name, label })),
    ...words.map((each) => ({ text: each, label: '' })),
  ]
  return { from, to, candidates: candidates.filter(({ text }) => text !== word).slice(0, CANDIDATES_MAX) }
}

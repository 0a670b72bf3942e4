/**
 * The language of queries: words and "phrases" that all must be there, `OR` between alternatives, `-` for what must not be
 * there, parentheses, and `name:value`. It forgives: what can't be understood is searched as it was typed, and a note says so.
 */

import { fold } from './fold.ts'
import { runsOf } from './tokens.ts'

export const TEXT_SCOPES = ['any', 'title', 'command', 'output'] as const
export type TextScope = (typeof TEXT_SCOPES)[number]

export const IS_STATES = [
  'article',
  'bookmark',
  'presentation',
  'research',
  'mine',
  'later',
  'unread',
  'archived',
  'favourite',
  'private',
  'public',
  'dead',
] as const
export type IsState = (typeof IS_STATES)[number]

export type QueryNode =
  | { kind: 'text'; scope: TextScope; text: string; quoted: boolean }
  | { kind: 'tag' | 'site' | 'user' | 'lang'; value: string }
  | { kind: 'is'; state: IsState }
  /** Added on that day or before / after; milliseconds since the epoch of the day's end or begin, in UTC. */
  | { kind: 'before' | 'after'; atMs: number }
  | { kind: 'not'; of: QueryNode }
  | { kind: 'and' | 'or'; of: QueryNode[] }

export interface QueryNote {
  /** Where in the query, in UTF-16 units. */
  at: number
  length: number
  what: string
}

export interface ParsedQuery {
  /** Undefined for a query that says nothing. */
  node: QueryNode | undefined
  notes: QueryNote[]
}

export const QUERY_MAX = 500
const TERMS_MAX = 32
const DEPTH_MAX = 12

const ALIASES: Record<string, IsState> = {
  read_later: 'later',
  'read-later': 'later',
  toread: 'later',
  favorite: 'favourite',
  star: 'favourite',
  slides: 'presentation',
  paper: 'research',
}

interface Word {
  kind: 'word'
  at: number
  end: number
  negative: boolean
  name: string
  value: string
  quoted: boolean
}
type Piece = Word | { kind: '(' | ')' | 'or' | 'minus'; at: number; end: number }

/** Reads a query; never throws, whatever was typed. */
export function parseQuery(text: string): ParsedQuery {
  const notes: QueryNote[] = []
  if (text.length > QUERY_MAX)
    notes.push({ at: QUERY_MAX, length: text.length - QUERY_MAX, what: 'too long: the rest was left out' })
  const pieces = piecesOf(text.slice(0, QUERY_MAX), notes)
  let at = 0
  let terms = 0
  const note = (piece: { at: number; end: number }, what: string) => {
    notes.push({ at: piece.at, length: piece.end - piece.at, what })
  }
  const parseOr = (depth: number): QueryNode | undefined => {
    const options: QueryNode[] = []
    for (;;) {
      const node = parseAnd(depth)
      if (node) options.push(node)
      const piece = pieces[at]
      if (piece?.kind !== 'or') break
      at++
      if (!node) note(piece, 'OR without anything before it')
    }
    return options.length > 1 ? { kind: 'or', of: options } : options[0]
  }
  const parseAnd = (depth: number): QueryNode | undefined => {
    const all: QueryNode[] = []
    while (at < pieces.length) {
      const piece = pieces[at]!
      if (piece.kind === 'or') break
      if (piece.kind === ')') {
        if (depth > 0) break
        note(piece, 'a parenthesis that nothing opened')
        at++
        continue
      }
      let negative = false
      if (piece.kind === 'minus') {
        at++
        negative = true
      }
      const node = parseOne(depth)
      if (node) all.push(negative ? { kind: 'not', of: node } : node)
    }
    return all.length > 1 ? { kind: 'and', of: all } : all[0]
  }
  const parseOne = (depth: number): QueryNode | undefined => {
    const piece = pieces[at]
    if (!piece) return undefined
    at++
    if (piece.kind === '(') {
      if (depth >= DEPTH_MAX) {
        note(piece, 'too many parentheses within each other')
        return undefined
      }
      const node = parseOr(depth + 1)
      if (pieces[at]?.kind === ')') at++
      else note(piece, 'a parenthesis that nothing closes')
      return node
    }
    if (piece.kind !== 'word') return undefined
    if (++terms > TERMS_MAX) {
      if (terms === TERMS_MAX + 1) note(piece, `more than ${TERMS_MAX} words: the rest was left out`)
      return undefined
    }
    const node = nodeOf(piece, note)
    return node && (piece.negative ? { kind: 'not', of: node } : node)
  }
  const nodes: QueryNode[] = []
  while (at < pieces.length) {
    const node = parseOr(0)
    if (node) nodes.push(node)
  }
  return { node: nodes.length > 1 ? { kind: 'and', of: nodes } : nodes[0], notes }
}

/** Full-width blanks, colons, quotes and parentheses are what a Japanese keyboard types. */
function piecesOf(text: string, notes: QueryNote[]): Piece[] {
  const pieces: Piece[] = []
  for (let at = 0; at < text.length; ) {
    if (/\s/u.test(text[at]!)) {
      at++
      continue
    }
    const bracket = '(（'.includes(text[at]!) ? '(' : ')）'.includes(text[at]!) ? ')' : undefined
    if (bracket) {
      pieces.push({ kind: bracket, at, end: at + 1 })
      at++
      continue
    }
    const begin = at
    const negative = /^[-－](?=[^\s－-])/u.test(text.slice(at))
    if (negative) at++
    if (negative && '(（'.includes(text[at]!)) {
      pieces.push({ kind: 'minus', at: begin, end: at })
      continue
    }
    const name = /^([a-z]{2,8})[:：](?=[^\s)）])/iu.exec(text.slice(at))?.[0] ?? ''
    at += name.length
    const open = text[at]
    if (open === '"' || open === '“' || open === '”' || open === '＂') {
      const rest = text.slice(at + 1)
      const close = /["“”＂]/u.exec(rest)?.index ?? -1
      if (close < 0) notes.push({ at, length: text.length - at, what: 'a quote that nothing closes' })
      const value = close < 0 ? rest : rest.slice(0, close)
      at = close < 0 ? text.length : at + close + 2
      pieces.push({
        kind: 'word',
        at: begin,
        end: at,
        negative,
        name: name.slice(0, -1).toLowerCase(),
        value,
        quoted: true,
      })
      continue
    }
    const value = /^[^\s()（）"“”＂]*/u.exec(text.slice(at))![0]
    at += value.length
    if (value === '' && name === '') {
      at++
      continue
    }
    if (value === 'OR' && name === '' && !negative) pieces.push({ kind: 'or', at: begin, end: at })
    else
      pieces.push({
        kind: 'word',
        at: begin,
        end: at,
        negative,
        name: name.slice(0, -1).toLowerCase(),
        value,
        quoted: false,
      })
  }
  return pieces
}

function nodeOf(word: Word, note: (at: Word, what: string) => void): QueryNode | undefined {
  const { name, value } = word
  switch (name) {
    case 'tag':
    case 'site':
    case 'user':
    case 'lang':
      if (value.trim() !== '')
        return { kind: name, value: name === 'site' ? value.replace(/^www\./iu, '').toLowerCase() : value }
      break
    case 'is': {
      const state = ALIASES[value.toLowerCase()] ?? IS_STATES.find((each) => each === value.toLowerCase())
      if (state) return { kind: 'is', state }
      note(word, `is: what? One of ${IS_STATES.join(', ')}`)
      return undefined
    }
    case 'before':
    case 'after': {
      const day = dayOf(value)
      if (day) return { kind: name, atMs: name === 'before' ? day.fromMs : day.toMs }
      note(word, `${name}: wants a year, a month or a day: 2026, 2026-01, 2026-01-31`)
      return undefined
    }
    case 'title':
    case 'command':
    case 'output':
      return textNode(word, name, value)
    case '':
      return textNode(word, 'any', value)
    default:
      break
  }
  if (name !== '' && !/^(?:https?|ftp|urn)$/u.test(name)) note(word, `there is no ${name}: it is searched as it stands`)
  return textNode(word, 'any', `${name}:${value}`)
}

function textNode(word: Word, scope: TextScope, text: string): QueryNode | undefined {
  // Punctuation alone says nothing.
  if (runsOf(fold(text)).next().done) return undefined
  return { kind: 'text', scope, text, quoted: word.quoted }
}

/** A year, month or day as an interval, in UTC. */
function dayOf(text: string): { fromMs: number; toMs: number } | undefined {
  const match = /^(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2}))?)?$/u.exec(text.normalize('NFKC'))
  if (!match) return undefined
  const [year, month, day] = match.slice(1).map((part) => (part === undefined ? undefined : Number(part)))
  if (month !== undefined && (month < 1 || month > 12)) return undefined
  if (day !== undefined && (day < 1 || day > daysIn(year!, month!))) return undefined
  const from = daysBefore(year!, month ?? 1) + (day ?? 1) - 1
  const length =
    day !== undefined ? 1 : month !== undefined ? daysIn(year!, month) : daysBefore(year! + 1, 1) - daysBefore(year!, 1)
  return { fromMs: from * 86_400_000, toMs: (from + length) * 86_400_000 }
}

const isLeap = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
const daysIn = (year: number, month: number) =>
  month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31

/** Days from 1970-01-01 to a month's first. */
function daysBefore(year: number, month: number): number {
  const years = year - 1
  let days = years * 365 + Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400) - 719_162
  for (let each = 1; each < month; each++) days += daysIn(year, each)
  return days
}

/** The texts that a result shows lit up: all that a query wants to be there. */
export function wantedTexts(node: QueryNode | undefined): string[] {
  if (!node) return []
  if (node.kind === 'text') return [node.text]
  if (node.kind === 'and' || node.kind === 'or') return node.of.flatMap(wantedTexts)
  return []
}

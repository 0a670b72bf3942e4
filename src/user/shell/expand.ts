/**
 * Word expansion: tilde, parameters, command substitution, arithmetic, then field splitting, pathname expansion and
 * quote removal. POSIX.1-2017, Shell 2.6; bash(1), "EXPANSION". A word becomes pieces that remember whether they were quoted.
 */
import type { ParameterExpansionPart, Word, WordPart } from 'unbash'
import type { Body } from '#kernel/core'
import { evaluateArithmetic } from './arithmetic.ts'
import { expandBraces } from './brace.ts'
import { ExpansionError } from './errors.ts'
import { globPaths } from './glob.ts'
import { parameterPieces } from './parameter.ts'
import { hasGlob, quotePattern } from './pattern.ts'
import type { Shell } from './shell.ts'
import { parseDoubleQuoted, parseWord } from './syntax.ts'

/** A run of text. split: fields are made of it at IFS; quoted: its characters are ordinary in patterns. */
export interface Piece {
  text: string
  quoted: boolean
  split: boolean
}

/** Between the elements of "$@". */
export const BREAK = { text: '', quoted: true, split: false, isBreak: true } as const

export type Pieces = (Piece | typeof BREAK)[]

export const quotedPiece = (text: string): Piece => ({ text, quoted: true, split: false })

const bracedWords = new WeakMap<Word, Word[] | undefined>()

/** What brace expansion makes of a word; itself if it has none. */
function braced(word: Word): readonly Word[] {
  if (!word.text.includes('{')) return [word]
  let known = bracedWords.get(word)
  if (known === undefined && !bracedWords.has(word)) {
    const texts = expandBraces(word.text)
    known =
      texts.length === 1 && texts[0] === word.text ? undefined : texts.filter((text) => text !== '').map(parseWord)
    bracedWords.set(word, known)
  }
  return known ?? [word]
}

/** All expansions: the fields that words become. */
export function* expandFields(shell: Shell, words: readonly Word[]): Body<string[]> {
  const fields: string[] = []
  for (const word of words) {
    if (word.parts === undefined && /^[\w\-./:=,+%@]*$/.test(word.text)) {
      fields.push(word.text)
      continue
    }
    for (const one of shell.options.has('braceexpand') ? braced(word) : [word]) {
      const pieces = yield* expandParts(shell, one, false)
      fields.push(...toFields(shell, pieces))
    }
  }
  return fields
}

/** Without splitting and pathname expansion: assignments, `case` words, here-strings. */
export function* expandSingle(shell: Shell, word: Word | undefined): Body<string> {
  if (!word) return ''
  const pieces = yield* expandParts(shell, word, true)
  return joinPieces(shell, pieces)
}

/** As a pattern: what was quoted has backslashes. */
export function* expandPattern(shell: Shell, word: Word | undefined): Body<string> {
  if (!word) return ''
  const pieces = yield* expandParts(shell, word, false)
  return pieces.map((piece) => (piece.quoted ? quotePattern(piece.text) : piece.text)).join('')
}

/** As an extended regular expression: what was quoted is literal. */
export function* expandRegex(shell: Shell, word: Word): Body<string> {
  const pieces = yield* expandParts(shell, word, false)
  return pieces.map((piece) => (piece.quoted ? piece.text.replace(/[\\^$.[\]|()*+?{}]/g, '\\$&') : piece.text)).join('')
}

/** As inside double quotes: here-documents, arithmetic, prompts. */
export function* expandQuotedText(shell: Shell, text: string): Body<string> {
  if (!/[$`\\]/.test(text)) return text
  const pieces: Pieces = []
  for (const part of parseDoubleQuoted(text)) pieces.push(...(yield* expandPart(shell, part, true)))
  return joinPieces(shell, pieces)
}

export function joinPieces(shell: Shell, pieces: Pieces): string {
  const separator = (shell.variables.get('IFS') ?? ' \t\n')[0] ?? ''
  return pieces.map((piece) => ('isBreak' in piece ? (separator === '' ? ' ' : ' ') : piece.text)).join('')
}

/** The value of an arithmetic expression's source. */
export function* arithmetic(shell: Shell, source: string): Body<bigint> {
  const text = yield* expandQuotedText(shell, source.replaceAll('"', ''))
  return calculate(shell, text)
}

/** The value of an expression that has been expanded. */
export function calculate(shell: Shell, text: string): bigint {
  try {
    return evaluateArithmetic(text, {
      get: (name, index) => {
        const value = shell.getElement(name, index)
        if (value === undefined && shell.options.has('nounset'))
          throw new ExpansionError(`${name}: unbound variable`, 1, true)
        return value
      },
      set: (name, index, value) => shell.assignElement(name, index, value),
    })
  } catch (error) {
    if (error instanceof Error && error.constructor.name === 'ArithmeticError') throw new ExpansionError(error.message)
    throw error
  }
}

/** The operand of ${x:-word}: quoted as what it stands in is, but with its own quotes. */
export function* toPieces(shell: Shell, word: Word, inQuotes: boolean): Body<Pieces> {
  if (inQuotes) {
    const pieces: Pieces = []
    for (const part of parseDoubleQuoted(word.text.replace(/(^|[^\\])"/g, '$1')))
      pieces.push(...(yield* expandPart(shell, part, true)))
    return pieces.length === 0 ? [quotedPiece('')] : pieces
  }
  const pieces = yield* expandParts(shell, word, false)
  // Literal text there is split too.
  return pieces.map((piece) => ('isBreak' in piece || piece.quoted ? piece : { ...piece, split: true }))
}

/** @param assignment a tilde may follow a colon, and nothing is split */
function* expandParts(shell: Shell, word: Word, assignment: boolean): Body<Pieces> {
  const parts = word.parts
  if (parts === undefined) return literalPieces(shell, word.text, true, assignment)
  const pieces: Pieces = []
  for (const [i, part] of parts.entries()) {
    if (part.type === 'Literal') pieces.push(...literalPieces(shell, part.text, i === 0, assignment))
    else pieces.push(...(yield* expandPart(shell, part, false)))
  }
  return pieces
}

/** Source text outside quotes: backslashes quote, a tilde in front is a home directory. */
function literalPieces(shell: Shell, text: string, first: boolean, assignment: boolean): Pieces {
  const pieces: Pieces = []
  let rest = text
  if (assignment ? /(^|:)~/.test(text) : first && text.startsWith('~')) {
    const tilde = /^~([^/:\\"'$`]*)/
    const expand = (part: string): string | undefined => {
      const match = tilde.exec(part)
      return match ? shell.homeOf(match[1]!) : undefined
    }
    if (assignment) {
      const segments = text.split(':')
      for (const [i, segment] of segments.entries()) {
        if (i > 0) pieces.push({ text: ':', quoted: false, split: false })
        const home = i > 0 || first ? expand(segment) : undefined
        if (home === undefined) pieces.push(...unescaped(segment))
        else pieces.push(quotedPiece(home), ...unescaped(segment.replace(tilde, '')))
      }
      return pieces
    }
    const home = expand(text)
    if (home !== undefined) {
      pieces.push(quotedPiece(home))
      rest = text.replace(tilde, '')
    }
  }
  pieces.push(...unescaped(rest))
  return pieces
}

function unescaped(text: string): Pieces {
  if (!text.includes('\\')) return text === '' ? [] : [{ text, quoted: false, split: false }]
  const pieces: Pieces = []
  let plain = ''
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '\\') {
      plain += text[i]
      continue
    }
    if (plain !== '') pieces.push({ text: plain, quoted: false, split: false })
    plain = ''
    i++
    if (text[i] === '\n') continue // A continued line.
    pieces.push(quotedPiece(text[i] ?? '\\'))
  }
  if (plain !== '') pieces.push({ text: plain, quoted: false, split: false })
  return pieces
}

function* expandPart(shell: Shell, part: WordPart, inQuotes: boolean): Body<Pieces> {
  const value = (text: string): Piece => ({ text, quoted: inQuotes, split: !inQuotes })
  switch (part.type) {
    case 'Literal':
      if (inQuotes) return [quotedPiece(unescapeQuoted(part.text))]
      return literalPieces(shell, part.text, false, false)
    case 'Glob':
    case 'ExtendedGlob':
      if (part.parts && part.parts.some((child) => child.type !== 'Literal')) {
        // The brackets, or the operator and its parentheses, are nobody's child.
        const around = (from: number, to: number): Piece => ({
          text: part.text.slice(from, to),
          quoted: inQuotes,
          split: false,
        })
        const pieces: Pieces = [around(0, part.parts[0]!.pos - part.pos)]
        for (const child of part.parts) pieces.push(...(yield* expandPart(shell, child, inQuotes)))
        pieces.push(around(part.parts.at(-1)!.end - part.pos, part.text.length))
        return pieces
      }
      return [{ text: part.text, quoted: inQuotes, split: false }]
    case 'BraceExpansion':
      return [{ text: part.text, quoted: inQuotes, split: false }]
    case 'SingleQuoted':
    case 'AnsiCQuoted':
      return [quotedPiece(part.value)]
    case 'DoubleQuoted':
    case 'LocaleString': {
      const pieces: Pieces = []
      let vanishes = false // "$@" of nothing is no field at all.
      for (const child of part.parts) {
        const more = yield* expandPart(shell, child, true)
        if (more.length === 0) vanishes = true
        pieces.push(...more)
      }
      return pieces.length === 0 && !vanishes ? [quotedPiece('')] : pieces
    }
    case 'SimpleExpansion':
      return yield* parameterPieces(shell, { parameter: part.text.slice(1) }, inQuotes)
    case 'ParameterExpansion':
      return yield* parameterPieces(shell, part as ParameterExpansionPart, inQuotes)
    case 'CommandExpansion': {
      const text = yield* shell.substitute(part.script, part.text)
      // What comes behind it in the same command sees its status: `echo "$(false) $?"`.
      shell.status = shell.substitutionStatus ?? shell.status
      return [value(text)]
    }
    case 'ArithmeticExpansion': {
      const inner = part.text.startsWith('$((') ? part.text.slice(3, -2) : part.text.slice(2, -1)
      return [value(String(yield* arithmetic(shell, inner)))]
    }
    case 'ProcessSubstitution':
      return [quotedPiece(yield* shell.processSubstitution(part.script, part.operator))]
  }
}

/** In double quotes a backslash quotes only $ ` " \ and a newline. */
function unescapeQuoted(text: string): string {
  return text.includes('\\') ? text.replace(/\\([$`"\\\n])/g, (_, char: string) => (char === '\n' ? '' : char)) : text
}

/** Field splitting, then pathname expansion. POSIX.1-2017, Shell 2.6.5. */
export function toFields(shell: Shell, pieces: Pieces): string[] {
  const ifs = shell.variables.get('IFS') ?? ' \t\n'
  const fields: Piece[][] = []
  let field: Piece[] = []
  let any = false
  let afterBlank = false
  const finish = () => {
    fields.push(field)
    field = []
    any = false
  }
  for (const piece of pieces) {
    if ('isBreak' in piece) {
      finish()
      any = true
      afterBlank = false
      continue
    }
    if (!piece.split) {
      if (piece.quoted || piece.text !== '') {
        field.push(piece)
        any = true
        afterBlank = false
      }
      continue
    }
    let start = 0
    for (let i = 0; i <= piece.text.length; i++) {
      const char = piece.text[i]
      if (char !== undefined && !ifs.includes(char)) continue
      if (i > start) {
        field.push({ text: piece.text.slice(start, i), quoted: false, split: false })
        any = true
        afterBlank = false
      }
      start = i + 1
      if (char === undefined) break
      if (char === ' ' || char === '\t' || char === '\n') {
        if (any) {
          finish()
          afterBlank = true
        }
      } else if (afterBlank && !any) afterBlank = false
      else {
        finish()
      }
    }
  }
  if (any) finish()
  return fields.flatMap((parts) => globField(shell, parts))
}

function globField(shell: Shell, parts: readonly Piece[]): string[] {
  const text = parts.map((part) => part.text).join('')
  if (shell.options.has('noglob')) return [text]
  if (!parts.some((part) => !part.quoted && /[*?[(]/.test(part.text))) return [text]
  const pattern = parts.map((part) => (part.quoted ? quotePattern(part.text) : part.text)).join('')
  if (!hasGlob(pattern)) return [text]
  const found = globPaths(shell.sys, pattern, {
    dotglob: shell.shopt.has('dotglob'),
    nocase: shell.shopt.has('nocaseglob'),
  })
  if (found.length > 0) return found
  if (shell.shopt.has('failglob')) throw new ExpansionError(`no match: ${text}`)
  return shell.shopt.has('nullglob') ? [] : [text]
}

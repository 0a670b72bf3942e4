/**
 * The words that are indexed. Latin and other scripts with blanks: whole words. Japanese, Chinese and Korean have none that a
 * program could tell, so each character and each pair of neighbours is one: a query of any length is found, exactly.
 */
import { fold } from './fold.ts'

const RUN = /([\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー々〆〇]+)|([\p{L}\p{M}\p{N}]+)/gu

export const TOKEN_MAX = 64

export interface Run {
  /** Of characters that are indexed one by one and in pairs. */
  dense: boolean
  text: string
}

/** A folded text as runs of one kind; what is neither letter nor digit parts them. */
export function* runsOf(folded: string): Generator<Run> {
  for (const match of folded.matchAll(RUN)) yield { dense: match[1] !== undefined, text: match[0] }
}

/** All tokens of a text, each once: at most `max`, so that a page made to be large stays bearable. */
export function tokensOf(text: string, max = 20_000): Set<string> {
  const tokens = new Set<string>()
  for (const run of runsOf(fold(text))) {
    if (tokens.size >= max) break
    if (!run.dense) {
      tokens.add(run.text.slice(0, TOKEN_MAX))
      continue
    }
    let before = ''
    for (const character of run.text) {
      tokens.add(character)
      if (before !== '') tokens.add(before + character)
      before = character
    }
  }
  return tokens
}

export interface QueryToken {
  token: string
  /** A word may go on: `ipvs` finds `ipvsadm`. */
  prefix: boolean
}

/** The tokens that a text must have to contain a phrase; words of three letters and more may go on if `open`. */
export function queryTokens(phrase: string, open: boolean): QueryToken[] {
  const tokens = new Map<string, boolean>()
  for (const run of runsOf(fold(phrase))) {
    if (!run.dense) {
      const token = run.text.slice(0, TOKEN_MAX)
      tokens.set(token, open && token.length >= 3)
      continue
    }
    const characters = [...run.text]
    if (characters.length === 1) tokens.set(run.text, false)
    for (let i = 1; i < characters.length; i++) tokens.set(characters[i - 1]! + characters[i]!, false)
  }
  return [...tokens].map(([token, prefix]) => ({ token, prefix }))
}

/** Whether tokens alone don't say that a phrase is there: it has several, and they might stand apart. */
export function needsLook(phrase: string): boolean {
  const runs = [...runsOf(fold(phrase))]
  return runs.length > 1 || (runs.length === 1 && runs[0]!.dense && [...runs[0]!.text].length > 2)
}

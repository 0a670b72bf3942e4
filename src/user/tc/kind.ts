/** What the kinds have in common: how they complain, and how numbers are read. */
import { type Output, parseUnsigned, type Words } from '#user/iproute2'

export interface Show {
  details: boolean
  stats: boolean
  raw: boolean
  iec: boolean
}

/** Ends the command with status 1: a line, and how it would be right. */
export class Complaint extends Error {
  override readonly name = 'Complaint'
  readonly usage: string

  constructor(text: string, usage = '') {
    super(text === '' ? '' : `${text}\n`)
    this.usage = usage
  }
}

export function integerWord(word: string, what: string): number {
  const value = parseUnsigned(word)
  if (value === undefined) throw new Complaint(`Illegal ${what}`)
  return value
}

/** A kind without options. */
export function simple(name: string, text: string) {
  return {
    parse(words: Words): Record<string, unknown> {
      if (words.more) throw new Complaint(`What is "${words.current}"?`, `Usage: ... ${name}\n`)
      return {}
    },
    print(out: Output) {
      out.text(text)
    },
  }
}

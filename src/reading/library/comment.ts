/** A comment as it is written: `[tag]` at its start, any number of them, then up to a hundred characters. */
import { foldKeyword, tidyKeyword } from './entry.ts'

export const COMMENT_MAX = 100
export const NOTE_MAX = 50_000
export const TAGS_MAX = 20

export interface ParsedComment {
  tags: string[]
  comment: string
}

/** Takes the tags off a comment: `[linux][network] read again` has two. Brackets further on are text. */
export function parseComment(text: string): ParsedComment {
  const tags: string[] = []
  let rest = text
    .normalize('NFC')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
  for (;;) {
    const match = /^\[([^[\]]{1,64})\]\s*/u.exec(rest)
    const tag = match && tidyKeyword(match[1]!)
    if (!match || !tag || tags.length >= TAGS_MAX) return { tags: uniqueTags(tags), comment: rest }
    tags.push(tag)
    rest = rest.slice(match[0].length)
  }
}

/** As parseComment reads it: what a form's single field shows. */
export function formatComment({ tags, comment }: ParsedComment): string {
  return tags.map((tag) => `[${tag}]`).join('') + comment
}

/** Tidied, each once however it is written, at most TAGS_MAX. No brackets, so that `[tag]` can be read back. */
export function uniqueTags(tags: readonly string[]): string[] {
  const seen = new Map<string, string>()
  for (const tag of tags) {
    const tidied = tidyKeyword(tag.replace(/[[\]]/gu, ' '))
    const folded = foldKeyword(tidied)
    if (folded !== '' && !seen.has(folded)) seen.set(folded, tidied)
  }
  return [...seen.values()].slice(0, TAGS_MAX)
}

/** How long a comment is: in characters, as Unicode's code points. */
export function commentLength(comment: string): number {
  return [...comment].length
}
